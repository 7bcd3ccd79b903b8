"""The whole analysis of one localization study: scores of single images in, every table of the report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.association import holm
from prunecxr.studies.localization.analysis import groups as htl_groups
from prunecxr.studies.localization.analysis import htl, regions

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
        networks: approach -> (its seeds, scores of single test images, shape (n_seeds, n_test, 5), as
            :data:`prunecxr.studies.localization.analysis.htl.MEASURED`; NaN where a run did not measure it).
        pruned: seed, method, fraction, background, foreground: test scores of the pruned networks; 0 is the dense one.
        test_subjects: the patient of each test image.
        pruned_images: (method, fraction) -> (its seeds, foreground IoU of single test images, (n_seeds, n_test)).
        costs: seed, approach, images, steps, seconds, threshold: what each network took, and from which probability on
            it marks; NaN where its run does not say.
        test_floor, train_floor: what a mask that marks nothing scores on each image: background, foreground, and area
            of the lesion; None where the runs do not say.
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
    pruned_images: Mapping[tuple[str, float], tuple[Sequence[int], np.ndarray]] = field(default_factory=dict)
    costs: pd.DataFrame | None = None
    test_floor: pd.DataFrame | None = None
    train_floor: pd.DataFrame | None = None
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
        Tables `mined`, `networks` (table 2), `paired`, `ablation` (table 3) and `ablation_tests`, `groups` and
        `group_tests` (figure 6);
        with masks of training images `effect` (table 1), `drops` and `drop_histogram` (figure 2); with fine-tuning on
        the HTLs of several methods `methods` (figure 7); on the phantom `planted` and `subgroups`.
    """
    own = {name: one for name, one in scores.networks.items() if not name.startswith(BY_METHOD)}
    tables = {
        "mined": htl_groups.mined(scores.is_htl, scores.undefined, scores.seeds),
        "networks": _networks(scores),
        "paired": _paired(own, HTL, scores, options),
        "ablation": htl.ablation(_compared(scores.pruned, options), _mean_floor(scores.test_floor)),
        "ablation_tests": htl.ablation_tests(_tested(scores, options), scores.test_subjects, options.alpha),
    }
    if scores.train_iou is not None:
        tables |= _effects(scores, scores.train_iou, options)
    if methods := _methods(scores, options):
        table = pd.concat(methods, ignore_index=True)
        tables["methods"] = table.assign(p_holm=htl.holm_by_metric(table))
    tables |= _demographics(scores, options)
    if "hard" in scores.pool:
        tables["planted"] = htl_groups.planted(scores.pool["hard"].to_numpy(bool), scores.is_htl, scores.seeds)
        tables["subgroups"] = htl_groups.subgroups(
            scores.pool["subgroup"], scores.is_htl, options.resamples, options.seed, SUBGROUPS
        )
    return HtlAnalysis(tables, _warnings(scores, tables))


def _networks(scores: Scores) -> pd.DataFrame:
    """Table 2 with what each approach took; `lesion_area`, the true one, stands beside the area that is marked."""
    table = htl.comparison(_means(scores.networks))
    if scores.costs is not None:
        costs = scores.costs.drop(columns="seed").groupby("approach").mean()
        table = table.merge(costs, how="left", left_on="approach", right_index=True)
    area = np.nan if scores.test_floor is None else float(scores.test_floor["area"].mean())
    return table.assign(lesion_area=area)


def _effects(scores: Scores, iou: xr.DataArray, options: Options) -> dict[str, pd.DataFrame]:
    """Table 1 at the fractions asked for, figure 2 at the fraction that HTLs are mined with."""
    shown = [0.0, *(k for k in options.effect_fractions if k > 0)]
    before, after = (iou.sel(fraction=k).to_numpy() for k in (0.0, options.prune_fraction))
    histogram, summary = htl.drops(before, after)
    floor = None if scores.train_floor is None else scores.train_floor[list(htl.REGIONS)].to_numpy(float)
    effect = regions.effect(
        iou.sel(fraction=shown), options.resamples, options.seed, scores.train_subjects, floor, options.alpha
    )
    return {"effect": effect, "drops": summary, "drop_histogram": histogram}


def _mean_floor(floor: pd.DataFrame | None) -> list[float]:
    return [np.nan, np.nan] if floor is None else [float(floor[region].mean()) for region in htl.REGIONS]


def _tested(scores: Scores, options: Options) -> dict[tuple[str, float], tuple[Sequence[int], np.ndarray]]:
    """The single images' scores behind table 3."""
    return {
        (method, fraction): scores.pruned_images[method, fraction]
        for fraction in options.ablation_fractions
        for method in options.ablation_methods
        if (method, fraction) in scores.pruned_images
    }


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
        pd.DataFrame(images.mean(axis=1), columns=list(htl.MEASURED)).assign(approach=name, seed=list(seeds))
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
        tested = htl_groups.group_tests(
            group, scores.is_htl, scores.drop, options.seed, subjects=scores.pool["subject"]
        )
        tested.insert(0, "variable", variable)
        tests.append(tested)
    table = pd.concat(tests, ignore_index=True)
    return {
        "groups": pd.concat(shares, ignore_index=True),
        "group_tests": table.assign(p_holm=holm(table["p"].to_numpy(float))),
    }


def _warnings(scores: Scores, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    said = []
    n = len(scores.pool)
    undefined = scores.undefined.any(axis=0).sum()
    if undefined:
        said.append(
            f"The dense network of at least one seed misses {undefined:,} of {n:,} images altogether: they have no"
            " foreground IoU to lose, so no relative drop, and cannot be HTLs by it."
        )
    for variable in ("sex", "age"):
        rows = tables["groups"]
        unknown = rows.loc[(rows["variable"] == variable) & (rows["group"] == htl_groups.UNKNOWN), "n"].sum()
        if unknown:
            said.append(
                f"The {variable} is unknown for {unknown:,} of {n:,} images, which stand as a group of their own."
            )
    if len(scores.seeds) == 1:
        said.append("A single seed: there is no spread over seeds, and what needs one cannot be told.")
    if scores.train_iou is not None and scores.train_floor is None:
        said.append(
            "These runs do not say how large the lesions are, so no loss can be measured above a mask that marks"
            " nothing; -e htl notes it and trains nothing again."
        )
    return said
