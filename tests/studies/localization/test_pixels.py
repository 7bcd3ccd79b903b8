"""Caches of lesion images and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prunecxr.data.cache import cache_images
from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.catalogue import open_lesions
from prunecxr.studies.localization.lesions.dataset import LesionSplit, take
from prunecxr.studies.localization.lesions.phantom import lesion_phantom
from prunecxr.studies.localization.lesions.pixels import LesionPixels, cache_lesions, mask_warnings, resize_mask
from tests.lesion_files import lesion, options, write_lesions, write_picture


@pytest.fixture
def split(tmp_path: Path) -> LesionSplit:
    write_lesions(range(30), tmp_path / "lesions", tmp_path / "lesions", ".png")
    return open_lesions(options("isic2017", images=tmp_path / "lesions")).train


def test_images_and_masks_are_kept_in_their_order(split: LesionSplit, tmp_path: Path):
    pixels = cache_lesions(split, 48, tmp_path / "cache", desc="train")
    assert (pixels.images.shape, pixels.images.dtype) == ((21, 48, 48, 3), np.uint8)
    assert pixels.masks is not None
    assert (pixels.masks.shape, set(np.unique(pixels.masks))) == ((21, 48, 48), {0, 1})
    assert isinstance(pixels.images, np.memmap)
    assert not pixels.masks.flags.writeable
    for at, name in enumerate(split.ids):
        image, mask = lesion(int(name[5:]))
        assert abs(pixels.images[at].mean() - image.mean()) < 3
        assert abs(pixels.masks[at].mean() - (mask > 0).mean()) < 0.03
        # The lesion is where the mask says.
        assert pixels.images[at][pixels.masks[at] > 0].mean() < pixels.images[at][pixels.masks[at] == 0].mean() - 50


def test_a_second_time_nothing_is_read(split: LesionSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = cache_lesions(split, 16, tmp_path / "cache")
    monkeypatch.setattr(type(split.images), "read", lambda *_: pytest.fail("decoded again"))
    assert cache_lesions(split, 16, tmp_path / "cache").fingerprint == first.fingerprint


def test_an_interrupted_build_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    split = lesion_phantom("train", 60, 32, 0)
    reads: list[int] = []
    read = type(split.images).read

    def reading(source, index: int) -> np.ndarray:
        if not source.masks:
            if index == 40 and 40 not in reads:
                reads.append(index)
                raise KeyboardInterrupt
            reads.append(index)
        return read(source, index)

    monkeypatch.setattr(type(split.images), "read", reading)
    with pytest.raises(KeyboardInterrupt):
        cache_lesions(split, 32, tmp_path, workers=1)
    pixels = cache_lesions(split, 32, tmp_path, workers=1)
    assert sorted(reads) == sorted([*range(60), 40])
    assert np.array_equal(pixels.images[50], read(split.images, 50))


def test_the_fingerprint_is_of_the_content(split: LesionSplit, tmp_path: Path):
    first = cache_lesions(split, 16, tmp_path / "cache")
    moved = tmp_path / "elsewhere"
    (tmp_path / "lesions").rename(moved)
    again = open_lesions(options("isic2017", images=moved)).train
    assert cache_lesions(again, 16, tmp_path / "cache").fingerprint == first.fingerprint
    mask = moved / f"{again.ids[0]}_segmentation.png"
    write_picture(mask, 255 - lesion(int(again.ids[0][5:]))[1])
    changed = cache_lesions(open_lesions(options("isic2017", images=moved)).train, 16, tmp_path / "cache")
    assert changed.fingerprint != first.fingerprint
    assert np.array_equal(changed.images, first.images)


def test_colour_gray_and_mask_caches_share_a_folder(tmp_path: Path):
    split = lesion_phantom("train", 10, 32, 0)
    colours = cache_lesions(split, 32, tmp_path)
    gray = cache_images(split.masks, 32, "bilinear", tmp_path)
    assert colours.images.shape == (10, 32, 32, 3)
    assert gray.pixels.shape == (10, 32, 32)
    assert len(list(tmp_path.glob("*.pixels"))) == 3
    assert np.array_equal(colours.images[3], split.images.read(3))


def test_without_masks(tmp_path: Path):
    split = lesion_phantom("train", 10, 32, 0)
    bare = LesionSplit(split.name, split.images, None, split.table)
    assert cache_lesions(bare, 32, tmp_path).masks is None
    assert mask_warnings("train", cache_lesions(bare, 32, tmp_path)) == ()


def test_some_of_a_split(tmp_path: Path):
    split = lesion_phantom("train", 10, 32, 0)
    some = take(split, [7, 2], "some")
    assert some.ids == (split.ids[7], split.ids[2])
    pixels = cache_lesions(some, 32, tmp_path)
    assert np.array_equal(pixels.images[1], split.images.read(2))
    assert np.array_equal(pixels.masks[0], split.masks.read(7))


def test_all_faulty_masks_are_named_at_once(split: LesionSplit, tmp_path: Path):
    folder = tmp_path / "lesions"
    write_picture(folder / f"{split.ids[2]}_segmentation.png", np.full((24, 32), 90, np.uint8))
    write_picture(folder / f"{split.ids[5]}_segmentation.png", np.zeros((12, 16), np.uint8))
    split = open_lesions(options("isic2017", images=folder)).train
    with pytest.raises(UserError) as error:
        cache_lesions(split, 16, tmp_path / "cache")
    message = str(error.value)
    assert message.startswith("2 of 21 masks cannot be decoded: ")
    assert f"{split.ids[2]}_segmentation.png: no mask: 1 gray level (90)" in message
    assert f"{split.ids[5]}_segmentation.png: 16 x 12 pixels, but its image" in message


def test_masks_are_shrunk_by_area():
    """Oracle: a pixel is lesion where the mean of its block is at least a half."""
    rng = np.random.default_rng(0)
    mask = (rng.random((64, 96)) < 0.5).astype(np.uint8)
    expected = mask.reshape(16, 4, 16, 6).mean(axis=(1, 3)) >= 0.5
    shrunk = resize_mask(mask, 16)
    assert shrunk.dtype == np.uint8
    assert (shrunk == expected).mean() == 1
    assert resize_mask(mask[:64, :64], 64) is not None
    grown = resize_mask(np.eye(4, dtype=np.uint8), 16)
    assert np.array_equal(grown, np.kron(np.eye(4), np.ones((4, 4))))


def test_empty_and_full_masks_are_counted():
    masks = np.zeros((4, 8, 8), np.uint8)
    masks[1] = 1
    masks[2, 3, 3] = 1
    pixels = LesionPixels(np.zeros((4, 8, 8, 3), np.uint8), masks, "")
    assert mask_warnings("test", pixels) == (
        "2 of 4 masks of the test split are empty",
        "1 of 4 masks of the test split are full",
    )
