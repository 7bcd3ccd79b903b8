"""Many seeds, then findings: what is missing is made, what is there is found, and the user is told where to look."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prunecxr.data.held_out import open_held_out
from prunecxr.errors import UserError
from prunecxr.options.recipe import flatten, to_recipe
from prunecxr.studies.pruning import material, population, registration
from prunecxr.studies.pruning.config import Config, highlighted_pair
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import digest

if TYPE_CHECKING:
    from prunecxr.studies.pruning.findings import Outcome


@dataclass
class Tally:
    """What a command made and what it found made."""

    trained: int = 0
    trained_before: int = 0
    evaluated: int = 0
    evaluated_before: int = 0

    def __str__(self) -> str:
        return (
            f"{self.trained} seed(s) trained ({self.trained_before} found), "
            f"{self.evaluated} variant(s) evaluated ({self.evaluated_before} found)"
        )


def run_study(store: Store, config: Config) -> None:
    """A whole study: train each seed, prune and evaluate it at every sparsity, analyse, and say where to look."""
    population.check_names(config)
    data = material.prepare(config)
    highlighted_pair(config.analysis, data.dataset.classes, config.study)
    say_data(data)
    study = open_study(store, config, adopt=True)
    tally = Tally()
    models: dict[float, str] = {}
    with runs.ending(study):
        study.resume()
        for number, seed in enumerate(config.seeds, 1):
            print(f"seed {seed} ({number} of {len(config.seeds)})", flush=True)
            seed_run, trained = population.train_seed(store, config, data, study.id, seed)
            sweep = population.sweep_seed(store, config, data, seed_run)
            tally.trained += trained
            tally.trained_before += not trained
            tally.evaluated += sweep.added
            tally.evaluated_before += sweep.found
            models |= sweep.models
        outcome = _analyse(study, config, data) if len(config.compression.sparsities) > 1 else None
        study.log(tags={names.NOTE: _note(config, outcome, tally)})
    runs.claim_invocation(store, "main", config.study, study.id, outcome.run.id if outcome else None)
    print(f"study {config.study}: {tally}")
    if outcome is None:
        print("no analysis: the study asks for sparsity 0 alone, and there is nothing to compare")
    else:
        say_where_to_look(store, outcome, models[max(models)] if models else "")


def _analyse(study: TrackedRun, config: Config, data: material.Material) -> Outcome:
    # Here, since a training need not wait for the libraries of statistics and drawing.
    from prunecxr.studies.pruning import findings
    from prunecxr.studies.pruning.charts import log_curves

    outcome = findings.analyse_study(
        study.store,
        config.study,
        config.compression.method,
        config.analysis,
        population_key=population.population_key(config, data, population.compute_of(config)),
        seeds=config.seeds,
        sparsities=config.compression.sparsities,
        read_image=material.reader(config),
    )
    log_curves(study, outcome.population)
    return outcome


def train(store: Store, config: Config, seed: int) -> None:
    """The training of one seed."""
    population.check_names(config)
    data = material.prepare(config)
    say_data(data)
    study = open_study(store, config)
    seed_run, trained = population.train_seed(store, config, data, study.id, seed, adopt=True)
    runs.claim_invocation(store, "train", config.study, study.id, seed_run.id)
    print(f"seed run {seed_run.id}: seed {seed} {'trained' if trained else 'was trained before'}")
    print(f"model: {registration.link_of_dense(seed_run)}")
    print(f"next: {mlflow_run(store, 'prune', run=seed_run.id)}")


def prune(store: Store, config: Config, seed_run: TrackedRun) -> None:
    """The pruning and evaluation of the network of a seed run."""
    own = seed_run.tags[names.STUDY]
    if config.study != own:
        raise UserError(f"option study: seed run {seed_run.id} belongs to study {own!r}; its variants do, too")
    population.check_names(config)
    data: material.Evaluable
    if runs.origin_of(seed_run) == names.AUDITED:
        data = material.prepare_held_out(config, open_held_out(config.data))
    else:
        data = material.prepare(config)
        population.check_same_training_data(seed_run, data)
    say_data(data)
    sweep_and_say(store, config, data, seed_run)


def sweep_and_say(store: Store, config: Config, data: material.Evaluable, seed_run: TrackedRun) -> None:
    """Prune the network of a seed run, evaluate it, and say what came of it and what is next."""
    sweep = population.sweep_seed(store.in_experiment(seed_run.store.experiment_id), config, data, seed_run)
    runs.claim_invocation(store, "prune", config.study, seed_run.tags[names.PARENT], seed_run.id)
    print(f"seed run {seed_run.id}: {sweep.added} variant(s) evaluated, {sweep.found} found")
    for sparsity, link in sorted(sweep.models.items()):
        print(f"model at sparsity {sparsity:g}: {link}")
    print(f"next: {mlflow_run(store, 'analyze', study=config.study)}")


def open_study(store: Store, config: Config, adopt: bool = False, origin: str = names.TRAINED) -> TrackedRun:
    """The study's own run, parent of its seeds, with its description and the recipe asked for last.

    Args:
        origin: where its networks are from: `names.TRAINED`, `IMPORTED` or `AUDITED`.
    Raises:
        UserError: the study holds networks from elsewhere.
    """
    check_origin(store, config.study, origin)
    with population.working_on(config, f"study-{digest({'study': config.study})}"):
        study = runs.find_or_create(
            store,
            "study",
            {names.STUDY: config.study},
            name=config.study,
            tags={names.NOTE: _note(config), names.ORIGIN: origin},
            adopt=adopt,
        )
        if names.DATASET not in study.tags:
            study.log(
                params={f"cfg/{name}": text for name, text in flatten(config).items()},
                tags={names.DATASET: config.data.dataset_name or config.data.dataset},
            )
            study.finish()
    with study.files() as folder:
        (folder / names.RECIPE).write_text(to_recipe(config), encoding="utf-8")
    return study


HOLDS = {
    names.TRAINED: "networks that were trained here",
    names.IMPORTED: "imported predictions",
    names.AUDITED: "networks that were trained elsewhere",
}


def check_origin(store: Store, study: str, origin: str) -> None:
    """Raise a UserError if a study holds what is from elsewhere: its findings would mix what cannot be compared."""
    found = [runs.find(store, "study", {names.STUDY: study}), runs.find(store, "seed", {names.STUDY: study})]
    others = {other for run in found if run is not None and (other := runs.origin_of(run)) not in (None, origin)}
    for other in others:
        raise UserError(f"option study: {study!r} holds {HOLDS[other]}; give {HOLDS[origin]} a study of their own")


def say_data(data: material.Evaluable) -> None:
    """The images of each split that was made ready, the classes, and what was noticed."""
    counts = ", ".join(f"{len(getattr(data.dataset, name).table):,} {name}" for name in data.fingerprints)
    print(f"data set {data.dataset.name}: {counts} images, {len(data.dataset.classes)} classes", flush=True)
    for warning in data.dataset.warnings:
        print(f"warning: {warning}", flush=True)


def _note(config: Config, outcome: Outcome | None = None, tally: Tally | None = None) -> str:
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
    if tally is not None:
        lines.append(f"Last command: {tally}.")
    return "\n\n".join(line for line in lines if line)


def say_where_to_look(store: Store, outcome: Outcome, model: str) -> None:
    """Where the report lies, how to open the runs as charts, how to load a pruned model."""
    print(f"report: {store.artifact_location(outcome.run.id, names.REPORT)}")
    print(f"runs as charts: {store.ui_hint()}")
    if model:
        print(f"pruned model: {model}")
        print("    import mlflow; model = mlflow.pyfunc.load_model(" + repr(model) + ")")
        print("    probabilities = model.predict(images)  # images: uint8 array (n, height, width)")
    if outcome.population.missing:
        print(f"warning: {len(outcome.population.missing)} variant(s) of the study are missing; the report lists them")


def mlflow_run(store: Store, entry: str, **parameters: str) -> str:
    """The command line of the next step."""
    given = " ".join(f"-P {name}={shlex.quote(value)}" for name, value in parameters.items())
    experiment = shlex.quote(store.experiment_name)
    return f"mlflow run . --env-manager local --experiment-name {experiment} -e {entry} {given}"


def resolve_seed_run(store: Store, run_id: str) -> TrackedRun:
    """The trained seed run of that id.

    Raises:
        UserError: there is no such run, or it is no trained seed run.
    """
    run = runs.get(store, run_id)
    if run is None:
        raise UserError(f"option run: no run {run_id!r} in {store.uri}; give the id of a seed run")
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
