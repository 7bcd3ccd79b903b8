"""How far two populations of networks agree on an image: measures by name.

Every measure takes the mean probabilities of two populations, each of shape (n_images, n_classes), and returns the
agreement on each image, shape (n_images,): the higher, the more they agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

FEWEST_CLASSES = 6  # Spearman's correlation over fewer takes so few values that most images tie
FEWEST_ABOVE = 3  # classes above the threshold of `spearman@p`: two have only the correlations 1 and -1
LIKELY = 0.1  # threshold of `spearman@p`, unless the name gives another
CLIP = 1e-6  # nearest that a probability comes to 0 or 1 before its logit is taken

Compare = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Measure:
    """A measure of agreement.

    Attributes:
        compare: (n_images, n_classes) twice -> (n_images,).
        best: the value of perfect agreement; such an image is no exemplar of disagreement.
        words: what it is, for the report.
    """

    compare: Compare
    best: float
    words: str


def spearman(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """Spearman rank correlation over the classes (average ranks on ties), in [-1, 1]; NaN for a constant vector.

    The paper's measure. With 20 classes it is mostly order among classes that neither population holds likely.
    """
    return _correlation(dense, pruned)


def spearman_above(dense: np.ndarray, pruned: np.ndarray, threshold: float = LIKELY) -> np.ndarray:
    """The same over the classes whose probability exceeds ``threshold`` in either population.

    NaN with fewer than 3 such classes, and where a vector is constant over them.
    """
    among = (dense > threshold) | (pruned > threshold)
    return np.where(among.sum(axis=1) >= FEWEST_ABOVE, _correlation(dense, pruned, among), np.nan)


def modal(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """1 where both populations put the same class first; else minus the margin by which they differ, in [-1, 0].

    Hooker et al.'s modal label answers yes or no, and leaves open which of many disagreements come first. The margin
    is how much likelier each population holds its own first class than the other's, averaged over the two.
    """
    rows = np.arange(len(dense))
    of_dense, of_pruned = dense.argmax(axis=1), pruned.argmax(axis=1)
    margin = dense[rows, of_dense] - dense[rows, of_pruned] + pruned[rows, of_pruned] - pruned[rows, of_dense]
    return np.where(of_dense == of_pruned, 1.0, -margin / 2)


def mean_absolute(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """Minus the mean over classes of the absolute difference in probability, in [-1, 0]."""
    return -np.abs(dense - pruned).mean(axis=1)


def kl(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """Minus the mean over classes of KL(dense || pruned) between the two yes/no distributions, in nats.

    Minus infinity where the pruned population rules out what the dense one holds possible.
    """
    divergence = special.rel_entr(dense, pruned) + special.rel_entr(1 - dense, 1 - pruned)
    return -divergence.mean(axis=1)


def standardised(compare: Compare) -> Compare:
    """A measure on logits that have mean 0 and variance 1 in each class of each population.

    A class that all of a population's networks hold likelier, on every image, then no longer counts as disagreement.
    """

    def compared(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
        return compare(_standard_scores(dense), _standard_scores(pruned))

    return compared


AGREEMENT: dict[str, Measure] = {
    "spearman": Measure(spearman, 1, "Spearman's rank correlation over the classes"),
    f"spearman@{LIKELY:g}": Measure(
        spearman_above, 1, f"the same over the classes above {LIKELY:g} in either population, 3 or more"
    ),
    "spearman_standardised": Measure(
        standardised(spearman), 1, "the same on logits standardised per class within each population"
    ),
    "mean_absolute": Measure(mean_absolute, 0, "mean absolute difference in probability"),
    "mean_absolute_standardised": Measure(
        standardised(mean_absolute), 0, "mean absolute difference of logits standardised per class"
    ),
    "kl": Measure(kl, 0, "mean Kullback-Leibler divergence per class"),
    "modal": Measure(modal, 1, "whether both put the same class first, and by which margin not"),
}


def measure_named(name: str) -> Measure:
    """A key of :data:`AGREEMENT`, or ``spearman@p`` with a threshold p of its own, as in ``spearman@0.25``.

    Raises:
        ValueError: there is no such measure.
    """
    family, _, threshold = name.partition("@")
    if name in AGREEMENT:
        return AGREEMENT[name]
    if family == "spearman" and _is_share(threshold):
        words = f"Spearman's rank correlation over the classes above {threshold} in either population, 3 or more"
        return Measure(partial(spearman_above, threshold=float(threshold)), 1, words)
    raise ValueError(f"unknown agreement measure {name!r}; known: {', '.join(AGREEMENT)}, and spearman@p for 0 < p < 1")


def measure_for(name: str, n_classes: int) -> str:
    """The measure asked for, or mean_absolute in place of a rank correlation over fewer than 6 classes."""
    return "mean_absolute" if name.startswith("spearman") and n_classes < FEWEST_CLASSES else name


def agreement(dense: np.ndarray, pruned: np.ndarray, measure: str = "spearman") -> np.ndarray:
    """Agreement of two populations on each image; the higher, the more they agree.

    Args:
        dense: mean probabilities over seeds at sparsity 0, shape (n_images, n_classes).
        pruned: the same at the sparsity under study.
        measure: see :func:`measure_named`.

    Returns:
        Shape (n_images,); NaN where undefined, as for every image with a NaN prediction.

    Raises:
        ValueError: unknown measure, or shapes that differ.
    """
    compare = measure_named(measure).compare
    dense, pruned = (np.asarray(a, np.result_type(a, np.float32)) for a in (dense, pruned))
    if dense.ndim != 2 or dense.shape != pruned.shape:
        raise ValueError(f"predictions {dense.shape} and {pruned.shape} must both be (n_images, n_classes)")
    complete = np.isfinite(dense).all(axis=1) & np.isfinite(pruned).all(axis=1)
    if complete.all():
        return compare(dense, pruned).astype(np.float64)
    values = np.full(len(dense), np.nan)
    values[complete] = compare(dense[complete], pruned[complete])
    return values


def _correlation(dense: np.ndarray, pruned: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """Of the ranks within each row, over the classes ``among`` (bool, shape of both), or over all."""
    # Ranks are integers, so the sums are exact and equal images get equal values.
    x, y = _centred_ranks(dense, among), _centred_ranks(pruned, among)
    together, of_x, of_y = (np.einsum("ij,ij->j", a, b) for a, b in ((x, y), (x, x), (y, y)))
    scale = np.sqrt(of_x * of_y)
    return np.divide(together, scale, where=scale > 0, out=np.full(len(dense), np.nan))


def _centred_ranks(values: np.ndarray, among: np.ndarray | None) -> np.ndarray:
    """Twice the average rank of each class less the mean rank, among the classes ``among``: (n_classes, n_images).

    That is the number of values below it less the number of values above it. Comparing every two classes is faster
    than sorting many short rows, and ties take no detour.
    """
    columns = np.ascontiguousarray(values.T)
    counted = None if among is None else np.ascontiguousarray(among.T)
    ranks = np.zeros(columns.shape, np.int16)
    for i, column in enumerate(columns[:-1]):
        others = columns[i + 1 :]
        sign = (column > others).view(np.int8) - (column < others).view(np.int8)
        if counted is not None:
            sign *= counted[i] & counted[i + 1 :]
        ranks[i] += sign.sum(axis=0, dtype=np.int16)
        ranks[i + 1 :] -= sign
    return ranks.astype(np.float64)


def _standard_scores(probabilities: np.ndarray) -> np.ndarray:
    """Logits with mean 0 and variance 1 over the images in each class; 0 in a class that is constant."""
    logits = special.logit(probabilities.astype(np.float64).clip(CLIP, 1 - CLIP))
    centred = logits - logits.mean(axis=0)
    spread = centred.std(axis=0)
    return np.divide(centred, spread, where=spread > 1e-9, out=np.zeros_like(centred))


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) < 1
    except ValueError:
        return False
