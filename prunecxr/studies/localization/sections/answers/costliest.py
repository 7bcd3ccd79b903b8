"""Which way of pruning costs most."""

from __future__ import annotations

import pandas as pd

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN
from prunecxr.report.section import Answer
from prunecxr.report.wording import count, listing, number, sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import method
from prunecxr.studies.localization.sections.verdicts import MIXED

QUESTION = "Which way of pruning costs most?"


def answer(findings: HtlFindings) -> Answer:
    """Which pruning method costs more foreground IoU than every other, pruned share by pruned share (table 3)."""
    tests = findings.tables["ablation_tests"]
    state, sentence = _verdict(tests, findings.alpha)
    return Answer(QUESTION, sentence, _evidence(findings.tables["ablation"]), name="costliest_method", state=state)


def _verdict(tests: pd.DataFrame, alpha: float) -> tuple[str, str]:
    if tests.empty:
        return CANNOT_BE_TOLD, "Cannot be told: there is no pruned share at which several methods were evaluated."
    if tests["p_holm"].isna().all():
        return CANNOT_BE_TOLD, "Cannot be told: there is no test, which takes two seeds and methods that differ."
    shares = [float(k) for k in tests["fraction"].unique()]
    found = {k: _worst(tests[tests["fraction"] == k], alpha) for k in shares}
    told = {k: worst for k, worst in found.items() if worst}
    if not told:
        where = f"any of {count(len(shares), 'pruned share')}" if len(shares) > 1 else sparsity(shares[0])
        return NOT_SHOWN, f"Not shown: no method is shown to be worse than every other at {where}."
    rest = [sparsity(k) for k in shares if k not in told]
    left = f" At {listing(rest, len(rest))}, none is shown to be worse than every other." if rest else ""
    names = list(dict.fromkeys(told.values()))
    if len(names) > 1:
        listed = listing(f"{method(name)} at {sparsity(k)}" for k, name in told.items())
        return MIXED, f"It depends on the pruned share: {listed}.{left}"
    where = "at every pruned share" if not rest else f"at {listing([sparsity(k) for k in told], len(told))}"
    words = method(names[0])
    return names[0], f"{words[:1].upper()}{words[1:]} pruning, {where}.{left}"


def _worst(tests: pd.DataFrame, alpha: float) -> str:
    """The method that is below every other at one share, each difference being significant; empty if there is none."""
    clear = tests[tests["p_holm"] < alpha]
    methods = set(tests["method"]) | set(tests["other"])
    for name in sorted(methods):
        below = set(clear.loc[(clear["method"] == name) & (clear["difference"] < 0), "other"])
        below |= set(clear.loc[(clear["other"] == name) & (clear["difference"] > 0), "method"])
        if below == methods - {name}:
            return name
    return ""


def _evidence(table: pd.DataFrame) -> str:
    wide = table.pivot_table(index="fraction", columns="method", values="foreground", sort=False).dropna()
    if wide.empty:
        return ""
    listed = " ".join(
        f"{sparsity(k)}: "
        + ", ".join(f"{method(name)} {number(value, 3)}" for name, value in row.sort_values().items())
        + "."
        for k, row in wide.iterrows()
    )
    return (
        f"Foreground IoU on the test images, mean over seeds. {listed} Tests are over seeds and patients, after Holm."
    )
