"""Which figures a study has, each with the sentence that it supports and a text for those who cannot see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.style import as_png, as_svg
from prunecxr.report.wording import sparsity
from prunecxr.studies.pruning.sections import captions, figures, figures_images
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.sentences import FIRST, MEASURED, MOST
from prunecxr.studies.readers.sections import findings as reader_findings

OVERALL, CLASSES, PAIRS, IMAGES, READERS = "Overall", "Classes", "Pairs of classes", "Images", "Readers"
CORRECTED = "_chance_corrected"


@dataclass(frozen=True)
class Illustration:
    """One figure.

    Attributes:
        name: of its files, ``figures/<name>.png`` and ``.svg``.
        part: of the report that it stands in.
        title: short, with the paper's figure that it is the counterpart of.
        caption: the sentence that it supports.
        alt: what it shows, for those who cannot see it.
        figure: matplotlib figure.
        svg: the figure as SVG.
        on_page: False where the page shows the same in another way.
    """

    name: str
    part: str
    title: str
    caption: str
    alt: str
    figure: Figure
    svg: bytes
    on_page: bool = True

    @property
    def png(self) -> bytes:
        return as_png(self.figure)


Drawn = tuple[str, str, str, str, str, Figure]


def illustrate(findings: Findings) -> list[Illustration]:
    """Every figure that the findings have data for, in the order of the report: raw, then chance-corrected."""
    parts = (_models(findings), _classes(findings), _pairs(findings), _images(findings), _readers(findings))
    return [
        Illustration(name, within, title, caption, alt, figure, as_svg(figure), on_page=name != "pie_gallery")
        for part in parts
        for name, within, title, caption, alt, figure in part
    ]


def _models(findings: Findings) -> Iterator[Drawn]:
    tables = findings.tables
    yield (
        "mean_ap", OVERALL, "Overall performance (figure 1, left)", captions.overall(findings),
        "Two lines, mean average precision and its chance-corrected counterpart by sparsity, each with a band between "
        f"the quartiles over seeds. {captions.overall(findings)}",
        figures.overall(tables["overall"]),
    )  # fmt: skip
    if "weights" in tables:
        yield (
            "weight_magnitudes", OVERALL, "Weight magnitudes (figure 1, right)", captions.weights(findings),
            f"Histogram of the magnitudes of the dense models' prunable weights on a logarithmic axis; those below "
            f"{captions.SMALL:g} are hatched.",
            figures.weights(tables["weights"], captions.SMALL),
        )  # fmt: skip
    if "methods" in tables:
        for prefix in MEASURED:
            yield (
                *_named("methods", OVERALL, "Pruning methods", prefix), captions.methods(findings, prefix),
                f"One line a pruning method: mean {_ap(prefix)} by sparsity with a band between the quartiles over "
                "seeds.",
                figures.methods(tables["methods"], prefix),
            )  # fmt: skip


def _classes(findings: Findings) -> Iterator[Drawn]:
    tables = findings.tables
    classes, correlations = tables["classes"], tables["correlations"]
    highest = float(tables["overall"]["sparsity"].max())
    at = sparsity(highest)
    if highest == 0:
        return
    known = [prefix for prefix in MEASURED if classes[f"{prefix}{MOST}"].notna().any()]
    for prefix in known:
        yield (
            *_named("forgettability_curves", CLASSES, "Forgettability curves (figure 2)", prefix),
            captions.curves(findings, prefix),
            f"One line a class: relative change in {_ap(prefix)} by sparsity; the most frequent and the rarest named.",
            figures.forgettability_curves(tables["curves"], classes, prefix),
        )
    counted = [prefix for prefix in known if (classes["train_count"] > 0).any()]
    for prefix in counted:
        yield (
            *_named("first_drop", CLASSES, "What is forgotten first (figure 3, left)", prefix),
            captions.frequency(findings, FIRST, prefix),
            f"One point a class: first sparsity with a 20% drop in {_ap(prefix)} against training frequency.",
            figures.first_drop(classes, correlations, prefix),
        )
    for prefix in counted:
        yield (
            *_named("change_at_max", CLASSES, "What is forgotten most (figure 3, right)", prefix),
            captions.frequency(findings, MOST, prefix),
            f"One point a class: relative change in {_ap(prefix)} at {at} sparsity against training frequency.",
            figures.change_at_max(classes, correlations, highest, prefix),
        )
    if known:
        yield (
            "chance_correction", CLASSES, "Raw and chance-corrected change", captions.chance(findings),
            f"For every class the raw and the chance-corrected relative change at {at} sparsity, and the raw change of "
            "a class forgotten entirely.",
            figures.chance_correction(classes, highest),
        )  # fmt: skip


def _pairs(findings: Findings) -> Iterator[Drawn]:
    """In the definition of the sentences, then in the other one where both were asked for."""
    if "pairs" not in findings.tables:
        return
    for definition in findings.definitions:
        for x, name, title, of in (
            ("log_freq_diff", "pairs_frequency", "Difference in frequency and in forgetting (figures 4 and 7, left)",
             "difference in log frequency"),
            ("iou_fourth_root", "pairs_overlap", "Co-occurrence and difference in forgetting (figures 4 and 7, right)",
             "overlap of the label sets"),
        ):  # fmt: skip
            yield from _scattered(findings, x, definition, (name, title, of))
        yield from _effects(findings, definition)


def _scattered(findings: Findings, x: str, definition: str, said: tuple[str, str, str]) -> Iterator[Drawn]:
    tables, (name, title, of) = findings.tables, said
    for prefix in MEASURED:
        y = f"{prefix}fcd"
        if tables["pairs"][f"{y}_{definition}"].notna().any():
            yield (
                *_named(f"{name}{_suffix(findings, definition)}", PAIRS, title, prefix),
                captions.pairs(findings, x, prefix, definition),
                f"One point a pair of classes: dissimilarity of forgettability curves of {_ap(prefix)} against {of}, "
                f"definition '{definition}'.",
                figures_images.pairs(
                    tables["pairs"], tables["pair_correlations"], x, definition, findings.highlight, y
                ),
            )


def _effects(findings: Findings, definition: str) -> Iterator[Drawn]:
    effects: pd.DataFrame = findings.tables["partial_effects"]
    for prefix in MEASURED:
        y = f"{prefix}fcd"
        if ((effects["definition"] == definition) & (effects["y"] == y)).any():
            yield (
                *_named(
                    f"interaction{_suffix(findings, definition)}", PAIRS,
                    "Interaction of frequency and co-occurrence (equation 2)", prefix,
                ),
                captions.effect(findings, prefix, definition),
                "Three lines of the regression of dissimilarity on overlap, at a small, middle and large difference in "
                f"frequency, with 95% bands; {_ap(prefix)}, definition '{definition}'.",
                figures_images.interaction(effects, definition, y),
            )  # fmt: skip


def _images(findings: Findings) -> Iterator[Drawn]:
    ratios = findings.tables.get("pie_ratios")
    if ratios is None or not ratios["pie_count"].any():
        return
    yield (
        "pie_classes", IMAGES, "Classes in PIEs (figure 5, left)", captions.ratios(findings, "class"),
        "One bar a class: share in pruning-identified exemplars relative to other images, with intervals.",
        figures_images.pie_ratios(ratios, "class"),
    )  # fmt: skip
    yield (
        "pie_diseases", IMAGES, "Number of diseases in PIEs (figure 5, right)", captions.ratios(findings, "diseases"),
        "One bar a number of diseases: share in pruning-identified exemplars relative to other images, with intervals.",
        figures_images.pie_ratios(ratios, "diseases"),
    )  # fmt: skip
    if any(item.image is not None for item in findings.gallery):
        yield (
            "pie_gallery", IMAGES, "Pruning-identified exemplars", "",
            "Images on which dense and pruned models disagree most.", figures_images.gallery(findings.gallery),
        )  # fmt: skip


def _readers(findings: Findings) -> Iterator[Drawn]:
    if findings.readers is None:
        return
    said = [reader_findings.caption(row, findings.alpha) for row in findings.readers.itertuples(index=False)]
    yield (
        "readers", READERS, "Readers' answers (figure 6)",
        f"{' '.join(said)} Bars: means; lines: ± one standard deviation of the answers.",
        reader_findings.ALT, reader_findings.figure(findings.readers, findings.alpha),
    )  # fmt: skip


def _named(name: str, part: str, title: str, prefix: str) -> tuple[str, str, str]:
    """Name, part and title, which say what is chance-corrected."""
    return (f"{name}{CORRECTED}", part, f"{title}, chance-corrected") if prefix else (name, part, title)


def _suffix(findings: Findings, definition: str) -> str:
    """Of the file: none for the definition of the sentences."""
    return "" if definition == findings.definition else f"_{definition}"


def _ap(prefix: str) -> str:
    return "chance-corrected average precision" if prefix else "average precision"
