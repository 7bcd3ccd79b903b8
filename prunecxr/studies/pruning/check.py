"""Check a data set, build its cache, and log what it holds."""

from __future__ import annotations

from prunecxr.studies.pruning import material
from prunecxr.studies.pruning.config import Config
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import digest
from prunecxr.work.once import Once, Step


def check_data(store: Store, config: Config) -> None:
    """Print and log the counts of every class and split, the warnings, and the content's fingerprints."""
    data = material.prepare(config)
    counts = data.counts()

    def make(run: TrackedRun) -> None:
        with run.files() as folder:
            counts.to_csv(folder / "class_counts.csv", index=False)
            (folder / "warnings.txt").write_text("\n".join(data.dataset.warnings), encoding="utf-8")
        run.log_new_params({names.fingerprint_param(split): value for split, value in data.fingerprints.items()})

    step = Step(
        kind="data",
        identity={names.KEY: digest(data.fingerprints), names.STUDY: config.study},
        name=f"data {data.dataset.name}",
        make=make,
        tags={names.DATASET: data.dataset.name},
        adopt=True,
    )
    run = Once(store).do(step)
    runs.claim_invocation(store, "data", config.study, None, run.id)
    print(f"data set {data.dataset.name}")
    print(counts[["class", *(f"{split}_count" for split in material.SPLITS)]].to_string(index=False))
    for split in material.SPLITS:
        table = getattr(data.dataset, split).table
        print(
            f"{split}: {len(table):,} images of {len(set(table.subjects)):,} patients, {data.fingerprints[split][:16]}"
        )
    for warning in data.dataset.warnings:
        print(f"warning: {warning}")
