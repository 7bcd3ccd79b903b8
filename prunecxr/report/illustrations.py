"""Which figures a study has, each with the sentence that it supports and a text for those who cannot see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report import figures, figures_images, sentences
from prunecxr.report.findings import Findings
from prunecxr.report.style import as_png, as_svg
from prunecxr.report.wording import sparsity


@dataclass(frozen=True)
class Illustration:
    """One figure.

    Attributes:
        name: of its files, ``figures/<name>.png`` and ``.svg``.
        title: short.
        caption: the sentence that it supports.
        alt: what it shows, for those who cannot see it.
        figure: matplotlib figure.
        svg: the figure as SVG.
        on_page: False where the page shows the same in another way.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure
    svg: bytes
    on_page: bool = True

    @property
    def png(self) -> bytes:
        return as_png(self.figure)


def illustrate(findings: Findings) -> list[Illustration]:
    """Every figure that the findings have data for, in the order of the report."""
    return [
        Illustration(name, title, caption, alt, figure, as_svg(figure), on_page=name != "pie_gallery")
        for name, title, caption, alt, figure in [*_models(findings), *_pairs(findings), *_images(findings)]
    ]


def _models(findings: Findings) -> Iterator[tuple[str, str, str, str, Figure]]:
    tables = findings.tables
    overall, classes, correlations = tables["overall"], tables["classes"], tables["correlations"]
    highest = float(overall["sparsity"].max())
    at = sparsity(highest)
    yield (
        "mean_ap", "Overall performance", str(sentences.overall(findings)),
        "Line of the mean average precision by sparsity with a band between the quartiles over seeds.",
        figures.overall(overall),
    )  # fmt: skip
    if "weights" in tables:
        yield (
            "weight_magnitudes", "Weight magnitudes", sentences.weights_caption(findings),
            f"Histogram of the magnitudes of the dense models' prunable weights on a logarithmic axis; those below "
            f"{sentences.SMALL:g} are hatched.",
            figures.weights(tables["weights"], sentences.SMALL),
        )  # fmt: skip
    if "methods" in tables:
        yield (
            "methods", "Pruning methods", sentences.methods_caption(findings),
            "One line a pruning method: mean average precision by sparsity with a band between the quartiles over "
            "seeds.",
            figures.methods(tables["methods"]),
        )  # fmt: skip
    if not classes["relative_change_at_max"].notna().any() or highest == 0:
        return
    yield (
        "forgettability_curves", "Forgettability curves", str(sentences.most_forgotten(findings)),
        "One line a class: relative change in average precision by sparsity; the most frequent and the rarest named.",
        figures.forgettability_curves(tables["curves"], classes),
    )  # fmt: skip
    if (classes["train_count"] > 0).any():
        yield (
            "first_drop", "What is forgotten first", sentences.frequency_caption(findings, "first_drop_20"),
            "One point a class: first sparsity with a 20% drop in average precision against training frequency.",
            figures.first_drop(classes, correlations),
        )  # fmt: skip
        yield (
            "change_at_max", "What is forgotten most", sentences.frequency_caption(findings, "relative_change_at_max"),
            f"One point a class: relative change in average precision at {at} sparsity against training frequency.",
            figures.change_at_max(classes, correlations, highest),
        )  # fmt: skip
    yield (
        "chance_correction", "Raw and chance-corrected change", sentences.chance_caption(findings),
        f"For every class the raw and the chance-corrected relative change at {at} sparsity, and the raw change of a "
        "class forgotten entirely.",
        figures.chance_correction(classes, highest),
    )  # fmt: skip


def _pairs(findings: Findings) -> Iterator[tuple[str, str, str, str, Figure]]:
    tables, definition = findings.tables, findings.definition
    if "pairs" not in tables or not tables["pairs"][f"fcd_{definition}"].notna().any():
        return

    def figure(x: str, ols: pd.DataFrame | None = None) -> Figure:
        table, correlations = tables["pairs"], tables["pair_correlations"]
        return figures_images.pairs(table, correlations, x, definition, ols, findings.highlight)

    yield (
        "pairs_frequency", "Difference in frequency and in forgetting",
        sentences.pair_caption(findings, "log_freq_diff"),
        "One point a pair of classes: dissimilarity of forgettability curves against difference in log frequency.",
        figure("log_freq_diff", tables["ols"]),
    )  # fmt: skip
    yield (
        "pairs_overlap", "Co-occurrence and difference in forgetting",
        sentences.pair_caption(findings, "iou_fourth_root"),
        "One point a pair of classes: dissimilarity of forgettability curves against overlap of the label sets.",
        figure("iou_fourth_root"),
    )  # fmt: skip


def _images(findings: Findings) -> Iterator[tuple[str, str, str, str, Figure]]:
    ratios = findings.tables.get("pie_ratios")
    if ratios is None or not ratios["pie_count"].any():
        return
    yield (
        "pie_classes", "Classes in PIEs", sentences.ratio_caption(findings, "class"),
        "One bar a class: share in pruning-identified exemplars relative to other images, with intervals.",
        figures_images.pie_ratios(ratios, "class"),
    )  # fmt: skip
    yield (
        "pie_diseases", "Number of diseases in PIEs", sentences.ratio_caption(findings, "diseases"),
        "One bar a number of diseases: share in pruning-identified exemplars relative to other images, with intervals.",
        figures_images.pie_ratios(ratios, "diseases"),
    )  # fmt: skip
    if any(item.image is not None for item in findings.gallery):
        yield (
            "pie_gallery", "Pruning-identified exemplars", "",
            "Images on which dense and pruned models disagree most.", figures_images.gallery(findings.gallery),
        )  # fmt: skip
