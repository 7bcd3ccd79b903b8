"""Whether the lesion loses more by pruning than its surroundings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, OPPOSITE, YES
from prunecxr.report.section import Answer
from prunecxr.report.wording import count, listing, number, p_value, sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import lost
from prunecxr.studies.localization.sections.verdicts import MIXED
from prunecxr.studies.localization.sections.verdicts import state_of as state_by

QUESTION = "Does the foreground lose more than the background?"
SCALE = "of what it has above a mask that marks nothing"


def answer(findings: HtlFindings) -> Answer | None:
    """Whether the foreground loses a larger share above the floor (table 1); None without training masks."""
    if "effect" not in findings.tables:
        return None
    table = findings.tables["effect"]
    known = table[table["difference"].notna()]
    state, sentence = _verdict(known, findings.alpha)
    evidence = " ".join(_effect(row) for row in known.itertuples(index=False))
    return Answer(QUESTION, sentence, evidence, name="foreground_loses_more", state=state)


def _verdict(known: pd.DataFrame, alpha: float) -> tuple[str, str]:
    if known.empty:
        return CANNOT_BE_TOLD, "Cannot be told: no pruned network has been evaluated on training images."
    if known["floor_background"].isna().all():
        return CANNOT_BE_TOLD, (
            "Cannot be told: these runs do not say what a mask that marks nothing scores, and in raw IoU the "
            "background always has less to lose."
        )
    if (known["above_seeds"] == 0).all():
        return CANNOT_BE_TOLD, (
            "Cannot be told: the dense networks are not above a mask that marks nothing in both regions."
        )
    tested, rest = known[known["above_p_holm"].notna()], _untested(known)
    shown = tested[tested["above_p_holm"] < alpha]
    more, less = shown[shown["above_difference"] > 0], shown[shown["above_difference"] < 0]
    state = state_by(len(more), len(less), len(tested))
    sentences = {
        YES: f"Yes: it loses a larger share {SCALE}{_at(more, tested)}.",
        OPPOSITE: f"The opposite: the background loses a larger share {SCALE}{_at(less, tested)}.",
        MIXED: f"It depends on the pruned share: measured as a share {SCALE}, the foreground loses more at "
        f"{_shares(more)}, the background at {_shares(less)}.",
        NOT_SHOWN: f"Not shown: measured as a share {SCALE}, no difference is shown {_nowhere(tested)}.{_raw(tested)}",
        CANNOT_BE_TOLD: "Cannot be told: that takes two seeds, and a pruned network that still marks something.",
    }
    return state, f"{sentences[state]}{rest if state != CANNOT_BE_TOLD else ''}"


def _raw(tested: pd.DataFrame) -> str:
    """What raw IoU says where the scale with a floor alone makes the difference."""
    if not (tested["low"] > 0).any():
        return ""
    floor = number(tested["floor_background"].iloc[0])
    return (
        f" In raw IoU the foreground loses more, as it does whenever both lose alike: marking nothing already gives "
        f"the background an IoU of {floor}."
    )


def _at(shown: pd.DataFrame, tested: pd.DataFrame) -> str:
    if len(tested) == 1:
        return f", with {_shares(shown)} of the weights pruned"
    if len(shown) == len(tested):
        return f" at each of {len(tested)} pruned shares"
    return f" at {len(shown)} of {len(tested)} pruned shares ({_shares(shown)})"


def _nowhere(tested: pd.DataFrame) -> str:
    if len(tested) == 1:
        return f"with {_shares(tested)} of the weights pruned"
    return f"at any of {count(len(tested), 'pruned share')}"


def _untested(known: pd.DataFrame) -> str:
    """The shares that were left out, with the reason."""
    gone = known[known["at_floor"].astype(bool)]
    if gone.empty:
        return ""
    return f" Left out: {_shares(gone)}, where the pruned networks mark next to nothing of the lesions."


def _shares(rows: pd.DataFrame) -> str:
    return listing(_texts(rows["fraction"]), len(rows))


def _texts(fractions: Iterable[float]) -> list[str]:
    return [sparsity(k) for k in fractions]


def _effect(row: Any) -> str:
    above = ""
    if row.above_seeds:
        test = "not tested" if pd.isna(row.above_p_holm) else f"{p_value(row.above_p_holm)} after Holm"
        interval = "" if pd.isna(row.above_low) else f"{_points(row.above_low)} to {_points(row.above_high)}, "
        above = (
            f"above the floor the foreground loses {lost(row.above_foreground)}, the background "
            f"{lost(row.above_background)}, difference {_points(row.above_difference)} points ({interval}{test}); "
        )
    return (
        f"{sparsity(row.fraction)} pruned: {above}of its raw IoU the foreground loses {lost(row.drop_foreground)}, "
        f"the background {lost(row.drop_background)}."
    )


def _points(value: float) -> str:
    return number(round(100 * value, 1) + 0.0, 1)
