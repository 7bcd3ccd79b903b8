"""The commands that work on every kind of study: whose run, recipe or study it is decides who carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prunecxr.options.declaration import load, load_model
from prunecxr.options.recipe import read_recipe
from prunecxr.studies.configure import configure_from_run
from prunecxr.studies.kinds import COMMANDS, KINDS
from prunecxr.tracking import names, query, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.registration import rebuild_and_register

# Kind of a study's run -> kind of study.
OF_STUDY = {"study": "pruning", "htl_study": "localization"}


def train(store: Store, config: Any, seed: int) -> None:
    """Train and register the network of one seed."""
    load(COMMANDS[config.kind]).train(store, config, seed)


def check_data(store: Store, config: Any) -> None:
    """Check a data set and build its cache."""
    load(COMMANDS[config.kind]).check_data(store, config)


def prune(store: Store, asked: Any, given: Mapping[str, str]) -> None:
    """Prune and evaluate the network of a seed run, or one that was trained elsewhere.

    Args:
        asked: options of the command: run or model, and what is said of a network from elsewhere.
        given: texts of the study's options.
    """
    run = runs.get(store, asked.run) if asked.run else None
    if run is not None and run.tags.get(names.KIND) == "htl_seed":
        config = configure_from_run(run, given, load_model(KINDS["localization"]))
        load(COMMANDS["localization"]).prune(store, config, run)
        return
    load("prunecxr.studies.pruning.audit").prune_network(store, asked, dict(given))


def analyze(store: Store, given: Mapping[str, str], population: str | None) -> None:
    """Analyse a study by name.

    Args:
        given: texts of its options.
        population: key of the population of a pruning study, or None for the newest.
    """
    name = _name(given)
    there = query.locate_study(store, name)
    study = _study(there, name)
    kind = OF_STUDY[study.tags[names.KIND]] if study else "pruning"
    config = configure_from_run(study, given, load_model(KINDS[kind]))
    load(COMMANDS[kind]).analyze(store, there, study, config, population)


def _name(given: Mapping[str, str]) -> str:
    """The name of the study, from the command line or the recipe."""
    if given["study"]:
        return given["study"]
    return str(read_recipe(Path(given["recipe"])).get("study", ""))


def _study(store: Store, name: str) -> TrackedRun | None:
    for kind in OF_STUDY:
        if run := runs.find(store, kind, {names.STUDY: name}):
            return run
    return None


def register(store: Store, run_id: str) -> None:
    """Register a variant and say how to load it."""
    link = rebuild_and_register(store, run_id)
    run = runs.get_existing(store, run_id)
    runs.claim_invocation(store, "register", run.tags[names.STUDY], None, run_id)
    print(f"model: {link}")
    print(f"    import mlflow; model = mlflow.pyfunc.load_model({link!r})")
