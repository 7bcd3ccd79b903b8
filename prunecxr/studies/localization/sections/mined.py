"""HTLs by seed."""

from __future__ import annotations

from prunecxr.report.section import Section, from_analysis
from prunecxr.studies.localization.sections.findings import HtlFindings

SECTION: Section[HtlFindings] = Section(
    name="mined",
    title="HTLs by seed",
    table=from_analysis("mined"),
    note="undefined: images without a relative drop; jaccard: mean index with the HTLs of the other seeds; "
    "random_jaccard: what random sets of these sizes have on average, random_jaccard_high: what 97.5% do not exceed.",
)
