"""How often every verdict is wrong where there is nothing to find, and how often intervals hold what they should.

    python -m benchmarks.calibration                                   # all of it; hours at the largest size
    python -m benchmarks.calibration --sizes 400x3,400x10 --studies 200 --largest 0
    python -m benchmarks.calibration --page docs/validity.md           # rewrites its section of the page, too

Verdicts on scales come from `nulls/scales.py`, on pairs of classes from `nulls/pairs.py`, on PIEs from
`nulls/exemplars.py`, on groups and operating points from `nulls/clinical.py`, on lesions from `nulls/localization.py`;
each can be run by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

sys.path.insert(0, str(Path(__file__).parent))  # common is a neighbour, however this is started

from common import circumstances, parser, rewrite, table
from drawn import CLASSES, Predictions, draw_labels

from benchmarks.nulls import clinical, exemplars, localization, pairs, populations, scales
from prunecxr.studies.pruning.analysis.by_scale import ScaleOptions, by_scale
from prunecxr.studies.pruning.analysis.rankings import measure
from prunecxr.studies.pruning.sections.answers import first_forgotten, most_forgotten, rare_classes, safe
from prunecxr.studies.pruning.sections.findings import Findings

PACKAGES = ("prunecxr", "numpy", "scipy", "pandas")
PARTS = ("populations", "scales", "pairs", "exemplars", "clinical", "localization")


def of_populations(seeds: int = 5) -> str:
    """What the report says of two populations of the paper's test split: one with an effect put in, and one without."""
    labels = draw_labels(21_081)
    truth = labels[list(CLASSES)].to_numpy(np.float32)
    sparsities = (0.0, 0.5, 0.7, 0.8, 0.9)
    drawn = Predictions(truth)
    effect = np.stack([np.stack(drawn.of_seed(seed, sparsities)) for seed in range(seeds)])
    alike = populations.draw(
        np.random.default_rng(0), truth.sum(axis=0), np.linspace(1, 0.5, 3)[:, None] * np.ones(len(CLASSES)),
        images=len(truth), seeds=seeds, per_patient=4,
    )  # fmt: skip
    worlds = {
        "rare classes break first (`benchmarks/drawn.py`)": (_labelled(effect, sparsities), labels),
        "every class keeps 75, then 50% of its d′": (alike.predictions, alike.labels),
    }
    return "\n\n".join(f"**{name}**\n\n{_told(*world)}" for name, world in worlds.items())


def _labelled(stack: np.ndarray, sparsities: tuple[float, ...]) -> xr.DataArray:
    coords = {"seed": range(len(stack)), "sparsity": list(sparsities), "class": list(CLASSES)}
    return xr.DataArray(stack, dims=("seed", "sparsity", "image", "class"), coords=coords)


def _told(predictions: xr.DataArray, labels: pd.DataFrame) -> str:
    """The report's sentences on the scales."""
    rankings = measure(predictions, labels)
    counts = rankings.positives.astype(float)
    findings = Findings("drawn", by_scale(rankings, predictions, labels, counts, ScaleOptions(null=100)))
    answers = [one.answer(findings) for one in (safe, first_forgotten, most_forgotten, rare_classes)]
    lines = [f"- {one.question} **{one.verdict}** `{one.state}`" for one in answers if one is not None]
    return "\n".join([*lines, "", "Behind the last: " + (answers[-1].evidence if answers[-1] else "")])


def of_scales(sizes: list[tuple[int, int]], studies: int, largest: int) -> str:
    """Every size is a column; the largest number of images has fewer studies."""
    columns = {}
    for images, seeds in sizes:
        count = largest if images > 5_000 else studies
        if count:
            print(f"scales, {images} images, {seeds} seeds, {count} studies", file=sys.stderr, flush=True)
            columns[f"{images:,} images, {seeds} seeds, {count} studies"] = scales.calibrate(
                images, seeds, count
            ).set_index("what")
    names = list(dict.fromkeys(name for one in columns.values() for name in one.index))
    rows = [[name.strip(), *(_share(one, name) for one in columns.values())] for name in names]
    return table(["", *columns], rows)


def of_exemplars(studies: int) -> str:
    """Fresh dense networks in place of the pruned ones, and networks that lose rare classes."""
    rows = []
    for images, seeds in ((400, 3), (400, 10), (2_000, 3)):
        for lost in (0.0, exemplars.LOST):
            one = exemplars.calibrate(exemplars.Setting(images, seeds, lost), studies)
            rows.append(
                [f"{images:,}", seeds, f"{lost:g}", f"{one.yes:.3f}", f"{one.opposite:.3f}",
                 f"{one.coverage:.3f}" if not lost else "", f"{one.naive:.2f}", studies]
            )  # fmt: skip
    return table(
        [
            "images",
            "seeds",
            "lost by rare classes",
            "yes",
            "opposite",
            "coverage of 1",
            "plain ratio above 1",
            "studies",
        ],
        rows,
    )


def of_pairs(labels: Path, studies: int) -> str:
    """Curves that follow nothing, frequency alone, or co-occurrence."""
    if not labels.is_file():
        return f"Left out: no label table at {labels} (option --labels)."
    given, rows = pairs.read_labels(labels), []
    for effect in pairs.EFFECTS:
        rates = pairs.pair_null_rates(given, studies, effect)
        states = rates.verdicts.pivot_table(index="question", columns="state", values="share", fill_value=0.0)
        rows += [
            [effect, question, *(f"{row.get(state, 0.0):.3f}" for state in ("yes", "opposite")), studies]
            for question, row in states.iterrows()
        ]
    return table(["curves follow", "question", "yes", "opposite", "studies"], rows)


def of_clinical(studies: int) -> str:
    """Permuted groups, and a group that loses more."""
    rows = []
    for images, seeds in ((400, 3), (400, 10)):
        one = clinical.rates(images, seeds, studies)
        rates = (one.false_claims, one.power, one.gap_coverage, one.sensitivity_coverage)
        rows.append([f"{images:,}", seeds, *(f"{rate:.3f}" for rate in rates), studies])
    return table(["images", "seeds", "false claims", "power", "gaps covered", "sensitivities covered", "studies"], rows)


def of_localization(studies: int) -> str:
    """Both regions alike, arms alike, groups permuted."""
    header = ("verdict", "seeds", "images", "false claims", "claims under an effect")
    return table(header, localization.rows(studies, ((3, 120), (10, 120))))


def _share(one: object, name: str) -> str:
    if name not in one.index:
        return ""
    row = one.loc[name]
    return f"{row['share']:.3f} ± {row['error']:.3f}"


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--sizes", default="400x3,400x10,400x30,21081x3,21081x10,21081x30", help="images x seeds")
    parse.add_argument("--studies", type=int, default=200, help="simulated studies behind a rate")
    parse.add_argument("--largest", type=int, default=40, help="the same above 5,000 images")
    parse.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parse.add_argument("--labels", type=Path, default=pairs.LABELS, help="label table for the pairs of classes")
    given = parse.parse_args()
    sizes = [tuple(map(int, text.split("x"))) for text in given.sizes.split(",")]
    made = {
        "populations": of_populations,
        "scales": lambda: of_scales(sizes, given.studies, given.largest),
        "pairs": lambda: of_pairs(given.labels, given.studies),
        "exemplars": lambda: of_exemplars(given.studies),
        "clinical": lambda: of_clinical(given.studies),
        "localization": lambda: of_localization(given.studies),
    }
    note = circumstances(PACKAGES, given.note)
    for name in given.parts.split(","):
        text = f"{made[name]()}\n\n{note} {given.studies} studies where nothing else is said."
        print(f"\n## {name}\n\n{text}", flush=True)
        if given.page:
            rewrite(given.page, name, text)


if __name__ == "__main__":
    main()
