"""Whether pruning hurts the lesion more than its surroundings."""

from __future__ import annotations

from typing import Any

from prunecxr.report.section import Answer
from prunecxr.report.wording import count, number, percent, sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings


def answer(findings: HtlFindings) -> Answer | None:
    """Whether the foreground loses more than the background, at every pruned share (table 1); None without any."""
    if "effect" not in findings.tables:
        return None
    question, table = "Does pruning hurt the lesion more than its surroundings?", findings.tables["effect"]
    known = table[table["difference"].notna()]
    if known.empty:
        return Answer(question, "Cannot be told: no pruned network has been evaluated on training images.")
    more, clear = known[known["difference"] > 0], known[known["low"] > 0]
    shares = count(len(known), "pruned share")
    if len(clear) == len(known):
        every = f"all {shares}" if len(known) > 1 else "the only pruned share"
        verdict = f"Yes: the foreground loses more of its IoU at {every}."
    elif len(more):
        verdict = f"At {len(more)} of {shares} the foreground loses more ({len(clear)} with an interval above 0)."
    else:
        verdict = f"No: at none of {shares} does the foreground lose more."
    return Answer(question, verdict, " ".join(_effect(row) for row in known.itertuples(index=False)))


def _effect(row: Any) -> str:
    return (
        f"{sparsity(row.fraction)} pruned: foreground {_lost(row.drop_foreground)}, background "
        f"{_lost(row.drop_background)}, difference {_points(row.difference)} points (95% CI {_points(row.low)} to "
        f"{_points(row.high)})."
    )


def _lost(value: float) -> str:
    """A loss as a change: 0.12 -> '−12%', -0.03 -> '+3%'."""
    change = round(-value, 2) + 0.0  # no sign before a zero
    return f"+{percent(change)}" if change > 0 else percent(change)


def _points(value: float) -> str:
    return number(round(100 * value, 1) + 0.0, 1)
