"""Lists and counts in messages."""

from __future__ import annotations

from collections.abc import Sequence

LISTED = 10  # how many culprits a message names before it only counts


def some(names: Sequence[str]) -> str:
    """The first ten names, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def count_is(number: int, thing: str) -> str:
    """`1 image is`, `2 images are`."""
    return f"{number} {thing} is" if number == 1 else f"{number} {thing}s are"
