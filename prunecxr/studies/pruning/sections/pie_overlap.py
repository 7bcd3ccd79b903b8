"""What other measures of agreement choose, and how alike that is."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

SECTIONS: tuple[Section[Findings], ...] = (
    Section(
        name="pie_measures",
        title="Measures of agreement",
        table=table_of("pie_measures"),
        note="used: the PIEs of this report are by this one; defined: images with a defined agreement; disagreeing: "
        "those short of perfect agreement, for modal all images on which dense and pruned networks put another class "
        "first; pies: those of lowest agreement, for modal of largest margin; tied: images that share the agreement of "
        "the last PIE, where not all of them are PIEs and the image id decides.",
    ),
    Section(
        name="pie_overlap",
        title="PIEs of different measures of agreement",
        table=table_of("pie_overlap"),
        note="jaccard: images that are PIEs of both measures over those of either; n: of both; expected_jaccard: the "
        "mean of two random sets of these sizes.",
    ),
)
