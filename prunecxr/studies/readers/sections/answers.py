"""The question that readers were asked, and whether they answered it otherwise of PIEs than of other images."""

from __future__ import annotations

from collections.abc import Callable

from prunecxr.report import reader_answers
from prunecxr.report.section import Answer
from prunecxr.studies.readers.sections.findings import ReaderFindings
from prunecxr.studies.readers.sections.form import ASKED


def asked(question: str) -> Callable[[ReaderFindings], Answer | None]:
    """The answer to one question of the form; None where the summary has no row of it."""

    def answer(findings: ReaderFindings) -> Answer | None:
        rows = reader_answers.adjusted(findings.summary)
        for row in rows[rows["question"] == question].itertuples(index=False):
            return Answer(
                ASKED[question][0],
                reader_answers.verdict(row, findings.alpha),
                reader_answers.evidence(row),
                name=f"readers_{question}",
                state=reader_answers.state(row, findings.alpha),
            )
        return None

    return answer


ANSWERS = tuple(asked(question) for question in ASKED)
