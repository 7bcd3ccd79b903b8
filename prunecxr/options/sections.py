"""Every option of a study: its section, type, range, default and help text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from prunecxr.errors import UserError
from prunecxr.options.registries import alternatives, names_in, one_of
from prunecxr.options.space import Domain, parse_space
from prunecxr.options.types import (
    MAX_SEED,
    NAME,
    Fractions,
    InputPath,
    InputPaths,
    LabelMap,
    MethodText,
    NameOrPath,
    Names,
    OutputPath,
    Pair,
    Real,
    Sparsities,
    Whole,
    parse_sparsities,
)

DATASETS = "prunecxr.data.datasets:DATASETS"
LOSSES = "prunecxr.learning.losses:LOSSES"
CRITERIA = "prunecxr.compression.criteria:CRITERIA"
SCOPES = "prunecxr.compression.scopes:SCOPES"
METHODS = f"{alternatives(names_in(CRITERIA))}, with @scope if not global ({alternatives(names_in(SCOPES)[1:])})"


class Section(BaseModel):
    """A group of options that one stage takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClassVar[str] = ""  # of the study, where this is the configuration of one

    def settled(self, given: Mapping[str, str], source: str) -> Self:  # noqa: ARG002
        """This configuration, checked for what no single option shows.

        Args:
            given: option name -> text, of the command line.
            source: what to call the recipe in messages.
        """
        return self

    def further_recipe(self) -> dict[str, Any]:
        """What a recipe file holds besides the options."""
        return {}

    def idle(self) -> dict[str, str]:
        """Options that have no effect beside the others, each with the reason."""
        return {
            name: reason for section in sections(type(self)) for name, reason in getattr(self, section).idle().items()
        }


Chosen = TypeVar("Chosen", bound=Section)


class DataOptions(Section):
    """Which images and labels."""

    dataset: Annotated[str, one_of(DATASETS)] = Field("phantom", description=alternatives(names_in(DATASETS)))
    dataset_name: str | None = Field(
        None, pattern=NAME, description="name in tags and models, for csv; default: the data set's"
    )
    images: InputPath | None = Field(None, description="folder that holds the images, at any depth")
    labels: InputPaths | None = Field(None, description="folder with the split tables, or three files: train,val,test")
    id_column: str | None = Field(None, description="column of the image id; default: recognised by its name")
    subject_column: str | None = Field(
        None, description="column of the patient id, or 'none' if every image is its own patient"
    )
    ignore_columns: Names = Field((), description="columns that are no labels")
    metadata: Names = Field(
        (),
        description="columns that describe the patient or the image and are no labels, to compare groups by; age, sex "
        "and view are recognised by their names",
    )
    metadata_table: InputPaths | None = Field(
        None, description="further tables with such columns, joined by image id, or by patient where they have none"
    )
    label_map: LabelMap = Field({}, description="what label values other than 0 and 1 mean, as in -1:0,blank:0")
    image_size: Whole = Field(256, ge=16, le=2048, description="side of the square the images are resized to, pixels")
    interpolation: Literal["bilinear", "bicubic", "box", "lanczos", "nearest"] = Field(
        "bilinear", description="how images are resized"
    )
    phantom_train: Whole = Field(1500, ge=50, le=200_000, description="phantom images to train on")
    phantom_val: Whole = Field(300, ge=50, le=200_000, description="phantom images to validate on")
    phantom_test: Whole = Field(500, ge=50, le=200_000, description="phantom images to test on")
    phantom_seed: Whole = Field(0, ge=0, le=MAX_SEED, description="seed of the phantom")


class TrainingOptions(Section):
    """How a seed's network is trained; defaults are paper A's recipe."""

    architecture: str = Field("resnet50", description="any torchvision.models classification architecture")
    weights: NameOrPath = Field(
        "imagenet", description="imagenet, none, a torchvision weight name, or a local weight file"
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="optimizer")
    learning_rate: Real = Field(1e-4, gt=0, le=10, description="learning rate (the highest one, under a schedule)")
    weight_decay: Real = Field(0.0, ge=0, le=10, description="weight decay")
    momentum: Real = Field(
        0.9, ge=0, lt=1, description="momentum of sgd, unless the schedule is one_cycle, which sets it"
    )
    schedule: Literal["constant", "cosine", "one_cycle"] = Field("constant", description="learning-rate schedule")
    loss: Annotated[str, one_of(LOSSES)] = Field(
        "bce",
        description=f"{alternatives(names_in(LOSSES))}; in weighted_bce, positives of a class weigh as much as its "
        "negatives",
    )
    batch_size: Whole = Field(256, ge=2, le=4096, description="images a training step")
    epochs: Whole = Field(60, ge=1, le=10_000, description="epochs at most")
    patience: Whole = Field(15, ge=1, le=10_000, description="epochs without improvement after which training stops")
    monitor: Literal["val_auc", "val_loss"] = Field("val_auc", description="what early stopping watches")
    flip: bool = Field(True, description="random horizontal flips")
    rotation: Real = Field(15.0, ge=0, le=180, description="random rotation up to this angle, degrees")

    def idle(self) -> dict[str, str]:
        """The momentum, where the optimizer has none or the schedule sets it."""
        return idle_momentum(self.optimizer, self.schedule)


def idle_momentum(optimizer: str, schedule: str) -> dict[str, str]:
    """The option `momentum` with the reason why it has no effect; empty if it has one."""
    if optimizer != "sgd":
        return {"momentum": f"optimizer {optimizer} has none, sgd has"}
    return {"momentum": "schedule one_cycle sets the momentum itself"} if schedule == "one_cycle" else {}


class CompressionOptions(Section):
    """How the dense model of a seed is pruned."""

    method: MethodText = Field("magnitude", description=METHODS)
    sparsities: Sparsities = Field(
        parse_sparsities("0:0.95:0.05"), description="range like 0:0.95:0.05 or list like 0,0.5,0.9"
    )
    register_sparsities: Fractions = Field(
        (0.9,), description="sparsities whose models are registered; the dense always is"
    )
    register_precision: Literal["fp32", "fp16"] = Field(
        "fp32", description="weights of registered pruned models: fp32, or fp16 (half the size; what AP loses is noted)"
    )


class AnalysisOptions(Section):
    """What is computed from a finished study."""

    definition: Literal["paper", "published", "both"] = Field(
        "both", description="FCD, frequency, IoU as in paper A's text, as its numbers were computed, or both"
    )
    pie_sparsity: Real = Field(0.9, gt=0, lt=1, description="sparsity of the pruned models in the search for PIEs")
    pie_fraction: Real = Field(0.05, gt=0, le=0.5, description="share of the test images that are called PIEs")
    specificity: Real = Field(
        0.9,
        gt=0,
        lt=1,
        description="specificity of the dense network on validation images at which its threshold is "
        "set, and kept for its pruned variants",
    )
    alpha: Real = Field(0.05, gt=0, lt=1, description="level below which a drop counts as significant")
    bootstrap: Whole = Field(2000, ge=100, le=100_000, description="resamples of patients behind an interval")
    null: Whole = Field(
        200, ge=0, le=10_000, description="simulated studies in which all classes are forgotten alike; 0: none"
    )
    reference_prevalence: Real = Field(
        0.05, gt=0, lt=1, description="prevalence at which AP is compared between classes (scale ap_ref)"
    )
    scale: Literal["ap_ref", "auroc", "separability", "ap", "ap_chance"] = Field(
        "ap_ref", description="scale on which a sparsity is called safe"
    )
    delta: Real = Field(0.10, gt=0, lt=1, description="largest relative loss that counts as safe")
    highlight: Pair = Field((), description="two classes to mark in the figures of pairs, as in Emphysema,Hernia")


class ExecutionOptions(Section):
    """Where and in which precision things are computed."""

    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto asks the hardware")
    channels_last: bool = Field(True, description="memory layout that convolutions prefer")
    eval_batch_size: Whole = Field(64, ge=1, le=4096, description="images an evaluation step")
    workers: Whole = Field(0, ge=0, le=256, description="threads that decode images; 0: one a core")
    workdir: OutputPath = Field(Path(".prunecxr"), description="folder of image caches, checkpoints and locks")
    engine: Literal["auto", "eager", "fused", "compiled", "graph"] = Field(
        "auto", description="how evaluation runs: eager, fused or compiled (CPU), graph (CUDA); auto takes what pays"
    )


class Searchable(Section):
    """The configuration of a study whose training options may be searched."""

    # Excluded: no option of a study, only what `tune` varies.
    search: dict[str, Domain] = Field({}, exclude=True)

    @field_validator("search", mode="plain")
    @classmethod
    def _parse_search(cls, value: Any) -> dict[str, Domain]:
        parts = sections(cls)
        elsewhere = {name for part in parts.values() for name in part.model_fields}
        return parse_space(value, parts["training"], elsewhere)

    def settled(self, given: Mapping[str, str], source: str) -> Self:  # noqa: ARG002
        """This configuration, with nothing idle to search."""
        for name, reason in self.idle().items():
            if name in self.search and not {"optimizer", "schedule"} & {*self.search}:
                raise UserError(f"{source}: search: option {name}: has no effect, since {reason}; leave it out")
        return self

    def further_recipe(self) -> dict[str, Any]:
        """The `search:` section, where there is one."""
        return {"search": {name: domain.written() for name, domain in self.search.items()}} if self.search else {}


def sections(model: type[Section]) -> dict[str, type[Section]]:
    """The sections of a configuration model by name."""
    return {
        name: field.annotation
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def options(model: type[Section]) -> dict[str, tuple[str | None, str]]:
    """Every option by its name, in order: its section (None at the top level) and its help text."""
    inner = sections(model)
    found: dict[str, tuple[str | None, str]] = {}
    for name, field in model.model_fields.items():
        if name not in inner and not field.exclude:
            found[name] = (None, field.description or "")
    for section, part in inner.items():
        for name, field in part.model_fields.items():
            found[name] = (section, field.description or "")
    return found
