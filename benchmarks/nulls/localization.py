"""How often each verdict of a localization study claims something where there is nothing, and finds what there is.

    python benchmarks/nulls/localization.py --repeats=200

Studies are drawn, not trained: the scores of single images are simulated, and the report's own tables and answers
follow from them. Patients and seeds both vary. An effect of 0 is the null; beside it stands how often an effect is
found.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the package of this checkout, installed or not

from benchmarks.common import table
from prunecxr.analysis.association import holm
from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN
from prunecxr.report.section import Answer
from prunecxr.studies.localization.analysis import groups, htl, regions
from prunecxr.studies.localization.sections.answers import costliest, finetuning, people, planted
from prunecxr.studies.localization.sections.answers import regions as regions_answer
from prunecxr.studies.localization.sections.findings import HtlFindings

SILENT = (NOT_SHOWN, CANNOT_BE_TOLD)
ARMS = ("plain", "random", "all", "lowest_iou", "mixed")
METHODS = ("random", "magnitude", "magnitude@channel")


def foreground_loses_more(rng: np.random.Generator, n_seeds: int, n_images: int, effect: float = 0.0) -> str:
    """The verdict where both regions lose the same share above a mask that marks nothing, in expectation.

    Args:
        effect: by how much more the foreground loses, relative to the background.
    """
    fractions, area = (0.25, 0.5, 0.75), rng.beta(2, 8, n_images)
    floor = np.stack([1 - area, np.zeros(n_images)], axis=1)
    known = rng.beta(12, 3, (1, n_images, 2)) * (1 + 0.02 * rng.standard_normal((n_seeds, n_images, 2))).clip(0.9, 1)
    dense = floor + known * (1 - floor)
    iou = np.empty((n_seeds, 1 + len(fractions), n_images, 2))
    iou[:, 0] = dense
    by_image = 0.3 * rng.standard_normal((1, n_images, 2))
    by_seed = 0.15 * rng.standard_normal((n_seeds, 1, 2))
    for position, fraction in enumerate(fractions, 1):
        noise = 0.2 * rng.standard_normal((n_seeds, n_images, 2))
        lost = 0.6 * fraction * (1 + by_image + by_seed + noise) * np.array([1, 1 + effect])
        iou[:, position] = floor + (1 - lost) * (dense - floor)
    scores = xr.DataArray(
        iou,
        dims=("seed", "fraction", "image", "region"),
        coords={"seed": np.arange(n_seeds), "fraction": [0.0, *fractions], "region": list(htl.REGIONS)},
    )
    found = regions.effect(scores, 100, floor=floor)
    return _state(regions_answer.answer, {"effect": found})


def htl_help(rng: np.random.Generator, n_seeds: int, n_images: int, effect: float = 0.0) -> str:
    """The verdict where arms differ by seed and by patient, but not in expectation.

    Args:
        effect: foreground IoU that fine-tuning on HTLs adds.
    """
    image, seed = 0.15 * rng.standard_normal((1, n_images, 1)), 0.01 * rng.standard_normal((n_seeds, 1, 1))
    images = {}
    for arm in (*ARMS, "htl"):
        own = 0.05 * rng.standard_normal((1, n_images, 1)) + 0.01 * rng.standard_normal((n_seeds, 1, 1))
        noise = 0.05 * rng.standard_normal((n_seeds, n_images, len(htl.MEASURED)))
        images[arm] = 0.7 + image + seed + own + noise + (effect if arm == "htl" else 0)
    found = htl.paired(images, dict.fromkeys(images, range(n_seeds)), 100)
    return _state(finetuning.answer, {"paired": found})


def costliest_method(rng: np.random.Generator, n_seeds: int, n_images: int, effect: float = 0.0) -> str:
    """The verdict where pruning methods differ by seed and by patient, but not in expectation.

    Args:
        effect: foreground IoU that one method costs more than the others.
    """
    images = {}
    for fraction in (0.2, 0.7):
        for method in METHODS:
            own = 0.05 * rng.standard_normal((1, n_images)) + 0.02 * rng.standard_normal((n_seeds, 1))
            scores = 0.6 + own + 0.1 * rng.standard_normal((n_seeds, n_images))
            images[method, fraction] = (range(n_seeds), scores - (effect if method == "random" else 0))
    rows = [
        {"method": method, "fraction": fraction, "foreground": float(scores.mean())}
        for (method, fraction), (_, scores) in images.items()
    ]
    return _state(costliest.answer, {"ablation_tests": htl.ablation_tests(images), "ablation": pd.DataFrame(rows)})


def groups_differ(rng: np.random.Generator, n_seeds: int, n_images: int, effect: float = 0.0) -> str:
    """The verdict where sex and age have nothing to do with drops; images of a patient are alike.

    Args:
        effect: by how many standard deviations women's images lose more.
    """
    patient = np.arange(n_images) // 3
    n = patient[-1] + 1
    sex, age = rng.choice(["female", "male"], n), rng.choice(["≤30", "31–50", ">50"], n)
    hardness = (rng.standard_normal(n) + effect * (sex == "female"))[patient] + rng.standard_normal(n_images)
    drop = hardness + 0.5 * rng.standard_normal((n_seeds, n_images))
    is_htl = drop > np.quantile(drop, 0.8)
    tests = []
    for variable, group in (("sex", sex), ("age", age)):
        tested = groups.group_tests(group[patient], is_htl, drop, draws=500, subjects=patient.astype(str))
        tests.append(tested.assign(variable=variable))
    found = pd.concat(tests, ignore_index=True)
    empty = pd.DataFrame(columns=["variable", "group", "excess"])
    return _state(people.answer, {"group_tests": found.assign(p_holm=holm(found["p"].to_numpy())), "groups": empty})


def planted_found(rng: np.random.Generator, n_seeds: int, n_images: int, effect: float = 0.0) -> str:
    """The verdict where images are called hard by a draw; seeds agree on their HTLs.

    Args:
        effect: by how many standard deviations hard images lose more.
    """
    hard = rng.random(n_images) < 0.2
    drop = rng.standard_normal(n_images) + effect * hard + 0.3 * rng.standard_normal((n_seeds, n_images))
    found = groups.planted(hard, drop > np.quantile(drop, 0.85), range(n_seeds))
    return _state(planted.answer, {"planted": found})


# Answer -> (one simulated study's state, the effect that it should find).
NULLS: dict[str, tuple[Callable[..., str], float]] = {
    "foreground_loses_more": (foreground_loses_more, 0.8),
    "htl_help": (htl_help, 0.05),
    "costliest_method": (costliest_method, 0.15),
    "groups_differ": (groups_differ, 1.0),
    "planted_found": (planted_found, 1.0),
}


def claim_rate(
    verdict: str, effect: float, repeats: int, n_seeds: int = 3, n_images: int = 120, seed: int = 0
) -> float:
    """How often a verdict claims anything, whichever way, in simulated studies."""
    study, rng = NULLS[verdict][0], np.random.default_rng(seed)
    return sum(study(rng, n_seeds, n_images, effect) not in SILENT for _ in range(repeats)) / repeats


def rows(repeats: int, sizes: tuple[tuple[int, int], ...]) -> list[tuple[str, ...]]:
    """The cells of the printed table: verdict, seeds, images, false claims, claims under the effect."""
    found = []
    for verdict, (_, effect) in NULLS.items():
        for n_seeds, n_images in sizes:
            rates = [claim_rate(verdict, size, repeats, n_seeds, n_images) for size in (0.0, effect)]
            error = np.sqrt(0.05 * 0.95 / repeats)
            cells = (f"{rates[0]:.1%} (± {1.96 * error:.1%} at 5%)", f"{rates[1]:.0%} at {effect:g}")
            found.append((f"`{verdict}`", str(n_seeds), str(n_images), *cells))
    return found


def _state(answer: Callable[[HtlFindings], Answer | None], tables: dict[str, pd.DataFrame]) -> str:
    given = answer(HtlFindings("drawn", "supervised", "magnitude", 0.7, "relative", 0.4, tables))
    assert given is not None  # its table is there
    return given.state


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, help="simulated studies behind each rate")
    parser.add_argument("--sizes", default="3x120,10x120", help="seeds x images, as in 3x120,10x120")
    given = parser.parse_args()
    sizes = tuple((int(one), int(other)) for one, other in (text.split("x") for text in given.sizes.split(",")))
    print(table(("verdict", "seeds", "images", "false claims", "claims under an effect"), rows(given.repeats, sizes)))


if __name__ == "__main__":
    main()
