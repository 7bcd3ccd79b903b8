"""Answers on the scales of forgetting: hand-made tables, one for each state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from prunecxr.report.section import verdict_table
from prunecxr.studies.pruning.analysis.scales import FREE, SCALES
from prunecxr.studies.pruning.sections import safe_sparsity
from prunecxr.studies.pruning.sections.answers import first_forgotten, most_forgotten, overall, rare_classes, safe
from prunecxr.studies.pruning.sections.findings import Findings

SPARSITIES = (0.0, 0.5, 0.7, 0.9)


def plain(text: str) -> str:
    """With ordinary spaces and minus signs."""
    return text.replace("\u00a0", " ").replace("−", "-")


def of_sparsities(collapsed: tuple[float, ...] = (0.9,)) -> pd.DataFrame:
    alive = [k for k in SPARSITIES if k > 0 and k not in collapsed]
    return pd.DataFrame(
        {
            "sparsity": SPARSITIES,
            "n_known": 6,
            "collapsed": [k in collapsed for k in SPARSITIES],
            "asked": [bool(alive) and k == max(alive) for k in SPARSITIES],
        }
    )


def of_rare_classes(
    free: dict[str, tuple[float, float]], own: tuple[float, float], null_p: float = 0.5
) -> pd.DataFrame:
    """rho and adjusted P of each prevalence-free scale; rho and P of AP."""
    rows = []
    for scale in SCALES:
        rho, p = free.get(scale, own)
        for outcome in ("change", "first_drop"):
            of_null = {"null_rho": 0.78, "null_low": 0.7, "null_high": 0.85, "null_p": null_p} if scale == "ap" else {}
            rows.append(
                {
                    "scale": scale, "outcome": outcome, "sparsity": 0.7, "n": 6, "n_known": 6, "spearman_rho": rho,
                    "p": p, "p_holm": p if scale in FREE else np.nan, "rho_low": rho - 0.1, "rho_high": rho + 0.1,
                    "partial_rho": 0.5, **of_null,
                }
            )  # fmt: skip
    columns = ("null_rho", "null_low", "null_high", "null_p")
    return pd.DataFrame(rows).reindex(columns=[*(c for c in rows[0] if c not in columns), *columns])


def rare(free: tuple[tuple[float, float], ...], own=(0.8, 0.001), collapsed=(0.9,), **changes) -> rare_classes.Answer:
    tables = {
        "rare_classes": of_rare_classes(dict(zip(FREE, free, strict=True)), own, **changes),
        "sparsities": of_sparsities(collapsed),
    }
    answer = rare_classes.answer(Findings("tiny", tables))
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("free", "own", "state", "words"),
    [
        (((0.7, 0.01), (0.6, 0.02), (0.3, 0.4)), (0.8, 0.001), "yes", "Yes: at 70% sparsity rarer classes lose"),
        (((-0.7, 0.01), (-0.6, 0.02), (-0.3, 0.4)), (0.1, 0.7), "opposite", "more frequent classes lose"),
        (((0.7, 0.01), (0.6, 0.02), (-0.1, 0.4)), (0.1, 0.5), "no_association_shown", "-0.20 to 0.80"),
        (((0.7, 0.01), (0.3, 0.2), (0.3, 0.4)), (0.2, 0.3), "no_association_shown", "No association is shown at 70%"),
        (((0.1, 0.7), (0.1, 0.7), (0.1, 0.7)), (0.8, 0.001), "only_at_own_prevalence", "ρ = 0.78 (95% of simulations"),
        (((0.1, np.nan),) * 3, (0.8, np.nan), "cannot_be_told", "fewer than 3 seeds"),
        (((np.nan, np.nan),) * 3, (np.nan, np.nan), "cannot_be_told", "6 of them with 10 test positives"),
    ],
)
def test_are_rare_classes_forgotten_more(free, own, state: str, words: str) -> None:
    answer = rare(free, own)
    assert answer.state == state
    assert words in plain(answer.verdict)


def test_equal_forgetting_is_named_beside_ap() -> None:
    alike = ((0.1, 0.7),) * 3
    assert "what is seen lies within that" in rare(alike, null_p=0.4).verdict
    assert "what is seen lies outside of that" in rare(alike, null_p=0.004).verdict
    assert "where equal forgetting gives ρ = 0.78" in plain(rare(((0.7, 0.01),) * 3).evidence)


def test_nothing_is_asked_of_collapsed_networks() -> None:
    answer = rare(((np.nan, np.nan),) * 3, (np.nan, np.nan), collapsed=(0.5, 0.7, 0.9))
    assert answer.verdict == "Cannot be told: networks have collapsed at every sparsity studied."


def changes_of(changes: dict[str, tuple[float, float, float]], few: tuple[str, ...] = ()) -> Findings:
    """Class -> changes at 50%, 70% and 90%; intervals of 10 points either way, P of 0.001 below a change of -5%."""
    rows = [
        {
            "class": name, "sparsity": k, "scale": "ap_ref", "change": change, "low": change - 0.1,
            "high": change + 0.1, "known": True, "few": name in few, "collapsed": k == 0.9, "p": 0.0,
            "p_holm": np.nan if k == 0.9 or name in few else 0.001 if change < -0.05 else 0.9,
        }
        for name, values in changes.items()
        for k, change in zip(SPARSITIES[1:], values, strict=True)
    ]  # fmt: skip
    scores = pd.DataFrame({"class": list(changes), "sparsity": 0.0, "scale": "ap_ref", "known": True})
    scores["few"] = scores["class"].isin(few)
    return Findings("tiny", {"changes": pd.DataFrame(rows), "scores": scores, "sparsities": of_sparsities()})


def test_most_forgotten_lists_ties_and_leaves_out_few_positives_and_collapsed_networks() -> None:
    findings = changes_of({"A": (0, -0.4, -1), "B": (0, -0.4, -0.9), "C": (0, -0.3, -1.1), "D": (0, -0.9, -1)}, ("D",))
    answer = most_forgotten.answer(findings)
    assert answer.state == "A; B"
    assert plain(answer.verdict) == "A and B: -40% (95% CI -50% to -30%) at 70% sparsity, the same in 2 classes."
    assert answer.evidence.endswith("Intervals that overlap with it: C.")


def test_most_forgotten_claims_no_loss_that_is_not_shown() -> None:
    answer = most_forgotten.answer(changes_of({"A": (0, -0.04, -1), "B": (0, 0, -1)}))
    assert answer.state == "no_association_shown"
    assert answer.verdict == "No class is shown to lose anything at 70% sparsity."


def test_first_forgotten() -> None:
    findings = changes_of(
        {"A": (-0.1, -0.4, -1), "B": (-0.25, -0.4, -1), "C": (0, -0.1, -1), "D": (-0.9, -1, -1)}, ("D",)
    )
    answer = first_forgotten.answer(findings)
    assert (answer.state, answer.verdict) == ("B", "B, at 50% sparsity.")
    assert "1 class of 3 did not lose as much before networks collapsed" in answer.evidence
    nothing = first_forgotten.answer(changes_of({"A": (0, -0.1, -1)}))
    assert nothing.state == "no_association_shown"
    assert nothing.verdict == "No class is shown to lose 20% of its AP at 5% prevalence before networks collapse."


def of_means(safe_at: tuple[float, ...]) -> Findings:
    mean = pd.DataFrame(
        {
            "sparsity": SPARSITIES[1:], "change": [-0.01, -0.06, -0.8], "low": [-0.05, -0.12, -0.9],
            "high": [0.03, 0, -0.7], "p": 0.01, "safe": [k in safe_at for k in SPARSITIES[1:]], "n_classes": 3,
            "collapsed": [False, False, True], "scale": "ap_ref", "delta": 0.1,
        }
    )  # fmt: skip
    letters = {"A": ("safe", "safe", "not_safe"), "B": ("safe", "not_safe", "not_safe"), "C": ("not_known",) * 3}
    table = pd.DataFrame(
        [
            {"class": name, "sparsity": k, "outcome": outcome, "safe_up_to": 0.5, "test_count": 20}
            for name, outcomes in letters.items()
            for k, outcome in zip(SPARSITIES[1:], outcomes, strict=True)
        ]
    )
    return Findings("tiny", {"mean_change": mean, "safe_sparsity": table, "sparsities": of_sparsities()})


def test_safe_sparsity_recommends_the_sparsest_network_that_is_surely_within_the_margin() -> None:
    answer = safe.answer(of_means((0.5,)))
    assert answer.state == "0.5"
    assert answer.verdict.startswith("Up to 50%, if the mean of the classes counts: it surely loses less than 10%")
    assert "Each by itself is safe there: A and B." in answer.evidence
    assert "Not known (too few positives or seeds to rule a larger loss out): C." in answer.evidence
    assert answer.evidence.endswith("Collapsed: 90%.")


def test_safe_sparsity_keeps_the_dense_network_where_nothing_else_is_shown() -> None:
    answer = safe.answer(of_means(()))
    assert answer.state == "0"
    assert answer.verdict == "The dense networks alone: at no sparsity is the mean surely within 10% of theirs."
    assert "a loss of the mean AP at 5% prevalence of up to 5% cannot be ruled out" in answer.evidence


def test_safe_sparsity_of_too_few_seeds_is_not_told() -> None:
    few = of_means(())
    few.tables["mean_change"]["p"] = np.nan
    answer = safe.answer(few)
    assert (answer.state, answer.evidence) == ("0", "")
    assert answer.verdict == "Cannot be told: nothing is tested with fewer than 3 seeds."


def test_the_grid_has_a_letter_for_every_class_and_sparsity() -> None:
    grid = safe_sparsity.grid(of_means((0.5,)))
    assert grid.set_index("class").loc["A", ["0.5", "0.7", "0.9"]].tolist() == ["S", "S", "N"]
    assert grid.set_index("class").loc["C", ["0.5", "0.7", "0.9"]].tolist() == ["?", "?", "?"]


def of_overall(t: tuple[float, ...], p: tuple[float, ...]) -> Findings:
    table = pd.DataFrame({"sparsity": SPARSITIES, "median_mean_ap": [0.5, 0.5, 0.4, 0.2], "paired_n": 4})
    table["chance_corrected_median_mean_ap"] = table["median_mean_ap"] - 0.1
    for prefix in ("", "chance_corrected_"):
        table[f"{prefix}paired_t"], table[f"{prefix}paired_p"] = [np.nan, *t], [np.nan, *p]
        table[f"{prefix}paired_drop"] = [False, *(a < 0 and b < 0.05 for a, b in zip(t, p, strict=True))]
    for name in ("significant_drop", "significant_drop_holm"):
        table[name] = False
    return Findings("tiny", {"overall": table})


def test_overall_drop_is_paired_by_seed() -> None:
    answer = overall.answer(of_overall((0.5, -4, -9), (0.6, 0.01, 0.0001)))
    assert (answer.state, answer.verdict) == ("0.7", "Mean AP is lower from 70% sparsity on.")
    assert "lower from 70% on, there t = -4.00, P = 0.010" in plain(answer.evidence)
    assert "Welch's on unpaired networks: at no sparsity has P < 0.05" in plain(answer.evidence)


def test_no_overall_drop_and_no_test() -> None:
    silent = overall.answer(of_overall((0.5, -1, -2), (0.6, 0.3, 0.1)))
    assert (silent.state, silent.verdict) == ("no_association_shown", "No drop in mean AP is shown at any sparsity.")
    untested = overall.answer(of_overall((np.nan,) * 3, (np.nan,) * 3))
    assert (untested.state, untested.verdict) == ("cannot_be_told", "Not tested.")


def test_verdicts_are_a_table() -> None:
    answers = [most_forgotten.answer(changes_of({"A": (0, -0.4, -1)})), replace(safe.answer(of_means(())), name="")]
    table = verdict_table(answers)
    assert table["question"].tolist() == ["most_forgotten"]
    assert table["sentence"].iloc[0].startswith("What is forgotten most? A: ")
