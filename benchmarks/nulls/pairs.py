"""How often tests over pairs of classes reject where there is nothing to be found, and where there is.

    python benchmarks/nulls/pairs.py --labels miccai2023_nih-cxr-lt_labels_test.csv --repetitions 200

Label tables are real, curves are drawn: a class is forgotten around a sparsity of its own, which has to do with nothing
(`unrelated`), with the class's frequency alone (`frequency`), or, at equal frequency, with what it occurs together with
(`co-occurrence`). The three prevalence-free scales are the same curve, each with noise of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the package of this checkout, installed or not

from prunecxr.studies.pruning.analysis import pair_verdicts  # noqa: E402
from prunecxr.studies.pruning.analysis.pair_tests import pair_tests  # noqa: E402
from prunecxr.studies.pruning.analysis.pairs import pairs  # noqa: E402

EFFECTS = ("unrelated", "frequency", "co-occurrence")
SPARSITIES = np.arange(20) / 20
DATA = Path(os.environ.get("PRUNECXR_TEST_DATA", ROOT / "../shared/data")).resolve()
LABELS = DATA / "nih-cxr-lt" / "miccai2023_nih-cxr-lt_labels_test.csv"
ALPHA = 0.05
SCALES = pair_verdicts.PREVALENCE_FREE
VERDICTS = (pair_verdicts.cooccurring_alike, pair_verdicts.alike_by_frequency)


class Rates(NamedTuple):
    """Shares of the repetitions.

    Attributes:
        tests: definition, x, statistic, then the share of P <= .05 on the first prevalence-free scale: naive,
            permutation, stratified (NaN where there is no such P).
        verdicts: question, state, share; in the definition 'paper'.
    """

    tests: pd.DataFrame
    verdicts: pd.DataFrame


def pair_null_rates(
    labels: pd.DataFrame, repetitions: int = 200, effect: str = "unrelated", permutations: int = 199, seed: int = 0
) -> Rates:
    """How often each test rejects and each verdict is given, over studies that differ in their curves alone.

    Args:
        labels: one 0/1 column a class, rows are test images.
        repetitions: studies.
        effect: what curves follow, one of `EFFECTS`.
        permutations: of the classes, in each test.
        seed: of curves and permutations.
    """
    rng = np.random.default_rng(seed)
    traits = _traits(labels, effect)
    found, states = [], []
    for i in range(repetitions):
        curves = dict(zip(SCALES, _curves(rng, traits, list(labels.columns)), strict=True))
        tests = pair_tests(pairs(curves, labels), permutations=permutations, seed=seed + i)
        found.append(tests[tests["scale"] == SCALES[0]])
        states += [(verdict.__name__, verdict(tests, "paper", ALPHA)) for verdict in VERDICTS]
    p = pd.concat(found).set_index(["definition", "x", "statistic"])[["naive_p", "permutation_p", "stratified_p"]]
    rejected = (p <= ALPHA).where(p.notna()).astype(float)
    rates = rejected.groupby(level=[0, 1, 2], sort=False).mean().rename(columns=lambda name: name.removesuffix("_p"))
    verdicts = pd.DataFrame(states, columns=["question", "state"]).value_counts(sort=False) / repetitions
    return Rates(rates.reset_index(), verdicts.rename("share").reset_index())


def _traits(labels: pd.DataFrame, effect: str) -> np.ndarray:
    """What the sparsity at which a class is forgotten follows, mean 0 and SD 1 over classes; shape (n_classes,)."""
    truth = labels.to_numpy(np.float64)
    together = truth.T @ truth
    count = together.diagonal()
    frequency = _standard(np.log(count))
    if effect == "frequency":
        return frequency
    if effect == "unrelated":
        return np.zeros(len(count))
    apart = 1 - (together / (count[:, None] + count - together)) ** 0.25
    # The main axis of classical scaling of the distances, of which frequency is taken away.
    centre = np.eye(len(count)) - 1 / len(count)
    axis = np.linalg.eigh(-centre @ apart**2 @ centre / 2)[1][:, -1]
    return _standard(axis - frequency * (axis @ frequency) / len(count))


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def _curves(rng: np.random.Generator, traits: np.ndarray, names: list[str]) -> list[xr.DataArray]:
    """Curves of one study on three scales, dims (class, sparsity)."""
    n = len(names)
    # Where a trait is followed at all, half of the variance is the class's own.
    own = 1.0 if not traits.any() else np.sqrt(0.5)
    middle = 0.7 + 0.08 * (np.sqrt(1 - own**2) * traits + own * rng.normal(size=n))
    width = 0.05 * np.exp(0.3 * rng.normal(size=n))
    drawn = []
    for _ in SCALES:
        at = middle + 0.02 * rng.normal(size=n)
        values = -1 / (1 + np.exp(-(SPARSITIES - at[:, None]) / width[:, None]))
        values += 0.02 * rng.normal(size=values.shape)
        drawn.append(xr.DataArray(values, dims=("class", "sparsity"), coords={"class": names, "sparsity": SPARSITIES}))
    return drawn


def read_labels(path: Path) -> pd.DataFrame:
    """The 0/1 columns of a label table."""
    table = pd.read_csv(path)
    return table.drop(columns=[name for name in ("id", "subj_id", "subject_id") if name in table])


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--labels", type=Path, default=LABELS)
    parse.add_argument("--repetitions", type=int, default=200)
    parse.add_argument("--permutations", type=int, default=199)
    parse.add_argument("--effects", nargs="+", choices=EFFECTS, default=EFFECTS)
    given = parse.parse_args()
    if not given.labels.is_file():
        print(f"left out: no label table at {given.labels} (option --labels)")
        return
    labels = read_labels(given.labels)
    for effect in given.effects:
        rates = pair_null_rates(labels, given.repetitions, effect, given.permutations)
        print(f"\n{effect}, {given.repetitions} studies, {given.permutations} permutations")
        print(rates.tests.to_string(index=False, float_format="%.3f"))
        print(rates.verdicts.to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
