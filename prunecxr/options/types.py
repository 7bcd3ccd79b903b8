"""Types of options: how their texts are read. Values arrive as YAML (recipes) or as text (flags)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.fields import FieldInfo

from prunecxr.compression.methods import canonical_method
from prunecxr.options.paths import expanded

MAX_SEED = 2**31 - 1


NAME = r"^[A-Za-z0-9][\w .-]{0,99}$"


def _whole(value: Any) -> Any:
    """Leave only what is written as a whole number: not `yes`, `3.0` or digits of other scripts."""
    fits = re.fullmatch(r"[-+]?[0-9]+", value.strip()) if isinstance(value, str) else isinstance(value, int)
    if isinstance(value, (str, bool, float)) and (not fits or isinstance(value, bool)):
        raise ValueError("input should be a valid integer, written in the digits 0 to 9")
    return value


def _real(value: Any) -> Any:
    """Leave only what is written as a finite number."""
    if isinstance(value, bool) or (isinstance(value, str) and not value.isascii()):
        raise ValueError("input should be a valid number, written in the digits 0 to 9")
    return value


def parse_seed(value: Any) -> Any:
    """One seed."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,10}", value.strip()):
        raise ValueError(f"give one seed, a whole number of 0 to {MAX_SEED}")
    return _whole(value)


def parse_seeds(value: Any) -> tuple[int, ...]:
    """Seeds from `0-29`, `0,3,7`, a mix of both, a list, or a count (`3` means 0, 1, 2; `3,` means seed 3)."""
    if isinstance(value, bool) or not isinstance(value, (int, str, list, tuple)):
        raise ValueError("expected a count, a range like 0-29 or a list like 0,3,7")
    if isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value.strip())):
        count = int(value)
        if not 1 <= count <= 10_000:
            raise ValueError("a count of seeds must lie between 1 and 10000")
        return tuple(range(count))
    parts = value.removesuffix(",").split(",") if isinstance(value, str) else [str(part) for part in value]
    seeds: list[int] = []
    for part in (part.strip() for part in parts):
        match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", part)
        if not match:
            raise ValueError(f"{part[:80]!r} is neither a seed up to {MAX_SEED} nor a range like 0-29")
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
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        value = [value]
    elif not isinstance(value, (list, tuple)):
        raise ValueError("expected numbers, as in 0.5,0.9")
    return tuple(sorted({_fraction(part) for part in value}))


def _fraction(value: Any) -> float:
    try:
        fraction = round(float(_real(value)), 6)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{str(value)[:80]!r} is not a number") from None
    if not 0 <= fraction < 1:
        raise ValueError(f"{str(value)[:80]} is not a fraction from 0 to below 1")
    return fraction


def parse_names(value: Any) -> Any:
    """Names from `a,b` or a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_pair(names: tuple[str, ...]) -> tuple[str, ...]:
    if names and (len(names) != 2 or names[0] == names[1]):
        raise ValueError("expected two different classes, as in Emphysema,Hernia")
    return names


def _parse_label_map(value: Any) -> Any:
    """A mapping from `-1:0,blank:0`; a YAML mapping may have numbers and null as keys."""
    if isinstance(value, str):
        parts = [part.rpartition(":") for part in value.split(",") if part.strip()]
        if any(not colon for _, colon, _ in parts):
            raise ValueError("expected pairs like -1:0,blank:0")
        pairs: list[tuple[Any, Any]] = [(key.strip(), target.strip()) for key, _, target in parts]
    elif isinstance(value, dict):
        pairs = list(value.items())
    else:
        return value
    meanings: dict[str, Any] = {}
    values: set[float | str] = set()
    for key, target in pairs:
        if isinstance(key, bool):
            raise ValueError(f"{str(key).lower()} as a label must stand in quotes")
        text = "blank" if key in (None, "") else str(key)
        value = _number(text)
        if value in (0, 1):
            raise ValueError("0 and 1 mean themselves; map other values, as in -1:0,blank:0")
        if value in values:
            raise ValueError(f"{text[:80]!r} is there twice")
        meanings[text] = target
        values.add(value)
    return meanings


def _number(text: str) -> float | str:
    """What a label means as a number, however it is spelled; else the text."""
    try:
        number = float(text)
    except ValueError:
        return text
    return text if math.isnan(number) else number


@dataclass(frozen=True)
class Place:
    """That an option names files or folders: what is made of a relative one of the command line.

    Attributes:
        made: it need not exist: it is made, in the folder that the user called from.
        many: several may be named, separated by commas.
        otherwise: what names no file there means something else.
    """

    made: bool = False
    many: bool = False
    otherwise: bool = False


def details_of(field: FieldInfo) -> list[Any]:
    """What a field's type carries besides the type: bounds, validators, places; those of `Some | None`, too."""
    details, waiting = list(field.metadata), [field.annotation]
    while waiting:
        part = waiting.pop()
        details += getattr(part, "__metadata__", ())
        waiting += get_args(part)
    return [inner for detail in details for inner in (detail.metadata if isinstance(detail, FieldInfo) else [detail])]


def _path(value: Any) -> Any:
    return expanded(value) if isinstance(value, (str, Path)) else value


def _name_or_path(value: Any) -> Any:
    return str(expanded(value)) if isinstance(value, str) and value.startswith("~") else value


def _paths(value: Any) -> Any:
    return ",".join(str(expanded(part.strip())) for part in value.split(",")) if isinstance(value, str) else value


Whole = Annotated[int, BeforeValidator(_whole)]


Real = Annotated[float, BeforeValidator(_real), Field(allow_inf_nan=False)]


Seed = Annotated[int, BeforeValidator(parse_seed), Field(ge=0, le=MAX_SEED)]


InputPath = Annotated[Path, BeforeValidator(_path), Place()]  # a file or folder that is there


OutputPath = Annotated[Path, BeforeValidator(_path), Place(made=True)]  # a folder that is made


InputPaths = Annotated[str, BeforeValidator(_paths), Place(many=True)]  # one or several, separated by commas


NameOrPath = Annotated[str, BeforeValidator(_name_or_path), Place(otherwise=True)]  # a file, or some other name


Seeds = Annotated[tuple[int, ...], BeforeValidator(parse_seeds)]


Sparsities = Annotated[tuple[float, ...], BeforeValidator(parse_sparsities)]


Fractions = Annotated[tuple[float, ...], BeforeValidator(parse_fractions)]


Names = Annotated[tuple[str, ...], BeforeValidator(parse_names)]


MethodText = Annotated[str, AfterValidator(canonical_method)]


Pair = Annotated[Names, AfterValidator(_check_pair)]


LabelMap = Annotated[dict[str, Annotated[Whole, Field(ge=0, le=1)]], BeforeValidator(_parse_label_map)]
