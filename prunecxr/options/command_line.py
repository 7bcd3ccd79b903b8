"""The command line of an entry point: flags in, texts out."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from prunecxr.errors import UserError
from prunecxr.options.recipe import suggest
from prunecxr.options.sections import Section, options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def parse_arguments(
    description: str | None,
    own: dict[str, str],
    argv: Sequence[str] | None = None,
    *,
    model: type[Section] | None = None,
    leave_out: Sequence[str] = (),
) -> dict[str, str]:
    """Read a command line whose options are texts; options that were not given come back empty.

    Args:
        description: what the command does, for --help.
        own: options of this entry point alone, name -> help text.
        argv: the arguments; default those of the process.
        model: a configuration whose options are admitted, too.
        leave_out: those of them that are not.
    Raises:
        UserError: an option that does not exist (with the closest that does), or one without its value.
    """
    parser = _Parser(description=description, allow_abbrev=False)
    known = dict(own)
    if model is not None:
        known |= {name: text for name, (_, text) in options(model).items() if name not in {*own, *leave_out}}
    for name, text in known.items():
        parser.add_argument(f"--{name}", default="", metavar="VALUE", help=text.replace("%", "%%"))
    arguments, unknown = parser.parse_known_args(_joined(sys.argv[1:] if argv is None else argv))
    if unknown:
        name = unknown[0].lstrip("-").partition("=")[0]
        raise UserError(f"unknown option {name}{suggest(name, list(known))}; --help lists the options")
    return {name: str(getattr(arguments, name)).strip() for name in known}


def _joined(argv: Sequence[str]) -> list[str]:
    """`--name value` as `--name=value`: argparse would take a value like `-1:0` for an option."""
    joined: list[str] = []
    for token in argv:
        if joined and re.fullmatch(r"--\w+", joined[-1]) and not token.startswith("--"):
            joined[-1] += f"={token}"
        else:
            joined.append(token)
    return joined
