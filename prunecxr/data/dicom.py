"""DICOM files as 8-bit gray pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from prunecxr.data.decoding import UndecodableImage
from prunecxr.errors import UserError


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its first bytes or its name."""
    with path.open("rb") as file:
        # Old DICOM files lack the preamble; their extension still tells.
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() in (".dcm", ".dicom")


def decode_dicom(path: Path) -> np.ndarray:
    """Gray pixels of a single-frame DICOM file, shape (height, width), uint8.

    The modality transform (rescale slope and intercept, or its table) comes first, then the file's first display
    window or VOI table, as a viewer shows the image to the radiologist: it excludes what lies outside the body, such
    as padding values. A window that leaves nothing to see is ignored. The result is stretched from its minimum to its
    maximum, and inverted if it is MONOCHROME1. Plain 8-bit pixels without any of these tags stay as they are, so that
    a DICOM file and its PNG agree.
    """
    try:
        import pydicom
    except ImportError as error:
        raise UserError(f"{path} is a DICOM file; install its reader with: pip install 'prunecxr[dicom]'") from error
    data = pydicom.dcmread(path, force=True)
    if "PixelData" not in data:
        raise UndecodableImage(f"{path}: a DICOM file without pixels")
    if int(data.get("NumberOfFrames") or 1) > 1:
        raise UndecodableImage(f"{path}: {data.NumberOfFrames} frames, one is expected")
    if data.PhotometricInterpretation == "PALETTE COLOR":
        raise UndecodableImage(f"{path}: a DICOM file with a colour palette")
    stored = data.pixel_array
    if stored.ndim == 3:
        return np.asarray(Image.fromarray(_stretched(stored)).convert("L"))
    gray = _displayed(data, stored)
    return 255 - gray if data.PhotometricInterpretation == "MONOCHROME1" else gray


def _displayed(data: Any, stored: np.ndarray) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    rescaled = (data.get("RescaleSlope", 1), data.get("RescaleIntercept", 0)) != (1, 0)
    has_table = any(data.get(tag) for tag in ("ModalityLUTSequence", "WindowCenter", "VOILUTSequence"))
    if stored.dtype == np.uint8 and data.BitsStored == 8 and not rescaled and not has_table:
        return stored
    values = apply_modality_lut(stored, data)
    try:
        windowed = apply_voi_lut(values, data)
    except ValueError:  # a window of width 0, and the like
        windowed = values
    return _stretched(windowed if np.ptp(windowed) > 0 else values)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Values mapped linearly from [minimum, maximum] to 0..255, uint8; already 8-bit values as they are."""
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    if high == low:
        return np.zeros(values.shape, dtype=np.uint8)
    return np.rint((values.astype(np.float64) - low) * (255 / (high - low))).astype(np.uint8)
