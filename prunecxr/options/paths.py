"""Paths among the options: `~`, and where a relative one is looked for.

`mlflow run` changes into the project's folder before it starts a command. What a user names relative to the folder
that they called from is looked for there first, then in the project.
"""

from __future__ import annotations

import os
from pathlib import Path

SHELLS = {"bash", "sh", "dash", "zsh"}  # between `mlflow run` and its command


def expanded(text: str | Path) -> Path:
    """The path with `~` and `~name` replaced by that user's home.

    Raises:
        ValueError: there is no such user, or no path could have that name.
    """
    path = Path(text)
    if "\0" in str(path):
        raise ValueError("a path holds no character of code 0")
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"no home folder is known of {path.parts[0]!r}; give the path without ~") from None


def caller_folder() -> Path:
    """The folder in which the user called: the working folder, or that of the `mlflow run` that started this process.

    MLflow leaves no word of it: the shell that it starts overwrites PWD. Linux tells the working folder of every
    process; elsewhere it is taken to be the project's, which is where `mlflow run .` is called.
    """
    here = Path.cwd()
    if "MLFLOW_RUN_ID" not in os.environ:
        return here
    process = os.getppid()
    try:
        while _name(process) in SHELLS:
            process = _parent(process)
        return Path(f"/proc/{process}/cwd").readlink()
    except (OSError, ValueError):
        return here


def from_caller(text: str | Path) -> Path:
    """A path of the command line that must exist: as it is where the user called, else in the project.

    Raises:
        ValueError: see :func:`expanded`; or it is in neither of two folders.
    """
    path, caller, here = expanded(text), caller_folder(), Path.cwd()
    if path.is_absolute() or caller == here:
        return path
    if (caller / path).exists():
        return caller / path
    if path.exists():
        return path
    raise ValueError(f"there is no {path} in {caller}, where the command was called, nor in {here}")


def made_for_caller(text: str | Path) -> Path:
    """A path of the command line that is made if need be: as it is where the user called, or in the project if there.

    Raises:
        ValueError: see :func:`expanded`.
    """
    path, caller = expanded(text), caller_folder()
    if path.is_absolute() or caller == Path.cwd() or (path.exists() and not (caller / path).exists()):
        return path
    return caller / path


def _name(process: int) -> str:
    return Path(f"/proc/{process}/comm").read_text(encoding="utf-8", errors="replace").strip()


def _parent(process: int) -> int:
    """The parent's id is the second field after the name, which stands in brackets and may hold anything."""
    status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    return int(status.rpartition(")")[2].split()[1])
