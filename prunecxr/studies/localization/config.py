"""Every option of a localization study (paper B): the same kind of model as `prunecxr.config`, with the same flags.

Defaults are the recipe of Jaiswal et al., *Attend Who is Weak*; the data default to the lesion phantom.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from prunecxr.options.registries import alternatives, names_in, one_of
from prunecxr.options.sections import METHODS, ExecutionOptions, Searchable, Section, idle_momentum
from prunecxr.options.types import (
    MAX_SEED,
    NAME,
    Fractions,
    InputPath,
    MethodText,
    Names,
    Real,
    Seeds,
    Whole,
    parse_names,
)

LESION_DATASETS = "prunecxr.studies.localization.lesions.catalogue:LESION_DATASETS"
SETTINGS = ("supervised", "semi", "weak")
ARMS = "prunecxr.studies.localization.arms:ARMS"
BASELINES = names_in(ARMS)


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
    tuple[Annotated[Whole, Field(ge=1, le=10_000)], ...], BeforeValidator(parse_numbers), AfterValidator(_rising)
]
Features = Annotated[tuple[Annotated[Whole, Field(ge=1, le=4096)], ...], BeforeValidator(parse_numbers)]
Baselines = Annotated[Names, AfterValidator(_known_baselines)]
Methods = Annotated[tuple[MethodText, ...], BeforeValidator(parse_names), AfterValidator(_some_methods)]


class HtlDataOptions(Section):
    """Which images, lesion masks and patients."""

    dataset: Annotated[str, one_of(LESION_DATASETS)] = Field(
        "phantom", description=alternatives(names_in(LESION_DATASETS))
    )
    dataset_name: str | None = Field(
        None, pattern=NAME, description="name in tags and models, for csv; default: the data set's"
    )
    images: InputPath | None = Field(
        None, description="folder of the challenge's files, or of the images, at any depth"
    )
    table: InputPath | None = Field(
        None, description="csv: table with the columns id, image, mask, age, sex, diagnosis, split (see the docs)"
    )
    unlabelled: InputPath | None = Field(None, description="semi: folder of further images, without masks")
    evaluate_on: InputPath | None = Field(
        None, description="folder of ISIC-2017 files whose test images are evaluated, for images without masks"
    )
    unlabelled_fraction: Real = Field(
        0.0, ge=0, lt=1, description="semi: share of the training images whose masks are put aside"
    )
    val_fraction: Real = Field(0.1, gt=0, lt=1, description="share for validation, where the data are not split")
    test_fraction: Real = Field(0.2, gt=0, lt=1, description="share for testing, where the data are not split")
    split_seed: Whole = Field(0, ge=0, le=MAX_SEED, description="seed of these draws")
    image_size: Whole = Field(256, ge=32, le=1024, description="side of the square that images are resized to, pixels")
    phantom_train: Whole = Field(600, ge=20, le=200_000, description="phantom images to train on")
    phantom_val: Whole = Field(100, ge=10, le=200_000, description="phantom images to validate on")
    phantom_test: Whole = Field(300, ge=10, le=200_000, description="phantom images to test on")
    phantom_unlabelled: Whole = Field(300, ge=10, le=200_000, description="phantom images without masks, for semi")
    phantom_seed: Whole = Field(0, ge=0, le=MAX_SEED, description="seed of the phantom")


class HtlTrainingOptions(Section):
    """How a seed's U-Net is trained; defaults are paper B's recipe (section 3)."""

    features: Features = Field(
        (32, 32, 64, 128, 256, 32),
        min_length=6,
        max_length=6,
        description="channels of the U-Net: five levels, and the last feature map",
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("sgd", description="optimizer")
    learning_rate: Real = Field(0.1, gt=0, le=10, description="learning rate at the start")
    weight_decay: Real = Field(2e-4, ge=0, le=10, description="weight decay")
    momentum: Real = Field(
        0.9, ge=0, lt=1, description="momentum of sgd, unless the schedule is one_cycle, which sets it"
    )
    schedule: Literal["step", "constant", "cosine", "one_cycle"] = Field(
        "step", description="learning-rate schedule; step divides by 10 at the milestones"
    )
    milestones: Rising = Field((20, 50, 80), description="epochs after which the learning rate is divided by 10")
    batch_size: Whole = Field(64, ge=2, le=4096, description="images a training step")
    epochs: Whole = Field(100, ge=1, le=10_000, description="epochs")
    focal_gamma: Real = Field(2.0, ge=0, le=10, description="exponent of the focal loss (baseline 3)")
    flip: bool = Field(True, description="random flips, horizontal and vertical")
    rotation: Real = Field(180.0, ge=0, le=180, description="random rotation up to this angle, degrees")

    def idle(self) -> dict[str, str]:
        """The momentum and the milestones, where optimizer and schedule do not use them."""
        other = f"schedule {self.schedule} has none, step has"
        milestones = {} if self.schedule == "step" else {"milestones": other, "finetune_milestones": other}
        return idle_momentum(self.optimizer, self.schedule) | milestones


class FinetuningOptions(Section):
    """How the trained network attends to the hard images; defaults are paper B's recipe (section 3)."""

    finetune_epochs: Whole = Field(20, ge=1, le=10_000, description="epochs of fine-tuning")
    finetune_learning_rate: Real = Field(0.01, gt=0, le=10, description="learning rate of fine-tuning at the start")
    finetune_milestones: Rising = Field((15,), description="epochs after which that rate is divided by 10")
    class_weighted: bool = Field(
        False,
        description="weight classes by inverse frequency in fine-tuning (equation 3), which the plain network is "
        "trained without",
    )
    threshold: Literal["validation", "argmax"] = Field(
        "argmax",
        description="what an arm marks: probabilities above one half (argmax), or above the arm's own threshold of "
        "highest foreground IoU on the validation images",
    )
    baselines: Baselines = Field(
        BASELINES,
        description=f"arms that fine-tuning on HTLs is compared with: {', '.join(BASELINES)} (focal, random, class, "
        "sex: the paper's baselines 3 to 6)",
    )
    htl_repeats: Whole = Field(2, ge=1, le=100, description="all_htl: how many times more each HTL stands among all")


class MiningOptions(Section):
    """Which images are hard to learn (HTLs)."""

    setting: Literal["supervised", "semi", "weak"] = Field("supervised", description="supervised, semi or weak")
    method: MethodText = Field("magnitude", description=f"pruning method: {METHODS}")
    prune_fraction: Real = Field(0.7, gt=0, lt=1, description="share of the weights that is pruned to find HTLs")
    htl_rule: Literal["relative", "absolute", "top"] = Field(
        "relative",
        description="what tau means: a drop relative to the dense network's IoU, a drop of IoU, or a share of images",
    )
    tau: Real = Field(0.4, gt=0, le=1, description="threshold of the rule: larger drops make an HTL")


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
    alpha: Real = Field(0.05, gt=0, lt=1, description="level below which a difference counts as significant")
    bootstrap: Whole = Field(2000, ge=100, le=100_000, description="resamples behind an interval")


class HtlConfig(Searchable):
    """A whole localization study."""

    kind: ClassVar[str] = "localization"

    study: str = Field("htl", pattern=NAME, description="name: letters, digits, _ - . and space")
    description: str = Field("", description="what the study is for; shown in the MLflow UI")
    seeds: Seeds = Field((10, 20, 30), description="0-29, 0,3,7 or a count")
    data: HtlDataOptions = HtlDataOptions()
    training: HtlTrainingOptions = HtlTrainingOptions()
    finetuning: FinetuningOptions = FinetuningOptions()
    mining: MiningOptions = MiningOptions()
    analysis: HtlAnalysisOptions = HtlAnalysisOptions()
    execution: ExecutionOptions = ExecutionOptions()

    def idle(self) -> dict[str, str]:
        """What has no effect within a section, and the threshold where networks put out no probability of a pixel."""
        boxes = {"threshold": "setting weak marks the insides of boxes"} if self.mining.setting == "weak" else {}
        return super().idle() | boxes
