"""The options of the reader study's commands."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from prunecxr.options.sections import Section
from prunecxr.options.types import InputPaths, Whole

AS_THEY_ARE = 0


def _check_side(pixels: int) -> int:
    if pixels != AS_THEY_ARE and not 64 <= pixels <= 10_000:
        raise ValueError("input should be 64 to 10000 pixels, or 0 for the size of the files")
    return pixels


class Draw(Section):
    """How many images are drawn for whom, and how large they are shown; defaults are the paper's where it has one."""

    readers: Whole = Field(6, ge=1, le=99, description="number of readers")
    images_per_reader: Whole = Field(40, ge=2, le=1000, description="images of each reader, half of them PIEs")
    reader_seed: Whole = Field(0, ge=0, le=2**32 - 1, description="seed of the draw")
    longest_side: Annotated[Whole, AfterValidator(_check_side)] = Field(
        AS_THEY_ARE, description="shrink larger images to this many pixels, 64 to 10000; 0: the size of their files"
    )


class Answers(Section):
    """Which answers are read, and to which forms."""

    answers: InputPaths = Field(
        description="folder with the returned files (.json or .csv), or files, separated by commas"
    )
    study: str = Field("", description="name of the study; required unless export_run is given")
    export_run: str = Field("", description="id of the run that wrote the forms; default the study's newest")
    allow_missing: bool = Field(False, description="import incomplete answers, too")
