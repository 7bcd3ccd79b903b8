"""Answers that say in a word what they come to: for tables, other programs and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from prunecxr.report.section import Answer

YES, OPPOSITE, NOT_SHOWN, CANNOT_BE_TOLD = "yes", "opposite", "no_association_shown", "cannot_be_told"
MIXED = "mixed"  # shown in both directions


@dataclass(frozen=True)
class Verdict(Answer):
    """An answer with its name and its state.

    Attributes:
        name: of the question.
        state: `yes`, `opposite`, `no_association_shown`, `cannot_be_told` or `mixed`; or the value that was asked for.
    """

    name: str = ""
    state: str = ""


def verdict_table(answers: Sequence[Answer]) -> pd.DataFrame:
    """The answers as rows: question, answer, sentence (question and verdict as in the report)."""
    rows = [
        {"question": answer.name, "answer": answer.state, "sentence": f"{answer.question} {answer.verdict}"}
        for answer in answers
        if isinstance(answer, Verdict)
    ]
    return pd.DataFrame(rows, columns=["question", "answer", "sentence"])


def state_of(more: int, less: int, tested: int) -> str:
    """The state of a question that several tests answer.

    Args:
        more, less: tests that show either direction, after Holm.
        tested: how many there were.
    """
    if not tested:
        return CANNOT_BE_TOLD
    if more and less:
        return MIXED
    return YES if more else OPPOSITE if less else NOT_SHOWN
