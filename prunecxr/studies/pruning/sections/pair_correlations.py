"""Pairs of classes: correlations with the difference of their curves, as in the paper."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

SECTION: Section[Findings] = Section(
    name="pair_correlations",
    title="Pairs of classes: correlations with FCD",
    table=table_of("pair_correlations"),
    note="y: FCD of raw and of chance-corrected curves, in each definition; n: pairs. P takes pairs as independent, as "
    "in the paper, which pairs that share a class are not.",
)
