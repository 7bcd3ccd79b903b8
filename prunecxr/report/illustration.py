"""Sections -> figures that are drawn once, each with its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from prunecxr.report.section import F, Section
from prunecxr.report.style import as_png, as_svg


@dataclass(frozen=True)
class Illustration:
    """One figure.

    Attributes:
        name: of its files.
        caption: the sentence that it supports.
        alt: what it shows, for those who cannot see it.
        figure: matplotlib figure.
        svg: the figure as SVG.
    """

    name: str
    caption: str
    alt: str
    figure: Figure
    svg: bytes

    @property
    def png(self) -> bytes:
        """The same figure as PNG; drawn on each call."""
        return as_png(self.figure)


def illustrate(sections: Sequence[Section[F]], findings: F) -> list[Illustration]:
    """Every figure that the findings have data for, in the order of the sections."""
    figures = ((section, section.draw(findings)) for section in sections)
    return [
        Illustration(section.name, section.caption(findings), section.alt(findings), figure, as_svg(figure))
        for section, figure in figures
        if figure is not None
    ]
