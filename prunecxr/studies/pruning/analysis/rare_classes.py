"""Are rare classes forgotten more? One answer per scale, since each holds something else equal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunecxr.analysis.association import holm
from prunecxr.analysis.permutation import correlation_p
from prunecxr.analysis.twoway import Draws, drawn, estimate, median
from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, OPPOSITE, OWN_PREVALENCE, YES
from prunecxr.studies.pruning.analysis import equal_forgetting
from prunecxr.studies.pruning.analysis.equal_forgetting import Null, correlations, first_drops
from prunecxr.studies.pruning.analysis.rankings import MIN_SEEDS, Rankings, plain_changes
from prunecxr.studies.pruning.analysis.scales import FREE, SCALES, Scale

OUTCOMES = ("change", "first_drop")
MIN_CLASSES = 5
AGREEING = 2  # prevalence-free scales that must show it, while all three point the same way


@dataclass(frozen=True)
class Question:
    """What rare classes are asked about.

    Attributes:
        rankings: of the study.
        frequency: training images of each class (test images where those are unknown), shape (n_classes,).
        sparsity: where changes are asked; the highest that is not collapsed, NaN if there is none.
        classes: those that take part: known by the dense networks, with enough positives and a frequency; bool.
    """

    rankings: Rankings
    frequency: np.ndarray
    sparsity: float
    classes: np.ndarray

    @classmethod
    def of(cls, rankings: Rankings, frequency: np.ndarray) -> Question:
        taking_part = rankings.known()[0] & ~rankings.few & (frequency > 0)
        return cls(rankings, frequency, rankings.asked(), taking_part)

    @property
    def at(self) -> int:
        """Place of the sparsity."""
        return int(np.flatnonzero(np.isclose(self.rankings.sparsities, self.sparsity))[0])

    @property
    def usable(self) -> np.ndarray:
        """Places of the sparsities above 0 up to the one asked at, collapsed ones left out."""
        rankings = self.rankings
        kept = (rankings.sparsities > 0) & ~rankings.collapsed() & (rankings.sparsities <= self.sparsity)
        return np.flatnonzero(kept)


def rare_classes(question: Question, draws: Draws, null: Null | None, first_drop_null: Null | None) -> pd.DataFrame:
    """Correlation over classes of log frequency with what they lose, on every scale.

    Args:
        draws: of the seeds and patients of the study.
        null: studies of equal forgetting at the sparsity of the question; None leaves out the null.
        first_drop_null: the same at all usable sparsities.

    Returns:
        Columns scale, outcome (``change``: relative change at ``sparsity``; ``first_drop``: smallest sparsity with a
        change below -20%, classes without one sharing the last rank), sparsity, n (classes that take part), n_known
        (classes the dense networks know), spearman_rho (above 0: rare classes lose more, or earlier), p (permutation
        of classes), p_holm (over the three prevalence-free scales), rho_low, rho_high (95%, over seeds and patients),
        partial_rho (given dense AUROC), null_rho, null_low, null_high, null_p (equal-forgetting null, for AP scales).
    """
    rows = []
    known = int(question.rankings.known()[0].sum())
    for scale in SCALES.values():
        for outcome in OUTCOMES:
            row = {"scale": scale.name, "outcome": outcome, "sparsity": question.sparsity, "n_known": known}
            simulated = null if outcome == "change" else first_drop_null
            if not np.isnan(question.sparsity):
                row |= _association(question, scale, outcome, draws, simulated)
            rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=_COLUMNS)
    if len(question.rankings.seeds) < MIN_SEEDS:
        table[["p", "null_p"]] = np.nan
    for outcome in OUTCOMES:
        tested = table["scale"].isin(FREE) & (table["outcome"] == outcome)
        table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"])
    return table


def verdict(table: pd.DataFrame, alpha: float = 0.05, outcome: str = "change") -> str:
    """What the table comes to, one of the five states of :mod:`prunecxr.analysis.verdicts`.

    ``yes`` or ``opposite``: the same sign on all three prevalence-free scales, and P < alpha after Holm on two of them.
    ``only_at_own_prevalence``: neither, and P < alpha on the AP scale. ``cannot_be_told``: P is undefined.
    """
    rows = table[table["outcome"] == outcome].set_index("scale")
    free, own = rows.loc[list(FREE)], rows.loc["ap"]
    if free["p"].isna().any():
        return CANNOT_BE_TOLD
    signs = np.sign(free["spearman_rho"].to_numpy())
    if (signs == signs[0]).all() and (free["p_holm"] < alpha).sum() >= AGREEING:
        return YES if signs[0] > 0 else OPPOSITE
    return OWN_PREVALENCE if own["p"] < alpha else NOT_SHOWN


_COLUMNS = (
    "scale", "outcome", "sparsity", "n", "n_known", "spearman_rho", "p", "p_holm", "rho_low", "rho_high",
    "partial_rho", "null_rho", "null_low", "null_high", "null_p",
)  # fmt: skip


def _association(question: Question, scale: Scale, outcome: str, draws: Draws, null: Null | None) -> dict[str, float]:
    """One row's numbers."""
    changes = median(plain_changes(question.rankings, scale).to_numpy())
    values = _outcome(question, changes, outcome)
    part = question.classes & ~np.isnan(values)
    x = np.log(question.frequency, where=part, out=np.full(len(part), np.nan))
    if part.sum() < MIN_CLASSES or np.ptp(np.nan_to_num(values[part], posinf=2)) < 1e-12 or np.ptp(x[part]) == 0:
        return {"n": int(part.sum())}
    rho = float(correlations(x[part], values[None, part])[0])
    test = correlation_p(x[part], np.nan_to_num(values[part], posinf=2)).iloc[0]
    low, high = _interval(question, scale, outcome, draws, part, rho)
    numbers = {"n": int(part.sum()), "spearman_rho": rho, "p": float(test.spearman_p), "rho_low": low, "rho_high": high}
    numbers["partial_rho"] = _partial(rho, x[part], values[part], _dense_auroc(question)[part])
    if null is not None and not scale.free:
        simulated = null.corrected if scale.name == "ap_chance" else null.changes
        outcomes = _of_null(question, simulated, outcome)[:, part]
        complete = ~np.isnan(outcomes).any(axis=1)
        names = ("null_rho", "null_low", "null_high", "null_p")
        found = equal_forgetting.compare(rho, correlations(x[part], outcomes[complete]))
        numbers |= dict(zip(names, found, strict=True))
    return numbers


def _outcome(question: Question, changes: np.ndarray, outcome: str) -> np.ndarray:
    """From medians of changes, shape (n_sparsities, n_classes): the outcome of each class, shape (n_classes,)."""
    if outcome == "change":
        return changes[question.at]
    usable = question.usable
    drops = first_drops(changes[usable], question.rankings.sparsities[usable])
    return np.where(np.isnan(changes[usable]).all(axis=0), np.nan, drops)


def _of_null(question: Question, simulated: np.ndarray, outcome: str) -> np.ndarray:
    """The outcomes of simulated studies, shape (n_studies, n_classes)."""
    if outcome == "change":
        return simulated[:, -1]
    return first_drops(simulated[:, 1:], question.rankings.sparsities[question.usable])


def _interval(
    question: Question, scale: Scale, outcome: str, draws: Draws, part: np.ndarray, rho: float
) -> tuple[float, float]:
    """95% interval of rho over seeds and patients, on Fisher's scale.

    Draws carry the noise of the estimate once more, which weakens their correlations: their spread counts, not where
    they lie.
    """
    places = [question.at] if outcome == "change" else question.usable.tolist()
    by_sparsity = []
    for k, (values, influences) in enumerate(question.rankings.changes_of(scale)):
        if k in places:
            chosen, moved = values[:, part], influences[:, part]
            estimates = estimate(chosen, moved, question.rankings.evidence[part])
            by_sparsity.append(drawn(estimates, chosen, moved, draws))
    stack = np.moveaxis(np.stack(by_sparsity), 2, 0)  # draw, sparsity, class
    sparsities = question.rankings.sparsities[places]
    outcomes = stack[:, 0] if outcome == "change" else first_drops(stack, sparsities)
    outcomes = outcomes[~np.isnan(outcomes).any(axis=1)]
    x = np.log(question.frequency[part])
    drawn_rho = correlations(x, outcomes)
    drawn_rho = drawn_rho[np.isfinite(drawn_rho)]
    if len(drawn_rho) < 10:
        return np.nan, np.nan
    spread = np.arctanh(np.clip(drawn_rho, -0.999, 0.999)).std()
    centre = np.arctanh(np.clip(rho, -0.999, 0.999))
    return float(np.tanh(centre - 1.96 * spread)), float(np.tanh(centre + 1.96 * spread))


def _dense_auroc(question: Question) -> np.ndarray:
    return median(question.rankings.on(SCALES["auroc"])[:, 0])


def _partial(rho: float, x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float:
    """Spearman's partial correlation of x and y, ``given`` held equal."""
    with_x, with_y = correlations(given, np.stack([x, y]))
    scale = np.sqrt((1 - with_x**2) * (1 - with_y**2))
    return float((rho - with_x * with_y) / scale) if scale > 1e-9 else float("nan")
