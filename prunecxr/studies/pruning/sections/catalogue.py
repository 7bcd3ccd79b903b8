"""The elements of the report of a pruning study, in order: a new one is a file and a line here."""

from __future__ import annotations

from prunecxr.report.section import Report, Section
from prunecxr.studies.pruning.sections import (
    calibration,
    chance_correction,
    change_at_max,
    classes,
    correlations,
    curves,
    first_drop,
    interaction,
    label_counts,
    operating_points,
    overall,
    pair_correlations,
    pair_tests,
    pairs,
    pie_null,
    pie_overlap,
    pie_ratios,
    pie_stability,
    pies,
    pruning_methods,
    readers,
    safe_sparsity,
    scale_curves,
    subgroups,
    training,
    weights,
)
from prunecxr.studies.pruning.sections.answers import (
    exemplars,
    first_forgotten,
    most_forgotten,
    pair_frequency,
    rare_classes,
    safe,
)
from prunecxr.studies.pruning.sections.answers import overall as overall_drop
from prunecxr.studies.pruning.sections.answers import pairs as likeness
from prunecxr.studies.pruning.sections.answers import subgroups as failed
from prunecxr.studies.pruning.sections.definitions import DEFINITIONS
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.gallery import gallery
from prunecxr.studies.pruning.sections.methods import methods

OF_PAIRS = [
    section
    for definition in DEFINITIONS
    for section in (*pairs.figure_sections(definition), *interaction.figure_sections(definition))
]

SECTIONS: tuple[Section[Findings], ...] = (
    safe_sparsity.SECTION,
    training.SECTION,
    label_counts.SECTION,
    *overall.SECTIONS,
    *weights.SECTIONS,
    *pruning_methods.SECTIONS,
    classes.SECTION,
    *scale_curves.SECTIONS,
    *curves.SECTIONS,
    *first_drop.SECTIONS,
    *change_at_max.SECTIONS,
    chance_correction.SECTION,
    correlations.SECTION,
    pair_correlations.SECTION,
    pair_tests.SECTION,
    *OF_PAIRS,
    *interaction.TABLES,
    pairs.TABLE,
    *operating_points.SECTIONS,
    *calibration.SECTIONS,
    *subgroups.SECTIONS,
    *pie_ratios.SECTIONS,
    *pie_null.SECTIONS,
    *pie_overlap.SECTIONS,
    pie_stability.SECTION,
    *pies.SECTIONS,
    readers.SECTION,
)

ANSWERS = (
    safe.answer,
    overall_drop.answer,
    first_forgotten.answer,
    most_forgotten.answer,
    rare_classes.answer,
    likeness.answer,
    pair_frequency.answer,
    exemplars.answer,
    failed.answer,
)

REPORT: Report[Findings] = Report(
    kind="What pruning forgets",
    sections=SECTIONS,
    answers=ANSWERS,
    methods=methods,
    gallery=gallery,
    introduction="Numbers in brackets are those of the figures in the paper. Whatever is measured on AP stands beside "
    "its chance-corrected counterpart.",
)
