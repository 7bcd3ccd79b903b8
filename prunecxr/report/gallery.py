"""Images to be looked at, each with what networks say of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image


class Row(NamedTuple):
    """One line below an image; `marked` ones stand out."""

    name: str
    marked: bool
    values: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """One image.

    Attributes:
        lines: of text below it.
        alt: what it shows, for those who cannot see it.
        png: the image; None where it cannot be shown.
        absent: why there is none.
        rows: a small table below the lines.
    """

    lines: Sequence[str]
    alt: str
    png: bytes | None
    absent: str = ""
    rows: Sequence[Row] = ()


@dataclass(frozen=True)
class Gallery:
    """The images of a report.

    Attributes:
        heading: above them.
        remarks: why there are none, or none with pixels.
        introduction: what is to be seen.
        cards: in order.
        columns: heads of the values of the cards' rows; without any, cards are wide pictures with captions.
    """

    heading: str
    remarks: Sequence[str] = ()
    introduction: str = ""
    cards: Sequence[Card] = ()
    columns: Sequence[str] = ()


def thumbnail(pixels: np.ndarray, side: int = 256) -> bytes:
    """Gray pixels, shape (height, width), uint8, as PNG, at most ``side`` pixels wide and high."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
