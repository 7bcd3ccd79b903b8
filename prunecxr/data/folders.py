"""Image files below a folder: found in one walk, looked up by name or path."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prunecxr.data.images import decode_image
from prunecxr.data.labels import LabelTable
from prunecxr.data.messages import some
from prunecxr.errors import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")


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
