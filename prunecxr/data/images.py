"""Where images come from, and how an image file becomes 8-bit gray pixels."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, UnidentifiedImageError

from prunecxr.data.labels import LabelTable, some
from prunecxr.errors import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")
INTERPOLATIONS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}


class UndecodableImage(UserError):
    """One image file that cannot be turned into pixels. The message names the file and the reason."""


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


@dataclass(frozen=True)
class FolderImages:
    """Image files below one folder.

    Attributes:
        ids: image ids, length n.
        root: the image folder.
        files: path of each image below `root`, length n.
    """

    ids: tuple[str, ...]
    root: Path
    files: tuple[str, ...]

    def stamps(self) -> list[str]:
        """Path, size and times of every file.

        Raises:
            UserError: a file has gone since the folder was searched.
        """
        root = str(self.root.resolve())
        return [f"{root}/{file}:{_file_stamp(self.root / file)}" for file in self.files]

    def read(self, index: int) -> np.ndarray:
        """Decode one file: `decode_image`."""
        return decode_image(self.root / self.files[index])


class FolderIndex:
    """The files below an image folder, found in one walk, and looked up by name or by the end of their path.

    Symbolic links to folders are not followed, nor are links to files outside the folder: an id must not lead out of
    the folder that the user named. Hidden files and folders are left out.
    """

    def __init__(self, root: Path, option: str = "images"):
        """List all files below `root`, at any depth.

        Args:
            option: the option that named it, for messages.

        Raises:
            UserError: there is no such folder, or it cannot be read.
        """
        if not root.is_dir():
            raise UserError(f"{option}: there is no folder {root}")
        self.root, self._option = root, option
        self.files, self.links_out = _walk(root, option)
        self._all = frozenset(self.files)
        self._by_end: dict[int, dict[str, list[str]]] = {}

    def locate(self, table: LabelTable) -> FolderImages:
        """Find the image of every row of a table.

        An image is found by its path in the table where that has one, else by its id, anywhere below the folder. Table
        and folder may begin at different depths (`files/p10/a.jpg` and `p10/a.jpg`), and the extensions may differ
        where only one file has the name.

        Raises:
            UserError: an image is missing, or could be one of several files.
        """
        names = table.ids if table.files is None else table.files
        return FolderImages(
            tuple(map(str, table.ids)), self.root, self.find([str(name) for name in names], table.source)
        )

    def find(
        self,
        names: Sequence[str],
        source: str,
        noun: str = "images",
        otherwise: str = "add a column 'path' to the table",
    ) -> tuple[str, ...]:
        """The file of every name, as `locate` finds it.

        Args:
            names: ids or paths.
            source: the table that they come from, for messages; or empty.
            noun: what the files are, for messages.
            otherwise: what else would tell files of one name apart, for messages.

        Raises:
            UserError: a file is missing, or could be one of several.
        """
        where = f"{source}: " if source else ""
        found = [self._candidates(name) for name in names]
        missing = [name for name, paths in zip(names, found, strict=True) if not paths]
        if missing:
            raise UserError(
                f"{where}{len(missing)} of {len(names)} {noun} are not below {self.root}: {some(missing)}; "
                f"{self._hint(missing)}"
            )
        unclear = [f"{name} ({' or '.join(paths[:3])})" for name, paths in zip(names, found, strict=True) if paths[1:]]
        if unclear:
            raise UserError(
                f"{where}{len(unclear)} of {len(names)} {noun} could be one of several files below {self.root}: "
                f"{some(unclear)}; give a folder that holds one of them as images, or {otherwise}"
            )
        return tuple(paths[0] for paths in found)

    def _candidates(self, name: str) -> list[str]:
        """The files that a name may mean: one if all is well."""
        parts = name.split("/")
        if len(parts) > 1 and name in self._all:
            return [name]
        found = self._ending(len(parts), name)
        # The folder may begin deeper than the table's paths: then a whole path here is the end of the path there.
        for skipped in range(1, len(parts)):
            if found:
                break
            length = len(parts) - skipped
            ending = self._ending(length, "/".join(parts[skipped:]))
            found = [path for path in ending if path.count("/") + 1 == length]
        return found

    def _ending(self, length: int, name: str) -> list[str]:
        """Files whose last `length` parts are `name`; failing that, those that differ from it only in the extension."""
        if length not in self._by_end:
            self._by_end[length] = self._index(length)
        by_end = self._by_end[length]
        return by_end.get(name) or by_end.get(_without_suffix(name) + ".*", [])

    def _index(self, length: int) -> dict[str, list[str]]:
        by_end: dict[str, list[str]] = defaultdict(list)
        for path in self.files:
            parts = path.rsplit("/", length)
            if len(parts) >= length:
                end = "/".join(parts[-length:])
                by_end[end].append(path)
                by_end[_without_suffix(end) + ".*"].append(path)
        return dict(by_end)

    def _hint(self, missing: Sequence[str]) -> str:
        if self.links_out:
            named = [path for path in self.links_out if path.rsplit("/", 1)[-1] == missing[0].rsplit("/", 1)[-1]]
            return f"links that lead out of the folder are not followed: {some(named or self.links_out)}"
        if not self.files:
            return f"the folder is empty: check the option {self._option}"
        return f"{len(self.files)} files are there, such as {self.files[0]}: check the option {self._option}"


def decode_image(path: Path) -> np.ndarray:
    """Decode a PNG, JPEG or DICOM file to gray pixels, shape (height, width), uint8.

    Colour becomes luma (ITU-R 601-2; gray stored as RGB keeps its values exactly). An alpha channel is ignored: the
    radiographs that have one carry no information in it. 16-bit gray is scaled by the depth it uses (8, 12 or 16 bit,
    the smallest that holds its maximum), so that 12-bit detector data in a 16-bit file does not come out black.
    DICOM: see `_decode_dicom`. Orientation tags are not applied.

    Raises:
        UndecodableImage: the file is missing, damaged, or of another kind.
        UserError: it is a DICOM file, and pydicom is not installed.
    """
    with decoding(path, "PNG, JPEG or DICOM"):
        return _decode_dicom(path) if _is_dicom(path) else _decode_picture(path)


@contextmanager
def decoding(path: Path, kinds: str) -> Iterator[None]:
    """Turn whatever a decoder raises into an `UndecodableImage` that names the file.

    Args:
        kinds: the kinds of file that are read, for the message.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise UndecodableImage(f"{path}: not a {kinds} file, or damaged at its beginning") from error
    except OSError as error:
        raise UndecodableImage(f"{path}: {error.strerror or _one_line(error)}") from error
    except Exception as error:  # decoders raise anything on damaged files: SyntaxError, struct.error, IndexError ...
        raise UndecodableImage(f"{path}: {_one_line(error)}") from error


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


def _walk(root: Path, option: str) -> tuple[list[str], list[str]]:
    """Paths below `root` of the files, and of the links that lead out of it; one `scandir` a folder."""
    files: list[str] = []
    links_out: list[str] = []
    inside = str(root.resolve()) + os.sep
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    path = folder + entry.name
                    if entry.name.startswith((".", "__MACOSX")):
                        continue
                    if entry.is_symlink() and not os.path.realpath(entry.path).startswith(inside):
                        links_out.append(path)
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(path + "/")
                    elif entry.is_file():
                        files.append(path)
        except OSError as error:
            raise UserError(f"{option}: {root / folder} cannot be read: {error.strerror}") from error
    return sorted(files), sorted(links_out)


def _without_suffix(name: str) -> str:
    """The name without an image extension; other dots (DICOM UIDs have many) stay."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot + suffix.lower() in IMAGE_SUFFIXES else name


def _file_stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(f"{path} cannot be read any more: {error.strerror}") from error
    # The change time too: copying tools can keep the modification time of another version of the file.
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        # Old DICOM files lack the preamble; their extension still tells.
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() in (".dcm", ".dicom")


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


def _decode_dicom(path: Path) -> np.ndarray:
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
