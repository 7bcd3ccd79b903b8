"""Histograms of weight magnitudes: equal to NumPy's, nothing lost, whatever the memory layout."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prunecxr.compression.magnitudes import EDGES, magnitude_histogram, share_below
from prunecxr.networks.prunable import prunable_weights
from tests import tiny


@pytest.mark.parametrize("channels_last", [False, True])
def test_counts_are_those_of_numpy(channels_last):
    model = tiny.network()
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    weights = prunable_weights(model)
    values = np.concatenate([np.abs(w.detach().numpy()).ravel() for w in weights.values()]).astype(float)
    table = magnitude_histogram(weights)
    expected, _ = np.histogram(values, np.array([*EDGES[:-1], 1e9]))
    assert table["count"].tolist() == expected.tolist()
    assert table["count"].sum() == len(values)
    assert share_below(table) == pytest.approx((values < 0.01).mean())


def test_edges_belong_to_the_bin_above_and_signs_do_not_matter():
    table = magnitude_histogram({"w": torch.tensor([0.0, -1.0, 1.0, 100.0, float("nan"), float("inf")])})
    filled = table[table["count"] > 0]
    assert filled["low"].tolist() == [0.0, 1.0, 10.0]
    assert filled["count"].tolist() == [1, 2, 1]


def test_bins_rise_and_hold_the_powers_of_ten():
    assert (np.diff(EDGES) > 0).all()
    assert {1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0} <= set(EDGES)


def test_no_weights():
    table = magnitude_histogram({})
    assert table["count"].sum() == 0
    assert np.isnan(share_below(table))
