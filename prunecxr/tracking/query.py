"""Tracking server -> scores, labels and predictions of one population; what is missing is reported, never assumed."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import xarray as xr

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.progress import progress
from prunecxr.tracking import digests, names, runs
from prunecxr.tracking.artifacts import read_arrow, read_table, read_text
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store

SCORES = tuple(names.MEAN_METRICS)
CLASS_COUNTS, IMAGE_COUNTS = ("train_count", "val_count", "test_count"), ("n_train", "n_val", "n_test")

READERS = 4  # files that are read at a time: a server answers while another file is decoded


@dataclass(frozen=True)
class Compared:
    """What another pruning method left of the same dense models.

    Attributes:
        scores, variants: as those of a population.
    """

    method: str
    scores: xr.Dataset
    variants: pd.DataFrame


@dataclass(frozen=True)
class Population:
    """The variants of one study that belong together: one recipe, one test split, one pruning method.

    Attributes:
        scores: dims (seed, sparsity, class); variables ap, auroc, f1 (NaN where undefined or missing); on the class
            dim train_count and test_count; attrs n_train and n_test (images). An imported study may not know those
            of its training.
        labels: id, subject_id, one 0/1 column a class, in test-table order.
        variants: one row a variant: seed, sparsity, run_id, seed_run (id of its parent).
        missing: the (seed, sparsity) pairs that the grid lacks.
        warnings: what a reader of the results must know.
        dataset, architecture: names, as in the runs' tags.
        others: the other pruning methods of the population, by name.
    """

    study: str
    key: str
    method: str
    dataset: str
    architecture: str
    scores: xr.Dataset
    labels: pd.DataFrame
    variants: pd.DataFrame
    missing: tuple[tuple[int, float], ...]
    warnings: tuple[str, ...]
    others: tuple[Compared, ...] = ()


STUDIES = ("study", "htl_study", "variant")  # kinds of runs that tell of a study; imports of 0.1 made variants alone


def locate_study(store: Store, study: str) -> Store:
    """The store, working in the experiment that holds the study: the current one, or else the only one that does.

    Raises:
        UserError: no experiment holds it (the studies there are are listed), or several do.
    """
    if _holding(store, study, [store.experiment_id]):
        return store
    titles = {one.experiment_id: one.name for one in store._client.search_experiments()}
    holding = _holding(store, study, titles)
    if len(holding) == 1:
        return store.in_experiment(holding.pop())
    if holding:
        listed = ", ".join(sorted(repr(titles[experiment]) for experiment in holding))
        raise UserError(
            f"option study: {study!r} lies in several experiments ({listed}); name one with --experiment-name"
        )
    known = {_tag(run, names.STUDY) for kind in STUDIES[:2] for run in _of_kind(store, kind, titles)}
    known |= {_tag(run, names.STUDY) for run in _of_kind(store, "variant", titles, most=1)}
    listed = f"there are {', '.join(sorted(known))}" if known else "there is none"
    raise UserError(f"option study: no study {study!r} in {store}; {listed}")


def _holding(store: Store, study: str, experiments: Iterable[str]) -> set[str]:
    """The experiments, of those, that hold a study."""
    tags, experiments = {names.STUDY: study}, list(experiments)
    return {
        run.experiment_id
        for kind in STUDIES[:2]
        for run in runs.search(store, {**tags, names.KIND: kind}, experiment_ids=experiments)
    } or {
        run.experiment_id
        for experiment in experiments
        for run in runs.search(store, {**tags, names.KIND: "variant"}, experiment_ids=[experiment], most=1)
    }


def _of_kind(store: Store, kind: str, experiments: Iterable[str], most: int | None = None) -> list[TrackedRun]:
    return runs.search(store, {names.KIND: kind}, experiment_ids=list(experiments), most=most)


def _tag(run: TrackedRun, name: str) -> str:
    return str(run.tags.get(name, ""))


def read_population(
    store: Store,
    study: str,
    method: str,
    key: str | None = None,
    seeds: Iterable[int] = (),
    sparsities: Iterable[float] = (),
) -> Population:
    """The population of a study that was added to last, or the one of that key.

    Args:
        method: pruning method.
        key: population key; None takes the newest and warns of others.
        seeds, sparsities: what the study asked for, besides what is found: absent variants of the grid are reported.
    Raises:
        UserError: no such variants.
    """
    found = runs.search(store, {names.STUDY: study, names.KIND: "variant"}, finished=True)
    chosen, warnings = _choose(found, study, method, key)
    table, repeated = _variant_table(chosen)
    if repeated:
        warnings.append(f"{repeated} variant(s) were evaluated more than once; the newest of each counts")
    by_id = {run.id: run for run in chosen}
    newest = chosen[0]
    seed_run = _tag(newest, names.PARENT)
    split = _tag(newest, names.TEST_SPLIT)
    described = runs.get_existing(store, seed_run)
    labels = read_table(described, names.test_labels(split))
    counts = read_table(described, names.class_counts(split), texts=("class",))
    noticed = read_text(described, names.data_warnings(split))
    scores = _scores(table, by_id, counts, seeds, sparsities)
    present = set(zip(table["seed"], table["sparsity"], strict=True))
    grid = [(int(s), float(k)) for s in scores["seed"].to_numpy() for k in scores["sparsity"].to_numpy()]
    missing = tuple(cell for cell in grid if cell not in present)
    return Population(
        study=study,
        key=_tag(newest, names.POPULATION),
        method=method,
        dataset=_tag(newest, names.DATASET),
        architecture=_tag(newest, names.ARCHITECTURE),
        scores=scores,
        labels=labels,
        variants=table,
        missing=missing,
        warnings=(*noticed.splitlines(), *warnings),
        others=_others(found, method, _tag(newest, names.POPULATION), counts),
    )


def _others(found: list[TrackedRun], method: str, key: str, counts: pd.DataFrame) -> tuple[Compared, ...]:
    """The other methods that variants of the same population were pruned by."""
    alike = [run for run in found if _tag(run, names.POPULATION) == key]
    compared = []
    for other in sorted({_tag(run, names.METHOD) for run in alike} - {method}):
        chosen = [run for run in alike if _tag(run, names.METHOD) == other]
        table, _ = _variant_table(chosen)
        by_id = {run.id: run for run in chosen}
        compared.append(Compared(other, _scores(table, by_id, counts, (), ()), table))
    return tuple(compared)


def _choose(found: list[TrackedRun], study: str, method: str, key: str | None) -> tuple[list[TrackedRun], list[str]]:
    """The runs of one population and method (newest first), and warnings about the others."""
    methods = sorted({_tag(run, names.METHOD) for run in found})
    if method not in methods:
        listed = f"there are variants of {', '.join(methods)}" if methods else "there are no finished variants"
        raise UserError(f"study {study!r} has no variants pruned by {method!r}; {listed}")
    usable = [run for run in found if _tag(run, names.METHOD) == method]
    keys = list(dict.fromkeys(_tag(run, names.POPULATION) for run in usable))
    if key is not None and key not in keys:
        raise UserError(f"study {study!r} has no variants of population {key}; there are {', '.join(keys)}")
    key = key or keys[0]
    chosen = [run for run in usable if _tag(run, names.POPULATION) == key]
    others = {other: sum(_tag(run, names.POPULATION) == other for run in usable) for other in keys if other != key}
    warnings = [
        f"{n} variant(s) of this study have another recipe, data or precision (population {other}) and are left out"
        for other, n in others.items()
    ]
    return chosen, warnings


def _variant_table(chosen: list[TrackedRun]) -> tuple[pd.DataFrame, int]:
    """Columns as in `Population.variants`, sorted, each (seed, sparsity) once, the newest; how many were left out."""
    rows = [
        (int(_tag(run, names.SEED)), float(_tag(run, names.SPARSITY)), run.id, _tag(run, names.PARENT))
        for run in chosen
    ]
    table = pd.DataFrame(rows, columns=["seed", "sparsity", "run_id", "seed_run"])
    unique = table.drop_duplicates(["seed", "sparsity"]).sort_values(["seed", "sparsity"], ignore_index=True)
    return unique, len(table) - len(unique)


def _scores(
    table: pd.DataFrame,
    by_id: dict[str, TrackedRun],
    counts: pd.DataFrame,
    seeds: Iterable[int],
    sparsities: Iterable[float],
) -> xr.Dataset:
    classes = tuple(counts["class"].astype(str))
    seed_axis = sorted({*table["seed"], *seeds})
    sparsity_axis = sorted({*table["sparsity"], *sparsities})
    seed_at = {seed: i for i, seed in enumerate(seed_axis)}
    sparsity_at = {sparsity: i for i, sparsity in enumerate(sparsity_axis)}
    arrays = {score: np.full((len(seed_axis), len(sparsity_axis), len(classes)), np.nan) for score in SCORES}
    metrics = {score: list(names.metric_names(score, classes).values()) for score in SCORES}
    for seed, sparsity, run_id in table[["seed", "sparsity", "run_id"]].itertuples(index=False):
        values = by_id[run_id].metrics()
        for score in SCORES:
            row = arrays[score][seed_at[seed], sparsity_at[sparsity]]
            row[:] = [values.get(name, np.nan) for name in metrics[score]]
    dims = ("seed", "sparsity", "class")
    return xr.Dataset(
        {score: (dims, array) for score, array in arrays.items()},
        coords={
            "seed": seed_axis,
            "sparsity": sparsity_axis,
            "class": list(classes),
            **{name: ("class", counts[name].to_numpy(int)) for name in CLASS_COUNTS if name in counts},
        },
        attrs={name: int(counts[name].iloc[0]) for name in IMAGE_COUNTS if name in counts},
    )


def read_predictions(store: Store, population: Population) -> xr.DataArray:
    """Probabilities of every variant.

    Returns:
        dims (seed, sparsity, image, class), float32; NaN where a variant is missing; images in the order of the
        population's labels, the other dims as in its scores.
    Raises:
        EnvironmentFault: a prediction file is missing or does not hold the images of the test split.
    """
    scores, variants = population.scores, population.variants
    classes = [str(name) for name in scores["class"].to_numpy()]
    expected = pa.chunked_array([pa.array(population.labels["id"].tolist(), pa.string())])
    seeds, sparsities = scores["seed"].to_numpy(), scores["sparsity"].to_numpy()
    stack = np.full((len(seeds), len(sparsities), len(expected), len(classes)), np.nan, np.float32)
    read = runs.get_all(store, variants["run_id"])

    def fill(row: tuple[int, float, str]) -> None:
        seed, sparsity, run_id = row
        table = read_arrow(read[run_id], names.PREDICTIONS, ["id", *classes])
        if not table["id"].cast(pa.string()).equals(expected):
            raise EnvironmentFault(f"run {run_id}: {names.PREDICTIONS} does not hold the images of the test split")
        values = stack[np.searchsorted(seeds, seed), np.searchsorted(sparsities, sparsity)]
        for index, name in enumerate(classes):
            values[:, index] = table[name].to_numpy()

    rows = variants[["seed", "sparsity", "run_id"]].itertuples(index=False, name=None)
    with ThreadPoolExecutor(READERS) as pool, progress(len(variants), "reading", "variant", delay=5) as bar:
        for _ in pool.map(fill, rows):
            bar.update()
    coords = {"seed": seeds, "sparsity": sparsities, "class": classes}
    return xr.DataArray(stack, dims=("seed", "sparsity", "image", "class"), coords=coords)


def read_metadata(store: Store, population: Population) -> pd.DataFrame | None:
    """What is known of the test images besides labels.

    Returns:
        id, then a column each of age (years), sex, view and what else was declared, in the order of the population's
        labels; "" or NaN where an image has none. None where the study holds no metadata.
    Raises:
        EnvironmentFault: the table is missing, or does not hold the images of the test split.
    """
    newest = runs.get_existing(store, population.variants["run_id"].iloc[0])
    artifact = names.test_metadata(_tag(newest, names.TEST_SPLIT))
    for run in runs.get_all(store, population.variants["seed_run"].unique()).values():
        if digests.is_noted(_tag(run, names.DIGESTS), artifact):
            table = read_table(run, artifact)
            if table["id"].tolist() != population.labels["id"].tolist():
                raise EnvironmentFault(f"run {run.id}: {artifact} does not hold the images of the test split")
            return table
    return None


def validated(store: Store, population: Population) -> dict[int, TrackedRun]:
    """Seed -> run of its dense variant, of those that hold predictions of validation images."""
    dense = population.variants[population.variants["sparsity"] == 0]
    read = runs.get_all(store, dense["run_id"])
    rows = zip(dense["seed"], dense["run_id"], strict=True)
    return {s: read[r] for s, r in rows if digests.is_noted(_tag(read[r], names.DIGESTS), names.VAL_PREDICTIONS)}


def read_validation(store: Store, population: Population) -> tuple[xr.DataArray, pd.DataFrame] | None:
    """What the dense networks say of the validation images.

    Returns:
        Probabilities, dims (seed, image, class), float32, of the seeds that have them, and the labels: id, subject_id,
        one 0/1 column a class. None where no seed has any: imports have none, nor have studies of earlier versions.
    Raises:
        EnvironmentFault: a file is missing or damaged.
    """
    kept = validated(store, population)
    if not kept:
        return None
    classes = [str(name) for name in population.scores["class"].to_numpy()]
    labels = read_table(next(iter(kept.values())), names.VAL_LABELS)
    tables = [read_table(run, names.VAL_PREDICTIONS) for run in kept.values()]
    for run, table in zip(kept.values(), tables, strict=True):
        if table["id"].tolist() != labels["id"].tolist():
            raise EnvironmentFault(f"run {run.id}: {names.VAL_PREDICTIONS} does not hold the images of its labels")
    stack = np.stack([table[classes].to_numpy(np.float32) for table in tables])
    coords = {"seed": list(kept), "class": classes}
    return xr.DataArray(stack, dims=("seed", "image", "class"), coords=coords), labels


def read_weights(store: Store, population: Population) -> pd.DataFrame:
    """Histograms of the magnitudes of the dense models' weights, of the seeds that have one (imported seeds have none).

    Returns:
        Columns seed, low, high, count, one row a seed and bin; without rows where no seed has a histogram.
    Raises:
        EnvironmentFault: a histogram that was logged is not there.
    """
    tables = [pd.DataFrame(columns=["seed", "low", "high", "count"], dtype=float)]
    seed_runs = population.variants.groupby("seed")["seed_run"].first()
    read = runs.get_all(store, seed_runs)
    for seed, run_id in seed_runs.items():
        if names.SHARE_BELOW in read[run_id].metrics():
            tables.append(read_table(read[run_id], names.WEIGHT_HISTOGRAM).assign(seed=seed))
    return pd.concat(tables[1:] or tables, ignore_index=True)
