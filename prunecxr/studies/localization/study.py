"""A localization study (paper B): many seeds, then findings; the user is told where to look."""

from __future__ import annotations

from prunecxr.compression.methods import Method
from prunecxr.errors import UserError
from prunecxr.options.recipe import flatten, to_recipe
from prunecxr.studies.localization import findings as htl_findings
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.localization.findings import HtlOutcome
from prunecxr.studies.localization.fitting import register_network
from prunecxr.studies.localization.material import LesionMaterial, prepare
from prunecxr.studies.localization.results import SeedRuns
from prunecxr.studies.localization.seed import study_seed
from prunecxr.studies.localization.settings import localizer
from prunecxr.studies.localization.work import Work
from prunecxr.studies.pruning.population import compute_of, working_on
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import digest

LEVELS = 4  # times that a U-Net halves its image


def run_htl(store: Store, config: HtlConfig) -> None:
    """A whole study: train each seed, prune it, find its HTLs, fine-tune, evaluate, compare; say where to look."""
    check(config)
    material = prepare(config)
    _say_data(material)
    study = open_study(store, config, material)
    compute, made, found = compute_of(config), 0, 0
    seeds: list[SeedRuns] = []
    with runs.ending(study):
        study.resume()
        for number, seed in enumerate(config.seeds, 1):
            print(f"seed {seed} ({number} of {len(config.seeds)})", flush=True)
            how = localizer(config.mining.setting, len(material.classes))
            work = Work(store, config, material, compute, how, seed)
            seeds.append(study_seed(work, study.id))
            made, found = made + work.made, found + work.found
        outcome = htl_findings.analyse(store, config, seeds, material.dataset.warnings, material.dataset.name, study.id)
        study.log(tags={names.NOTE: _note(config, material, outcome)})
    runs.claim_invocation(store, "htl", config.study, study.id, outcome.run.id)
    print(f"study {config.study}: {made} network(s) and searches made, {found} found")
    say_where_to_look(store, config, seeds, outcome)


def check(config: HtlConfig) -> None:
    """Check methods, device and size before any work is done.

    Raises:
        UserError: a pruning method that does not exist, or a size that no U-Net takes.
        EnvironmentFault: a device that this machine does not have.
    """
    for method in (config.mining.method, *config.analysis.ablation_methods):
        Method.parse(method)
    size, least = config.data.image_size, 2**LEVELS
    if size % least:
        raise UserError(f"option image_size: a U-Net halves its image {LEVELS} times; {size} is no multiple of {least}")


def open_study(store: Store, config: HtlConfig, material: LesionMaterial) -> TrackedRun:
    """The study's own run, parent of its seeds, with its description and the recipe asked for last."""
    with working_on(config, f"study-{digest({'htl_study': config.study})}"):
        study = runs.find_or_create(
            store,
            "htl_study",
            {names.STUDY: config.study},
            name=config.study,
            tags={names.NOTE: _note(config, material)},
            adopt=True,
        )
        if names.DATASET not in study.tags:
            study.log(
                params={f"cfg/{name}": text for name, text in flatten(config).items()},
                tags={names.DATASET: material.dataset.name, names.SETTING: config.mining.setting},
            )
    with study.files() as folder:
        (folder / names.RECIPE).write_text(to_recipe(config), encoding="utf-8")
    return study


def _say_data(material: LesionMaterial) -> None:
    counts = ", ".join(
        f"{len(pixels):,} {name}{'' if pixels.masks is not None else ' (no masks)'}"
        for name, pixels in material.pixels.items()
    )
    print(f"data set {material.dataset.name}: {counts} images", flush=True)
    for warning in material.dataset.warnings:
        print(f"warning: {warning}", flush=True)


def _note(config: HtlConfig, material: LesionMaterial, outcome: HtlOutcome | None = None) -> str:
    """The description that the MLflow UI shows: markdown."""
    mining = config.mining
    lines = [
        f"# {config.study}",
        config.description,
        f"Hard-to-learn images (HTLs) of {material.dataset.name}, {mining.setting} setting: found by pruning "
        f"{mining.prune_fraction:.0%} of the weights of a U-Net ({mining.method}), then fine-tuned on. "
        f"{len(config.seeds)} seed(s).",
        "- seed runs below this one: training curves of the plain network",
        "- below each: pruned networks (`htl_pruned`), tables of HTLs and a gallery (`htl_mining`), networks "
        "fine-tuned on HTLs and for comparison (`htl_network`)",
    ]
    if outcome is not None:
        lines.append(f"- analysis run `{outcome.run.id}`: `report.html`, tables, figures")
    return "\n\n".join(line for line in lines if line)


def say_where_to_look(store: Store, config: HtlConfig, seeds: list[SeedRuns], outcome: HtlOutcome) -> None:
    """What was found, where the report lies, how to open the runs and how to load a network."""
    for line in outcome.headlines:
        print(line)
    print(f"report: {store.artifact_location(outcome.run.id, names.REPORT)}")
    print(f"runs as charts: {store.ui_hint()}")
    tuned = [one.networks["htl"] for one in seeds if "htl" in one.networks]
    model = register_network(tuned[-1], config.study, "htl") if tuned else ""
    if model:
        print(f"network fine-tuned on HTLs: {model}")
        print("    import mlflow; model = mlflow.pyfunc.load_model(" + repr(model) + ")")
        print("    masks = model.predict(images)  # images: uint8 array (n, height, width, 3)")
    for warning in outcome.warnings:
        print(f"warning: {warning}")
