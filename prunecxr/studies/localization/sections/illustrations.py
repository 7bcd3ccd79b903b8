"""Which figures a localization study has, each with the sentence that it supports and a text for the blind."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from prunecxr.report.style import as_svg
from prunecxr.studies.localization.sections import figures as htl_figures
from prunecxr.studies.localization.sections import sentences as htl_sentences
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.sentences import NAMES
from prunecxr.studies.pruning.sections.illustrations import Illustration

LARGE_DROP = 0.4
PRUNING, ATTENDING, WHO = "Pruning", "Fine-tuning", "Who the HTLs are"
Drawn = tuple[str, str, str, str, str, Figure]


def illustrate(findings: HtlFindings) -> list[Illustration]:
    """Every figure that the findings have data for, in the order of the report."""
    drawn = [*_pruning(findings), *_attending(findings), *_who(findings)]
    return [
        Illustration(name, part, title, caption, alt, figure, as_svg(figure))
        for name, part, title, caption, alt, figure in drawn
    ]


def _pruning(findings: HtlFindings) -> Iterator[Drawn]:
    tables = findings.tables
    if "effect" in tables and tables["effect"]["difference"].notna().any():
        yield (
            "effect", PRUNING, "Effect of the pruned share (table 1)", htl_sentences.regions(findings).verdict,
            "Two lines, foreground and background: share of the IoU that is lost by pruned share of the weights.",
            htl_figures.effect(tables["effect"]),
        )  # fmt: skip
    if "drop_histogram" in tables:
        yield (
            "drops", PRUNING, "What single images lose (figure 2)", htl_sentences.losers(findings).verdict,
            "Two histograms, foreground and background: share of its IoU that an image loses.",
            htl_figures.drops(tables["drop_histogram"], LARGE_DROP),
        )  # fmt: skip
    networks = tables["networks"].set_index("approach")
    if len(tables["ablation"]):
        yield (
            "pruning_methods", PRUNING, "Ways of pruning (table 3)",
            f"What costs most: {htl_sentences.methods(findings).verdict}",
            "One line a pruning method: foreground IoU on the test images by pruned share.",
            htl_figures.methods(
                tables["ablation"], float(networks.loc["plain", "foreground"]),
                lambda name: htl_sentences.METHODS.get(name, name),
            ),
        )  # fmt: skip


def _attending(findings: HtlFindings) -> Iterator[Drawn]:
    tables = findings.tables
    if len(tables["paired"]):
        yield (
            "finetuning", ATTENDING, "Fine-tuning on HTLs against the baselines (table 2)",
            htl_sentences.approaches_caption(findings),
            "One row a baseline: difference in foreground IoU of fine-tuning on HTLs, with intervals over test images "
            "and over seeds.",
            htl_figures.differences(
                tables["paired"], lambda name: NAMES.get(name, name), "foreground IoU, HTLs minus baseline"
            ),
        )  # fmt: skip
    if "methods" in tables and len(tables["methods"]):
        yield (
            "finetuning_methods", ATTENDING, "HTLs of other ways of pruning (figure 7)",
            htl_sentences.method_caption(findings),
            "One row a pruning method: foreground IoU after fine-tuning on its HTLs minus before, with intervals.",
            htl_figures.differences(
                tables["methods"], lambda name: htl_sentences.tuned_by(name, findings),
                "foreground IoU, fine-tuned minus plain",
            ),
        )  # fmt: skip


def _who(findings: HtlFindings) -> Iterator[Drawn]:
    tables = findings.tables
    for variable in ("sex", "age"):
        rows = tables["groups"][tables["groups"]["variable"] == variable]
        if rows["htl_share"].notna().any():
            yield (
                variable, WHO, f"{variable.capitalize()} of the patients (figure 6)",
                htl_sentences.group_caption(findings, variable),
                f"Two panels by {variable}: shares of all images and of the HTLs; mean drop of an image with interval.",
                htl_figures.groups(rows),
            )  # fmt: skip
    if "planted" in tables and tables["planted"]["precision"].notna().any():
        yield (
            "planted", WHO, "HTLs and the images that were drawn hard", htl_sentences.planted(findings).verdict,
            "One bar a seed: share of the HTLs that were drawn hard, with the range of random choices.",
            htl_figures.planted(tables["planted"]),
        )  # fmt: skip
        yield (
            "subgroups", WHO, "Planted subgroups", htl_sentences.subgroup_caption(findings),
            "One bar a planted subgroup: share of its images that are HTLs, with interval.",
            htl_figures.subgroups(tables["subgroups"]),
        )  # fmt: skip
