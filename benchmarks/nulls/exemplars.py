"""How often PIEs are said to hold a class more often because of pruning, where it is not so, and where it is.

    python benchmarks/nulls/exemplars.py                      # 400 and 2,000 images, 3 and 10 seeds; some minutes
    python benchmarks/nulls/exemplars.py --repetitions 20     # quicker, coarser

Populations are drawn: long-tailed labels of patients with several images, networks that find rare classes harder, and
between the seeds noise that is larger on rare positives, so that two dense populations alone disagree on rare classes.
*Null*: fresh dense networks stand in place of the pruned ones; whatever is claimed is false, and the excess is 1 in
every class. *Effect*: pruned networks lose a share of what tells the rarer half of the classes.
*Unrelated*: PIEs are drawn at random, by patient, so that no class is more frequent among them.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the package of this checkout, installed or not

from prunecxr.studies.pruning.analysis.exemplar_ratios import pie_ratios
from prunecxr.studies.pruning.analysis.exemplar_tables import ExemplarOptions, exemplar_tables
from prunecxr.studies.pruning.analysis.exemplar_verdict import OPPOSITE, YES, pies_enriched

CLASSES = 14
LOST = 0.8  # share of the evidence for a rare class that pruned networks lose under the effect


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        images: of the test split.
        seeds: networks of either population.
        lost: share of the evidence for the rarer half of the classes that pruning takes; 0 under the null.
        shift: SD over networks of a shift of a whole class, in logits.
    """

    images: int
    seeds: int
    lost: float = 0.0
    shift: float = 0.3


@dataclass(frozen=True)
class Calibration:
    """Shares of studies and of classes; each with the number that it is a share of.

    Attributes:
        yes, opposite: studies whose verdict is so.
        coverage: 95% intervals of the excess that hold 1, of classes with enough images.
        naive: studies in which some class's 95% interval of the plain ratio excludes 1 upwards.
        power: affected classes (with enough images) that the verdict names.
        studies, intervals: how many there were.
    """

    yes: float
    opposite: float
    coverage: float
    naive: float
    power: float
    studies: int
    intervals: int


def draw_labels(rng: np.random.Generator, images: int) -> pd.DataFrame:
    """Long-tailed labels of patients with some four images each; the last class is 'No Finding'."""
    patient = np.sort(rng.integers(images // 4, size=images))
    burden = rng.normal(0, 0.7, patient.max() + 1)[patient]
    logits = np.linspace(-1.4, -3.6, CLASSES - 1) + burden[:, None]
    truth = rng.random((images, CLASSES - 1)) < 1 / (1 + np.exp(-logits))
    table = pd.DataFrame(truth.astype(int), columns=[f"Finding {i + 1}" for i in range(CLASSES - 1)])
    table["No Finding"] = (~truth.any(axis=1)).astype(int)
    table.insert(0, "id", [f"i{i:06d}" for i in range(images)])
    table.insert(1, "subject_id", [f"p{p}" for p in patient])
    return table


class Networks:
    """Populations of networks on the same images."""

    def __init__(self, rng: np.random.Generator, truth: np.ndarray, shift: float) -> None:
        """Args: truth: 0/1, shape (n_images, n_classes); shift: see :class:`Setting`."""
        self._rng, self._truth, self._shift = rng, truth, shift
        share = truth.mean(axis=0).clip(1e-3, 1 - 1e-3)
        self._prior = np.log(share / (1 - share))
        self.rarity = np.argsort(np.argsort(-share)) / (CLASSES - 1)
        self._shared = 0.7 * rng.normal(size=truth.shape)

    def draw(self, seeds: int, lost: np.ndarray | float = 0.0) -> xr.DataArray:
        """Probabilities of fresh networks, dims (seed, image, class); ``lost`` is a share by class."""
        rng, shape = self._rng, self._truth.shape
        networks = np.empty((seeds, *shape), np.float32)
        evidence = (2.5 - self.rarity) * (1 - lost)
        for network in networks:
            own = rng.normal(size=shape) * (0.35 + self._truth * (0.4 + self.rarity)) * np.exp(rng.normal(0, 0.3))
            by_class = self._shift * rng.normal(size=CLASSES)
            network[:] = 1 / (1 + np.exp(-(self._prior + evidence * self._truth + self._shared + own + by_class)))
        return xr.DataArray(networks, dims=("seed", "image", "class"), coords={"seed": range(seeds)})


def calibrate(setting: Setting, repetitions: int, seed: int = 0, options: ExemplarOptions | None = None) -> Calibration:
    """The analysis of PIEs on studies whose truth is known."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(repetitions):
        labels = draw_labels(rng, setting.images)
        networks = Networks(rng, labels.iloc[:, 2:].to_numpy(), setting.shift)
        affected = networks.rarity > 0.5
        pruned = networks.draw(setting.seeds, setting.lost * affected)
        tables = exemplar_tables(labels, networks.draw(setting.seeds), pruned, options).tables
        rows.append(_judged(tables, labels.columns[2:][affected & (setting.lost > 0)]))
    sums = pd.DataFrame(rows).sum()
    return Calibration(
        yes=sums["yes"] / repetitions,
        opposite=sums["opposite"] / repetitions,
        coverage=sums["covered"] / sums["intervals"],
        naive=sums["naive"] / repetitions,
        power=sums["named"] / sums["affected"] if sums["affected"] else float("nan"),
        studies=repetitions,
        intervals=int(sums["intervals"]),
    )


def _judged(tables: dict[str, pd.DataFrame], affected: pd.Index) -> dict[str, int]:
    """What one study claims."""
    verdict = pies_enriched(tables)
    null, ratios = (tables[name].query("group == 'class'") for name in ("pie_null", "pie_ratios"))
    enough = null[~null["few"] & null["low"].notna()]
    there = enough[enough["value"].isin(affected)]
    return {
        "yes": int(verdict.state == YES),
        "opposite": int(verdict.state == OPPOSITE or bool(verdict.less)),
        "covered": int(((enough["low"] <= 1) & (enough["high"] >= 1)).sum()),
        "intervals": len(enough),
        "naive": int((ratios["low"] > 1).any()),
        "affected": len(there),
        "named": int(there["value"].isin(verdict.more).sum()),
    }


def unrelated(images: int, repetitions: int, seed: int = 0) -> tuple[float, float]:
    """Shares of studies in which PIEs drawn at random seem to hold some class more or less often than other images.

    PIEs come by patient: some patients have many. Returns the share by single 95% intervals, and by simultaneous ones.
    """
    rng = np.random.default_rng(seed)
    claims = []
    for _ in range(repetitions):
        labels = draw_labels(rng, images)
        codes = labels["subject_id"].factorize()[0]
        score = rng.normal(size=codes.max() + 1)[codes] + rng.normal(size=images)
        order = np.argsort(score, kind="stable")
        table = labels.assign(agreement=score, is_pie=np.isin(np.arange(images), order[: images // 20]))
        rows = pie_ratios(table, list(labels.columns[2:])).query("group == 'class'")
        rows = rows[~rows["few"]]
        single = (rows["low"] > 1) | (rows["high"] < 1)
        joint = (rows["adjusted_low"] > 1) | (rows["adjusted_high"] < 1)
        claims.append([single.any(), joint.any()])
    single_share, joint_share = np.mean(claims, axis=0)
    return float(single_share), float(joint_share)


SETTINGS = tuple(
    Setting(images, seeds, lost, shift)
    for images in (400, 2_000)
    for seeds in (3, 10)
    for lost, shift in ((0.0, 0.3), (0.0, 1.0), (LOST, 0.3))
)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--repetitions", type=int, default=200)
    given = parse.parse_args()
    print("| images | seeds | lost | shift | yes | opposite | coverage of 1 | plain ratio > 1 | power | studies |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        one = calibrate(setting, given.repetitions)
        print(
            f"| {setting.images:,} | {setting.seeds} | {setting.lost:g} | {setting.shift:g} | {one.yes:.3f} | "
            f"{one.opposite:.3f} | {one.coverage:.3f} | {one.naive:.2f} | {one.power:.2f} | {one.studies} |",
            flush=True,
        )
    print(
        "\n| images | PIEs unrelated to labels: claims by single intervals | by simultaneous intervals |\n|---|---|---|"
    )
    for images in (400, 2_000):
        single, joint = unrelated(images, given.repetitions)
        print(f"| {images:,} | {single:.3f} | {joint:.3f} |", flush=True)


if __name__ == "__main__":
    main()
