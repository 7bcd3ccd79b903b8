"""Answers say what the tables say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from prunecxr.report.illustration import Illustration, illustrate
from prunecxr.report.page import render
from prunecxr.studies.pruning.sections.answers import (
    first_forgotten,
    most_forgotten,
    overall,
    rare_classes,
)
from prunecxr.studies.pruning.sections.catalogue import REPORT, SECTIONS
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import NOT_TESTED
from tests.report.examples import section


def with_correlations(findings: Findings, raw: tuple[float, float], corrected: tuple[float, float]) -> Findings:
    """The same with these (rho, P) of the change at the highest sparsity."""
    table = findings.tables["correlations"].set_index("y")
    for y, (rho, p) in (("relative_change_at_max", raw), ("chance_corrected_relative_change_at_max", corrected)):
        table.loc[y, ["spearman_rho", "spearman_p"]] = rho, p
    return replace(findings, tables={**findings.tables, "correlations": table.reset_index()})


@pytest.mark.parametrize(
    ("raw", "corrected", "verdict"),
    [
        ((0.8, 0.01), (0.7, 0.01), "Yes, also after chance correction."),
        ((0.8, 0.01), (0.7, 0.06), "Yes on raw AP; after chance correction, it is not shown."),
        ((0.8, 0.01), (-0.7, 0.01), "Yes on raw AP; after chance correction, frequent classes are."),
        ((0.1, 0.8), (0.1, 0.8), "Not shown, neither on raw AP nor after chance correction."),
        ((0.1, 0.8), (0.9, 0.01), "Not shown on raw AP; after chance correction, rare classes are."),
        ((-0.8, 0.01), (-0.8, 0.01), "No: frequent classes are, also after chance correction."),
        ((0.8, 0.01), (np.nan, np.nan), "Yes on raw AP; after chance correction, it is not shown."),
    ],
)
def test_are_rare_classes_forgotten_more(findings, raw, corrected, verdict: str) -> None:
    assert rare_classes.answer(with_correlations(findings, raw, corrected)).verdict == verdict


def test_not_known_without_training_frequencies(make_findings) -> None:
    found = rare_classes.answer(make_findings(lambda scores: scores.drop_vars("train_count")))
    assert found.verdict == "Cannot be told from 0 classes with known training frequency and a change in AP."


def test_first_significant_drop(findings) -> None:
    answer = overall.answer(findings)
    assert answer.verdict == "The first significant drop in mean AP is at 70% sparsity."
    row = findings.tables["overall"].iloc[2]
    assert f"t = {row.welch_t:.2f}".replace("-", "−") in answer.evidence.replace("\u00a0", " ")
    assert "Welch's t-test against 5 dense models, 4 sparsities: first at 70%" in answer.evidence
    assert answer.evidence.count("Holm's adjustment for 4 tests, first at") == 2
    corrected = findings.tables["overall"].query("chance_corrected_significant_drop").iloc[0]
    assert f"Chance-corrected mean AP: first at {100 * corrected.sparsity:.0f}%" in answer.evidence


def test_no_p_is_printed_below_three_seeds(make_findings) -> None:
    answer = overall.answer(make_findings(n_seeds=2))
    assert answer.verdict == "Not tested."
    assert "2 dense models" in answer.evidence
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
    assert verdicts["Are rare classes forgotten more?"] == NOT_TESTED
    assert verdicts["Are classes that occur together forgotten alike?"] == NOT_TESTED
    assert "pie_stability" not in few.tables
    assert any("nothing is tested and no P is given" in text for text in few.warnings)


def test_warnings_come_before_the_answers(findings) -> None:
    page = render(REPORT, findings, [])
    assert page.index('<section id="warnings">') < page.index('<section class="answers">')


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


def test_no_significant_drop(make_findings) -> None:
    answer = overall.answer(make_findings(sparsities=(0.0, 0.05)))
    assert answer.verdict == "At no sparsity is the drop in mean AP significant."
    assert "1 sparsity: no drop with P < 0.05" in answer.evidence.replace("\u00a0", " ")


def test_nothing_is_forgotten(make_findings) -> None:
    found = make_findings(sparsities=(0.0, 0.05))
    assert (
        first_forgotten.answer(found).verdict
        == "No class loses more than 20% of its AP at any sparsity that was studied."
    )


def test_nothing_is_lost(make_findings) -> None:
    found = make_findings(lambda scores: scores.assign(ap=0.9 + 0 * scores.ap))
    assert most_forgotten.answer(found).verdict == "No class has lost AP at 95% sparsity."


def test_first_and_most_forgotten_name_the_classes_of_the_table(findings) -> None:
    classes = findings.tables["classes"].set_index("class")
    first = classes.index[classes.first_drop_20 == classes.first_drop_20.min()]
    verdict = first_forgotten.answer(findings).verdict
    assert all(name in verdict for name in first)
    assert most_forgotten.answer(findings).verdict.startswith(classes.relative_change_at_max.idxmin())


def test_answers_without_pairs_and_predictions(findings) -> None:
    tables = {name: findings.tables[name] for name in ("overall", "curves", "classes", "correlations")}
    assert len(REPORT.answer(replace(findings, tables=tables))) == 5
    assert len(REPORT.answer(findings)) == 6


def test_captions_point_the_right_way(findings) -> None:
    for raw, start in (((0.8, 0.01), "Rarer classes lose more:"), ((-0.8, 0.01), "Frequent classes lose more:")):
        for name in ("change_at_max", "change_at_max_chance_corrected"):
            found = section(name).caption(with_correlations(findings, raw, raw))
            assert found.startswith(start)
