"""The healthy thorax of the phantom, and the canvas on which it and the signs of disease are drawn.

Coordinates are the body's own: x runs from -1 (image left, the patient's right) to +1, y from -1 (neck) to +1
(abdomen), so that a picture looks the same at every size. Gray is 0 (air) to 1 (bone, metal). All shapes have soft
edges about a pixel wide, which is the anti-aliasing. Every random choice is a number in a table drawn beforehand, one
row a sign: adding a sign to an image changes nothing else in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Random numbers for each sign, each patient and each exposure; more than any of them uses.
CHOICES = 24
LEVEL_BODY, LEVEL_LUNG = 0.58, 0.36


class Choices:
    """Uniform random numbers handed out one after the other."""

    def __init__(self, numbers: np.ndarray):
        self._numbers = iter(numbers.tolist())

    def between(self, low: float, high: float) -> float:
        """The next number, uniform in [low, high)."""
        return low + (high - low) * next(self._numbers)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return next(self._numbers) < probability

    def side(self) -> int:
        """-1 for the image's left half, +1 for its right half."""
        return 1 if next(self._numbers) < 0.5 else -1


@dataclass
class Thorax:
    """The anatomy of one exposure, in body coordinates. Index 0 of the pairs is the image's left side, 1 its right."""

    lung_center: float  # |x| of the middle of a lung
    lung_width: float  # half its width
    lung_middle: float  # y of its widest part
    lung_height: float  # half its height
    dome: list[float]  # y of the top of each half of the diaphragm
    dome_depth: float  # how far the diaphragm falls from its dome to the chest wall
    heart_x: float
    heart_y: float
    heart_width: float
    heart_height: float
    mediastinum: float  # half the width of the upper mediastinum
    knob_x: float
    knob_y: float
    knob_radius: float
    rib_spacing: float
    rib_phase: float
    lung_gray: float  # how much darker than soft tissue the lungs are
    body_width: float


def patient_thorax(choices: Choices) -> Thorax:
    """The anatomy that all images of one patient share."""
    c = choices
    width = c.between(0.29, 0.34)
    dome = c.between(0.36, 0.46)
    return Thorax(
        lung_center=0.07 + width,
        lung_width=width,
        lung_middle=c.between(0.08, 0.18),
        lung_height=c.between(0.84, 0.92),
        dome=[dome, dome + c.between(0.02, 0.08)],
        dome_depth=c.between(0.13, 0.19),
        heart_x=c.between(0.09, 0.13),
        heart_y=c.between(0.24, 0.30),
        heart_width=c.between(0.215, 0.265),
        heart_height=c.between(0.22, 0.27),
        mediastinum=c.between(0.115, 0.145),
        knob_x=c.between(0.12, 0.15),
        knob_y=c.between(-0.36, -0.29),
        knob_radius=c.between(0.07, 0.09),
        rib_spacing=c.between(0.16, 0.20),
        rib_phase=c.between(0.0, 1.0),
        lung_gray=LEVEL_LUNG + c.between(-0.03, 0.03),
        body_width=c.between(0.86, 0.95),
    )


@lru_cache(maxsize=8)
def pixel_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


@lru_cache(maxsize=16)
def _interpolation(size: int, knots: int) -> np.ndarray:
    """Weights, shape (size, knots), that interpolate `knots` values linearly to `size` pixels."""
    position = np.linspace(0, knots - 1, size)
    weights = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(knots)[None, :]))
    return weights.astype(np.float32)


def smooth_field(values: np.ndarray, size: int) -> np.ndarray:
    """A (knots, knots) table of values, interpolated to (size, size)."""
    weights = _interpolation(size, len(values))
    return weights @ values.astype(np.float32) @ weights.T


class Canvas:
    """The picture being drawn, with the masks (0..1) that signs need to find their place.

    Attributes:
        x, y: body coordinates of the pixels, (size, size) float32.
        gray: the picture, (size, size) float32, 0 (black) to 1 (white).
        soft: width of an edge, in body units.
        cavity: each half of the chest down to the costophrenic angle, heart included.
        lung: the air-filled, visible part of each cavity.
        depth: y below the diaphragm's curve, in body units, negative above it.
    """

    def __init__(self, size: int, angle: float, scale: float, shift: tuple[float, float], blur: float):
        column, row = pixel_grid(size)
        cos, sin = float(np.cos(angle)) / scale, float(np.sin(angle)) / scale
        self.size = size
        self.x = column * np.float32(cos) + row * np.float32(sin) + np.float32(shift[0])
        self.y = row * np.float32(cos) - column * np.float32(sin) + np.float32(shift[1])
        self.soft = 2.6 / size + blur
        self.gray = np.zeros((size, size), np.float32)
        self.cavity: list[np.ndarray] = []
        self.lung: list[np.ndarray] = []
        self.depth: list[np.ndarray] = []

    def inside(self, distance: np.ndarray, soft: float = 0.0) -> np.ndarray:
        """Mask of the pixels with a negative distance (body units), with a soft edge."""
        mask = distance * np.float32(-1.0 / (self.soft + soft))
        mask += np.float32(0.5)
        return np.clip(mask, 0, 1, out=mask)

    def radius(self, x: float, y: float, width: float, height: float) -> np.ndarray:
        """1 on the ellipse with this centre and these half axes, 0 in its centre."""
        across = (self.x - np.float32(x)) * np.float32(1 / width)
        down = (self.y - np.float32(y)) * np.float32(1 / height)
        across *= across
        down *= down
        across += down
        return np.sqrt(across, out=across)

    def ellipse(self, x: float, y: float, width: float, height: float, soft: float = 0.0) -> np.ndarray:
        """Mask of a filled ellipse."""
        radius = self.radius(x, y, width, height)
        radius -= np.float32(1)
        radius *= np.float32(min(width, height))
        return self.inside(radius, soft)

    def line(self, distance: np.ndarray, half_width: float) -> np.ndarray:
        """Mask of the pixels within half_width of the curve where `distance` is 0."""
        return self.inside(np.abs(distance) - np.float32(half_width))

    def segment(self, start: tuple[float, float], end: tuple[float, float], half_width: float) -> np.ndarray:
        """Mask of a straight line with round ends."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        x, y = self.x - np.float32(start[0]), self.y - np.float32(start[1])
        along = np.clip((x * np.float32(dx) + y * np.float32(dy)) * np.float32(1 / (dx * dx + dy * dy)), 0, 1)
        return self.inside(np.hypot(x - along * np.float32(dx), y - along * np.float32(dy)) - np.float32(half_width))

    def add(self, mask: np.ndarray, gray: float) -> None:
        """Brightens (darkens, if negative) the picture under a mask."""
        self.gray += mask * np.float32(gray)

    def cover(self, mask: np.ndarray, gray: float, opacity: float) -> None:
        """Moves the picture under a mask towards one gray: an opacity hides what lies beneath it."""
        self.gray += (np.float32(gray) - self.gray) * (mask * np.float32(opacity))


def draw_thorax(canvas: Canvas, thorax: Thorax) -> None:
    """Body, lungs, heart, great vessels, diaphragm, ribs and clavicles; fills in the canvas's masks."""
    t, c = thorax, canvas
    distance = np.abs(c.x)
    # Round shoulders rise to the neck; below them the trunk is straight.
    shoulder = np.sqrt(np.clip((c.y + np.float32(0.97)) * np.float32(2.2), 0, 1))
    body = c.inside(distance - np.float32(0.24) - shoulder * np.float32(t.body_width - 0.24), 0.06)
    c.gray += body * (np.float32(LEVEL_BODY) + np.float32(0.05) * c.y)
    heart = c.ellipse(t.heart_x, t.heart_y, t.heart_width, t.heart_height, 0.03)
    knob = c.ellipse(t.knob_x, t.knob_y, t.knob_radius, t.knob_radius * 1.15)
    middle = c.inside(distance - np.float32(t.mediastinum) * (1 + np.float32(0.3) * c.y), 0.05)
    opaque = np.maximum(np.maximum(heart, knob), middle)
    arch = c.y - np.float32(0.9) * (distance - np.float32(0.25)) ** 2
    ribs = np.cos(arch * np.float32(2 * np.pi / t.rib_spacing) + np.float32(2 * np.pi * t.rib_phase))
    np.maximum(ribs, 0, out=ribs)
    for index, side in enumerate((-1, 1)):
        half = c.ellipse(side * t.lung_center, t.lung_middle, t.lung_width, t.lung_height)
        offset = (c.x - np.float32(side * t.lung_center)) * np.float32(1 / t.lung_width)
        depth = c.y - np.float32(t.dome[index]) - np.float32(t.dome_depth) * offset * offset
        above = c.inside(depth)
        c.cavity.append(half)
        c.lung.append(half * above * (1 - opaque))
        c.depth.append(depth)
    c.gray -= (c.lung[0] + c.lung[1]) * (np.float32(t.lung_gray) - np.float32(0.06) * ribs - _vessels(c, t))
    c.add(np.maximum(heart, middle), 0.08)
    c.add(c.inside(distance - np.float32(0.07), 0.04), 0.05)
    c.add(c.inside(np.abs(c.x + np.float32(0.01)) - np.float32(0.035)) * c.inside(c.y + np.float32(0.25)), -0.12)
    for side in (-1, 1):
        c.add(c.ellipse(side * 0.19, -0.03, 0.10, 0.17, 0.14), 0.10)
        c.add(c.segment((side * 0.07, -0.60), (side * 0.64, -0.74), 0.022), 0.09)
    c.add(c.ellipse(t.lung_center + 0.02, t.dome[1] + 0.19, 0.11, 0.045, 0.03), -0.10)


def _vessels(c: Canvas, t: Thorax) -> np.ndarray:
    """Gray that the vessels add to the lungs: branches that fan out from both hila and fade."""
    dx, dy = np.abs(c.x) - np.float32(0.15), c.y + np.float32(0.02)
    branches = np.cos(np.arctan2(dy, dx) * 9 + np.float32(6.28 * t.rib_phase))
    return np.maximum(branches, 0) * np.clip(np.float32(0.11) - np.float32(0.22) * np.hypot(dx, dy), 0, 1)
