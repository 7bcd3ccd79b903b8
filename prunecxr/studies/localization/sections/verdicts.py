"""What a question that several tests answer comes to."""

from __future__ import annotations

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, OPPOSITE, YES

MIXED = "mixed"  # shown in both directions


def state_of(more: int, less: int, tested: int) -> str:
    """The state of a question that several tests answer.

    Args:
        more, less: tests that show either direction, after Holm.
        tested: how many there were.
    """
    if not tested:
        return CANNOT_BE_TOLD
    if more and less:
        return MIXED
    return YES if more else OPPOSITE if less else NOT_SHOWN
