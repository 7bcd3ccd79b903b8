"""What the correlation of AP with frequency would be if all classes were forgotten alike.

On the AP scale a correlation has no meaning by itself: with the same share of separability lost in every class, rare
classes lose a larger share of their AP. The null draws that world from the study's own dense predictions. A class's
normal scores z become lambda z + sqrt(1 - lambda^2) noise, with one lambda for all classes: the median share of d' that
the study's networks keep. The same analysis follows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from prunecxr.analysis.twoway import median
from prunecxr.progress import progress
from prunecxr.studies.pruning.analysis.rankings import Rankings
from prunecxr.studies.pruning.analysis.scales import SCALES

SEPARATED = 0.6  # AUROC above which a class tells what share of d' is kept
SEEDS = 3  # that a simulated study has at most
DROP = -0.20


@dataclass(frozen=True)
class Null:
    """Simulated studies in which all classes are forgotten alike.

    Attributes:
        kept: share of d' that every class keeps at each sparsity, shape (n_sparsities,).
        changes: median relative change in AP, shape (n_studies, n_sparsities, n_classes); the first is 0.
        corrected: the same of chance-corrected AP.
    """

    kept: np.ndarray
    changes: np.ndarray
    corrected: np.ndarray


def kept_share(rankings: Rankings) -> np.ndarray:
    """Median over classes of d'[k] / d'[0], of the classes whose dense AUROC is above 0.6; shape (n_sparsities,)."""
    auroc = median(rankings.on(SCALES["auroc"])[:, 0])
    d = median(rankings.on(SCALES["separability"]))
    separated = (auroc > SEPARATED) & ~rankings.few
    if not separated.any():
        return np.full(len(rankings.sparsities), np.nan)
    return np.clip(np.nanmedian(d[:, separated] / d[0, separated], axis=1), 0, 1)


def simulate(
    rankings: Rankings,
    dense: np.ndarray,
    truth: np.ndarray,
    sparsities: Sequence[int],
    studies: int = 200,
    seed: int = 0,
    seeds: int = SEEDS,
) -> Null:
    """Studies in which all classes are forgotten alike.

    Args:
        rankings: of the study.
        dense: probabilities of its dense networks, shape (n_seeds, n_images, n_classes).
        truth: shape (n_images, n_classes); NaN is unknown.
        sparsities: places of those to simulate, in ``rankings.sparsities``.
        studies: how many.
        seed: of the random numbers.
        seeds: that a simulated study has at most.
    """
    shares = kept_share(rankings)[list(sparsities)]
    rows = np.flatnonzero(np.isfinite(dense).all(axis=(1, 2)))[:seeds]
    ap = np.full((studies, len(rows), 1 + len(shares), truth.shape[1]), np.nan)

    def of_class(c: int) -> None:
        labelled = ~np.isnan(truth[:, c])
        hits = truth[labelled, c] > 0
        if not 0 < hits.sum() < len(hits):
            return
        for i, row in enumerate(rows):
            normal = _normal_scores(dense[row, labelled, c])
            ap[:, i, 0, c] = _average_precision(normal, hits)
            rng = np.random.default_rng([seed, c, int(row)])
            for study in range(studies):
                noise = rng.standard_normal(len(normal), np.float32)
                for k, share in enumerate(shares):
                    blurred = np.float32(share) * normal + np.float32(np.sqrt(1 - share**2)) * noise
                    ap[study, i, 1 + k, c] = _average_precision(blurred, hits)

    classes = range(truth.shape[1])
    with ThreadPoolExecutor(os.cpu_count()) as pool, progress(len(classes), "null", "class", delay=5) as bar:
        for _ in pool.map(of_class, classes if np.isfinite(shares).all() else ()):
            bar.update()
    return Null(shares, _changes(ap, 0.0), _changes(ap, rankings.prevalence))


def compare(rho: float, simulated: np.ndarray) -> tuple[float, float, float, float]:
    """Where a correlation lies among those of simulated studies: their mean, 95% range, and two-sided P."""
    simulated = simulated[np.isfinite(simulated)]
    if not len(simulated) or not np.isfinite(rho):
        return (np.nan,) * 4
    mean = float(simulated.mean())
    low, high = np.quantile(simulated, [0.025, 0.975])
    beyond = (np.abs(simulated - mean) >= abs(rho - mean) - 1e-12).sum()
    return mean, float(low), float(high), float((1 + beyond) / (1 + len(simulated)))


def correlations(frequency: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Spearman's rho of frequency (n_classes,) with each row of outcomes (n, n_classes); infinity ranks last."""
    x = stats.rankdata(frequency)
    y = stats.rankdata(outcomes, axis=1)
    x, y = x - x.mean(), y - y.mean(axis=1, keepdims=True)
    scale = np.sqrt((x**2).sum() * (y**2).sum(axis=1))
    return np.divide(y @ x, scale, where=scale > 0, out=np.full(len(y), np.nan))


def first_drops(changes: np.ndarray, sparsities: np.ndarray) -> np.ndarray:
    """Smallest sparsity with a change below -20%, infinite where there is none.

    Args:
        changes: shape (..., n_sparsities, n_classes), sparsities ascending.
        sparsities: shape (n_sparsities,).

    Returns:
        Shape (..., n_classes).
    """
    return np.where(changes < DROP - 1e-12, sparsities[:, None], np.inf).min(axis=-2)


def _changes(ap: np.ndarray, nothing: float | np.ndarray) -> np.ndarray:
    """Median over seeds of relative changes; ``ap`` of shape (n_studies, n_seeds, 1 + n_sparsities, n_classes)."""
    dense = ap[:, :, :1]
    above = np.where(dense > nothing, dense - nothing, np.nan)
    return median(np.moveaxis((ap - dense) / above, 1, 0))


def _normal_scores(values: np.ndarray) -> np.ndarray:
    """Blom's normal scores, float32; ties share the middle of their ranks."""
    n = len(values)
    return special.ndtri((stats.rankdata(values) - 0.375) / (n + 0.25)).astype(np.float32)


def _average_precision(scores: np.ndarray, hits: np.ndarray) -> float:
    """AP of scores without ties: the label travels in the last bit of the number while it is sorted."""
    keys = (scores.view(np.int32) & ~np.int32(1)) | hits
    keys.view(np.float32).sort()
    ordered = (keys[::-1] & 1).astype(bool)
    places = np.flatnonzero(ordered) + 1
    return float((np.arange(1, len(places) + 1) / places).mean())
