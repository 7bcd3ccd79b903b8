"""One reader's questionnaire: a self-contained HTML page that works offline, or a table to fill in."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from prunecxr.studies.readers.sections.form_script import SCRIPT
from prunecxr.studies.readers.sections.form_style import STYLE

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
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    title = f"Reader {reader} of {readers}: {study}"
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style></head>\n<body>\n"
        f"{_header(reader, readers, len(items))}\n{_main()}\n"
        f'<script type="application/json" id="content">{_inert(content)}</script>\n'
        f"<script>{SCRIPT}</script>\n</body></html>\n"
    )


def form_table(items: Sequence[Item]) -> str:
    """The same questions as CSV: item, image (its file below `images/`), labels, and empty columns to fill in."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([one.token, f"images/{one.token}.png", "; ".join(one.labels), "", "", ""] for one in items)
    return text.getvalue()


def _header(reader: int, readers: int, n: int) -> str:
    return (
        f'<header><div class="bar"><p class="who">Reader {reader} <span>of {readers}</span></p>'
        f'<progress id="progress" max="{n}" value="0" aria-label="Images answered"></progress>'
        f'<p id="done" aria-live="polite">0 of {n} answered</p>'
        '<button type="button" id="save" class="primary">Save<span> answers</span></button></div>'
        '<p id="notice" role="status" hidden></p></header>'
    )


def _main() -> str:
    return (
        '<main><div class="picture"><div id="frame" tabindex="-1"><img id="image" alt=""></div>'
        '<div class="tools"><span id="size"></span>'
        '<button type="button" id="zoom" aria-pressed="false">Full size <kbd>z</kbd></button></div></div>\n'
        '<form id="form" autocomplete="off"><div class="where"><button type="button" id="previous" '
        'aria-label="Previous image">← <span>Previous</span></button><h1 id="heading"></h1>'
        '<button type="button" id="next" aria-label="Next image"><span>Next</span> →</button></div>'
        '<section class="given" aria-labelledby="given"><h2 id="given">Given label</h2><ul id="labels"></ul></section>'
        f"{_yes_no()}{_scale('quality', 2)}{_scale('difficulty', 3)}"
        f"{_jump()}{_help()}</form></main>"
    )


def _yes_no() -> str:
    options = "".join(
        f'<label><input type="radio" name="agree" value="{value}"><span>{text} <kbd>{key}</kbd></span></label>'
        for value, text, key in (("yes", "Yes", "y"), ("no", "No", "n"))
    )
    return (
        f'<fieldset id="agree"><legend>1. {ASKED["agree"][0]}</legend><div class="options">{options}</div></fieldset>'
    )


def _scale(name: str, number: int) -> str:
    question, low, high = ASKED[name]
    meaning = {1: f", {low}", 5: f", {high}"}
    options = "".join(
        f'<label><input type="radio" name="{name}" value="{value}" aria-label="{value}{meaning.get(value, "")}">'
        f"<span>{value}</span></label>"
        for value in range(1, 6)
    )
    return (
        f'<fieldset id="{name}"><legend>{number}. {question}</legend><div class="options">{options}</div>'
        f'<div class="ends" aria-hidden="true"><span>1 = {low}</span><span>5 = {high}</span></div></fieldset>'
    )


def _jump() -> str:
    return (
        '<nav aria-label="Images"><button type="button" id="open">Next unanswered image</button>'
        '<ol id="overview"></ol></nav>'
    )


def _help() -> str:
    return (
        "<details><summary>Keys, and where answers are kept</summary>"
        "<p><kbd>y</kbd> <kbd>n</kbd> answer question 1; <kbd>1</kbd> to <kbd>5</kbd> answer the marked question, "
        "and mark the next; <kbd>↑</kbd> <kbd>↓</kbd> mark another question; <kbd>←</kbd> <kbd>→</kbd> show another "
        "image, <kbd>Enter</kbd> the next; <kbd>z</kbd> shows the image at full size; <kbd>s</kbd> saves.</p>"
        "<p>Answers stay in this browser on this device until you save them: you may close the page and go on later. "
        "Nothing is sent anywhere. At the end press <em>Save answers</em> and return the file.</p></details>"
    )


def _inert(content: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
