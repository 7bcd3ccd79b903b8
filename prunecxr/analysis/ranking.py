"""How well scores rank the images of a class: AP, AP at a reference prevalence, AUROC, and what each patient adds.

The influence of an image on a score is the derivative of the score with respect to the image's weight, at weight 1 (the
infinitesimal jackknife; Efron 1982). A score under weights w is then, to first order, the score plus the sum of
(w - 1) times the influences. Summed by patient, all resamples of patients are one matrix product.

All three follow from one sorted list: what a negative image changes depends only on how many positives stand above
it, so it is looked up in a table that is as long as there are positives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

SCALES = ("ap", "ap_ref", "auroc")  # in the order of the first axis of all results
REFERENCE = 0.05  # prevalence at which AP is compared between classes
HIGHEST_D = 8.0  # an AUROC of 1 has an infinite d', which no mean survives


@dataclass(frozen=True)
class Subjects:
    """Whose image each image is.

    Attributes:
        codes: place of its patient among all patients, shape (n_images,), from 0.
        count: number of patients.
    """

    codes: np.ndarray
    count: int

    @classmethod
    def of(cls, subjects: np.ndarray) -> Subjects:
        """Patients by id, in sorted order; ``subjects`` of shape (n_images,)."""
        unique, codes = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
        return cls(codes.astype(np.intp), len(unique))


@dataclass(frozen=True)
class Ranking:
    """How well one class is ranked, in the order of :data:`SCALES`.

    Attributes:
        values: shape (3,).
        bias: what few positives add to each value, shape (3,); intervals are centred on ``values - bias``.
        influences: of every patient, shape (3, n_patients); each row has sum 0.
    """

    values: np.ndarray
    bias: np.ndarray
    influences: np.ndarray


def rank(truth: np.ndarray, scores: np.ndarray, subjects: Subjects, reference: float = REFERENCE) -> Ranking:
    """Scores of one class, and the influence of every patient on each.

    Args:
        truth: shape (n_images,), bool.
        scores: finite, shape (n_images,); the higher, the more likely positive. Single precision.
        subjects: whose images they are.
        reference: prevalence of ``ap_ref``.

    Returns:
        AP is that of scikit-learn: a step function, images with equal scores share a threshold. AP at prevalence q
        ('calibrated AP'; Siblini et al. 2020) is AP with precision q TPR / (q TPR + (1 - q) FPR). AUROC counts a tie as
        one half. All NaN without a positive or a negative image, or where a score is NaN.
    """
    truth = np.asarray(truth, bool)
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives or not np.isfinite(scores).all():
        undefined = np.full(len(SCALES), np.nan)
        return Ranking(undefined, undefined, np.full((len(SCALES), subjects.count), np.nan))
    order, ordered = _descending(scores)
    ranks = _Ranks.of(truth[order], ordered)
    values, of_positives, of_negatives = _tables(ranks, negatives, reference)
    changes = of_negatives[:, ranks.positives_above]
    changes[2] += 0.5 * (ranks.positives_at_least - ranks.positives_above) / (positives * negatives)
    changes[:, ranks.hits] = of_positives
    people = subjects.codes[order]
    summed = np.stack([np.bincount(people, change, minlength=subjects.count) for change in changes])
    return Ranking(values, _bias(ranks, values, negatives, reference), summed)


def separability(auroc: np.ndarray) -> np.ndarray:
    """d' = sqrt(2) * probit(AUROC): distance of two normal score distributions with this AUROC, in their SD; any shape.

    Bounded by 8 SD on either side, where AUROC is 0 or 1 up to rounding.
    """
    return np.clip(np.sqrt(2) * special.ndtri(np.clip(auroc, 0, 1)), -HIGHEST_D, HIGHEST_D)


def area(d: np.ndarray) -> np.ndarray:
    """The AUROC of two normal score distributions ``d`` standard deviations apart: the inverse of `separability`."""
    return special.ndtr(np.asarray(d) / np.sqrt(2))


def _descending(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the scores from the highest to the lowest, and the scores so ordered; equal ones by position.

    Single-precision numbers in the upper half of an integer and positions in the lower one sort at once, in a third
    of the time of `argsort`.
    """
    bits = (np.asarray(scores, np.float32) + np.float32(0)).view(np.uint32)  # + 0: -0 and 0 are equal
    # Read as integers, negative floats run backwards and lie above positive ones; inverted once more for 'descending'.
    ascending = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = ((~ascending).astype(np.uint64) << np.uint64(32)) | np.arange(len(bits), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.intp), (keys >> np.uint64(32)).astype(np.uint32)


@dataclass(frozen=True)
class _Ranks:
    """What stands above each image, the images ordered from the highest score to the lowest; each of shape (n_images,).

    Attributes:
        hits: bool, whether the image is positive.
        positives_above, images_above: with a higher score.
        positives_at_least, images_at_least: with a score at least as high, the image included.
    """

    hits: np.ndarray
    positives_above: np.ndarray
    images_above: np.ndarray
    positives_at_least: np.ndarray
    images_at_least: np.ndarray

    @classmethod
    def of(cls, hits: np.ndarray, ordered: np.ndarray) -> _Ranks:
        n = len(hits)
        positives = np.concatenate([[0], np.cumsum(hits)])
        first = last = np.arange(n)
        starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        if not starts.all():
            group = np.cumsum(starts) - 1
            first = np.flatnonzero(starts)[group]
            last = np.concatenate([np.flatnonzero(starts)[1:], [n]])[group] - 1
        return cls(hits, positives[first], first, positives[last + 1], last + 1)


def _tables(ranks: _Ranks, negatives: int, reference: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, and influences of positive images and of negative ones by the number of positives above them.

    Returns:
        Shapes (3,), (3, n_positives) from the highest to the lowest, and (3, n_positives + 1).
    """
    above, hits, images = (
        column[ranks.hits] for column in (ranks.positives_above, ranks.positives_at_least, ranks.images_at_least)
    )
    p = len(hits)
    tpr, fpr = hits / p, (images - hits) / negatives
    # An image at or above positive i moves its precision by (y - precision_i) / images_i.
    precision = hits / images
    ap = precision.mean()
    gain, loss = _from(1 / images), _from(precision / images)

    weighted = reference * tpr + (1 - reference) * fpr
    precision_ref = reference * tpr / weighted
    ap_ref = precision_ref.mean()
    by_tpr, by_fpr = (reference * (1 - reference) / weighted**2 * rate for rate in (fpr / p, tpr / negatives))
    gain_ref, loss_ref = _from(by_tpr) - (by_tpr * tpr).sum(), _from(by_fpr) - (by_fpr * fpr).sum()

    fpr_above = (ranks.images_above[ranks.hits] - above) / negatives
    beaten = 1 - (fpr + fpr_above) / 2
    auroc = beaten.mean()
    of_positives = [precision - ap + (gain - loss)[above], precision_ref - ap_ref + gain_ref[above], beaten - auroc]
    of_negatives = [-loss / p, -loss_ref / p, (np.arange(p + 1) / p - auroc) / negatives]
    return np.array([ap, ap_ref, auroc]), np.stack(of_positives) / p, np.stack(of_negatives)


def _bias(ranks: _Ranks, values: np.ndarray, negatives: int, reference: float) -> np.ndarray:
    """Bias of AP and of AP at the reference prevalence by the jackknife over images, shape (3,); AUROC has none.

    A positive counts among the images at or above itself, which lifts the precision at its place. The scores without
    one image follow for all images at once: of the images at or above a positive, each is the missing one once.
    """
    hits, images = (
        column[ranks.hits].astype(np.float64) for column in (ranks.positives_at_least, ranks.images_at_least)
    )
    misses, p = images - hits, len(hits)
    if p == 1 or negatives == 1:
        return np.zeros(len(SCALES))
    biases = [0.0] * len(SCALES)
    for scale, odds in enumerate((None, (1 - reference) / reference)):
        without_hit = (hits - 1) @ _precision(hits - 1, misses, p - 1, negatives, odds)
        without_hit += (p - hits) @ _precision(hits, misses, p - 1, negatives, odds)
        without_miss = misses @ _precision(hits, np.maximum(misses - 1, 0), p, negatives - 1, odds)
        without_miss += (negatives - misses) @ _precision(hits, misses, p, negatives - 1, odds)
        biases[scale] = (p - 1) * (without_hit / (p * (p - 1)) - values[scale]) + (negatives - 1) * (
            without_miss / (p * negatives) - values[scale]
        )
    return np.array(biases)


def _precision(hits: np.ndarray, misses: np.ndarray, p: int, negatives: int, odds: float | None) -> np.ndarray:
    """Precision from counts at or above a place; at the counts' own prevalence where ``odds`` of a negative is None."""
    weight = 1.0 if odds is None else odds * p / negatives
    return np.divide(hits, hits + weight * misses, where=hits > 0, out=np.zeros_like(hits))


def _from(values: np.ndarray) -> np.ndarray:
    """Sums of ``values`` (n,) from each place on: those of the positives at or below an image; shape (n + 1,)."""
    return np.concatenate([np.cumsum(values[::-1])[::-1], [0.0]])
