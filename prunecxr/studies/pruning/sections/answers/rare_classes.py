"""Whether rare classes are forgotten more."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, OPPOSITE, YES
from prunecxr.report.section import Answer
from prunecxr.report.wording import TIED, count, number, p_value, sparsity
from prunecxr.studies.pruning.analysis.rare_classes import verdict
from prunecxr.studies.pruning.analysis.scales import FREE, SCALES
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.scale_wording import asked, null_of, rho_of, title, titles

QUESTION = "Are rare classes forgotten more?"


def answer(findings: Findings) -> Answer | None:
    """Whether rarer classes lose more, on scales that do not depend on prevalence; None without such scales."""
    if "rare_classes" not in findings.tables:
        return None
    table = findings.tables["rare_classes"]
    state = verdict(table, findings.alpha)
    rows = table[table["outcome"] == "change"].set_index("scale")
    return Answer(
        QUESTION,
        _sentence(findings, state, rows),
        _evidence(findings, table) if rows["spearman_rho"].notna().any() else "",
        name="rare_forgotten_more",
        state=state,
    )


def _sentence(findings: Findings, state: str, rows: pd.DataFrame) -> str:
    if state == CANNOT_BE_TOLD:
        return f"Cannot be told: {_why_not(findings, rows)}."
    at, own = sparsity(asked(findings)), rows.loc["ap"]
    shown = [scale for scale in FREE if rows.loc[scale, "p_holm"] < findings.alpha]
    if state in (YES, OPPOSITE):
        lead, who = ("Yes", "rarer") if state == YES else ("The opposite", "more frequent")
        return (
            f"{lead}: at {at} sparsity {who} classes lose a larger share of what they had, measured by "
            f"{titles(findings, shown)}, which do not depend on how frequent a class is."
        )
    if state == NOT_SHOWN:
        return (
            f"No association is shown at {at} sparsity, on any scale. The data are compatible with ρ from "
            f"{number(rows.loc[list(FREE), 'rho_low'].min())} to {number(rows.loc[list(FREE), 'rho_high'].max())}."
        )
    who = "rarer" if own["spearman_rho"] > 0 else "more frequent"
    return (
        f"Only at each class's own prevalence: at {at} sparsity {who} classes lose a larger share of their AP "
        f"({rho_of(own)}).{_beside_null(own, findings.alpha)} On scales that do not depend on prevalence, no "
        "association is shown on which they agree."
    )


def _beside_null(own: pd.Series, alpha: float) -> str:
    if np.isnan(own["null_rho"]):
        return ""
    if own["null_p"] < alpha:
        return f" If all classes were forgotten alike, it would be {null_of(own)}: what is seen lies outside of that."
    return f" If all classes were forgotten alike, it would be {null_of(own)}: what is seen lies within that."


def _why_not(findings: Findings, rows: pd.DataFrame) -> str:
    table = findings.tables["sparsities"]
    if np.isnan(asked(findings)):
        pruned = table[table["sparsity"] > 0]
        if len(pruned) and pruned["collapsed"].all():
            return "networks have collapsed at every sparsity studied"
        return "there is no pruned network"
    if rows["spearman_rho"].notna().any():
        return "nothing is tested with fewer than 3 seeds"
    known, n = int(rows["n_known"].max()), rows["n"].max()
    used = 0 if pd.isna(n) else int(n)
    return (
        f"that takes 5 classes that differ; the dense networks know {count(known, 'class', 'classes')}, "
        f"{used} of them with 10 test positives or more and a known training frequency"
    )


def _evidence(findings: Findings, table: pd.DataFrame) -> str:
    """The correlation on every scale, with what it holds equal; P of the prevalence-free ones is adjusted."""
    rows = table[table["outcome"] == "change"].set_index("scale")
    early = table[table["outcome"] == "first_drop"].set_index("scale")
    free = "; ".join(
        f"{title(findings, scale)} (holds equal: {SCALES[scale].equal}) {rho_of(rows.loc[scale], adjusted=True)}"
        for scale in FREE
    )
    own = rows.loc["ap"]
    beside = (
        f", where equal forgetting gives {null_of(own)}, {p_value(own['null_p'])}" if pd.notna(own["null_rho"]) else ""
    )
    drop = early.loc["ap_ref"]
    first = (
        f" First loss of 20% of {title(findings, 'ap_ref')}: {rho_of(drop)}." if pd.notna(drop["spearman_rho"]) else ""
    )
    partial = rows.loc["ap_ref", "partial_rho"]
    held = (
        f" With the dense AUROC of a class held equal, partial ρ{TIED}={TIED}{number(partial)} on the first scale."
        if pd.notna(partial)
        else ""
    )
    return (
        f"Log training frequency against the relative change of {int(own['n'])} classes, P by permutation of the "
        f"classes, adjusted by Holm over three scales: {free}. At its own prevalence: AP {rho_of(own)}{beside}."
        f"{first}{held}"
    )
