"""Write forms for readers: each a blinded set of PIEs and other images with their labels and three questions."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse_arguments


def command() -> None:
    own = {
        "study": "name of the study; required unless the recipe names it",
        "readers": "number of readers; default 6",
        "images_per_reader": "images of each reader, half of them PIEs; default 40",
        "reader_seed": "seed of the draw; default 0",
        "longest_side": "shrink larger images to this many pixels; default: the size of their files",
        "recipe": "YAML file with options; default those of the study",
        "images": "folder that holds the images; default that of the study",
        "labels": "label tables that go with it; without them, images are found by their ids alone",
    }
    given = parse_arguments(__doc__, own, model=None)
    if not given["study"] and not given["recipe"]:
        raise UserError("option study is missing: give the name of an analysed study")
    from prunecxr.studies.readers.forms import export_forms
    from prunecxr.tracking.store import open_store

    export_forms(open_store(), given)


if __name__ == "__main__":
    cli.run(command)
