"""How operating points, calibration and subgroups came about, in words."""

from __future__ import annotations

from prunecxr.report.wording import percent
from prunecxr.studies.pruning.sections.findings import Findings


def paragraphs(findings: Findings) -> list[str]:
    """Paragraphs of plain text, for those of the tables that there are."""
    said = []
    if "operating_points" in findings.tables:
        asked = percent(float(findings.tables["operating_points"]["asked_specificity"].iloc[0]))
        said.append(
            f"Operating points: the threshold of a class and seed is the lowest at which {asked} of the negative "
            "validation images are not above it in the dense network, and is kept for the pruned ones. Intervals are "
            "over seeds and patients, on the scale of log odds; where none or all of the images are counted, that of "
            "Clopper and Pearson."
        )
    if "calibration" in findings.tables:
        said.append(
            "Calibration: the intercept a is that of logit P(y) = a + logit p, the slope b that of "
            "logit P(y) = a + b logit p, by maximum likelihood; probabilities are kept 10⁻⁷ from 0 and 1. Reliability, "
            "resolution and expected calibration error are those of 10 bins of equal mass; equal probabilities share "
            "one."
        )
    if "subgroups" in findings.tables:
        said.append(
            "Subgroups: age is banded as 0-17, 18-39, 40-59, 60-79 and 80 or more years; a declared column of more "
            "than 12 different numbers is parted into thirds. Groups of one column, and the crossings of two, are "
            "compared with the largest group of their kind, where both have 10 positive images of 10 patients, and 10 "
            "negative ones. P is that of t with the variance between seeds and between patients and Satterthwaite's "
            "degrees of freedom, adjusted by Holm's method over all groups, classes and measures of a sparsity."
        )
    return said
