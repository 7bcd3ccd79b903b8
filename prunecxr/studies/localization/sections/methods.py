"""How the numbers came about, in words."""

from __future__ import annotations

from prunecxr.report.wording import sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings


def methods(findings: HtlFindings) -> list[str]:
    """Paragraphs of plain text."""
    settings = {
        "supervised": "Supervised setting: networks learn from masks; an HTL is a training image whose foreground IoU "
        "against its mask drops from the dense to the pruned network.",
        "semi": "Semi-supervised setting: networks learn from the masks of some images; an HTL is an image without a "
        "mask whose pseudo-label changes: 1 − IoU of the boxes of dense and pruned network. Fine-tuning takes the "
        "dense network's pseudo-labels for masks.",
        "weak": "Weakly supervised setting: networks learn diagnoses alone; the lesion is where the box of a Grad-CAM++"
        " map of the last convolution lies (threshold 180 of 255, largest component). An HTL is a training image "
        "whose box changes: 1 − IoU of the boxes of dense and pruned network. Scores compare the insides of boxes with "
        "masks.",
    }
    return [
        settings[findings.setting],
        f"Pruned is the share of prunable weights (of convolutions and linear layers) set to zero; "
        f"{sparsity(findings.prune_fraction)} by method {findings.method} where nothing else is said. The rule is "
        f"{findings.rule} with tau {findings.tau:g}: 'relative' compares (dense − pruned) / dense with it, 'absolute' "
        "dense − pruned, 'top' takes that share of the images. The paper's algorithm has the sign the other way round, "
        "which would select images that improve, and gives no threshold.",
        "All scores are means over images of the score of each image; a region that is empty in mask and prediction "
        "scores 1, in one of them 0.",
        "Approaches start from the same plain network of their seed and are fine-tuned alike, on as many images as "
        "there are HTLs but drawn differently: baseline 4 at random, 5 with rare diagnoses drawn more often, 6 with "
        "the share of each sex kept. Baseline 3 is trained from the start with the focal loss. Baseline 2, a challenge "
        "entry, is out of scope.",
        "Two intervals stand beside each difference, since two things vary: the test images (bootstrap over patients "
        "or lesions, the networks held fixed) and the training (Student's t over seeds, the images held fixed). A few "
        "seeds say little: their interval is wide.",
        "After Jaiswal et al., Attend Who is Weak: Pruning-assisted Medical Image Localization under Sophisticated and "
        "Implicit Imbalances, WACV 2023.",
    ]
