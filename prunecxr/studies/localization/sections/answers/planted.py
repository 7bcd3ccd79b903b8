"""Whether HTLs find the images that were drawn hard."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, OPPOSITE, YES
from prunecxr.report.section import Answer
from prunecxr.report.wording import number, p_value, percent
from prunecxr.studies.localization.sections.findings import HtlFindings

QUESTION = "Do HTLs find the images that were drawn hard?"


def answer(findings: HtlFindings) -> Answer | None:
    """How often HTLs were drawn hard, against a random choice; None where none were."""
    if "planted" not in findings.tables:
        return None
    table = findings.tables["planted"]
    every = table.iloc[-1]
    state, sentence = _verdict(every, findings.alpha)
    return Answer(
        QUESTION, sentence, "" if np.isnan(every.precision) else _evidence(table), name="planted_found", state=state
    )


def _verdict(every: pd.Series, alpha: float) -> tuple[str, str]:
    if np.isnan(every.precision):
        return CANNOT_BE_TOLD, "Cannot be told: there are no HTLs."
    if np.isnan(every.p):
        return CANNOT_BE_TOLD, "Cannot be told: all images were drawn alike, or are HTLs alike."
    times = f"images drawn hard are {number(every.lift, 1)} times as frequent among HTLs as among all (mean over seeds)"
    if every.p >= alpha:
        return NOT_SHOWN, f"Not shown: {times}, which a random choice may come to as well ({p_value(every.p)})."
    start, state = ("Yes", YES) if every.lift > 1 else ("The opposite", OPPOSITE)
    return state, f"{start}: {times}, {p_value(every.p)}."


def _evidence(table: pd.DataFrame) -> str:
    every = table.iloc[-1]
    results = " ".join(
        f"Seed {row.seed}: precision {percent(row.precision)} (95% of random choices: "
        f"{percent(row.random_precision_low)} to {percent(row.random_precision_high)}), recall {percent(row.recall)}."
        for row in table.iloc[:-1].itertuples(index=False)
    )
    return (
        f"Mean precision {percent(every.precision)} against {percent(every.random_precision)} at random, recall "
        f"{percent(every.recall)} against {percent(every.random_recall)}. {results}"
    )
