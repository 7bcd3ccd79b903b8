"""Progress of long work: a bar with rate and time left on a terminal, a line every ten seconds in a log file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress(total: int, desc: str, unit: str, initial: int = 0, delay: float = 0) -> tqdm[Any]:
    """A bar to advance with `.update(n)`; rates count from `initial`, so continued work shows its true speed.

    Args:
        delay: seconds that pass before it appears.
    """
    interval = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(
        total=total, desc=desc, unit=unit, initial=initial, mininterval=interval, dynamic_ncols=True, leave=False,
        delay=delay,
    )  # fmt: skip
