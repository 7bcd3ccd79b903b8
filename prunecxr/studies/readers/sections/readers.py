"""The answers by question, of PIEs and of other images (figure 6)."""

from __future__ import annotations

from prunecxr.report import reader_answers
from prunecxr.report.section import Section
from prunecxr.studies.readers.sections.findings import ReaderFindings

SECTION: Section[ReaderFindings] = Section(
    name="readers",
    title="Readers' answers",
    figure=lambda findings: reader_answers.figure(findings.summary, findings.alpha),
    caption=lambda _: reader_answers.LEGEND,
    alt=lambda _: reader_answers.ALT,
)
