"""How much of the PIEs other seeds find again."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

SECTION: Section[Findings] = Section(
    name="pie_stability",
    title="PIEs of two parts of the seeds",
    table=table_of("pie_stability"),
    note="The seeds are parted in two, of seeds_a and seeds_b; jaccard: images that are PIEs of both parts over those "
    "of either; n: of both; expected_jaccard: the mean of two random sets of these sizes. No network is in both parts.",
)
