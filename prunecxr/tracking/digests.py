"""Digests of the files that this tool reads back from the store: noted when these are logged, checked when read.

They lie in one tag of the run (`names.DIGESTS`), as JSON: artifact -> digest. A file that was logged again, with other
content, keeps the digest of what it replaced: a kill between tag and file leaves one of the two.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

READ_BACK = (".parquet", ".csv", ".json", ".yaml", "warnings.txt")  # ends of the names of files that are read back
LENGTH = 32  # hexadecimal digits of a SHA-256 that are kept
SHORT = 12  # where a tag would not hold them all
MOST_CHARACTERS = 8000  # of a tag
REPLACED = 2  # digests of earlier content that are kept


def file_digest(path: Path) -> str:
    """Hexadecimal digits that follow from a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:LENGTH]


def folder_digests(folder: Path) -> dict[str, str]:
    """Artifact -> digest, of the files below a folder that are read back."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name.endswith(READ_BACK))
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def merged(noted: str, digests: Mapping[str, str]) -> str:
    """The tag with further digests.

    Args:
        noted: the tag as it is; empty: there is none.
    """
    entries = _entries(noted)
    for artifact, digest in digests.items():
        earlier = [other for other in entries.get(artifact, "").split() if not digest.startswith(other)]
        entries[artifact] = " ".join([digest, *earlier[:REPLACED]])
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"))
    if len(text) <= MOST_CHARACTERS:
        return text
    short = {artifact: " ".join(d[:SHORT] for d in entry.split()) for artifact, entry in entries.items()}
    return json.dumps(short, sort_keys=True, separators=(",", ":"))


def is_noted(noted: str, artifact: str) -> bool:
    """Whether a run has an artifact that is read back; false for those that the first versions logged."""
    return artifact in _entries(noted)


def is_intact(noted: str, artifact: str, path: Path) -> bool:
    """Whether a file holds what was logged; true as well for files without a digest, as earlier versions left them."""
    wanted = _entries(noted).get(artifact, "").split()
    if not wanted:
        return True
    digest = file_digest(path)
    return any(digest.startswith(one) for one in wanted)


def _entries(noted: str) -> dict[str, str]:
    try:
        entries = json.loads(noted or "{}")
    except ValueError:  # cut, or written by somebody else
        return {}
    return {str(artifact): str(entry) for artifact, entry in entries.items()} if isinstance(entries, dict) else {}
