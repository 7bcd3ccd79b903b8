"""The elements of the report of a search, in order: a new one is a file and a line here."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from prunecxr.report.section import Report, Section
from prunecxr.report.writing import write
from prunecxr.studies.search.sections import history, importances, parallel, slices, trials
from prunecxr.studies.search.sections.answer import answer
from prunecxr.studies.search.sections.findings import SearchFindings
from prunecxr.studies.search.sections.methods import methods

SECTIONS: tuple[Section[SearchFindings], ...] = (
    history.SECTION,
    importances.SECTION,
    slices.SECTION,
    parallel.SECTION,
    trials.SECTION,
)
REPORT: Report[SearchFindings] = Report(
    kind="Search for the best training options",
    sections=SECTIONS,
    answers=(answer,),
    methods=methods,
    no_warnings="None: no trial failed.",
)


def write_report(folder: Path, findings: SearchFindings) -> list[str]:
    """Write page, figures and table of a search with a complete trial.

    Returns:
        Why figures are not there that too few complete trials do not allow, a sentence each.
    """
    with mpl.rc_context({"savefig.bbox": "tight"}):  # Optuna leaves tick labels and legends outside
        write(folder, REPORT, findings)
    return [section.absent(findings) for section in SECTIONS if not section.wanted(findings)]
