"""The reader study: forms for readers out of an analysis, and what they answered back into the study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from prunecxr import __version__
from prunecxr.data.folders import FolderIndex
from prunecxr.data.held_out import open_held_out
from prunecxr.data.images import ImageSource
from prunecxr.data.labels import LabelTable
from prunecxr.errors import UserError
from prunecxr.options.declaration import load
from prunecxr.report import reader_answers
from prunecxr.report.writing import write
from prunecxr.studies.configure import configure_from_run
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.readers.analysis import QUESTIONS, assign, summary
from prunecxr.studies.readers.answers import find_files, read_answers
from prunecxr.studies.readers.options import Answers, Draw
from prunecxr.studies.readers.sections.catalogue import REPORT
from prunecxr.studies.readers.sections.findings import ReaderFindings
from prunecxr.studies.readers.sections.form import Item, as_png, form_page, form_table
from prunecxr.tracking import names, runs
from prunecxr.tracking.artifacts import fetch
from prunecxr.tracking.query import locate_study
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import digest
from prunecxr.work.once import Once, Step

EXPORT, IMPORT = "reader_export", "reader_import"
TEXTS = {"item": str, "id": str, "subject_id": str}
Read = Callable[[str], np.ndarray]


def export_forms(store: Store, draw: Draw, options: dict[str, str]) -> None:
    """Write each reader's form, their images and the key, as a run of the study.

    Args:
        options: texts of study, recipe, images, labels; empty ones take their defaults.
    Raises:
        UserError: no finished analysis, too few PIEs, or images that cannot be found.
    """
    name = configure_from_run(None, options, load(KINDS["pruning"])).study
    there = locate_study(store, name)
    study = runs.find(there, "study", {names.STUDY: name})
    config = configure_from_run(study, options, load(KINDS["pruning"]))
    analysis = _newest(there, "analysis", name, "an analysis; make one with -e analyze")
    pies, classes = _pies(analysis)
    # The key of the analysis enters the draw, so that the seed alone does not tell which positions hold PIEs.
    seed = (draw.reader_seed, int(_analysed(analysis), 16))
    drawn = assign(pies, draw.readers, draw.images_per_reader, seed)
    read = _images(config, options, drawn["id"].tolist())

    def make(run: TrackedRun) -> None:
        items = drawn.merge(pies[["id", *classes]], on="id", how="left", validate="one_to_one")
        _log_forms(run, items, classes, read, draw.longest_side or None, name)
        params = {"analysis": analysis.id, **draw.model_dump()}
        run.log_new_params({f"cfg/{option}": str(value) for option, value in params.items()})

    once, parent = Once(there), study.id if study else None
    step = Step(
        kind=EXPORT,
        identity={names.KEY: _export_key(analysis, draw, config), names.STUDY: name},
        name=f"forms for {draw.readers} readers",
        make=make,
        parent=parent,
        adopt=True,
    )
    run = once.do(step)
    added = bool(once.made[EXPORT])
    runs.claim_invocation(store, EXPORT, name, study.id if study and there is store else None, run.id)
    print(f"export run {run.id}{'' if added else ' (found: same analysis, same options)'}")
    print(f"forms, one per reader: {there.artifact_location(run.id, 'forms')}")
    print(f"key, not for readers: {there.artifact_location(run.id, names.READER_KEY)}")
    print(f"next: -e {IMPORT} -P study={name!r} -P answers=FOLDER (of the files that readers return)")


def _analysed(analysis: TrackedRun) -> str:
    """What the forms follow from: the analysis, whatever answers it shows."""
    return analysis.tags.get(names.ANALYSED, analysis.tags[names.KEY])


def _export_key(analysis: TrackedRun, draw: Draw, config: Any) -> str:
    parts = {"analysis": _analysed(analysis), "draw": draw.model_dump(), "data": config.data.model_dump(mode="json")}
    return digest({**parts, "prunecxr": __version__})


def import_answers(store: Store, asked: Answers) -> None:
    """Check the readers' answers, join them to the key, analyse them, and log all of it as a run of the study.

    Raises:
        UserError: no such export, or anything wrong with the answers, named with file and row.
    """
    files = find_files(asked.answers)
    there, export = _export(store, asked.study, asked.export_run)
    study = export.tags[names.STUDY]
    with TemporaryDirectory(prefix="prunecxr-") as folder:
        drawn = pd.read_csv(fetch(export, names.READER_KEY, Path(folder)), dtype=TEXTS, keep_default_na=False)
    answers = read_answers(files, drawn, export.id, asked.allow_missing)
    said = answers[["item", *QUESTIONS]].astype(str).to_numpy().tolist()
    table = summary(answers)
    tables = {"reader_answers": answers, "reader_summary": table}
    findings = ReaderFindings(study, tables, missing_warnings(answers), {})

    def make(run: TrackedRun) -> None:
        with run.files() as folder:
            told = replace(findings, provenance=_provenance(answers, export, run))
            write(folder, REPORT, told, names.READER_REPORT)
        run.log(metrics=_headline(table))
        run.log_new_params({"cfg/export_run": export.id})

    once = Once(there)
    step = Step(
        kind=IMPORT,
        identity={
            names.KEY: digest({"export": export.id, "answers": said, "prunecxr": __version__}),
            names.STUDY: study,
        },
        name=f"answers of {count_readers(answers)} readers",
        make=make,
        parent=export.tags.get(names.PARENT),
        adopt=True,
    )
    run = once.do(step)
    added = bool(once.made[IMPORT])
    runs.claim_invocation(store, IMPORT, study, export.tags.get(names.PARENT) if there is store else None, run.id)
    print(f"import run {run.id}{'' if added else ' (found: same answers)'}")
    for sentence in reader_answers.sentences(table, findings.alpha):
        print(sentence)
    for warning in findings.warnings:
        print(f"warning: {warning}")
    print(f"report: {there.artifact_location(run.id, names.READER_REPORT)}")


def count_readers(answers: pd.DataFrame) -> int:
    """Readers who gave any answer."""
    return int(answers.loc[answers[list(QUESTIONS)].notna().any(axis=1), "reader"].nunique())


def missing_warnings(answers: pd.DataFrame) -> list[str]:
    """What is not answered, by reader."""
    warnings = []
    for reader, own in answers.groupby("reader"):
        answered = own[list(QUESTIONS)].notna()
        absent, partial = (~answered.any(axis=1)).sum(), (answered.any(axis=1) & ~answered.all(axis=1)).sum()
        if absent or partial:
            warnings.append(
                f"Reader {reader}: {absent} of {len(own)} images without any answer, {partial} answered in part"
            )
    return warnings


def _newest(store: Store, kind: str, study: str, wanted: str) -> TrackedRun:
    """The newest finished run of that kind; those that merely point to another carry no key."""
    finished = runs.search(store, {names.KIND: kind, names.STUDY: study}, finished=True)
    newest = next((run for run in finished if names.KEY in run.tags), None)
    if newest is None:
        raise UserError(f"option study: {study!r} has no finished run of {wanted}")
    return newest


def _export(store: Store, study: str, run_id: str) -> tuple[Store, TrackedRun]:
    """The export run that was named, or the study's newest, and the store working in its experiment."""
    if not run_id:
        there = locate_study(store, study)
        return there, _newest(there, EXPORT, study, "the forms; make one with -e reader_export")
    run = runs.get(store, run_id)
    if run is None or run.tags.get(names.KIND) != EXPORT or names.KEY not in run.tags or not run.finished:
        raise UserError(f"option export_run: {run_id!r} is no finished run of -e reader_export in {store}")
    if study and study != run.tags[names.STUDY]:
        raise UserError(f"option export_run: {run_id} belongs to study {run.tags[names.STUDY]!r}, not {study!r}")
    return store.in_experiment(run.experiment_id), run


def _pies(analysis: TrackedRun) -> tuple[pd.DataFrame, list[str]]:
    """The table of PIEs of an analysis, and the class names among its columns."""
    with TemporaryDirectory(prefix="prunecxr-") as folder:
        table = fetch(analysis, "tables/classes.csv", Path(folder))
        classes = pd.read_csv(table, usecols=["class"], dtype=str, keep_default_na=False)["class"].tolist()
        path = fetch(analysis, "tables/pies.csv", Path(folder))
        columns = ["id", "subject_id", "agreement", "is_pie", *classes]
        pies = pd.read_csv(path, usecols=columns, dtype=TEXTS, keep_default_na=False, na_values={"agreement": [""]})
    return pies, classes


def _images(config: Any, options: dict[str, str], ids: list[str]) -> Read:
    """A look-up of images by id, as large as their files are.

    A folder of images that is given without labels is searched for the ids alone: it need not hold the images of
    other splits, and a study that was imported has no data set.
    """
    if options["images"] and not options["labels"]:
        nothing = np.zeros((len(ids), 0), np.uint8)
        table = LabelTable(np.array(ids, object), np.array(ids, object), nothing, (), source="analysis")
        images: ImageSource = FolderIndex(Path(options["images"]).expanduser()).locate(table)
        place = options["images"]
    else:
        images, place = open_held_out(config.data).test.images, f"the test split of data set {config.data.dataset}"
    at = {image_id: index for index, image_id in enumerate(images.ids)}
    absent = [image_id for image_id in ids if image_id not in at]
    if absent:
        raise UserError(
            f"{len(absent)} of {len(ids)} images that were drawn are not in {place}, such as {absent[0]}; "
            "give the folder that holds them as images"
        )
    return lambda image_id: images.read(at[image_id])


def _log_forms(
    run: TrackedRun, items: pd.DataFrame, classes: list[str], read: Read, side: int | None, study: str
) -> None:
    """A page and a table a reader, their images, and the key; one reader's images are in memory at a time."""
    readers = int(items["reader"].max())
    with run.files() as folder:
        pictures = folder / "forms" / "images"
        pictures.mkdir(parents=True)
        for reader, own in tqdm(items.groupby("reader"), desc="forms", unit="reader", leave=False):
            form = [_item(row, classes, read, side) for _, row in own.iterrows()]
            for item in form:
                (pictures / f"{item.token}.png").write_bytes(item.png)
            path = folder / "forms" / f"reader-{reader:02d}.html"
            path.write_text(form_page(form, int(reader), readers, study, run.id), encoding="utf-8")
            path.with_suffix(".csv").write_text(form_table(form), encoding="utf-8")
        items.drop(columns=classes).to_csv(folder / names.READER_KEY, index=False)


def _item(row: pd.Series, classes: list[str], read: Read, side: int | None) -> Item:
    labels = tuple(name for name in classes if row[name] == 1)
    return Item(row["item"], labels, as_png(read(row["id"]), side))


def _provenance(answers: pd.DataFrame, export: TrackedRun, run: TrackedRun) -> dict[str, str]:
    answered = int(answers[list(QUESTIONS)].notna().all(axis=1).sum())
    return {
        "Readers": f"{count_readers(answers)} of {answers['reader'].nunique()}",
        "Images": f"{answered} of {len(answers)} answered in full, of {answers['subject_id'].nunique()} patients",
        "Export run": export.id,
        "Import run": run.id,
        "prunecxr": __version__,
    }


def _headline(table: pd.DataFrame) -> dict[str, float]:
    """The numbers of figure 6 as metrics; undefined ones are left out when they are logged."""
    columns = ("mean_pie", "mean_non_pie", "kruskal_p", "mixed_difference", "mixed_p")
    return {f"{name}/{row['question']}": float(row[name]) for _, row in table.iterrows() for name in columns}
