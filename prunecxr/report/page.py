"""Any study's findings -> one self-contained HTML page: no network, no scripts, readable on a phone, prints to PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from prunecxr.report.illustration import Illustration, illustrate
from prunecxr.report.section import Report, Section, T
from prunecxr.report.tables import html_table
from prunecxr.report.template import fill


@dataclass
class _Part:
    """The figures under one heading, and what is said of those for which there is no data."""

    heading: str
    figures: list[tuple[Section, Illustration]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def render(report: Report[T], findings: T, pictures: Sequence[Illustration] | None = None) -> str:
    """The report as one HTML document.

    Args:
        findings: every text in them is escaped.
        pictures: from :func:`illustrate`; drawn here if not given.

    Returns:
        A complete document with inline styles and figures, without scripts and without links to anywhere else.
    """
    if pictures is None:
        pictures = illustrate(report.sections, findings)
    return fill(
        "page.html",
        report=report,
        findings=findings,
        answers=report.answer(findings),
        parts=_parts(report, findings, pictures),
        gallery=report.gallery(findings) if report.gallery else None,
        tables=_tables(report, findings),
        methods=report.methods(findings),
    )


def _parts(report: Report[T], findings: T, pictures: Sequence[Illustration]) -> list[_Part]:
    by_name = {picture.name: picture for picture in pictures}
    parts: list[_Part] = []
    for section in report.sections:
        if section.figure is None or not section.on_page:
            continue
        picture = by_name.get(section.name)
        remark = "" if section.wanted(findings) else section.absent(findings)
        if picture is None and not remark:
            continue
        if not parts or parts[-1].heading != section.part:
            parts.append(_Part(section.part))
        if picture is not None:
            parts[-1].figures.append((section, picture))
        else:
            parts[-1].remarks.append(remark)
    return parts


def _tables(report: Report[T], findings: T) -> list[tuple[Section, Markup]]:
    tables = ((section, section.table(findings)) for section in report.sections if section.table is not None)
    return [(section, html_table(table, section.marks)) for section, table in tables if table is not None]
