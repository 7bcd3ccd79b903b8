"""Hard-to-learn samples (HTLs): training images whose localization pruning changes most (paper B, section 2.3).

A drop is dense minus pruned. (Algorithm 1, line 4 has it the other way round, which would choose the images that
improve.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

RULES = ("relative", "absolute", "top")


@dataclass(frozen=True)
class Mined:
    """What mining came to.

    Attributes:
        table: one row an image: id, iou_dense, iou_pruned, drop (their difference), relative_drop (of iou_dense; NaN
            where that is 0), htl (bool).
    """

    table: pd.DataFrame

    @property
    def index(self) -> np.ndarray:
        """Rows of the HTLs, rising, int64."""
        return np.flatnonzero(self.table["htl"].to_numpy())

    @property
    def undefined(self) -> int:
        """Images that the dense network misses altogether: nothing of theirs can drop, so none is an HTL."""
        return int(self.table["relative_drop"].isna().sum())


def mine(ids: Sequence[str], dense: np.ndarray, pruned: np.ndarray, rule: str, tau: float) -> Mined:
    """The HTLs among the images.

    Args:
        ids: of the images, length n.
        dense, pruned: shape (n,), in 0..1. Supervised: foreground IoU of either network with the true mask. Semi- and
            weakly supervised: 1 everywhere, and the IoU of the two networks' boxes (`boxes`).
        rule: `relative`: (dense - pruned) / dense > tau. `absolute`: dense - pruned > tau. `top`: the floor(tau * n)
            images of the largest relative drop, if there are as many that drop at all; ties go by id.
        tau: threshold, or share of the images.
    Raises:
        ValueError: an unknown rule, or scores that are not numbers in 0..1.
    """
    dense, pruned = np.asarray(dense, dtype=np.float64), np.asarray(pruned, dtype=np.float64)
    if not len(ids) == len(dense) == len(pruned):
        raise ValueError(f"{len(ids)} ids, {len(dense)} dense and {len(pruned)} pruned scores")
    for scores in (dense, pruned):
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError("scores must be numbers from 0 to 1")
    drop = dense - pruned
    relative = np.divide(drop, dense, out=np.full(len(dense), np.nan), where=dense > 0)
    if rule == "relative":
        htl = relative > tau  # False for NaN
    elif rule == "absolute":
        htl = drop > tau
    elif rule == "top":
        htl = _top(ids, relative, int(tau * len(dense) + 1e-9))
    else:
        raise ValueError(f"unknown rule {rule!r}; there are {', '.join(RULES)}")
    columns = {"iou_dense": dense, "iou_pruned": pruned, "drop": drop, "relative_drop": relative, "htl": htl}
    return Mined(pd.DataFrame({"id": list(ids), **columns}))


def mine_boxes(ids: Sequence[str], agreement: np.ndarray, rule: str, tau: float) -> Mined:
    """The HTLs by boxes: `agreement` is the IoU of the dense and the pruned network's, shape (n,)."""
    return mine(ids, np.ones(len(agreement)), agreement, rule, tau)


def _top(ids: Sequence[str], drops: np.ndarray, count: int) -> np.ndarray:
    """The `count` largest drops, as far as there are any above 0."""
    order = np.lexsort((np.asarray(ids, dtype=str), -np.nan_to_num(drops, nan=-np.inf)))
    chosen = np.zeros(len(drops), dtype=bool)
    chosen[order[:count]] = True
    return chosen & (drops > 0)
