"""What is said of PIEs follows from the tables: a table made by hand for each state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from prunecxr.studies.pruning.analysis.exemplar_verdict import (
    CANNOT_BE_TOLD,
    COLLAPSED,
    FEW_IMAGES,
    FEW_RESAMPLES,
    FEW_SEEDS,
    NO_PIES,
    NO_PREDICTIONS,
    NOT_SHOWN,
    OPPOSITE,
    YES,
    pies_enriched,
)
from prunecxr.studies.pruning.sections import pie_null
from prunecxr.studies.pruning.sections.answers import exemplars
from tests.report.examples import section

NAMES = ("Hernia", "Mass", "Edema")
SURE, SURELY_LESS, UNSURE = (1.5, 9.0), (0.2, 0.8), (0.5, 4.0)
NOTHING = (np.nan, np.nan)


def ratios(*adjusted: tuple[float, float], few: bool = False) -> pd.DataFrame:
    """Of three classes with these simultaneous intervals."""
    low, high = zip(*adjusted, strict=True)
    table = pd.DataFrame({"value": NAMES, "ratio": [3.0, 2.0, 1.5], "low": 1.2, "high": 6.0, "pie_count": 7})
    return table.assign(
        group="class", pie_share=0.3, non_pie_share=0.1, non_pie_count=30, few=few, adjusted_low=low, adjusted_high=high
    )


def null(*adjusted: tuple[float, float], seeds: int = 8, few: bool = False, ratio: float = 3.0) -> pd.DataFrame:
    """The control of the same classes."""
    low, high = zip(*adjusted, strict=True)
    table = pd.DataFrame({"value": NAMES, "ratio": ratio, "null_ratio": 1.5, "excess": [2.0, 2.5, 1.1]})
    single = (np.nan, np.nan) if seeds < 3 else (1.1, 4.0)
    return table.assign(
        group="class", low=single[0], high=single[1], adjusted_low=low, adjusted_high=high, image_count=[20, 30, 90],
        few=few, seeds=seeds, splits=10,
    )  # fmt: skip


ENRICHED, ALIKE = ratios(SURE, SURE, UNSURE), ratios(UNSURE, UNSURE, UNSURE)
CASES = {
    "beyond two dense populations": (
        {"pie_ratios": ENRICHED, "pie_null": null(SURE, SURE, UNSURE)},
        (YES, ("Mass", "Hernia"), (), ""),
        "Those with Mass and Hernia, and more so than between two dense populations.",
    ),
    "one of two beyond": (
        {"pie_ratios": ENRICHED, "pie_null": null(SURE, UNSURE, UNSURE)},
        (YES, ("Hernia",), ("Mass",), ""),
        "Those with Hernia, and more so than between two dense populations.",
    ),
    "no more than two dense populations": (
        {"pie_ratios": ENRICHED, "pie_null": null(UNSURE, UNSURE, UNSURE)},
        (NOT_SHOWN, (), ("Hernia", "Mass"), ""),
        "Those with Hernia and Mass, but it is not shown that pruning is why: two dense populations disagree on such "
        "images, too, and these data do not tell the two apart.",
    ),
    "beyond, but rarer than in other images": (
        {"pie_ratios": ALIKE, "pie_null": null(SURE, UNSURE, UNSURE, ratio=0.8)},
        (NOT_SHOWN, (), (), ""),
        "It is not shown that images of any class are affected more than others.",
    ),
    "none": (
        {"pie_ratios": ALIKE, "pie_null": null(UNSURE, UNSURE, UNSURE)},
        (NOT_SHOWN, (), (), ""),
        "It is not shown that images of any class are affected more than others.",
    ),
    "the opposite": (
        {"pie_ratios": ALIKE, "pie_null": null(UNSURE, SURELY_LESS, UNSURE)},
        (OPPOSITE, (), (), ""),
        "Those with Mass less than between two dense populations; no class is shown to be affected more.",
    ),
    "two seeds": (
        {"pie_ratios": ENRICHED, "pie_null": null(NOTHING, NOTHING, NOTHING, seeds=2)},
        (CANNOT_BE_TOLD, (), ("Hernia", "Mass"), FEW_SEEDS),
        "Those with Hernia and Mass; whether pruning is why cannot be told: the control, dense networks against dense "
        "ones, needs the predictions of 3 seeds or more.",
    ),
    "one seed": (
        {"pie_ratios": ALIKE},
        (CANNOT_BE_TOLD, (), (), FEW_SEEDS),
        "Cannot be told: the control, dense networks against dense ones, needs the predictions of 3 seeds or more.",
    ),
    "few images": (
        {"pie_ratios": ratios(*[NOTHING] * 3, few=True), "pie_null": null(*[NOTHING] * 3, few=True)},
        (CANNOT_BE_TOLD, (), (), FEW_IMAGES),
        "Cannot be told: no class has 10 images of 10 patients, and a PIE among them.",
    ),
    "few resamples": (
        {"pie_ratios": ratios(*[NOTHING] * 3), "pie_null": null(*[NOTHING] * 3)},
        (CANNOT_BE_TOLD, (), (), FEW_RESAMPLES),
        "Cannot be told: intervals of all classes together need more resamples than were drawn.",
    ),
    "no PIEs": (
        {"pie_ratios": ALIKE.assign(pie_count=0)},
        (CANNOT_BE_TOLD, (), (), NO_PIES),
        "Cannot be told: there are no pruning-identified exemplars.",
    ),
    "no predictions": (
        {},
        (CANNOT_BE_TOLD, (), (), NO_PREDICTIONS),
        "Cannot be told: there are no predictions of dense and pruned networks to compare.",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_every_state_has_its_sentence(case: str) -> None:
    tables, (state, more, frequent, reason), sentence = CASES[case]
    judged = pies_enriched(tables)
    assert (judged.state, judged.more, judged.frequent, judged.reason) == (state, more, frequent, reason)
    assert exemplars.sentence(judged) == sentence


def test_collapsed_sparsities_are_not_asked() -> None:
    judged = pies_enriched({"pie_ratios": ENRICHED, "pie_null": null(SURE, SURE, SURE)}, collapsed=True)
    assert (judged.state, judged.more, judged.reason) == (CANNOT_BE_TOLD, (), COLLAPSED)
    assert exemplars.sentence(judged).startswith("Cannot be told: every sparsity studied is collapsed")


def with_tables(findings, tables: dict[str, pd.DataFrame]):
    return replace(findings, tables={**findings.tables, **tables})


@pytest.mark.parametrize("case", [name for name in CASES if name not in ("no predictions", "no PIEs", "one seed")])
def test_answer_and_figure_say_the_same(findings, case: str) -> None:
    tables, (_, more, frequent, _), sentence = CASES[case]
    given = with_tables(findings, tables)
    answer = exemplars.answer(given)
    assert answer.verdict == sentence
    assert pie_null.caption(given).startswith(sentence)
    assert section("pie_excess").draw(given) is not None
    assert section("pie_classes").draw(given) is not None
    for name in (*more, *frequent)[:3]:
        assert (
            f"{name}: 3.00 times as often as in other images, 1.50 times between dense populations" in answer.evidence
        )


def test_the_evidence_is_that_of_the_tables(findings) -> None:
    given = with_tables(findings, CASES["one of two beyond"][0])
    evidence = exemplars.answer(given).evidence
    hernia = "Hernia: 3.00 times as often as in other images, 1.50 times between dense populations; excess 2.00"
    assert f"{hernia} (95% CI 1.10 to 4.00; of all classes together 1.50 to 9.00)." in evidence
    stability, overlap = findings.tables["pie_stability"], findings.tables["pie_overlap"]
    low, median, high = stability["jaccard"].quantile([0, 0.5, 1])
    assert f"index of {median:.2f} (median of 5 partings, from {low:.2f} to {high:.2f})" in evidence
    assert f"random sets of that size by {stability['expected_jaccard'].median():.2f}" in evidence
    row = overlap.query("measure_a == 'spearman' and measure_b == 'modal'").iloc[0]
    assert f"and modal {row.jaccard:.2f}; random sets of these sizes have 0.03." in evidence
    measures = findings.tables["pie_measures"].set_index("measure")
    assert f"put another class first on {measures.disagreeing['modal']} images." in evidence
    assert f"{measures.tied['spearman']} images tie for the last places" in evidence


def test_without_predictions_or_an_uncollapsed_sparsity_the_answer_says_why(findings) -> None:
    absent = {name: table for name, table in findings.tables.items() if not name.startswith("pie")}
    answer = exemplars.answer(replace(findings, tables=absent))
    assert (answer.verdict, answer.evidence) == (CASES["no predictions"][2], "")
    collapsed = exemplars.answer(replace(findings, tables=absent, pie_sparsity=np.nan))
    assert collapsed.verdict.startswith("Cannot be told: every sparsity studied is collapsed")


def test_one_seed_is_asked_nothing_of_its_control(make_findings) -> None:
    found = make_findings(n_seeds=1)
    assert "pie_null" not in found.tables
    assert pies_enriched(found.tables).reason == FEW_SEEDS
    assert not section("pie_excess").wanted(found)
