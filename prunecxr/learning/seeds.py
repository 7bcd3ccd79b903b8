"""Seeds that follow from other seeds."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: object) -> int:
    """A seed that follows from the parts and shares nothing with its neighbours: 63 bits of their hash."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
