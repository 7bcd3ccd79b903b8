"""Whether pruning costs some groups of patients or images more than others."""

from __future__ import annotations

import pandas as pd

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, YES
from prunecxr.report.section import Answer
from prunecxr.report.wording import count, listing, number, p_value, sparsity
from prunecxr.studies.pruning.analysis.subgroups import subgroups_hit
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.subgroup_wording import MEASURES, asked

QUESTION, NAME = "Whom does pruning fail?", "subgroups_hit"
LISTED = 4


def answer(findings: Findings) -> Answer | None:
    """Which gaps between groups change; None where no group is known, or large enough."""
    table = findings.tables.get("subgroups")
    if table is None or table.empty:
        return None
    state, rows = subgroups_hit(table, findings.alpha), asked(findings)
    at, groups = sparsity(rows["sparsity"].iloc[0]), _of_groups(rows)
    if state == CANNOT_BE_TOLD:
        verdict = f"Cannot be told: at {at} sparsity fewer than 3 seeds have both networks, and nothing is tested."
        return Answer(QUESTION, verdict, f"Groups: {groups}.", NAME, state)
    tested = rows[rows["p_holm"].notna()]
    clear = tested[tested["p_holm"] < findings.alpha].sort_values("p_holm", kind="stable")
    how = (
        f"{count(len(tested), 'comparison')} of a group with the largest one beside it, class by class, in AP at "
        "reference prevalence, AUROC and sensitivity as far as these are known; change of the gap from the dense to "
        f"the pruned network of the same seed, P after Holm's adjustment over all of them. Groups: {groups}."
    )
    if state == YES:
        losers = listing(dict.fromkeys(_loser(row) for row in clear.to_dict("records")), LISTED)
        verdict = f"At {at} sparsity some lose more than others: {losers}."
        results = "; ".join(map(_result, clear.head(LISTED).to_dict("records")))
        return Answer(QUESTION, verdict, f"{results[0].upper()}{results[1:]}. {how}", NAME, state)
    closest = tested.sort_values("p_holm", kind="stable").to_dict("records")[0]
    half = float(((tested["high"] - tested["low"]) / 2).median())
    verdict = f"At {at} sparsity no group is shown to lose more than another, which does not mean that none does."
    return Answer(
        QUESTION,
        verdict,
        f"Closest to it: {_result(closest)}. Half of the gaps are known to ±{number(half)} or better. {how}",
        NAME,
        state,
    )


def _of_groups(table: pd.DataFrame) -> str:
    return listing(dict.fromkeys(table["partition"]), 10)


def _loser(row: dict[str, object]) -> str:
    """Who loses more than whom, in which class: a gap that closes is the reference's loss."""
    groups = [str(row["group"]), str(row["reference"])]
    more, less = groups if float(str(row["change"])) < 0 else groups[::-1]
    return f"{more} more than {less} in {row['class']}"


def _result(row: dict[str, object]) -> str:
    change, low, high, p = (float(str(row[name])) for name in ("change", "low", "high", "p_holm"))
    return (
        f"{row['group']} minus {row['reference']}, {row['class']}, {MEASURES[str(row['measure'])]}: gap changes by "
        f"{number(change)} (95% {number(low)} to {number(high)}, {p_value(p)})"
    )
