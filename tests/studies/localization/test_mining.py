"""Mining rules: the sign, the threshold, and what has nothing to lose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunecxr.studies.localization.mining import RULES, mine, mine_boxes

DENSE = np.array([0.8, 0.8, 0.5, 0.0, 0.2, 0.9])
PRUNED = np.array([0.5, 0.4, 0.5, 0.3, 0.1, 0.95])
IDS = tuple("abcdef")


def chosen(rule: str, tau: float) -> str:
    return "".join(IDS[row] for row in mine(IDS, DENSE, PRUNED, rule, tau).index)


def test_the_three_rules():
    assert chosen("relative", 0.4) == "be"  # drops of 1/2 each; a's is 3/8
    assert chosen("absolute", 0.25) == "ab"
    assert chosen("absolute", 0.4) == ""  # strictly more than the threshold
    assert chosen("top", 1 / 6) == "b"  # b and e tie: the first id
    assert chosen("top", 0.5) == "abe"
    assert chosen("top", 1.0) == "abe"  # what does not drop is not hard to learn


def test_the_table():
    mined = mine(IDS, DENSE, PRUNED, "relative", 0.4)
    assert list(mined.table) == ["id", "iou_dense", "iou_pruned", "drop", "relative_drop", "htl"]
    assert mined.table["drop"].tolist() == pytest.approx([0.3, 0.4, 0, -0.3, 0.1, -0.05])
    assert mined.table["relative_drop"].tolist() == pytest.approx(
        [0.375, 0.5, 0, np.nan, 0.5, -0.05 / 0.9], nan_ok=True
    )
    assert mined.undefined == 1


def test_boxes_that_agree_less_are_harder():
    agreement = np.array([1.0, 0.7, 0.5, 0.0])
    for rule in ("relative", "absolute"):  # the dense network agrees with itself: the two rules are one
        mined = mine_boxes(tuple("abcd"), agreement, rule, 0.4)
        assert mined.index.tolist() == [2, 3]
        assert mined.table["drop"].tolist() == pytest.approx([0.0, 0.3, 0.5, 1.0])
        assert mined.undefined == 0


ious = st.integers(0, 60).map(lambda pixels: pixels / 60)
scores = st.lists(st.tuples(ious, ious), min_size=1, max_size=30)


@given(scores, st.sampled_from(RULES), st.floats(0.01, 1))
@settings(deadline=None)
def test_an_htl_drops_and_no_harder_image_is_left_out(pairs, rule, tau):
    dense, pruned = np.array(pairs).T
    ids = [f"{i:03d}" for i in range(len(pairs))]
    mined = mine(ids, dense, pruned, rule, tau)
    table = mined.table
    htls, others = table[table["htl"]], table[~table["htl"]]
    assert (htls["drop"] > 0).all()
    assert (htls["iou_dense"] > 0).all()
    by = "drop" if rule == "absolute" else "relative_drop"
    if len(htls) and others[by].notna().any():
        assert htls[by].min() >= others[by].max()
    if rule == "top":
        assert len(htls) <= int(tau * len(pairs) + 1e-9)
    else:
        assert (htls[by] > tau).all()
        assert not (others[by] > tau).any()
    assert mined.index.tolist() == np.flatnonzero(table["htl"]).tolist()


@given(scores, st.sampled_from(RULES), st.floats(0.01, 1), st.randoms())
@settings(deadline=None)
def test_the_order_of_the_images_does_not_matter(pairs, rule, tau, random):
    ids = [f"{i:03d}" for i in range(len(pairs))]
    order = list(range(len(pairs)))
    random.shuffle(order)
    dense, pruned = np.array(pairs).T
    straight = mine(ids, dense, pruned, rule, tau)
    shuffled = mine([ids[i] for i in order], dense[order], pruned[order], rule, tau)
    assert {ids[i] for i in straight.index} == {ids[order[i]] for i in shuffled.index}


def test_what_cannot_be_mined_is_refused():
    with pytest.raises(ValueError, match="unknown rule 'best'; there are relative, absolute, top"):
        mine(IDS, DENSE, PRUNED, "best", 0.4)
    with pytest.raises(ValueError, match="from 0 to 1"):
        mine(IDS, DENSE, np.full(6, np.nan), "relative", 0.4)
    with pytest.raises(ValueError, match="6 ids, 6 dense and 5 pruned"):
        mine(IDS, DENSE, PRUNED[:5], "relative", 0.4)
