"""Signs of disease of the phantom, one function a class. Units and masks: see `phantom_thorax`.

Each function draws one variant of its sign, chosen by the uniform numbers that it is handed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from prunecxr.data.phantom_thorax import Canvas, Choices, Thorax, smooth_field

# Signs that change the anatomy before it is drawn -------------------------------------------------------------


def _raise_half_of_diaphragm(t: Thorax, c: Choices) -> None:
    index = (c.side() + 1) // 2
    t.dome[index] -= c.between(0.10, 0.20)


def _enlarge_heart(t: Thorax, c: Choices) -> None:
    t.heart_width *= c.between(1.60, 1.95)
    t.heart_height *= c.between(1.15, 1.35)
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
    strength, period, phase = u.between(0.32, 0.46), u.between(0.15, 0.19), u.between(0, 6)
    one = np.sin((c.x + np.float32(0.6) * c.y) * np.float32(2 * np.pi / period) + np.float32(phase))
    two = np.sin((c.x - np.float32(0.6) * c.y) * np.float32(2 * np.pi / period) + np.float32(phase))
    net = np.clip(1 - np.float32(2.0) * np.minimum(np.abs(one), np.abs(two)), 0, 1)
    lower = c.inside(np.float32(u.between(-0.25, -0.05)) - c.y, 0.25)
    c.add(net * lower * (c.lung[0] + c.lung[1]), strength)


def _hernia(c: Canvas, t: Thorax, u: Choices) -> None:
    x, y, size = u.between(-0.04, 0.08), t.heart_y + u.between(-0.02, 0.06), u.between(0.19, 0.24)
    radius = (c.radius(x, y, size, size * 0.95) - np.float32(1)) * np.float32(size)
    air = c.inside(c.y - np.float32(y + u.between(-0.01, 0.04)))
    c.cover(c.inside(radius), 0.74, 0.8)
    c.cover(c.inside(radius) * air, 0.14, 0.92)
    c.add(c.line(radius, 0.02), 0.22)


def _infiltration(c: Canvas, _: Thorax, u: Choices) -> None:
    strength, both, side = u.between(0.18, 0.34), u.chance(0.5), u.side()
    knots = np.array([u.between(-0.6, 1.0) for _knot in range(16)]).reshape(4, 4)
    fine = np.tile(knots, (4, 4)) * (1 + np.repeat(np.repeat(knots, 4, 0), 4, 1))
    patchy = np.clip(smooth_field(fine, c.size), 0, 1)
    zone = c.inside(np.abs(c.y - np.float32(0.10)) - 0.30, 0.20)
    lungs = c.lung[0] + c.lung[1] if both else c.lung[(side + 1) // 2]
    c.add(patchy * zone * lungs, strength)


def _mass(c: Canvas, t: Thorax, u: Choices) -> None:
    side, size, strength = u.side(), u.between(0.13, 0.20), u.between(0.32, 0.46)
    x, y = side * (t.lung_center + u.between(-0.06, 0.10)), u.between(-0.45, 0.25)
    c.add(c.ellipse(x, y, size, size * u.between(0.85, 1.15), 0.02) * c.cavity[(side + 1) // 2], strength)


def _nodule(c: Canvas, t: Thorax, u: Choices) -> None:
    strength = u.between(0.32, 0.50)
    for _ in range(3):
        side, size = u.side(), u.between(0.048, 0.068)
        x, y = side * (t.lung_center + u.between(-0.12, 0.16)), u.between(-0.50, 0.30)
        c.add(c.ellipse(x, y, size, size) * c.lung[(side + 1) // 2], strength)


def _pleural_thickening(c: Canvas, t: Thorax, u: Choices) -> None:
    side, strength, width = u.side(), u.between(0.30, 0.42), u.between(0.09, 0.14)
    index = (side + 1) // 2
    lobes = 1 + np.float32(0.25) * np.cos(c.y * np.float32(2 * np.pi / 0.23) + np.float32(u.between(0, 6)))
    inner = c.radius(side * t.lung_center, t.lung_middle, t.lung_width, t.lung_height) - np.float32(1)
    band = c.inside(-inner * np.float32(t.lung_width) - np.float32(width) * lobes)
    lateral = c.inside(np.float32(t.lung_center) - c.x * np.float32(side), 0.1)
    c.add(band * lateral * c.lung[index], strength)


def _pneumonia(c: Canvas, t: Thorax, u: Choices) -> None:
    side, strength = u.side(), u.between(0.75, 0.95)
    index = (side + 1) // 2
    fluffy = np.zeros_like(c.gray)
    for _ in range(4):
        x, y = side * (0.40 + u.between(-0.12, 0.10)), t.dome[index] - u.between(0.02, 0.28)
        size = u.between(0.11, 0.15)
        np.maximum(fluffy, c.ellipse(x, y, size, size, 0.12), out=fluffy)
    # It hides the border of the heart rather than adding to it.
    c.cover(fluffy * c.cavity[index] * c.inside(c.depth[index]), 0.72, strength)


def _pneumothorax(c: Canvas, t: Thorax, u: Choices) -> None:
    side, collapse = u.side(), u.between(0.10, 0.24)
    index = (side + 1) // 2
    x, y = side * (t.lung_center - collapse * 0.75), t.lung_middle + collapse * 0.9
    radius = c.radius(x, y, t.lung_width * (1 - collapse * 0.6), t.lung_height * (1 - collapse * 0.5)) - 1
    distance = radius * np.float32(t.lung_width)
    c.cover((1 - c.inside(distance)) * c.lung[index], 0.10, 0.85)
    c.add(c.line(distance, 0.012) * c.lung[index], 0.22)
    c.add(c.inside(distance) * c.lung[index], 0.06)


def _pneumoperitoneum(c: Canvas, t: Thorax, u: Choices) -> None:
    both, side, height = u.chance(0.6), u.side(), u.between(0.12, 0.17)
    for index in (0, 1) if both else ((side + 1) // 2,):
        offset = (c.x - np.float32((2 * index - 1) * t.lung_center)) * np.float32(1 / 0.27)
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
        c.add(c.line(edge, 0.038) * reach, -strength)
        c.add(c.line(edge - np.float32(0.062), 0.020) * reach, 0.24)


def _subcutaneous_emphysema(c: Canvas, t: Thorax, u: Choices) -> None:
    strength, both, side = u.between(0.26, 0.38), u.chance(0.7), u.side()
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
    bend, gray = u.between(0.13, 0.18), u.between(0.76, 0.84)
    course = np.float32(t.knob_x + 0.01) + np.float32(bend) * np.sin((c.y - np.float32(t.knob_y)) * np.float32(4.2))
    reach = c.inside(c.y - np.float32(0.46), 0.05) * c.inside(np.float32(t.knob_y) - c.y)
    aorta = np.maximum(c.line(c.x - course, 0.09) * reach, c.ellipse(t.knob_x, t.knob_y, t.knob_radius, t.knob_radius))
    c.cover(aorta, gray, 0.92)


def _calcified_aorta(c: Canvas, t: Thorax, u: Choices) -> None:
    strength = u.between(0.42, 0.55)
    radius = (c.radius(t.knob_x, t.knob_y, t.knob_radius, t.knob_radius * 1.15) - 1) * np.float32(t.knob_radius)
    arc = c.line(radius, 0.028) * c.inside(np.float32(t.knob_x - 0.03) - c.x)
    wall = c.line(c.x - np.float32(t.knob_x + 0.02), 0.022) * c.inside(np.abs(c.y - np.float32(t.knob_y + 0.27)) - 0.16)
    c.add(np.maximum(arc, wall), strength)


# The same row of numbers goes to both functions of a class that has two.
ANATOMY: dict[str, Callable[[Thorax, Choices], None]] = {
    "Atelectasis": _raise_half_of_diaphragm,
    "Cardiomegaly": _enlarge_heart,
    "Emphysema": _hyperinflate,
    "Tortuous Aorta": _enlarge_knob,
}
# In the order of drawing: what hides other signs, or lies in front of them, comes later.
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
