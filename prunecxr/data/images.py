"""Where images come from, and how an image file becomes 8-bit gray pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class ImageSource(Protocol):
    """An ordered collection of images that the cache can decode. Must be picklable."""

    ids: Sequence[str]

    def stamps(self) -> list[str]:
        """One string an image, cheap to get, that changes whenever the image may have changed."""
        ...

    def read(self, index: int) -> np.ndarray:
        """The image as gray pixels, shape (height, width), uint8."""
        ...
