"""The table of all trials."""

from __future__ import annotations

from prunecxr.report.section import Section, from_analysis
from prunecxr.studies.search.sections.findings import SearchFindings

SECTION: Section[SearchFindings] = Section(
    name="trials",
    title="All trials",
    table=from_analysis("trials"),
    note="mean_ap: the value that is maximised; of a pruned trial, that of its last epoch. attempts: how often it was "
    "begun. own: the recipe's own options. same_as: the trial that had tried the same options.",
)
