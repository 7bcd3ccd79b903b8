"""Answers say what the tables say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from prunecxr.report.illustration import Illustration, illustrate
from prunecxr.report.page import render
from prunecxr.studies.pruning.sections.answers import (
    exemplars,
    overall,
)
from prunecxr.studies.pruning.sections.catalogue import REPORT, SECTIONS
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import NOT_TESTED
from tests.report.examples import section


def test_no_p_is_printed_below_three_seeds(make_findings) -> None:
    answer = overall.answer(make_findings(n_seeds=2))
    assert answer.verdict == "Not tested."
    assert "there are 2 seeds" in answer.evidence
    assert "P" not in answer.evidence.replace("AP", "")


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_no_p_is_printed_anywhere_below_three_seeds(make_findings, n_seeds: int, findings, drawn) -> None:
    """Neither in words, nor in figures, nor in tables; enough seeds print some in each."""

    def printed(findings: Findings, drawn: list[Illustration]) -> list[bool]:
        page = re.sub(r"base64,[^\"]*", "", render(REPORT, findings, drawn))
        words = [*map(str, REPORT.answer(findings)), *(one.caption + one.alt for one in drawn)]
        titles = [axes.get_title(loc="left") for one in drawn for axes in one.figure.axes]
        heads = re.findall(r"<th[^>]*>(.*?)</th>", page.replace("<wbr>", ""))
        p = re.compile(r"\bP[\s\u00a0]*[=<>≤≥]")
        values = [table[column].notna().any() for table in findings.tables.values()
                  for column in table if column == "p" or column.endswith(("_p", "_p_holm"))]  # fmt: skip
        return [
            any(map(p.search, words)),
            any(map(p.search, titles)),
            any(head == "p" or head.endswith(("_p", "_p_holm")) for head in heads),
            any(values),
        ]

    few = make_findings(n_seeds=n_seeds, images=False)
    assert printed(few, illustrate(SECTIONS, few)) == [False] * 4
    assert printed(findings, drawn) == [True] * 4
    verdicts = {one.question: one.verdict for one in REPORT.answer(few)}
    assert verdicts["Are rare classes forgotten more?"].startswith("Cannot be told: ")
    assert verdicts["Are classes that occur together forgotten alike?"] == NOT_TESTED
    assert verdicts["Which sparsity is safe?"] == "Cannot be told: nothing is tested with fewer than 3 seeds."
    assert "pie_stability" not in few.tables
    assert any("nothing is tested and no P is given" in text for text in few.warnings)


def test_warnings_come_before_the_answers(findings) -> None:
    page = render(REPORT, findings, [])
    assert page.index('<section id="warnings">') < page.index('<section class="answers">')


def test_stability_and_overlap_are_those_of_the_tables(findings) -> None:
    evidence = exemplars.answer(findings).evidence
    table = findings.tables["pie_stability"]
    low, median, high = table["jaccard"].quantile([0, 0.5, 1])
    assert f"{median:.2f} (median of 5 partings, from {low:.2f} to {high:.2f}); random sets" in evidence
    assert f"random sets of that size by {table['expected_jaccard'].median():.2f}." in evidence
    row = findings.tables["pie_overlap"].iloc[0]
    assert (row.measure_a, row.measure_b) == ("spearman", "modal")
    assert f"modal {row.jaccard:.2f}" in evidence


def test_captions_of_weights_and_methods(findings) -> None:
    table = findings.tables["weights"]
    share = table.loc[np.isclose(table.high, 0.01), "share_below"].iloc[0]
    assert section("weight_magnitudes").caption(findings).startswith(f"{100 * share:.0f}% of the prunable weights")
    methods = findings.tables["methods"].set_index(["method", "sparsity"])["median_mean_ap"]
    caption = section("methods").caption(findings)
    listed = f"magnitude {methods['magnitude', 0.95]:.3f} (n = 5) and random {methods['random', 0.95]:.3f} (n = 5)"
    assert listed in caption
    gap = methods["magnitude"] - methods["random"]
    assert f"by {gap.max():.3f}, at {100 * gap.idxmax():.0f}%" in caption
    dense = findings.tables["methods"].query("sparsity == 0 or method == 'random'")
    found = section("methods").caption(replace(findings, tables={**findings.tables, "methods": dense}))
    assert found == "The methods have no sparsity above 0 in common."


def test_answers_without_pairs_and_predictions(findings) -> None:
    tables = {name: findings.tables[name] for name in ("overall", "curves", "classes", "correlations")}
    assert [one.name for one in REPORT.answer(replace(findings, tables=tables))] == ["overall_drop", "pies_enriched"]
    assert [one.name for one in REPORT.answer(findings)] == [
        "safe_sparsity", "overall_drop", "first_forgotten", "most_forgotten", "rare_forgotten_more",
        "cooccurring_alike", "alike_by_frequency", "pies_enriched", "subgroups_hit",
    ]  # fmt: skip
