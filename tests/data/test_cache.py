from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prunecxr.data.cache import cache_images, data_fingerprint
from prunecxr.data.cache_files import checksums_of
from prunecxr.data.decoding import UndecodableImage
from prunecxr.data.folders import FolderImages
from prunecxr.data.labels import LabelTable
from prunecxr.errors import EnvironmentFault, UserError


@dataclass
class Drawn:
    """Images made of their index; counts what is read, fails where it is told to."""

    n: int = 40
    size: int = 8
    prefix: str = ""
    broken: Sequence[int] = ()
    stop_at: int = -1
    changed: dict[int, int] = field(default_factory=dict)
    reads: list[int] = field(default_factory=list)

    @property
    def ids(self) -> Sequence[str]:
        return [f"{self.prefix}{index}" for index in range(self.n)]

    def stamps(self) -> list[str]:
        return [f"{index}:{self.changed.get(index, 0)}" for index in range(self.n)]

    def read(self, index: int) -> np.ndarray:
        if index in self.broken:
            raise UndecodableImage(f"image {index}: cut off")
        if index == self.stop_at:
            raise KeyboardInterrupt
        self.reads.append(index)
        return np.full((self.size, self.size), index + self.changed.get(index, 0), np.uint8)


def table(ids: Sequence[str], label: int = 0, patient: str = "p") -> LabelTable:
    names = np.array(ids, dtype=object)
    subjects = np.array([patient] * len(ids), dtype=object)
    return LabelTable(names, subjects, np.full((len(ids), 1), label, np.uint8), ("Mass",))


def test_images_are_decoded_once_into_bytes(tmp_path: Path):
    first, second = Drawn(), Drawn()
    cached = cache_images(first, 4, "bilinear", tmp_path)
    assert isinstance(cached.pixels, np.memmap)
    assert (cached.pixels.shape, cached.pixels.dtype) == ((40, 4, 4), np.uint8)
    assert cached.pixels[:, 0, 0].tolist() == list(range(40))
    assert cached.ids == tuple(first.ids)
    assert not cached.pixels.flags.writeable
    assert [path.stat().st_size for path in tmp_path.glob("*.pixels")] == [40 * 4 * 4]
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".work", ".marks", ".part")]
    assert cache_images(second, 4, "bilinear", tmp_path).fingerprint == cached.fingerprint
    assert (sorted(first.reads), second.reads) == (list(range(40)), [])


def test_size_interpolation_ids_and_stamps_make_other_caches(tmp_path: Path):
    cache_images(Drawn(), 4, "bilinear", tmp_path)
    for source, size, interpolation in (
        (Drawn(), 5, "bilinear"),
        (Drawn(), 4, "box"),
        (Drawn(prefix="x"), 4, "bilinear"),
        (Drawn(changed={3: 1}), 4, "bilinear"),
    ):
        cache_images(source, size, interpolation, tmp_path)
        assert len(source.reads) == 40
    assert cache_images(Drawn(changed={3: 1}), 4, "bilinear", tmp_path).pixels[3, 0, 0] == 4
    assert cache_images(Drawn(), 4, "bilinear", tmp_path).pixels[3, 0, 0] == 3


def test_an_interrupted_build_continues(tmp_path: Path):
    stopped, continued = Drawn(n=200, stop_at=150), Drawn(n=200)
    with pytest.raises(KeyboardInterrupt):
        cache_images(stopped, 8, "bilinear", tmp_path, workers=1)
    assert not list(tmp_path.glob("*.pixels"))
    cached = cache_images(continued, 8, "bilinear", tmp_path)
    assert sorted(stopped.reads + continued.reads) == list(range(200))
    assert cached.fingerprint == cache_images(Drawn(n=200), 8, "bilinear", tmp_path / "other").fingerprint
    assert cached.pixels[:, 0, 0].tolist() == list(range(200))


def test_images_that_changed_while_the_build_was_interrupted_are_decoded_again(tmp_path: Path):
    stopped = Drawn(stop_at=30)
    with pytest.raises(KeyboardInterrupt):
        cache_images(stopped, 8, "bilinear", tmp_path, workers=1)
    continued = Drawn(changed={2: 100})
    assert cache_images(continued, 8, "bilinear", tmp_path).pixels[:3, 0, 0].tolist() == [0, 1, 102]
    assert sorted(continued.reads) == sorted({*range(40)} - {*stopped.reads} | {2})


def test_damage_to_an_unfinished_cache_is_noticed(tmp_path: Path):
    stopped = Drawn(stop_at=30)
    with pytest.raises(KeyboardInterrupt):
        cache_images(stopped, 8, "bilinear", tmp_path, workers=1)
    (work,) = tmp_path.glob("*.work")
    with work.open("r+b") as file:
        file.seek(5 * 64)
        file.write(b"\xff")
    continued = Drawn()
    assert cache_images(continued, 8, "bilinear", tmp_path).pixels[5].max() == 5
    assert sorted(continued.reads) == sorted({*range(40)} - {*stopped.reads} | {5})


@pytest.mark.parametrize("damage", ["cut", "no record", "bad record", "no pixels"])
def test_a_damaged_cache_is_built_again(tmp_path: Path, damage: str):
    fingerprint = cache_images(Drawn(), 8, "bilinear", tmp_path).fingerprint
    (pixels,), (record,) = tmp_path.glob("*.pixels"), tmp_path.glob("*.json")
    if damage == "cut":
        os.truncate(pixels, 100)
    elif damage == "bad record":
        record.write_text("{")
    else:
        (record if damage == "no record" else pixels).unlink()
    assert cache_images(Drawn(), 8, "bilinear", tmp_path).fingerprint == fingerprint


def flip_a_bit(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("at", [0, 639, 1700, 40 * 64 - 1])
def test_a_flipped_bit_is_noticed_said_and_never_used(tmp_path: Path, monkeypatch, caplog, at: int):
    monkeypatch.setattr("prunecxr.data.cache_files.CHECKED", 600)  # several checksums
    caplog.set_level("WARNING")  # MLflow, where it is loaded, raises that of all logs
    whole = cache_images(Drawn(), 8, "bilinear", tmp_path)
    expected, again = np.array(whole.pixels), Drawn()
    (path,) = tmp_path.glob("*.pixels")
    flip_a_bit(path, at)
    rebuilt = cache_images(again, 8, "bilinear", tmp_path)
    assert sorted(again.reads) == list(range(40))
    assert np.array_equal(rebuilt.pixels, expected)
    assert rebuilt.fingerprint == whole.fingerprint
    assert caplog.messages == [f"the image cache {path} is damaged; its images are decoded anew"]
    last = Drawn()
    cache_images(last, 8, "bilinear", tmp_path)
    assert last.reads == []


@pytest.mark.parametrize("damaged", [False, True])
def test_a_cache_without_checksums_is_checked_by_its_fingerprint_and_gets_them(tmp_path: Path, damaged: bool):
    """Caches of earlier versions."""
    fingerprint = cache_images(Drawn(), 8, "bilinear", tmp_path).fingerprint
    (path,), (record,) = tmp_path.glob("*.pixels"), tmp_path.glob("*.json")
    record.write_text(json.dumps({"fingerprint": fingerprint}))
    if damaged:
        flip_a_bit(path, 100)
    again = Drawn()
    assert cache_images(again, 8, "bilinear", tmp_path).fingerprint == fingerprint
    assert bool(again.reads) == damaged
    assert len(json.loads(record.read_text())["checksums"]) == 1
    flip_a_bit(path, 5)
    cache_images(again, 8, "bilinear", tmp_path)
    assert len(again.reads) == 40 * (1 + damaged)


def test_checking_a_cache_takes_less_than_a_second_per_gigabyte():
    pixels = np.random.default_rng(0).integers(0, 256, (1024, 256, 256), dtype=np.uint8)  # 67 MB
    seconds = []
    for _ in range(3):
        start = time.process_time()
        checksums_of(pixels)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.067


def test_all_images_are_tried_before_undecodable_ones_are_reported(tmp_path: Path):
    source = Drawn(broken=range(5, 17))
    with pytest.raises(UserError) as error:
        cache_images(source, 8, "bilinear", tmp_path)
    message = str(error.value)
    assert message.startswith("12 of 40 images cannot be decoded: image 5: cut off; image 6: cut off; ")
    assert message.endswith(
        "image 14: cut off; and 2 more; replace these files, or take their rows out of the label tables"
    )
    assert len(source.reads) == 28
    repaired = Drawn(changed=dict.fromkeys(range(5, 17), 0))
    cache_images(repaired, 8, "bilinear", tmp_path)
    assert sorted(repaired.reads) == list(range(5, 17))


def test_other_errors_stop_the_build_at_once(tmp_path: Path):
    class Unreadable(Drawn):
        def read(self, index: int) -> np.ndarray:
            super().read(index)
            raise UserError("install the reader")

    source = Unreadable(n=500)
    with pytest.raises(UserError, match="install the reader"):
        cache_images(source, 8, "bilinear", tmp_path)
    assert len(source.reads) < 50


def test_no_images(tmp_path: Path):
    with pytest.raises(UserError, match="no images"):
        cache_images(Drawn(n=0), 8, "bilinear", tmp_path)


# The disk


def test_a_full_disk_is_seen_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    source = Drawn()
    with pytest.raises(
        EnvironmentFault, match=r"cannot use the image cache .*: No space left on device; it takes 0 MB"
    ):
        cache_images(source, 8, "bilinear", tmp_path)
    assert source.reads == []


def test_a_disk_that_fills_up_leaves_nothing_that_is_taken_for_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pwrite = os.pwrite
    calls = []

    def filling(descriptor: int, content: bytes, offset: int) -> int:
        calls.append(offset)
        if len(calls) > 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(descriptor, content[:50], offset)  # half-written, as a nearly full disk does

    monkeypatch.setattr(os, "pwrite", filling)
    with pytest.raises(EnvironmentFault, match="No space left on device"):
        cache_images(Drawn(), 8, "bilinear", tmp_path)
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.pixels"))
    cached = cache_images(Drawn(), 8, "bilinear", tmp_path)
    assert cached.pixels[:, 7, 7].tolist() == list(range(40))


def test_a_cache_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot use the image cache"):
        cache_images(Drawn(), 8, "bilinear", tmp_path / "file")


# Several processes, and their end

BUILDER = """
    import sys, time
    from pathlib import Path
    import numpy as np
    from prunecxr.data.cache import cache_images

    class Slow:
        ids = [str(index) for index in range(60)]

        def stamps(self):
            return self.ids

        def read(self, index):
            time.sleep(0.02)
            with open(sys.argv[2], "a") as log:
                log.write(f"{index}\\n")
            return np.full((8, 8), index, np.uint8)

    print(cache_images(Slow(), 8, "bilinear", Path(sys.argv[1]), workers=1).fingerprint)
"""


def start_builder(folder: Path, log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(BUILDER), str(folder), str(log)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def decoded(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def wait_for(log: Path, count: int) -> None:
    until = time.monotonic() + 60
    while len(decoded(log)) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_killed_build_continues(tmp_path: Path):
    log = tmp_path / "log"
    killed = start_builder(tmp_path / "cache", log)
    wait_for(log, 20)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = decoded(log)
    out, err = start_builder(tmp_path / "cache", log).communicate(timeout=60)
    again = [index for index in decoded(log)[len(before) :] if index in before[:-1]]
    assert (again, sorted(set(decoded(log)))) == ([], list(range(60))), err
    reference, _ = start_builder(tmp_path / "other", tmp_path / "other_log").communicate(timeout=60)
    assert out == reference


def test_two_processes_build_one_cache(tmp_path: Path):
    log = tmp_path / "log"
    builders = [start_builder(tmp_path / "cache", log) for _ in range(2)]
    results = [builder.communicate(timeout=60) for builder in builders]
    assert results[0][0] == results[1][0] != ""
    assert sorted(decoded(log)) == list(range(60))
    assert "another process is building the same image cache" in results[0][1] + results[1][1]


# Fingerprints


def write_images(folder: Path, n: int = 5) -> FolderImages:
    folder.mkdir(parents=True)
    names = tuple(f"{index}.png" for index in range(n))
    for index, name in enumerate(names):
        Image.fromarray(np.full((6, 6), index * 9, np.uint8)).save(folder / name)
    return FolderImages(names, folder, names)


def test_the_fingerprint_is_of_the_content_not_of_the_place(tmp_path: Path):
    images = write_images(tmp_path / "a")
    fingerprint = cache_images(images, 6, "bilinear", tmp_path / "cache").fingerprint
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "deep")
    moved = FolderImages(images.ids, tmp_path / "b", tuple(f"deep/{file}" for file in images.files))
    assert cache_images(moved, 6, "bilinear", tmp_path / "cache").fingerprint == fingerprint
    (tmp_path / "a" / "0.png").touch()
    assert cache_images(images, 6, "bilinear", tmp_path / "cache").fingerprint == fingerprint
    Image.fromarray(np.full((6, 6), 1, np.uint8)).save(tmp_path / "a" / "0.png")
    assert cache_images(images, 6, "bilinear", tmp_path / "cache").fingerprint != fingerprint


def test_fingerprints_are_frozen(tmp_path: Path):
    """They identify finished work: a change of these values makes every study start again."""
    cached = cache_images(Drawn(n=3), 8, "bilinear", tmp_path)
    assert cached.fingerprint == "96a2e4491c59b466769b55d626f2a260a104305f491fd4337d42010ac1f5e303"
    assert (
        data_fingerprint(table(cached.ids), cached)
        == "7d9fc44f476cd10729b4cf630e5f3ccd0d52170458b9f4d9950bb4e14a6991fa"
    )


def test_the_data_fingerprint_covers_labels_subjects_and_pixels(tmp_path: Path):
    cached = cache_images(Drawn(), 8, "bilinear", tmp_path)
    changed = cache_images(Drawn(changed={0: 1}), 8, "bilinear", tmp_path)
    fingerprints = {
        data_fingerprint(table(cached.ids), cached),
        data_fingerprint(table(cached.ids, label=1), cached),
        data_fingerprint(table(cached.ids, patient="q"), cached),
        data_fingerprint(table(cached.ids), changed),
    }
    assert len(fingerprints) == 4
    with pytest.raises(ValueError, match="not those of the label table"):
        data_fingerprint(table(cached.ids[1:]), cached)
