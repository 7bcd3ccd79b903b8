"""The commands of a pruning study: what is missing is made, what is there is found, and where to look is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from prunecxr.compression.methods import Method
from prunecxr.data.held_out import open_held_out
from prunecxr.errors import UserError
from prunecxr.studies.pruning import material
from prunecxr.studies.pruning.analysis.safe_sparsity import recommended
from prunecxr.studies.pruning.check import check_data as check_data
from prunecxr.studies.pruning.config import Config, highlighted_pair
from prunecxr.studies.pruning.task import PruningTask, check_names, check_same_training_data
from prunecxr.tracking import names, runs
from prunecxr.tracking.artifacts import read_table
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work import studies
from prunecxr.work.once import Once, ending
from prunecxr.work.registration import link_of, register_network
from prunecxr.work.studies import each_seed, mlflow_run
from prunecxr.work.sweep import Sweep, sweep_seed
from prunecxr.work.training import Trained, train_seed

if TYPE_CHECKING:
    from prunecxr.studies.pruning.findings import Outcome

KIND = "study"


def run_study(store: Store, config: Config) -> None:
    """A whole study: train each seed, prune and evaluate it at every sparsity, analyse, and say where to look."""
    check_names(config)
    data = material.prepare(config)
    highlighted_pair(config.analysis, data.dataset.classes, config.study)
    say_data(data)
    once, task = Once(store), PruningTask(config, data)
    study = open_study(once, config, adopt=True)
    task.go_on_with(store)
    with ending(study):
        study.resume()
        seeds = each_seed(config.seeds, lambda seed: _seed(once, task, study, seed))
        outcome = None
        if len(config.compression.sparsities) > 1:
            outcome = _analyse(once, study, task, seeds.warnings())
        study.log(tags={names.NOTE: note(config, outcome, tally(once))})
    runs.claim_invocation(store, "main", config.study, study.id, outcome.run.id if outcome else None)
    print(f"study {config.study}: {tally(once)}")
    studies.say_failed(store, seeds.failed, len(seeds.done))
    if outcome is None:
        print("no analysis: the study asks for sparsity 0 alone, and there is nothing to compare")
        return
    models = {level: link for sweep in seeds.done.values() for level, link in sweep.models.items()}
    say_where_to_look(store, outcome)
    say_recommended(store, outcome, models)


def _seed(once: Once, task: PruningTask, study: TrackedRun, seed: int) -> Sweep:
    trained = train_seed(once, task, study.id, seed)
    return sweep_seed(once, task, trained, plan_of(task.config))


def plan_of(config: Config) -> dict[Method, tuple[float, ...]]:
    """What each network is pruned to."""
    return {Method.parse(config.compression.method): config.compression.sparsities}


def tally(once: Once) -> str:
    """What a command made and what it found made."""
    made, found = once.made, once.found
    return (
        f"{made['seed']} seed(s) trained ({found['seed']} found), "
        f"{made['variant']} variant(s) evaluated ({found['variant']} found)"
    )


def _analyse(once: Once, study: TrackedRun, task: PruningTask, notes: list[str]) -> Outcome:
    # Here, since a training need not wait for the libraries of statistics and drawing.
    from prunecxr.studies.pruning import findings

    config = task.config
    wanted = findings.Wanted(
        config.study, config.compression.method, task.population_key(), config.seeds, config.compression.sparsities
    )
    pictures = findings.Pictures(material.reader_of(task.material.dataset.test.images, config))
    return findings.analyse_study(once, study, wanted, config.analysis, pictures, notes)


def train(store: Store, config: Config, seed: int) -> None:
    """The training of one seed."""
    check_names(config)
    data = material.prepare(config)
    say_data(data)
    once, task = Once(store), PruningTask(config, data)
    study = open_study(once, config)
    task.go_on_with(store)
    trained = train_seed(once, task, study.id, seed, adopt=True, again=True)
    run = trained.run
    runs.claim_invocation(store, "train", config.study, study.id, run.id)
    print(f"seed run {run.id}: seed {seed} {'trained' if once.made['seed'] else 'was trained before'}")
    print(f"model: {register_network(run)}")
    print(f"next: {mlflow_run(store, 'prune', run=run.id)}")


def prune(store: Store, config: Config, seed_run: TrackedRun) -> None:
    """The pruning and evaluation of the network of a seed run."""
    study = seed_run.tags[names.STUDY]
    if config.study != study:
        raise UserError(f"option study: seed run {seed_run.id} belongs to study {study!r}; its variants do, too")
    check_names(config)
    data: material.Evaluable
    if runs.origin_of(seed_run) == names.AUDITED:
        data = material.prepare_held_out(config, open_held_out(config.data))
    else:
        data = material.prepare(config)
        check_same_training_data(seed_run, data.fingerprints)
    say_data(data)
    sweep_and_say(store, PruningTask(config, data), Trained(seed_run))


def analyze(store: Store, there: Store, study: TrackedRun | None, config: Config, population: str | None) -> None:
    """The analysis of what the tracking server holds; see `prunecxr.studies.pruning.analyze`."""
    # Here, since a training need not wait for the libraries of statistics and drawing.
    from prunecxr.studies.pruning.analyze import analyze

    analyze(store, there, study, config, population)


def sweep_and_say(store: Store, task: PruningTask, trained: Trained) -> None:
    """Prune the network of a seed run, evaluate it, and say what came of it and what is next."""
    run = trained.run
    once = Once(store.in_experiment(run.store.experiment_id))
    sweep = sweep_seed(once, task, trained, plan_of(task.config))
    runs.claim_invocation(store, "prune", task.study, run.tags[names.PARENT], run.id)
    print(f"seed run {run.id}: {sweep.added} variant(s) evaluated, {len(sweep.runs) - sweep.added} found")
    for sparsity, link in sorted(sweep.models.items()):
        print(f"model at sparsity {sparsity:g}: {link}")
    print(f"next: {mlflow_run(store, 'analyze', study=task.study)}")


def open_study(once: Once, config: Config, *, adopt: bool = False, origin: str = names.TRAINED) -> TrackedRun:
    """The study's own run, parent of its seeds, with its description and the recipe asked for last.

    Args:
        origin: where its networks are from: `names.TRAINED`, `IMPORTED` or `AUDITED`.
    Raises:
        UserError: the study holds networks from elsewhere.
    """
    check_origin(once.store, config.study, origin)
    dataset = config.data.dataset_name or config.data.dataset
    tags = {names.NOTE: note(config), names.ORIGIN: origin, names.DATASET: dataset}
    return studies.open_study(once, KIND, config.study, config, tags, adopt=adopt)


HOLDS = {
    names.TRAINED: "networks that were trained here",
    names.IMPORTED: "imported predictions",
    names.AUDITED: "networks that were trained elsewhere",
}


def check_origin(store: Store, study: str, origin: str) -> None:
    """Raise a UserError if a study holds what is from elsewhere: its findings would mix what cannot be compared."""
    there = [runs.find(store, kind, {names.STUDY: study}) for kind in (KIND, "seed")]
    others = {other for run in there if run is not None and (other := runs.origin_of(run)) not in (None, origin)}
    for other in others:
        raise UserError(f"option study: {study!r} holds {HOLDS[other]}; give {HOLDS[origin]} a study of their own")


def say_data(data: material.Evaluable) -> None:
    """The images of each split that was made ready, the classes, and what was noticed."""
    counts = ", ".join(f"{len(getattr(data.dataset, name).table):,} {name}" for name in data.fingerprints)
    print(f"data set {data.dataset.name}: {counts} images, {len(data.dataset.classes)} classes", flush=True)
    for warning in data.dataset.warnings:
        print(f"warning: {warning}", flush=True)


def note(config: Config, outcome: Outcome | None = None, tally: str = "") -> str:
    """The description that the MLflow UI shows: markdown."""
    ks = config.compression.sparsities
    dataset = config.data.dataset_name or config.data.dataset
    lines = [
        f"# {config.study}",
        config.description,
        f"What does a {config.training.architecture} trained on {dataset} forget when it is pruned "
        f"({config.compression.method})? {len(config.seeds)} seed(s) x {len(ks)} sparsities "
        f"from {ks[0]:g} to {ks[-1]:g}.",
        "- seed runs below this one: training curves, and forgettability curves as `curve_ap/<class>` "
        "(step = 100 x sparsity)",
        "- variant runs below each seed run: AP, AUROC and F1 of each class, predictions",
    ]
    if outcome is not None:
        lines.append(f"- analysis run `{outcome.run.id}`: `report.html`, tables, figures")
    if tally:
        lines.append(f"Last command: {tally}.")
    return "\n\n".join(line for line in lines if line)


def say_where_to_look(store: Store, outcome: Outcome) -> None:
    """Where the report lies, how to open the runs as charts, and what is missing."""
    print(f"report: {store.artifact_location(outcome.run.id, names.REPORT)}")
    print(f"runs as charts: {store.ui_hint()}")
    if outcome.population.missing:
        print(f"warning: {len(outcome.population.missing)} variant(s) of the study are missing; the report lists them")


def say_recommended(store: Store, outcome: Outcome, models: Mapping[float, str]) -> None:
    """The sparsest network that is surely not worse than the dense one by the margin, and how to load it.

    Args:
        models: addresses of registered models by sparsity.
    """
    table = read_table(outcome.run, "tables/mean_change.csv")
    collapsed = [f"{100 * k:.6g}%" for k in table.loc[table["collapsed"].astype(bool), "sparsity"]]
    if collapsed:
        print(f"collapsed, so not to be used: {', '.join(collapsed)}")
    level = recommended(table)
    if level:
        row = table[np.isclose(table["sparsity"], level)].iloc[0]
        print(
            f"recommended: {100 * level:.6g}% sparsity, the highest at which the mean {row['scale']} surely loses less "
            f"than {100 * row['delta']:g}% (change {100 * row['change']:+.1f}%, lower bound {100 * row['low']:+.1f}%); "
            "class by class: tables/safe_sparsity.csv"
        )
    else:
        print("recommended: the dense network; of no sparsity is it shown that the mean loses less than the margin")
    variants = outcome.population.variants
    variant = variants[np.isclose(variants["sparsity"], level)].iloc[0]
    link = next((link for other, link in models.items() if np.isclose(other, level)), "")
    if not level:
        link = link_of(runs.get_existing(store, variant["seed_run"]))
    if link:
        print(f"model: {link}")
        print("    import mlflow; model = mlflow.pyfunc.load_model(" + repr(link) + ")")
        print("    probabilities = model.predict(images)  # images: uint8 array (n, height, width)")
    else:
        print(f"register it: {mlflow_run(store, 'register', run=variant['run_id'])}")


def resolve_seed_run(store: Store, run_id: str) -> TrackedRun:
    """The trained seed run of that id.

    Raises:
        UserError: there is no such run, or it is no trained seed run.
    """
    run = runs.get(store, run_id)
    if run is None:
        raise UserError(f"option run: no run {run_id!r} in {store}; give the id of a seed run")
    kind = run.tags.get(names.KIND, "")
    if kind == "variant":
        raise UserError(f"option run: {run_id} is a variant; give its seed run, {run.tags[names.PARENT]}")
    if kind != "seed":
        raise UserError(f"option run: {run_id} is no seed run but a {kind or 'foreign'} one; give the id of a seed run")
    if runs.origin_of(run) == names.IMPORTED:
        raise UserError(f"option run: seed run {run_id} holds imported predictions; there is no network to prune")
    if names.MODEL not in run.tags:
        if runs.origin_of(run) == names.AUDITED:
            raise UserError(f"option run: seed run {run_id} has no network yet; repeat -e prune -P model=...")
        raise UserError(f"option run: the training of seed run {run_id} has not finished; continue it with -e train")
    return run
