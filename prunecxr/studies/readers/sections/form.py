"""One reader's questionnaire: a self-contained HTML page that works offline, or a table to fill in."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from PIL import Image

from prunecxr.report.template import fill

FORMAT = "prunecxr-reader-answers-1"
COLUMNS = ("item", "image", "labels", "agree", "quality", "difficulty")
# What is asked, and what the ends of the scale mean; the wording is the paper's (section 2.3).
ASKED = {
    "agree": ("Do you fully agree with the given label?", "", ""),
    "quality": ("How would you rate the image quality?", "very poor", "very good"),
    "difficulty": ("How difficult is it to properly diagnose this image?", "very easy", "very difficult"),
}


@dataclass(frozen=True)
class Item:
    """One image of a form.

    Attributes:
        token: its name in the form; tells nothing of the image.
        labels: ground-truth classes; may be none.
        png: the image.
    """

    token: str
    labels: tuple[str, ...]
    png: bytes


def as_png(pixels: np.ndarray, longest_side: int | None = None) -> bytes:
    """Gray pixels, shape (height, width), uint8, as PNG without metadata; shrunk only if a longest side is given."""
    image = Image.fromarray(pixels)
    if longest_side is not None:
        image.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def form_page(items: Sequence[Item], reader: int, readers: int, study: str, export: str) -> str:
    """The questionnaire of one reader as an HTML document.

    Args:
        items: in the order in which they are asked.
        reader, readers: from 1; how many there are.
        study: name of the study, shown and part of the file name of the answers.
        export: id of the run that holds the key; goes into the answers, so that they find their key.

    Returns:
        A document with inline style, script and images that asks the network for nothing (its content security policy
        forbids it). Answers are kept in the browser until they are saved as a file.
    """
    content = {
        "format": FORMAT,
        "export": export,
        "study": study,
        "reader": reader,
        "items": [{"item": one.token, "labels": one.labels, "png": _base64(one.png)} for one in items],
    }
    return fill(
        "form.html",
        reader=reader,
        readers=readers,
        study=study,
        n=len(items),
        asked=ASKED,
        content=_inert(content),
    )


def form_table(items: Sequence[Item]) -> str:
    """The same questions as CSV: item, image (its file below `images/`), labels, and empty columns to fill in."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([one.token, f"images/{one.token}.png", "; ".join(one.labels), "", "", ""] for one in items)
    return text.getvalue()


def _inert(content: object) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
