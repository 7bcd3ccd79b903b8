"""HTLs by seed."""

from __future__ import annotations

from prunecxr.report.section import Section, from_analysis
from prunecxr.studies.localization.sections.findings import HtlFindings

SECTION: Section[HtlFindings] = Section(
    name="mined",
    title="HTLs by seed",
    table=from_analysis("mined"),
    note="undefined: images without a relative drop; jaccard: with the HTLs of the other seeds.",
)
