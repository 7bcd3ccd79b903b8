"""Draws one synthetic chest radiograph: thorax, signs of disease, devices, exposure.

Coordinates are the body's own: x runs from -1 (image left, the patient's right) to +1, y from -1 (neck) to +1
(abdomen), so that a picture looks the same at every size. Gray is 0 (air) to 1 (bone, metal). All shapes have soft
edges about a pixel wide, which is the anti-aliasing. Every random choice is a number in a table drawn beforehand, one
row a sign: adding a sign to an image changes nothing else in it.
"""

from __future__ import annotations

from collections.abc import Callable
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
def _pixel_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
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
        column, row = _pixel_grid(size)
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


# Signs that change the anatomy before it is drawn -------------------------------------------------------------


def _raise_half_of_diaphragm(t: Thorax, c: Choices) -> None:
    index = (c.side() + 1) // 2
    t.dome[index] -= c.between(0.10, 0.20)


def _enlarge_heart(t: Thorax, c: Choices) -> None:
    t.heart_width *= c.between(1.42, 1.75)
    t.heart_height *= c.between(1.10, 1.25)
    t.heart_x += 0.03


def _hyperinflate(t: Thorax, c: Choices) -> None:
    extent = c.between(0.7, 1.0)
    t.dome = [y + 0.19 * extent for y in t.dome]
    t.dome_depth *= 1 - 0.8 * extent
    t.lung_height += 0.06 * extent
    t.lung_width += 0.02 * extent
    t.lung_gray += 0.07 * extent
    t.heart_width *= 1 - 0.28 * extent
    t.heart_x *= 0.6
    t.rib_spacing *= 1 + 0.15 * extent


def _enlarge_knob(t: Thorax, c: Choices) -> None:
    t.knob_radius *= c.between(1.35, 1.6)
    t.knob_x += 0.03


# Signs that are drawn onto the thorax -------------------------------------------------------------------------


def _atelectasis(c: Canvas, t: Thorax, u: Choices) -> None:
    side = u.side()  # the side of the raised half of the diaphragm: the same first number
    index = (side + 1) // 2
    u.between(0, 1)  # how far it is raised
    strength = u.between(0.22, 0.36)
    for plate in range(2):
        y = t.dome[index] - u.between(0.06, 0.12) - 0.13 * plate
        slope = u.between(-0.35, 0.35)
        line = c.y - np.float32(y) - np.float32(slope) * (c.x - np.float32(side * t.lung_center))
        c.add(c.line(line, u.between(0.022, 0.035)) * c.lung[index], strength)


def _consolidation(c: Canvas, t: Thorax, u: Choices) -> None:
    side = u.side()
    index = (side + 1) // 2
    strength = u.between(0.24, 0.34)
    middle = u.between(-0.45, -0.15)
    x, height = side * (t.lung_center + 0.06), u.between(0.20, 0.28)
    fissure = c.y - np.float32(middle + height * 0.6) + np.float32(side * 0.15) * (c.x - np.float32(x))
    mask = c.ellipse(x, middle, 0.30, height * 1.3, 0.04) * c.inside(fissure) * c.lung[index]
    c.add(mask, strength)
    for tilt in (-0.06, 0.06):  # air-filled bronchi stay dark in the airless lung
        tip = (side * (t.lung_center + 0.15), middle + tilt * 2)
        c.add(mask * c.segment((side * 0.16, -0.02 + tilt), tip, 0.014), -0.16)


def _edema(c: Canvas, t: Thorax, u: Choices) -> None:
    strength, reach = u.between(0.17, 0.28), u.between(0.20, 0.27)
    lungs = c.lung[0] + c.lung[1]
    for side in (-1, 1):
        c.add(c.ellipse(side * 0.26, 0.0, reach, reach * 1.5, 0.28) * lungs, strength)
    septal = np.cos(c.y * np.float32(2 * np.pi / 0.09))
    lateral = c.inside(np.float32(t.lung_center + 0.12) - np.abs(c.x)) * c.inside(np.abs(c.y - 0.30) - 0.16)
    c.add(np.maximum(septal, 0) * lateral * lungs, strength * 0.6)


def _effusion(c: Canvas, t: Thorax, u: Choices) -> None:
    side = u.side()
    index = (side + 1) // 2
    level = t.dome[index] - u.between(-0.02, 0.30)
    strength = u.between(0.26, 0.34)
    lateral = np.maximum((c.x * np.float32(side) - np.float32(t.lung_center - 0.12)), 0)
    meniscus = np.float32(level) - np.float32(1.1) * lateral * lateral - c.y
    c.add(c.inside(meniscus, 0.05) * c.lung[index], strength)


def _emphysema(c: Canvas, t: Thorax, u: Choices) -> None:
    u.between(0, 1)  # the extent, used for the anatomy
    for _ in range(2):
        side = u.side()
        x, y, size = side * (t.lung_center + u.between(-0.1, 0.12)), u.between(-0.5, -0.1), u.between(0.08, 0.13)
        radius = c.radius(x, y, size, size * 1.2) - np.float32(1)
        lung = c.lung[(side + 1) // 2]
        c.add(c.inside(radius * np.float32(size)) * lung, -0.08)
        c.add(c.line(radius * np.float32(size), 0.008) * lung, 0.10)


def _fibrosis(c: Canvas, _: Thorax, u: Choices) -> None:
    strength, period, phase = u.between(0.22, 0.34), u.between(0.13, 0.17), u.between(0, 6)
    one = np.sin((c.x + np.float32(0.6) * c.y) * np.float32(2 * np.pi / period) + np.float32(phase))
    two = np.sin((c.x - np.float32(0.6) * c.y) * np.float32(2 * np.pi / period) + np.float32(phase))
    net = np.clip(1 - np.float32(2.0) * np.minimum(np.abs(one), np.abs(two)), 0, 1)
    lower = c.inside(np.float32(u.between(-0.25, -0.05)) - c.y, 0.25)
    c.add(net * lower * (c.lung[0] + c.lung[1]), strength)


def _hernia(c: Canvas, t: Thorax, u: Choices) -> None:
    x, y, size = u.between(-0.04, 0.08), t.heart_y + u.between(-0.04, 0.06), u.between(0.15, 0.19)
    radius = (c.radius(x, y, size, size * 0.95) - np.float32(1)) * np.float32(size)
    air = c.inside(c.y - np.float32(y + u.between(-0.01, 0.04)))
    c.cover(c.inside(radius), 0.74, 0.8)
    c.cover(c.inside(radius) * air, 0.22, 0.85)
    c.add(c.line(radius, 0.015), 0.20)


def _infiltration(c: Canvas, _: Thorax, u: Choices) -> None:
    strength, both, side = u.between(0.18, 0.34), u.chance(0.5), u.side()
    knots = np.array([u.between(-0.6, 1.0) for _knot in range(16)]).reshape(4, 4)
    fine = np.tile(knots, (4, 4)) * (1 + np.repeat(np.repeat(knots, 4, 0), 4, 1))
    patchy = np.clip(smooth_field(fine, c.size), 0, 1)
    zone = c.inside(np.abs(c.y - np.float32(0.10)) - 0.30, 0.20)
    lungs = c.lung[0] + c.lung[1] if both else c.lung[(side + 1) // 2]
    c.add(patchy * zone * lungs, strength)


def _mass(c: Canvas, t: Thorax, u: Choices) -> None:
    side, size, strength = u.side(), u.between(0.11, 0.17), u.between(0.26, 0.38)
    x, y = side * (t.lung_center + u.between(-0.06, 0.10)), u.between(-0.45, 0.25)
    c.add(c.ellipse(x, y, size, size * u.between(0.85, 1.15), 0.02) * c.cavity[(side + 1) // 2], strength)


def _nodule(c: Canvas, t: Thorax, u: Choices) -> None:
    strength = u.between(0.26, 0.42)
    for _ in range(3):
        side, size = u.side(), u.between(0.040, 0.060)
        x, y = side * (t.lung_center + u.between(-0.12, 0.16)), u.between(-0.50, 0.30)
        c.add(c.ellipse(x, y, size, size) * c.lung[(side + 1) // 2], strength)


def _pleural_thickening(c: Canvas, t: Thorax, u: Choices) -> None:
    side, strength, width = u.side(), u.between(0.24, 0.36), u.between(0.07, 0.11)
    index = (side + 1) // 2
    lobes = 1 + np.float32(0.35) * np.cos(c.y * np.float32(2 * np.pi / 0.23) + np.float32(u.between(0, 6)))
    inner = c.radius(side * t.lung_center, t.lung_middle, t.lung_width, t.lung_height) - np.float32(1)
    band = c.inside(-inner * np.float32(t.lung_width) - np.float32(width) * lobes)
    lateral = c.inside(np.float32(t.lung_center) - c.x * np.float32(side), 0.1)
    c.add(band * lateral * c.lung[index], strength)


def _pneumonia(c: Canvas, t: Thorax, u: Choices) -> None:
    side, strength = u.side(), u.between(0.65, 0.90)
    index = (side + 1) // 2
    fluffy = np.zeros_like(c.gray)
    for _ in range(4):
        x, y = side * (0.40 + u.between(-0.12, 0.10)), t.dome[index] - u.between(0.02, 0.28)
        size = u.between(0.09, 0.13)
        np.maximum(fluffy, c.ellipse(x, y, size, size, 0.12), out=fluffy)
    # It hides the border of the heart rather than adding to it.
    c.cover(fluffy * c.cavity[index] * c.inside(c.depth[index]), 0.64, strength)


def _pneumothorax(c: Canvas, t: Thorax, u: Choices) -> None:
    side, collapse = u.side(), u.between(0.10, 0.24)
    index = (side + 1) // 2
    x, y = side * (t.lung_center - collapse * 0.75), t.lung_middle + collapse * 0.9
    radius = c.radius(x, y, t.lung_width * (1 - collapse * 0.6), t.lung_height * (1 - collapse * 0.5)) - 1
    distance = radius * np.float32(t.lung_width)
    c.cover((1 - c.inside(distance)) * c.lung[index], 0.07, 0.85)
    c.add(c.line(distance, 0.012) * c.lung[index], 0.22)
    c.add(c.inside(distance) * c.lung[index], 0.06)


def _pneumoperitoneum(c: Canvas, t: Thorax, u: Choices) -> None:
    both, side, height = u.chance(0.5), u.side(), u.between(0.07, 0.12)
    for index in (0, 1) if both else ((side + 1) // 2,):
        offset = (c.x - np.float32((2 * index - 1) * t.lung_center)) * np.float32(1 / 0.24)
        crescent = np.float32(0.03) - c.depth[index]
        lower = c.depth[index] - np.float32(0.03 + height) * (1 - offset * offset)
        c.cover(c.inside(np.maximum(crescent, lower)), 0.12, 0.85)
        c.add(c.line(c.depth[index] - np.float32(0.012), 0.014) * c.inside(np.abs(offset) - 1), 0.18)


def _pneumomediastinum(c: Canvas, t: Thorax, u: Choices) -> None:
    strength, end = u.between(0.26, 0.34), u.between(0.05, 0.20)
    for side in (-1, 1):
        bulge = np.float32(0.05) * np.cos((c.y + np.float32(0.3)) * np.float32(2.2))
        edge = c.x * np.float32(side) - np.float32(t.mediastinum - 0.02) - bulge
        reach = c.inside(c.y - np.float32(end), 0.05) * c.inside(np.float32(-0.90) - c.y, 0.05)
        c.add(c.line(edge, 0.030) * reach, -strength)
        c.add(c.line(edge - np.float32(0.055), 0.016) * reach, 0.20)


def _subcutaneous_emphysema(c: Canvas, t: Thorax, u: Choices) -> None:
    strength, both, side = u.between(0.22, 0.34), u.chance(0.7), u.side()
    period, phase = u.between(0.13, 0.16), u.between(0, 6)
    wall = np.abs(c.x) - np.float32(t.lung_center + t.lung_width)
    slope = c.y * np.float32(0.8) + wall * np.float32(1.3)
    streaks = np.cos(slope * np.float32(2 * np.pi / period) + np.float32(phase))
    lateral = c.inside(np.float32(0.015) - wall) * c.inside(wall - np.float32(0.20))
    lateral *= c.inside(np.abs(c.y) - 0.65, 0.2)
    if not both:
        lateral *= c.inside(c.x * np.float32(-side))
    neck = c.inside(np.abs(c.y + np.float32(0.86)) - 0.09) * c.inside(np.abs(np.abs(c.x) - np.float32(0.28)) - 0.13)
    c.add(np.maximum(streaks, 0) * (lateral + neck), -strength)


def _tortuous_aorta(c: Canvas, t: Thorax, u: Choices) -> None:
    u.between(0, 1)  # the size of the knob
    bend, gray = u.between(0.10, 0.15), u.between(0.70, 0.78)
    course = np.float32(t.knob_x + 0.01) + np.float32(bend) * np.sin((c.y - np.float32(t.knob_y)) * np.float32(4.2))
    reach = c.inside(c.y - np.float32(0.46), 0.05) * c.inside(np.float32(t.knob_y) - c.y)
    aorta = np.maximum(c.line(c.x - course, 0.08) * reach, c.ellipse(t.knob_x, t.knob_y, t.knob_radius, t.knob_radius))
    c.cover(aorta, gray, 0.85)


def _calcified_aorta(c: Canvas, t: Thorax, u: Choices) -> None:
    strength = u.between(0.36, 0.48)
    radius = (c.radius(t.knob_x, t.knob_y, t.knob_radius, t.knob_radius * 1.15) - 1) * np.float32(t.knob_radius)
    arc = c.line(radius, 0.022) * c.inside(np.float32(t.knob_x - 0.03) - c.x)
    wall = c.line(c.x - np.float32(t.knob_x + 0.02), 0.014) * c.inside(np.abs(c.y - np.float32(t.knob_y + 0.24)) - 0.13)
    c.add(np.maximum(arc, wall), strength)


ANATOMY: dict[str, Callable[[Thorax, Choices], None]] = {
    "Atelectasis": _raise_half_of_diaphragm,
    "Cardiomegaly": _enlarge_heart,
    "Emphysema": _hyperinflate,
    "Tortuous Aorta": _enlarge_knob,
}
MARKS: dict[str, Callable[[Canvas, Thorax, Choices], None]] = {
    "Emphysema": _emphysema,
    "Tortuous Aorta": _tortuous_aorta,
    "Edema": _edema,
    "Infiltration": _infiltration,
    "Fibrosis": _fibrosis,
    "Pneumonia": _pneumonia,
    "Consolidation": _consolidation,
    "Atelectasis": _atelectasis,
    "Mass": _mass,
    "Nodule": _nodule,
    "Pleural Thickening": _pleural_thickening,
    "Pneumothorax": _pneumothorax,
    "Effusion": _effusion,
    "Hernia": _hernia,
    "Pneumoperitoneum": _pneumoperitoneum,
    "Pneumomediastinum": _pneumomediastinum,
    "Subcutaneous Emphysema": _subcutaneous_emphysema,
    "Calcification of the Aorta": _calcified_aorta,
}
