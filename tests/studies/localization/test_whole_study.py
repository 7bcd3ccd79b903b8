"""A localization study whole: its runs, what is found again, what continues after an interruption, what is refused."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from prunecxr.errors import UserError
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.regions.masks import score_against
from prunecxr.evaluation.regions.thresholds import best_threshold
from prunecxr.hardware import Compute
from prunecxr.options.recipe import build_config
from prunecxr.studies.localization import finetuning
from prunecxr.studies.localization import material as htl_material
from prunecxr.studies.localization.config import BASELINES, HtlConfig
from prunecxr.studies.localization.lesions.catalogue import open_lesions
from prunecxr.studies.localization.study import run_htl
from prunecxr.tracking import names, runs
from prunecxr.tracking.artifacts import read_table
from prunecxr.tracking.store import Store, open_store
from tests.stored import list_paths

SMALL_HTL = {
    "study": "small-htl",
    "seeds": "10,20",
    "image_size": "32",
    "phantom_train": "48",
    "phantom_val": "16",
    "phantom_test": "24",
    "phantom_unlabelled": "40",
    "features": "8,8,8,8,16,8",
    "optimizer": "adamw",
    "learning_rate": "0.01",
    "schedule": "constant",
    "epochs": "4",
    "batch_size": "12",
    "finetune_epochs": "1",
    "prune_fraction": "0.5",
    "htl_rule": "top",
    "tau": "0.25",
    "effect_fractions": "0.5,0.9",
    "ablation_fractions": "0.5",
    "ablation_methods": "random,magnitude",
    "precision": "fp32",
    "threshold": "validation",
    "bootstrap": "200",
}
ONE_SEED = {"seeds": "10,", "baselines": "random", "ablation_finetuning": "false", "epochs": "2"}
# Beside the HTLs and their arms: the plain network at its own threshold.
APPROACHES = {"plain", "htl", "htl:random", *BASELINES}
EQUALLY_MANY = {"random", "class", "sex", "lowest_iou", "disagreement"}  # arms of as many images as there are HTLs


def small(**changes: str) -> HtlConfig:
    return build_config(HtlConfig, {}, {**SMALL_HTL, **changes}, "recipe")


def said(store: Store, config: HtlConfig) -> str:
    """Run the study; what it prints."""
    with redirect_stdout(io.StringIO()) as out:
        run_htl(store, config)
    return out.getvalue()


def of_kind(store: Store, kind: str) -> list[runs.TrackedRun]:
    return runs.search(store, {names.KIND: kind})


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> tuple[Path, str]:
    """The folder in which the small study was run once, and what it printed."""
    folder = tmp_path_factory.mktemp("htl")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return folder, said(open_store(experiment="tests"), small())


@pytest.fixture
def done(shared, monkeypatch) -> tuple[Store, str]:
    """The small study, done."""
    monkeypatch.chdir(shared[0])
    return open_store(experiment="tests"), shared[1]


def test_the_runs_of_a_study(done):
    store, out = done
    assert "study small-htl: 38 network(s) and searches made, 0 found" in out
    (study,) = of_kind(store, "htl_study")
    seeds = of_kind(store, "htl_seed")
    assert {run.tags[names.SEED] for run in seeds} == {"10", "20"}
    assert all(run.tags[names.PARENT] == study.id and run.finished for run in seeds)
    parents = {run.id for run in seeds}
    for kind, count in (("htl_pruned", 2 * 4), ("htl_mining", 2 * 2), ("htl_network", 2 * 12)):
        found = of_kind(store, kind)
        assert len(found) == count
        assert all(run.finished and run.tags[names.PARENT] in parents and names.KEY in run.tags for run in found)
    assert {run.tags[names.APPROACH] for run in of_kind(store, "htl_network")} == APPROACHES
    (analysis,) = of_kind(store, "htl_analysis")
    assert analysis.tags[names.PARENT] == study.id
    files = set(list_paths(analysis))
    assert {"report.html", "tables", "figures"} <= files


def test_metrics_are_the_means_of_the_images_scores(done):
    store, _ = done
    for run in [*of_kind(store, "htl_pruned"), *of_kind(store, "htl_network")]:
        metrics = run.metrics()
        table = read_table(run, names.TEST_SCORES)
        assert len(table) == 24
        for column, metric in names.LOCALIZATION_METRICS.items():
            assert metrics[metric] == pytest.approx(table[column].mean())
        assert np.allclose(table["mean"], (table["background"] + table["foreground"]) / 2)


def test_the_plain_network_learned_something_and_is_the_variant_at_zero(done):
    store, _ = done
    for run in of_kind(store, "htl_pruned"):
        metrics = run.metrics()
        share = float(run.tags[names.SPARSITY])
        assert metrics[names.REALISED_SPARSITY] == pytest.approx(share, abs=1e-3)
        if share == 0:
            assert metrics["iou/foreground"] > 0.1


@pytest.mark.parametrize(
    ("alias", "kind", "approach"), [("seed-10", "htl_pruned", None), ("seed-10-htl", "htl_network", "htl")]
)
def test_registered_networks_give_the_masks_that_were_evaluated(done, alias, kind, approach):
    store, _ = done
    model = mlflow.pyfunc.load_model(f"models:/prunecxr-small-htl-unet@{alias}")
    test = htl_material.prepare(small()).pixels["test"]
    found = score_against([model.predict(np.array(test.images))], test.masks)
    (run,) = (
        run for run in of_kind(store, kind)
        if run.tags[names.SEED] == "10" and (run.tags[names.APPROACH] == approach if approach
                                             else run.tags[names.SPARSITY] == "0.00")
    )  # fmt: skip
    expected = read_table(run, names.TEST_SCORES)
    assert np.allclose(found["foreground"], expected["foreground"], atol=1e-6)
    network = mlflow.pytorch.load_model(f"models:/prunecxr-small-htl-unet@{alias}")
    assert not network.training


def test_arms_differ_in_their_images_not_in_their_steps(done):
    store, _ = done
    counts = {}
    for run in of_kind(store, "htl_mining"):
        counts[run.tags[names.SEED], run.tags[names.METHOD]] = int(read_table(run, names.HTLS)["htl"].sum())
    assert all(2 <= count <= 12 for count in counts.values())  # a quarter of 48, if as many lose anything
    steps: dict[str, set[float]] = {}
    for run in of_kind(store, "htl_network"):
        approach, metrics = run.tags[names.APPROACH], run.metrics()
        if approach in ("focal", "plain"):
            continue
        chosen, seed = read_table(run, "images.csv"), run.tags[names.SEED]
        assert metrics["finetuning_images"] == chosen["id"].nunique()
        n_htl = counts[seed, approach.partition(":")[2] or "magnitude"]
        if approach in EQUALLY_MANY or approach.startswith("htl"):
            assert len(chosen) == chosen["id"].nunique() == n_htl
        if ":" not in approach:
            steps.setdefault(seed, set()).add(metrics["train_steps"])
        expected = {"all": 48, "all_htl": 48 + 2 * n_htl, "mixed": min(48, 2 * n_htl)}.get(approach, n_htl)
        assert len(chosen) == expected
    assert {len(of_a_seed) for of_a_seed in steps.values()} == {1}


def test_the_threshold_of_an_arm_is_the_best_on_the_validation_images(done):
    store, _ = done
    material = htl_material.prepare(small())
    val, test = material.pixels["val"], material.pixels["test"]
    dense = mlflow.pytorch.load_model("models:/prunecxr-small-htl-unet@seed-10")
    compute = Compute(torch.device("cpu"), "fp32", channels_last=True, eval_batch_size=64)
    (plain,) = (
        run for run in of_kind(store, "htl_network")
        if run.tags[names.APPROACH] == "plain" and run.tags[names.SEED] == "10"
    )  # fmt: skip
    threshold = plain.metrics()["threshold"]
    dense = dense.to(memory_format=torch.channels_last)
    assert threshold == best_threshold(Evaluator(dense, compute, "eager"), val.images, val.masks)
    logits = torch.cat(list(Evaluator(dense, compute, "eager").outputs(np.array(test.images))))
    marked = (torch.softmax(logits, dim=1)[:, 1] > threshold).numpy()
    expected = score_against([marked], test.masks)
    assert np.allclose(read_table(plain, names.TEST_SCORES)["foreground"], expected["foreground"], atol=1e-6)


def test_hard_images_are_those_of_lowest_iou_of_the_seeds_own_network(done):
    store, _ = done
    for run in of_kind(store, "htl_network"):
        if run.tags[names.APPROACH] == "lowest_iou":
            (mined,) = (
                one for one in of_kind(store, "htl_mining")
                if one.tags[names.SEED] == run.tags[names.SEED] and one.tags[names.METHOD] == "magnitude"
            )  # fmt: skip
            table, chosen = read_table(mined, names.HTLS).set_index("id"), read_table(run, "images.csv")["id"]
            assert table.loc[chosen, "iou_dense"].max() <= table.drop(chosen)["iou_dense"].min()


def test_what_marking_nothing_scores_is_noted_and_measured_from(done):
    store, _ = done
    masks = htl_material.prepare(small()).pixels["train"].masks
    for run in of_kind(store, "htl_seed"):
        floor = read_table(run, names.lesion_floor("train"))
        assert floor["background"].to_numpy() == pytest.approx([1 - mask.mean() for mask in masks])
        assert run.metrics()["lesion_area/train"] == pytest.approx(floor["area"].mean())
    (analysis,) = of_kind(store, "htl_analysis")
    effect = read_table(analysis, "tables/effect.csv")
    assert effect["floor_background"].to_numpy() == pytest.approx(floor["background"].mean())
    verdicts = read_table(analysis, "tables/verdicts.csv")
    assert set(verdicts["question"]) == {
        "foreground_loses_more", "hit_hard", "htl_share", "htl_help", "costliest_method", "groups_differ",
        "planted_found",
    }  # fmt: skip
    answers = read_table(analysis, "tables/answers.csv")["text"]
    assert verdicts["sentence"].tolist() == answers.tolist()


def test_htls_are_the_images_that_lose_most(done):
    store, _ = done
    for run in of_kind(store, "htl_mining"):
        table = read_table(run, names.HTLS)
        htl = table["htl"].astype(bool)
        assert table.loc[htl, "relative_drop"].min() >= table.loc[~htl, "relative_drop"].dropna().max()
        if run.tags[names.METHOD] == "magnitude":
            gallery = read_table(run, names.GALLERY)
            assert gallery["drop"].is_monotonic_decreasing
            assert set(gallery["id"]) <= set(table.loc[htl, "id"])


def test_the_same_command_finds_everything(done):
    store, first = done
    before = {run.id for run in runs.search(store, {})}
    again = said(store, small())
    assert "0 network(s) and searches made, 38 found" in again
    assert {run.id for run in runs.search(store, {})} == before
    report = [line for line in first.splitlines() if line.startswith("report: ")]
    assert report == [line for line in again.splitlines() if line.startswith("report: ")]


def test_another_threshold_mines_and_fine_tunes_anew_but_trains_nothing_twice(done):
    store, _ = done
    out = said(store, small(tau="0.5", ablation_finetuning="false", baselines="random"))
    assert "6 network(s) and searches made, 12 found" in out  # of each seed: a search, HTLs and random images
    assert len(of_kind(store, "htl_seed")) == 2


def test_an_interrupted_fine_tuning_continues_with_the_same_result(store, shared, monkeypatch):
    """Stopped in the middle of a fine-tuning, then run again: the scores are those of the undisturbed study."""
    config = small(seeds="10,", baselines="focal,random,class,sex")
    real, calls = finetuning.epoch_logger, []

    def interrupting(run):
        calls.append(run.tags.get(names.APPROACH))
        log = real(run)

        def stop(epoch):
            log(epoch)
            if run.tags.get(names.APPROACH) == "random":
                raise KeyboardInterrupt

        return stop

    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "epoch_logger", interrupting)
        with pytest.raises(KeyboardInterrupt):
            run_htl(store, config)
    assert calls == ["focal", "htl", "random"]
    (stopped,) = (run for run in of_kind(store, "htl_network") if run.tags[names.APPROACH] == "random")
    assert not stopped.finished
    assert list((config.execution.workdir / "checkpoints").glob("*.pt"))
    finished = {run.id for run in of_kind(store, "htl_network") if run.finished}
    out = said(store, config)
    assert "5 network(s) and searches made, 9 found" in out
    assert not list((config.execution.workdir / "checkpoints").glob("*.pt"))
    assert finished < {run.id for run in of_kind(store, "htl_network")}
    monkeypatch.chdir(shared[0])
    undisturbed = open_store(experiment="tests")
    wanted = {run.tags[names.KEY]: run for run in of_kind(undisturbed, "htl_network")}
    for run in of_kind(store, "htl_network"):
        other = wanted[run.tags[names.KEY]]
        assert read_table(run, names.TEST_SCORES).equals(read_table(other, names.TEST_SCORES))


@pytest.mark.parametrize("setting", ["semi", "weak"])
def test_the_other_settings(store, setting):
    config = small(setting=setting, study=setting, **ONE_SEED, threshold="" if setting == "weak" else "validation")
    out = said(store, config)
    (mining,) = of_kind(store, "htl_mining")
    table = read_table(mining, names.HTLS)
    assert (table["iou_dense"] == 1).all()
    assert len(table) == {"semi": 40, "weak": 48}[setting]
    for run in of_kind(store, "htl_pruned"):
        stored = set(list_paths(run))
        looked_into = run.tags[names.METHOD] == "magnitude"  # random pruning is evaluated on the test images alone
        assert (names.POOL_SCORES in stored) == (setting == "semi" and looked_into)
        assert (names.BOXES in stored) == looked_into
    (analysis,) = of_kind(store, "htl_analysis")
    tables = {path.rpartition("/")[2] for path in list_paths(analysis, "tables")}
    assert ("effect.csv" in tables) == (setting == "semi")
    assert {"networks.csv", "groups.csv", "planted.csv"} <= tables
    assert "report: " in out
    model = mlflow.pyfunc.load_model(f"models:/prunecxr-{setting}-unet@seed-10-{setting}-htl")
    assert model.predict(np.zeros((1, 40, 50, 3), np.uint8)).shape == (1, 32, 32)


def test_without_htls_nothing_is_fine_tuned_and_the_report_says_so(store):
    out = said(store, small(htl_rule="absolute", tau="1", **ONE_SEED))
    assert "warning: Seed 10: 0 of 48 images are HTLs, too few to fine-tune on; a lower tau finds more." in out
    assert {run.tags[names.APPROACH] for run in of_kind(store, "htl_network")} == {"plain"}
    assert "Cannot be told: no network was fine-tuned on HTLs." in out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"setting": "weak"}, "option threshold: has no effect, since setting weak marks the insides of boxes"),
        ({"schedule": "one_cycle", "finetune_milestones": "3"}, "option finetune_milestones: has no effect, since"),
        ({"optimizer": "sgd", "schedule": "one_cycle", "momentum": "0.8"}, "option momentum: has no effect, since"),
        ({"method": "luck"}, "option method: unknown criterion 'luck'"),
        ({"ablation_methods": "random,magnitude@row"}, "option method: unknown scope 'row'"),
        ({"image_size": "40"}, "option image_size: a U-Net halves its image 4 times; 40 is no multiple of 16"),
        ({"dataset": "moles"}, "option dataset: 'moles' is not valid: there is none of that name"),
        ({"dataset": "isic2017"}, "images"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(store, changes, message):
    with pytest.raises(UserError) as caught:
        run_htl(store, small(**changes))
    assert message in str(caught.value)
    assert not runs.search(store, {names.STUDY: "small-htl"})


def without(split: str, column: str | None = None):
    """The phantom without the masks of a split, without unlabelled images, or with one diagnosis."""

    def opened(options):
        data = open_lesions(options)
        if split == "unlabelled":
            return replace(data, unlabelled=None)
        part = getattr(data, split)
        if column is None:
            return replace(data, **{split: replace(part, masks=None)})
        return replace(
            data, **{split: replace(part, table=part.table.assign(**{column: ["", "nevus"] * (len(part) // 2)}))}
        )

    return opened


@pytest.mark.parametrize(
    ("setting", "opened", "message"),
    [
        ("supervised", without("train"), "supervised needs masks of the train images, data set phantom has none"),
        ("weak", without("test"), "weak needs masks of the test images, data set phantom has none; give evaluate_on"),
        ("semi", without("unlabelled"), "semi needs images without masks; data set phantom has none: give unlabelled"),
        ("weak", without("train", "diagnosis"), "weak needs two diagnoses of training images at least; there is only"),
    ],
)
def test_data_that_a_setting_cannot_do_with(tmp_path, monkeypatch, setting, opened, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(htl_material, "open_lesions", opened)
    with pytest.raises(UserError) as caught:
        htl_material.prepare(small(setting=setting, threshold=""))
    assert message in str(caught.value)
    assert not (tmp_path / ".prunecxr").exists()


def test_images_without_a_diagnosis_are_left_out_of_the_weak_setting_and_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def opened(options):
        data = open_lesions(options)
        table = data.train.table.copy()
        table.loc[:4, "diagnosis"] = ""
        return replace(data, train=replace(data.train, table=table))

    monkeypatch.setattr(htl_material, "open_lesions", opened)
    material = htl_material.prepare(small(setting="weak", threshold=""))
    assert len(material.pixels["train"]) == 43
    assert (material.diagnoses("train") >= 0).all()
    assert any("5 of 48 train images have no diagnosis" in text for text in material.dataset.warnings)
    assert isinstance(material.table("train"), pd.DataFrame)


def test_a_baseline_that_cannot_be_drawn_is_said(store, monkeypatch):
    """Unlabelled images of which no diagnosis and no sex is known."""

    def opened(options):
        data = open_lesions(options)
        table = data.unlabelled.table.assign(diagnosis="", sex="unknown")
        return replace(data, unlabelled=replace(data.unlabelled, table=table))

    monkeypatch.setattr(htl_material, "open_lesions", opened)
    out = said(store, small(setting="semi", **{**ONE_SEED, "baselines": "random,class,sex,lowest_iou,disagreement"}))
    assert {run.tags[names.APPROACH] for run in of_kind(store, "htl_network")} == {"plain", "htl", "random"}
    said_of = {
        "images by class (baseline 5)": "the diagnosis of no image is known",
        "images by sex (baseline 6)": "the sex of no image is known",
        "images of lowest dense IoU": "an IoU needs masks, and the images have none",
        "images on which two dense networks disagree most": "it needs the dense networks of two seeds",
    }
    for arm, lacking in said_of.items():
        assert f"warning: Seed 10: no arm '{arm}': {lacking}." in out
    assert "warning: Arms that were not run (option baselines adds them): focal loss (baseline 3); all images" in out
