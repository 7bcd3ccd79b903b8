"""Check the answers that readers returned, and compare PIEs with other images."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.readers.options import Answers

DECLARATION = Declaration(
    name="reader_import",
    summary="Check the answers that readers returned, and compare PIEs with other images.",
    example="-P study=demo -P answers=returned",
    own=Answers,
    takes=(),
    recipe=None,
    kinds=KINDS,
)


def command() -> None:
    own, _ = parse(DECLARATION)
    if not own.study and not own.export_run:
        raise UserError("option study is missing: give the name of the study, or export_run")
    from prunecxr.studies.readers.forms import import_answers
    from prunecxr.tracking.store import open_store

    import_answers(open_store(), own)


if __name__ == "__main__":
    cli.run(command)
