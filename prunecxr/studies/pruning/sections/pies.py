"""The pruning-identified exemplars: a table, and a sheet of pictures, which the page shows as its gallery."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.report.wording import number
from prunecxr.studies.pruning.sections.findings import Findings, GalleryItem
from prunecxr.studies.pruning.sections.shared import IMAGES, table_of

EXEMPLARS = 50
COLUMNS = 4
LINES = 5


def first(table: pd.DataFrame) -> pd.DataFrame:
    """The first PIEs, without the labels."""
    columns = ["id", "subject_id", "agreement", *(c for c in table.columns if c.startswith(("top_", "is_pie_")))]
    return table.loc[table["is_pie"], columns].head(EXEMPLARS)


def figure(findings: Findings) -> Figure:
    """The PIEs that can be shown, with their labels and what either population puts first."""
    items = [item for item in findings.gallery if item.image is not None]
    rows = math.ceil(len(items) / COLUMNS)
    figure = Figure(figsize=(1.7 * COLUMNS, 0.3 + 2.5 * rows), layout="constrained")
    for i, item in enumerate(items):
        axes = figure.add_subplot(rows, COLUMNS, i + 1)
        axes.imshow(item.image, cmap="gray", vmin=0, vmax=255)  # type: ignore[arg-type]
        axes.set_axis_off()
        axes.set_title("\n".join(_lines(item)), fontsize=6, loc="left", va="bottom")
    return figure


def _lines(item: GalleryItem) -> list[str]:
    """Labels (with a dot) and first classes, dense and pruned probability."""
    return [
        f"{'●' if one.labelled else '  '} {one.name[:24]} {number(one.dense)} → {number(one.pruned)}"
        for one in item.predictions[:LINES]
    ]


def wanted(findings: Findings) -> bool:
    """Whether there are PIEs, and pixels of any."""
    ratios = findings.tables.get("pie_ratios")
    there_are = ratios is not None and bool(ratios["pie_count"].any())
    return there_are and any(item.image is not None for item in findings.gallery)


SECTIONS: tuple[Section[Findings], ...] = (
    Section(
        name="pie_gallery",
        title="Pruning-identified exemplars",
        part=IMAGES,
        figure=figure,
        caption=lambda _: "Labels (marked ●) and first classes of each, with mean probabilities, dense → pruned.",
        alt=lambda _: "Images on which dense and pruned models disagree most.",
        wanted=wanted,
        on_page=False,
    ),
    Section(name="pies", title="Pruning-identified exemplars", table=table_of("pies", first)),
)
