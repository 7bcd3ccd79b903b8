"""Whether predicted probabilities are right: the Brier score with its parts, ECE, calibration slope and intercept.

The *intercept* is what has to be added to the logits for the mean prediction to be right ('calibration in the large':
logit P(y) = a + logit p; Cox 1958, Van Calster et al. 2019): 0 is right, above 0 the network says too little. The
*slope* b of logit P(y) = a + b logit p is 1 where it is right and below 1 where predictions are too extreme. Both
are maximum-likelihood fits by Newton's method, for all classes of a variant at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.twoway import median
from prunecxr.studies.pruning.analysis.images import Images, each_seed, in_order, over_seeds

BINS = 10
EDGE = 1e-7  # probabilities are kept this far from 0 and 1: single precision rounds some to them, which have no logit
LOWEST, PER_UNIT, N_CELLS = -16.25, 8, 260  # of the histogram of logits, which reaches to +16.25
CENTERS = LOWEST + (np.arange(N_CELLS) + 0.5) / PER_UNIT
MOST_STEPS, LONGEST, CLOSE = 40, 3.0, 1e-4
STEEPEST = 100.0  # a slope beyond it: the classes are separated
TINY = 1e-12
PARTS = ("brier", "reliability", "resolution", "uncertainty", "ece")
WITH_INTERVALS = ("brier", "slope", "intercept")


@dataclass(frozen=True)
class Calibrated:
    """The calibration of a variant.

    Attributes:
        scores: name -> shape (n_classes,), NaN where undefined.
        influences: of every patient on Brier score, slope and intercept; shape (3, n_classes, n_patients).
    """

    scores: dict[str, np.ndarray]
    influences: np.ndarray


def calibration(predictions: xr.DataArray, labels: pd.DataFrame) -> pd.DataFrame:
    """Calibration of every class at every sparsity.

    Args:
        predictions: probabilities, dims (seed, sparsity, image, class), float32, images in the order of ``labels``.
        labels: ``id``, ``subject_id``, one column of 0, 1 or NaN a class.

    Returns:
        Columns class, sparsity, then medians over seeds: brier (mean squared difference of probability and label),
        its parts reliability, resolution and uncertainty in 10 bins of equal mass (Murphy 1973; brier =
        reliability - resolution + uncertainty + what varies within bins), ece (expected calibration error in the
        same bins), slope, intercept; of brier, slope and intercept 95% intervals over seeds and patients, ``*_low``
        and ``*_high``; test_count (positives) and n_seeds (of the slope, which needs both kinds of images and
        predictions that vary).
    """
    images, tables = Images.of(labels), []
    for sparsity in predictions["sparsity"].to_numpy():
        variants = each_seed(predictions, sparsity, lambda _, variant: calibrate(variant, images))
        columns = {name: median(np.stack([one.scores[name] for one in variants])) for name in variants[0].scores}
        values = np.stack([np.stack([one.scores[name] for name in WITH_INTERVALS]) for one in variants])
        low, high = over_seeds(values, np.stack([one.influences for one in variants]), images.rarer).interval()
        for at, name in enumerate(WITH_INTERVALS):
            columns |= {f"{name}_low": low[at], f"{name}_high": high[at]}
        counts = {"test_count": images.positive.sum(axis=1), "n_seeds": np.isfinite(values[:, 1]).sum(axis=0)}
        tables.append(pd.DataFrame({"class": images.classes, "sparsity": float(sparsity), **columns, **counts}))
    return in_order(tables, images.classes)


def reliability(predictions: xr.DataArray, labels: pd.DataFrame, sparsities: tuple[float, ...]) -> pd.DataFrame:
    """Mean probability and share of positive images, bin by bin.

    Args:
        predictions, labels: as for :func:`calibration`.
        sparsities: those that are wanted.

    Returns:
        Columns class, sparsity, bin (1 is lowest; equal probabilities share one, so there may be fewer than 10),
        n (images), predicted, positive: means over the seeds that have the bin.
    """
    images, tables = Images.of(labels), []
    for sparsity in sparsities:
        for table in each_seed(predictions, sparsity, partial(_bin_table, images=images)):
            tables.append(table.assign(sparsity=float(sparsity)))
    table = pd.concat(tables, ignore_index=True)
    means = table.groupby(["class", "sparsity", "bin"], sort=True)[["n", "predicted", "positive"]].mean()
    return means.reset_index()


def calibrate(variant: np.ndarray, images: Images) -> Calibrated:
    """The calibration of one variant.

    Args:
        variant: probabilities, shape (n, n_classes), in the order of the label table.
    """
    p = images.scores(variant)
    undefined = np.isnan(p).any(axis=1)  # a missing variant
    p[undefined] = 0.5
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        off = images.masked((p - images.positive) ** 2)
        brier = _total(off) / images.count
        of_brier = (images.by_patient(off) - brier[:, None] * images.per_patient) / images.count[:, None]
        logits = _Logits.of(p, images)
        intercept, of_intercept = logits.intercept()
        slope, of_slope = logits.slope()
    values = {"brier": brier, **_parts(p, images), "slope": slope, "intercept": intercept}
    values = {name: np.where(undefined, np.nan, column) for name, column in values.items()}
    return Calibrated(values, np.stack([of_brier, of_slope, of_intercept]).astype(np.float32))


def _total(values: np.ndarray) -> np.ndarray:
    return values.sum(axis=-1, dtype=np.float64)


@dataclass(frozen=True)
class _Logits:
    """Logits of a variant, and their histogram.

    Attributes:
        x: shape (n_classes, n), float32.
        counted, positive: images, and positive ones, in each cell; shape (n_classes, N_CELLS).
        shift: how far the mean of x lies from that of the cells' centers, shape (n_classes,).
    """

    x: np.ndarray
    counted: np.ndarray
    positive: np.ndarray
    shift: np.ndarray
    images: Images

    @classmethod
    def of(cls, p: np.ndarray, images: Images) -> _Logits:
        """From probabilities."""
        x = np.clip(p, np.float32(EDGE), np.float32(1 - EDGE))
        x = np.log(x) - np.log(1 - x)
        cells = ((x - np.float32(LOWEST)) * np.float32(PER_UNIT)).astype(np.intp)
        cells += N_CELLS * np.arange(len(x))[:, None]
        counted, positive = (
            np.bincount(cells[which], minlength=cells.shape[0] * N_CELLS).reshape(len(x), N_CELLS).astype(np.float64)
            for which in (images.known, images.positive)
        )
        shift = (_total(images.masked(x)) - counted @ CENTERS) / images.count
        return cls(x, counted, positive, shift, images)

    def intercept(self) -> tuple[np.ndarray, np.ndarray]:
        """The a of logit P(y) = a + x, shape (n_classes,), and each patient's influence, (n_classes, n_patients).

        NaN where all images are of one kind.
        """
        (a, _), defined = self._near(with_slope=False)
        off, w = self._residuals(a, np.ones(len(a)))
        influence = self.images.by_patient(off).astype(np.float64) / np.maximum(_total(w), TINY)[:, None]
        return np.where(defined, a + influence.sum(axis=1), np.nan), np.where(defined[:, None], influence, np.nan)

    def slope(self) -> tuple[np.ndarray, np.ndarray]:
        """The b of logit P(y) = a + b x; as :meth:`intercept`, and NaN also where x is constant or parts the kinds."""
        (a, b), defined = self._near(with_slope=True)
        off, w = self._residuals(a, b)
        wx = w * self.x
        gradient = np.stack([self.images.by_patient(off), self.images.by_patient(off * self.x)]).astype(np.float64)
        moments = (_total(one)[:, None] for one in (w, wx, wx * self.x))
        influence = _solve(gradient, *moments)[1]
        defined &= np.abs(b) < STEEPEST
        return np.where(defined, b + influence.sum(axis=1), np.nan), np.where(defined[:, None], influence, np.nan)

    def _residuals(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Label minus probability, and the latter's variance, of every image; shapes (n_classes, n)."""
        p = 1 / (1 + np.exp(-(a[:, None].astype(np.float32) + b[:, None].astype(np.float32) * self.x)))
        return self.images.masked(self.images.positive - p), self.images.masked(p * (1 - p))

    def _near(self, *, with_slope: bool) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients a and b, shape (2, n_classes), fitted to the histogram, and where they are defined.

        One more step on the images themselves ends up at theirs.
        """
        positives = self.positive.sum(axis=1)
        defined = (positives > 0) & (positives < self.images.count)
        rate = np.where(defined, positives / self.images.count, 0.5)
        fit = np.stack([np.zeros_like(rate), np.ones_like(rate)])
        if with_slope:
            defined &= (self.counted > 0).sum(axis=1) > 1
            fit = np.stack([np.log(rate / (1 - rate)), np.zeros_like(rate)])
        converged = np.zeros(len(rate), bool)
        for _ in range(MOST_STEPS):
            p = 1 / (1 + np.exp(-(fit[0, :, None] + fit[1, :, None] * CENTERS)))
            off, w = self.positive - self.counted * p, self.counted * p * (1 - p)
            gradient, moments = np.stack([off.sum(axis=1), off @ CENTERS]), (w.sum(axis=1), w @ CENTERS)
            if with_slope:
                step = _solve(gradient, *moments, w @ CENTERS**2)
            else:
                step = np.stack([gradient[0] / np.maximum(moments[0], TINY), 0 * gradient[0]])
            fit = fit + np.where(defined, np.clip(step, -LONGEST, LONGEST), 0)
            converged = (np.abs(step) < CLOSE).all(axis=0)
            if (converged | ~defined).all():
                break
        fit[0] -= fit[1] * self.shift
        return fit, defined & converged


def _solve(gradient: np.ndarray, w: np.ndarray, wx: np.ndarray, wxx: np.ndarray) -> np.ndarray:
    """Inverse information times gradient: changes of a and b, shape (2, n_classes, ...)."""
    determinant = np.maximum(w * wxx - wx * wx, TINY)
    return np.stack([wxx * gradient[0] - wx * gradient[1], w * gradient[1] - wx * gradient[0]]) / determinant


def _parts(p: np.ndarray, images: Images) -> dict[str, np.ndarray]:
    """Reliability, resolution, uncertainty and ECE, each of shape (n_classes,)."""
    rows = []
    for scores, positive, known in zip(p, images.positive, images.known, strict=True):
        n, predicted, observed = _bins(scores[known], positive[known])
        total = max(n.sum(), 1)
        rate, share = float((n * observed).sum() / total), n / total
        rows.append(
            (
                (share * (predicted - observed) ** 2).sum(),
                (share * (observed - rate) ** 2).sum(),
                rate * (1 - rate),
                (share * np.abs(predicted - observed)).sum(),
            )
        )
    return dict(zip(PARTS[1:], np.array(rows).T, strict=True))


def _bins(p: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, mean probability and share of positives of each of 10 bins of equal mass; equal ones are not parted.

    A probability's bits are those of an integer that grows with it; the label in the lowest bit rides along, so that
    one sort of integers is all it takes.
    """
    keys = (np.ascontiguousarray(p, np.float32).view(np.uint32) << np.uint32(1)) | positive
    keys.sort()
    bits = keys >> np.uint32(1)
    n = len(keys)
    if not n:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    cuts = bits[(np.arange(1, BINS) * n) // BINS]
    starts = np.unique(np.concatenate([[0], np.searchsorted(bits, cuts)]))
    sizes = np.diff(starts, append=n)
    predicted = np.add.reduceat(bits.view(np.float32), starts, dtype=np.float64) / sizes
    observed = np.add.reduceat(keys & np.uint32(1), starts, dtype=np.float64) / sizes
    return sizes.astype(np.float64), predicted, observed


def _bin_table(_seed: int, variant: np.ndarray, images: Images) -> pd.DataFrame:
    p = images.scores(variant)
    tables = []
    for name, scores, positive, known in zip(images.classes, p, images.positive, images.known, strict=True):
        n, predicted, observed = _bins(scores[known], positive[known])
        columns = {"bin": np.arange(1, len(n) + 1), "n": n, "predicted": predicted, "positive": observed}
        tables.append(pd.DataFrame({"class": name, **columns}))
    return pd.concat(tables, ignore_index=True)
