"""The figures of a search for hyper-parameters, in order: a new one is a file and a line here."""

from __future__ import annotations

import matplotlib as mpl
import optuna

from prunecxr.report.illustration import illustrate
from prunecxr.report.section import Section
from prunecxr.studies.search.sections import history, importances, parallel, slices

SECTIONS: tuple[Section[optuna.Study], ...] = (
    history.SECTION,
    importances.SECTION,
    slices.SECTION,
    parallel.SECTION,
)


def draw(study: optuna.Study) -> tuple[dict[str, tuple[bytes, bytes]], dict[str, str]]:
    """Every figure, over the complete trials.

    Args:
        study: trials numbered as users count.
    Returns:
        name -> PNG and SVG; and name -> why it is not there, for figures that too few complete trials do not allow.
    """
    with mpl.rc_context({"savefig.bbox": "tight"}):  # Optuna leaves tick labels and legends outside
        drawn = {picture.name: (picture.png, picture.svg) for picture in illustrate(SECTIONS, study)}
    absent = {section.name: section.absent(study) for section in SECTIONS if not section.wanted(study)}
    return drawn, absent
