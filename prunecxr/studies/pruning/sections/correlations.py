"""Class frequency and forgetting: every correlation."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

SECTION: Section[Findings] = Section(
    name="correlations",
    title="Class frequency and forgetting",
    table=table_of("correlations"),
    note="n: classes in Spearman's rho; n_pearson: in Pearson's r, without the censored ones.",
)
