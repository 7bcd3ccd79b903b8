"""What the report of a localization study is made of: tables, warnings, pictures, and where it all comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class GalleryRow:
    """One HTL to be looked at.

    Attributes:
        id: image id.
        seed: of the network whose HTL it is.
        iou_dense, iou_pruned: what the mining rule compares.
        picture: PNG: the image, then the image with the outlines of the mask (where there is one), of the dense and of
            the pruned network.
    """

    id: str
    seed: int
    iou_dense: float
    iou_pruned: float
    picture: bytes


@dataclass(frozen=True)
class HtlFindings:
    """Everything that the page shows.

    Attributes:
        study: name of the study.
        setting: supervised, semi or weak.
        method, prune_fraction, rule, tau: how HTLs are found.
        tables: as from :func:`analysis.study.analyse`; a table that is absent leaves out its part.
        warnings: sentences about what is missing or undefined.
        gallery: HTLs, largest drop first.
        provenance: label -> text, in order.
        alpha: level of the tests.
    """

    study: str
    setting: str
    method: str
    prune_fraction: float
    rule: str
    tau: float
    tables: Mapping[str, pd.DataFrame]
    warnings: Sequence[str] = ()
    gallery: Sequence[GalleryRow] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    alpha: float = 0.05
