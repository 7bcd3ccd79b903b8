"""A classifier that was trained elsewhere -> a seed run, its variants, and a study that the analysis reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from prunecxr.data.held_out import open_held_out
from prunecxr.errors import UserError
from prunecxr.networks.checkpoints import read_state, without_prefix
from prunecxr.networks.foreign import restore_model, weights_digest
from prunecxr.options.recipe import build_config, read_recipe
from prunecxr.options.sections import TrainingOptions
from prunecxr.studies.configure import configure_from_run
from prunecxr.studies.pruning import keys, material
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.material import HeldOutMaterial
from prunecxr.studies.pruning.options import PruneOptions
from prunecxr.studies.pruning.study import open_study, prune, resolve_seed_run, say_data, sweep_and_say
from prunecxr.studies.pruning.task import PruningTask, check_names
from prunecxr.tracking import names, registry, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import digest
from prunecxr.work.once import Once, Step, has_network
from prunecxr.work.registration import register_network
from prunecxr.work.task import place
from prunecxr.work.training import Trained, log_circumstances, log_network

CHANCE = 0.55  # a dense mean AUROC below it: the network is most likely not evaluated as it was trained
# Options that do not bear on a network that is trained already.
NOT_LOGGED = ("seeds", *(name for name in TrainingOptions.model_fields if name != "architecture"))


@dataclass(frozen=True)
class ForeignNetwork:
    """A network that was trained elsewhere.

    Attributes:
        source: the file or URI that it came from.
        weights: digest of its tensors.
        seed: which seed of the study it counts as.
    """

    module: nn.Module
    source: str
    weights: str
    seed: int


def prune_network(store: Store, asked: PruneOptions, given: dict[str, str]) -> None:
    """Prune and evaluate the network that the options name: a seed run's own, or one that was trained elsewhere.

    Args:
        given: texts of the study's options.
    Raises:
        UserError: there is no such network, or an option that its seed run settles.
    """
    is_uri = asked.model.startswith(("models:", "runs:"))
    seed_run = resolve_seed_run(store, asked.run) if asked.run else own_seed_run(store, asked.model) if is_uri else None
    if seed_run is None:
        audit(store, configure_audit(given), asked.model, asked.seed or 0, asked.train_labels)
        return
    settled = {"architecture": given["architecture"], "seed": asked.seed, "train_labels": asked.train_labels}
    for name, value in settled.items():
        if value not in ("", None):
            raise UserError(f"option {name}: seed run {seed_run.id} knows it already; leave it out")
    prune(store, configure_from_run(seed_run, given, Config), seed_run)


def configure_audit(given: dict[str, str]) -> Config:
    """The options of an audit: flags over the recipe file, if there is one."""
    given = dict(given)
    recipe = given.pop("recipe", "")
    start = read_recipe(Path(recipe)) if recipe else {"study": "audit", "data": {"dataset": "csv"}}
    config = build_config(Config, start, given, f"recipe {Path(recipe).name}" if recipe else "defaults")
    training = TrainingOptions(architecture=config.training.architecture, weights="none")
    return config.model_copy(update={"training": training})


def own_seed_run(store: Store, uri: str) -> TrackedRun | None:
    """The seed run that a registered model came from; None if this tool did not make it."""
    run = runs.get(store, registry.run_of_model(store, uri))
    return resolve_seed_run(store, run.id) if run is not None and names.KIND in run.tags else None


def audit(store: Store, config: Config, source: str, seed: int, train_labels: Path | None = None) -> None:
    """Take in a network that was trained elsewhere, prune it and evaluate it; what is there is found.

    Args:
        config: as `configure_audit` makes it.
        source: a file with a state dict, or a `models:/` URI.
        seed: which seed of the study the network counts as.
        train_labels: label table of its training images, or their class counts, where `labels` is a test table alone.
    Raises:
        UserError: anything wrong with the options, the network or the data; no run has been made by then.
    """
    check_names(config)
    held_out = open_held_out(config.data, train_labels)
    network = _load(source, config, held_out.classes)
    data = material.prepare_held_out(config, held_out)
    say_data(data)
    print(f"network: {source}, {config.training.architecture}; the order of its {len(data.dataset.classes)} outputs is")
    print(f"    taken to be that of the label table's columns: {', '.join(data.dataset.classes)}")
    size = f"{config.data.image_size} x {config.data.image_size} pixels ({config.data.interpolation})"
    print(
        f"    taken to be trained on gray images of {size}, normalised with ImageNet's mean and deviation", flush=True
    )
    task = AuditTask(config, data)
    seed_run = _seed_run(store, config, task, ForeignNetwork(network, source, weights_digest(network), seed))
    sweep_and_say(store, task, Trained(seed_run, place(network, task.compute)))
    _say_dense(store, config, seed_run)


def _load(source: str, config: Config, classes: tuple[str, ...]) -> nn.Module:
    name = config.training.architecture
    if not source.startswith("models:/"):
        return restore_model(name, classes, read_state(Path(source).expanduser(), "model"), source)
    module = registry.load_foreign(source)
    network = restore_model(name, classes, without_prefix(module.state_dict()), source)
    _check_same_function(module, network, source, config)
    return network


def _check_same_function(module: nn.Module, network: nn.Module, source: str, config: Config) -> None:
    """Raise a UserError if a module is not what torchvision makes of its weights: tried on noise."""
    side = config.data.image_size
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(noise)
        try:
            given = module(noise)
        except Exception as error:  # noqa: BLE001 (it is somebody else's code)
            first = next(iter(str(error).strip().splitlines()), "")
            raise UserError(
                f"option model: {source} cannot take images of {side} pixels ({type(error).__name__}: {first[:200]}); "
                "give a file with its state dict"
            ) from None
    close = [torch.is_tensor(given) and given.shape == expected.shape]
    if all(close):  # a head that ends in a sigmoid gives what is evaluated in any case
        close = [torch.allclose(given.float(), one, rtol=1e-4, atol=1e-5) for one in (expected, expected.sigmoid())]
    if not any(close):
        raise UserError(
            f"option model: {source} computes something else than a {config.training.architecture} of torchvision with "
            "its weights; import its predictions instead (-e import_predictions)"
        )


class AuditTask(PruningTask):
    """The pruning and evaluation of networks that were trained elsewhere: as of classifiers that were trained here."""

    def __init__(self, config: Config, data: HeldOutMaterial) -> None:
        super().__init__(config, data, without=NOT_LOGGED)
        self._data = data

    def training_key(self) -> str:
        counts = digest({"counts": self._data.counts().to_csv(index=False)})
        images = f"{self.config.data.image_size} {self.config.data.interpolation}"
        return keys.audited_training_key(self.architecture, self._data.dataset.classes, counts, images)


def _seed_run(store: Store, config: Config, task: AuditTask, network: ForeignNetwork) -> TrackedRun:
    """The seed run of a network, logged and registered with it; the one there is, if it was taken in before."""
    training = task.training_key()
    key, once = keys.audited_seed_key(training, network.seed, network.weights), Once(store)

    def make(run: TrackedRun) -> None:
        log_circumstances(task, run, network.seed)
        run.log_new_params({"used/model": network.source})
        log_network(task, run, network.module)

    others = _others(store, config.study, training, key, network)
    seeds = tuple(sorted({*others, network.seed}))
    study = open_study(once, config.model_copy(update={"seeds": seeds}), origin=names.AUDITED)
    with once.claimed(study, "audit", f"study {config.study}"):
        _others(store, config.study, training, key, network)  # another process may have held the claim until now
        step = Step(
            kind="seed",
            identity={names.KEY: key, names.STUDY: config.study},
            name=names.seed_run_name(network.seed),
            make=make,
            parent=study.id,
            tags={
                **task.tags(),
                names.TRAINING: training,
                names.SEED: str(network.seed),
                names.ORIGIN: names.AUDITED,
                names.WEIGHTS: network.weights,
            },
            is_done=has_network,
            adopt=True,
        )
        run = once.do(step)
    register_network(run)
    return run


def _others(store: Store, study: str, training: str, key: str, network: ForeignNetwork) -> list[int]:
    """The other seeds of the population; raises a UserError if this network or its seed is among them."""
    alike = runs.search(store, {names.KIND: "seed", names.STUDY: study, names.TRAINING: training})
    others = [run for run in alike if run.tags[names.KEY] != key]
    for run in others:
        seed = int(run.tags[names.SEED])
        if seed == network.seed:
            raise UserError(
                f"option seed: study {study!r} holds another network as seed {seed} (run {run.id}); give this "
                "one another seed"
            )
        if run.tags.get(names.WEIGHTS) == network.weights:
            raise UserError(
                f"option model: {network.source} is seed {seed} of study {study!r} already; one network is one seed"
            )
    return [int(run.tags[names.SEED]) for run in others]


def _say_dense(store: Store, config: Config, seed_run: TrackedRun) -> None:
    """How good the network is before it is pruned: what is evaluated in another way than it was trained shows here."""
    dense = {
        names.PARENT: seed_run.id,
        names.METHOD: config.compression.method,
        names.SPARSITY: names.sparsity_text(0),
    }
    run = runs.search(store, {names.KIND: "variant", **dense}, finished=True, most=1)[0]
    auroc = run.metrics().get(names.MEAN_METRICS["auroc"])
    if auroc is None:
        print("dense network: mean AUROC undefined, no class has both positive and negative test images")
        return
    print(f"dense network: mean AUROC {auroc:.3f}, mean AP {run.metrics()['mean_ap']:.3f}")
    if auroc < CHANCE:
        print(
            "warning: the dense network is hardly better than chance; are the label table's columns in the order of "
            "its outputs, and are image_size, interpolation and normalisation those of its training?"
        )
