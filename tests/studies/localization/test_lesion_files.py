"""Files of lesions: what becomes colours, what becomes a mask, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prunecxr.data.decoding import UndecodableImage
from prunecxr.studies.localization.lesions.files import LesionImages, LesionMasks, decode_mask, decode_rgb
from tests.lesion_files import lesion, write_picture


def saved(image: Image.Image, path: Path, **how) -> Path:
    image.save(path, **how)
    return path


def test_colours_are_kept(tmp_path: Path):
    image, _ = lesion(1)
    write_picture(tmp_path / "a.png", image)
    assert np.array_equal(decode_rgb(tmp_path / "a.png"), image)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "I;16", "CMYK"])
def test_every_kind_of_picture_becomes_colours(tmp_path: Path, mode: str):
    picture = Image.fromarray(lesion(1)[0])
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    pixels = decode_rgb(saved(picture, tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")))
    assert (pixels.shape, pixels.dtype) == ((24, 32, 3), np.uint8)
    assert pixels[0, 0].mean() > pixels[6, 10].mean() + 50
    if mode in ("L", "LA", "1", "I;16"):
        assert (pixels == pixels[:, :, :1]).all()


def test_alpha_is_ignored(tmp_path: Path):
    image, _ = lesion(1)
    transparent = np.dstack([image, np.zeros(image.shape[:2], np.uint8)])
    assert np.array_equal(decode_rgb(saved(Image.fromarray(transparent), tmp_path / "a.png")), image)


@pytest.mark.parametrize("high", [1, 76, 128, 255])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_masks_of_two_levels(tmp_path: Path, high: int, mode: str):
    truth = lesion(3)[1] > 0
    picture = Image.fromarray((truth * high).astype(np.uint8)).convert(mode)
    mask = decode_mask(saved(picture, tmp_path / "a.png"))
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, truth)


def test_one_bit_and_sixteen_bit_masks(tmp_path: Path):
    truth = lesion(3)[1] > 0
    for name, picture in (
        ("bit", Image.fromarray(truth)),
        ("deep", Image.fromarray(truth.astype(np.uint16) * 65535)),
        ("deep01", Image.fromarray(truth.astype(np.uint16))),
    ):
        assert np.array_equal(decode_mask(saved(picture, tmp_path / f"{name}.png")), truth)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_masks_with_the_noise_of_jpeg(tmp_path: Path, quality: int):
    truth = np.zeros((96, 128), bool)
    truth[20:70, 30:90] = True
    path = saved(Image.fromarray(truth * np.uint8(255)), tmp_path / "a.jpg", quality=quality)
    assert len(np.unique(np.asarray(Image.open(path)))) > 2
    assert (decode_mask(path) == truth).mean() > 0.995


def test_masks_with_soft_borders(tmp_path: Path):
    truth = np.zeros((128, 128), np.uint8)
    truth[30:90, 20:100] = 255
    small = Image.fromarray(truth).resize((50, 50), Image.Resampling.BILINEAR)
    mask = decode_mask(saved(small, tmp_path / "a.png"))
    assert abs(mask.mean() - (truth > 0).mean()) < 0.02


@pytest.mark.parametrize(("level", "value"), [(0, 0), (255, 1)])
def test_empty_and_full_masks(tmp_path: Path, level: int, value: int):
    mask = decode_mask(saved(Image.fromarray(np.full((8, 8), level, np.uint8)), tmp_path / "a.png"))
    assert (mask == value).all()


NO_MASKS = {
    "photograph": lesion(1)[0],
    "three regions": np.repeat(np.array([0, 1, 2], np.uint8), 30).reshape(9, 10),
    "three gray regions": np.repeat(np.array([0, 127, 255], np.uint8), 30).reshape(9, 10),
    "probabilities": np.linspace(0, 255, 400).astype(np.uint8).reshape(20, 20),
    "one gray": np.full((8, 8), 90, np.uint8),
    "ones and twos": np.repeat(np.array([1, 2], np.uint8), 50).reshape(10, 10),
}


@pytest.mark.parametrize("kind", NO_MASKS)
def test_what_is_no_mask(tmp_path: Path, kind: str):
    path = saved(Image.fromarray(NO_MASKS[kind]), tmp_path / "a.png")
    with pytest.raises(UndecodableImage, match=r"a\.png: no mask: \d+ gray levels? .*; a mask has two, 0 outside"):
        decode_mask(path)


@pytest.mark.parametrize("decode", [decode_rgb, decode_mask])
def test_damaged_files(tmp_path: Path, decode):
    whole = saved(Image.fromarray(lesion(1)[0]), tmp_path / "a.png").read_bytes()
    for name, content in (("empty", b""), ("text", b"id,age\n"), ("cut", whole[: len(whole) // 2])):
        path = tmp_path / f"{name}.png"
        path.write_bytes(content)
        with pytest.raises(UndecodableImage, match=f"{name}.png: "):
            decode(path)
    with pytest.raises(UndecodableImage, match="No such file"):
        decode(tmp_path / "gone.png")


def test_a_mask_has_the_size_of_its_image(tmp_path: Path):
    image, mask = lesion(1)
    write_picture(tmp_path / "a.jpg", image)
    write_picture(tmp_path / "right.png", mask)
    write_picture(tmp_path / "turned.png", mask.T)
    images = LesionImages(("a", "a"), tmp_path, ("a.jpg", "a.jpg"))
    masks = LesionMasks(("a", "a"), tmp_path, ("right.png", "turned.png"), images)
    assert masks.read(0).shape == image.shape[:2]
    with pytest.raises(UndecodableImage, match=r"turned\.png: 24 x 32 pixels, but its image .*a\.jpg has 32 x 24"):
        masks.read(1)
