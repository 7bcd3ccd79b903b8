"""The phantom: synthetic chest radiographs with the 20 NIH-CXR-LT classes, the embedded default data set.

Two parts. `phantom_tables` draws label tables with the class frequencies of NIH-CXR-LT (Holste et al., "How Does
Pruning Impact Long-Tailed Multi-Label Medical Image Classifiers?", MICCAI 2023, table 2), its co-occurrences (counted
in its public validation and test label tables) and its images per patient (counted in the metadata of NIH
ChestX-ray14, Wang et al., 2017). `PhantomImages` draws the image of each row. See docs/phantom.md.

`python -m prunecxr.data.phantom FILE.png` writes a contact sheet with one image a class.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.special import ndtr, ndtri

from prunecxr.data.labels import LabelTable
from prunecxr.data.phantom_signs import ANATOMY, MARKS
from prunecxr.data.phantom_thorax import CHOICES, Canvas, Choices, Thorax, draw_thorax, patient_thorax, smooth_field
from prunecxr.errors import UserError

VERSION = 1  # goes into the stamps: raise it with every change of the drawing
SPLITS = ("train", "val", "test")
MIN_IMAGES, MAX_IMAGES = 8, 1_000_000
MIN_SIZE, MAX_SIZE = 32, 512
# Departures from the real frequencies that a small data set needs, see docs/phantom.md.
FLOOR, FLOOR_SHARE = 12, 100
PATIENT_SHARE = 20
# Share of the variance of a latent sign that all images of a patient have in common.
PATIENT_VARIANCE = 0.35
# Label noise: a labelled sign is not drawn; an image carries a sign that is not labelled.
UNDRAWN, UNLABELLED = 0.02, 0.01

# Share of AP films, and which number of an exposure decides it: after its angle, scale, shift, blur and inspiration.
SUPINE, SUPINE_AT = 0.4, 6
# Patients, about as in NIH ChestX-ray14.
MEAN_AGE, SD_AGE, MALE = 47.0, 17.0, 0.56

FIGURES = Path(__file__).parent / "figures"


def _read_figures(name: str) -> tuple[list[str], np.ndarray]:
    """The first column and the numbers of a committed table of counts."""
    with (FIGURES / name).open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [row[0] for row in rows], np.array([[int(cell) for cell in row[1:]] for row in rows])


_ROWS, _COUNTS = _read_figures("class_counts.csv")
CLASSES: tuple[str, ...] = tuple(_ROWS[:-1])
DISEASES: tuple[str, ...] = CLASSES[:-1]
"""All classes but 'No Finding', which is the last one."""


def class_frequencies(split: str) -> np.ndarray:
    """Share of NIH-CXR-LT's images of a split with each class, shape (20,), paper A's table 2."""
    counts = _COUNTS[:, SPLITS.index(split)]
    return counts[:-1] / counts[-1]


@lru_cache(maxsize=1)
def _latent_correlation() -> np.ndarray:
    """Correlations of the Gaussian copula of the diseases, shape (19, 19), positive definite.

    The tetrachoric correlation of each pair is the one at which two thresholded normal variables are both positive as
    often as the pair was counted; found by bisection. An empty cell counts as half an image, which keeps its
    correlation off -1.
    """
    together = _read_figures("cooccurrence.csv")[1][: len(DISEASES), : len(DISEASES)].astype(float)
    images = _COUNTS[-1, 1:].sum()
    share = np.diag(together) / images
    threshold = ndtri(1 - share)
    expected = np.maximum(together, 0.5) / images
    low, high = np.full(together.shape, -0.999), np.full(together.shape, 0.999)
    for _ in range(40):
        middle = (low + high) / 2
        too_low = _both_above(threshold[:, None], threshold[None, :], middle) < expected
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    correlation = (low + high) / 2
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    positive = (vectors * np.maximum(values, 0.01)) @ vectors.T
    scale = np.sqrt(np.diag(positive))
    return positive / np.outer(scale, scale)


def _both_above(first: np.ndarray, second: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """P(X > first, Y > second) of standard normal X, Y: Plackett's integral over the correlation, 24-point Gauss."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    angle = np.arcsin(correlation)
    sine = np.sin(angle[..., None] / 2 * (nodes + 1))
    a, b = first[..., None], second[..., None]
    density = np.exp(-(a * a - 2 * a * b * sine + b * b) / (2 * (1 - sine * sine)))
    return ndtr(-first) * ndtr(-second) + (density * weights).sum(axis=-1) * angle / (4 * np.pi)


def class_quotas(split: str, n: int) -> np.ndarray:
    """Positives of each disease in a split of n images, shape (19,): the real share, rounded, or the floor."""
    rounded = np.rint(class_frequencies(split)[:-1] * n).astype(int)
    return np.maximum(rounded, min(FLOOR, n // FLOOR_SHARE))


def _images_per_patient(split: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Sizes of the patients of a split, at least 1 each, with the sum n."""
    sizes, patients = _read_figures("images_per_patient.csv")
    weight = patients[:, SPLITS.index(split)]
    drawn = rng.choice(np.array([int(size) for size in sizes]), size=n, p=weight / weight.sum())
    # One patient with a fifth of all images would leave next to nothing to compare.
    drawn = np.minimum(drawn, max(1, n // PATIENT_SHARE))
    last = int(np.searchsorted(np.cumsum(drawn), n))
    drawn = drawn[: last + 1]
    drawn[-1] -= drawn.sum() - n
    return drawn


def _draw_labels(split: str, patient: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Labels of n images, shape (n, 20), uint8; `patient` numbers the patient of each image from 0."""
    n = len(patient)
    root = np.linalg.cholesky(_latent_correlation()).T
    of_patient = rng.standard_normal((int(patient.max()) + 1, len(DISEASES))) @ root
    of_image = rng.standard_normal((n, len(DISEASES))) @ root
    latent = np.sqrt(PATIENT_VARIANCE) * of_patient[patient] + np.sqrt(1 - PATIENT_VARIANCE) * of_image
    labels = np.zeros((n, len(CLASSES)), np.uint8)
    for column, quota in enumerate(class_quotas(split, n)):
        labels[np.argsort(-latent[:, column], kind="stable")[:quota], column] = 1
    labels[:, -1] = labels[:, :-1].sum(axis=1) == 0
    return labels


def phantom_tables(n_train: int, n_val: int, n_test: int, seed: int = 0) -> dict[str, LabelTable]:
    """Label tables of a phantom data set, split by patient.

    Args:
        n_train, n_val, n_test: images of each split, at least MIN_IMAGES.
        seed: everything follows from it and the three counts.

    Returns:
        The tables by the names train, val, test; ids as NIH ChestX-ray14's, in ascending order.
    """
    wanted = dict(zip(SPLITS, (n_train, n_val, n_test), strict=True))
    for split, n in wanted.items():
        if not MIN_IMAGES <= n <= MAX_IMAGES:
            raise UserError(f"phantom: n_{split}={n} images: choose {MIN_IMAGES} to {MAX_IMAGES}")
    rng = np.random.default_rng(_check_seed(seed))
    sizes = {split: _images_per_patient(split, n, rng) for split, n in wanted.items()}
    total = sum(len(s) for s in sizes.values())
    numbers = rng.permutation(max(30_805, total))[:total] + 1  # NIH's patients are 1 to 30805
    tables, start = {}, 0
    for split, size in sizes.items():
        mine = np.sort(numbers[start : start + len(size)])
        start += len(size)
        patient = np.repeat(np.arange(len(size)), size)
        labels = _draw_labels(split, patient, rng)
        subjects = [f"{number:08d}" for number in mine[patient]]
        follow_up = np.arange(len(patient)) - np.repeat(np.cumsum(size) - size, size)
        ids = [f"{subject}_{visit:03d}.png" for subject, visit in zip(subjects, follow_up, strict=True)]
        metadata = phantom_metadata(ids, subjects, seed) if split == "test" else {}
        tables[split] = LabelTable(
            np.array(ids, object), np.array(subjects, object), labels, CLASSES, metadata=metadata
        )
    return tables


def phantom_metadata(ids: Sequence[str], subjects: Sequence[str], seed: int) -> dict[str, np.ndarray]:
    """Age in years and sex of each image's patient, and the view that the image is drawn in; each of shape (n,).

    No sign depends on age or sex: whatever differs between those groups is chance.
    """
    people = {subject: keyed_generator("demographics", seed, subject).standard_normal(2) for subject in set(subjects)}
    ages = [float(np.clip(round(MEAN_AGE + SD_AGE * people[subject][0]), 1, 95)) for subject in subjects]
    sexes = ["M" if ndtr(people[subject][1]) < MALE else "F" for subject in subjects]
    views = ["AP" if _is_supine(image_id, seed) else "PA" for image_id in ids]
    return {"age": np.array(ages), "sex": np.array(sexes, object), "view": np.array(views, object)}


def _is_supine(image_id: str, seed: int) -> bool:
    """Whether an image is drawn as an AP film: what `_breathe` decides, from the same number."""
    last = keyed_generator("image", seed, image_id).random((len(DISEASES) + 2, CHOICES))[-1]
    return bool(last[SUPINE_AT] < SUPINE)


def _check_seed(seed: int) -> int:
    if seed < 0:
        raise UserError(f"phantom: seed={seed}: choose a seed of 0 or more")
    return seed


def keyed_generator(*key: object) -> np.random.Generator:
    """A random generator that depends on the key alone."""
    digest = hashlib.blake2b("|".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def drawn_signs(image_id: str, labels: np.ndarray, seed: int) -> np.ndarray:
    """The signs that an image truly shows: its labels, but for the label noise. Shapes (19,), bool."""
    rng = keyed_generator("label noise", seed, image_id)
    signs = (labels != 0) & (rng.random(len(DISEASES)) >= UNDRAWN)
    if rng.random() < UNLABELLED:
        frequency = class_frequencies("train")[:-1]
        signs[rng.choice(len(DISEASES), p=frequency / frequency.sum())] = True
    return signs


def draw_radiograph(image_id: str, subject: str, signs: np.ndarray, size: int, seed: int = 0) -> np.ndarray:
    """One radiograph, shape (size, size), uint8. Depends on its arguments alone.

    Args:
        image_id: chooses exposure, position, noise, devices and the look of each sign.
        subject: chooses the anatomy.
        signs: which of DISEASES to draw, shape (19,), bool.
        size: pixels a side.
        seed: of the whole phantom.
    """
    rng = keyed_generator("image", seed, image_id)
    rows = rng.random((len(DISEASES) + 2, CHOICES))
    thorax = _patient(seed, subject)
    exposure = Choices(rows[-1])
    canvas = Canvas(
        size,
        angle=np.deg2rad(exposure.between(-5, 5)),
        scale=exposure.between(0.94, 1.06),
        shift=(exposure.between(-0.04, 0.04), exposure.between(-0.04, 0.04)),
        blur=exposure.between(0.0, 0.02),
    )
    _breathe(thorax, exposure)
    shown = {name: rows[i] for i, name in enumerate(DISEASES) if signs[i]}
    for name, numbers in shown.items():
        if name in ANATOMY:
            ANATOMY[name](thorax, Choices(numbers))
    draw_thorax(canvas, thorax)
    canvas.gray += smooth_field(rng.normal(0, 0.015, (9, 9)), size)
    for name, draw in MARKS.items():
        if name in shown:
            draw(canvas, thorax, Choices(shown[name]))
    _add_devices(canvas, Choices(rows[-2]))
    return _develop(canvas.gray, exposure, rng)


@lru_cache(maxsize=4096)
def _anatomy(seed: int, subject: str) -> Thorax:
    return patient_thorax(Choices(keyed_generator("patient", seed, subject).random(CHOICES)))


def _patient(seed: int, subject: str) -> Thorax:
    return deepcopy(_anatomy(seed, subject))


def _breathe(thorax: Thorax, choices: Choices) -> None:
    """Depth of inspiration and view: a supine (AP) film magnifies the heart."""
    lift = choices.between(-0.03, 0.03)
    thorax.dome = [y + lift for y in thorax.dome]
    if choices.chance(SUPINE):
        thorax.heart_width *= 1.05


def _add_devices(canvas: Canvas, choices: Choices) -> None:
    """Side marker, electrodes, central line, pacemaker: bright, and no sign of any class."""
    side = choices.side()
    if choices.chance(0.6):
        canvas.cover(canvas.ellipse(side * 0.88, -0.90, 0.035, 0.05), 0.95, 1)
    if choices.chance(0.2):
        for _ in range(3):
            x, y = choices.between(-0.8, 0.8), choices.between(-0.7, 0.6)
            canvas.cover(canvas.ellipse(x, y, 0.02, 0.02), 0.95, 0.9)
    if choices.chance(0.15):
        x = choices.between(0.08, 0.12)
        canvas.add(canvas.segment((-0.45, -0.75), (-x, -0.5), 0.008), 0.18)
        canvas.add(canvas.segment((-x, -0.5), (-x, choices.between(-0.1, 0.1)), 0.008), 0.18)
    if choices.chance(0.05):
        canvas.cover(canvas.ellipse(0.55, -0.62, 0.09, 0.07), 0.95, 0.9)


def _develop(gray: np.ndarray, choices: Choices, rng: np.random.Generator) -> np.ndarray:
    """Exposure, quantum noise and 8-bit rounding."""
    gamma, gain, offset = choices.between(0.85, 1.2), choices.between(0.9, 1.1), choices.between(-0.03, 0.03)
    noise = rng.standard_normal(gray.shape, dtype=np.float32) * np.float32(choices.between(0.008, 0.024))
    exposed = np.clip(gray, 0, 1) ** np.float32(gamma) * np.float32(gain) + np.float32(offset) + noise
    return np.rint(np.clip(exposed, 0, 1) * np.float32(255)).astype(np.uint8)


class PhantomImages:
    """The images of a phantom label table, drawn when read (an `ImageSource`).

    Args:
        table: a table of `phantom_tables`, or any with its classes.
        size: pixels a side.
        seed: of the drawing; the label noise follows from it too.
    """

    def __init__(self, table: LabelTable, size: int, seed: int = 0):
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise UserError(f"phantom: image size {size}: choose {MIN_SIZE} to {MAX_SIZE} pixels")
        if table.classes != CLASSES:
            raise UserError(f"phantom: the label table's classes must be {', '.join(CLASSES)}")
        self.ids: list[str] = table.ids.tolist()
        self._subjects: list[str] = table.subjects.tolist()
        self._labels = table.labels[:, :-1]
        self._size = size
        self._seed = _check_seed(seed)

    def signs(self, index: int) -> np.ndarray:
        """The diseases that the image truly shows, shape (19,), bool."""
        return drawn_signs(self.ids[index], self._labels[index], self._seed)

    def stamps(self) -> list[str]:
        """Everything that an image depends on, as one string an image."""
        head = f"phantom {VERSION} {self._seed} {self._size}"
        labels = ("".join(map(str, row)) for row in self._labels.tolist())
        return [f"{head} {i} {s} {row}" for i, s, row in zip(self.ids, self._subjects, labels, strict=True)]

    def read(self, index: int) -> np.ndarray:
        """The image, shape (size, size), uint8."""
        return draw_radiograph(self.ids[index], self._subjects[index], self.signs(index), self._size, self._seed)


def contact_sheet(size: int = 192, seed: int = 0) -> Image.Image:
    """One image a class, of one patient each, with its name beneath."""
    columns, caption = 5, 16
    rows = -(-len(CLASSES) // columns)
    sheet = Image.new("L", (columns * size, rows * (size + caption)), 255)
    pen = ImageDraw.Draw(sheet)
    for i, name in enumerate(CLASSES):
        signs = np.arange(len(DISEASES)) == i
        picture = draw_radiograph(f"{i + 1:08d}_000.png", f"{i + 1:08d}", signs, size, seed)
        x, y = i % columns * size, i // columns * (size + caption)
        sheet.paste(Image.fromarray(picture), (x, y))
        pen.text((x + 4, y + size + 2), name, fill=0)
    return sheet


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m prunecxr.data.phantom FILE.png")
    contact_sheet().save(sys.argv[1])
