"""The lesion phantom: drawn skin lesions with masks and planted hard subgroups, the embedded default of `htl`.

Which images are hard is known, so that 'pruning finds the hard ones' can be measured. See docs/lesions.md.

`python -m prunecxr.studies.localization.lesions.phantom FILE.png` writes a contact sheet: images of
each subgroup, and their masks.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from prunecxr.data.phantom import keyed_generator
from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.dataset import LesionSplit
from prunecxr.studies.localization.lesions.phantom_skin import Traits, draw_outline, draw_skin_lesion

VERSION = 1  # goes into the stamps: raise it with every change of the drawing
MIN_SIZE, MAX_SIZE = 32, 1024
COMMON = "common"
# The planted hard subgroups, and their shares of every split; all else is common.
HARD_SHARES = {"small": 0.06, "low contrast": 0.06, "rare texture": 0.04, "rare group": 0.04}
SUBGROUPS = (COMMON, *HARD_SHARES)
# Vascular lesions are rare but not hard: a rare class is not a hard one.
DIAGNOSES = {"nevus": 0.64, "melanoma": 0.19, "seborrheic keratosis": 0.14, "vascular lesion": 0.03}
OLD = 80  # women of this age and older are the rare group: their lesions are paler than their skin
UNKNOWN = 0.04  # share of patients without an age, and without a sex


@dataclass(frozen=True)
class PhantomLesions:
    """The images, or the masks, of a phantom table, drawn when read (an `ImageSource`).

    Attributes:
        ids, traits: of each image, length n.
        size: pixels a side.
        seed: of the whole phantom.
        masks: whether `read` gives masks, (size, size) 0/1, or images, (size, size, 3).
    """

    ids: tuple[str, ...]
    traits: tuple[Traits, ...]
    size: int
    seed: int
    masks: bool

    def stamps(self) -> list[str]:
        """Everything that an image depends on, as one string an image."""
        head = f"lesion {VERSION} {self.seed} {self.size}"
        return [f"{head} {i} {t.diagnosis} {t.subgroup}" for i, t in zip(self.ids, self.traits, strict=True)]

    def read(self, index: int) -> np.ndarray:
        """The image, shape (size, size, 3), or its mask, shape (size, size); uint8."""
        draw = draw_mask if self.masks else draw_image
        return draw(self.ids[index], self.traits[index], self.size, self.seed)


def draw_image(image_id: str, traits: Traits, size: int, seed: int = 0) -> np.ndarray:
    """One image, shape (size, size, 3), uint8 RGB. Depends on its arguments alone."""
    outline = draw_outline(traits, keyed_generator("outline", seed, image_id))
    return draw_skin_lesion(traits, outline, size, keyed_generator("look", seed, image_id))


def draw_mask(image_id: str, traits: Traits, size: int, seed: int = 0) -> np.ndarray:
    """The lesion of that image, shape (size, size), uint8 0/1."""
    outline = draw_outline(traits, keyed_generator("outline", seed, image_id))
    return (outline.depth(size) > 0).astype(np.uint8)


def lesion_phantom(name: str, n: int, size: int, seed: int = 0) -> LesionSplit:
    """One split of the phantom.

    Args:
        name: of the split; splits of other names have other images.
        n: images. The subgroups have their shares, rounded.
        size: pixels a side.
        seed: everything follows from it, the name and n.
    """
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UserError(f"phantom: image size {size}: choose {MIN_SIZE} to {MAX_SIZE} pixels")
    table = lesion_table(name, n, seed)
    pairs = zip(table["diagnosis"], table["subgroup"], strict=True)
    ids, traits = tuple(table["id"]), tuple(Traits(diagnosis, subgroup) for diagnosis, subgroup in pairs)
    return LesionSplit(
        name,
        PhantomLesions(ids, traits, size, seed, masks=False),
        PhantomLesions(ids, traits, size, seed, masks=True),
        table,
    )


def lesion_table(name: str, n: int, seed: int) -> pd.DataFrame:
    """Patients and their lesions: see `LesionSplit.table`; every patient has one image."""
    rng = keyed_generator("lesion table", seed, name, n)
    ids = [f"{name}-{number:06d}" for number in range(n)]
    subgroup = _by_share(HARD_SHARES, COMMON, n, rng)
    diagnosis = rng.choice(list(DIAGNOSES), size=n, p=list(DIAGNOSES.values()))
    sex = rng.choice(["male", "female"], size=n)
    age = np.clip(np.rint(rng.normal(48, 17, n) / 5) * 5, 10, 85)
    rare = subgroup == "rare group"
    age = np.where(rare, rng.choice([80.0, 85.0], size=n), np.where(sex == "female", np.minimum(age, OLD - 5), age))
    sex = np.where(rare, "female", sex)
    unknown_age, unknown_sex = rng.random((2, n)) < UNKNOWN
    return pd.DataFrame(
        {
            "id": ids,
            "subject": ids,
            "age": np.where(unknown_age & ~rare, np.nan, age),
            "sex": np.where(unknown_sex & ~rare, "unknown", sex),
            "diagnosis": diagnosis,
            "hard": subgroup != COMMON,
            "subgroup": subgroup,
        }
    )


def _by_share(shares: dict[str, float], rest: str, n: int, rng: np.random.Generator) -> np.ndarray:
    names = [name for name, share in shares.items() for _ in range(round(share * n))][:n]
    return rng.permutation(np.array(names + [rest] * (n - len(names)), dtype=object))


def contact_sheet(size: int = 96, seed: int = 0, columns: int = 6) -> Image.Image:
    """A row of images a subgroup; beneath each its mask at half the size; the subgroup's name above."""
    caption, gap = 16, 2
    height = caption + size + size // 2 + gap
    sheet = Image.new("RGB", (columns * size, len(SUBGROUPS) * height), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    kinds = list(DIAGNOSES)
    for row, subgroup in enumerate(SUBGROUPS):
        pen.text((4, row * height + 2), subgroup, fill=(0, 0, 0))
        for column in range(columns):
            traits = Traits(kinds[column % len(kinds)], subgroup)
            image_id = f"sheet-{row}-{column}"
            top = row * height + caption
            sheet.paste(Image.fromarray(draw_image(image_id, traits, size, seed)), (column * size, top))
            mask = Image.fromarray(draw_mask(image_id, traits, size, seed) * np.uint8(255))
            sheet.paste(mask.resize((size // 2, size // 2)), (column * size + size // 4, top + size))
    return sheet


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m prunecxr.studies.localization.lesions.phantom FILE.png")
    contact_sheet().save(sys.argv[1])
