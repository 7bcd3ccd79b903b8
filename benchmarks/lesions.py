"""What a finished localization study says and what its arms cost, as markdown: the numbers of docs/localization.md.

    python benchmarks/lesions.py --study=isic2017-64 --experiment=isic2017 --page=docs/localization.md

Reads the newest analysis of the study from the tracking store (MLFLOW_TRACKING_URI). With --page, it rewrites that
page's section of the study, between its marks.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from common import parser, table

from prunecxr.report.wording import number, p_value, sparsity
from prunecxr.studies.localization.sections.shared import approach, lost, method
from prunecxr.tracking import names, runs
from prunecxr.tracking.artifacts import read_table
from prunecxr.tracking.store import open_store


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--study", default="isic2017-64")
    made.add_argument("--experiment", default="isic2017")
    given = made.parse_args()
    found = runs.search(open_store(experiment=given.experiment), {names.KIND: "htl_analysis", names.STUDY: given.study})
    finished = [run for run in found if run.finished]
    if not finished:
        sys.exit(f"study {given.study!r} has no finished analysis in experiment {given.experiment!r}")
    run = max(finished, key=lambda one: one.start_time)
    tables = {name: read_table(run, f"tables/{name}.csv") for name in ("verdicts", "effect", "networks", "paired")}
    ablation, said = read_table(run, "tables/ablation.csv"), tables["verdicts"]["sentence"]
    parts = [
        "```\n" + "\n".join(plain(sentence) for sentence in said) + "\n```",
        effects(tables["effect"]), methods(ablation), arms(tables["networks"], tables["paired"]), given.note,
    ]  # fmt: skip
    text = "\n\n".join(part for part in parts if part)
    print(text)
    if given.page:
        rewrite(given.page, given.study, text)


def effects(rows: pd.DataFrame) -> str:
    """Table 1: what either region loses, above the floor and raw."""
    header = (
        "pruned", "lost above a mask that marks nothing: foreground", "background",
        "difference in points (95% over seeds and patients; P after Holm)", "lost of the raw IoU: foreground",
        "background",
    )  # fmt: skip
    return table(header, [_effect(row) for row in rows.itertuples(index=False)])


def _effect(row: Any) -> tuple[str, ...]:
    points = [number(round(100 * value, 1) + 0.0, 1) for value in (row.above_difference, row.above_low, row.above_high)]
    tested = f"({points[1]} to {points[2]}; {plain(p_value(row.above_p_holm))})"
    shown = f"{points[0]} {'(not tested: next to nothing is marked)' if row.at_floor else tested}"
    return (
        sparsity(row.fraction), lost(row.above_foreground), lost(row.above_background), shown,
        lost(row.drop_foreground), lost(row.drop_background),
    )  # fmt: skip


def methods(rows: pd.DataFrame) -> str:
    """Table 3: foreground IoU by pruning method."""
    wide = rows.pivot_table(index="method", columns="fraction", values="foreground", sort=False)
    header = ("foreground IoU, test images", *(sparsity(k) for k in wide.columns))
    return table(header, [(method(name), *(number(value, 3) for value in row)) for name, row in wide.iterrows()])


def arms(networks: pd.DataFrame, paired: pd.DataFrame) -> str:
    """Table 2: what each arm scores and costs, and what HTLs are better by."""
    differences = paired[paired["metric"] == "foreground"].set_index("approach")
    header = (
        "arm", "images", "steps", "seconds", "threshold", "foreground IoU (SD over seeds)", "background IoU",
        f"marked area (lesions: {number(networks['lesion_area'].iloc[0], 3)})",
        "HTLs minus this, foreground IoU (95% over seeds and patients; P after Holm)",
    )  # fmt: skip
    cells = []
    for row in networks.itertuples(index=False):
        costs = [number(value, 0).replace("undefined", "") for value in (row.images, row.steps, row.seconds)]
        against = ""
        if row.approach in differences.index:
            found = differences.loc[row.approach]
            against = f"{number(found.difference, 3)} ({number(found.low, 3)} to {number(found.high, 3)}; "
            against += f"{plain(p_value(found.p_holm))})"
        scores = f"{number(row.foreground, 3)} ({number(row.foreground_sd, 3)})", number(row.background, 3)
        cells.append((approach(row.approach), *costs, number(row.threshold), *scores, number(row.area, 3), against))
    return table(header, cells)


def plain(text: str) -> str:
    """With ordinary spaces."""
    return text.replace("\u00a0", " ")


def rewrite(page: Path, study: str, text: str) -> None:
    """Put the text between the marks of the study on a page."""
    marks = f"<!-- begin {study} -->\n", f"<!-- end {study} -->"
    pattern = re.compile(re.escape(marks[0]) + ".*?" + re.escape(marks[1]), re.DOTALL)
    there = page.read_text(encoding="utf-8")
    if not pattern.search(there):
        sys.exit(f"{page}: no marks of {study}: {marks[0]!r} ... {marks[1]!r}")
    page.write_text(pattern.sub(lambda _: f"{marks[0]}{text}\n{marks[1]}", there), encoding="utf-8")


if __name__ == "__main__":
    main()
