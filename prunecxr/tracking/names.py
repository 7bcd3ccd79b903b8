"""Every tag, metric, param, artifact and model name that users may rely on, and nothing else."""

from __future__ import annotations

import re
import unicodedata

KIND = "prunecxr.kind"
STUDY = "prunecxr.study"
KEY = "prunecxr.key"
POPULATION = "prunecxr.population"  # what the variants of one population share
TRAINING = "prunecxr.training"  # key of a seed run without its seed
DATASET = "prunecxr.dataset"
ARCHITECTURE = "prunecxr.architecture"
SEED = "prunecxr.seed"
METHOD = "prunecxr.method"
SPARSITY = "prunecxr.sparsity"
TEST_SPLIT = "prunecxr.test_split"  # fingerprint of the test split that a variant was evaluated on
MODEL = "prunecxr.model"  # URI of the model that was logged with a run; `.<precision>` added: of a rounded one
MODEL_DIGESTS = "prunecxr.model_digests"  # JSON: URI of a model -> digests of its weights and of its settings
DIGESTS = "prunecxr.digests"  # JSON: artifact -> digest of its content, of files that this tool reads back
CURVES = "prunecxr.curves"  # on seed runs, `.<method>` added: digest of the points that its curves hold
CLAIM = "prunecxr.claim"  # `.<work>` added: the last beat of whoever works on a run
DIVERGED = "prunecxr.diverged"  # why the training of a run came to numbers that are not finite
ORIGIN = "prunecxr.origin"  # on studies and seed runs: where the networks are from (absent: trained here)
WEIGHTS = "prunecxr.weights"  # on seed runs of networks that were trained elsewhere: digest of their tensors
ANALYSED = "prunecxr.analysed"  # on analyses: their key, but for what readers answered; what forms are drawn from
FOUND = "prunecxr.found"  # on an invocation that found its work done: the run that holds it
TRIAL = "prunecxr.trial"  # number of a search's trial
TRIAL_STATE = "prunecxr.trial_state"  # running, complete, pruned or failed
ERROR = "prunecxr.error"  # on trials: why one failed, or cannot be trained
SETTING = "prunecxr.setting"  # of a localization study: supervised, semi or weak
APPROACH = "prunecxr.approach"  # of a localization network: plain, htl, htl:<method>, or an arm's name
PARENT = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"
NOTE = "mlflow.note.content"

TRAINED, IMPORTED, AUDITED = "trained", "imported", "audited"  # values of ORIGIN

MEAN_METRICS = {"ap": "mean_ap", "auroc": "mean_auroc", "f1": "mean_f1"}
REALISED_SPARSITY = "realised_sparsity"
NONZERO_WEIGHTS = "nonzero_weights"
SHARE_BELOW = "share_below_0.01"  # on seed runs: of the dense model's prunable weights, by magnitude

PREDICTIONS = "predictions.parquet"
VAL_PREDICTIONS = "val_predictions.parquet"  # of a dense variant: those of the validation images
VAL_LABELS = "val_labels.parquet"  # of a dense variant: id, subject_id, one 0/1 column a class
SCORES = "scores.csv"
VARIANT_RECIPE = "recipe.json"
WEIGHT_HISTOGRAM = "weights/histogram.csv"  # on seed runs: magnitudes of the dense model's prunable weights
RECIPE = "recipe.yaml"
ENVIRONMENT = "environment.txt"
REPORT = "report.html"
BEST_RECIPE = "best.yaml"  # on tune runs: the recipe that a search came to
BEST_VAL_MEAN_AP = "best_val_mean_ap"  # of a trial: of the epoch whose weights it keeps; of a search: of its best trial
TEST_SCORES = "test_scores.parquet"  # of a localization network: id, background, foreground, dice of every test image
POOL_SCORES = "train_scores.parquet"  # the same of its training images, where they have masks
BOXES = "boxes.parquet"  # id, y0, x0, y1, x1 of the images that HTLs are mined from, where these have no masks
HTLS = "htls.csv"  # on mining runs: every image, what pruning costs it, whether it is an HTL
LESION_WARNINGS = "data/warnings.txt"  # on localization seed runs
GALLERY = "gallery.csv"  # on mining runs: the images in gallery/
READER_KEY = "key.csv"  # on export runs, beside forms/: which item is which image
READER_REPORT = "reader_report.html"


# Metrics of a localization network: means over the test images.
LOCALIZATION_METRICS = {
    "background": "iou/background",
    "foreground": "iou/foreground",
    "mean": "iou/mean",
    "dice": "dice",
}


def lesion_table(split: str) -> str:
    """Artifact of a localization seed run: what is known of the images of a split."""
    return f"data/{split}.parquet"


def lesion_floor(split: str) -> str:
    """Artifact of a localization seed run: what a mask that marks nothing scores on the images of a split."""
    return f"data/{split}_floor.parquet"


def approach_suffix(approach: str) -> str:
    """`htl`, `htl-random`: run names and aliases admit letters, digits, `_` and `-`."""
    return re.sub(r"[^\w-]", "-", approach)


def test_labels(test_split: str) -> str:
    """Artifact of a seed run: the labels of the test split of that fingerprint."""
    return f"data/{test_split}/test_labels.parquet"


def test_metadata(test_split: str) -> str:
    """Artifact of a seed run: id, and what is known of each test image: age, sex, view, declared columns."""
    return f"data/{test_split}/test_metadata.parquet"


def class_counts(test_split: str) -> str:
    """Artifact of a seed run: class, train_count, val_count, test_count, and the number of images of each split."""
    return f"data/{test_split}/class_counts.csv"


def data_warnings(test_split: str) -> str:
    """Artifact of a seed run: what was noticed about its data, a line each."""
    return f"data/{test_split}/warnings.txt"


def sparsity_text(sparsity: float) -> str:
    """A sparsity as a tag: two decimals or as many as it needs (`0.00`, `0.95`, `0.975`)."""
    text = f"{sparsity:.6f}".rstrip("0")
    return text if len(text.partition(".")[2]) >= 2 else f"{sparsity:.2f}"


MOST_CHARACTERS = 230  # of a class's name in a metric's: MLflow admits 250 in all


def metric_name(score: str, class_name: str) -> str:
    """`ap/<class>`; characters that MLflow does not admit become `_`. Letters of every script are admitted."""
    text = re.sub(r"[^\w. -]", "_", unicodedata.normalize("NFC", class_name))[:MOST_CHARACTERS]
    return f"{score}/{text if text.strip('.') else '_' * len(text)}"  # a metric's name is a path, too


def metric_names(score: str, classes: tuple[str, ...]) -> dict[str, str]:
    """Class -> metric name, distinct even where two classes differ only in characters that were replaced.

    They are distinct also for databases to which upper and lower case, or a letter with and without accent, are alike.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for class_name in classes:
        name = metric_name(score, class_name)
        while _folded(name) in taken:
            name += "_"
        names[class_name] = name
        taken.add(_folded(name))
    return names


def _folded(name: str) -> str:
    """A name as a database may compare it: without case and accents."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def curve_prefix(method: str) -> str:
    """Metrics on the seed run over `curve_step`; the default method's carry no method."""
    return "curve_" if method == "magnitude" else f"{method.replace('@', '-')}_curve_"


def curve_step(sparsity: float) -> int:
    """Step of a sparsity's point on a native curve: 100 x sparsity where that is whole, else 1,000,000 x sparsity.

    MLflow's steps are integers. No two sparsities share one (0.975 is 975,000, which no percentage is), and a point
    keeps its step whatever sparsities are added to a study later.
    """
    percent = round(100 * sparsity, 4)
    return int(percent) if percent == int(percent) else round(1_000_000 * sparsity)


def seed_run_name(seed: int) -> str:
    return f"seed-{seed:02d}"


def sparsity_suffix(sparsity: float) -> str:
    """`k90` for 0.9, `k05` for 0.05, `k97_5` for 0.975: aliases admit letters, digits, `_` and `-`."""
    percent = f"{round(100 * sparsity, 4):g}"
    whole, _, rest = percent.partition(".")
    return f"k{int(whole):02d}" + (f"_{rest}" if rest else "")


def trial_run_name(trial: int) -> str:
    return f"trial-{trial:02d}"


def variant_run_name(seed: int, method: str, sparsity: float) -> str:
    return f"{seed_run_name(seed)}-{method.replace('@', '-')}-{sparsity_suffix(sparsity)}"


def variant_suffix(method: str, sparsity: float) -> str:
    """The end of a variant's alias: `k90`, `random-k90`; empty for the dense network."""
    if sparsity == 0:
        return ""
    suffix = sparsity_suffix(sparsity)
    return suffix if method == "magnitude" else f"{method.replace('@', '-')}-{suffix}"


def model_name(study: str, architecture: str) -> str:
    """Registered model of a study and architecture; `/` and `:` are not admitted there.

    Earlier versions put the data set in the study's place: what they registered is found there.
    """
    return f"prunecxr-{re.sub(r'[/:]', '_', study)}-{architecture}"


def fingerprint_param(split: str) -> str:
    """Param of a seed run: the content fingerprint of a split."""
    return f"fingerprint/{split}"
