"""Check the answers that readers returned, and compare PIEs with other images."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse_arguments


def command() -> None:
    own = {
        "answers": "folder with the returned files (.json or .csv), or files, separated by commas; required",
        "study": "name of the study; required unless export_run is given",
        "export_run": "id of the run that wrote the forms; default the study's newest",
        "allow_missing": "true: import incomplete answers, too; default false",
    }
    given = parse_arguments(__doc__, own, model=None)
    if not given["answers"]:
        raise UserError("option answers is missing: give the folder with the files that readers returned")
    if not given["study"] and not given["export_run"]:
        raise UserError("option study is missing: give the name of the study, or export_run")
    from prunecxr.studies.readers.forms import import_answers
    from prunecxr.tracking.store import open_store

    import_answers(open_store(), given)


if __name__ == "__main__":
    cli.run(command)
