"""The elements of the report of a reader study, in order."""

from __future__ import annotations

from prunecxr.report.section import Report
from prunecxr.studies.readers.sections import readers, summary
from prunecxr.studies.readers.sections.answers import ANSWERS
from prunecxr.studies.readers.sections.findings import ReaderFindings
from prunecxr.studies.readers.sections.methods import methods

SECTIONS = (readers.SECTION, summary.SECTION)

REPORT: Report[ReaderFindings] = Report(
    kind="What readers say of images that dense and pruned models disagree on",
    sections=SECTIONS,
    answers=ANSWERS,
    methods=methods,
    no_warnings="None: every image was answered in full.",
)
