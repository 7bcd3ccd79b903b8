"""The numbers behind the answers, question by question."""

from __future__ import annotations

from prunecxr.report.section import Section, from_analysis
from prunecxr.studies.readers.sections.findings import ReaderFindings

SECTION: Section[ReaderFindings] = Section(
    name="reader_summary", title="Answers by question", table=from_analysis("reader_summary")
)
