"""What two dense populations would show: the control of every statement about pruning-identified exemplars.

Any two populations of networks disagree on some images, and rather on hard ones: the PIEs of dense against dense
networks hold rare classes more often than other images do, though nothing was pruned. So the seeds are parted in two,
again and again. With A and B the parts,

    ratio        how much more often PIEs of the dense networks of A against the pruned ones of B have a class
    null ratio   the same of the dense networks of A against the dense ones of B
    excess       ratio / null ratio, each a geometric mean over the parts, either of which serves as A

Both average the same numbers of networks, and in neither do two networks of one seed meet: what remains is what
pruning changed. Fresh dense networks in place of the pruned ones give an excess of 1 in every class. (Dense and pruned
networks of the same seed would share what that seed got wrong, and all of them together are averaged over twice as many
as the halves of the control: either would bias the excess.)

The log of a ratio is estimated as log((x + 1/2) / (n + 1/2)) less the same of the other images (Walter 1975): nearly
unbiased, and finite where one part finds none. Where no part finds any PIE of a class, nothing is estimated.

Its uncertainty has two sources. *Patients* are drawn with replacement. *Seeds*: between the parts, excesses differ for
two reasons, the networks and the images; the share of the images, which the patients' draws account for, follows from
the influence of each patient, and is subtracted. What is left is noisy for a class by itself, so it is averaged with
its mean over the classes (a moderated variance; Smyth 2004), and enters each draw as a Student-t variate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from prunecxr.analysis.intervals import percentile_interval, resampled_totals
from prunecxr.analysis.ranking import Subjects
from prunecxr.studies.pruning.analysis.exemplar_ratios import Properties
from prunecxr.studies.pruning.analysis.exemplars import Chooser, Exemplars
from prunecxr.studies.pruning.analysis.forgettability import MIN_SEEDS
from prunecxr.studies.pruning.analysis.seed_halves import Split

AT_ONCE = 500  # resamples in memory together


@dataclass(frozen=True)
class Comparisons:
    """PIEs of every part of the seeds against the other.

    Attributes:
        groups: PIEs and other images, of dense and of pruned networks: bool, shape (2, n_comparisons, 2, n_images),
            in the order dense, pruned; PIEs, others. Images of undefined agreement are in neither.
        compared: seeds on the side that is dense or pruned, shape (n_comparisons,).
        n_seeds: in all.
    """

    groups: np.ndarray
    compared: np.ndarray
    n_seeds: int

    @classmethod
    def of(cls, dense: np.ndarray, pruned: np.ndarray, splits: list[Split], choose: Chooser) -> Comparisons:
        """Both parts of every split, each against the other.

        Args:
            dense, pruned: mean predictions of both parts, shape (n_splits, 2, n_images, n_classes).
            splits: the seeds of each.
            choose: which images are PIEs.
        """
        groups, compared = [], []
        for at, split in enumerate(splits):
            for one, other in ((0, 1), (1, 0)):
                compared.append(len(split[other]))
                groups.append([_grouped(choose(dense[at, one], side[at, other])) for side in (dense, pruned)])
        return cls(np.moveaxis(np.array(groups), 0, 1), np.array(compared), sum(map(len, splits[0])))


def pie_null(
    comparisons: Comparisons,
    properties: Properties,
    subjects: np.ndarray,
    resamples: int = 2_000,
    seed: int = 0,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """How much more often PIEs have a class than two dense populations explain.

    Args:
        comparisons: PIEs of every part of the seeds against the other.
        properties: what images are counted by.
        subjects: patients, shape (n_images,).
        resamples: of the patients.
        seed: of the bootstrap.
        alpha: 1 less the joint coverage of the simultaneous intervals.

    Returns:
        Columns group, value, ratio, null_ratio, excess, low, high (95% interval of the excess, each row by itself),
        adjusted_low, adjusted_high (all rows of a group together; NaN for few), image_count, patient_count, few (see
        :class:`Properties`), seeds, splits. NaN where no comparison finds a PIE with the property, or none without.
        Below 3 seeds there are no intervals.
    """
    totals = _totals(comparisons, properties, subjects)
    logs = _log_ratios(totals.sum(axis=0))  # (2, n_comparisons, n_properties)
    counts = totals[..., 1:].sum(axis=(0, 1, 2))
    seen = (counts > 0).all(axis=0)
    null, ratio = np.where(seen, logs.mean(axis=1), np.nan)
    ends = np.full((4, len(seen)), np.nan)
    if comparisons.n_seeds >= MIN_SEEDS:
        counted = seen & ~properties.few
        drawn = _drawn(totals, _variance_of_seeds(totals, comparisons, counted), comparisons.n_seeds, resamples, seed)
        single = percentile_interval(drawn)
        ends = np.array(
            [*(np.where(seen, end, np.nan) for end in single), *properties.simultaneous(drawn, seen, alpha)]
        )
    patients = sparse_patients(subjects) @ properties.has > 0
    low, high, adjusted_low, adjusted_high = np.exp(ends)
    return pd.DataFrame(
        {
            "group": properties.groups,
            "value": properties.names,
            "ratio": np.exp(ratio),
            "null_ratio": np.exp(null),
            "excess": np.exp(ratio) / np.exp(null),
            "low": low,
            "high": high,
            "adjusted_low": adjusted_low,
            "adjusted_high": adjusted_high,
            "image_count": properties.has.sum(axis=0).astype(int),
            "patient_count": patients.sum(axis=0).astype(int),
            "few": properties.few,
            "seeds": comparisons.n_seeds,
            "splits": len(comparisons.compared) // 2,
        }
    )


def sparse_patients(subjects: np.ndarray) -> sparse.csr_matrix:
    """0/1 matrix (n_patients, n_images) of whose image each image is."""
    whose = Subjects.of(subjects)
    n = len(whose.codes)
    return sparse.csr_matrix((np.ones(n), (whose.codes, np.arange(n))), shape=(whose.count, n))


def _grouped(one: Exemplars) -> np.ndarray:
    """PIEs and others, shape (2, n_images), bool."""
    return np.stack([one.is_pie, ~one.is_pie & ~np.isnan(one.agreement)])


def _totals(comparisons: Comparisons, properties: Properties, subjects: np.ndarray) -> np.ndarray:
    """Images of each group, and those that have each property, by patient: (n_patients, 2, n_comparisons, 2, 1 + m)."""
    patients = sparse_patients(subjects)
    counted = np.hstack([np.ones((len(properties.has), 1)), properties.has])
    groups = comparisons.groups.reshape(-1, len(counted))
    totals = np.stack([patients @ (counted * group[:, None]) for group in groups], axis=1)
    return totals.reshape(len(totals), *comparisons.groups.shape[:-1], counted.shape[1])


def _log_ratios(totals: np.ndarray) -> np.ndarray:
    """Log of the share of PIEs with a property over that of other images: (..., 2, 1 + m) -> (..., m)."""
    shares = np.log(totals[..., 1:] + 0.5) - np.log(totals[..., :1] + 0.5)
    return shares[..., 0, :] - shares[..., 1, :]


def _drawn(totals: np.ndarray, of_seeds: np.ndarray, n_seeds: int, resamples: int, seed: int) -> np.ndarray:
    """Log excesses of resampled patients and seeds, shape (resamples, m)."""
    flat = totals.reshape(len(totals), -1)
    parts = []
    for start in range(0, resamples, AT_ONCE):
        again = resampled_totals(flat, min(AT_ONCE, resamples - start), seed + start)
        null, ratio = np.moveaxis(_log_ratios(again.reshape(-1, *totals.shape[1:])).mean(axis=2), 1, 0)
        parts.append(ratio - null)
    drawn = np.concatenate(parts)
    rng = np.random.default_rng([seed, resamples])
    freedom = n_seeds - 1
    uncertain = np.sqrt(freedom / rng.chisquare(freedom, (resamples, 1)))  # one draw for all: the seeds are the same
    return drawn + np.sqrt(of_seeds) * uncertain * rng.standard_normal(drawn.shape)


def _variance_of_seeds(totals: np.ndarray, comparisons: Comparisons, counted: np.ndarray) -> np.ndarray:
    """Variance of the mean log excess that is due to the seeds, shape (m,).

    Args:
        totals: see :func:`_totals`.
        counted: properties whose mean moderates that of each, shape (m,), bool.
    """
    sums, n_patients = totals.sum(axis=0), len(totals)
    null, ratio = _log_ratios(sums)
    between = (ratio - null).var(axis=0, ddof=1)
    # What a patient's images add to the log ratio of each comparison, to first order.
    added = totals[..., 1:] / (sums[..., 1:] + 0.5) - totals[..., :1] / (sums[..., :1] + 0.5)
    added = added[..., 0, :] - added[..., 1, :]
    influence = added[:, 1] - added[:, 0]
    influence -= influence.mean(axis=0)
    apart = influence - influence.mean(axis=1, keepdims=True)
    of_images = (apart**2).sum(axis=(0, 1)) / (apart.shape[1] - 1) * n_patients / max(n_patients - 1, 1)
    # Means of b of S seeds vary by (S - b) / b times the variance of the mean of all S.
    scale = np.mean((comparisons.n_seeds - comparisons.compared) / comparisons.compared)
    own = (between - of_images) / scale
    shared = own[counted].mean() if counted.any() else own
    return np.maximum((own + shared) / 2, 0)
