"""Findings -> one self-contained HTML page: no network, readable on a phone, prints to PDF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from prunecxr.report import parts
from prunecxr.report.wording import number, sparsity
from prunecxr.studies.pruning.sections import sentences
from prunecxr.studies.pruning.sections.findings import Findings, GalleryItem
from prunecxr.studies.pruning.sections.illustrations import READERS, Illustration, illustrate
from prunecxr.studies.pruning.sections.tables import html_tables

DEFINITIONS = {
    "paper": "'paper', as the text of the paper defines them: FCD is the mean squared difference of two forgettability "
    "curves over the sparsities above 0, frequency the number of test images, IoU images with both labels over images "
    "with either",
    "published": "'published', as the paper's printed numbers were computed: FCD is the Euclidean distance of two "
    "forgettability curves over the sparsities above 0, frequency the row sum of the co-occurrence matrix, IoU "
    "co-occurrences over the sum of the two row sums less co-occurrences",
}

NO_WARNINGS = "None: nothing is missing and nothing undefined."
NO_READERS = (
    "Figure 6 shows what readers say of PIEs and other images; there are no answers yet. reader_export writes forms "
    "for them, reader_import takes their answers, and the next analysis shows them here."
)


def render(findings: Findings, illustrations: Sequence[Illustration] | None = None) -> str:
    """The report as one HTML document.

    Args:
        findings: tables, warnings, gallery and provenance; every text in them is escaped.
        illustrations: from :func:`prunecxr.studies.pruning.sections.illustrations.illustrate`, drawn here if not given.

    Returns:
        A complete document with inline styles and figures, without scripts and without links to anywhere else.
    """
    drawn = illustrate(findings) if illustrations is None else illustrations
    body = [
        parts.warnings(findings.warnings, NO_WARNINGS),
        parts.answers((one.question, one.verdict, one.evidence) for one in sentences.answers(findings)),
        _figures(drawn, findings.readers is not None),
        _gallery(findings),
        parts.section("tables", "Tables", html_tables(findings)),
        parts.paragraphs("methods", "Methods", _methods(findings)),
        parts.provenance(findings.provenance),
    ]
    kind = "What pruning forgets"
    return parts.document(f"{kind}: {findings.study}", kind, findings.study, "".join(body), _navigation(findings))


def _navigation(findings: Findings) -> list[tuple[str, str]]:
    warned = f"Warnings ({len(findings.warnings)})"
    return [("warnings", warned), ("figures", "Figures"), ("gallery", "Gallery"), ("tables", "Tables"),
            ("methods", "Methods"), ("provenance", "Provenance")]  # fmt: skip


def _figures(drawn: Sequence[Illustration], read: bool) -> str:
    """The figures by part of the report, and what is said of a reader study that there was not."""
    absent = "" if read else f'<h3>{READERS}</h3><p class="quiet">{escape(NO_READERS)}</p>'
    intro = (
        "<p class='quiet'>Numbers in brackets are those of the figures in the paper. Whatever is measured on AP stands "
        "beside its chance-corrected counterpart.</p>"
    )
    return parts.figures(drawn, intro, absent)


def _gallery(findings: Findings) -> str:
    heading = f"Images that dense and {sparsity(findings.pie_sparsity)} sparse models disagree on most"
    note = f'<p class="quiet">{escape(findings.gallery_note)}</p>' if findings.gallery_note else ""
    if not findings.gallery and not note:
        note = '<p class="quiet">No pruning-identified exemplars to show.</p>'
    if findings.gallery:
        note += (
            "<p>Mean probabilities of dense and pruned models for the image's labels (marked ●) and the classes that "
            "either puts first.</p>"
        )
    cards = "".join(_card(item) for item in findings.gallery)
    return parts.section("gallery", heading, f'{note}<div class="gallery">{cards}</div>')


def _card(item: GalleryItem) -> str:
    labels = ", ".join(item.labels) or "no label"
    if item.image is None:
        picture = f'<div class="missing">{escape(item.note)}</div>'
    else:
        alt = escape(f"Radiograph {item.id}, labelled {labels}")
        picture = f'<img alt="{alt}" src="data:image/png;base64,{parts.encoded(_thumbnail(item.image))}">'
    rows = "".join(
        f"<tr{' class=labelled' if one.labelled else ''}><td>{escape(one.name)}</td>"
        f"<td>{number(one.dense)}</td><td>{number(one.pruned)}</td></tr>"
        for one in item.predictions
    )
    return (
        f'<div class="card">{picture}<div><p class="id">{escape(item.id)}<br>patient {escape(item.subject_id)}, '
        f"agreement {number(item.agreement)}</p><table><thead><tr><th></th><th>dense</th><th>pruned</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div></div>"
    )


def _thumbnail(pixels: np.ndarray, side: int = 256) -> bytes:
    """The image as PNG, at most ``side`` pixels wide and high."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _methods(findings: Findings) -> list[str]:
    return [
        "Sparsity is the share of prunable weights (of convolutions and linear layers) set to zero. AP is average "
        "precision on the test split; mean AP its unweighted mean over the classes where it is defined.",
        "A forgettability curve is the median over seeds of (AP at sparsity k − AP of the dense model of the same "
        "seed) / AP of that dense model. A class forgotten entirely still scores AP = prevalence, so its raw change "
        "cannot fall below prevalence / AP − 1, which is lower for rare classes. The chance-corrected change therefore "
        "divides by AP − prevalence instead: −100% is back at chance for every class.",
        "The overall drop is tested with Welch's t-test of the mean APs of all seeds at a sparsity against the dense "
        "ones, from 3 seeds on, two-sided; significant where the mean is lower and P below "
        f"{findings.alpha:g}. P is given raw, as in the paper, and adjusted by Holm's method for the number of "
        "sparsities. ρ is Spearman's and r Pearson's correlation, both with two-sided P. Classes that never "
        "drop by 20% share the last rank in ρ and are left out of r. P-values of pairs take pairs as independent, "
        "which pairs sharing a class are not. Where fewer than 3 seeds stand behind a result, nothing is tested.",
        "Pairs of classes: the answers above use the definition "
        + "; figures and tables also ".join(DEFINITIONS[name] for name in findings.definitions)
        + ". Chance-corrected FCD is that of the chance-corrected curves. The regression is FCD = b0 + "
        "b1 |LogFreqDiff| + b2 IoU^¼ + b3 |LogFreqDiff| IoU^¼, by ordinary least squares.",
        "Pruning-identified exemplars are the images on which the mean predictions of dense and of "
        f"{sparsity(findings.pie_sparsity)} sparse models agree least (measure: {findings.measure}). Intervals of "
        "their ratios are 95% percentile intervals of a bootstrap over patients. Their stability is that over "
        "seeds: seeds are drawn with replacement, predictions averaged anew, and the sets compared by their Jaccard "
        "index, images in both over images in either. Other measures: modal (whether both put the same class first), "
        "mean_absolute (mean absolute difference in probability), kl (mean Kullback-Leibler divergence of a class).",
        "After Holste et al., How Does Pruning Impact Long-Tailed Multi-Label Medical Image Classifiers?, MICCAI 2023.",
    ]
