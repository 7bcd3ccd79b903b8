"""How an image file becomes 8-bit gray pixels, and these a square."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from prunecxr.data.decoding import decoding
from prunecxr.data.dicom import decode_dicom, is_dicom
from prunecxr.errors import UserError

INTERPOLATIONS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}


class ImageSource(Protocol):
    """An ordered collection of images that the cache can decode. Must be picklable, and readable from threads."""

    @property
    def ids(self) -> Sequence[str]:
        """The image ids, length n."""
        ...

    def stamps(self) -> list[str]:
        """One string an image, cheap to get, that changes whenever the image may have changed."""
        ...

    def read(self, index: int) -> np.ndarray:
        """The image as gray pixels, shape (height, width), uint8; of lesions, colours (height, width, 3).

        Raises:
            UndecodableImage: this image cannot be decoded; others may.
        """
        ...


def decode_image(path: Path) -> np.ndarray:
    """Decode a PNG, JPEG or DICOM file to gray pixels, shape (height, width), uint8.

    Colour becomes luma (ITU-R 601-2; gray stored as RGB keeps its values exactly). An alpha channel is ignored: the
    radiographs that have one carry no information in it. 16-bit gray is scaled by the depth it uses (8, 12 or 16 bit,
    the smallest that holds its maximum), so that 12-bit detector data in a 16-bit file does not come out black.
    DICOM: see `prunecxr.data.dicom.decode_dicom`. Orientation tags are not applied.

    Raises:
        UndecodableImage: the file is missing, damaged, or of another kind.
        UserError: it is a DICOM file, and pydicom is not installed.
    """
    with decoding(path, "PNG, JPEG or DICOM"):
        return decode_dicom(path) if is_dicom(path) else _decode_picture(path)


def resize(pixels: np.ndarray, size: int, interpolation: str) -> np.ndarray:
    """Resize gray or RGB pixels to a square; the only resizing function, at training and at prediction time.

    The aspect ratio is not kept: paper A resizes whatever the shape is to 256 x 256. Pillow filters when it shrinks
    (antialiasing). Pixels that have the size already are returned as they are.

    Args:
        pixels: shape (height, width) or (height, width, 3), uint8.
        size: side of the square, pixels.
        interpolation: one of `INTERPOLATIONS`.

    Returns:
        Shape (size, size) or (size, size, 3), uint8.
    """
    if interpolation not in INTERPOLATIONS:
        raise UserError(f"interpolation: unknown '{interpolation}'; known: {', '.join(INTERPOLATIONS)}")
    if pixels.shape[2:] not in ((), (3,)) or pixels.ndim < 2 or pixels.dtype != np.uint8:
        raise ValueError(f"expected uint8 pixels (height, width) or RGB, got {pixels.dtype} {pixels.shape}")
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), INTERPOLATIONS[interpolation]))


def _decode_picture(path: Path) -> np.ndarray:
    with Image.open(path, formats=("PNG", "JPEG")) as image:
        if image.mode.startswith("I"):
            return scaled_16_bit(np.asarray(image))
        if image.mode in ("LA", "La"):
            return np.asarray(image.getchannel("L"))
        if image.mode in ("P", "PA"):
            return np.asarray(image.convert("RGBA").convert("L"))  # Pillow warns of other ways
        return np.asarray(image.convert("L"))


def scaled_16_bit(pixels: np.ndarray) -> np.ndarray:
    """Gray values of up to 32 bits as 0..255, by the depth that they use (see `decode_image`)."""
    highest = int(pixels.max())
    full = next(2**bits - 1 for bits in (8, 12, 16, 32) if highest < 2**bits)
    return ((pixels.astype(np.uint64) * 255 + full // 2) // full).astype(np.uint8)
