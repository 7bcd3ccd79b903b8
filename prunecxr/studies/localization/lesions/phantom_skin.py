"""How a lesion of the phantom is drawn: its outline, the skin around it, its pigment, and what is in the way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from prunecxr.data.phantom_thorax import Choices, pixel_grid, smooth_field

CHOICES = 64  # random numbers that one stage of the drawing may use
HARMONICS = np.arange(2, 8)
ANGLES = np.linspace(-np.pi, np.pi, 181)
# How strongly pigments take away red, green and blue.
BROWN = np.array([0.55, 1.0, 1.2], np.float32)
BLUE_BLACK = np.array([1.0, 0.9, 0.6], np.float32)
RED = np.array([0.05, 1.0, 0.85], np.float32)
GRAY_BROWN = np.array([0.8, 0.95, 1.05], np.float32)
PALE = np.array([0.8, 1.0, 1.1], np.float32)
HAIR = np.array([1.0, 1.05, 1.1], np.float32)
# Logarithm of the light that skin sends back: the lightest and the darkest.
LIGHT_SKIN = np.log(np.array([0.93, 0.76, 0.68], np.float32))
DARK_SKIN = np.log(np.array([0.78, 0.56, 0.46], np.float32))


@dataclass(frozen=True)
class Traits:
    """What distinguishes one lesion from the others: see docs/lesions.md."""

    diagnosis: str
    subgroup: str


@dataclass(frozen=True)
class Outline:
    """A lesion's place and border, in image coordinates -1..1."""

    x: float
    y: float
    radius: float
    tilt: float
    stretch: float
    waves: np.ndarray  # radius relative to `radius` at ANGLES

    def depth(self, size: int) -> np.ndarray:
        """How far inside the border each pixel lies (negative outside), shape (size, size)."""
        column, row = pixel_grid(size)
        across, down = column - np.float32(self.x), row - np.float32(self.y)
        cos, sin = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        along = (across * cos + down * sin) * np.float32(1 / self.stretch)
        aside = (down * cos - across * sin) * np.float32(self.stretch)
        border = np.interp(np.arctan2(aside, along), ANGLES, self.waves * self.radius)
        return border.astype(np.float32) - np.hypot(along, aside)


def draw_outline(traits: Traits, rng: np.random.Generator) -> Outline:
    """A random border with the size and raggedness of its kind."""
    c = Choices(rng.random(8))
    radius = c.between(0.07, 0.11) if traits.subgroup == "small" else c.between(0.28, 0.52)
    ragged = {"melanoma": 0.16, "seborrheic keratosis": 0.05}.get(traits.diagnosis, 0.09)
    size, phase = rng.normal(0, ragged, len(HARMONICS)) / HARMONICS, rng.uniform(0, 2 * np.pi, len(HARMONICS))
    waves = 1 + (size[:, None] * np.cos(HARMONICS[:, None] * ANGLES + phase[:, None])).sum(axis=0) * 2
    reach = 0.85 - radius
    return Outline(
        x=c.between(-reach, reach) * 0.6,
        y=c.between(-reach, reach) * 0.6,
        radius=radius,
        tilt=c.between(0, np.pi),
        stretch=c.between(1.0, 1.25),
        waves=np.maximum(waves, 0.4),
    )


def draw_skin_lesion(traits: Traits, outline: Outline, size: int, rng: np.random.Generator) -> np.ndarray:
    """One photograph of a lesion, shape (size, size, 3), uint8 RGB."""
    c = Choices(rng.random(CHOICES))
    light = draw_skin(traits, size, c, rng)
    depth = outline.depth(size)
    soft = np.float32(c.between(0.03, 0.09) * (0.6 if traits.subgroup == "small" else 1) + 2.0 / size)
    inside = np.clip(depth / soft + np.float32(0.5), 0, 1)
    light -= (inside * draw_pigment(traits, size, c, rng))[:, :, None] * _pigment_colour(traits)
    light -= draw_melanoma_patches(traits, inside, size, c, rng)
    light -= draw_obstacles(size, c)[:, :, None] * HAIR
    colour = np.exp(light) * draw_vignette(size, c)[:, :, None]
    colour += rng.standard_normal(colour.shape, dtype=np.float32) * np.float32(c.between(0.006, 0.018))
    return np.rint(np.clip(colour, 0, 1) * np.float32(255)).astype(np.uint8)


def draw_skin(traits: Traits, size: int, c: Choices, rng: np.random.Generator) -> np.ndarray:
    """Logarithm of the light that skin sends back, shape (size, size, 3): tone, uneven lighting, pores."""
    dark = c.between(0.55, 0.9) if traits.subgroup == "rare group" else c.between(0, 0.8)
    tone = LIGHT_SKIN * np.float32(1 - dark) + DARK_SKIN * np.float32(dark)
    tone += np.float32(c.between(-0.06, 0.06)) + np.float32(rng.normal(0, 0.02, 3))
    shade = smooth_field(rng.normal(0, 0.05, (4, 4)), size) + smooth_field(rng.normal(0, 0.025, (24, 24)), size)
    return shade[:, :, None] + tone


def draw_pigment(traits: Traits, size: int, c: Choices, rng: np.random.Generator) -> np.ndarray:
    """How much pigment lies in the lesion, shape (size, size); negative where it is paler than the skin."""
    fine = smooth_field(rng.normal(0, 1, (32, 32)), size)
    if traits.subgroup == "rare texture":
        return np.sign(fine) * np.float32(c.between(0.14, 0.22))
    coarse = smooth_field(rng.normal(0, 1, (8, 8)), size)
    amount = c.between(0.4, 0.95)
    if traits.subgroup == "small":
        amount = c.between(0.3, 0.5)  # hardly darker than a freckle
    elif traits.subgroup == "low contrast":
        amount = c.between(0.12, 0.18)
    elif traits.subgroup == "rare group":
        amount = -c.between(0.2, 0.32)
    grain = 0.3 if traits.diagnosis == "seborrheic keratosis" else 0.12
    return np.float32(amount) * (1 + np.float32(grain) * fine + np.float32(0.15) * coarse)


def _pigment_colour(traits: Traits) -> np.ndarray:
    if traits.subgroup == "rare group":
        return PALE
    colours = {"vascular lesion": RED, "seborrheic keratosis": GRAY_BROWN}
    return colours.get(traits.diagnosis, BROWN)


def draw_melanoma_patches(
    traits: Traits, inside: np.ndarray, size: int, c: Choices, rng: np.random.Generator
) -> np.ndarray:
    """Blue-black patches inside a melanoma, shape (size, size, 3) or (1,)."""
    strength = {"low contrast": 0.1, "common": 0.7, "small": 0.7}.get(traits.subgroup, 0.0)
    if traits.diagnosis != "melanoma" or not strength:
        return np.zeros(1, np.float32)
    patches = np.clip(smooth_field(rng.normal(0, 1, (7, 7)), size) * 2, 0, 1)
    return (inside * patches * np.float32(strength * c.between(0.6, 1)))[:, :, None] * BLUE_BLACK


def draw_obstacles(size: int, c: Choices) -> np.ndarray:
    """Hairs and freckles, which are no lesion: how much light they take away, shape (size, size)."""
    column, row = pixel_grid(size)
    dark = np.zeros((size, size), np.float32)
    width = np.float32(0.012 + 0.8 / size)
    hairs = int(c.between(1, 7)) if c.chance(0.3) else 0
    for _ in range(hairs):
        angle, offset, bend = c.between(0, np.pi), c.between(-0.9, 0.9), c.between(-0.3, 0.3)
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        along = column * cos + row * sin
        away = row * cos - column * sin - np.float32(offset) - np.float32(bend) * along * along
        np.maximum(dark, np.clip(1 - np.abs(away) / width, 0, 1) * np.float32(0.7), out=dark)
    freckles = int(c.between(1, 7)) if c.chance(0.35) else 0
    for _ in range(freckles):
        x, y, radius = np.float32(c.between(-1, 1)), np.float32(c.between(-1, 1)), np.float32(c.between(0.02, 0.045))
        distance = np.hypot(column - x, row - y)
        np.maximum(dark, np.clip((radius - distance) / radius + 0.3, 0, 1) * np.float32(0.35), out=dark)
    return dark


def draw_vignette(size: int, c: Choices) -> np.ndarray:
    """Light that passes the tube of the dermatoscope, 0..1, shape (size, size)."""
    reach = c.between(1.05, 1.4)
    if not c.chance(0.3):
        return np.ones((size, size), np.float32)
    return np.clip((np.float32(reach) - _radius(size)) * np.float32(12), 0, 1) * np.float32(0.95) + np.float32(0.05)


@lru_cache(maxsize=16)
def _radius(size: int) -> np.ndarray:
    column, row = pixel_grid(size)
    return np.hypot(column, row)
