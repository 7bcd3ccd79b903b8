"""A report as files: tables, figures and the page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from prunecxr.report.illustration import illustrate
from prunecxr.report.page import render
from prunecxr.report.section import Report, T, verdict_table


def write(folder: Path, report: Report[T], findings: T, page: str = "report.html") -> None:
    """Write `tables/<name>.csv`, `figures/<name>.svg` and `.png`, and the page into a folder.

    Every table of the findings is a file; so is that of a section of another name, and `verdicts`, the named answers.
    """
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    verdicts = verdict_table(report.answer(findings))
    tables = {"verdicts": verdicts} if len(verdicts) else {}
    for name, table in {**tables, **_own_tables(report, findings), **findings.tables}.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    pictures = illustrate(report.sections, findings)
    for picture in pictures:
        (folder / "figures" / f"{picture.name}.svg").write_bytes(picture.svg)
        (folder / "figures" / f"{picture.name}.png").write_bytes(picture.png)
    (folder / page).write_text(render(report, findings, pictures), encoding="utf-8")


def _own_tables(report: Report[T], findings: T) -> dict[str, pd.DataFrame]:
    """The tables that sections bring along."""
    wanted = (section for section in report.sections if section.csv and section.name not in findings.tables)
    tables = ((section.name, section.table(findings)) for section in wanted if section.table is not None)
    return {name: table for name, table in tables if table is not None}
