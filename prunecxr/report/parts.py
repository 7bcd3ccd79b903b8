"""What every page of the report is put together from: self-contained HTML, every text escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

import pandas as pd

from prunecxr.report.page_style import STYLE
from prunecxr.studies.pruning.sections.tables import html_table

if TYPE_CHECKING:
    from prunecxr.studies.pruning.sections.illustrations import Illustration


def document(title: str, kind: str, heading: str, body: str, navigation: Iterable[tuple[str, str]] = ()) -> str:
    """A complete page with inline styles, without scripts and without links to anywhere else.

    Args:
        navigation: id of a section, and the text of the link to it.
    """
    links = " ".join(f'<a href="#{target}">{escape(text)}</a>' for target, text in navigation)
    to_sections = f"<nav>{links}</nav>" if links else ""
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style></head>\n"
        f'<body><header><p class="kind">{escape(kind)}</p><h1>{escape(heading)}</h1>{to_sections}</header>\n'
        f"<main>{body}</main></body></html>\n"
    )


def section(target: str, heading: str, content: str) -> str:
    """A part of the page; `content` is HTML."""
    return f'<section id="{target}"><h2>{escape(heading)}</h2>{content}</section>\n'


def answers(found: Iterable[tuple[str, str, str]]) -> str:
    """Question, verdict and evidence of each: what opens a page."""
    blocks = (
        f"<div><h2>{escape(question)}</h2><p><strong>{escape(verdict)}</strong></p>"
        f'<p class="quiet">{escape(evidence)}</p></div>'
        for question, verdict, evidence in found
    )
    return f'<section class="answers">{"".join(blocks)}</section>'


def warnings(texts: Sequence[str], none: str) -> str:
    """What is missing or undefined; `none`: what to say where nothing is."""
    if not texts:
        return section("warnings", "Warnings", f'<p class="quiet">{escape(none)}</p>')
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return section("warnings", "Warnings", f'<ul class="warnings">{items}</ul>')


def figures(drawn: Iterable[Illustration], before: str = "", after: str = "") -> str:
    """The figures by part of the report.

    Args:
        before, after: HTML that stands around them.
    """
    groups = groupby((one for one in drawn if one.on_page), key=lambda one: one.part)
    found = "".join(
        f'<h3>{escape(part)}</h3><div class="figures">{"".join(map(_figure, group))}</div>' for part, group in groups
    )
    return section("figures", "Figures", f"{before}{found}{after}")


def _figure(one: Illustration) -> str:
    return (
        f'<figure><img alt="{escape(one.alt)}" src="data:image/svg+xml;base64,{encoded(one.svg)}">'
        f"<figcaption><strong>{escape(one.title)}.</strong> {escape(one.caption)}</figcaption></figure>"
    )


def tables(shown: Mapping[str, tuple[str, pd.DataFrame]]) -> str:
    """Title -> note and table, each in a box that scrolls."""
    parts = []
    for title, (note, table) in shown.items():
        said = f"<p class='quiet'>{escape(note)}</p>" if note else ""
        box = f'<div class="table" tabindex="0" role="region" aria-label="{escape(title)}">{html_table(table)}</div>'
        parts.append(f"<h3>{escape(title)}</h3>{said}{box}")
    return section("tables", "Tables", f'<div class="tables">{"".join(parts)}</div>')


def paragraphs(target: str, heading: str, texts: Iterable[str]) -> str:
    """A section of plain text."""
    return section(target, heading, "".join(f"<p>{escape(text)}</p>" for text in texts))


def provenance(rows: Mapping[str, str]) -> str:
    """Where it all comes from."""
    items = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in rows.items())
    return section("provenance", "Provenance", f'<dl class="provenance">{items}</dl>')


def encoded(content: bytes) -> str:
    """Bytes for a `data:` address."""
    return base64.b64encode(content).decode("ascii")
