"""Whether fine-tuning on HTLs helps, more than what is no matter of pruning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, OPPOSITE, YES
from prunecxr.report.section import Answer
from prunecxr.report.wording import listing
from prunecxr.studies.localization.arms import ARMS
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import approach, difference
from prunecxr.studies.localization.sections.verdicts import MIXED
from prunecxr.studies.localization.sections.verdicts import state_of as state_by

QUESTION = "Do HTLs help?"
# What HTLs must beat: any images (is it the choice?), hard ones found without pruning (is it the pruning?), and all
# images for equally many steps (is it worth leaving the others out?).
DECISIVE = ("random", "lowest_iou", "all")


def answer(findings: HtlFindings) -> Answer:
    """HTLs against the arms that tell pruning from hardness and from further training (table 2)."""
    table = findings.tables["paired"]
    rows = (
        {row.approach: row for row in table[table["metric"] == "foreground"].itertuples(index=False)}
        if len(table)
        else {}
    )
    if not rows:
        return Answer(
            QUESTION, "Cannot be told: no network was fine-tuned on HTLs.", name="htl_help", state=CANNOT_BE_TOLD
        )
    state, sentence = _verdict(rows, findings.alpha)
    compared = [name for name in (*DECISIVE, "plain") if name in rows]
    numbers = "; ".join(f"{approach(name)} {difference(rows[name])}" for name in compared)
    evidence = f"Foreground IoU on the test images, HTLs minus: {numbers}." if compared else ""
    return Answer(QUESTION, sentence, evidence, name="htl_help", state=state)


def _verdict(rows: Mapping[str, Any], alpha: float) -> tuple[str, str]:
    there = [name for name in DECISIVE if name in rows]
    tested = [name for name in there if not np.isnan(rows[name].p_holm)]
    shown = [name for name in tested if rows[name].p_holm < alpha]
    more = [name for name in shown if rows[name].difference > 0]
    less = [name for name in shown if rows[name].difference < 0]
    missing = [name for name in DECISIVE if name not in tested]
    state = state_by(len(more) if len(more) == len(DECISIVE) else 0, len(less), len(tested))
    if less and more:
        state = MIXED
    if state == NOT_SHOWN and missing:
        state = CANNOT_BE_TOLD
    return state, f"{_sentence(state, more, less, [n for n in tested if n not in shown])}{_missing(missing, there)}"


def _sentence(state: str, more: Sequence[str], less: Sequence[str], open_: Sequence[str]) -> str:
    higher = f"foreground IoU is higher after fine-tuning on them than on {_listed(more)}"
    lower = f"foreground IoU is lower after fine-tuning on them than on {_listed(less)}"
    no_difference = f"against {_listed(open_)} no difference is shown"
    if state == YES:
        return f"Yes: {higher}."
    if state == OPPOSITE:
        return f"The opposite: {lower}{f'; {no_difference}' if open_ else ''}."
    if state == MIXED:
        return f"It depends on the comparison: {higher}, but lower than on {_listed(less)}."
    parts = [*([higher] if more else []), *([no_difference] if open_ else [])]
    start = "Not shown" if state == NOT_SHOWN else "Cannot be told"
    return f"{start}: {'; '.join(parts)}." if parts else f"{start}."


def _missing(missing: Sequence[str], there: Sequence[str]) -> str:
    """Which comparisons are missing, and why."""
    absent = [name for name in missing if name not in there]
    untested = [name for name in missing if name in there]
    said = f" Missing: the comparison with {_listed(absent)}." if absent else ""
    return said + (f" Not tested, for want of a second seed: {_listed(untested)}." if untested else "")


def _listed(names: Sequence[str]) -> str:
    return listing(ARMS[name].words for name in names)
