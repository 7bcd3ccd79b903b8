"""The analysis of a study by name: its options, its images where they are at hand, and what to tell the user."""

from __future__ import annotations

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.studies.pruning import findings, material
from prunecxr.studies.pruning.config import Config
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.once import Once


def analyze(store: Store, there: Store, study: TrackedRun | None, config: Config, population: str | None) -> None:
    """Analyse a study.

    Args:
        there: the store, working in the experiment that holds the study.
        study: its run; None where an import of the first version made none.
        population: a key, or None for the newest.
    """
    wanted = findings.Wanted(
        config.study,
        config.compression.method,
        population,
        config.seeds if study else (),
        config.compression.sparsities if study else (),
    )
    outcome = findings.analyse_study(Once(there), study, wanted, config.analysis, _pictures(config), adopt=True)
    parent = study.id if study and there is store else None
    runs.claim_invocation(store, "analyze", config.study, parent, outcome.run.id)
    print(f"analysis run {outcome.run.id}{'' if outcome.added else ' (found: same variants, options and code)'}")
    for warning in outcome.population.warnings:
        print(f"warning: {warning}")
    missing = outcome.population.missing
    if missing:
        listed = ", ".join(f"({seed}, {k:g})" for seed, k in missing[:10])
        print(f"missing (seed, sparsity): {listed}{f' and {len(missing) - 10} more' if len(missing) > 10 else ''}")
    print(f"report: {there.artifact_location(outcome.run.id, names.REPORT)}")
    print(f"runs as charts: {there.ui_hint()}")


def _pictures(config: Config) -> findings.Pictures:
    """The test images, or why there are none: the analysis does not need them, its gallery does."""
    try:
        return findings.Pictures(material.open_reader(config))
    except (UserError, EnvironmentFault) as error:
        return findings.Pictures(note=f"Images are not shown: {error}")
