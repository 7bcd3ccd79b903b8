"""Every option of a localization study (paper B): the same kind of model as `prunecxr.config`, with the same flags.

Defaults are the recipe of Jaiswal et al., *Attend Who is Weak*; the data default to the lesion phantom.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from prunecxr.options.sections import ExecutionOptions, Section
from prunecxr.options.types import MAX_SEED, NAME, Fractions, MethodText, Names, Seeds, parse_names

SETTINGS = ("supervised", "semi", "weak")
BASELINES = ("focal", "random", "class", "sex")


def parse_numbers(value: Any) -> Any:
    """Whole numbers from `20,50,80`, a number or a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


def _rising(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if list(numbers) != sorted(set(numbers)):
        raise ValueError("expected rising numbers, each once, as in 20,50,80")
    return numbers


def _known_baselines(chosen: tuple[str, ...]) -> tuple[str, ...]:
    for name in chosen:
        if name not in BASELINES:
            raise ValueError(f"unknown baseline {name!r}; there are {', '.join(BASELINES)}")
    return tuple(name for name in BASELINES if name in chosen)


def _some_methods(chosen: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(chosen)) < len(chosen):
        raise ValueError("expected methods, each once, as in magnitude,magnitude@channel,random")
    return chosen


Rising = Annotated[
    tuple[Annotated[int, Field(ge=1, le=10_000)], ...], BeforeValidator(parse_numbers), AfterValidator(_rising)
]
Features = Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], BeforeValidator(parse_numbers)]
Baselines = Annotated[Names, AfterValidator(_known_baselines)]
Methods = Annotated[tuple[MethodText, ...], BeforeValidator(parse_names), AfterValidator(_some_methods)]


class HtlDataOptions(Section):
    """Which images, lesion masks and patients."""

    dataset: str = Field("phantom", description="phantom, isic2017, isic2018 or csv")
    dataset_name: str | None = Field(
        None, pattern=NAME, description="name in tags and models, for csv; default: the data set's"
    )
    images: Path | None = Field(None, description="folder of the challenge's files, or of the images, at any depth")
    table: Path | None = Field(
        None, description="csv: table with the columns id, image, mask, age, sex, diagnosis, split (see the docs)"
    )
    unlabelled: Path | None = Field(None, description="semi: folder of further images, without masks")
    evaluate_on: Path | None = Field(
        None, description="folder of ISIC-2017 files whose test images are evaluated, for images without masks"
    )
    unlabelled_fraction: float = Field(
        0.0, ge=0, lt=1, description="semi: share of the training images whose masks are put aside"
    )
    val_fraction: float = Field(0.1, gt=0, lt=1, description="share for validation, where the data are not split")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="share for testing, where the data are not split")
    split_seed: int = Field(0, ge=0, le=MAX_SEED, description="seed of these draws")
    image_size: int = Field(256, ge=32, le=1024, description="side of the square that images are resized to, pixels")
    phantom_train: int = Field(600, ge=20, le=200_000, description="phantom images to train on")
    phantom_val: int = Field(100, ge=10, le=200_000, description="phantom images to validate on")
    phantom_test: int = Field(300, ge=10, le=200_000, description="phantom images to test on")
    phantom_unlabelled: int = Field(300, ge=10, le=200_000, description="phantom images without masks, for semi")
    phantom_seed: int = Field(0, ge=0, le=MAX_SEED, description="seed of the phantom")


class HtlTrainingOptions(Section):
    """How a seed's U-Net is trained; defaults are paper B's recipe (section 3)."""

    features: Features = Field(
        (32, 32, 64, 128, 256, 32),
        min_length=6,
        max_length=6,
        description="channels of the U-Net: five levels, and the last feature map",
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("sgd", description="optimizer")
    learning_rate: float = Field(0.1, gt=0, le=10, description="learning rate at the start")
    weight_decay: float = Field(2e-4, ge=0, le=10, description="weight decay")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum, for sgd")
    schedule: Literal["step", "constant", "cosine", "one_cycle"] = Field(
        "step", description="learning-rate schedule; step divides by 10 at the milestones"
    )
    milestones: Rising = Field((20, 50, 80), description="epochs after which the learning rate is divided by 10")
    batch_size: int = Field(64, ge=2, le=4096, description="images a training step")
    epochs: int = Field(100, ge=1, le=10_000, description="epochs")
    focal_gamma: float = Field(2.0, ge=0, le=10, description="exponent of the focal loss (baseline 3)")
    flip: bool = Field(True, description="random flips, horizontal and vertical")
    rotation: float = Field(180.0, ge=0, le=180, description="random rotation up to this angle, degrees")


class FinetuningOptions(Section):
    """How the trained network attends to the hard images; defaults are paper B's recipe (section 3)."""

    finetune_epochs: int = Field(20, ge=1, le=10_000, description="epochs of fine-tuning")
    finetune_learning_rate: float = Field(0.01, gt=0, le=10, description="learning rate of fine-tuning at the start")
    finetune_milestones: Rising = Field((15,), description="epochs after which that rate is divided by 10")
    class_weighted: bool = Field(True, description="weight classes by inverse frequency in fine-tuning (equation 3)")
    baselines: Baselines = Field(
        BASELINES, description="focal (3), random (4), class (5), sex (6): what fine-tuning on HTLs is compared with"
    )


class MiningOptions(Section):
    """Which images are hard to learn (HTLs)."""

    setting: Literal["supervised", "semi", "weak"] = Field("supervised", description="supervised, semi or weak")
    method: MethodText = Field("magnitude", description="pruning method: criterion, with scope if not global")
    prune_fraction: float = Field(0.7, gt=0, lt=1, description="share of the weights that is pruned to find HTLs")
    htl_rule: Literal["relative", "absolute", "top"] = Field(
        "relative",
        description="what tau means: a drop relative to the dense network's IoU, a drop of IoU, or a share of images",
    )
    tau: float = Field(0.4, gt=0, le=1, description="threshold of the rule: larger drops make an HTL")


class HtlAnalysisOptions(Section):
    """What is computed from a finished study."""

    effect_fractions: Fractions = Field(
        (0.25, 0.5, 0.75, 0.99), description="pruned shares of the table of effects on training images (table 1)"
    )
    ablation_fractions: Fractions = Field(
        (0.2, 0.7, 0.95), description="pruned shares of the comparison of pruning methods (table 3)"
    )
    ablation_methods: Methods = Field(
        ("random", "magnitude", "magnitude@channel"), description="pruning methods that are compared (table 3)"
    )
    ablation_finetuning: bool = Field(
        True, description="also fine-tune on the HTLs that each of these methods finds (figure 7)"
    )
    age_edges: Rising = Field((30, 40, 50, 60, 70), description="upper ends of the age groups, years")
    alpha: float = Field(0.05, gt=0, lt=1, description="level below which a difference counts as significant")
    bootstrap: int = Field(2000, ge=100, le=100_000, description="resamples behind an interval")


class HtlConfig(Section):
    """A whole localization study."""

    study: str = Field("htl", pattern=NAME, description="name: letters, digits, _ - . and space")
    description: str = Field("", description="what the study is for; shown in the MLflow UI")
    seeds: Seeds = Field((10, 20, 30), description="0-29, 0,3,7 or a count")
    data: HtlDataOptions = HtlDataOptions()
    training: HtlTrainingOptions = HtlTrainingOptions()
    finetuning: FinetuningOptions = FinetuningOptions()
    mining: MiningOptions = MiningOptions()
    analysis: HtlAnalysisOptions = HtlAnalysisOptions()
    execution: ExecutionOptions = ExecutionOptions()
