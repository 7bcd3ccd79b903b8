"""The analysis of a study by name: its options, its images where they are at hand, and what to tell the user."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.studies.configure import configure_from_run
from prunecxr.studies.pruning import findings, material
from prunecxr.studies.pruning.charts import log_curves
from prunecxr.studies.pruning.config import Config
from prunecxr.tracking import names, query, runs
from prunecxr.tracking.store import Store


def analyze(store: Store, given: dict[str, str], population: str | None) -> None:
    """Analyse a study: `given` are the texts of the command line, `population` a key or None for the newest."""
    name = configure_from_run(None, given, Config).study
    there = query.locate_study(store, name)
    study = runs.find(there, "study", {names.STUDY: name})
    config = configure_from_run(study, given, Config)
    read_image, note = _images(config)
    outcome = findings.analyse_study(
        there,
        name,
        config.compression.method,
        config.analysis,
        population_key=population,
        seeds=config.seeds if study else (),
        sparsities=config.compression.sparsities if study else (),
        read_image=read_image,
        gallery_note=note,
        adopt=True,
    )
    if study is not None:
        log_curves(study, outcome.population)
    runs.claim_invocation(store, "analyze", name, study.id if study and there is store else None, outcome.run.id)
    print(f"analysis run {outcome.run.id}{'' if outcome.added else ' (found: same variants, same options)'}")
    for warning in outcome.population.warnings:
        print(f"warning: {warning}")
    missing = outcome.population.missing
    if missing:
        listed = ", ".join(f"({seed}, {k:g})" for seed, k in missing[:10])
        print(f"missing (seed, sparsity): {listed}{f' and {len(missing) - 10} more' if len(missing) > 10 else ''}")
    print(f"report: {there.artifact_location(outcome.run.id, names.REPORT)}")
    print(f"runs as charts: {there.ui_hint()}")


def _images(config: Config) -> tuple[Callable[[str], np.ndarray] | None, str]:
    """A reader of test images, or why there is none: the analysis does not need them, its gallery does."""
    try:
        return material.reader(config), ""
    except (UserError, EnvironmentFault) as error:
        return None, f"Images are not shown: {error}"
