"""Decode images once into a memory-mapped array of bytes, and fingerprint their content."""

from __future__ import annotations

import hashlib
import logging
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from prunecxr.data.cache_files import FORMAT, CacheFiles, Work, cpus, digest, open_pixels, read_record
from prunecxr.data.decoding import UndecodableImage
from prunecxr.data.images import ImageSource, resize
from prunecxr.data.labels import LabelTable
from prunecxr.data.messages import LISTED
from prunecxr.errors import EnvironmentFault, UserError

log = logging.getLogger(__name__)

BLOCK = 16  # images a thread takes at a time


@dataclass(frozen=True)
class Stored:
    """What is kept of an image.

    Attributes:
        name: part of the keys, so that caches of several kinds may lie in one folder.
        channels: shape of one pixel: () for one byte, (3,) for a colour.
        fit: what `ImageSource.read` gives, as uint8 pixels of shape (size, size, *channels); its arguments are the
            image, the size and the interpolation.
        noun: what to call the images in messages.
    """

    name: str
    channels: tuple[int, ...]
    fit: Callable[[np.ndarray, int, str], np.ndarray]
    noun: str = "images"

    def shape(self, size: int) -> tuple[int, ...]:
        """Shape of one stored image."""
        return (size, size, *self.channels)

    def key(self) -> tuple[str, ...]:
        """What the kind adds to a key."""
        return (self.name,) if self.name else ()


GRAY = Stored("", (), resize)


@dataclass(frozen=True)
class CachedImages:
    """The images of one split, decoded and resized.

    Attributes:
        pixels: read-only memory map, shape (n, size, size) or (n, size, size, 3), uint8. (Pickled, it becomes an array
            in memory.)
        ids: image ids, length n.
        fingerprint: SHA-256 of ids and pixels, hexadecimal: the same wherever the image files lie.
    """

    pixels: np.ndarray
    ids: tuple[str, ...]
    fingerprint: str


def cache_images(
    images: ImageSource,
    image_size: int,
    interpolation: str,
    folder: Path,
    *,
    workers: int = 0,
    desc: str = "",
    stored: Stored = GRAY,
) -> CachedImages:
    """Decode and resize all images, or find that this was done before.

    A build that was interrupted continues: images that are done are not decoded again. A changed image (other stamp)
    makes another cache; one whose pixels were damaged on the disk is made anew, with a warning. Processes that want the
    same cache at once wait for the first of them.

    Args:
        images: what to decode; `ids` not empty.
        image_size: side of the square the images are resized to, pixels.
        interpolation: see `resize`.
        folder: where caches are kept; made if need be. A cache takes n * image_size**2 bytes (for each channel).
        workers: decoding threads; 0: one a CPU. (Pillow decodes outside the interpreter's lock: threads scale.)
        desc: what the progress bar says.
        stored: what is kept of an image.

    Raises:
        UserError: images that cannot be decoded; all were tried, the message names the first ten and counts them.
        EnvironmentFault: the cache cannot be written (disk full, no permission).
    """
    ids = tuple(map(str, images.ids))
    if not ids:
        raise UserError(f"no {stored.noun} to decode {desc}".rstrip())
    stamps = images.stamps()
    # Work in progress does not depend on the stamps: after one damaged image is replaced the others stay done.
    work_key = digest(FORMAT, ids, image_size, interpolation, *stored.key())
    key = digest(work_key, stamps)
    files = CacheFiles(
        pixels=folder / f"{key}.pixels",
        record=folder / f"{key}.json",
        work=folder / f"{work_key}.work",
        marks=folder / f"{work_key}.marks",
        lock=folder / f"{work_key}.lock",
    )
    shape = (len(ids), *stored.shape(image_size))
    try:
        cached = _open(files, ids, shape)
        if cached is None:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(files.lock):
                cached = _open(files, ids, shape)  # another process may have built it while this one waited
                if cached is None:
                    if read_record(files, shape) is not None:
                        log.warning("the image cache %s is damaged; its images are decoded anew", files.pixels)
                    _build(images, stamps, image_size, interpolation, files, workers or cpus(), desc, stored)
                    cached = _open(files, ids, shape)
    except OSError as error:
        needed = math.prod(shape) / 1e6
        raise EnvironmentFault(
            f"cannot use the image cache {folder}: {error.strerror or error}; it takes {needed:,.0f} MB for "
            f"{len(ids):,} {stored.noun}: free space or name another cache folder"
        ) from error
    if cached is None:
        raise EnvironmentFault(f"the image cache {folder} was removed while it was built")
    return cached


def data_fingerprint(table: LabelTable, cached: CachedImages) -> str:
    """SHA-256 of all that a split is: ids, subjects, classes, labels and pixels; not where they lie.

    Raises:
        ValueError: the images are not those of the table.
    """
    if tuple(table.ids) != cached.ids:
        raise ValueError("the cached images are not those of the label table")
    header = digest("prunecxr-data-1", table.ids.tolist(), table.subjects.tolist(), table.classes, cached.fingerprint)
    return hashlib.sha256(header.encode() + np.ascontiguousarray(table.labels, np.uint8).tobytes()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of one cache; the system frees it when the process ends, however it ends."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("another process is building the same image cache; waiting for it (%s)", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _open(files: CacheFiles, ids: tuple[str, ...], shape: tuple[int, ...]) -> CachedImages | None:
    """The finished cache, or None where there is none or its pixels are not what was written."""
    record = read_record(files, shape)
    pixels = None if record is None else open_pixels(files, record, ids, shape)
    return None if record is None or pixels is None else CachedImages(pixels, ids, record.fingerprint)


def _build(
    images: ImageSource,
    stamps: Sequence[str],
    size: int,
    interpolation: str,
    files: CacheFiles,
    workers: int,
    desc: str,
    stored: Stored,
) -> None:
    with Work(files, stamps, math.prod(stored.shape(size))) as work:
        todo = work.not_done()
        failures = _decode(images, todo, work, lambda image: stored.fit(image, size, interpolation), workers, desc)
        if failures:
            more = len(failures) - LISTED
            raise UserError(
                f"{len(failures)} of {len(stamps)} {stored.noun} cannot be decoded: {'; '.join(failures[:LISTED])}"
                + (f"; and {more} more" if more > 0 else "")
                + "; replace these files, or take their rows out of the label tables"
            )
        # The record comes first: without its pixels it is no cache, while pixels without it would be decoded again.
        work.record(tuple(map(str, images.ids))).write(files.record)
        work.sync()
    files.work.replace(files.pixels)
    files.marks.unlink()


def _decode(
    images: ImageSource,
    todo: Sequence[int],
    work: Work,
    fit: Callable[[np.ndarray], np.ndarray],
    workers: int,
    desc: str,
) -> list[str]:
    """Decode the images of `todo` in parallel; returns what is wrong with those that cannot be decoded, in order."""
    failures: dict[int, str] = {}
    stop = threading.Event()

    def decode_block(block: Sequence[int]) -> int:
        for index in block:
            if stop.is_set():
                break
            try:
                work.put(index, fit(images.read(index)))
            except UndecodableImage as error:
                failures[index] = str(error)
        return len(block)

    bar = tqdm(
        total=len(images.ids),
        initial=len(images.ids) - len(todo),
        unit="img",
        desc=desc or None,
        mininterval=0.2 if sys.stderr.isatty() else 30,  # a log file wants few lines
        disable=not todo,
    )
    with bar, ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(decode_block, todo[at : at + BLOCK]) for at in range(0, len(todo), BLOCK)]
        try:
            for future in as_completed(futures):
                bar.update(future.result())
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [failures[index] for index in sorted(failures)]
