"""Whether HTLs find the images that were drawn hard."""

from __future__ import annotations

import numpy as np

from prunecxr.report.section import Answer
from prunecxr.report.wording import count, number, p_value, percent
from prunecxr.studies.localization.sections.findings import HtlFindings


def answer(findings: HtlFindings) -> Answer | None:
    """Precision and recall of the HTLs for images that were drawn hard, against a random choice; None without any."""
    if "planted" not in findings.tables:
        return None
    table = findings.tables["planted"]
    each, every = table.iloc[:-1], table.iloc[-1]
    question = "Do HTLs find the images that were drawn hard?"
    if np.isnan(every.precision):
        return Answer(question, "Cannot be told: there are no HTLs.")
    better = int((each["precision"] > each["random_precision_high"]).sum())
    worse = int((each["precision"] < each["random_precision_low"]).sum())
    of = count(len(each), "seed")
    if better == len(each):
        verdict = f"Yes: {number(every.lift, 1)} times as often as a random choice, in every one of {of}."
    elif better:
        verdict = f"In {better} of {of} more often than a random choice."
    elif worse:
        verdict = f"No: in {worse} of {of} less often than a random choice."
    else:
        verdict = f"No: in none of {of} more often than a random choice."
    results = " ".join(
        f"Seed {row.seed}: precision {percent(row.precision)} (95% of random choices: "
        f"{percent(row.random_precision_low)} to {percent(row.random_precision_high)}, {p_value(row.p)}), "
        f"recall {percent(row.recall)}."
        for row in each.itertuples(index=False)
    )
    means = (
        f"Mean precision {percent(every.precision)} against {percent(every.random_precision)} at random, recall "
        f"{percent(every.recall)} against {percent(every.random_recall)}."
    )
    return Answer(question, verdict, f"{means} {results}")
