"""Answers say what the tables say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prunecxr.report import sentences
from prunecxr.report.findings import Findings


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
        ((0.8, 0.01), (0.7, 0.06), "On raw AP yes; after chance correction it is not shown."),
        ((0.8, 0.01), (-0.7, 0.01), "On raw AP yes; after chance correction frequent classes are."),
        ((0.1, 0.8), (0.1, 0.8), "Not shown, neither on raw AP nor after chance correction."),
        ((0.1, 0.8), (0.9, 0.01), "Not shown on raw AP; after chance correction rare classes are."),
        ((-0.8, 0.01), (-0.8, 0.01), "No: frequent classes are, also after chance correction."),
        ((0.8, 0.01), (np.nan, np.nan), "On raw AP yes; after chance correction it is not shown."),
    ],
)
def test_are_rare_classes_forgotten_more(findings, raw, corrected, verdict: str) -> None:
    assert sentences.rare_classes(with_correlations(findings, raw, corrected)).verdict == verdict


def test_not_known_without_training_frequencies(make_findings) -> None:
    found = sentences.rare_classes(make_findings(lambda scores: scores.drop_vars("train_count")))
    assert found.verdict == "Cannot be told from 0 classes with known training frequency and a change in AP."


def test_first_significant_drop(findings) -> None:
    answer = sentences.overall(findings)
    assert answer.verdict == "The first significant drop in mean AP is at 70% sparsity."
    row = findings.tables["overall"].iloc[2]
    assert f"t = {row.welch_t:.2f}".replace("-", "−") in answer.evidence.replace("\u00a0", " ")
    assert "Welch's t-test against 5 dense models: n = 5" in answer.evidence
    assert "Holm's adjustment for 4 tests, first at" in answer.evidence


def test_no_p_is_printed_below_three_seeds(make_findings) -> None:
    answer = sentences.overall(make_findings(n_seeds=2))
    assert answer.verdict == "Not tested."
    assert "2 dense models" in answer.evidence
    assert "P" not in answer.evidence.replace("AP", "")


def test_no_significant_drop(make_findings) -> None:
    answer = sentences.overall(make_findings(sparsities=(0.0, 0.05)))
    assert answer.verdict == "At no sparsity significantly."
    assert "1 sparsity, every P ≥ 0.05" in answer.evidence


def test_nothing_is_forgotten(make_findings) -> None:
    found = make_findings(sparsities=(0.0, 0.05))
    assert sentences.first_forgotten(found).verdict == "No class loses more than 20% of its AP at any sparsity studied."


def test_first_and_most_forgotten_name_the_classes_of_the_table(findings) -> None:
    classes = findings.tables["classes"].set_index("class")
    first = classes.index[classes.first_drop_20 == classes.first_drop_20.min()]
    verdict = sentences.first_forgotten(findings).verdict
    assert all(name in verdict for name in first)
    assert sentences.most_forgotten(findings).verdict.startswith(classes.relative_change_at_max.idxmin())


def test_answers_without_pairs_and_predictions(findings) -> None:
    tables = {name: findings.tables[name] for name in ("overall", "curves", "classes", "correlations")}
    assert len(sentences.answers(replace(findings, tables=tables))) == 4
    assert len(sentences.answers(findings)) == 6


def test_captions_point_the_right_way(findings) -> None:
    for raw, start in (((0.8, 0.01), "Rarer classes lose more:"), ((-0.8, 0.01), "Frequent classes lose more:")):
        assert sentences.frequency_caption(
            with_correlations(findings, raw, raw), "relative_change_at_max"
        ).startswith(start)  # fmt: skip
