"""Predictions made elsewhere -> a study that the analysis reads like one trained here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from prunecxr import __version__
from prunecxr.data.imported import ImportedLabels, read_imported_labels
from prunecxr.data.predictions import (
    PredictionFile,
    PredictionFiles,
    PredictionReader,
    content_digest,
    find_predictions,
    table_fingerprint,
)
from prunecxr.errors import UserError
from prunecxr.evaluation.metrics import class_scores
from prunecxr.options.recipe import build_config, flatten
from prunecxr.options.sections import CompressionOptions
from prunecxr.progress import progress
from prunecxr.studies.pruning import keys
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.study import check_origin, open_study
from prunecxr.tracking import artifacts, names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.tracking.variants import log_curves, log_variant, score_metrics, write_variant
from prunecxr.work.identity import digest
from prunecxr.work.once import Once, Step, ending
from prunecxr.work.studies import mlflow_run

Item = TypeVar("Item")
Result = TypeVar("Result")

DATASET_NAME = "imported"
AHEAD = 2  # files that are read and scored while the store is written to


@dataclass(frozen=True)
class Source:
    """Everything that an import reads, checked.

    Attributes:
        digests: hash of the numbers of each file.
        split: what the test split is called in the store, from its content.
        population: key of the population that the files make.
    """

    files: PredictionFiles
    labels: ImportedLabels
    reader: PredictionReader
    digests: dict[Path, str]
    split: str
    population: str


@dataclass(frozen=True)
class Variant:
    """What one file came to: the metrics of its variant, and what writes its artifacts into a folder."""

    metrics: dict[str, float]
    write: Callable[[Path], object]


def configure_import(given: dict[str, str]) -> Config:
    """The options of an import, over what holds for every imported study."""
    config = build_config(Config, {"data": {"dataset": "csv", "dataset_name": DATASET_NAME}}, given)
    allowed = config.compression.method.replace("@", "").replace("-", "").replace(".", "")
    if not allowed.isidentifier():
        raise UserError(
            f"option method: {config.compression.method!r} is not valid: letters, digits, _ - . and @ name a method"
        )
    return config


def import_predictions(store: Store, config: Config, predictions: Path, labels: Path, train: Path | None) -> None:
    """Check every file, then log what is not there yet, and say what is next.

    Args:
        config: as `configure_import` makes it.
        predictions: folder with a file a seed and sparsity.
        labels: the test table.
        train: a label table of the training images, or their class counts; None: unknown.
    Raises:
        UserError: anything wrong with a file; nothing has been written by then.
    """
    check_origin(store, config.study, names.IMPORTED)
    source = read_source(config, predictions, labels, train)
    config = _asked_for(config, source.files)
    once = Once(store)
    study = open_study(once, config, adopt=True, origin=names.IMPORTED)
    with once.claimed(study, "import", f"study {config.study}"), ending(study):
        study.resume()
        added = _import_all(once, study, config, source)
    runs.claim_invocation(store, "import_predictions", config.study, study.id, study.id)
    print(f"study {config.study}: {added} variant(s) imported, {len(source.files.files) - added} found")
    print(f"next: {mlflow_run(store, 'analyze', study=config.study)}")


def read_source(config: Config, predictions: Path, labels: Path, train: Path | None) -> Source:
    """Find and check everything that will be imported; the numbers themselves are read again when they are logged."""
    files = find_predictions(predictions)
    known = read_imported_labels(labels, train, config.data)
    size = f"{len(known.test):,} images, {len(known.test.classes)} classes"
    print(f"{predictions}: {len(files.seeds)} seed(s) x {len(files.sparsities)} sparsities; {size}", flush=True)
    for warning in (*files.warnings, *known.warnings):
        print(f"warning: {warning}", flush=True)
    reader = PredictionReader(known.test, config.data.id_column, _not_classes(config))
    digests = {}
    with progress(len(files.files), "checking", "file") as bar:
        for file, content in _ahead(lambda file: content_digest(reader.read(file.path)), files.files):
            digests[file.path] = content
            bar.update(1)
    fingerprint = table_fingerprint(known.test)
    population = keys.imported_population_key(
        fingerprint,
        digest({"counts": known.counts.to_csv(index=False)}),
        str(config.data.dataset_name),
        config.training.architecture,
    )
    return Source(files, known, reader, digests, fingerprint[:16], population)


def _not_classes(config: Config) -> tuple[str, ...]:
    subject = config.data.subject_column
    return (*config.data.ignore_columns, *config.data.metadata, *([subject] if subject else []))


def _asked_for(config: Config, files: PredictionFiles) -> Config:
    """The configuration of the study as imported: its analysis takes its defaults from it."""
    compression = CompressionOptions(
        method=config.compression.method, sparsities=files.sparsities, register_sparsities=()
    )
    data = config.data.model_copy(update={"labels": None})  # the analysis would look for three tables there
    return config.model_copy(update={"seeds": files.seeds, "compression": compression, "data": data})


def _ahead(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, in order, a few ahead of the consumer.

    One thread does it: a second one would compete with the store's many short calls for the interpreter, and cost more
    than it brings.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    rest = iter(items)
    with ThreadPoolExecutor(1) as pool:
        try:
            for item in islice(rest, AHEAD):
                waiting.append((item, pool.submit(work, item)))
            while waiting:
                item, future = waiting.popleft()
                result = future.result()
                waiting.extend((following, pool.submit(work, following)) for following in islice(rest, 1))
                yield item, result
        finally:
            pool.shutdown(cancel_futures=True)


def _import_all(once: Once, study: TrackedRun, config: Config, source: Source) -> int:
    """Log every variant that is not there yet; how many that were."""
    files = source.files.files
    with TemporaryDirectory(prefix="prunecxr-") as folder:
        labels = source.labels
        artifacts.write_test_split(Path(folder), source.split, labels.test, labels.counts, labels.warnings)
        artifacts.write_metadata(Path(folder), source.split, labels.test)
        seed_runs = {seed: _seed_run(once, study, config, source, seed, Path(folder)) for seed in source.files.seeds}
    children = {seed: once.children(run, "variant") for seed, run in seed_runs.items()}
    tags = {file.path: _variant_tags(config, source, file) for file in files}
    todo = [file for file in files if children[file.seed].done(tags[file.path][names.KEY]) is None]
    with progress(len(files), "importing", "variant", len(files) - len(todo)) as bar:
        for file, variant in _ahead(lambda file: _score(config, source, file), todo):
            there, labelled = children[file.seed], tags[file.path]
            unfinished = there.unfinished(labelled[names.KEY])
            run = log_variant(seed_runs[file.seed], "variant", unfinished, labelled, variant.metrics, variant.write)
            there.add(run)
            bar.update(1)
    for seed_run in seed_runs.values():
        log_curves(seed_run, config.compression.method, "variant")
    return len(todo)


def _seed_run(once: Once, study: TrackedRun, config: Config, source: Source, seed: int, split: Path) -> TrackedRun:
    """The run that stands for the network of one seed, with labels and class counts of the test split.

    Args:
        split: folder of the artifacts that say what the test split is.
    """
    table, dataset = source.labels.test, str(config.data.dataset_name)

    def make(run: TrackedRun) -> None:
        params = {f"cfg/{name}": flatten(config)[name] for name in ("dataset_name", "architecture")}
        run.log_new_params({**params, "cfg/seed": str(seed)})
        profile = {"images": len(table), "patients": len(set(table.subjects)), "positives": table.counts()}
        run.log_dataset(f"{dataset}-test", source.split, "testing", {"labels": Path(table.source).name}, profile)
        run.log_files(split)
        run.log(tags={names.TEST_SPLIT: source.split})

    step = Step(
        kind="seed",
        identity={names.KEY: keys.seed_key(source.population, seed), names.STUDY: config.study},
        name=names.seed_run_name(seed),
        make=make,
        parent=study.id,
        tags={
            names.TRAINING: source.population,
            names.DATASET: dataset,
            names.ARCHITECTURE: config.training.architecture,
            names.SEED: str(seed),
            names.ORIGIN: names.IMPORTED,
        },
        is_done=lambda run: names.TEST_SPLIT in run.tags,
    )
    return once.do(step)


def _variant_tags(config: Config, source: Source, file: PredictionFile) -> dict[str, str]:
    method, digest = config.compression.method, source.digests[file.path]
    key = keys.imported_variant_key(source.population, file.seed, method, file.sparsity, digest)
    return {
        names.KEY: key,
        names.POPULATION: source.population,
        names.TEST_SPLIT: source.split,
        names.DATASET: str(config.data.dataset_name),
        names.ARCHITECTURE: config.training.architecture,
        names.SEED: str(file.seed),
        names.METHOD: method,
        names.SPARSITY: names.sparsity_text(file.sparsity),
    }


def _score(config: Config, source: Source, file: PredictionFile) -> Variant:
    """Score a file's numbers as they are; what is stored of them is float32, as for every variant."""
    values, table = source.reader.read(file.path), source.labels.test
    if content_digest(values) != source.digests[file.path]:
        raise UserError(f"{file.path}: changed while it was imported; run the same command again")
    scores = class_scores(table.labels, values, table.classes)
    origin = {
        "imported": file.path.name,
        "content": source.digests[file.path],
        "seed": file.seed,
        "method": config.compression.method,
        "sparsity": file.sparsity,
        "prunecxr": __version__,
    }
    write = partial(
        write_variant,
        ids=table.ids,
        classes=table.classes,
        predicted=values.astype(np.float32),
        scores=scores,
        recipe=origin,
    )
    return Variant(score_metrics(scores) | {names.REALISED_SPARSITY: file.sparsity}, write)
