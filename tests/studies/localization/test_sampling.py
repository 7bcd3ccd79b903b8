"""Samplers of the baselines: how many, who, and with which chances."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunecxr.studies.localization.sampling import by_class, by_share, random_images


@given(st.lists(st.sampled_from(["male", "female", "unknown"]), min_size=1, max_size=40), st.data())
@settings(deadline=None)
def test_as_many_different_images_as_asked_for(groups, data):
    count = data.draw(st.integers(0, len(groups)))
    for draw in (lambda rng: random_images(len(groups), count, rng), lambda rng: by_class(groups, count, rng)):
        rows = draw(np.random.default_rng(1))
        assert len(rows) == len(set(rows.tolist())) == count
        assert rows.tolist() == sorted(rows.tolist())
        assert np.array_equal(rows, draw(np.random.default_rng(1)))
    rows = by_share(groups, count, np.random.default_rng(1))
    assert len(set(rows.tolist())) == count
    drawn, there = Counter(groups[row] for row in rows), Counter(groups)
    for group, number in there.items():  # within one image of the share
        assert abs(drawn[group] - number * count / len(groups)) < 1


def test_every_image_is_as_likely():
    rng = np.random.default_rng(0)
    seen = np.bincount(np.concatenate([random_images(10, 3, rng) for _ in range(2000)]), minlength=10)
    assert stats.chisquare(seen).pvalue > 0.001


def test_rare_classes_are_as_likely_as_common_ones():
    rng = np.random.default_rng(0)
    classes = ["common"] * 80 + ["rare"] * 15 + [""] * 5
    drawn = Counter(classes[by_class(classes, 1, rng)[0]] for _ in range(3000))
    assert stats.chisquare([drawn[name] for name in ("common", "rare", "")]).pvalue > 0.001


def test_shares_are_kept_exactly_where_they_can_be():
    groups = ["male"] * 60 + ["female"] * 30 + ["unknown"] * 10
    rows = by_share(groups, 20, np.random.default_rng(3))
    assert Counter(groups[row] for row in rows) == {"male": 12, "female": 6, "unknown": 2}


def test_more_than_there_are_is_refused():
    with pytest.raises(ValueError, match="larger sample"):
        random_images(3, 4, np.random.default_rng(0))
