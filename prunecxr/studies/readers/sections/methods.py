"""How the answers came about, in words."""

from __future__ import annotations

from prunecxr.studies.readers.sections.findings import ReaderFindings


def methods(findings: ReaderFindings) -> list[str]:
    """Paragraphs of plain text."""
    return [
        "Each reader saw a set of images of their own, half of them pruning-identified exemplars (PIEs), shuffled and "
        "without a sign of which is which, with their ground-truth labels. Agreement counts 1 for yes and 0 for no; "
        "quality and difficulty are ratings from 1 to 5.",
        "Kruskal-Wallis compares the answers about PIEs with those about other images, corrected for ties; P is "
        f"two-sided, adjusted over the questions by Holm's method, and counts as shown below {findings.alpha:g}. It "
        "takes answers as independent. The mixed model does not: it is linear, with PIE as fixed effect and a random "
        "intercept for each reader (REML; 95% Wald interval), because readers differ in how strict they are.",
        "After Holste et al., How Does Pruning Impact Long-Tailed Multi-Label Medical Image Classifiers?, MICCAI 2023, "
        "figure 6.",
    ]
