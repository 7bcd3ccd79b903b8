"""What the report says, in each state: from tables made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.nulls.localization import NULLS, claim_rate
from prunecxr.report.section import Answer, verdict_table
from prunecxr.studies.localization.arms import ARMS
from prunecxr.studies.localization.sections.answers import (
    costliest,
    finetuning,
    hard_images,
    losers,
    people,
    planted,
    regions,
)
from prunecxr.studies.localization.sections.catalogue import ANSWERS
from prunecxr.studies.localization.sections.findings import HtlFindings


def plain(text: str) -> str:
    """With spaces where no line may break, too."""
    return text.replace("\u00a0", " ")


def given(**tables: pd.DataFrame) -> HtlFindings:
    return HtlFindings("hand", "supervised", "magnitude", 0.7, "relative", 0.4, tables)


# Does the foreground lose more than the background?


def effect(*rows: dict[str, object]) -> pd.DataFrame:
    """Rows of the table; by default both lose 30% above the floor, and raw IoU shows what the floor makes of it."""
    usual = {
        "fraction": 0.7, "n_seeds": 3, "drop_background": 0.06, "sd_background": 0.01, "drop_foreground": 0.3,
        "sd_foreground": 0.02, "difference": 0.24, "low": 0.2, "high": 0.28, "floor_background": 0.8,
        "above_seeds": 3, "above_background": 0.3, "above_sd_background": 0.02, "above_foreground": 0.3,
        "above_sd_foreground": 0.02, "above_difference": 0.0, "above_low": -0.1, "above_high": 0.1, "above_p": 0.9,
        "above_p_holm": 0.9, "at_floor": False,
    }  # fmt: skip
    return pd.DataFrame([{**usual, **row} for row in rows])


MORE = {"above_difference": 0.2, "above_foreground": 0.5, "above_p_holm": 0.01}
LESS = {"above_difference": -0.2, "above_foreground": 0.1, "above_p_holm": 0.01}
UNTESTED = {"above_p": np.nan, "above_p_holm": np.nan, "above_low": np.nan, "above_high": np.nan}


@pytest.mark.parametrize(
    ("rows", "state", "sentence"),
    [
        ([MORE], "yes", "Yes: it loses a larger share of what it has above a mask that marks nothing, with 70% of the"),
        ([MORE, {"fraction": 0.5}], "yes", " at 1 of 2 pruned shares (70%)."),
        ([MORE, {**MORE, "fraction": 0.5}], "yes", " at each of 2 pruned shares."),
        ([LESS], "opposite", "The opposite: the background loses a larger share of what it has above"),
        ([MORE, {**LESS, "fraction": 0.5}], "mixed", "the foreground loses more at 70%, the background at 50%."),
        (
            [{}],
            "no_association_shown",
            "is shown with 70% of the weights pruned. In raw IoU the foreground",
        ),
        ([{"low": -0.1}], "no_association_shown", "no difference is shown with 70% of the weights pruned."),
        (
            [MORE, {**UNTESTED, "fraction": 0.99, "at_floor": True}],
            "yes",
            "Left out: 99%, where the pruned networks mark next to nothing of the lesions.",
        ),
        ([UNTESTED], "cannot_be_told", "Cannot be told: that takes two seeds"),
        ([{**UNTESTED, "above_seeds": 0}], "cannot_be_told", "the dense networks are not above a mask that marks"),
        ([{**UNTESTED, "floor_background": np.nan, "above_seeds": 0}], "cannot_be_told", "these runs do not say what"),
        ([{**UNTESTED, "difference": np.nan}], "cannot_be_told", "Cannot be told: no pruned network"),
    ],
)
def test_regions(rows, state, sentence):
    found = regions.answer(given(effect=effect(*rows)))
    assert found.state == state
    assert sentence in plain(found.verdict)
    assert regions.answer(given()) is None


def test_a_difference_that_the_floor_alone_makes_is_no_claim():
    """Raw IoU: 30% against 6%, with an interval far above 0; above the floor both lose alike."""
    found = regions.answer(given(effect=effect({})))
    assert "Yes" not in found.verdict
    assert "as it does whenever both lose alike: marking nothing already gives the background an IoU of 0.80" in (
        found.verdict
    )
    assert "difference 0.0 points (−10.0 to 10.0, P = 0.90 after Holm)" in plain(found.evidence)
    assert "of its raw IoU the foreground loses 30%, the background 6%" in found.evidence


# Do HTLs help?


def paired(**p: float) -> pd.DataFrame:
    """A row for each arm: its P after Holm, with the sign of the difference; NaN: not tested."""
    rows = [
        {
            "approach": name, "metric": "foreground", "n_seeds": 3, "difference": 0.02 * np.sign(value or 1),
            "low": -0.01 if value == value else np.nan, "high": 0.05, "p": abs(value), "p_holm": abs(value),
            "low_images": 0.01, "high_images": 0.03,
        }
        for name, value in p.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(difference=lambda table: table["difference"].fillna(0.02))


@pytest.mark.parametrize(
    ("p", "state", "parts"),
    [
        ({"random": 0.01, "lowest_iou": 0.02, "all": 0.03}, "yes", ["Yes: foreground IoU is higher", "all images"]),
        (
            {"random": 0.01, "lowest_iou": 0.5, "all": 0.03},
            "no_association_shown",
            ["Not shown: foreground IoU is higher", "against images of lowest dense IoU no difference is shown"],
        ),
        ({"random": 0.3, "lowest_iou": -0.5, "all": 0.9}, "no_association_shown", ["no difference is shown"]),
        (
            {"random": -0.01, "lowest_iou": 0.5, "all": -0.03},
            "opposite",
            [
                "The opposite: foreground IoU is lower",
                "random images (baseline 4) and all images",
                "lowest dense IoU no",
            ],
        ),
        (
            {"random": 0.01, "lowest_iou": 0.5, "all": -0.03},
            "mixed",
            ["It depends on the comparison", "but lower than on all images (equally many steps)"],
        ),
        (
            {"random": 0.01, "plain": 0.01},
            "cannot_be_told",
            ["Cannot be told", "Missing: the comparison with images of lowest dense IoU and all images (equally many"],
        ),
        ({"random": -0.01}, "opposite", ["Missing: the comparison with images of lowest dense IoU"]),
        ({"plain": 0.01}, "cannot_be_told", ["Missing: the comparison with random images"]),
        (
            {"random": np.nan, "lowest_iou": np.nan, "all": np.nan},
            "cannot_be_told",
            ["Not tested, for want of a second seed: random images"],
        ),
    ],
)
def test_finetuning(p, state, parts):
    found = finetuning.answer(given(paired=paired(**p)))
    assert found.state == state
    for part in parts:
        assert part in found.verdict
    for name in p:
        assert finetuning.approach(name) in found.evidence


def test_without_fine_tuning_on_htls_nothing_is_told():
    found = finetuning.answer(given(paired=pd.DataFrame()))
    assert (found.state, found.evidence) == ("cannot_be_told", "")
    assert set(finetuning.DECISIVE) < set(ARMS)


# Which way of pruning costs most?


def two_by_two(**p: dict[float, float]) -> pd.DataFrame:
    """`a_b={0.2: -0.01}`: method a is below b at 20% with that P."""
    rows = [
        {
            "fraction": share, "method": pair.split("_")[0], "other": pair.split("_")[1], "p_holm": abs(value),
            "difference": 0.0 if np.isnan(value) else 0.1 * np.sign(value),
        }
        for pair, by_share in p.items() for share, value in by_share.items()
    ]  # fmt: skip
    columns = ["fraction", "method", "other", "difference", "p_holm"]
    return pd.DataFrame(rows, columns=columns).sort_values("fraction")


ABLATION = pd.DataFrame({"fraction": [0.2, 0.2], "method": ["random", "magnitude"], "foreground": [0.1, 0.5]})


@pytest.mark.parametrize(
    ("tests", "state", "sentence"),
    [
        (two_by_two(random_magnitude={0.2: -0.01, 0.7: -0.01}), "random", "Random pruning, at every pruned share."),
        (
            two_by_two(random_magnitude={0.2: -0.01, 0.7: 0.6}),
            "random",
            "Random pruning, at 20%. At 70%, none is shown to be worse than every other.",
        ),
        (
            two_by_two(random_magnitude={0.2: -0.01, 0.7: 0.01}),
            "mixed",
            "random at 20% and unstructured magnitude at 70%",
        ),
        (two_by_two(random_magnitude={0.2: -0.3}), "no_association_shown", "worse than every other at 20%."),
        (
            two_by_two(random_magnitude={0.2: -0.01}, random_x={0.2: 0.5}, magnitude_x={0.2: 0.01}),
            "no_association_shown",
            "Not shown",
        ),
        (two_by_two(random_magnitude={0.2: np.nan}), "cannot_be_told", "there is no test"),
        (two_by_two(), "cannot_be_told", "no pruned share at which several methods were evaluated"),
    ],
)
def test_costliest(tests, state, sentence):
    found = costliest.answer(given(ablation_tests=tests, ablation=ABLATION))
    assert found.state == state
    assert sentence in plain(found.verdict)


# Do HTLs differ by sex or age?

GROUPS = pd.DataFrame(
    {
        "variable": ["sex", "sex"], "group": ["female", "male"], "share": [0.5, 0.5], "htl_share": [0.6, 0.4],
        "excess": [0.1, -0.1], "mean_drop": [0.3, 0.2], "drop_low": [0.2, 0.1], "drop_high": [0.4, 0.3],
    }
)  # fmt: skip


def group_tests(sex: tuple[float, float], age: tuple[float, float]) -> pd.DataFrame:
    rows = [
        (v, what, p) for v, pair in (("sex", sex), ("age", age)) for what, p in zip(people.TESTED, pair, strict=True)
    ]
    return pd.DataFrame(rows, columns=["variable", "what", "p_holm"]).assign(n=40, n_unknown=2)


@pytest.mark.parametrize(
    ("sex", "age", "state", "sentence"),
    [
        (
            (0.5, 0.9),
            (0.01, 0.02),
            "yes",
            "Yes: by age in how often images are HTLs (P = 0.010) and what pruning",
        ),
        ((0.01, 0.9), (0.7, 0.02), "yes", "Yes: by sex in how often images are HTLs (P = 0.010) and by age in what"),
        ((0.5, 0.9), (0.1, 0.2), "no_association_shown", "No difference by sex or age is shown."),
        (
            (np.nan, np.nan),
            (0.1, 0.2),
            "no_association_shown",
            "by age is shown. By sex it cannot be told.",
        ),
        ((np.nan, np.nan), (np.nan, np.nan), "cannot_be_told", "Cannot be told"),
    ],
)
def test_people(sex, age, state, sentence):
    found = people.answer(given(group_tests=group_tests(sex, age), groups=GROUPS))
    assert found.state == state
    assert sentence in plain(found.verdict)
    assert "not fewer" not in str(found)


# Do HTLs find the images that were drawn hard?


def drawn_hard(precision: float, p: float) -> pd.DataFrame:
    one = {
        "seed": "10", "precision": precision, "recall": 0.5, "random_precision": 0.2, "random_recall": 0.1,
        "random_precision_low": 0.1, "random_precision_high": 0.3, "lift": precision / 0.2, "p": 0.5,
    }  # fmt: skip
    return pd.DataFrame([one, {**one, "seed": "all", "p": p}])


@pytest.mark.parametrize(
    ("precision", "p", "state", "sentence"),
    [
        (
            0.8,
            0.001,
            "yes",
            "Yes: images drawn hard are 4.0 times as frequent among HTLs as among all (mean over seeds), P",
        ),
        (0.05, 0.01, "opposite", "The opposite: images drawn hard are 0.2 times as frequent"),
        (0.25, 0.4, "no_association_shown", "Not shown: images drawn hard are 1.2 times as frequent"),
        (np.nan, np.nan, "cannot_be_told", "Cannot be told: there are no HTLs."),
        (0.2, np.nan, "cannot_be_told", "Cannot be told: all images were drawn alike"),
    ],
)
def test_planted(precision, p, state, sentence):
    found = planted.answer(given(planted=drawn_hard(precision, p)))
    assert found.state == state
    assert sentence in plain(found.verdict)


# Values


def test_htls_are_counted_beside_what_random_sets_share():
    table = pd.DataFrame(
        {
            "seed": [1, 2], "n_images": 100, "n_htl": [10, 30], "share": [0.1, 0.3], "undefined": 0,
            "jaccard": [0.3, 0.3], "random_jaccard": [0.08, 0.08], "random_jaccard_high": [0.14, 0.14],
        }
    )  # fmt: skip
    found = hard_images.answer(given(mined=table))
    assert (found.state, found.verdict) == ("0.200", "20% of 100 images are HTLs (mean of 2 seeds).")
    assert "index of 0.30 on average; random sets of these sizes have 0.08, and 97.5% of them at most 0.14." in (
        found.evidence
    )
    alone = hard_images.answer(given(mined=table.assign(jaccard=np.nan)))
    assert "Jaccard" not in alone.evidence


def test_images_that_lose_much_are_counted_on_a_named_scale():
    rows = [{"region": name, "n_seeds": 3, "share_large": share, "median": share / 2} for name, share in
            (("foreground", 0.4), ("background", 0.01))]  # fmt: skip
    found = losers.answer(given(drops=pd.DataFrame(rows)))
    assert found.state == "0.400"
    assert "40% of the training images lose 40% or more of their raw foreground IoU with 70%" in found.verdict
    nothing = losers.answer(given(drops=pd.DataFrame(rows).assign(n_seeds=0, share_large=np.nan)))
    assert nothing.state == "cannot_be_told"
    assert losers.answer(given()) is None


def test_verdicts_as_a_table():
    found = [
        Answer("Who?", "Nobody.", name="who", state="cannot_be_told"),
        Answer("Is it?", "Yes.", name="is", state="yes"),
    ]
    assert verdict_table(found).to_dict("list") == {
        "question": ["who", "is"],
        "answer": ["cannot_be_told", "yes"],
        "sentence": ["Who? Nobody.", "Is it? Yes."],
    }
    assert list(verdict_table([])) == ["question", "answer", "sentence"]
    assert len(ANSWERS) == 7


# Controls


@pytest.mark.parametrize("verdict", NULLS)
def test_nothing_is_claimed_where_there_is_nothing_and_what_there_is_is_found(verdict):
    """Ten seeds; error at most 5% is shown by benchmarks/nulls/localization.py, with more repeats."""
    assert claim_rate(verdict, 0.0, repeats=20, n_seeds=10, n_images=90) <= 0.2  # P = 0.003 at an error of 5%
    assert claim_rate(verdict, 1.5 * NULLS[verdict][1], repeats=8, n_seeds=10, n_images=90) >= 0.7
