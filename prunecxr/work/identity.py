"""The identity of work: a hash of what determines its result. Finished work of an identity is found, not redone."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]


def digest(parts: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that follow from the parts, whatever their order."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def code_digest(*parts: str) -> str:
    """16 hexadecimal digits that follow from the content of files and folders of this package.

    Analyses carry it: what is computed or drawn in another way is another analysis, and no version need be raised by
    hand.

    Args:
        parts: paths below `prunecxr/`, such as `analysis` or `studies/pruning/findings.py`.
    """
    hashed = hashlib.sha256()
    for part in sorted(parts):
        root = PACKAGE / part
        for path in sorted(root.rglob("*") if root.is_dir() else [root]):
            if path.is_file() and "__pycache__" not in path.parts:
                hashed.update(f"{path.relative_to(PACKAGE).as_posix()}\n".encode())
                hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]
