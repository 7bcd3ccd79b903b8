"""Pictures of the gallery: the image alone first, then each outline in its colour where its mask ends."""

from __future__ import annotations

import numpy as np

from prunecxr.studies.localization.gallery import COLOURS, GAP, SIDE, tile


def test_a_row_of_pictures_with_outlines():
    image = np.full((32, 32, 3), 120, np.uint8)
    masks = {name: np.zeros((32, 32), np.uint8) for name in COLOURS}
    masks["mask"][8:24, 8:24] = 1
    masks["dense"][4:12, 4:12] = 1
    row = np.asarray(tile(image, list(masks.items())))
    assert row.shape == (SIDE, 4 * SIDE + 3 * GAP, 3)
    pictures = [row[:, i * (SIDE + GAP) : i * (SIDE + GAP) + SIDE] for i in range(4)]
    assert (pictures[0] == 120).all()
    for picture, (name, mask) in zip(pictures[1:], masks.items(), strict=True):
        drawn = (picture == np.array(COLOURS[name])).all(axis=2)
        assert drawn.any() == mask.any()
        assert ((picture == 120).all(axis=2) | drawn).all()
        if mask.any():
            rows, columns = np.nonzero(drawn)
            scale = SIDE / 32
            top, left = (int(scale * index.min()) for index in np.nonzero(mask))
            assert abs(rows.min() - top) <= 2
            assert abs(columns.min() - left) <= 2
            inside = np.asarray(mask[(np.arange(SIDE) / scale).astype(int)][:, (np.arange(SIDE) / scale).astype(int)])
            assert not drawn[SIDE // 2, SIDE // 2] or not inside[SIDE // 2, SIDE // 2]
