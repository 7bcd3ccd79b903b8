"""A question about pairs of classes, answered from the table of tests: a sentence for each state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunecxr.analysis.association import holm
from prunecxr.analysis.verdicts import CANNOT_BE_TOLD
from prunecxr.report.section import Answer
from prunecxr.report.wording import listing, number
from prunecxr.studies.pruning.analysis.pair_verdicts import OWN_PREVALENCE, PREVALENCE_FREE, State, larger_p, rows_of
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.pair_wording import SCALES, papers_p, size_of, value_of, values_of
from prunecxr.studies.pruning.sections.scale_wording import COLLAPSED, asked, has_scales
from prunecxr.studies.pruning.sections.shared import NOT_TESTED


@dataclass(frozen=True)
class PairQuestion:
    """What is asked of pairs of classes.

    Attributes:
        name: in the table of verdicts.
        question: as a reader asks it.
        x, statistic: of its rows in the table of tests.
        marginal: x of the rows with nothing held equal, of which the paper gives the P.
        state: the table, definition and level -> state.
        alike: sign of the statistic where the answer is yes.
        held: what is held equal.
        more: what two classes do, after 'the more two classes' or so.
        thing: what goes with likeness, as a noun.
    """

    name: str
    question: str
    x: str
    statistic: str
    marginal: str
    state: Callable[[pd.DataFrame, str, float], State]
    alike: int
    held: str
    more: str
    thing: str

    def answer(self, findings: Findings) -> Answer | None:
        """The answer; None without pairs."""
        table = findings.tables.get("pair_tests")
        if table is None:
            return None
        rows = rows_of(table, findings.definition, self.x, self.statistic)
        state = self.state(table, findings.definition, findings.alpha)
        if has_scales(findings) and np.isnan(asked(findings)):
            return Answer(self.question, f"Cannot be told: {COLLAPSED}.", "", self.name, CANNOT_BE_TOLD)
        return Answer(self.question, self._verdict(state, rows), self._evidence(rows, findings), self.name, state)

    def _verdict(self, state: State, rows: pd.DataFrame) -> str:
        if state == "cannot_be_told":
            return _unknown(rows)
        free, own = (_adjusted(rows, scales) for scales in (PREVALENCE_FREE, OWN_PREVALENCE))
        if state == "no_association_shown":
            low, high = (rows.loc[list(PREVALENCE_FREE), column] for column in ("null_low", "null_high"))
            return (
                f"No association is shown of {self.thing} with likeness of forgetting, {self.held}, on the scales free "
                f"of prevalence: {free}. Without any association, 95% of permutations of the classes lie between "
                f"{number(low.min())} and {number(high.max())}."
            )
        if state == "only_at_own_prevalence":
            strongest = rows.loc[larger_p(rows.reindex(OWN_PREVALENCE)).idxmin(), "value"]
            return (
                f"Only at each class's own prevalence: {self.held}, {self._clause(strongest)}: {own}. "
                f"On the scales free of prevalence this is not shown: {free}. Where all classes are forgotten equally, "
                "AP still changes by frequency, and so by what goes with frequency."
            )
        return (
            f"{'Yes' if state == 'yes' else 'No, the opposite'}: {self.held}, "
            f"{self._clause(rows.loc[PREVALENCE_FREE[0], 'value'])}, on every scale free of prevalence: {free}."
        )

    def _clause(self, value: float) -> str:
        """What a value of this sign says."""
        return f"{self.more}, the {'more' if np.sign(value) == self.alike else 'less'} alike they are forgotten"

    def _evidence(self, rows: pd.DataFrame, findings: Findings) -> str:
        """What the numbers are, the result at own prevalence, and the paper's P."""
        definition, table = findings.definition, findings.tables["pair_tests"]
        sign = "negative" if self.alike < 0 else "positive"
        sizes = rows.apply(size_of, axis=1)
        named = [f"{size} on {SCALES[scale]}" for scale, size in sizes.items()]
        size = sizes.iloc[0] if len(set(sizes)) == 1 else listing(named)
        texts = [
            f"ρ is that of dissimilarity of curves (FCD, definition '{definition}') over {size}; a {sign} one means "
            f"that {self.more}, the more alike they are forgotten."
        ]
        if rows["permutation_p"].notna().any():
            twice = rows["stratified_p"].notna().any()
            larger = ", of all and of those of similar frequency, the larger P of the two" if twice else ""
            texts.append(f"P is by permutation of the classes{larger}; in the verdict, adjusted over scales (Holm).")
        own = values_of(rows, OWN_PREVALENCE)
        texts += [f"At own prevalence, {self.held}: {own}."] if own else []
        marginal = rows_of(table, definition, self.marginal, "spearman_rho")
        if self.marginal != self.x:
            texts.append(f"With nothing held equal: {values_of(marginal, SCALES)}.")
        if "ap" in marginal.index and papers_p(marginal.loc["ap"]):
            paper = marginal.loc["ap"]
            texts.append(f"Of AP, with nothing held equal: {value_of(paper, np.nan)}, {papers_p(paper)}.")
        return " ".join(texts)


def _adjusted(rows: pd.DataFrame, scales: tuple[str, ...]) -> str:
    """Values on these scales with P by permutation, adjusted over them by Holm's method."""
    present = [scale for scale in scales if scale in rows.index]
    return values_of(rows, present, holm(larger_p(rows.loc[present])))


def _unknown(rows: pd.DataFrame) -> str:
    """Why there is no verdict: too few seeds for any test, values that are undefined, or scales without curves."""
    if (rows["value"].notna() & rows["permutation_p"].isna()).any():
        return NOT_TESTED
    reasons = rows.loc[rows.index.isin(PREVALENCE_FREE) & (rows["reason"] != ""), "reason"]
    if len(reasons):
        named = reasons.groupby(reasons, sort=False).groups.items()
        return (
            "Cannot be told: "
            + "; ".join(f"{reason} on {listing(SCALES[scale] for scale in scales)}" for reason, scales in named)
            + "."
        )
    absent = listing(SCALES[scale] for scale in PREVALENCE_FREE if scale not in rows.index)
    return f"Cannot be told: there are no curves of {absent}, scales that prevalence plays no part in."
