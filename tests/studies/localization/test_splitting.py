"""Drawn splits: shares, subjects, and what the draw may depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.splitting import draw_splits

SHARES = {"val": 0.1, "test": 0.2}


@given(st.lists(st.integers(0, 30).map(str), min_size=5, max_size=200), st.integers(0, 1000))
def test_every_image_once_and_every_subject_in_one_split(subjects: list[str], seed: int):
    if len(set(subjects)) < 3:
        with pytest.raises(UserError, match="cannot be split into train, val, test"):
            draw_splits(subjects, SHARES, "train", seed)
        return
    drawn = draw_splits(subjects, SHARES, "train", seed)
    assert sorted(np.concatenate(list(drawn.values())).tolist()) == list(range(len(subjects)))
    found = [{subjects[at] for at in index} for index in drawn.values()]
    assert all(found)
    assert sum(map(len, found)) == len(set(subjects))


@given(st.permutations(range(60)))
def test_the_draw_does_not_depend_on_the_order(order: list[int]):
    subjects = [f"p{number // 2}" for number in range(60)]
    drawn = draw_splits(subjects, SHARES, "train", 3)
    turned = draw_splits([subjects[at] for at in order], SHARES, "train", 3)
    for name, index in drawn.items():
        assert sorted(order[at] for at in turned[name]) == index.tolist()


def test_shares_are_met_exactly_by_single_images():
    drawn = draw_splits([f"{number}" for number in range(1500)], SHARES, "train", 0)
    assert {name: len(index) for name, index in drawn.items()} == {"train": 1050, "val": 150, "test": 300}
    other = draw_splits([f"{number}" for number in range(1500)], SHARES, "train", 1)
    assert set(other["test"]) != set(drawn["test"])


def test_shares_that_leave_nothing():
    with pytest.raises(UserError, match="val_fraction and test_fraction leave no images for train"):
        draw_splits(["a", "b", "c"], {"val": 0.5, "test": 0.5}, "train", 0)


def test_one_patient_cannot_be_split():
    with pytest.raises(UserError, match="9 images of 1 patient cannot be split into train, val, test"):
        draw_splits(["a"] * 9, SHARES, "train", 0)
