"""The commands of a localization study (paper B): its steps alone, all of them in order, and where to look."""

from __future__ import annotations

from prunecxr.errors import UserError
from prunecxr.studies.localization import findings
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.localization.findings import HtlOutcome
from prunecxr.studies.localization.material import LesionMaterial, prepare
from prunecxr.studies.localization.results import find_seeds
from prunecxr.studies.localization.seed import attend, study_seed
from prunecxr.studies.localization.seed import prune as prune_seed
from prunecxr.studies.localization.task import LocalizationTask, check, say_data
from prunecxr.studies.localization.variants import HTL
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work import studies
from prunecxr.work.once import Once, ending
from prunecxr.work.registration import register_network
from prunecxr.work.studies import each_seed, mlflow_run
from prunecxr.work.training import Trained, train_seed

KIND = "htl_study"


def run_htl(store: Store, config: HtlConfig) -> None:
    """A whole study: train each seed, prune it, find its HTLs, fine-tune, evaluate, compare; say where to look."""
    task = _ready(config)
    once = Once(store)
    study = open_study(once, config, task.material, adopt=True)
    with ending(study):
        study.resume()
        trained = each_seed(config.seeds, lambda seed: train_seed(once, task, study.id, seed))
        # Only now, as one of the arms compares the plain networks of two seeds.
        seeds = each_seed(tuple(trained.done), lambda seed: study_seed(once, task, trained.done[seed]))
        seeds.failed |= trained.failed
        outcome = findings.analyse(once, config, study, seeds.warnings())
        study.log(tags={names.NOTE: _note(config, task.material.dataset.name, outcome)})
    runs.claim_invocation(store, "htl", config.study, study.id, outcome.run.id)
    print(f"study {config.study}: {_tally(once)}")
    studies.say_failed(store, seeds.failed, len(seeds.done))
    say_where_to_look(store, config, outcome)


def train(store: Store, config: HtlConfig, seed: int) -> None:
    """The training of one seed's plain network."""
    task, once = _ready(config), Once(store)
    study = open_study(once, config, task.material)
    run = train_seed(once, task, study.id, seed, adopt=True, again=True).run
    runs.claim_invocation(store, "train", config.study, study.id, run.id)
    print(f"seed run {run.id}: seed {seed} {'trained' if once.made['htl_seed'] else 'was trained before'}")
    print(f"model: {register_network(run)}")
    print(f"next: {mlflow_run(store, 'prune', run=run.id)}")


def prune(store: Store, config: HtlConfig, seed_run: TrackedRun) -> None:
    """The pruning of one seed's network, its HTLs, and the networks that are fine-tuned on them."""
    task = _ready(config)
    if task.seed_key(int(seed_run.tags[names.SEED])) != seed_run.tags[names.KEY]:
        raise UserError(
            f"option run: seed run {seed_run.id} was trained with other options, data or precision; leave these out, "
            "or train anew"
        )
    once, trained = Once(store.in_experiment(seed_run.store.experiment_id)), Trained(seed_run)
    attend(once, task, trained, prune_seed(once, task, trained))
    runs.claim_invocation(store, "prune", config.study, seed_run.tags[names.PARENT], seed_run.id)
    print(f"seed run {seed_run.id}: {_tally(once)}")
    print(f"next: {mlflow_run(store, 'analyze', study=config.study)}")


def analyze(store: Store, there: Store, study: TrackedRun, config: HtlConfig, population: str | None = None) -> None:
    """The analysis of what the tracking server holds.

    Args:
        there: the store, working in the experiment that holds the study.
        study: its run.
        population: no localization study has one.
    """
    if population:
        raise UserError(f"option population: {config.study!r} is a localization study, which has none; leave it out")
    outcome = findings.analyse(Once(there), config, study, adopt=True)
    runs.claim_invocation(store, "analyze", config.study, study.id if there is store else None, outcome.run.id)
    print(f"analysis run {outcome.run.id}{'' if outcome.added else ' (found: same runs, options and code)'}")
    say_where_to_look(there, config, outcome)


def check_data(store: Store, config: HtlConfig) -> None:
    """Check a data set and build its cache: every fault of the images and masks shows here, before any training."""
    material = _ready(config).material
    runs.claim_invocation(store, "data", config.study, None, None)
    for split, fingerprint in material.fingerprints.items():
        table = material.table(split)
        print(
            f"{split}: {len(table):,} images of {table['subject'].nunique():,} patients or lesions, {fingerprint[:16]}"
        )


def _ready(config: HtlConfig) -> LocalizationTask:
    """The task with its images made ready; what they are is said."""
    check(config)
    material = prepare(config)
    say_data(material)
    return LocalizationTask(config, material)


def open_study(once: Once, config: HtlConfig, material: LesionMaterial, *, adopt: bool = False) -> TrackedRun:
    """The study's own run, parent of its seeds, with its description, setting and recipe as asked for last."""
    name = material.dataset.name
    tags = {names.NOTE: _note(config, name), names.DATASET: name, names.SETTING: config.mining.setting}
    return studies.open_study(once, KIND, config.study, config, tags, adopt=adopt)


def _tally(once: Once) -> str:
    kinds = ("htl_seed", "htl_pruned", "htl_mining", "htl_network")
    made, found = (sum(counter[kind] for kind in kinds) for counter in (once.made, once.found))
    return f"{made} network(s) and searches made, {found} found"


def _note(config: HtlConfig, dataset: str, outcome: HtlOutcome | None = None) -> str:
    """The description that the MLflow UI shows: markdown."""
    mining = config.mining
    lines = [
        f"# {config.study}",
        config.description,
        f"Hard-to-learn images (HTLs) of {dataset}, {mining.setting} setting: found by pruning "
        f"{mining.prune_fraction:.0%} of the weights of a U-Net ({mining.method}), then fine-tuned on. "
        f"{len(config.seeds)} seed(s).",
        "- seed runs below this one: training curves of the plain network, and its curves by sparsity "
        "(`curve_iou/foreground`, step = 100 x sparsity)",
        "- below each: pruned networks (`htl_pruned`), tables of HTLs and a gallery (`htl_mining`), networks "
        "fine-tuned on HTLs and for comparison (`htl_network`)",
    ]
    if outcome is not None:
        lines.append(f"- analysis run `{outcome.run.id}`: `report.html`, tables, figures")
    return "\n\n".join(line for line in lines if line)


def say_where_to_look(store: Store, config: HtlConfig, outcome: HtlOutcome) -> None:
    """What was found, where the report lies, how to open the runs and how to load a network."""
    for line in outcome.headlines:
        print(line)
    print(f"report: {store.artifact_location(outcome.run.id, names.REPORT)}")
    print(f"runs as charts: {store.ui_hint()}")
    tuned = [seed.networks[HTL] for seed in find_seeds(store, config) if HTL in seed.networks]
    if tuned:
        model = register_network(tuned[-1])
        print(f"network fine-tuned on HTLs: {model}")
        print("    import mlflow; model = mlflow.pyfunc.load_model(" + repr(model) + ")")
        print("    masks = model.predict(images)  # images: uint8 array (n, height, width, 3)")
    for warning in outcome.warnings:
        print(f"warning: {warning}")
