"""Which options did best, and whether they did better than the recipe's own."""

from __future__ import annotations

import pandas as pd

from prunecxr.report.section import Answer
from prunecxr.report.wording import count
from prunecxr.studies.search.sections.findings import SearchFindings


def answer(findings: SearchFindings) -> Answer:
    """The best trial with its options; beside it the recipe's own, and how many trials that is the best of."""
    table = findings.tables["trials"]
    complete = table[table["state"] == "complete"]
    best = complete.loc[complete["mean_ap"].idxmax()]
    verdict = f"Those of trial {best['trial']}: {findings.target} {best['mean_ap']:.4f}."
    own = table[table["own"]]
    beside = [_own(row, best) for _, row in own.iterrows()]
    luck = (
        f"The best of {count(len(table), 'trial')} with one seed each is partly luck: only a study of these options, "
        "with several seeds and the test split, says what they gain."
    )
    return Answer("Which options did best?", verdict, " ".join([_set(findings, best), *beside, luck]))


def _set(findings: SearchFindings, best: pd.Series) -> str:
    values = ((name, best[name]) for name in findings.options)
    texts = (f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in values)
    return f"{', '.join(texts)}."


def _own(row: pd.Series, best: pd.Series) -> str:
    if row["trial"] == best["trial"]:
        return "They are the recipe's own."
    if pd.isna(row["mean_ap"]):
        return f"The recipe's own options (trial {row['trial']}, {row['state']}) have no value."
    return f"The recipe's own options (trial {row['trial']}, {row['state']}): {row['mean_ap']:.4f}."
