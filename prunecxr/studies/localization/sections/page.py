"""Findings of a localization study -> one self-contained HTML page, like the pruning study's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from prunecxr.report import parts
from prunecxr.report.wording import number, sparsity
from prunecxr.studies.localization.sections import sentences as htl_sentences
from prunecxr.studies.localization.sections.findings import GalleryRow, HtlFindings
from prunecxr.studies.localization.sections.illustrations import illustrate
from prunecxr.studies.localization.sections.sentences import NAMES
from prunecxr.studies.pruning.sections.illustrations import Illustration

NO_WARNINGS = "None: nothing is missing and nothing undefined."
TITLES = {
    "effect": ("Effect of the pruned share (table 1)", "Relative drop of the mean IoU of the training images; sd: over "
               "seeds; low, high: 95% interval of the difference, over patients."),
    "drops": ("What single images lose (figure 2)", "Of the training images, means over seeds; share_large: those that "
              "lose 40% of their IoU or more; undefined: images without a dense IoU."),
    "networks": ("Approaches (table 2)", "Test images, mean over seeds with sample SD. IoU of background and "
                 "foreground, mean of the two, Dice averaged over the two."),
    "paired": ("Fine-tuning on HTLs minus other approaches", "Paired by seed and test image. low_images, high_images: "
               "95% bootstrap interval over patients; low_seeds, high_seeds, p_seeds: Student's t over seeds; p_holm: "
               "adjusted over the approaches of a metric."),
    "ablation": ("Ways of pruning (table 3)", "Test images, mean over seeds with sample SD; drop: dense minus pruned."),
    "methods": ("Fine-tuning on the HTLs of other ways of pruning, minus none (figure 7)", "As in the table above."),
    "mined": ("HTLs by seed", "undefined: images without a relative drop; jaccard: with the HTLs of the other seeds."),
    "groups": ("Sex and age (figure 6)", "HTLs pool the seeds; excess: htl_share minus share; drops: IoU of the dense "
               "minus that of the pruned network; intervals are 95%, over patients; unknown stands as a group."),
    "group_tests": ("Sex and age: tests", "Known groups alone. HTL share: chi-square with a permutation P; mean drop: "
                    "Kruskal-Wallis."),
    "planted": ("HTLs and the images that were drawn hard", "Against as many images chosen at random."),
    "subgroups": ("Planted subgroups", "htl_rate: share that are HTLs, mean over seeds; interval over images."),
}  # fmt: skip


def render(findings: HtlFindings, illustrations: Sequence[Illustration] | None = None) -> str:
    """The report as one HTML document.

    Args:
        findings: every text in them is escaped.
        illustrations: from :func:`sections.illustrations.illustrate`, drawn here if not given.
    """
    drawn = illustrate(findings) if illustrations is None else illustrations
    said = [(one.question, one.verdict, one.evidence) for one in htl_sentences.answers(findings)]
    shown = {TITLES[name]: table for name, table in findings.tables.items() if name in TITLES}
    body = [
        parts.warnings(findings.warnings, NO_WARNINGS),
        parts.answers(said),
        parts.figures(drawn),
        _gallery(findings),
        parts.tables({title: (note, _for_reading(table)) for (title, note), table in _in_order(shown).items()}),
        parts.paragraphs("methods", "Methods", _methods(findings)),
        parts.provenance(findings.provenance),
    ]
    navigation = [
        ("warnings", f"Warnings ({len(findings.warnings)})"), ("figures", "Figures"), ("gallery", "Gallery"),
        ("tables", "Tables"), ("methods", "Methods"), ("provenance", "Provenance"),
    ]  # fmt: skip
    kind = "What is hard to learn"
    return parts.document(f"{kind}: {findings.study}", kind, findings.study, "".join(body), navigation)


def _in_order(shown: dict[tuple[str, str], pd.DataFrame]) -> dict[tuple[str, str], pd.DataFrame]:
    return {title: shown[title] for title in TITLES.values() if title in shown}


def _for_reading(table: pd.DataFrame) -> pd.DataFrame:
    """Approaches by what they are."""
    if "approach" not in table:
        return table
    return table.assign(approach=[_called(name) for name in table["approach"]])


def _called(approach: str) -> str:
    by = approach.partition(":")[2]
    return f"HTLs of {htl_sentences.METHODS.get(by, by)} pruning" if by else NAMES.get(approach, approach)


def _gallery(findings: HtlFindings) -> str:
    heading = "The images that lose most"
    if not findings.gallery:
        return parts.section("gallery", heading, '<p class="quiet">There are no HTLs to show.</p>')
    truth = "of the mask (yellow), " if findings.setting == "supervised" else ""
    what = "foreground IoU" if findings.setting == "supervised" else "agreement of the boxes"
    intro = (
        f"HTLs of seed {findings.gallery[0].seed}: the image, then the outlines {truth}of what the dense network marks "
        f"(blue) and of what the network pruned by {sparsity(findings.prune_fraction)} marks (vermilion); below, their "
        f"{what}, dense and pruned."
    )
    cards = "".join(_card(row) for row in findings.gallery)
    return parts.section("gallery", heading, f'<p>{escape(intro)}</p><div class="figures">{cards}</div>')


def _card(row: GalleryRow) -> str:
    alt = escape(f"Lesion {row.id} with outlines")
    return (
        f'<figure><img alt="{alt}" src="data:image/png;base64,{parts.encoded(row.picture)}">'
        f"<figcaption>{escape(row.id)}: {number(row.iou_dense)} → {number(row.iou_pruned)}</figcaption></figure>"
    )


def _methods(findings: HtlFindings) -> list[str]:
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
        "there are HTLs, drawn otherwise: baseline 4 at random, 5 with rare diagnoses drawn more often, 6 with the "
        "share of each sex kept. Baseline 3 is trained from the start with the focal loss. Baseline 2, a challenge "
        "entry, is out of scope.",
        "Two intervals stand beside each difference, since two things vary: the test images (bootstrap over patients "
        "or lesions, the networks held fixed) and the training (Student's t over seeds, the images held fixed). A few "
        "seeds say little: their interval is wide.",
        "After Jaiswal et al., Attend Who is Weak: Pruning-assisted Medical Image Localization under Sophisticated and "
        "Implicit Imbalances, WACV 2023.",
    ]
