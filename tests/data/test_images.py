from __future__ import annotations

import builtins
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from prunecxr.data.decoding import UndecodableImage
from prunecxr.data.folders import FolderIndex
from prunecxr.data.images import INTERPOLATIONS, decode_image, resize
from prunecxr.data.labels import LabelTable
from prunecxr.errors import UserError

RAMP = np.arange(256, dtype=np.uint8).reshape(8, 32)


def table(*names: str, files: bool = False) -> LabelTable:
    ids = np.array(names, dtype=object)
    labels = np.zeros((len(ids), 1), np.uint8)
    return LabelTable(ids, ids, labels, ("Mass",), files=ids if files else None, source="t.csv")


def touch(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    return root


def save(path: Path, image: Image.Image, **options: Any) -> np.ndarray:
    image.save(path, **options)
    return decode_image(path)


# Finding


@pytest.mark.parametrize(
    ("stored", "name", "found"),
    [
        ("a.png", "a.png", "a.png"),
        ("images_001/images/a.png", "a.png", "images_001/images/a.png"),
        ("x/a.png", "a", "x/a.png"),
        ("x/a.jpg", "a.png", "x/a.jpg"),
        ("x/a.PNG", "a.png", "x/a.PNG"),
        ("x/a", "a.dcm", "x/a"),
        ("1.2.840.5", "1.2.840.5", "1.2.840.5"),
        ("x/1.2.840.5.dcm", "1.2.840.5", "x/1.2.840.5.dcm"),
        ("p10/s1/a.jpg", "files/p10/s1/a.jpg", "p10/s1/a.jpg"),
        ("2.0.0/files/p10/s1/a.jpg", "files/p10/s1/a.jpg", "2.0.0/files/p10/s1/a.jpg"),
        ("p10/s1/a.dcm", "files/p10/s1/a.jpg", "p10/s1/a.dcm"),
        ("a.jpg", "files/p10/s1/a.jpg", "a.jpg"),
    ],
)
def test_an_image_is_found_by_name_or_path(tmp_path: Path, stored: str, name: str, found: str):
    images = FolderIndex(touch(tmp_path, stored, "other/b.png")).locate(table(name))
    assert images.files == (found,)
    assert images.ids == (name,)


def test_the_path_tells_files_of_one_name_apart(tmp_path: Path):
    stored = ("train/p1/view1.jpg", "train/p2/view1.jpg", "valid/p1/view1.jpg")
    touch(tmp_path, *stored)
    for prefix in ("", "CheXpert-v1.0/"):
        names = [prefix + file for file in stored]
        assert FolderIndex(tmp_path).locate(table(*names, files=True)).files == stored


def test_a_file_in_another_folder_than_the_path_says_is_not_taken(tmp_path: Path):
    index = FolderIndex(touch(tmp_path, "site2/images/0001.png"))
    with pytest.raises(UserError, match=r"t\.csv: 1 of 1 images are not below .*: site1/images/0001\.png; 1 files are"):
        index.locate(table("site1/images/0001.png"))


@pytest.mark.parametrize("stored", [("x/a.png", "y/a.png"), ("a.png", "thumbs/a.png"), ("a.jpg", "a.jpeg")])
def test_several_files_of_one_name_are_an_error(tmp_path: Path, stored: tuple[str, str]):
    with pytest.raises(UserError) as error:
        FolderIndex(touch(tmp_path, *stored)).locate(table("a.png"))
    assert "1 of 1 images could be one of several files" in str(error.value)
    assert f"a.png ({' or '.join(sorted(stored))})" in str(error.value)


def test_missing_images_are_counted_and_the_first_ten_listed(tmp_path: Path):
    index = FolderIndex(touch(tmp_path, "b0.png"))
    with pytest.raises(UserError) as error:
        index.locate(table("b0.png", *(f"a{n}.png" for n in range(15))))
    message = str(error.value)
    assert message.startswith(f"t.csv: 15 of 16 images are not below {tmp_path}: a0.png, ")
    assert "a9.png and 5 more; 1 files are there, such as b0.png: check the option images" in message
    assert "a10.png" not in message


def test_hidden_files_are_no_images(tmp_path: Path):
    touch(tmp_path, "a.png", "._a.png", ".cache/a.png", "__MACOSX/a.png")
    assert FolderIndex(tmp_path).files == ["a.png"]


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path):
    outside = touch(tmp_path / "outside", "a.png", "b.png")
    inside = touch(tmp_path / "inside", "x/c.png")
    (inside / "a.png").symlink_to(outside / "a.png")
    (inside / "more").symlink_to(outside)
    (inside / "d.png").symlink_to(inside / "x" / "c.png")
    index = FolderIndex(inside)
    assert index.locate(table("c.png", "d.png")).files == ("x/c.png", "d.png")
    for name, link in (("a.png", "a.png"), ("b.png", "a.png, more")):
        with pytest.raises(UserError, match=f"links that lead out of the folder are not followed: {link}$"):
            index.locate(table(name))


def test_the_folder_itself_may_be_a_link(tmp_path: Path):
    touch(tmp_path / "data", "a.png")
    (tmp_path / "images").symlink_to(tmp_path / "data")
    assert FolderIndex(tmp_path / "images").locate(table("a.png")).files == ("a.png",)


def test_a_missing_folder(tmp_path: Path):
    with pytest.raises(UserError, match="images: there is no folder"):
        FolderIndex(tmp_path / "no")


def test_an_empty_folder(tmp_path: Path):
    with pytest.raises(UserError, match="the folder is empty: check the option images"):
        FolderIndex(tmp_path).locate(table("a.png"))


def test_stamps_tell_a_changed_file(tmp_path: Path):
    images = FolderIndex(touch(tmp_path, "a.png", "b.png")).locate(table("a.png", "b.png"))
    before = images.stamps()
    (tmp_path / "b.png").write_bytes(b"x")
    after = images.stamps()
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_a_changed_file_of_the_same_size_and_time_is_told(tmp_path: Path):
    images = FolderIndex(touch(tmp_path, "a.png")).locate(table("a.png"))
    status = (tmp_path / "a.png").stat()
    before = images.stamps()
    (tmp_path / "a.png").write_bytes(b"")
    os.utime(tmp_path / "a.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert images.stamps() != before


# Decoding


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_gray_values_survive_every_way_to_store_them(tmp_path: Path, mode: str):
    pixels = save(tmp_path / "a.png", Image.fromarray(RAMP).convert(mode))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, RAMP)


def test_one_bit_is_black_and_white(tmp_path: Path):
    assert save(tmp_path / "a.png", Image.fromarray(RAMP > 127)).tolist() == np.where(RAMP > 127, 255, 0).tolist()


def test_alpha_is_ignored(tmp_path: Path):
    layers = np.stack([RAMP, RAMP, RAMP, RAMP[::-1]], axis=-1)
    np.testing.assert_array_equal(save(tmp_path / "a.png", Image.fromarray(layers)), RAMP)


def test_a_palette_with_transparency_decodes(tmp_path: Path):
    image = Image.fromarray(RAMP).convert("P")
    np.testing.assert_array_equal(save(tmp_path / "a.png", image, transparency=bytes(range(256))), RAMP)


def test_colour_becomes_luma(tmp_path: Path):
    red = save(tmp_path / "a.png", Image.new("RGB", (2, 2), (255, 0, 0)))
    assert red.tolist() == [[76, 76], [76, 76]]


@pytest.mark.parametrize(("depth", "factor"), [(16, 257), (12, 16), (8, 1)])
def test_16_bit_is_scaled_by_the_depth_it_uses(tmp_path: Path, depth: int, factor: int):
    values = RAMP.astype(np.uint16) * factor
    values[0, 0] = 0
    pixels = save(tmp_path / "a.png", Image.fromarray(values))
    np.testing.assert_allclose(pixels, values / (2**depth - 1) * 255, atol=0.5)
    assert (np.diff(pixels.ravel().astype(int)) >= 0).all()


def test_16_bit_covers_the_whole_range_without_wrapping(tmp_path: Path):
    pixels = save(tmp_path / "a.png", Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256)))
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (np.diff(pixels.ravel().astype(int)) >= 0).all()


def test_jpeg(tmp_path: Path):
    pixels = save(tmp_path / "a.jpg", Image.fromarray(np.repeat(RAMP, 8, axis=0)), quality=95)
    assert np.abs(pixels.astype(int) - np.repeat(RAMP, 8, axis=0)).max() < 12


def test_the_kind_of_file_is_told_by_content_not_by_name(tmp_path: Path):
    Image.fromarray(RAMP).save(tmp_path / "a.jpg", format="PNG")
    np.testing.assert_array_equal(decode_image(tmp_path / "a.jpg"), RAMP)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_size(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def noise_png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(file, format="PNG")
    return file.getvalue()


def test_16_bit_colour_keeps_its_high_byte(tmp_path: Path):
    pixels = np.repeat(RAMP[..., None] * np.uint16(256) + 17, 3, axis=2).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 8, 16, 2, 0, 0, 0))
    content = header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    np.testing.assert_array_equal(decode_image(tmp_path / "a.png"), RAMP)


PNG = noise_png()
DAMAGED = {
    "empty": (b"", "not a PNG, JPEG or DICOM file"),
    "text": (b"<html>404</html>", "not a PNG, JPEG or DICOM file"),
    "cut": (PNG[: len(PNG) // 2], "a.png: "),
    "bits flipped": (PNG[:60] + bytes(255 - byte for byte in PNG[60:]), "a.png: "),
    "gif": (b"GIF89a" + bytes(30), "not a PNG, JPEG or DICOM file"),
    "bomb": (png_of_size(60000, 60000), "decompression bomb"),
    "DICOM cut": (bytes(128) + b"DICM", "a DICOM file without pixels"),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_files_are_named(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UndecodableImage) as error:
        decode_image(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_has_gone(tmp_path: Path):
    with pytest.raises(UndecodableImage, match=r"a\.png: No such file or directory"):
        decode_image(tmp_path / "a.png")


def dicom(path: Path, pixels: np.ndarray, **tags: Any) -> Path:
    pydicom = pytest.importorskip("pydicom")
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.PhotometricInterpretation = "MONOCHROME2"
    data.SamplesPerPixel = 1
    data.Rows, data.Columns = pixels.shape[:2]
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def test_plain_8_bit_dicom_stays_as_it_is(tmp_path: Path):
    pixels = RAMP // 2 + 10
    np.testing.assert_array_equal(decode_image(dicom(tmp_path / "a.dcm", pixels)), pixels)
    identity = {"RescaleSlope": "1", "RescaleIntercept": "0"}
    np.testing.assert_array_equal(decode_image(dicom(tmp_path / "b.dcm", pixels, **identity)), pixels)


def test_monochrome1_is_inverted(tmp_path: Path):
    path = dicom(tmp_path / "a.dcm", RAMP, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(decode_image(path), 255 - RAMP)


def test_12_bit_dicom_is_stretched_to_8_bit(tmp_path: Path):
    path = dicom(tmp_path / "a", RAMP.astype(np.uint16) * 10 + 500, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(decode_image(path), RAMP)


def test_rescale_slope_turns_the_gray_scale_around(tmp_path: Path):
    path = dicom(tmp_path / "a.dcm", RAMP.astype(np.uint16), RescaleSlope="-1", RescaleIntercept="255")
    np.testing.assert_array_equal(decode_image(path), 255 - RAMP)


def test_signed_pixels_after_rescaling_are_windowed(tmp_path: Path):
    pixels = RAMP.astype(np.int16) * 100 - 5000
    rescale = {"RescaleSlope": "2", "RescaleIntercept": "-7"}
    window = {"WindowCenter": "-7", "WindowWidth": "10001", "VOILUTFunction": "LINEAR"}
    decoded = decode_image(dicom(tmp_path / "a.dcm", pixels, **rescale, **window))
    expected = np.clip((2 * pixels.astype(float) - 7 - (-7.5)) / 10000 + 0.5, 0, 1) * 255
    np.testing.assert_allclose(decoded, expected, atol=1)
    assert (decoded == 0).sum() > 20
    assert (decoded == 255).sum() > 20


@pytest.mark.parametrize(
    "window", [{"WindowCenter": "0", "WindowWidth": "0"}, {"WindowCenter": "-9", "WindowWidth": "2"}]
)
def test_a_window_that_shows_nothing_is_ignored(tmp_path: Path, window: dict[str, str]):
    np.testing.assert_array_equal(decode_image(dicom(tmp_path / "a.dcm", RAMP.astype(np.uint16), **window)), RAMP)


def test_several_windows_mean_the_first(tmp_path: Path):
    pixels = RAMP.astype(np.uint16)
    one = decode_image(dicom(tmp_path / "a.dcm", pixels, WindowCenter="100", WindowWidth="50"))
    two = decode_image(dicom(tmp_path / "b.dcm", pixels, WindowCenter=["100", "9"], WindowWidth=["50", "5"]))
    np.testing.assert_array_equal(one, two)
    assert len(np.unique(one)) < 60


def test_several_frames_are_refused(tmp_path: Path):
    path = dicom(tmp_path / "a.dcm", np.concatenate([RAMP, RAMP]), Rows=8, NumberOfFrames="2")
    with pytest.raises(UndecodableImage, match=r"a\.dcm: 2 frames, one is expected"):
        decode_image(path)


def test_without_pydicom_the_user_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = dicom(tmp_path / "a.dcm", RAMP)
    real_import = builtins.__import__

    def no_pydicom(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("pydicom"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_pydicom)
    with pytest.raises(UserError, match=r"a\.dcm is a DICOM file; .*pip install 'prunecxr\[dicom\]'") as error:
        decode_image(path)
    assert not isinstance(error.value, UndecodableImage)  # it is not this image's fault: stop at once


# Resizing


@given(pixels=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)), size=st.integers(1, 50))
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_resize_makes_squares(interpolation: str, pixels: np.ndarray, size: int):
    resized = resize(pixels, size, interpolation)
    assert (resized.shape, resized.dtype) == ((size, size), np.uint8)


def test_resize_is_the_identity_at_the_same_size():
    square = np.random.default_rng(0).integers(0, 256, (9, 9), np.uint8)
    assert resize(square, 9, "bilinear") is square


def test_resize_box_averages():
    assert resize(np.array([[0, 100], [50, 250]], np.uint8), 1, "box").tolist() == [[100]]


def test_resize_knows_its_methods():
    with pytest.raises(UserError, match="interpolation: unknown 'cubic'; known: bilinear, bicubic, box"):
        resize(RAMP, 8, "cubic")
    with pytest.raises(ValueError, match="expected uint8 pixels"):
        resize(RAMP.astype(float), 8, "box")


# Real files


def test_real_formats(test_data: Path):
    folder = test_data / "formats"
    shapes = {path.name: decode_image(path).shape for path in folder.iterdir()}
    assert shapes == {
        "00000001_000.png": (512, 512),
        "16747_3_1.jpg": (885, 1036),
        "Fake_MONOHR1.dcm": (1024, 1024),
        "frontal_MONOCHROME2.dcm": (1024, 1024),
    }
    inverted = decode_image(folder / "Fake_MONOHR1.dcm")  # the other file's pixels, relabelled
    np.testing.assert_array_equal(inverted, 255 - decode_image(folder / "frontal_MONOCHROME2.dcm"))
