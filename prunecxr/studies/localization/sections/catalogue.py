"""The elements of the report of a localization study, in order: a new one is a file and a line here."""

from __future__ import annotations

from prunecxr.report.section import Report, Section
from prunecxr.studies.localization.sections import (
    ablation,
    drops,
    effect,
    groups,
    mined,
    networks,
    other_methods,
    paired,
    planted,
    subgroups,
)
from prunecxr.studies.localization.sections.answers import (
    costliest,
    finetuning,
    hard_images,
    losers,
    people,
    regions,
)
from prunecxr.studies.localization.sections.answers import planted as drawn_hard
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.gallery import gallery
from prunecxr.studies.localization.sections.methods import methods

SECTIONS: tuple[Section[HtlFindings], ...] = (
    effect.SECTION,
    drops.SECTION,
    *ablation.SECTIONS,
    networks.SECTION,
    *paired.SECTIONS,
    *other_methods.SECTIONS,
    mined.SECTION,
    *groups.SECTIONS,
    planted.SECTION,
    subgroups.SECTION,
)

ANSWERS = (
    regions.answer,
    losers.answer,
    hard_images.answer,
    finetuning.answer,
    costliest.answer,
    people.answer,
    drawn_hard.answer,
)

REPORT: Report[HtlFindings] = Report(
    kind="What is hard to learn", sections=SECTIONS, answers=ANSWERS, methods=methods, gallery=gallery
)
