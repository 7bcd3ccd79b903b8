"""Findings of a made-up localization study, answers of made-up readers, and the sections by name."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import optuna
import pandas as pd
import xarray as xr
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial
from PIL import Image

from prunecxr.report.section import Section
from prunecxr.studies.localization.analysis.htl import REGIONS
from prunecxr.studies.localization.analysis.study import Options, Scores, analyse
from prunecxr.studies.localization.sections.findings import GalleryRow, HtlFindings
from prunecxr.studies.pruning.sections.catalogue import SECTIONS
from prunecxr.studies.search.sections.findings import SearchFindings

OPTIONS = Options(
    prune_fraction=0.7,
    effect_fractions=(0.25, 0.5, 0.75),
    ablation_methods=("random", "magnitude", "magnitude@channel"),
    ablation_fractions=(0.2, 0.7),
    resamples=200,
)


def lesion_scores(seeds=(10, 20, 30), better: float = 0.05, planted: bool = True, odd: str = "female") -> Scores:
    """A study in which the foreground loses more, hard images lose most, and HTLs help by `better`."""
    rng = np.random.default_rng(0)
    n, n_test = 80, 40
    hard = np.arange(n) % 5 == 0
    shares = (0.0, 0.25, 0.5, 0.7, 0.75)
    iou = np.empty((len(seeds), len(shares), n, 2))
    for i, share in enumerate(shares):
        iou[:, i, :, 0] = 0.95 - 0.1 * share
        iou[:, i, :, 1] = 0.8 - share * (0.3 + 0.4 * hard)
    iou -= 0.02 * rng.random(iou.shape)
    pool = pd.DataFrame(
        {
            "id": [f"i{i}" for i in range(n)], "subject": [f"p{i // 2}" for i in range(n)],
            "age": np.where(np.arange(n) % 9 == 0, np.nan, rng.integers(20, 80, n)),
            "sex": np.where(np.arange(n) % 7 == 0, "unknown", rng.choice([odd, "male"], n)),
        }
    )  # fmt: skip
    if planted:
        pool = pool.assign(hard=hard, subgroup=np.where(hard, "small", "common"))
    drop = iou[:, 0, :, 1] - iou[:, 3, :, 1]
    base = rng.random((1, n_test, 5)) * 0.2 + 0.5
    gains = dict.fromkeys(["plain", "focal", "random", "class", "sex", "all", "lowest_iou"], 0.0)
    gains |= {"htl": better, "htl:random": better / 2}
    networks = {name: (seeds, base + gain + 0.01 * rng.random((len(seeds), n_test, 5))) for name, gain in gains.items()}
    costs = [
        {"seed": seed, "approach": name, "images": 16.0, "steps": 4.0, "seconds": 2.0, "threshold": 0.5}
        for name in gains for seed in seeds
    ]  # fmt: skip
    pruned = [
        {"seed": seed, "method": method, "fraction": share, "foreground": 0.8 - share * worse, "background": 0.9}
        for seed in seeds
        for method, worse in (("random", 1.0), ("magnitude", 0.2), ("magnitude@channel", 0.5))
        for share in (0.0, 0.2, 0.7)
    ]
    pruned_images = {
        (method, share): (seeds, 0.8 - share * worse + 0.01 * rng.random((len(seeds), n_test)))
        for method, worse in (("random", 1.0), ("magnitude", 0.2), ("magnitude@channel", 0.5))
        for share in (0.2, 0.7)
    }
    floor = pd.DataFrame({"background": 0.78 + 0.04 * rng.random(n), "foreground": 0.0}).assign(
        area=lambda table: 1 - table["background"]
    )
    return Scores(
        seeds=tuple(seeds), pool=pool, is_htl=drop > 0.4 * iou[:, 0, :, 1], drop=drop,
        undefined=np.zeros(drop.shape, bool), networks=networks, pruned=pd.DataFrame(pruned),
        pruned_images=pruned_images, costs=pd.DataFrame(costs), train_floor=floor, test_floor=floor[:n_test],
        test_subjects=[f"t{i}" for i in range(n_test)], train_subjects=pool["subject"].tolist(),
        train_iou=xr.DataArray(
            iou, dims=("seed", "fraction", "image", "region"),
            coords={"seed": list(seeds), "fraction": list(shares), "region": list(REGIONS)},
        ),
    )  # fmt: skip


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 10)).save(buffer, format="PNG")
    return buffer.getvalue()


def lesion_findings(given: Scores, setting: str = "supervised", **changes) -> HtlFindings:
    found = analyse(given, OPTIONS)
    chosen = {
        "study": "tiny", "setting": setting, "method": "magnitude", "prune_fraction": 0.7, "rule": "relative",
        "tau": 0.4, "tables": found.tables, "warnings": found.warnings, "provenance": {"Seeds": "3: 10, 20, 30"},
        "gallery": (GalleryRow("i5", given.seeds[0], 0.8, 0.1, picture()),),
    }  # fmt: skip
    return HtlFindings(**{**chosen, **changes})


def answered(shift: float = 0.0, n: int = 60) -> pd.DataFrame:
    """Answers whose PIEs are rated `shift` higher by every reader."""
    rng = np.random.default_rng(0)
    is_pie = np.arange(n) % 2 == 0
    ratings = {
        name: np.clip(np.rint(3 + shift * is_pie + rng.normal(size=n)), 1, 5) for name in ("quality", "difficulty")
    }
    agree = (rng.random(n) < 0.5 + 0.1 * shift * is_pie).astype(float)
    return pd.DataFrame({"reader": np.arange(n) % 3, "is_pie": is_pie, "agree": agree, **ratings})


def section(name: str) -> Section:
    """An element of the report of a pruning study."""
    (one,) = (one for one in SECTIONS if one.name == name)
    return one


def search_findings(n: int, values: Sequence[float | None] = (), own: int | None = 0) -> SearchFindings:
    """A search of ``n`` trials of two options; trials without a value failed."""
    values = values or [0.25 + trial / 16 for trial in range(n)]
    options = {"learning_rate": FloatDistribution(1e-4, 1.0, log=True), "flip": CategoricalDistribution([True, False])}
    study = optuna.create_study(direction="maximize", study_name="tiny")
    rows = []
    for trial, value in enumerate(values):
        params = {"learning_rate": 10.0 ** (trial - 3), "flip": trial % 2 == 0}
        state = TrialState.FAIL if value is None else TrialState.COMPLETE
        study.add_trial(create_trial(state=state, value=value, params=params, distributions=options))
        rows.append({"trial": trial, "state": "failed" if value is None else "complete", "mean_ap": value} | params)
    table = pd.DataFrame(rows).assign(own=[trial == own for trial in range(n)])
    return SearchFindings("tiny", study, {"trials": table}, "validation IoU", provenance={"Seed": "0"})
