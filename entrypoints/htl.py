"""A localization study: train U-Nets, prune them, find hard-to-learn images (HTLs), fine-tune on these, compare."""

from prunecxr import cli
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration, Nothing
from prunecxr.studies.configure import configure
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.localization.config import HtlConfig

DECLARATION = Declaration(
    name="htl",
    summary="A whole localization study: trains U-Nets, prunes them, finds hard-to-learn images (HTLs), fine-tunes on "
    "these, compares, and writes the report.",
    example="-P recipe=recipes/isic2017-64.yaml -P images=isic2017",
    own=Nothing,
    takes=("study", "description", "seeds", "data", "training", "finetuning", "mining", "analysis", "execution"),
    recipe="recipes/htl-demo.yaml",
    kinds=KINDS,
    works_on=("localization",),
)


def command() -> None:
    _, given = parse(DECLARATION)
    config = configure(given, DECLARATION)
    assert isinstance(config, HtlConfig)
    from prunecxr.studies.localization.study import (
        run_htl,
    )  # torch and mlflow load once the options are known to be good
    from prunecxr.tracking.store import open_store

    run_htl(open_store(), config)


if __name__ == "__main__":
    cli.run(command)
