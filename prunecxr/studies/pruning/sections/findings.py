"""What a report is made of: tables, warnings, the gallery, and where it all comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from prunecxr.errors import UserError


class Prediction(NamedTuple):
    """What an image's label and either population say of one class; probabilities are means over seeds."""

    name: str
    labelled: bool
    dense: float
    pruned: float


@dataclass(frozen=True)
class GalleryItem:
    """One PIE to be looked at.

    Attributes:
        id: image id.
        subject_id: patient.
        agreement: of the dense and pruned populations on this image.
        predictions: of its labels and the classes that either population puts first, by dense probability.
        image: gray pixels, shape (height, width), uint8; None where it cannot be shown.
        note: why there is no image.
    """

    id: str
    subject_id: str
    agreement: float
    predictions: tuple[Prediction, ...]
    image: np.ndarray | None = None
    note: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.predictions if one.labelled)


@dataclass(frozen=True)
class Findings:
    """Everything that the page shows.

    Attributes:
        study: name of the study.
        tables: as from :func:`analysis.study.analyse`, by name; a table that is absent leaves out its part
            of the report.
        warnings: sentences about what is missing or undefined.
        gallery: PIEs, lowest agreement first.
        gallery_note: why the gallery is empty or without images.
        provenance: label -> text, in order: dataset, method, seeds, versions, run ids ...
        definition: of pairs that the sentences and figures use, ``paper`` or ``published``.
        alpha: level of the significance tests.
        pie_sparsity: sparsity of the pruned population that PIEs come from; NaN where every one is collapsed.
        reference: prevalence at which AP is compared between classes.
        highlight: a pair of classes to be marked in the figures of pairs.
        readers: what readers said of PIEs and other images, as from :func:`analysis.summary`; None
            where there was no reader study.
    """

    study: str
    tables: Mapping[str, pd.DataFrame]
    warnings: Sequence[str] = ()
    gallery: Sequence[GalleryItem] = ()
    gallery_note: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    definition: str = "paper"
    alpha: float = 0.05
    pie_sparsity: float = 0.9
    reference: float = 0.05
    highlight: tuple[str, str] | None = None
    readers: pd.DataFrame | None = None

    @property
    def definitions(self) -> tuple[str, ...]:
        """Every definition of pairs that the tables have, the one of the sentences first."""
        present = self.tables["ols"]["definition"].unique() if "ols" in self.tables else ()
        return (self.definition, *(name for name in present if name != self.definition))


def gallery(
    pie_table: pd.DataFrame,
    labels: pd.DataFrame,
    dense: np.ndarray,
    pruned: np.ndarray,
    read: Callable[[str], np.ndarray] | None = None,
    count: int = 12,
    top: int = 3,
) -> list[GalleryItem]:
    """The PIEs on which the two populations agree least.

    Args:
        pie_table: as from :func:`prunecxr.studies.pruning.analysis.exemplars.pies`.
        labels: ``id``, ``subject_id``, then one 0/1 column a class.
        dense: mean probabilities at sparsity 0, shape (n_images, n_classes), in the order of ``labels``.
        pruned: the same at the PIE sparsity.
        read: image id -> gray pixels (height, width) uint8; None where no images are at hand. What it raises is
            shown in place of the image.
        count: number of images, at most.
        top: number of classes that either population puts first to show beside the labels.
    """
    names = [column for column in labels.columns if column not in ("id", "subject_id")]
    position = {image_id: i for i, image_id in enumerate(labels["id"])}
    items = []
    for row in pie_table[pie_table["is_pie"]].head(count)[["id", "subject_id", "agreement"]].itertuples(index=False):
        i = position[row.id]
        image, note = _read(read, row.id)
        positive = labels[names].iloc[i].to_numpy()
        items.append(
            GalleryItem(
                id=str(row.id),
                subject_id=str(row.subject_id),
                agreement=float(row.agreement),
                predictions=_predictions(names, positive, dense[i], pruned[i], top),
                image=image,
                note=note,
            )
        )
    return items


def _read(read: Callable[[str], np.ndarray] | None, image_id: str) -> tuple[np.ndarray | None, str]:
    if read is None:
        return None, "image not available here"
    try:
        return read(image_id), ""
    except (OSError, ValueError, LookupError, UserError) as error:
        return None, f"image could not be read: {error}"


def _predictions(
    names: Sequence[str], positive: np.ndarray, dense: np.ndarray, pruned: np.ndarray, top: int
) -> tuple[Prediction, ...]:
    """Each of the arrays of shape (n_classes,)."""
    first = {int(c) for population in (dense, pruned) for c in np.argsort(-population, kind="stable")[:top]}
    shown = sorted(first | set(np.flatnonzero(positive).tolist()), key=lambda c: -dense[c])
    return tuple(Prediction(names[c], bool(positive[c]), float(dense[c]), float(pruned[c])) for c in shown)
