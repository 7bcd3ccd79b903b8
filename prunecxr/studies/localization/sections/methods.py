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
        f"The pruned share is that of prunable weights (of convolutions and linear layers) set to zero; it is "
        f"{sparsity(findings.prune_fraction)} by method {findings.method} where nothing else is said. The rule is "
        f"{findings.rule} with tau {findings.tau:g}: 'relative' compares (dense − pruned) / dense with it, 'absolute' "
        "dense − pruned, 'top' takes that share of the images. The paper's algorithm has the sign the other way round, "
        "which would select images that improve, and gives no threshold.",
        "All scores are means over images of the score of each image; a region that is empty in both mask and "
        "prediction scores 1, in one of them 0. HTLs and pruned networks are judged at a probability of one half.",
        "IoU has a floor: a mask that marks nothing has the share of the image outside the lesion as its background "
        "IoU. A loss above the floor is (IoU of the dense network − IoU of the pruned one) / (IoU of the dense network "
        "− IoU of a mask that marks nothing); it is undefined for a seed whose dense network is not above that mask.",
        "Every arm starts from the same plain network of its seed and is fine-tuned alike, for equally many steps: an "
        "epoch shows as many images as there are HTLs. Random images, images by class (rare diagnoses are drawn more "
        "often) and by sex (the share of each sex is kept) are the paper's baselines 4 to 6. Images of lowest dense "
        "IoU and those on which two dense networks disagree most are hard without any pruning; all images ask whether "
        "anything need be left out. Baseline 3 is trained from the start with the focal loss. Baseline 2, a challenge "
        "entry, is out of scope.",
        "Seeds and patients both vary, so intervals and P of differences are over both: the two variances are added, "
        "with Satterthwaite's degrees of freedom (Clark's min F′). With few seeds they are wide. P-values in the "
        "answers are adjusted by Holm's method.",
        "After Jaiswal et al., Attend Who is Weak: Pruning-assisted Medical Image Localization under Sophisticated and "
        "Implicit Imbalances, WACV 2023.",
    ]
