"""What goes wrong when an image file is decoded, in one line that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import UnidentifiedImageError

from prunecxr.errors import UserError


class UndecodableImage(UserError):
    """One image file that cannot be turned into pixels. The message names the file and the reason."""


@contextmanager
def decoding(path: Path, kinds: str) -> Iterator[None]:
    """Turn whatever a decoder raises into an `UndecodableImage` that names the file.

    Args:
        kinds: the kinds of file that are read, for the message.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise UndecodableImage(f"{path}: not a {kinds} file, or damaged at its beginning") from error
    except OSError as error:
        raise UndecodableImage(f"{path}: {error.strerror or _one_line(error)}") from error
    except Exception as error:  # decoders raise anything on damaged files: SyntaxError, struct.error, IndexError ...
        raise UndecodableImage(f"{path}: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
