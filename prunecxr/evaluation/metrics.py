"""Labels and probabilities -> per-class scores. Knows no torch.

The scores of the pruning study of Holste et al. (MICCAI 2023, section 2.1): average precision (AP) is the primary
one; AUROC and F1 stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

THRESHOLD = 0.5
NO_POSITIVE = "no positive image in this split"
NO_NEGATIVE = "no negative image in this split: AUROC undefined"


def average_precision(truth: np.ndarray, score: np.ndarray) -> float:
    """Step-wise area under the precision-recall curve."""
    selected, hits = _thresholds(truth, score)
    return float((np.diff(hits, prepend=0) * (hits / selected)).sum() / truth.sum())


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not negatives:
        return np.nan
    selected, hits = _thresholds(truth, score)
    false_alarms = np.diff(selected - hits, prepend=0)
    # Trapezoids: a tied group's positives and negatives count as half in order.
    area = (false_alarms * (2 * hits - np.diff(hits, prepend=0))).sum() / 2
    return float(area / (positives * negatives))


def f1(truth: np.ndarray, score: np.ndarray) -> float:
    """F1, where a probability of at least `THRESHOLD` is a prediction of the class."""
    predicted = score >= THRESHOLD
    return float(2 * truth[predicted].sum() / (predicted.sum() + truth.sum()))


ClassScore = Callable[[np.ndarray, np.ndarray], float]

# A score of one class: labels 0/1 with at least one positive, and probabilities, both (n_images,) -> a number, or NaN
# where the class has no negative image and the score asks for one. Columns, means and metrics follow from this dict.
CLASS_SCORES: dict[str, ClassScore] = {"ap": average_precision, "auroc": auroc, "f1": f1}


def class_scores(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str] | None = None) -> pd.DataFrame:
    """Scores of one model on one split.

    AP is the step-wise area under the precision-recall curve, AUROC the area under the ROC curve, both with tied
    probabilities entering together; F1 counts a probability of at least 0.5 as a prediction of the class, and is
    0 where a class has positive images but none is predicted. The three equal scikit-learn's
    ``average_precision_score``, ``roc_auc_score`` and ``f1_score(zero_division=0)``.

    Args:
        labels: 0/1 labels, shape (n_images, n_classes).
        probabilities: predicted probabilities in [0, 1], shape (n_images, n_classes).
        classes: class names in column order; the column numbers as text by default.

    Returns:
        One row a class (index ``class``) with a column per score of `CLASS_SCORES`, ``support`` (number of positive
        images) and ``reason``: why a score is NaN, empty where none is. A class without a positive image has no
        score at all, one without a negative image no AUROC.

    Raises:
        ValueError: the shapes differ, labels are not 0/1, or probabilities are NaN, infinite or outside [0, 1].
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    names = [str(c) for c in (range(labels.shape[-1]) if classes is None else classes)]
    _check(labels, probabilities, names)
    # One contiguous row a class makes the sorts and sums below run along memory.
    truth = np.ascontiguousarray(labels.T, dtype=np.int64)
    scores = np.ascontiguousarray(probabilities.T)
    rows = [_one_class(*pair) for pair in zip(truth, scores, strict=True)]
    table = pd.DataFrame(rows, columns=[*CLASS_SCORES, "support", "reason"], index=pd.Index(names, name="class"))
    return table.astype(dict.fromkeys(CLASS_SCORES, np.float64))


def mean_scores(scores: pd.DataFrame | Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Unweighted means of the scores over the classes where each is defined.

    Args:
        scores: the table of :func:`class_scores`, one row a class.

    Returns:
        ``{"ap": ..., "auroc": ..., "f1": ...}``; NaN for a score that no class defines.
    """
    return {name: float(pd.Series(scores[name], dtype=np.float64).mean()) for name in CLASS_SCORES}


def _check(labels: np.ndarray, probabilities: np.ndarray, names: list[str]) -> None:
    if labels.ndim != 2 or labels.shape != probabilities.shape:
        raise ValueError(
            f"labels {labels.shape} and probabilities {probabilities.shape} must both be (n_images, n_classes)"
        )
    if len(names) != labels.shape[1]:
        raise ValueError(f"{len(names)} class names for {labels.shape[1]} columns")
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError("labels must be 0 or 1")
    wrong = ~((probabilities >= 0) & (probabilities <= 1))  # true for NaN as well
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{int(wrong.sum())} probabilities are not numbers in [0, 1], the first of class {names[column]!r}, "
            f"row {row}: {probabilities[row, column]}"
        )


def _one_class(truth: np.ndarray, score: np.ndarray) -> tuple[float | int | str, ...]:
    """The scores, support and reason of one class; ``truth`` and ``score`` of shape (n_images,)."""
    positives = int(truth.sum())
    if positives == 0:
        return *[np.nan] * len(CLASS_SCORES), 0, NO_POSITIVE
    reason = NO_NEGATIVE if positives == len(truth) else ""
    return *[measure(truth, score) for measure in CLASS_SCORES.values()], positives, reason


def _thresholds(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images, and positive images, above each threshold: one after each group of equal scores, falling."""
    order = np.argsort(score)[::-1]
    ranked = score[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return ends + 1, np.cumsum(truth[order])[ends]
