"""The files of an image cache: their pixels, what proves that these are whole, and work in progress."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

FORMAT = "prunecxr-images-1"  # part of every key: a change in how images are stored leaves old caches alone
MARK_BYTES = 32
CHECKED = 16 << 20  # bytes under one checksum


@dataclass(frozen=True)
class CacheFiles:
    """The files of one cache. `pixels` and `record` exist once it is finished, `work` and `marks` until then.

    A mark is the hash of an image's stamp and its pixels in `work`; zeros where there is none. It proves by itself that
    this image is done, whatever a crash left behind and in whatever order the disk wrote it.
    """

    pixels: Path
    record: Path
    work: Path
    marks: Path
    lock: Path


@dataclass(frozen=True)
class Record:
    """What is known of a finished cache.

    Attributes:
        fingerprint: SHA-256 of ids and pixels, hexadecimal.
        checksums: CRC-32 of every `CHECKED` bytes. They find what a disk or a copy did to the pixels, at 0.3 s per GB
            and core (SHA-256: 0.7 s, in one thread, or 2 s on a CPU without instructions for it). Empty in caches of
            earlier versions.
    """

    fingerprint: str
    checksums: tuple[int, ...] = ()

    def write(self, path: Path) -> None:
        """Put it into its file, whole or not at all."""
        _write(path, json.dumps(asdict(self)))


def read_record(files: CacheFiles, shape: tuple[int, ...]) -> Record | None:
    """The record of a finished cache; None where there is none, or pixels are missing."""
    try:
        content = json.loads(files.record.read_text(encoding="utf-8"))
        if files.pixels.stat().st_size != math.prod(shape):
            return None
        return Record(str(content["fingerprint"]), tuple(map(int, content.get("checksums", ()))))
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None


def open_pixels(files: CacheFiles, record: Record, ids: tuple[str, ...], shape: tuple[int, ...]) -> np.ndarray | None:
    """The pixels, a read-only memory map, if they are what was written; None if they are damaged."""
    try:
        pixels = np.memmap(files.pixels, dtype=np.uint8, mode="r", shape=shape)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if record.checksums:
        return pixels if checksums_of(pixels) == record.checksums else None
    if fingerprint_of(pixels, ids) != record.fingerprint:
        return None
    Record(record.fingerprint, checksums_of(pixels)).write(files.record)  # faster the next time
    return pixels


def checksums_of(pixels: np.ndarray) -> tuple[int, ...]:
    """CRC-32 of every `CHECKED` bytes, in threads."""
    flat = pixels.reshape(-1)
    with ThreadPoolExecutor(cpus()) as pool:
        return tuple(pool.map(zlib.crc32, (flat[at : at + CHECKED] for at in range(0, len(flat), CHECKED))))


def fingerprint_of(pixels: np.ndarray, ids: tuple[str, ...]) -> str:
    """SHA-256 of ids and pixels, shape (n, ...), uint8: the same wherever the image files lie."""
    hashed = hashlib.sha256(digest(FORMAT, ids, pixels[0].size).encode())
    for image in pixels:
        hashed.update(np.ascontiguousarray(image).data)
    return hashed.hexdigest()


def digest(*parts: object) -> str:
    """SHA-256 of the parts, hexadecimal."""
    # JSON keeps apart what joining strings would not: ("ab", "c") and ("a", "bc").
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # counts what a container or a batch system gave, where the system tells
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Work:
    """An unfinished cache on disk. Threads may put different images at once."""

    def __init__(self, files: CacheFiles, stamps: Sequence[str], image_bytes: int):
        self._stamps = stamps
        self._image_bytes = image_bytes
        self._pixels = _open_sized(files.work, len(stamps) * self._image_bytes)
        self._marks = _open_sized(files.marks, len(stamps) * MARK_BYTES)
        self._path, self._folder = files.work, files.work.parent

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._pixels)
        os.close(self._marks)

    def not_done(self) -> list[int]:
        """Indices of the images that are not there yet, or not in their present version.

        Raises:
            OSError: the disk has no room for them (known now rather than in an hour).
        """
        marks = os.pread(self._marks, len(self._stamps) * MARK_BYTES, 0)
        todo = []
        for index in range(len(self._stamps)):
            mark = marks[index * MARK_BYTES : (index + 1) * MARK_BYTES]
            if not any(mark) or mark != self._mark(index, self._get(index)):
                todo.append(index)
        needed = len(self._stamps) * self._image_bytes - os.fstat(self._pixels).st_blocks * 512
        if shutil.disk_usage(self._folder).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return todo

    def put(self, index: int, pixels: np.ndarray) -> None:
        """Store one image, uint8, and mark it as done."""
        content = pixels.tobytes()
        _write_at(self._pixels, content, index * self._image_bytes)
        _write_at(self._marks, self._mark(index, content), index * MARK_BYTES)

    def record(self, ids: tuple[str, ...]) -> Record:
        """What will be known of the cache once it is finished."""
        pixels = np.memmap(self._path, dtype=np.uint8, mode="r", shape=(len(ids), self._image_bytes))
        return Record(fingerprint_of(pixels, ids), checksums_of(pixels))

    def sync(self) -> None:
        """Have the pixels on the disk, not only on their way to it."""
        os.fsync(self._pixels)

    def _get(self, index: int) -> bytes:
        return os.pread(self._pixels, self._image_bytes, index * self._image_bytes)

    def _mark(self, index: int, content: bytes) -> bytes:
        return hashlib.sha256(self._stamps[index].encode() + b"\0" + content).digest()


def _open_sized(path: Path, size: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    os.ftruncate(descriptor, size)
    return descriptor


def _write_at(descriptor: int, content: bytes, offset: int) -> None:
    """Write all of it: unlike a write into a memory map, a full disk raises here instead of killing the process."""
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], offset + written)


def _write(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
