"""The elements of a report. One file of a study's `sections/` makes an element, and its `catalogue.py` lists it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.style import styled

if TYPE_CHECKING:
    from prunecxr.report.gallery import Gallery


class Findings(Protocol):
    """What every study's findings hold, whatever else they do."""

    @property
    def study(self) -> str:
        """Its name."""

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Tables of the analysis by name; each becomes a file. One that is absent leaves out what shows it."""

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences about what is missing or undefined."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """Label -> text, in order: data set, seeds, versions, run ids ..."""


F = TypeVar("F")
T = TypeVar("T", bound=Findings)


def _always(_findings: object) -> bool:
    return True


def _no_words(_findings: object) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Section(Generic[F]):
    """One element: a figure, a table, or both. Page, contents and files follow from it.

    Attributes:
        name: of its files `figures/<name>.png`, `figures/<name>.svg` and `tables/<name>.csv`; unique in a report.
        title: short, with the paper's figure or table that it is the counterpart of.
        part: heading that its figure stands under.
        table: what the page shows; None where the findings have no such table.
        note: what its columns mean.
        marks: text of a cell -> CSS class: `good`, `bad` or `open`.
        csv: whether the table is a file; False where it is a part of another table, which is one.
        figure: draws it; called within the style of the report.
        caption: the sentence that the figure supports, with its numbers, n, tests and definitions.
        alt: what the figure shows, for those who cannot see it.
        wanted: whether there is data for the figure.
        absent: what is said in place of a figure without data; nothing by default.
        on_page: False for a figure whose content the page shows in another way.
    """

    name: str
    title: str
    part: str = ""
    table: Callable[[F], pd.DataFrame | None] | None = None
    note: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)
    csv: bool = True
    figure: Callable[[F], Figure] | None = None
    caption: Callable[[F], str] = _no_words
    alt: Callable[[F], str] = _no_words
    wanted: Callable[[F], bool] = _always
    absent: Callable[[F], str] = _no_words
    on_page: bool = True

    def draw(self, findings: F) -> Figure | None:
        """The figure in the style of the report; None where there is none, or no data for it."""
        if self.figure is None or not self.wanted(findings):
            return None
        with styled():
            return self.figure(findings)


@dataclass(frozen=True)
class Answer:
    """What was asked, the answer in a sentence, and the numbers behind it.

    Attributes:
        name: of the question, in the table of verdicts; an answer without one is not in it.
        state: what the answer comes to, for other programs: one of
            :data:`prunecxr.analysis.verdicts.STATES`, or the value that was asked for.
    """

    question: str
    verdict: str
    evidence: str = ""
    name: str = ""
    state: str = ""

    def __str__(self) -> str:
        return f"{self.verdict} {self.evidence}".strip()


@dataclass(frozen=True, kw_only=True)
class Report(Generic[T]):
    """What a study's report is made of.

    Attributes:
        kind: what reports of this kind are about; stands above the name of the study.
        sections: figures and tables, in order.
        answers: each answers one question, or returns None where there is no data for it.
        methods: paragraphs on how the numbers came about.
        gallery: images to be looked at.
        introduction: stands above the figures.
        no_warnings: what to say where there are none.
    """

    kind: str
    sections: Sequence[Section[T]]
    answers: Sequence[Callable[[T], Answer | None]]
    methods: Callable[[T], Sequence[str]]
    gallery: Callable[[T], Gallery] | None = None
    introduction: str = ""
    no_warnings: str = "None: nothing is missing and nothing undefined."

    def answer(self, findings: T) -> list[Answer]:
        """What opens the page, in the order of the questions."""
        answers = [answer(findings) for answer in self.answers]
        return [answer for answer in answers if answer is not None]


def verdict_table(answers: Sequence[Answer]) -> pd.DataFrame:
    """The named answers as rows: question, answer (its state), sentence (as in the report)."""
    rows = [(answer.name, answer.state, f"{answer.question} {answer.verdict}") for answer in answers if answer.name]
    return pd.DataFrame(rows, columns=["question", "answer", "sentence"])


def from_analysis(
    name: str, shape: Callable[[pd.DataFrame], pd.DataFrame] | None = None
) -> Callable[[Findings], pd.DataFrame | None]:
    """For :attr:`Section.table`: a table of the analysis.

    Args:
        name: of the table.
        shape: table -> what the page shows of it; all of it by default.
    """

    def shown(findings: Findings) -> pd.DataFrame | None:
        table = findings.tables.get(name)
        return table if table is None or shape is None else shape(table)

    return shown


def has(*names: str) -> Callable[[Findings], bool]:
    """For :attr:`Section.wanted`: whether the findings have these tables."""
    return lambda findings: all(name in findings.tables for name in names)


def verdict_of(answer: Callable[[F], Answer | None]) -> Callable[[F], str]:
    """For :attr:`Section.caption`: the verdict of an answer, for a figure that shows nothing else."""

    def verdict(findings: F) -> str:
        given = answer(findings)
        return given.verdict if given else ""

    return verdict
