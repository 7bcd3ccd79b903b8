"""Boxes: the largest component, its box by another library, and the IoU with its conventions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from torchvision import ops

from prunecxr.evaluation.regions.boxes import THRESHOLD, box_iou, boxes_from_heat, fill_boxes, scale_heat
from prunecxr.evaluation.regions.scores import iou_per_image

heat_maps = arrays.arrays(np.uint8, (3, 6, 7), elements=st.sampled_from([0, 100, 180, 181, 255]))


@given(heat_maps)
@settings(deadline=None)
def test_parity_with_scipys_components(heat):
    for image, box in zip(heat, boxes_from_heat(heat), strict=True):
        parts, count = ndimage.label(image > 180, structure=np.ones((3, 3)))
        if count == 0:
            assert box.tolist() == [0, 0, 0, 0]
            continue
        sizes = np.bincount(parts.ravel())[1:]
        rows, columns = ndimage.find_objects(parts)[int(sizes.argmax())]
        assert box.tolist() == [rows.start, columns.start, rows.stop, columns.stop]


def test_the_largest_component_above_the_threshold():
    heat = np.zeros((2, 10, 10), dtype=np.uint8)
    heat[0, 0:2, 0:2] = 255
    heat[0, 4:8, 5:8] = THRESHOLD + 1
    heat[0, 9, :] = THRESHOLD  # not above it
    assert boxes_from_heat(heat).tolist() == [[4, 5, 8, 8], [0, 0, 0, 0]]
    assert boxes_from_heat(heat[:0]).shape == (0, 4)


def test_components_that_touch_at_a_corner_are_one():
    heat = np.zeros((1, 5, 5), dtype=np.uint8)
    heat[0, 1, 1] = heat[0, 2, 2] = heat[0, 3, 3] = 255
    assert boxes_from_heat(heat).tolist() == [[1, 1, 4, 4]]


def test_scaling_stretches_every_map_to_the_whole_range():
    heat = np.array([[[0.0, 1.0], [2.0, 4.0]], [[-3.0, -3.0], [-3.0, 7.0]], [[2.0, 2.0], [2.0, 2.0]]])
    assert scale_heat(heat).tolist() == [[[0, 64], [128, 255]], [[0, 0], [0, 255]], [[0, 0], [0, 0]]]
    assert scale_heat(heat).dtype == np.uint8


corner = st.integers(0, 6)
boxes = st.one_of(
    st.just((0, 0, 0, 0)),
    st.tuples(corner, corner, st.integers(1, 4), st.integers(1, 4)).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    ),
)


@given(boxes, boxes)
@settings(deadline=None)
def test_the_iou_of_boxes_is_that_of_their_insides_and_torchvisions(one, other):
    pair = np.array([one]), np.array([other])
    ours = box_iou(*pair)
    insides = [fill_boxes(box, 10, 10) for box in pair]
    assert ours == pytest.approx(iou_per_image(*insides)[:, 1])
    assert ours == box_iou(*reversed(pair))
    if any(one) or any(other):
        theirs = ops.box_iou(*(torch.from_numpy(box[:, [1, 0, 3, 2]]).double() for box in pair))
        assert ours[0] == pytest.approx(theirs.item())
    assert (ours == 1).all() == (one == other)


def test_conventions_for_empty_boxes():
    empty, box, wider = np.zeros((1, 4), dtype=int), np.array([[1, 1, 3, 3]]), np.array([[1, 1, 3, 5]])
    assert box_iou(empty, empty).tolist() == [1.0]
    assert box_iou(empty, box).tolist() == box_iou(box, empty).tolist() == [0.0]
    assert box_iou(box, wider).tolist() == [0.5]
