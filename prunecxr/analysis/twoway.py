"""Intervals over two samples at once: the seeds that were trained, and the patients that were tested.

Another population of networks would have had other seeds, another test set other patients. A quantity is the median
over seeds of what each seed's networks score on the same patients. Its variance has three parts: between seeds, between
patients, and what a network does on a patient that neither explains. Drawing seeds and patients independently (the
pigeonhole bootstrap; Owen 2007) counts the third up to three times. With the influence of every patient on every seed's
score all three follow at once, without draws, each counted once.

Spread estimated from few seeds or few positives is itself uncertain: Student's t, with Satterthwaite's degrees of
freedom, takes the place of the normal distribution. What is no linear function of such quantities, as a correlation
over classes, is computed on draws of both, brought to the same spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Draws:
    """Resamples of seeds and of patients.

    Attributes:
        seeds: places of the seeds drawn, shape (n_draws, n_seeds).
        patients: how often each patient is drawn, less 1, shape (n_draws, n_patients), float32.
    """

    seeds: np.ndarray
    patients: np.ndarray

    @classmethod
    def of(cls, n_seeds: int, n_patients: int, n_draws: int, seed: int = 0) -> Draws:
        """Equal arguments give equal draws."""
        rng = np.random.default_rng(seed)
        seeds = rng.integers(n_seeds, size=(n_draws, n_seeds))
        counts = rng.multinomial(n_patients, np.full(n_patients, 1 / n_patients), size=n_draws)
        return cls(seeds, counts.astype(np.float32) - 1)


@dataclass(frozen=True)
class Estimates:
    """Medians over seeds and how certain they are; all of shape (m,).

    Attributes:
        value: median over the seeds that have a value; NaN where none has.
        error: its standard error over seeds and patients.
        freedom: degrees of freedom of that error.
    """

    value: np.ndarray
    error: np.ndarray
    freedom: np.ndarray

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Two-sided interval, two arrays of shape (m,)."""
        t = stats.t.ppf((1 + level) / 2, self.freedom)
        return self.value - t * self.error, self.value + t * self.error

    def p_not_above(self, bound: float | np.ndarray) -> np.ndarray:
        """One-sided P that the value does not lie above ``bound``, shape (m,): small where it surely does."""
        return self._one_sided(self.value - bound)

    def p_not_below(self, bound: float | np.ndarray) -> np.ndarray:
        """One-sided P that the value does not lie below ``bound``, shape (m,)."""
        return self._one_sided(bound - self.value)

    def _one_sided(self, distance: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return stats.t.sf(distance / self.error, self.freedom)


def estimate(values: np.ndarray, influences: np.ndarray, evidence: np.ndarray) -> Estimates:
    """Medians over seeds of quantities that were measured on the same patients by each seed's networks.

    Args:
        values: shape (n_seeds, m); NaN where a seed lacks it.
        influences: derivative of each with respect to a patient's weight, shape (n_seeds, m, n_patients).
        evidence: images (or patients) of the rarer outcome behind each quantity, shape (m,): the positives of a class.

    Returns:
        Estimates of shape (m,). With a single seed they are uncertain over patients alone.
    """
    seeds = np.maximum(np.isfinite(values).sum(axis=0), 1)
    between, patients, interaction = _components(values, influences)
    patients = np.maximum(patients - interaction, 0)
    between = _variance_of_median(seeds) * np.maximum(between, interaction)
    few = evidence / np.maximum(evidence - 1, 1)  # as many as there are less one vary freely
    both, of_patients = (between + patients * few, patients * few + interaction)
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = np.maximum(both - of_patients, 0)
        freedom = both**2 / (beyond**2 / np.maximum(seeds - 1, 1) + of_patients**2 / np.maximum(evidence - 1, 1))
    value = median(values)
    return Estimates(value, np.where(np.isnan(value), np.nan, np.sqrt(both)), freedom)


def drawn(estimates: Estimates, values: np.ndarray, influences: np.ndarray, draws: Draws) -> np.ndarray:
    """The medians of resampled seeds and patients, spread as the standard errors say; shape (m, n_draws).

    Args:
        estimates: of the same ``values`` and ``influences``; see :func:`estimate`.
        draws: of these seeds and patients.
    """
    moved = values[..., None] + influences @ draws.patients.T
    medians = np.stack([median(moved[row, :, draw]) for draw, row in enumerate(draws.seeds)], axis=1)
    deviations = medians - np.nanmean(medians, axis=1, keepdims=True)
    spread = np.nanstd(deviations, axis=1, keepdims=True)
    scale = np.divide(estimates.error[:, None], spread, where=spread > 0, out=np.zeros_like(spread))
    return estimates.value[:, None] + scale * deviations


def median(values: np.ndarray) -> np.ndarray:
    """Median over the first axis, NaN left out; NaN where all are."""
    ordered = np.sort(values, axis=0)  # NaN last
    n = np.isfinite(values).sum(axis=0)
    low, high = (np.take_along_axis(ordered, np.maximum(at, 0)[None], axis=0)[0] for at in ((n - 1) // 2, n // 2))
    return np.where(n > 0, (low + high) / 2, np.nan)


def _components(values: np.ndarray, influences: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variances of the mean over seeds: as seeds show it, as patients show it, and what is in both; each (m,)."""
    defined = np.isfinite(values)
    seeds = np.maximum(defined.sum(axis=0), 1)
    kept = np.where(defined[..., None], influences, 0)
    mean = kept.sum(axis=0) / seeds[:, None]
    patients = (mean**2).sum(axis=-1)
    apart = np.maximum(seeds - 1, 1)
    centre = np.where(defined, values, 0).sum(axis=0) / seeds
    between = np.where(defined, (values - centre) ** 2, 0).sum(axis=0) / apart / seeds
    interaction = ((kept**2).sum(axis=(0, 2)) - seeds * patients) / apart / seeds
    return between, patients, np.maximum(interaction, 0)


def _variance_of_median(n: np.ndarray) -> np.ndarray:
    """Variance of the median of n normal values in units of that of their mean: 1 at n = 1, pi / 2 at infinity.

    Within 2% of the exact value for odd n; for even n a little above it.
    """
    return n * np.pi / 2 / (n + np.pi / 2 - 1)
