"""The lesion phantom: what is planted is there, and nothing depends on what it should not."""

from __future__ import annotations

import pickle
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from prunecxr.data.phantom import keyed_generator
from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions import phantom
from prunecxr.studies.localization.lesions.catalogue import open_lesions
from prunecxr.studies.localization.lesions.phantom import (
    DIAGNOSES,
    HARD_SHARES,
    OLD,
    SUBGROUPS,
    draw_image,
    draw_mask,
    lesion_phantom,
)
from prunecxr.studies.localization.lesions.phantom_skin import Traits, draw_outline, draw_skin_lesion
from tests.lesion_files import options


@pytest.fixture(scope="module")
def split():
    return lesion_phantom("train", 1000, 64, 0)


def drawn(subgroup: str, n: int = 40, diagnosis: str = "nevus", size: int = 64) -> list[tuple[np.ndarray, np.ndarray]]:
    traits = Traits(diagnosis, subgroup)
    return [(draw_image(f"{i}", traits, size), draw_mask(f"{i}", traits, size) > 0) for i in range(n)]


def contrast(image: np.ndarray, mask: np.ndarray) -> float:
    """How much darker the lesion is than the skin around it, gray levels."""
    ring = ndimage.binary_dilation(mask, iterations=8) & ~ndimage.binary_dilation(mask, iterations=3)
    gray = image.mean(axis=2)
    return float(np.median(gray[ring]) - np.median(gray[mask]))


def test_shares_are_those_that_are_promised(split):
    counts = split.table["subgroup"].value_counts().to_dict()
    assert counts == {"common": 800, **{name: round(share * 1000) for name, share in HARD_SHARES.items()}}
    assert (split.table["hard"] == (split.table["subgroup"] != "common")).all()
    shares = split.table["diagnosis"].value_counts(normalize=True)
    assert all(abs(shares[name] - share) < 0.05 for name, share in DIAGNOSES.items())


def test_the_rare_group_is_old_women_and_nobody_else(split):
    table = split.table
    rare = table["subgroup"] == "rare group"
    assert ((table["sex"] == "female") & (table["age"] >= OLD) == rare).all()
    assert table["age"].dropna().between(10, 85).all()
    assert 0 < table["age"].isna().sum() < 100
    assert 0 < (table["sex"] == "unknown").sum() < 100


def test_same_arguments_same_bits_other_splits_other_images(split):
    again, other = lesion_phantom("train", 1000, 64, 0), lesion_phantom("test", 1000, 64, 0)
    assert again.table.equals(split.table)
    for at in (0, 7):
        assert np.array_equal(again.images.read(at), split.images.read(at))
        assert np.array_equal(again.masks.read(at), split.masks.read(at))
        assert not np.array_equal(other.images.read(at), split.images.read(at))
    assert not set(other.ids) & set(split.ids)
    assert not np.array_equal(lesion_phantom("train", 1000, 64, 1).images.read(0), split.images.read(0))


def test_an_image_depends_on_its_own_row_alone(split):
    table = split.table.iloc[[5]]
    alone = draw_image(table["id"].item(), Traits(table["diagnosis"].item(), table["subgroup"].item()), 64)
    assert np.array_equal(alone, split.images.read(5))
    assert pickle.loads(pickle.dumps(split.images)).stamps() == split.images.stamps()
    assert len(set(split.images.stamps())) == 1000


@pytest.mark.parametrize("subgroup", SUBGROUPS)
@pytest.mark.parametrize("diagnosis", DIAGNOSES)
def test_the_mask_is_where_the_lesion_is(subgroup: str, diagnosis: str):
    """The same photograph with the lesion out of sight differs inside the mask, and nowhere else."""
    traits = Traits(diagnosis, subgroup)
    outline = draw_outline(traits, keyed_generator("outline", 0, "a"))
    image, away = (
        draw_skin_lesion(traits, where, 96, keyed_generator("look", 0, "a")).astype(int)
        for where in (outline, replace(outline, x=9.0))
    )
    changed = np.abs(image - away).max(axis=2) > 6
    mask = outline.depth(96) > 0
    assert changed[ndimage.binary_erosion(mask, iterations=1)].mean() > 0.7
    assert not changed[~ndimage.binary_dilation(mask, iterations=6)].any()


def test_small_lesions_are_small():
    small, common = (np.array([mask.mean() for _, mask in drawn(name)]) for name in ("small", "common"))
    assert 0.001 < small.min() < small.max() < 0.02
    assert 0.03 < common.min() < common.max() < 0.5


def test_low_contrast_is_low_and_the_rare_group_is_paler_than_its_skin():
    common, low, rare = (
        np.array([contrast(*pair) for pair in drawn(name)]) for name in ("common", "low contrast", "rare group")
    )
    assert np.median(low) < 0.4 * np.median(common)
    assert (low > 0).mean() > 0.9
    assert (rare < 0).mean() > 0.9


def test_rare_texture_is_texture_alone():
    """No darker than the skin on the whole, but far more varied."""
    pairs = drawn("rare texture", 60)
    inside = np.array([image.mean(axis=2)[mask].mean() - image.mean(axis=2)[~mask].mean() for image, mask in pairs])
    common = np.array(
        [image.mean(axis=2)[mask].mean() - image.mean(axis=2)[~mask].mean() for image, mask in drawn("common")]
    )
    assert abs(np.median(inside)) < 0.2 * abs(np.median(common))
    varied = np.array([image.mean(axis=2)[mask].std() / image.mean(axis=2)[~mask].std() for image, mask in pairs])
    assert np.median(varied) > 1.5


def test_another_size_is_the_same_lesion():
    traits = Traits("melanoma", "common")
    for name in "abc":
        small, large = draw_mask(name, traits, 64), draw_mask(name, traits, 128)
        shrunk = large.reshape(64, 2, 64, 2).mean(axis=(1, 3)) >= 0.5
        assert (shrunk & (small > 0)).sum() / (shrunk | (small > 0)).sum() > 0.93


def test_the_data_set():
    dataset = open_lesions(options("phantom", phantom_train=30, phantom_val=10, phantom_test=20, phantom_unlabelled=12))
    assert [len(split) for split in (dataset.train, dataset.val, dataset.test)] == [30, 10, 20]
    assert dataset.unlabelled is not None
    assert (len(dataset.unlabelled), dataset.unlabelled.masks, dataset.warnings) == (12, None, ())
    assert dataset.train.images.read(0).shape == (32, 32, 3)


def test_sizes_that_cannot_be_drawn():
    with pytest.raises(UserError, match="phantom: image size 16: choose 32 to 1024 pixels"):
        lesion_phantom("train", 20, 16, 0)


def test_every_image_has_a_lesion_and_the_sheet_shows_all_subgroups(split):
    assert all(split.masks.read(at).any() for at in range(0, 1000, 5))
    sheet = phantom.contact_sheet(32, columns=2)
    assert sheet.size == (64, len(SUBGROUPS) * (16 + 32 + 16 + 2))


def test_drawing_is_fast(split):
    start = time.process_time()
    for at in range(100):
        split.images.read(at)
    assert 100 / (time.process_time() - start) > 100  # some 1000 on one core
