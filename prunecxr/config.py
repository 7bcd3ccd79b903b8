"""Every option of a study: its section, type, range, default and help text.

The models below are the one source of the recipes' keys, the command-line flags, the MLproject parameters and the
logged `cfg/...` params. Values arrive as YAML (recipes) or as text (flags); an empty text means 'not given'.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Protocol, TypeVar, overload

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from prunecxr.errors import UserError
from prunecxr.search.space import Domain, parse_space

MAX_SEED = 2**31 - 1
NAME = r"^[A-Za-z0-9][\w .-]{0,99}$"


def parse_seeds(value: Any) -> tuple[int, ...]:
    """Seeds from `0-29`, `0,3,7`, a mix of both, a list, or a count (`3` means 0, 1, 2; `3,` means seed 3)."""
    if isinstance(value, bool) or not isinstance(value, (int, str, list, tuple)):
        raise ValueError("expected a count, a range like 0-29 or a list like 0,3,7")
    if isinstance(value, int) or (isinstance(value, str) and value.strip().isdigit()):
        count = int(value)
        if not 1 <= count <= 10_000:
            raise ValueError("a count of seeds must lie between 1 and 10000")
        return tuple(range(count))
    parts = value.removesuffix(",").split(",") if isinstance(value, str) else [str(part) for part in value]
    seeds: list[int] = []
    for part in (part.strip() for part in parts):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match:
            raise ValueError(f"{part!r} is neither a seed nor a range like 0-29")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last <= MAX_SEED:
            raise ValueError(f"{part!r} is not a rising range of seeds up to {MAX_SEED}")
        if last - first >= 10_000:
            raise ValueError(f"{part!r} names more than 10000 seeds")
        seeds.extend(range(first, last + 1))
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError("seeds must be named at least one, each once")
    return tuple(sorted(seeds))


def parse_sparsities(value: Any) -> tuple[float, ...]:
    """Sparsities from `0:0.95:0.05` (first, last, step; both ends count), `0,0.5,0.9`, or a list.

    The dense model (0) is always among them: every relative change refers to it.
    """
    if isinstance(value, str) and ":" in value:
        numbers = [_fraction(part) for part in value.split(":")]
        if len(numbers) != 3 or numbers[2] <= 0 or numbers[1] < numbers[0]:
            raise ValueError("a range of sparsities is first:last:step, as in 0:0.95:0.05")
        first, last, step = numbers
        count = int((last - first) / step + 1e-6) + 1
        if count > 1000:
            raise ValueError("a range may hold at most 1000 sparsities")
        sparsities = [round(first + i * step, 6) for i in range(count)]
    else:
        sparsities = list(parse_fractions(value))
    return tuple(sorted({0.0, *sparsities}))


def parse_fractions(value: Any) -> tuple[float, ...]:
    """Fractions in [0, 1) from `0.5,0.9`, a number or a list; sorted, each once."""
    if isinstance(value, str):
        value = value.split(",")
    elif isinstance(value, (int, float)):
        value = [value]
    elif not isinstance(value, (list, tuple)):
        raise ValueError("expected numbers, as in 0.5,0.9")
    return tuple(sorted({_fraction(part) for part in value}))


def _fraction(value: Any) -> float:
    try:
        fraction = round(float(value), 6)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a number") from None
    if not 0 <= fraction < 1:
        raise ValueError(f"{value} is not a fraction from 0 to below 1")
    return fraction


def _parse_names(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_pair(names: tuple[str, ...]) -> tuple[str, ...]:
    if names and (len(names) != 2 or names[0] == names[1]):
        raise ValueError("expected two different classes, as in Emphysema,Hernia")
    return names


def _parse_label_map(value: Any) -> Any:
    """A mapping from `-1:0,blank:0`; a YAML mapping may have numbers and null as keys."""
    if isinstance(value, str):
        pairs = [part.rpartition(":") for part in value.split(",") if part.strip()]
        if any(not colon for _, colon, _ in pairs):
            raise ValueError("expected pairs like -1:0,blank:0")
        value = {key.strip(): target.strip() for key, _, target in pairs}
    if isinstance(value, dict):
        if {str(key) for key in value} & {"0", "1"}:
            raise ValueError("0 and 1 mean themselves; map other values, as in -1:0,blank:0")
        return {("blank" if key in (None, "") else str(key)): target for key, target in value.items()}
    return value


Seeds = Annotated[tuple[int, ...], BeforeValidator(parse_seeds)]
Sparsities = Annotated[tuple[float, ...], BeforeValidator(parse_sparsities)]
Fractions = Annotated[tuple[float, ...], BeforeValidator(parse_fractions)]
Names = Annotated[tuple[str, ...], BeforeValidator(_parse_names)]
Pair = Annotated[Names, AfterValidator(_check_pair)]
LabelMap = Annotated[dict[str, Annotated[int, Field(ge=0, le=1)]], BeforeValidator(_parse_label_map)]


class Section(BaseModel):
    """A group of options that one stage takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Chosen = TypeVar("Chosen", bound=Section)


class DataOptions(Section):
    """Which images and labels."""

    dataset: str = Field("phantom", description="phantom, nih-cxr-lt, mimic-cxr-lt or csv")
    dataset_name: str | None = Field(
        None, pattern=NAME, description="name in tags and models, for csv; default: the data set's"
    )
    images: Path | None = Field(None, description="folder that holds the images, at any depth")
    labels: str | None = Field(None, description="folder with the split tables, or three files: train,val,test")
    id_column: str | None = Field(None, description="column of the image id; default: recognised by its name")
    subject_column: str | None = Field(
        None, description="column of the patient id, or 'none' if every image is its own patient"
    )
    ignore_columns: Names = Field((), description="columns that are no labels")
    label_map: LabelMap = Field({}, description="what label values other than 0 and 1 mean, as in -1:0,blank:0")
    image_size: int = Field(256, ge=16, le=2048, description="side of the square the images are resized to, pixels")
    interpolation: Literal["bilinear", "bicubic", "box", "lanczos", "nearest"] = Field(
        "bilinear", description="how images are resized"
    )
    phantom_train: int = Field(1500, ge=50, le=200_000, description="phantom images to train on")
    phantom_val: int = Field(300, ge=50, le=200_000, description="phantom images to validate on")
    phantom_test: int = Field(500, ge=50, le=200_000, description="phantom images to test on")
    phantom_seed: int = Field(0, ge=0, le=MAX_SEED, description="seed of the phantom")


class TrainingOptions(Section):
    """How a seed's network is trained; defaults are paper A's recipe."""

    architecture: str = Field("resnet50", description="any torchvision.models classification architecture")
    weights: str = Field("imagenet", description="imagenet, none, a torchvision weight name, or a local weight file")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="optimizer")
    learning_rate: float = Field(1e-4, gt=0, le=10, description="learning rate (the highest one, under a schedule)")
    weight_decay: float = Field(0.0, ge=0, le=10, description="weight decay")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum, for sgd")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field("constant", description="learning-rate schedule")
    loss: Literal["bce", "weighted_bce", "focal"] = Field(
        "bce", description="bce, weighted_bce (positives of a class weigh as much as its negatives) or focal"
    )
    batch_size: int = Field(256, ge=2, le=4096, description="images a training step")
    epochs: int = Field(60, ge=1, le=10_000, description="epochs at most")
    patience: int = Field(15, ge=1, le=10_000, description="epochs without improvement after which training stops")
    monitor: Literal["val_auc", "val_loss"] = Field("val_auc", description="what early stopping watches")
    flip: bool = Field(True, description="random horizontal flips")
    rotation: float = Field(15.0, ge=0, le=180, description="random rotation up to this angle, degrees")


class CompressionOptions(Section):
    """How the dense model of a seed is pruned."""

    method: str = Field(
        "magnitude", description="criterion, with scope if not global: random, magnitude@layer, magnitude@channel"
    )
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
    pie_sparsity: float = Field(0.9, gt=0, lt=1, description="sparsity of the pruned models in the search for PIEs")
    pie_fraction: float = Field(0.05, gt=0, le=0.5, description="share of the test images that are called PIEs")
    alpha: float = Field(0.05, gt=0, lt=1, description="level below which a drop counts as significant")
    bootstrap: int = Field(2000, ge=100, le=100_000, description="resamples of patients behind an interval")
    highlight: Pair = Field((), description="two classes to mark in the figures of pairs, as in Emphysema,Hernia")


class ExecutionOptions(Section):
    """Where and in which precision things are computed."""

    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto asks the hardware")
    channels_last: bool = Field(True, description="memory layout that convolutions prefer")
    eval_batch_size: int = Field(64, ge=1, le=4096, description="images an evaluation step")
    workers: int = Field(0, ge=0, le=256, description="threads that decode images; 0: one a core")
    workdir: Path = Field(Path(".prunecxr"), description="folder of image caches, checkpoints and locks")


class SweepExecutionOptions(ExecutionOptions):
    """Where and in which precision things are computed."""

    engine: Literal["auto", "eager", "fused", "compiled", "graph"] = Field(
        "auto", description="how evaluation runs: eager, fused or compiled (CPU), graph (CUDA); auto takes what pays"
    )


def _parse_search(value: Any) -> dict[str, Domain]:
    elsewhere = {name for part in sections().values() for name in part.model_fields}
    return parse_space(value, TrainingOptions, elsewhere)


class Executed(Protocol):
    """A configuration that says where and in which precision things are computed: every kind of study's."""

    @property
    def execution(self) -> ExecutionOptions: ...


class Config(Section):
    """A whole study."""

    study: str = Field("study", pattern=NAME, description="name: letters, digits, _ - . and space")
    description: str = Field("", description="what the study is for; shown in the MLflow UI")
    seeds: Seeds = Field(parse_seeds(30), description="0-29, 0,3,7 or a count")
    data: DataOptions = DataOptions()
    training: TrainingOptions = TrainingOptions()
    compression: CompressionOptions = CompressionOptions()
    analysis: AnalysisOptions = AnalysisOptions()
    execution: SweepExecutionOptions = SweepExecutionOptions()
    # Excluded: no option of a study, only what `tune` varies.
    search: Annotated[dict[str, Domain], PlainValidator(_parse_search)] = Field({}, exclude=True)


def sections(model: type[Section] = Config) -> dict[str, type[Section]]:
    """The sections of a configuration model by name."""
    return {
        name: field.annotation
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def options(model: type[Section] = Config) -> dict[str, tuple[str | None, str]]:
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


def options_page() -> str:
    """docs/options.md: every option with its section, default and meaning (a test compares the two)."""
    from prunecxr.localization.config import HtlConfig  # it builds on this module

    lines = [
        "# Options",
        "",
        "Each is a flag of the entry points (`--epochs=5`), a parameter of `mlflow run` (`-P epochs=5`), a key of the",
        "recipe files under its section, and a logged param (`cfg/epochs`). Flags override the recipe, the recipe the",
        "defaults. Those of a pruning study come first, those of a localization study (`htl`) after them.",
        *_page_of(Config),
        "",
        "# Options of `htl`",
        *_page_of(HtlConfig),
    ]
    return "\n".join(lines) + "\n"


def _page_of(model: type[Section]) -> list[str]:
    lines: list[str] = []
    inner = sections(model)
    for section, part in {"": model, **inner}.items():
        fields = {name: field for name, field in part.model_fields.items() if name not in inner and not field.exclude}
        title = f"## `{section}:` {(part.__doc__ or '').splitlines()[0]}" if section else "## Top level"
        lines += ["", title, "", "| option | default | meaning |", "|---|---|---|"]
        for name, field in fields.items():
            default = _text(field.default)
            lines.append(f"| `{name}` | {f'`{_shortened(default)}`' if default else ''} | {field.description} |")
    return lines


def _shortened(values: str) -> str:
    parts = values.split(",")
    return values if len(parts) <= 4 else f"{parts[0]},{parts[1]},...,{parts[-1]}"


def read_recipe(path: Path) -> dict[str, Any]:
    """The content of a recipe file: a mapping of sections and top-level options, not yet validated."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = sorted(str(other) for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        hint = f"; there are {', '.join(known)}" if known else ""
        raise UserError(f"recipe {path}: no such file{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"recipe {path}: cannot be read ({error})") from None
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"recipe {path}{where}: is not valid YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(content, dict):
        raise UserError(f"recipe {path}: must be a mapping of options, like the files in recipes/")
    return content


@overload
def build_config(recipe: dict[str, Any], given: dict[str, str], source: str = "recipe") -> Config: ...
@overload
def build_config(recipe: dict[str, Any], given: dict[str, str], source: str, model: type[Chosen]) -> Chosen: ...
def build_config(
    recipe: dict[str, Any], given: dict[str, str], source: str = "recipe", model: type[Section] = Config
) -> Section:
    """A validated configuration: the recipe's values, overridden by those given on the command line.

    Args:
        recipe: nested content of a recipe file.
        given: option name -> text, as on the command line; empty texts are ignored.
        source: what to call the recipe in messages.
        model: of the configuration.
    Raises:
        UserError: an unknown, mistyped or out-of-range option, named with its place.
    """
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in recipe.items()}
    known = options(model)
    for name, text in given.items():
        if text == "":
            continue
        section = known[name][0]
        target = merged if section is None else merged.setdefault(section, {})
        if not isinstance(target, dict):
            raise UserError(f"{source}: section {section} must hold options, one a line")
        target[name] = text
    try:
        config = model.model_validate({key: value for key, value in merged.items() if value is not None})
    except ValidationError as error:
        raise UserError(_explain(error, given, source, model)) from None
    return _registering(config, given, source) if isinstance(config, Config) else config


def _registering(config: Config, given: dict[str, str], source: str) -> Config:
    """The configuration with only those models to register that the study makes.

    Sparsities on the command line may leave out some that a recipe, or the default, would register: those are just
    not registered.
    """
    chosen = config.compression
    extra = [k for k in chosen.register_sparsities if k not in chosen.sparsities]
    asked = given.get("register_sparsities") or not given.get("sparsities")
    if extra and asked and "register_sparsities" in chosen.model_fields_set:
        where = "" if given.get("register_sparsities") else f"{source}: "
        raise UserError(f"{where}option register_sparsities: {extra[0]:g} is not among the sparsities of the study")
    kept = tuple(k for k in chosen.register_sparsities if k in chosen.sparsities)
    return config.model_copy(update={"compression": chosen.model_copy(update={"register_sparsities": kept})})


def _explain(error: ValidationError, given: dict[str, str], source: str, model: type[Section]) -> str:
    """The first validation failure as one line that names the option and what it admits."""
    known, inner = options(model), sections(model)
    failure = error.errors()[0]
    path = [str(part) for part in failure["loc"]]
    names = [part for part in path if part in known or part in inner]
    if failure["type"] == "extra_forbidden":
        section = known.get(path[-1], (None, ""))[0]
        if section is not None and path[0] != section:
            return f"{source}: option {path[-1]} belongs under {section}:"
        return f"{source}: unknown option {'.'.join(path)}{suggest(path[-1], [*known, *inner])}"
    message = failure["msg"].removeprefix("Value error, ")
    if path[:1] == ["search"]:
        return f"{source}: search: {message}"
    if not path:
        return f"{source}: {message}"
    name = names[-1] if names else path[-1]
    where = f"option {name}" if given.get(name) else f"{source}: option {'.'.join(path)}"
    value = failure["input"]
    shown = "" if isinstance(value, dict) else f" {str(value)[:80]!r}"
    message = message[:1].lower() + message[1:]
    return f"{where}:{shown} is not valid: {message} ({known.get(name, (None, name))[1]})"


def suggest(name: str, known: Sequence[str]) -> str:
    """A ' (did you mean ...?)' or an empty text."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def parse_arguments(
    description: str | None,
    own: dict[str, str],
    argv: Sequence[str] | None = None,
    *,
    config_options: bool = True,
    leave_out: Sequence[str] = (),
    model: type[Section] = Config,
) -> dict[str, str]:
    """Read a command line whose options are texts; options that were not given come back empty.

    Args:
        description: what the command does, for --help.
        own: options of this entry point alone, name -> help text.
        argv: the arguments; default those of the process.
        config_options: whether the options of the configuration are admitted, too.
        leave_out: those of them that are not.
        model: of the configuration.
    Raises:
        UserError: an option that does not exist (with the closest that does), or one without its value.
    """
    parser = _Parser(description=description, allow_abbrev=False)
    known = dict(own)
    if config_options:
        known |= {name: text for name, (_, text) in options(model).items() if name not in {*own, *leave_out}}
    for name, text in known.items():
        parser.add_argument(f"--{name}", default="", metavar="VALUE", help=text.replace("%", "%%"))
    arguments, unknown = parser.parse_known_args(_joined(sys.argv[1:] if argv is None else argv))
    if unknown:
        name = unknown[0].lstrip("-").partition("=")[0]
        raise UserError(f"unknown option {name}{suggest(name, list(known))}; --help lists the options")
    return {name: str(getattr(arguments, name)).strip() for name in known}


def _joined(argv: Sequence[str]) -> list[str]:
    """`--name value` as `--name=value`: argparse would take a value like `-1:0` for an option."""
    joined: list[str] = []
    for token in argv:
        if joined and re.fullmatch(r"--\w+", joined[-1]) and not token.startswith("--"):
            joined[-1] += f"={token}"
        else:
            joined.append(token)
    return joined


def flatten(config: Section) -> dict[str, str]:
    """Every option as text, by its flat name: what is logged as params."""
    return {name: _text(value) for name, value in _leaves(config)}


def _leaves(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, field in type(model).model_fields.items():
        if field.exclude:
            continue
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value)
        else:
            yield name, value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(_text(part) for part in value)
    if isinstance(value, dict):
        return ",".join(f"{key}:{target}" for key, target in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def to_recipe(config: Section) -> str:
    """The configuration as a recipe file that reads back as itself."""
    content = config.model_dump(mode="json")
    if isinstance(config, Config) and config.search:
        content["search"] = {name: domain.written() for name, domain in config.search.items()}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
