"""The scales on which a class can be forgotten, and what each holds equal.

AP depends on prevalence in more than its floor: where every class loses the same share of its separability, rare ones
lose a larger share of their AP. No number settles alone whether rare classes are forgotten more; every answer names its
scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from prunecxr.analysis import ranking


@dataclass(frozen=True)
class Scale:
    """A score of a class.

    Attributes:
        name: in tables.
        title: in sentences and on axes.
        score: the score of a ranking that it is made from, one of :data:`prunecxr.analysis.ranking.SCALES`.
        equal: what classes of unlike frequency that are forgotten alike have in common on it.
        free: whether it does not depend on the prevalence of a class.
    """

    name: str
    title: str
    score: str
    equal: str
    free: bool

    def nothing(self, prevalence: np.ndarray, reference: float) -> np.ndarray:
        """The value of a network that knows nothing of a class; of the shape of ``prevalence``, one entry per class."""
        if self.name == "ap_chance":
            return prevalence
        return np.full(prevalence.shape, {"ap_ref": reference, "auroc": 0.5}.get(self.name, 0.0))


SCALES: dict[str, Scale] = {
    scale.name: scale
    for scale in (
        Scale("ap_ref", "AP at the reference prevalence", "ap_ref", "the ranking, seen near the top", True),
        Scale("auroc", "AUROC", "auroc", "the ranking", True),
        Scale("separability", "separability d′", "auroc", "the overlap of the two score distributions", True),
        Scale("ap", "AP", "ap", "usefulness at a class's own prevalence", False),
        Scale("ap_chance", "chance-corrected AP", "ap", "usefulness at a class's own prevalence", False),
    )
}
FREE = tuple(scale.name for scale in SCALES.values() if scale.free)


def change(value: xr.DataArray, nothing: xr.DataArray) -> xr.DataArray:
    """Relative change from the dense value of the same seed, measured from what knowing nothing gives.

    (v[k] - v[0]) / (v[0] - nothing): -1 has forgotten everything. NaN where the dense network is not above that.

    Args:
        value: dims (seed, sparsity, class).
        nothing: dim (class).
    """
    dense = value.sel(sparsity=0, drop=True)
    return (value - dense) / (dense - nothing).where(dense > nothing)


def to_separability(auroc: np.ndarray, influences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d' of AUROCs of any shape, and influences on it of that shape with a further axis, from those on AUROC."""
    d = ranking.separability(auroc)
    density = np.exp(-(d**2) / 4) / np.sqrt(2 * np.pi)  # of a standard normal at d / sqrt(2)
    return d, influences * (np.sqrt(2) / density)[..., None]
