"""Answers about pairs say what the table of tests says: hand-made tables for each state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from prunecxr.report.section import Answer
from prunecxr.studies.pruning.analysis.pair_tests import COLUMNS
from prunecxr.studies.pruning.sections.answers import pair_frequency, pairs
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import NOT_TESTED
from tests.report.examples import section

SCALES = ("ap", "ap_chance", "ap_ref", "auroc", "separability")
TESTS = (
    ("log_freq_diff", "spearman_rho"), ("log_freq_diff", "pearson_r"), ("log_freq_diff", "coefficient"),
    ("iou_fourth_root", "spearman_rho"), ("iou_fourth_root", "pearson_r"), ("iou_fourth_root", "coefficient"),
    ("iou_given_frequency", "partial_spearman_rho"), ("iou_given_frequency", "partial_pearson_r"),
    ("frequency_given_iou", "partial_spearman_rho"), ("frequency_given_iou", "partial_pearson_r"),
    ("interaction", "coefficient"),
)  # fmt: skip
NEITHER = {
    "ap": (-0.1, 0.5), "ap_chance": (0.1, 0.5), "ap_ref": (-0.1, 0.5), "auroc": (-0.1, 0.4),
    "separability": (0.05, 0.7),
}  # fmt: skip
FREE = ("ap_ref", "auroc", "separability")


def table(values: dict[str, tuple[float, float]], stratified: float = np.nan, reason: str = "") -> pd.DataFrame:
    """Every test with this (value, permutation P) on each scale, and a stratified P where there is one."""
    rows = [
        {
            "definition": "paper", "scale": scale, "x": x, "statistic": statistic, "value": value, "naive_p": 0.0004,
            "permutation_p": p, "n": 190, "n_classes": 20, "null_low": -0.15, "null_high": 0.17, "reason": reason,
            "stratified_p": stratified if x == "iou_given_frequency" else np.nan,
        }
        for scale, (value, p) in values.items()
        for x, statistic in TESTS
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def spaced(text: str) -> str:
    return text.replace("\u00a0", " ")


def of(tests: pd.DataFrame, question=pairs) -> Answer:
    answer = question.answer(Findings("tiny", {"pair_tests": tests}))
    return replace(answer, verdict=spaced(answer.verdict), evidence=spaced(answer.evidence))


def each(value: float, p: float, own: tuple[float, float] = (-0.1, 0.5)) -> dict[str, tuple[float, float]]:
    return {"ap": own, "ap_chance": own, **dict.fromkeys(FREE, (value, p))}


@pytest.mark.parametrize(
    ("question", "yes", "held"),
    [(pairs, -1, "at equal difference in frequency"), (pair_frequency, 1, "with nothing held equal")],
)
def test_yes_and_the_opposite(question, yes: int, held: str) -> None:
    found = of(table(each(yes * 0.4, 0.004)), question).verdict
    sign = "−" if yes < 0 else ""
    symbol = "partial ρ" if question is pairs else "ρ"
    assert found.startswith(f"Yes: {held}, the ")
    assert "the more alike they are forgotten, on every scale free of prevalence: AP at reference prevalence" in found
    for name in ("AP at reference prevalence", "AUROC", "separability d′"):
        assert f"{name} {symbol} = {sign}0.40 (P = 0.012)" in found  # 3 x 0.004
    found = of(table(each(-yes * 0.4, 0.004)), question).verdict
    assert found.startswith(f"No, the opposite: {held}, the ")
    assert "the less alike they are forgotten" in found


def test_no_association_is_not_worded_as_a_fact() -> None:
    for values in (NEITHER, {**NEITHER, "ap_ref": (-0.5, 0.001)}, each(-0.3, 0.03)):
        found = of(table(values)).verdict
        assert found.startswith("No association is shown of co-occurrence with likeness of forgetting, at equal diff")
        assert "95% of permutations of the classes lie between −0.15 and 0.17." in found


def test_signs_that_differ_are_no_verdict() -> None:
    found = of(table({**each(-0.4, 0.001), "separability": (0.01, 0.9)})).verdict
    assert found.startswith("No association is shown")
    found = of(table({**each(-0.4, 0.001), "separability": (-0.01, 0.9)})).verdict
    assert found.startswith("Yes: ")


def test_classes_of_similar_frequency_must_bear_it_out() -> None:
    assert of(table(each(-0.4, 0.001), stratified=0.02)).verdict.startswith("No association is shown")
    found = of(table(each(-0.4, 0.001), stratified=0.01))
    assert "(P = 0.030)" in found.verdict
    assert "of all and of those of similar frequency, the larger P of the two" in found.evidence


@pytest.mark.parametrize(("question", "value"), [(pairs, -0.44), (pair_frequency, 0.44)])
def test_only_at_own_prevalence(question, value: float) -> None:
    found = of(table(each(0.05, 0.6, own=(value, 0.002))), question).verdict
    assert found.startswith("Only at each class's own prevalence: ")
    assert "more alike they are forgotten: AP at own prevalence" in found
    assert f"{value:.2f} (P = 0.004)".replace("-", "−") + ", chance-corrected AP at own prevalence" in found
    assert "On the scales free of prevalence this is not shown: AP at reference prevalence" in found
    assert "Where all classes are forgotten equally, AP still changes by frequency" in found


def test_what_cannot_be_told() -> None:
    own = {scale: NEITHER[scale] for scale in ("ap", "ap_chance")}
    assert of(table({"ap": (-0.4, 0.001), "ap_chance": (-0.4, 0.001)})).verdict == (
        "Cannot be told: there are no curves of AP at reference prevalence, AUROC and separability d′, scales that "
        "prevalence plays no part in."
    )
    tests = pd.concat([table(own), table(dict.fromkeys(FREE, (np.nan, np.nan)), reason="3 classes")])
    verdict = of(tests).verdict
    assert verdict == "Cannot be told: 3 classes on AP at reference prevalence, AUROC and separability d′."
    few = of(table(dict.fromkeys(SCALES, (-0.4, np.nan))).assign(naive_p=np.nan))
    assert few.verdict == NOT_TESTED
    assert "P " not in few.evidence.replace("AP ", "")
    assert pairs.answer(Findings("tiny", {})) is None


def test_evidence_names_scale_size_what_is_held_equal_and_the_papers_p() -> None:
    values = {**NEITHER, "ap": (-0.44, 0.01)}
    found = of(table(values)).evidence
    assert "(FCD, definition 'paper') over 190 pairs of 20 classes; a negative one means" in found
    assert "At own prevalence, at equal difference in frequency: AP at own prevalence partial ρ = −0.44 (P" in found
    assert "With nothing held equal: AP at reference prevalence ρ = −0.10 (P = 0.50), AUROC ρ" in found
    assert "Of AP, with nothing held equal: ρ = −0.44, P < 0.001 if pairs were independent, as in the paper." in found
    tests = table(values)
    tests.loc[tests["scale"] == "auroc", ["n", "n_classes"]] = 171, 19
    assert "171 pairs of 19 classes on AUROC" in of(tests).evidence


def test_captions_claim_by_permutation_and_quote_the_papers_p_beside(findings) -> None:
    tests = table({"ap": (0.4, 0.2), "ap_chance": (-0.4, 0.01), "ap_ref": (0.4, 0.01)})
    told = replace(findings, tables={**findings.tables, "pair_tests": tests})
    raw, corrected, free = (
        spaced(section(f"pairs_overlap{end}").caption(told)) for end in ("", "_chance_corrected", "_ap_ref")
    )
    alone = "with nothing held equal, on"
    assert raw.startswith(f"No association is shown, {alone} AP at own prevalence: ρ = 0.40 (P = 0.20)")
    assert "P by permutation of the classes; P < 0.001 if pairs were independent, as in the paper (of ρ)" in raw
    assert "At equal difference in frequency: partial ρ = 0.40 (P = 0.20); definition" in raw
    assert "All classes forgotten equally give such an association, too." in raw
    assert "forgotten equally" not in free
    assert corrected.startswith(f"The more two classes overlap, the more alike their curves are, {alone} chance-")
    assert free.startswith(f"The more two classes overlap, the more their curves differ, {alone} AP at reference")
    caption = spaced(section("interaction").caption(told))
    assert caption.startswith("No interaction is shown, on AP at own prevalence: coefficient of the product 0.40 (P = ")
    caption = section("interaction_chance_corrected").caption(told)
    assert caption.startswith("The more two classes differ in frequency, the more co-occurrence goes with similar")
    pairs = told.tables["pairs"].filter(regex="^(?!ap_ref_)")
    without = replace(told, tables={**told.tables, "pairs": pairs})
    for base in ("pairs_overlap", "pairs_frequency", "interaction"):
        assert section(f"{base}_ap_ref").wanted(told)
        assert not section(f"{base}_ap_ref").wanted(without)  # without curves on that scale
