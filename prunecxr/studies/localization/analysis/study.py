"""The whole analysis of one localization study: scores of single images in, every table of the report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.studies.localization.analysis import groups as htl_groups
from prunecxr.studies.localization.analysis import htl

PLAIN, HTL, BY_METHOD = "plain", "htl", "htl:"
SUBGROUPS = ("common",)  # first in the table of planted subgroups


@dataclass(frozen=True)
class Scores:
    """What the networks of a study scored.

    Attributes:
        seeds: of every array's first axis, unless it says otherwise.
        pool: what is known of the images that HTLs are mined from: id, subject, age, sex; phantom: hard, subgroup.
        is_htl, drop: shape (n_seeds, n_pool): the study's own HTLs, and what pruning cost: IoU of the dense network
            minus IoU of the pruned one, which is bounded (means of relative drops hang on images with hardly any IoU).
        undefined: shape (n_seeds, n_pool), bool: the dense network misses the image, a relative drop has no meaning.
        networks: approach -> (its seeds, scores of single test images, shape (n_seeds, n_test, 4), metrics as
            :data:`prunecxr.studies.localization.analysis.htl.METRICS`).
        pruned: seed, method, fraction, background, foreground: test scores of the pruned networks; 0 is the dense one.
        test_subjects: the patient of each test image.
        train_iou: IoUs of single training images with masks, dims (seed, fraction, image, region); None without masks.
        train_subjects: the patient of each of these.
    """

    seeds: tuple[int, ...]
    pool: pd.DataFrame
    is_htl: np.ndarray
    drop: np.ndarray
    undefined: np.ndarray
    networks: Mapping[str, tuple[Sequence[int], np.ndarray]]
    pruned: pd.DataFrame
    test_subjects: Sequence[str]
    train_iou: xr.DataArray | None = None
    train_subjects: Sequence[str] | None = None


@dataclass(frozen=True)
class Options:
    """What the analysis can be asked to do differently; see `prunecxr.studies.localization.config`."""

    prune_fraction: float
    effect_fractions: tuple[float, ...]
    ablation_methods: tuple[str, ...]
    ablation_fractions: tuple[float, ...]
    age_edges: tuple[int, ...] = (30, 40, 50, 60, 70)
    alpha: float = 0.05
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class HtlAnalysis:
    """Results: tables by the name of their file, and sentences about everything left out."""

    tables: dict[str, pd.DataFrame]
    warnings: list[str] = field(default_factory=list)


def analyse(scores: Scores, options: Options) -> HtlAnalysis:
    """Everything that Jaiswal et al. report of a study, and what stands beside it here.

    Returns:
        Tables `mined`, `networks` (table 2), `paired`, `ablation` (table 3), `groups` and `group_tests` (figure 6);
        with masks of training images `effect` (table 1), `drops` and `drop_histogram` (figure 2); with fine-tuning on
        the HTLs of several methods `methods` (figure 7); on the phantom `planted` and `subgroups`.
    """
    own = {name: one for name, one in scores.networks.items() if not name.startswith(BY_METHOD)}
    tables = {
        "mined": htl_groups.mined(scores.is_htl, scores.undefined, scores.seeds),
        "networks": htl.comparison(_means(scores.networks)),
        "paired": _paired(own, HTL, scores, options),
        "ablation": htl.ablation(_compared(scores.pruned, options)),
    }
    if scores.train_iou is not None:
        tables |= _effects(scores.train_iou, scores.train_subjects, options)
    if methods := _methods(scores, options):
        tables["methods"] = pd.concat(methods, ignore_index=True)
    tables |= _demographics(scores, options)
    if "hard" in scores.pool:
        tables["planted"] = htl_groups.planted(scores.pool["hard"].to_numpy(bool), scores.is_htl, scores.seeds)
        tables["subgroups"] = htl_groups.subgroups(
            scores.pool["subgroup"], scores.is_htl, options.resamples, options.seed, SUBGROUPS
        )
    return HtlAnalysis(tables, _warnings(scores, tables))


def _effects(iou: xr.DataArray, subjects: Sequence[str] | None, options: Options) -> dict[str, pd.DataFrame]:
    """Table 1 at the fractions asked for, figure 2 at the fraction that HTLs are mined with."""
    shown = [0.0, *(k for k in options.effect_fractions if k > 0)]
    before, after = (iou.sel(fraction=k).to_numpy() for k in (0.0, options.prune_fraction))
    histogram, summary = htl.drops(before, after)
    effect = htl.effect(iou.sel(fraction=shown), options.resamples, options.seed, subjects)
    return {"effect": effect, "drops": summary, "drop_histogram": histogram}


def _compared(pruned: pd.DataFrame, options: Options) -> pd.DataFrame:
    """The rows of table 3, methods in the order of the options."""
    wanted = pruned["fraction"].isin(options.ablation_fractions) & pruned["method"].isin(options.ablation_methods)
    kept = pruned[wanted | (pruned["fraction"] == 0)]
    order = {method: i for i, method in enumerate(options.ablation_methods)}
    return kept.sort_values("method", key=lambda column: column.map(order), kind="stable")


def _methods(scores: Scores, options: Options) -> list[pd.DataFrame]:
    """Figure 7: networks that were fine-tuned on the HTLs of each method, against the plain ones."""
    tuned = [name for name in scores.networks if name == HTL or name.startswith(BY_METHOD)]
    if len(tuned) < 2:
        return []
    tables = [
        _paired({name: scores.networks[name], PLAIN: scores.networks[PLAIN]}, name, scores, options) for name in tuned
    ]
    return [table.assign(approach=name) for name, table in zip(tuned, tables, strict=True)]


def _paired(
    networks: Mapping[str, tuple[Sequence[int], np.ndarray]], reference: str, scores: Scores, options: Options
) -> pd.DataFrame:
    return htl.paired(
        {name: images for name, (_, images) in networks.items()},
        {name: seeds for name, (seeds, _) in networks.items()},
        options.resamples,
        options.seed,
        scores.test_subjects,
        reference,
        options.alpha,
    )


def _means(networks: Mapping[str, tuple[Sequence[int], np.ndarray]]) -> pd.DataFrame:
    rows = [
        pd.DataFrame(images.mean(axis=1), columns=list(htl.METRICS)).assign(approach=name, seed=list(seeds))
        for name, (seeds, images) in networks.items()
    ]
    return pd.concat(rows, ignore_index=True)


def _demographics(scores: Scores, options: Options) -> dict[str, pd.DataFrame]:
    """Figure 6: sex and age, in the data and among the HTLs."""
    known = {
        "sex": (scores.pool["sex"].to_numpy(str), ("female", "male")),
        "age": (htl_groups.age_groups(scores.pool["age"], options.age_edges), htl_groups.age_names(options.age_edges)),
    }
    shares, tests = [], []
    for variable, (group, order) in known.items():
        table = htl_groups.groups(
            group, scores.is_htl, scores.drop, options.resamples, options.seed, scores.pool["subject"], order
        )
        table.insert(0, "variable", variable)
        shares.append(table)
        tested = htl_groups.group_tests(group, scores.is_htl, scores.drop, options.seed)
        tested.insert(0, "variable", variable)
        tests.append(tested)
    return {"groups": pd.concat(shares, ignore_index=True), "group_tests": pd.concat(tests, ignore_index=True)}


def _warnings(scores: Scores, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    said = []
    n = len(scores.pool)
    undefined = scores.undefined.any(axis=0).sum()
    if undefined:
        said.append(
            f"{undefined:,} of {n:,} images have no foreground IoU to lose in at least one seed, since the dense"
            " network misses them: no relative drop, and no HTL by it."
        )
    for variable in ("sex", "age"):
        rows = tables["groups"]
        unknown = rows.loc[(rows["variable"] == variable) & (rows["group"] == htl_groups.UNKNOWN), "n"].sum()
        if unknown:
            said.append(
                f"The {variable} of {unknown:,} of {n:,} images is unknown; they stand as a group of their own."
            )
    if len(scores.seeds) == 1:
        said.append("A single seed: no spread over seeds, no test over seeds.")
    return said
