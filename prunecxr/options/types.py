"""Types of options: how their texts are read. Values arrive as YAML (recipes) or as text (flags)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from prunecxr.compression.methods import canonical_method

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


Names = Annotated[tuple[str, ...], BeforeValidator(parse_names)]


MethodText = Annotated[str, AfterValidator(canonical_method)]


Pair = Annotated[Names, AfterValidator(_check_pair)]


LabelMap = Annotated[dict[str, Annotated[int, Field(ge=0, le=1)]], BeforeValidator(_parse_label_map)]
