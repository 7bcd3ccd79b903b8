"""What a network that knows nothing of a class scores: average precision of random rankings."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

RANKINGS = 2_000
POSITIONS = 4_000_000  # drawn in all at most: fewer rankings of a frequent class, whose AP hardly varies


def expected_ap(images: int, positives: int) -> float:
    """Mean AP over all rankings of ``images`` with ``positives`` positives; NaN without a positive.

    (H + (P - 1)(n - H) / (n - 1)) / n with the harmonic number H of n: above prevalence, by as much as 2.4 times for 4
    positives of 400.
    """
    if not positives:
        return float("nan")
    if images == 1:
        return 1.0
    harmonic = (1 / np.arange(1, images + 1)).sum()
    return float((harmonic + (positives - 1) * (images - harmonic) / (images - 1)) / images)


@lru_cache(maxsize=4096)
def ap_quantile(images: int, positives: int, level: float = 0.975) -> float:
    """This quantile of AP over random rankings, by simulation; NaN without a positive. The same at every call."""
    if not positives:
        return float("nan")
    if positives == images:
        return 1.0
    rng = np.random.default_rng([images, positives])
    rankings = int(np.clip(POSITIONS // positives, 400, RANKINGS))
    hits = np.arange(1, positives + 1)
    scores = np.empty(rankings)
    for i in range(rankings):
        places = rng.choice(images, positives, replace=False, shuffle=False)
        places.sort()
        scores[i] = (hits / (places + 1)).mean()
    return float(np.quantile(scores, level))
