"""What the study of real radiographs says: its tables and figures, copied from the tracking store into the page.

    export MLFLOW_TRACKING_URI=sqlite:///path/to/mlflow.db
    python benchmarks/results.py                              # prints the sections
    python benchmarks/results.py --page docs/results.md       # rewrites them, and copies the figures beside the page

Reads the newest analysis of each pruning method of the study (`-e analyze`), and the scores of its dense networks. A
table or figure that an analysis does not have is left out; what stands around the sections is written by hand.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import xarray as xr
from common import parser, rewrite, table

from prunecxr.analysis.chance import ap_quantile
from prunecxr.tracking import names
from prunecxr.tracking.query import Population, locate_study, read_population
from prunecxr.tracking.store import open_store

FIGURES = ("mean_ap", "methods", "changes_ap_ref", "change_by_frequency", "weight_magnitudes")  # in this order


def dense_networks(population: Population) -> str:
    """AUROC and AP of the dense networks by class, frequent classes first, and which classes they know."""
    scores = population.scores.sel(sparsity=0.0)
    n, n_seeds = int(population.scores.attrs["n_test"]), scores.sizes["seed"]
    rows, known = [], 0
    for name in scores["class"].to_numpy()[np.argsort(-scores["train_count"].to_numpy(), kind="stable")]:
        one = scores.sel({"class": name})
        positives = int(one["test_count"])
        chance = ap_quantile(n, positives)
        above = int((one["ap"] > chance).sum())
        is_known = float(one["ap"].median()) > chance
        known += is_known
        auroc, ap = (one[score].to_numpy() for score in ("auroc", "ap"))
        rows.append(
            [name, int(one["train_count"]), positives, _spread(auroc), f"{np.median(ap):.3f}", f"{positives / n:.3f}",
             f"{chance:.3f}", f"{'yes' if is_known else 'no'} ({above} of {n_seeds})"]
        )  # fmt: skip
    means = scores["auroc"].mean("class").to_numpy(), scores["ap"].mean("class").to_numpy()
    header = ["class", "train positives", "test positives", "AUROC, median (range)", "AP, median", "prevalence",
              "AP of chance, 97.5%", "known (seeds above)"]  # fmt: skip
    summary = (
        f"{n_seeds} dense networks, {n:,} test images of {population.labels['subject_id'].nunique():,} patients: "
        f"mean AUROC {_spread(means[0])}, mean AP {_spread(means[1])}. Known are {known} of {len(rows)} classes: "
        f"their AP (median over seeds) lies above the 97.5% quantile of random rankings."
    )
    return f"{summary}\n\n{table(header, rows)}"


def _spread(values: np.ndarray) -> str:
    return f"{np.median(values):.3f} ({values.min():.3f} to {values.max():.3f})"


def sparsities(population: Population) -> str:
    """Mean AUROC and mean AP by method and sparsity, medians over seeds."""
    methods = {population.method: population.scores, **{other.method: other.scores for other in population.others}}
    header = ["sparsity", *(f"{method}, {score}" for method in methods for score in ("AUROC", "AP"))]
    rows = []
    for k in sorted({float(k) for scores in methods.values() for k in scores["sparsity"].to_numpy()}):
        cells = [_median(scores, k, score) for scores in methods.values() for score in ("auroc", "ap")]
        rows.append([f"{k:g}", *cells])
    return table(header, rows)


def _median(scores: xr.Dataset, k: float, score: str) -> str:
    if k not in scores["sparsity"]:
        return ""
    return f"{float(scores[score].sel(sparsity=k).mean('class').median('seed')):.3f}"


def verdicts(tables: Path) -> str:
    """Questions, answers and the report's sentences."""
    rows = pd.read_csv(tables / "verdicts.csv").fillna("")
    return table(["question", "answer", "the report's sentence"], rows[["question", "answer", "sentence"]].to_numpy())


def safe_sparsity(tables: Path) -> str:
    """Up to which sparsity each class is safe."""
    safe = pd.read_csv(tables / "safe_sparsity.csv")
    by_class = safe.drop_duplicates(["class", "scale"])
    rows = [
        [row["class"], row["scale"], f"{row['delta']:g}", _up_to(row["safe_up_to"])] for _, row in by_class.iterrows()
    ]
    return table(["class", "scale", "margin", "safe up to"], rows)


def _up_to(sparsity: float) -> str:
    return "" if np.isnan(sparsity) else f"{sparsity:g}"


def classes(tables: Path) -> str:
    """When and how much each class is forgotten."""
    rows = pd.read_csv(tables / "classes.csv").sort_values("train_count", ascending=False, kind="stable")
    corrected = "chance_corrected_first_drop_20"
    cells = [
        [row["class"], int(row["train_count"]), int(row["test_count"]), f"{row['dense_ap']:.3f}",
         _up_to(row[corrected]), f"{row['chance_corrected_relative_change_at_max']:.2f}"]
        for _, row in rows.iterrows()
    ]  # fmt: skip
    lost = ("first sparsity with 20% lost, chance-corrected", "change at the highest sparsity, chance-corrected")
    return table(["class", "train positives", "test positives", "dense AP", *lost], cells)


PARTS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "verdicts.csv": ("What the report answers", verdicts),
    "safe_sparsity.csv": ("Safe sparsity", safe_sparsity),
    "classes.csv": ("Classes", classes),
}


def analysis_section(artifacts: Path, prefix: str, pictures: Path | None) -> str:
    """The tables of an analysis run, and its figures as files beside the page.

    Args:
        artifacts: folder of the run's artifacts.
        prefix: of the names of the figures' files.
        pictures: folder that the figures are copied to; None: they are left out.
    """
    tables = artifacts / "tables"
    parts = [f"### {title}\n\n{part(tables)}" for name, (title, part) in PARTS.items() if (tables / name).exists()]
    for name in FIGURES:
        figure = artifacts / "figures" / f"{name}.png"
        if pictures is not None and figure.exists():
            pictures.mkdir(exist_ok=True)
            shutil.copyfile(figure, pictures / f"{prefix}_{name}.png")
            caption = name.replace("_", " ").capitalize()
            parts.append(f"![{caption}]({pictures.name}/{prefix}_{name}.png)")
    return "\n\n".join(parts)


def newest_analysis(experiment_id: str, study: str, method: str) -> str:
    """Id of the newest finished analysis run of a method; empty where there is none."""
    wanted = {names.KIND: "analysis", names.STUDY: study, names.METHOD: method}
    condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in wanted.items())
    found = mlflow.search_runs(
        [experiment_id], f"{condition} and attributes.status = 'FINISHED'", order_by=["attributes.start_time DESC"],
        max_results=1, output_format="list",
    )  # fmt: skip
    return found[0].info.run_id if found else ""


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--study", default="nih-cxr-128")
    parse.add_argument("--methods", nargs="+", default=["magnitude", "random"], help="the first one's dense networks")
    given = parse.parse_args()
    store = locate_study(open_store(), given.study)
    pictures = given.page.parent / "images" if given.page else None
    population = read_population(store, given.study, given.methods[0])
    sections = {"dense": dense_networks(population), "sparsities": sparsities(population)}
    for method in given.methods:
        run = newest_analysis(store.experiment_id, given.study, method)
        if run:
            with tempfile.TemporaryDirectory(prefix="prunecxr-results-") as folder:
                artifacts = Path(mlflow.artifacts.download_artifacts(run_id=run, dst_path=folder))
                sections[method] = analysis_section(artifacts, f"results_{method.replace('@', '-')}", pictures)
    for name, text in sections.items():
        print(text, end="\n\n")
        if given.page:
            rewrite(given.page, name, text)


if __name__ == "__main__":
    main()
