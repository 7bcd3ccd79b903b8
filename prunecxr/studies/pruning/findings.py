"""One analysis of a pruning study: tracking -> analysis -> report -> tracking. Knows no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr import __version__
from prunecxr.errors import UserError
from prunecxr.options.sections import AnalysisOptions
from prunecxr.report.writing import write
from prunecxr.studies.pruning import circumstances
from prunecxr.studies.pruning.analysis import forgettability, gaps
from prunecxr.studies.pruning.analysis import study as whole
from prunecxr.studies.pruning.analysis.by_scale import ScaleOptions
from prunecxr.studies.pruning.analysis.exemplars import nearest_sparsity
from prunecxr.studies.pruning.analysis.rankings import Rankings, measure
from prunecxr.studies.pruning.analysis.safe_sparsity import recommended
from prunecxr.studies.pruning.analysis.seed_halves import CommonSeeds, common_seeds
from prunecxr.studies.pruning.config import highlighted_pair
from prunecxr.studies.pruning.sections.catalogue import REPORT
from prunecxr.studies.pruning.sections.findings import Findings, GalleryItem, gallery
from prunecxr.tracking import names, query
from prunecxr.tracking.query import Population
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import code_digest, digest
from prunecxr.work.once import Once, Step

# What an analysis follows from, besides the variants and the options: it is computed anew when this changes.
CODE = ("analysis", "report", "studies/pruning/analysis", "studies/pruning/sections", "studies/pruning/findings.py")


@dataclass(frozen=True)
class Wanted:
    """Which population is analysed.

    Attributes:
        study: its name.
        method: pruning method.
        population: key of the population; None takes the newest.
        seeds, sparsities: what the study asked for; what of it is absent is reported as missing.
    """

    study: str
    method: str
    population: str | None = None
    seeds: Sequence[int] = ()
    sparsities: Sequence[float] = ()


@dataclass(frozen=True)
class Pictures:
    """The test images, for the gallery.

    Attributes:
        read: test image id -> gray pixels; None where they are not at hand.
        note: why not.
    """

    read: Callable[[str], np.ndarray] | None = None
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """An analysis run and what it says.

    Attributes:
        population: what was analysed.
        added: whether it was computed now (an analysis of the same variants, options and code is found).
    """

    run: TrackedRun
    population: Population
    added: bool


def analyse_study(
    once: Once,
    study: TrackedRun | None,
    wanted: Wanted,
    options: AnalysisOptions,
    pictures: Pictures,
    notes: Sequence[str] = (),
    *,
    adopt: bool = False,
) -> Outcome:
    """Analyse a study's variants and log tables, figures and the report as an analysis run.

    Args:
        study: its run, parent of the analysis.
        notes: sentences for the report's warnings.
        adopt: whether the run that `mlflow run` made becomes the analysis run.
    Raises:
        UserError: nothing to analyse.
    """
    population = query.read_population(
        once.store, wanted.study, wanted.method, wanted.population, wanted.seeds, wanted.sparsities
    )
    pruned_at, stated = _pie_sparsity(population, options)
    highlight = highlighted_pair(options, population.labels.columns[2:].tolist(), population.study)
    answers = circumstances.reader_answers(once.store, population)
    parts = _parts(population, options, [*notes, *stated], pictures.read is not None) | _held(once.store, population)
    analysed = digest(parts)
    key = digest({**parts, "readers": answers[0]}) if answers else analysed
    work = _Analysis(once, population, options, pruned_at, highlight, pictures, answers and answers[1])
    step = Step(
        kind="analysis",
        identity={names.KEY: key, names.STUDY: wanted.study},
        name=f"analysis of {wanted.method}",
        make=lambda run: work.make(run, [*notes, *stated]),
        parent=study.id if study else None,
        tags={names.METHOD: wanted.method, names.POPULATION: population.key, names.ANALYSED: analysed},
        adopt=adopt,
    )
    run = once.do(step)
    return Outcome(run, population, added=bool(once.made["analysis"]))


def _parts(population: Population, options: AnalysisOptions, notes: Sequence[str], with_images: bool) -> dict[str, Any]:
    """What the result follows from."""
    return {
        "variants": sorted(population.variants["run_id"]),
        "others": sorted(run_id for other in population.others for run_id in other.variants["run_id"]),
        "missing": [[seed, f"{k:.6f}"] for seed, k in population.missing],
        "options": options.model_dump(mode="json"),
        "notes": list(notes),
        "images": with_images,
        "code": code_digest(*CODE),
    }


def _held(store: Store, population: Population) -> dict[str, Any]:
    """What else the result follows from: what the store holds besides the variants' scores and predictions."""
    metadata = query.read_metadata(store, population)
    return {
        "metadata": None if metadata is None else digest({"table": metadata.to_csv(index=False)}),
        "validation": sorted(run.id for run in query.validated(store, population).values()),
    }


@dataclass(frozen=True)
class _Analysis:
    """One analysis, to be made; see `analyse_study`."""

    once: Once
    population: Population
    options: AnalysisOptions
    pruned_at: float
    highlight: tuple[str, str] | None
    pictures: Pictures
    answers: Any

    def make(self, run: TrackedRun, notes: list[str]) -> None:
        """Compute, draw and log."""
        population, store = self.population, self.once.store
        predicted = _predicted(store, population, self.options.reference_prevalence)
        pruned_at, moved = _alive(predicted.rankings, self.pruned_at)
        compared = _compared(predicted.predictions, pruned_at)
        dense, pruned = _means(compared)
        histograms = query.read_weights(store, population)
        analysis = whole.analyse(
            population.scores,
            population.labels,
            dense,
            pruned,
            _options(self.options, pruned_at, population.method),
            by_seed=(compared.dense, compared.pruned) if compared else None,
            beside=whole.Beside({other.method: other.scores for other in population.others}, histograms),
            predicted=predicted,
        )
        notes = [
            *notes,
            *moved,
            *(compared.sentences() if compared else []),
            *gaps.weight_notes(histograms, population.scores),
        ]
        findings = Findings(
            study=population.study,
            tables={**analysis.tables, "training": circumstances.training_table(store, population)},
            warnings=[*population.warnings, *notes, *analysis.warnings],
            gallery=_gallery(analysis.tables, population.labels, dense, pruned, self.pictures),
            gallery_note=self.pictures.note,
            provenance=_provenance(population, run, self.options),
            definition="published" if self.options.definition == "published" else "paper",
            alpha=self.options.alpha,
            pie_sparsity=pruned_at,
            reference=self.options.reference_prevalence,
            highlight=self.highlight,
            readers=self.answers,
        )
        _log(run, findings, self.options)
        log_curves(run, population)


def _predicted(store: Store, population: Population, reference: float) -> whole.Predicted:
    """What the store holds of every variant and of the images."""
    predictions = query.read_predictions(store, population)
    rankings = measure(predictions, population.labels, reference)
    metadata, validation = query.read_metadata(store, population), query.read_validation(store, population)
    return whole.Predicted(predictions, rankings, metadata, validation)


def _compared(predictions: xr.DataArray, pruned_at: float) -> CommonSeeds | None:
    """Predictions of the seeds that have both a dense and a pruned variant; None where ``pruned_at`` is NaN."""
    if np.isnan(pruned_at):
        return None
    common = common_seeds(*(predictions.sel(sparsity=k, drop=True) for k in (0.0, pruned_at)))
    if not common.dense.sizes["seed"]:
        raise UserError("no seed has both a dense and a pruned variant: there are no PIEs to be found")
    return common


def _means(compared: CommonSeeds | None) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Mean predictions of dense and of pruned networks over seeds, each (n_images, n_classes)."""
    if compared is None:
        return None, None
    dense, pruned = (one.mean("seed", dtype=np.float64).to_numpy() for one in (compared.dense, compared.pruned))
    return dense, pruned


def _gallery(
    tables: Mapping[str, pd.DataFrame],
    labels: pd.DataFrame,
    dense: np.ndarray | None,
    pruned: np.ndarray | None,
    pictures: Pictures,
) -> list[GalleryItem]:
    """The PIEs to look at; none where there are no PIEs."""
    if "pies" not in tables or dense is None or pruned is None:
        return []
    return gallery(tables["pies"], labels, dense, pruned, pictures.read)


def _alive(rankings: Rankings, wanted: float) -> tuple[float, list[str]]:
    """The sparsity of the PIEs, moved down where networks there have collapsed, and a sentence that says so."""
    collapsed = rankings.sparsities[rankings.collapsed()]
    if not np.isclose(collapsed, wanted).any():
        return wanted, []
    alive = rankings.sparsities[~rankings.collapsed() & (rankings.sparsities > 0) & (rankings.sparsities < wanted)]
    if not len(alive):
        return float("nan"), [
            f"No PIEs: at {wanted:g}, and at every lower sparsity studied, the networks have collapsed."
        ]
    moved = float(alive.max())
    return moved, [
        f"At {wanted:g} the networks have collapsed: they no longer know half of the classes that the dense ones know. "
        f"PIEs are those of {moved:g}, the highest sparsity below it that has not collapsed."
    ]


def _pie_sparsity(population: Population, options: AnalysisOptions) -> tuple[float, list[str]]:
    """The sparsity of the PIEs: the one asked for, or the nearest there is, which is then stated."""
    present = population.variants["sparsity"]
    if 0.0 not in set(present):
        raise UserError(f"study {population.study!r} has no dense variants (sparsity 0): nothing to compare with")
    pruned = sorted({k for k in present if k > 0})
    if not pruned:
        raise UserError(f"study {population.study!r} has dense variants only; prune some with -e prune")
    nearest = nearest_sparsity(pruned, options.pie_sparsity)
    if np.isclose(nearest, options.pie_sparsity):
        return nearest, []
    return nearest, [
        f"No variants at pie_sparsity {options.pie_sparsity:g}: PIEs are those of {nearest:g}, the nearest."
    ]


def _options(options: AnalysisOptions, pruned_at: float, method: str) -> whole.Options:
    return whole.Options(
        alpha=options.alpha,
        definition=options.definition,
        pie_sparsity=pruned_at,
        pie_fraction=options.pie_fraction,
        resamples=options.bootstrap,
        method=method,
        scales=ScaleOptions(options.scale, options.delta, options.alpha, options.bootstrap // 10, options.null),
        specificity=options.specificity,
    )


def _provenance(population: Population, run: TrackedRun, options: AnalysisOptions) -> dict[str, str]:
    scores, store = population.scores, run.store
    seeds, sparsities = scores["seed"].to_numpy(), scores["sparsity"].to_numpy()
    return {
        "Data set": population.dataset,
        "Architecture": population.architecture,
        "Pruning method": population.method,
        "Seeds": f"{len(seeds)}: {', '.join(map(str, seeds))}",
        "Sparsities": f"{len(sparsities)}: {', '.join(f'{k:g}' for k in sparsities)}",
        "Training images": f"{scores.attrs['n_train']:,}" if "n_train" in scores.attrs else "unknown",
        "Test images": f"{scores.attrs['n_test']:,} of {population.labels['subject_id'].nunique():,} patients",
        "Definition": options.definition,
        "Population": population.key,
        "Experiment": f"{store.experiment_name} ({store.experiment_id})",
        "Analysis run": run.id,
        "prunecxr": __version__,
    }


def _log(run: TrackedRun, findings: Findings, options: AnalysisOptions) -> None:
    """Tables, figures and the page, and the numbers that one compares analyses by."""
    with run.files() as folder:
        write(folder, REPORT, findings, names.REPORT)
    run.log(metrics=_headline(findings.tables))
    run.log_new_params({f"cfg/{k}": str(v) for k, v in options.model_dump().items()})


def _headline(tables: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that one compares studies by, as metrics of the analysis run; undefined ones are left out."""
    overall, relations = tables["overall"], tables["correlations"]
    dropped = overall.loc[overall["paired_drop"].fillna(False).astype(bool), "sparsity"]
    numbers = {
        "dense_median_mean_ap": float(overall.loc[overall["sparsity"] == 0, "median_mean_ap"].iloc[0]),
        "first_significant_drop": float(dropped.min()) if len(dropped) else float("nan"),
        "n_pies": float(tables["pies"]["is_pie"].sum()) if "pies" in tables else 0.0,
    }
    if "mean_change" in tables:
        numbers["recommended_sparsity"] = recommended(tables["mean_change"])
    for row in relations.itertuples(index=False):
        numbers[f"spearman_rho/{row.y}"] = float(row.spearman_rho)
    return numbers


def log_curves(run: TrackedRun, population: Population) -> None:
    """Log the population's curves with the analysis, so that the MLflow UI draws them: the median mean AP, and every
    class's forgettability.

    They belong to the analysis and not to the study: those of a study that has grown are other curves.
    """
    overall = forgettability.overall(population.scores)
    curves = forgettability.curves(population.scores)
    classes = tuple(population.scores["class"].to_numpy().astype(str))
    metric = names.metric_names("forgettability", classes)
    medians = dict(zip(overall["sparsity"], overall["median_mean_ap"], strict=True))
    points = []
    for sparsity, rows in curves.groupby("sparsity"):
        changes = zip(rows["class"], rows["relative_change"], strict=True)
        values = {metric[name]: float(change) for name, change in changes}
        points.append((names.curve_step(sparsity), {"median_mean_ap": float(medians[sparsity]), **values}))
    run.log_new_points(points)
