"""The arms that HTLs are compared with: which images, how many, and equally many steps."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch

from prunecxr.studies.localization.arms import ARMS, Known, Pool, possible
from prunecxr.studies.localization.batches import LesionBatches
from prunecxr.studies.localization.config import BASELINES
from prunecxr.studies.localization.sampling import lowest

N = 30
HTL = np.array([3, 4, 5, 20, 21, 29])
TABLE = pd.DataFrame(
    {
        "id": [f"i{i:02d}" for i in range(N)],
        "sex": ["female", "male"] * 15,
        "diagnosis": ["nevus"] * 25 + ["melanoma"] * 5,
    }
)


def pool(**changes) -> Pool:
    rng = np.random.default_rng(0)
    dense, disagreement = rng.random(N), rng.random(N)
    given = {
        "table": TABLE, "htl": HTL, "dense": lambda: dense, "disagreement": lambda: disagreement, "repeats": 2,
        "rng": np.random.default_rng(1),
    }  # fmt: skip
    return Pool(**{**given, **changes})


def drawn(name: str, **changes) -> np.ndarray:
    return ARMS[name].draw(pool(**changes))


@pytest.mark.parametrize("name", ["random", "class", "sex", "lowest_iou", "disagreement"])
def test_as_many_images_as_htls_each_once(name):
    rows = drawn(name)
    assert len(rows) == len(set(rows.tolist())) == len(HTL)
    assert rows.tolist() == sorted(rows.tolist())
    assert rows.tolist() == drawn(name).tolist()


def test_hard_images_without_pruning():
    given = pool()
    assert set(drawn("lowest_iou")) == set(np.argsort(given.dense())[: len(HTL)])
    assert set(drawn("disagreement")) == set(np.argsort(given.disagreement())[-len(HTL) :])
    assert lowest(np.zeros(4), 2, ["d", "b", "c", "a"]).tolist() == [1, 3]  # ties go by id


def test_all_images_with_and_without_the_htls_repeated():
    assert drawn("all").tolist() == list(range(N))
    counts = Counter(drawn("all_htl", repeats=3).tolist())
    assert {row: count for row, count in counts.items() if count > 1} == dict.fromkeys(HTL.tolist(), 4)
    assert set(counts) == set(range(N))


def test_htls_are_mixed_with_as_many_others():
    rows = drawn("mixed")
    assert len(rows) == len(set(rows.tolist())) == 2 * len(HTL)
    assert set(HTL) < set(rows.tolist())
    most = np.arange(20)
    assert drawn("mixed", htl=most).tolist() == list(range(N))  # there are only ten others


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if arm.draw])
def test_every_arm_takes_as_many_steps_of_the_same_size(name):
    """An epoch shows as many images as there are HTLs, whatever the arm has to draw from; epochs differ."""
    images, index = np.zeros((N, 16, 16, 3), np.uint8), drawn(name)
    images[..., 0] = np.arange(N)[:, None, None]
    batches = LesionBatches(
        images, np.arange(N), batch_size=4, flip=False, rotation=0, device=torch.device("cpu"), channels_last=False,
        index=index,
    ).drawing(len(HTL))  # fmt: skip
    shown = [torch.cat([targets for _, targets in batches.epoch(seed)]).tolist() for seed in (0, 0, 1)]
    assert (len(batches), batches.n_images, len(shown[0])) == (2, 6, 6)
    assert shown[0] == shown[1]
    assert all(not Counter(epoch) - Counter(index.tolist()) for epoch in shown)
    assert (set(shown[0]) != set(shown[2])) == (len(index) > len(HTL))


def test_repeated_images_are_drawn_as_often_as_they_stand():
    images = np.zeros((3, 16, 16, 3), np.uint8)
    batches = LesionBatches(
        images, np.arange(3), batch_size=4, flip=False, rotation=0, device=torch.device("cpu"), channels_last=False,
        index=np.array([0, 0, 0, 1, 2]),
    ).drawing(2)  # fmt: skip
    seen = Counter(target for seed in range(500) for _, targets in batches.epoch(seed) for target in targets.tolist())
    assert seen[0] / 1000 == pytest.approx(3 / 5, abs=0.05)


def test_what_an_arm_lacks_is_said():
    every = Known(TABLE, masks=True, n_seeds=2)
    assert possible(every, BASELINES) == [name for name in BASELINES if name != "focal"]
    unknown = Known(TABLE.assign(sex="unknown", diagnosis=""), masks=False, n_seeds=1)
    assert possible(unknown, BASELINES) == ["random", "all", "all_htl", "mixed"]
    said = {name: arm.lacks(unknown) for name, arm in ARMS.items() if arm.lacks(unknown)}
    assert set(said) == {"class", "sex", "lowest_iou", "disagreement"}
    assert said["disagreement"] == "it needs the dense networks of two seeds"
    assert possible(every, ("all", "focal")) == ["all"]
