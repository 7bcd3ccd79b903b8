"""Write forms for readers: each a blinded set of PIEs and other images with their labels and three questions."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.readers.options import Draw

DECLARATION = Declaration(
    name="reader_export",
    summary="Write forms for readers: each a blinded set of PIEs and other images, their labels, and three questions.",
    example="-P study=demo -P readers=2",
    own=Draw,
    takes=("study", "images", "labels"),
    recipe="",
    kinds=KINDS,
)


def command() -> None:
    own, given = parse(DECLARATION)
    if not given["study"] and not given["recipe"]:
        raise UserError("option study is missing: give the name of an analysed study")
    from prunecxr.studies.readers.forms import export_forms
    from prunecxr.tracking.store import open_store

    export_forms(open_store(), own, given)


if __name__ == "__main__":
    cli.run(command)
