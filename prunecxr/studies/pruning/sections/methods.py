"""How the numbers came about, in words."""

from __future__ import annotations

from prunecxr.studies.pruning.sections import clinical_methods
from prunecxr.studies.pruning.sections.definitions import IN_WORDS
from prunecxr.studies.pruning.sections.exemplars import methods as exemplars
from prunecxr.studies.pruning.sections.findings import Findings


def methods(findings: Findings) -> list[str]:
    """Paragraphs of plain text."""
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
        + "; figures and tables also ".join(IN_WORDS[name] for name in findings.definitions)
        + ". Chance-corrected FCD is that of the chance-corrected curves. The regression is FCD = b0 + "
        "b1 |LogFreqDiff| + b2 IoU^¼ + b3 |LogFreqDiff| IoU^¼, by ordinary least squares.",
        *exemplars(findings),
        *clinical_methods.paragraphs(findings),
        "After Holste et al., How Does Pruning Impact Long-Tailed Multi-Label Medical Image Classifiers?, MICCAI 2023.",
    ]
