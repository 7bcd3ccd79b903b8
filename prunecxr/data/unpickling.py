"""Pickled pandas tables, read without running what a stranger's pickle says. Knows no torch.

A pickle is a program: it may name any function and call it. Here it may name what a DataFrame of numbers and texts is
made of, as pandas 1.3 to 3 write it; everything else is refused by name before it is even imported.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from prunecxr.errors import UserError

# Module -> the names in it that a DataFrame needs.
_NEEDED = {
    "builtins": ("slice", "bytearray"),
    "numpy": ("dtype", "ndarray"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.numeric": ("_frombuffer",),
    "pandas": ("DataFrame", "Index", "RangeIndex", "StringDtype"),
    "pandas.arrays": ("ArrowStringArray", "StringArray"),
    "pandas.core.frame": ("DataFrame",),
    "pandas.core.indexes.base": ("Index", "_new_Index"),
    "pandas.core.indexes.range": ("RangeIndex",),
    "pandas.core.internals.managers": ("BlockManager",),
    "pandas.core.arrays.string_": ("StringArray", "StringArrayNumpySemantics", "StringDtype"),
    "pandas.core.arrays.string_arrow": ("ArrowStringArray",),
    "pandas._libs.arrays": ("__pyx_unpickle_NDArrayBacked",),
    "pandas._libs.internals": ("_unpickle_block",),
    "pyarrow.lib": ("chunked_array", "py_buffer", "type_for_alias"),
}
_MOVED_MODULES = {
    "__builtin__": "builtins",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
}
_MOVED = {
    ("pandas.core.indexes.numeric", name): ("pandas.core.indexes.base", "Index")
    for name in ("Int64Index", "UInt64Index", "Float64Index")
} | {("pandas.core.internals.blocks", "new_block"): ("pandas._libs.internals", "_unpickle_block")}


def read_pickled_table(path: Path) -> pd.DataFrame:
    """The DataFrame that a pickle holds.

    Raises:
        UserError: the pickle names something that a table does not need (nothing of it has run by then), or is no
            pickle, or holds no DataFrame.
    """
    try:
        with path.open("rb") as file:
            table = _TableUnpickler(file, path).load()
    except (UserError, OSError):
        raise
    except Exception as error:  # noqa: BLE001  a damaged pickle may raise anything
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserError(
            f"{path}: cannot be read as a pickled pandas table ({first}); if pandas older than 1.3 wrote it, save it "
            "as Parquet with an id column"
        ) from None
    if not isinstance(table, pd.DataFrame):
        raise UserError(f"{path}: holds a {type(table).__name__}, not a pandas DataFrame")
    return table


class _TableUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        place = _MOVED.get((module, name), (_MOVED_MODULES.get(module, module), name))
        if place in _REPLACED:
            return _REPLACED[place]
        if place[1] not in _NEEDED.get(place[0], ()):
            raise UserError(
                f"{self._path}: refused: {module}.{name}; a pickled table of predictions does not need it, and a "
                "pickle may run anything. If you trust the file, save it as Parquet with an id column"
            )
        return getattr(import_module(place[0]), place[1])


def _encode(text: str, encoding: str) -> bytes:
    """How bytes travel in the oldest pickles."""
    if encoding != "latin1":
        raise ValueError(f"bytes in encoding {encoding!r}")
    return text.encode("latin1")


def _restore_array(data: Any) -> pa.Array:
    """An Arrow array whose offsets are checked: made-up ones would read memory that is not its own."""
    array = pa.lib._restore_array(data)
    array.validate(full=True)
    return array


_REPLACED: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _encode,
    ("pyarrow.lib", "_restore_array"): _restore_array,
}
