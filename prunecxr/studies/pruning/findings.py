"""One analysis: tracking -> analysis -> report -> tracking."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from prunecxr import __version__
from prunecxr.errors import UserError
from prunecxr.options.recipe import suggest
from prunecxr.options.sections import AnalysisOptions
from prunecxr.report.writing import write
from prunecxr.studies.pruning import circumstances
from prunecxr.studies.pruning.analysis import gaps
from prunecxr.studies.pruning.analysis import study as whole
from prunecxr.studies.pruning.analysis.exemplars import nearest_sparsity
from prunecxr.studies.pruning.sections.catalogue import REPORT
from prunecxr.studies.pruning.sections.findings import Findings, gallery
from prunecxr.tracking import names, query, runs
from prunecxr.tracking.query import Population
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import digest


@dataclass(frozen=True)
class Outcome:
    """An analysis run and what it says.

    Attributes:
        population: what was analysed.
        added: whether it was computed now (an analysis of the same variants and options is found).
    """

    run: TrackedRun
    population: Population
    added: bool


def analyse_study(
    store: Store,
    study: str,
    method: str,
    options: AnalysisOptions,
    *,
    population_key: str | None = None,
    seeds: Iterable[int] = (),
    sparsities: Iterable[float] = (),
    read_image: Callable[[str], np.ndarray] | None = None,
    gallery_note: str = "",
    adopt: bool = False,
) -> Outcome:
    """Analyse a study's variants and log tables, figures and the report as an analysis run.

    Args:
        population_key: which population of the study; None takes the newest.
        seeds, sparsities: what the study asked for; what of it is absent is reported as missing.
        read_image: test image id -> gray pixels, for the gallery.
        gallery_note: why there are no images, if so.
        adopt: whether the run that `mlflow run` made becomes the analysis run.
    Raises:
        UserError: nothing to analyse.
    """
    population = query.read_population(store, study, method, population_key, seeds, sparsities)
    pruned_at, notes = _pie_sparsity(population, options)
    highlight = _highlight(population, options)
    compared = {other.method: other.scores for other in population.others}
    read = circumstances.reader_answers(store, population)
    parts = {
        "variants": sorted(population.variants["run_id"]),
        "others": sorted(run_id for other in population.others for run_id in other.variants["run_id"]),
        "missing": [[seed, f"{k:.6f}"] for seed, k in population.missing],
        "options": options.model_dump(mode="json"),
        "images": read_image is not None,
        "prunecxr": __version__,
    }
    analysed = digest(parts)
    key = digest({**parts, "readers": read[0]}) if read else analysed
    parent = runs.find(store, "study", {names.STUDY: study})
    run = runs.find_or_create(
        store,
        "analysis",
        {names.KEY: key, names.STUDY: study},
        name=f"analysis of {method}",
        parent=parent.id if parent else None,
        tags={names.METHOD: method, names.POPULATION: population.key, names.ANALYSED: analysed},
        adopt=adopt,
    )
    if run.finished:
        return Outcome(run, population, added=False)
    with runs.ending(run):
        run.resume()
        by_seed = (
            query.read_predictions(store, population, 0.0),
            query.read_predictions(store, population, pruned_at),
        )
        dense, pruned = (query.mean_over_seeds(one) for one in by_seed)
        histograms = query.read_weights(store, population)
        analysis = whole.analyse(
            population.scores,
            population.labels,
            dense,
            pruned,
            _options(options, pruned_at, method),
            by_seed=by_seed,
            others=compared,
            histograms=histograms,
        )
        notes += gaps.weight_notes(histograms, population.scores)
        pictures = gallery(analysis.tables["pies"], population.labels, dense, pruned, read_image)
        findings = Findings(
            study=study,
            tables={**analysis.tables, "training": circumstances.training_table(store, population)},
            warnings=[*population.warnings, *notes, *analysis.warnings],
            gallery=pictures,
            gallery_note=gallery_note,
            provenance=_provenance(store, population, run, options),
            definition="published" if options.definition == "published" else "paper",
            alpha=options.alpha,
            pie_sparsity=pruned_at,
            highlight=highlight,
            readers=read[1] if read else None,
        )
        _log(run, findings, options)
    return Outcome(run, population, added=True)


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


def _highlight(population: Population, options: AnalysisOptions) -> tuple[str, str] | None:
    """The pair of classes to be marked, checked against those of the study."""
    if not options.highlight:
        return None
    classes = population.labels.columns[2:].tolist()
    for name in options.highlight:
        if name not in classes:
            raise UserError(
                f"option highlight: study {population.study!r} has no class {name!r}{suggest(name, classes)}"
            )
    a, b = options.highlight
    return a, b


def _options(options: AnalysisOptions, pruned_at: float, method: str) -> whole.Options:
    return whole.Options(
        alpha=options.alpha,
        definition=options.definition,
        pie_sparsity=pruned_at,
        pie_fraction=options.pie_fraction,
        resamples=options.bootstrap,
        method=method,
    )


def _provenance(store: Store, population: Population, run: TrackedRun, options: AnalysisOptions) -> dict[str, str]:
    scores = population.scores
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
    run.log(metrics=_headline(findings), params={f"cfg/{k}": str(v) for k, v in options.model_dump().items()})


def _headline(findings: Findings) -> dict[str, float]:
    """The numbers that one compares studies by, as metrics of the analysis run; undefined ones are left out."""
    overall, relations = findings.tables["overall"], findings.tables["correlations"]
    dropped = overall.loc[overall["significant_drop"].fillna(False).astype(bool), "sparsity"]
    numbers = {
        "dense_median_mean_ap": float(overall.loc[overall["sparsity"] == 0, "median_mean_ap"].iloc[0]),
        "first_significant_drop": float(dropped.min()) if len(dropped) else float("nan"),
        "n_pies": float(findings.tables["pies"]["is_pie"].sum()),
    }
    for row in relations.itertuples(index=False):
        numbers[f"spearman_rho/{row.y}"] = float(row.spearman_rho)
    return numbers
