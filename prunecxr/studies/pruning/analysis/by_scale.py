"""The tables that answer on every scale: scores, changes, safe sparsities, and the question of rare classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.twoway import Draws
from prunecxr.studies.pruning.analysis import rankings as ranked
from prunecxr.studies.pruning.analysis.equal_forgetting import simulate
from prunecxr.studies.pruning.analysis.rankings import Rankings
from prunecxr.studies.pruning.analysis.rare_classes import Question, rare_classes
from prunecxr.studies.pruning.analysis.safe_sparsity import mean_change, safe_sparsity
from prunecxr.studies.pruning.analysis.scales import SCALES

FIRST_DROP_STUDIES = 50  # each simulates every sparsity


@dataclass(frozen=True)
class ScaleOptions:
    """What is asked on the scales.

    Attributes:
        scale: on which a sparsity is safe, a key of :data:`prunecxr.studies.pruning.analysis.scales.SCALES`.
        delta: margin of safety, a relative change.
        alpha: level of the tests.
        draws: of seeds and patients, for intervals of correlations.
        null: simulated studies of equal forgetting; 0 leaves the null out.
        seed: of all random numbers.
    """

    scale: str = "ap_ref"
    delta: float = 0.10
    alpha: float = 0.05
    draws: int = 500
    null: int = 200
    seed: int = 0


def by_scale(
    rankings: Rankings, predictions: xr.DataArray, labels: pd.DataFrame, frequency: np.ndarray, options: ScaleOptions
) -> dict[str, pd.DataFrame]:
    """Everything that is told on each scale.

    Args:
        rankings: of ``predictions``.
        predictions: dims (seed, sparsity, image, class).
        labels: of the test images, see :func:`prunecxr.studies.pruning.analysis.rankings.measure`.
        frequency: training images of each class, in the order of ``rankings.classes``.

    Returns:
        Tables ``scores``, ``changes``, ``safe_sparsity``, ``mean_change``, ``rare_classes`` and ``sparsities``
        (sparsity, n_known, collapsed, asked: whether questions are asked there).
    """
    scale = SCALES[options.scale]
    question = Question.of(rankings, frequency)
    n_patients = rankings.influences.shape[-1]
    draws = Draws.of(len(rankings.seeds), n_patients, options.draws, options.seed)
    nulls = _nulls(question, predictions, labels, options)
    return {
        "scores": ranked.scores(rankings),
        "changes": ranked.changes(rankings),
        "safe_sparsity": safe_sparsity(rankings, scale, options.delta, options.alpha),
        "mean_change": mean_change(rankings, scale, options.delta, options.alpha).assign(
            scale=options.scale, delta=options.delta
        ),
        "rare_classes": rare_classes(question, draws, *nulls),
        "sparsities": pd.DataFrame(
            {
                "sparsity": rankings.sparsities,
                "n_known": rankings.known().sum(axis=1),
                "collapsed": rankings.collapsed(),
                "asked": np.isclose(rankings.sparsities, question.sparsity),
            }
        ),
    }


def _nulls(question: Question, predictions: xr.DataArray, labels: pd.DataFrame, options: ScaleOptions) -> tuple:
    """Studies of equal forgetting: at the sparsity of the question, and at all usable ones."""
    if np.isnan(question.sparsity) or not options.null or not question.classes.any():
        return None, None
    rankings = question.rankings
    dense = predictions.sel(sparsity=0).transpose("seed", "image", "class").to_numpy()
    truth = labels[list(rankings.classes)].to_numpy(np.float64)
    places = question.usable.tolist()
    few = min(options.null, FIRST_DROP_STUDIES)
    return (
        simulate(rankings, dense, truth, [question.at], options.null, options.seed),
        simulate(rankings, dense, truth, places, few, options.seed, seeds=1),
    )
