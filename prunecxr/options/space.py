"""The `search:` section of a recipe: which training options a search varies, and over which values."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

KEYS = ("low", "high", "log", "step")
MAX_STEPS = 1_000_000


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; on a log scale, or in steps."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return False
        return self.step is None or _is_whole((value - self.low) / self.step)

    def written(self) -> dict[str, Any]:
        """As in a recipe file."""
        found: dict[str, Any] = {"low": self.low, "high": self.high}
        return found | ({"log": True} if self.log else {}) | ({"step": self.step} if self.step is not None else {})


@dataclass(frozen=True)
class Choices:
    """Values of which one is taken."""

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def written(self) -> list[Any]:
        """As in a recipe file."""
        return list(self.values)


Domain = Range | Choices


def parse_space(value: Any, options: type[BaseModel], elsewhere: Collection[str]) -> dict[str, Domain]:
    """The domains of the searched options by name.

    Args:
        value: content of the section: option -> {low, high, log, step} or a list of choices.
        options: the model whose fields can be searched.
        elsewhere: options that exist, but cannot.
    Raises:
        ValueError: an unknown option, an empty range, a value that the option does not admit; named.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError("expected an option a line, each with a range {low, high} or a list of choices")
    return {str(name): _domain(str(name), entry, options, elsewhere) for name, entry in value.items()}


def _domain(name: str, entry: Any, options: type[BaseModel], elsewhere: Collection[str]) -> Domain:
    if name not in options.model_fields:
        if name in elsewhere:
            raise ValueError(f"option {name} cannot be searched, only those under training: can")
        close = difflib.get_close_matches(name, options.model_fields, n=1)
        raise ValueError(f"unknown option {name}" + (f" (did you mean {close[0]}?)" if close else ""))
    if isinstance(entry, (Range, Choices)):
        entry = entry.written()
    field = options.model_fields[name]
    admitted: Any = Annotated[field.annotation, field]
    adapter: TypeAdapter[Any] = TypeAdapter(admitted)
    if isinstance(entry, Mapping):
        return _range(name, entry, adapter, field.annotation)
    if isinstance(entry, (list, tuple)):
        return _choices(name, entry, adapter)
    raise ValueError(f"option {name}: {str(entry)[:80]!r} is neither a range {{low, high}} nor a list of choices")


def _choices(name: str, entry: Collection[Any], adapter: TypeAdapter[Any]) -> Choices:
    values = tuple(_admitted(name, value, adapter) for value in entry)
    if len(values) < 2:
        raise ValueError(f"option {name}: a list of {len(values)} choices leaves nothing to search; give two or more")
    if len(set(values)) < len(values):
        raise ValueError(f"option {name}: a choice is there twice")
    return Choices(values)


def _range(name: str, entry: Mapping[Any, Any], adapter: TypeAdapter[Any], annotation: Any) -> Range:
    if annotation not in (int, float):
        raise ValueError(f"option {name} has no range, its values are no numbers; give a list of choices")
    for key in entry:
        if key not in KEYS:
            raise ValueError(f"option {name}: unknown key {key}; a range has low, high and, if wanted, log or step")
    for key in ("low", "high"):
        if entry.get(key) is None:
            raise ValueError(f"option {name}: the range lacks {key}")
    low, high = (_admitted(name, entry[key], adapter) for key in ("low", "high"))
    if not low < high:
        raise ValueError(f"option {name}: empty range, low {low:g} is not below high {high:g}")
    log, step = entry.get("log", False), entry.get("step")
    if not isinstance(log, bool):
        raise ValueError(f"option {name}: log is true or false, not {str(log)[:80]!r}")
    if log and step is not None:
        raise ValueError(f"option {name}: a range is on a log scale or has steps, not both")
    if log and low <= 0:
        raise ValueError(f"option {name}: a log scale begins above 0, low is {low:g}")
    return Range(low, high, log, None if step is None else _step(name, step, low, high, annotation))


def _step(name: str, step: Any, low: float, high: float, annotation: Any) -> float:
    try:
        step = TypeAdapter(annotation).validate_python(step)
    except ValidationError:
        kind = "whole number" if annotation is int else "number"
        raise ValueError(f"option {name}: step {str(step)[:80]!r} is no {kind}") from None
    if not 0 < step <= high - low or (high - low) / step > MAX_STEPS:
        raise ValueError(f"option {name}: step {step:g} does not divide the range from {low:g} to {high:g}")
    steps = (high - low) / step
    if not _is_whole(steps):
        last = low + int(steps) * step
        raise ValueError(f"option {name}: steps of {step:g} from {low:g} miss high {high:g}; the last is {last:g}")
    return step


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < 1e-6


def _admitted(name: str, value: Any, adapter: TypeAdapter[Any]) -> Any:
    """The value as the option takes it."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"option {name}: {str(value)[:80]!r} is not valid: {message.lower()}") from None
