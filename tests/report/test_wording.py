"""Numbers and lists as words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prunecxr.report.wording import correlation, count, listing, number, p_value, percent, short, sparsity


@pytest.mark.parametrize(
    ("p", "text"),
    [(np.nan, "not tested"), (0.0, "P < 0.001"), (0.00099, "P < 0.001"), (0.012, "P = 0.012"), (0.5, "P = 0.50")],
)
def test_p_values(p: float, text: str) -> None:
    assert p_value(p).replace("\u00a0", " ") == text


def test_numbers() -> None:
    assert number(-0.256) == "−0.26"
    assert number(np.nan) == "undefined"
    assert number(np.inf) == "infinite"
    assert number(-np.inf) == "−infinite"
    assert percent(-0.256) == "−26%"
    assert percent(np.nan) == "undefined"
    assert [sparsity(k) for k in (0.65, 0.975, 0.05, 1 - 0.05)] == ["65%", "97.5%", "5%", "95%"]


def test_names_in_figures_are_cut() -> None:
    assert short("Calcification of the Aorta") == "Calcification of the Aorta"
    assert short("L" * 180) == "L" * 31 + "…"


def test_lists() -> None:
    assert listing([]) == ""
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert listing("abcdefgh", most=3) == "a, b, c and 5 more"
    assert (count(1, "class", "classes"), count(2, "class", "classes"), count(1000, "pair")) == (
        "1 class", "2 classes", "1,000 pairs",
    )  # fmt: skip


def test_correlations_say_what_was_tested_and_on_how_many() -> None:
    row = pd.Series({"n": 8, "spearman_rho": 0.5, "spearman_p": 0.01, "pearson_r": -0.25, "pearson_p": 0.5})

    def said(noun: str = "", **changes: float) -> str:
        return correlation(pd.Series({**row, **changes}), noun).replace("\u00a0", " ")

    assert said("classes") == "ρ = 0.50 (P = 0.010), r = −0.25 (P = 0.50), n = 8 classes"
    assert said(n_pearson=6) == "ρ = 0.50 (P = 0.010), r = −0.25 (P = 0.50, n = 6), n = 8"
    assert said(spearman_p=np.nan, pearson_p=np.nan) == "ρ = 0.50, r = −0.25, n = 8"
    assert said(spearman_rho=np.nan) == "undefined (too few values, or all the same), n = 8"
