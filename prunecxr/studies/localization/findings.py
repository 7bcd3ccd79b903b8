"""One analysis of a localization study: tracking -> analysis -> report -> tracking. Knows no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr import __version__
from prunecxr.errors import UserError
from prunecxr.report.section import Answer
from prunecxr.report.writing import write
from prunecxr.studies.localization.analysis import study as htl_study
from prunecxr.studies.localization.analysis.htl import MEASURED, REGIONS
from prunecxr.studies.localization.analysis.study import PLAIN, Options, Scores
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.localization.results import SeedRuns, find_seeds, not_asked, not_done, noticed
from prunecxr.studies.localization.sections.catalogue import REPORT
from prunecxr.studies.localization.sections.findings import GalleryRow, HtlFindings
from prunecxr.tracking import names
from prunecxr.tracking.artifacts import fetch, read_table
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.identity import code_digest, digest
from prunecxr.work.once import Once, Step

THRESHOLDS = {
    "validation": "of highest foreground IoU on the validation images, for each network of table 2",
    "argmax": "one half",
}
GALLERIES = 12  # pictures on the page
# What an analysis follows from, besides the runs and the options: it is computed anew when this changes.
CODE = (
    "analysis", "report", "studies/localization/analysis", "studies/localization/sections",
    "studies/localization/findings.py", "studies/localization/results.py",
)  # fmt: skip


@dataclass(frozen=True)
class HtlOutcome:
    """An analysis run and what it says.

    Attributes:
        headlines: the answers, one line each.
        warnings: what a reader of the results must know.
        added: whether it was computed now.
    """

    run: TrackedRun
    headlines: tuple[str, ...]
    warnings: tuple[str, ...]
    added: bool


def analyse(
    once: Once, config: HtlConfig, study: TrackedRun, notes: Sequence[str] = (), *, adopt: bool = False
) -> HtlOutcome:
    """Analyse a study's runs, from the tracking server alone; log tables, figures and the report, or find that done.

    Args:
        study: its run, parent of the analysis.
        notes: sentences for the report's warnings.
        adopt: whether the run that `mlflow run` made becomes the analysis run.
    Raises:
        UserError: no seed of the study is complete.
    """
    every = find_seeds(once.store, config)
    seeds = [one for one in every if not one.missing]
    if not seeds:
        absent = f"; seed {every[0].seed} lacks {', '.join(every[0].missing[:5])}" if every else ""
        raise UserError(f"study {config.study!r} has no complete seed{absent}: continue it with -e htl")
    told = [
        *notes,
        *(f"Seed {one.seed} is left out: it lacks {', '.join(one.missing)}." for one in every if one.missing),
    ]
    told += [text for one in seeds for text in not_done(config, one)] + not_asked(config)
    parts = {
        "runs": sorted(run_id for one in seeds for run_id in one.ids()),
        "options": config.analysis.model_dump(mode="json"),
        "notes": told,
        "code": code_digest(*CODE),
    }
    dataset = seeds[0].run.tags[names.DATASET]
    step = Step(
        kind="htl_analysis",
        identity={names.KEY: digest(parts), names.STUDY: config.study},
        name="analysis",
        make=lambda run: _make(run, config, seeds, told),
        parent=study.id,
        tags={names.DATASET: dataset, names.SETTING: config.mining.setting},
        adopt=adopt,
    )
    run = once.do(step)
    headlines, warnings = (tuple(read_table(run, f"tables/{name}.csv")["text"]) for name in ("answers", "warnings"))
    return HtlOutcome(run, headlines, warnings, added=bool(once.made["htl_analysis"]))


def _make(run: TrackedRun, config: HtlConfig, seeds: Sequence[SeedRuns], notes: Sequence[str]) -> None:
    """Compute, draw and log."""
    scores = _scores(config, seeds)
    analysis = htl_study.analyse(scores, _options(config))
    findings = HtlFindings(
        study=config.study,
        setting=config.mining.setting,
        method=config.mining.method,
        prune_fraction=config.mining.prune_fraction,
        rule=config.mining.htl_rule,
        tau=config.mining.tau,
        tables=analysis.tables,
        warnings=(*noticed(seeds[0]), *notes, *analysis.warnings),
        gallery=_gallery(config, seeds),
        provenance=_provenance(config, seeds, scores, run),
        alpha=config.analysis.alpha,
    )
    _log(run, findings, REPORT.answer(findings))


def _options(config: HtlConfig) -> Options:
    analysis = config.analysis
    return Options(
        prune_fraction=config.mining.prune_fraction,
        effect_fractions=analysis.effect_fractions,
        ablation_methods=analysis.ablation_methods,
        ablation_fractions=analysis.ablation_fractions,
        age_edges=analysis.age_edges,
        alpha=analysis.alpha,
        resamples=analysis.bootstrap,
    )


def _scores(config: HtlConfig, seeds: Sequence[SeedRuns]) -> Scores:
    """Everything that the analysis needs, from the runs' artifacts."""
    first = seeds[0]
    pool_name = "unlabelled" if config.mining.setting == "semi" else "train"
    known = {split: read_table(first.run, names.lesion_table(split)) for split in {"test", pool_name, "train"}}
    mined = [read_table(one.mining[config.mining.method], names.HTLS) for one in seeds]
    train, networks = _train_iou(config, seeds), _by_approach(seeds)
    return Scores(
        seeds=tuple(one.seed for one in seeds),
        pool=known[pool_name],
        is_htl=np.stack([table["htl"].to_numpy(bool) for table in mined]),
        drop=np.stack([table["drop"].to_numpy(float) for table in mined]),
        undefined=np.stack([table["relative_drop"].isna().to_numpy() for table in mined]),
        networks=_measured(networks),
        pruned=_pruned(seeds),
        pruned_images=_pruned_images(config, seeds),
        costs=_costs(networks),
        test_floor=_floor(seeds, "test"),
        train_floor=None if train is None else _floor(seeds, "train"),
        test_subjects=known["test"]["subject"].tolist(),
        train_iou=train,
        train_subjects=None if train is None else known["train"]["subject"].tolist(),
    )


Networks = dict[str, list[tuple[int, TrackedRun]]]


def _by_approach(seeds: Sequence[SeedRuns]) -> Networks:
    """The runs of every approach with their seeds, the plain network first."""
    by_approach: Networks = {}
    for one in seeds:
        dense = next(run for (_, fraction), run in one.pruned.items() if fraction == 0)
        for approach, run in {PLAIN: dense, **one.networks}.items():  # plain: at its own threshold, where that is asked
            by_approach.setdefault(approach, []).append((one.seed, run))
    return by_approach


def _measured(networks: Networks) -> dict[str, tuple[list[int], np.ndarray]]:
    """Scores of single test images by approach; earlier runs did not measure the area."""
    return {
        approach: (
            [seed for seed, _ in pairs],
            np.stack([read_table(run, names.TEST_SCORES).reindex(columns=MEASURED).to_numpy() for _, run in pairs]),
        )
        for approach, pairs in networks.items()
    }


def _costs(networks: Networks) -> pd.DataFrame:
    """What every network took, from the metrics of its run."""
    noted = {
        "images": "finetuning_images", "steps": "train_steps", "seconds": "train_seconds", "threshold": "threshold",
    }  # fmt: skip
    rows = []
    for approach, pairs in networks.items():
        for seed, run in pairs:
            metrics = run.metrics()
            rows.append(
                {"seed": seed, "approach": approach} | {name: metrics.get(key, np.nan) for name, key in noted.items()}
            )
    return pd.DataFrame(rows)


def _pruned(seeds: Sequence[SeedRuns]) -> pd.DataFrame:
    """Test scores of every pruned network, from the metrics of its run."""
    rows = []
    for one in seeds:
        for (method, fraction), run in one.pruned.items():
            metrics = run.metrics()
            scores = {region: metrics[names.LOCALIZATION_METRICS[region]] for region in REGIONS}
            rows.append({"seed": one.seed, "method": method, "fraction": fraction, **scores})
    return pd.DataFrame(rows)


def _pruned_images(
    config: HtlConfig, seeds: Sequence[SeedRuns]
) -> dict[tuple[str, float], tuple[list[int], np.ndarray]]:
    """Foreground IoU of single test images, of the pruned networks that table 3 compares."""
    analysis = config.analysis
    compared = [(method, k) for method in analysis.ablation_methods for k in analysis.ablation_fractions]
    return {
        variant: (
            [one.seed for one in seeds],
            np.stack([read_table(one.pruned[variant], names.TEST_SCORES)["foreground"].to_numpy() for one in seeds]),
        )
        for variant in compared
        if all(variant in one.pruned for one in seeds)
    }


def _floor(seeds: Sequence[SeedRuns], split: str) -> pd.DataFrame | None:
    """What a mask that marks nothing scores on each image of a split; None where the runs do not say."""
    noted = [one.run for one in seeds if f"lesion_area/{split}" in one.run.metrics()]
    return read_table(noted[0], names.lesion_floor(split)) if noted else None


def _train_iou(config: HtlConfig, seeds: Sequence[SeedRuns]) -> xr.DataArray | None:
    """IoUs of single training images by pruned share of the study's own method; None where these have no masks."""
    if config.mining.setting == "weak":
        return None
    own, fractions = config.mining.method, {*config.analysis.effect_fractions, config.mining.prune_fraction}
    shares = [0.0, *sorted(fractions - {0.0})]
    stacked = [
        [
            read_table(run, names.POOL_SCORES)[list(REGIONS)].to_numpy()
            for share in shares
            for (method, fraction), run in one.pruned.items()
            if fraction == share and (method == own or share == 0)
        ]
        for one in seeds
    ]
    return xr.DataArray(
        np.array(stacked),
        dims=("seed", "fraction", "image", "region"),
        coords={"seed": [one.seed for one in seeds], "fraction": shares, "region": list(REGIONS)},
    )


def _gallery(config: HtlConfig, seeds: Sequence[SeedRuns]) -> tuple[GalleryRow, ...]:
    """The pictures of the first seed that has HTLs."""
    for one in seeds:
        run = one.mining[config.mining.method]
        if not run.metrics()["htl_images"]:
            continue
        table = read_table(run, names.GALLERY).head(GALLERIES)
        with TemporaryDirectory(prefix="prunecxr-") as folder:
            pictures = [fetch(run, file, Path(folder)).read_bytes() for file in table["file"]]
        return tuple(
            GalleryRow(str(row.id), one.seed, float(row.iou_dense), float(row.iou_pruned), picture)
            for row, picture in zip(table.itertuples(index=False), pictures, strict=True)
        )
    return ()


def _provenance(config: HtlConfig, seeds: Sequence[SeedRuns], scores: Scores, run: TrackedRun) -> dict[str, str]:
    store, dataset = run.store, run.tags[names.DATASET]
    mining, training = config.mining, config.training
    return {
        "Data set": dataset,
        "Setting": mining.setting,
        "Network": f"U-Net, channels {', '.join(map(str, training.features))}",
        "Images": f"{config.data.image_size} x {config.data.image_size} pixels",
        "Training": f"{training.epochs} epochs, {training.optimizer}, learning rate {training.learning_rate:g}, batch "
        f"{training.batch_size}",
        "Fine-tuning": f"{config.finetuning.finetune_epochs} epochs, learning rate "
        f"{config.finetuning.finetune_learning_rate:g}, classes {_weighted(config)}",
        "Threshold": THRESHOLDS["argmax" if mining.setting == "weak" else config.finetuning.threshold],
        "Pruning": f"{mining.method}, {mining.prune_fraction:g} of the weights",
        "HTL rule": f"{mining.htl_rule}, tau {mining.tau:g}",
        "Seeds": f"{len(seeds)}: {', '.join(str(one.seed) for one in seeds)}",
        "Images mined": f"{len(scores.pool):,}",
        "Test images": f"{len(scores.test_subjects):,} of {len(set(scores.test_subjects)):,} patients or lesions",
        "Experiment": f"{store.experiment_name} ({store.experiment_id})",
        "Analysis run": run.id,
        "prunecxr": __version__,
    }


def _weighted(config: HtlConfig) -> str:
    return "weighted by inverse frequency" if config.finetuning.class_weighted else "not weighted"


def _log(run: TrackedRun, findings: HtlFindings, answers: Sequence[Answer]) -> None:
    """Tables, figures and the page, and the numbers that one compares analyses by."""
    headlines = [f"{answer.question} {answer.verdict}" for answer in answers]
    with run.files() as folder:
        write(folder, REPORT, findings, names.REPORT)
        for name, texts in (("warnings", findings.warnings), ("answers", headlines)):
            pd.DataFrame({"text": list(texts)}).to_csv(folder / "tables" / f"{name}.csv", index=False)
    run.log(metrics=_headline_metrics(findings))


def _headline_metrics(findings: HtlFindings) -> dict[str, float]:
    """The numbers that one compares studies by; undefined ones are left out."""
    tables = findings.tables
    numbers = {"htl_share": float(tables["mined"]["share"].mean())}
    for row in tables["networks"].itertuples(index=False):
        numbers[f"iou_foreground/{names.approach_suffix(row.approach)}"] = float(row.foreground)
    if "planted" in tables:
        every = tables["planted"].iloc[-1]
        numbers |= {"planted_precision": float(every["precision"]), "planted_recall": float(every["recall"])}
    return numbers
