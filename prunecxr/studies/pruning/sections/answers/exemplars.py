"""Which images are most affected, and whether pruning is why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from prunecxr.report.section import Answer
from prunecxr.report.wording import count, listing, number
from prunecxr.studies.pruning.analysis import exemplar_verdict as verdicts
from prunecxr.studies.pruning.analysis.exemplar_verdict import Enrichment
from prunecxr.studies.pruning.sections.exemplars import at_sparsity, enrichment, measure
from prunecxr.studies.pruning.sections.findings import Findings

NAMED = 3  # classes whose numbers are given

WHY = {
    verdicts.NO_PREDICTIONS: "there are no predictions of dense and pruned networks to compare",
    verdicts.COLLAPSED: "every sparsity studied is collapsed, and networks that know nothing disagree on everything",
    verdicts.NO_PIES: "there are no pruning-identified exemplars",
    verdicts.FEW_SEEDS: "the control, dense networks against dense ones, needs the predictions of 3 seeds or more",
    verdicts.FEW_IMAGES: "no class has 10 images of 10 patients, and a PIE among them",
    verdicts.FEW_RESAMPLES: "intervals of all classes together need more resamples than were drawn",
}


def answer(findings: Findings) -> Answer:
    """The classes that PIEs have more often than two dense populations explain, and how firmly the set stands."""
    question = "Which images are most affected?"
    judged = enrichment(findings)
    tables = findings.tables
    if judged.reason in (verdicts.NO_PREDICTIONS, verdicts.COLLAPSED, verdicts.NO_PIES):
        return Answer(question, sentence(judged))
    parts = [
        f"{int(tables['pies']['is_pie'].sum()):,} of {len(tables['pies']):,} test images are pruning-identified "
        f"exemplars (PIEs){at_sparsity(findings)}, by {measure(findings)}.",
        *_numbers(tables, (*judged.more, *judged.frequent)[:NAMED] or judged.less[:NAMED]),
        _many(tables["pie_ratios"]),
        _control(tables.get("pie_null")),
        _stability(tables.get("pie_stability")),
        _overlap(tables.get("pie_overlap"), measure(findings)),
        _ties(tables.get("pie_measures")),
    ]
    return Answer(question, sentence(judged), " ".join(part for part in parts if part))


def sentence(judged: Enrichment) -> str:
    """The verdict in words."""
    more, less, frequent = (listing(names, NAMED) for names in (judged.more, judged.less, judged.frequent))
    if judged.state == verdicts.CANNOT_BE_TOLD:
        why = f"annot be told: {WHY[judged.reason]}."
        return f"Those with {frequent}; whether pruning is why c{why}" if frequent else f"C{why}"
    if judged.state == verdicts.YES:
        return f"Those with {more}, and more so than between two dense populations."
    if judged.state == verdicts.OPPOSITE:
        return f"Those with {less} less than between two dense populations; no class is shown to be affected more."
    if frequent:
        return (
            f"Those with {frequent}, but it is not shown that pruning is why: two dense populations disagree on such "
            "images, too, and these data do not tell the two apart."
        )
    return "It is not shown that images of any class are affected more than others."


def _numbers(tables: Mapping[str, pd.DataFrame], names: tuple[str, ...]) -> list[str]:
    """Ratios and excess of each class, a sentence each."""
    null = tables.get("pie_null")
    table, words = (tables["pie_ratios"], _ratio) if null is None else (null, _excess)
    rows = table[table["group"] == "class"].set_index("value")
    return [f"{name}: {words(rows.loc[name])}." for name in names]


def _ratio(row: pd.Series) -> str:
    """'3.10 times as often as in other images (95% CI 2.01 to 4.42)'."""
    interval = "" if np.isnan(row["low"]) else f" (95% CI {number(row['low'])} to {number(row['high'])})"
    return f"{number(row['ratio'])} times as often as in other images{interval}"


def _excess(row: pd.Series) -> str:
    """'3.10 times as often as in other images, 1.50 times between dense populations; excess 2.07 (95% CI ...)'."""
    text = (
        f"{number(row['ratio'])} times as often as in other images, {number(row['null_ratio'])} times between dense "
        f"populations; excess {number(row['excess'])}"
    )
    if np.isnan(row["low"]):
        return text
    single, together = (f"{number(row[f'{kind}low'])} to {number(row[f'{kind}high'])}" for kind in ("", "adjusted_"))
    joint = "" if np.isnan(row["adjusted_low"]) else f"; of all classes together {together}"
    return f"{text} (95% CI {single}{joint})"


def _many(ratios: pd.DataFrame) -> str:
    """The highest number of diseases that enough images have."""
    rows = ratios[(ratios["group"] == "diseases") & ~ratios["few"] & np.isfinite(ratios["ratio"])].tail(1)
    return "".join(f"{row['value']} diseases: {_ratio(row)}." for _, row in rows.iterrows())


def _control(null: pd.DataFrame | None) -> str:
    """What the excess holds equal."""
    if null is None or null["low"].isna().all():
        return ""
    row = null.iloc[0]
    return (
        f"For the excess, {count(int(row['seeds']), 'seed')} were parted in two in {count(int(row['splits']), 'way')}: "
        "dense networks of one part against pruned ones of the other, beside dense ones of both, with equally many "
        "networks averaged."
    )


def _stability(table: pd.DataFrame | None) -> str:
    """How much of the PIEs other seeds find again."""
    if table is None or table["jaccard"].isna().all():
        return ""
    low, median, high = (number(value) for value in table["jaccard"].quantile([0, 0.5, 1]))
    return (
        f"PIEs of one part of the seeds overlap with those of the other by a Jaccard index of {median} (median of "
        f"{count(len(table), 'parting')}, from {low} to {high}); random sets of that size by "
        f"{number(table['expected_jaccard'].median())}."
    )


def _overlap(table: pd.DataFrame | None, used: str) -> str:
    """How alike the PIEs of other measures are to those of the one in use, and random sets."""
    if table is None:
        return ""
    rows = table[(table["measure_a"] == used) | (table["measure_b"] == used)]
    others = rows["measure_a"].where(rows["measure_a"] != used, rows["measure_b"])
    values = [f"{name} {number(value)}" for name, value in zip(others, rows["jaccard"], strict=True)]
    low, high = (number(end) for end in (rows["expected_jaccard"].min(), rows["expected_jaccard"].max()))
    return (
        f"Jaccard index with the PIEs of other measures: {listing(values, 10)}; random sets of these sizes have "
        f"{low if low == high else f'{low} to {high}'}."
    )


def _ties(table: pd.DataFrame | None) -> str:
    """How many images the id decides about, and on how many the first class differs."""
    if table is None:
        return ""
    rows = table.set_index("measure")
    tied, modal = int(table.loc[table["used"], "tied"].sum()), int(rows.loc["modal", "disagreeing"])
    ties = f"{count(tied, 'image')} tie for the last places among the PIEs, and the image id decides. " if tied else ""
    return f"{ties}Dense and pruned networks put another class first on {count(modal, 'image')}."
