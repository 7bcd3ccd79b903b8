"""Options: where they come from, what they admit, and how a mistake is explained."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from entrypoints import (
    analyze,
    data,
    htl,
    import_predictions,
    main,
    prune,
    reader_export,
    reader_import,
    register,
    train,
    tune,
)
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse_arguments
from prunecxr.options.page import options_page
from prunecxr.options.recipe import build_config, read_recipe, to_recipe
from prunecxr.options.sections import TrainingOptions, options, sections
from prunecxr.options.types import parse_seeds, parse_sparsities
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.pruning.config import Config

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
MLPROJECT = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))["entry_points"]
# Options of single entry points, beside those of the configuration.
OWN = {
    "main": {"recipe"},
    "train": {"recipe", "seed"},
    "prune": {"recipe", "run", "model", "seed", "train_labels"},
    "analyze": {"recipe", "study", "population"},
    "register": {"run"},
    "import_predictions": {"predictions", "labels", "train_labels", "study"},
    "data": {"recipe"},
    "reader_export": {"study", "readers", "images", "recipe"},
    "reader_import": {"answers", "study", "export_run"},
    "htl": {"recipe", "setting", "seeds"},
    "tune": {"recipe", "trials", "workers", "timeout", "storage"},
}
MODULES = {
    "main": main,
    "train": train,
    "prune": prune,
    "analyze": analyze,
    "register": register,
    "import_predictions": import_predictions,
    "data": data,
    "reader_export": reader_export,
    "reader_import": reader_import,
    "htl": htl,
    "tune": tune,
}


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", (0, 1, 2)),
        (2, (0, 1)),
        ("0-4", (0, 1, 2, 3, 4)),
        ("7,3", (3, 7)),
        ("0-2,9", (0, 1, 2, 9)),
        ([7], (7,)),
        ("7,", (7,)),
    ],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "-3", "5-2", "a", "1,1", "1.5", None, True, 2.0, "0-4294967296", []])
def test_bad_seeds(text):
    with pytest.raises(ValueError):  # noqa: PT011 (pydantic adds the option's name to whatever it says)
        parse_seeds(text)


def test_sparsities_of_paper_a():
    assert parse_sparsities("0:0.95:0.05") == tuple(round(0.05 * i, 2) for i in range(20))


@given(st.integers(1, 20), st.integers(1, 19))
def test_sparsity_ranges_hold_their_ends(steps, last):
    step = round(last / 20 / steps, 6)
    sparsities = parse_sparsities(f"0:{step * steps:.6f}:{step}")
    assert sparsities[0] == 0
    assert sparsities[-1] == pytest.approx(step * steps)
    assert len(sparsities) == steps + 1


def test_the_dense_model_is_always_among_the_sparsities():
    assert parse_sparsities("0.5,0.9") == (0.0, 0.5, 0.9)
    assert parse_sparsities(0.9) == (0.0, 0.9)


@pytest.mark.parametrize(
    "text", ["0:1:0.1", "0.5:0.1:0.1", "0:0.9", "0:0.9:0", "1", "-0.1", "x", "nan", "0:0.9:0.0001"]
)
def test_bad_sparsities(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_sparsities(text)


@pytest.mark.parametrize(
    ("recipe", "given_", "message"),
    [
        ({"studdy": "x"}, {}, "recipe: unknown option studdy (did you mean study?)"),
        (
            {"training": {"learnin_rate": 1}},
            {},
            "recipe: unknown option training.learnin_rate (did you mean learning_rate?)",
        ),
        ({"training": {"epochs": 0}}, {}, "recipe: option training.epochs: '0' is not valid: input should be greater"),
        ({"training": 3}, {}, "option training"),
        ({}, {"epochs": "ten"}, "option epochs: 'ten' is not valid: input should be a valid integer"),
        ({}, {"precision": "fp8"}, "option precision: 'fp8' is not valid: input should be 'auto', 'fp32' or 'bf16'"),
        ({}, {"seeds": "5-2"}, "option seeds: '5-2' is not valid: '5-2' is not a rising range"),
        ({}, {"label_map": "-1"}, "option label_map: '-1' is not valid: expected pairs like -1:0,blank:0"),
        ({}, {"label_map": "-1:4"}, "option label_map: '4' is not valid"),
        ({}, {"register_sparsities": "0.42"}, "register_sparsities: 0.42 is not among the sparsities"),
        ({"compression": {"register_sparsities": [0.42]}}, {}, "recipe: option register_sparsities: 0.42 is not among"),
        ({}, {"highlight": "Mass"}, "option highlight: 'Mass' is not valid: expected two different classes, as in"),
        ({}, {"highlight": "Mass,Mass"}, "option highlight"),
        ({"epochs": 3}, {}, "recipe: option epochs belongs under training:"),
        (
            {"compression": {"register_sparsities": None}},
            {},
            "register_sparsities: 'None' is not valid: expected numbers",
        ),
        ({}, {"label_map": "0:1,1:0"}, "option label_map: '0:1,1:0' is not valid: 0 and 1 mean themselves"),
        ({}, {"dataset_name": "it's"}, 'option dataset_name: "it\'s" is not valid'),
        ({}, {"study": "a/b"}, "option study: 'a/b' is not valid"),
        ({"data": [1]}, {"image_size": "64"}, "section data must hold options"),
        (
            {"search": {"learnin_rate": [1, 2]}},
            {},
            "recipe: search: unknown option learnin_rate (did you mean learning",
        ),
        ({"search": {"epochs": {"low": 5, "high": 3}}}, {}, "recipe: search: option epochs: empty range, low 5 is not"),
        ({"search": 3}, {}, "recipe: search: expected an option a line"),
    ],
)
def test_mistakes_are_named(recipe, given_, message):
    with pytest.raises(UserError) as caught:
        build_config(Config, recipe, given_)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_flags_override_the_recipe_and_empty_ones_do_not():
    chosen = build_config(
        Config, {"training": {"epochs": 3, "batch_size": 8}}, {"epochs": "4", "batch_size": "", "seeds": "2"}
    )
    assert (chosen.training.epochs, chosen.training.batch_size, chosen.seeds) == (4, 8, (0, 1))


def test_label_map_reads_text_and_yaml():
    from_text = build_config(Config, {}, {"label_map": "-1:0,blank:1"}).data.label_map
    from_yaml = build_config(Config, {"data": {"label_map": {-1: 0, None: 1}}}, {}).data.label_map
    assert from_text == from_yaml == {"-1": 0, "blank": 1}


@pytest.mark.parametrize("recipe", [{}, {"compression": {"register_sparsities": [0.6, 0.9]}}])
def test_registration_in_a_recipe_gives_way_to_sparsities_on_the_command_line(recipe):
    chosen = build_config(Config, recipe, {"sparsities": "0.5,0.9"})
    assert chosen.compression.sparsities == (0.0, 0.5, 0.9)
    assert chosen.compression.register_sparsities == (0.9,)
    assert build_config(Config, yaml.safe_load(to_recipe(chosen)), {}) == chosen


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_recipes_are_valid_and_written_back_read_the_same(path):
    content = read_recipe(path)
    model = HtlConfig if "mining" in content else Config
    chosen = build_config(model, content, {}, "recipe")
    assert build_config(model, yaml.safe_load(to_recipe(chosen)), {}, "recipe") == chosen


def test_defaults_of_localization_are_paper_b():
    """Section 3 of the paper: seeds, optimiser, schedule, fine-tuning, pruned share, and its tables 1 and 3."""
    chosen = HtlConfig()
    training, tuning = chosen.training, chosen.finetuning
    assert chosen.seeds == (10, 20, 30)
    assert (training.optimizer, training.momentum, training.weight_decay) == ("sgd", 0.9, 2e-4)
    assert (training.learning_rate, training.milestones, training.epochs, training.batch_size) == (
        0.1,
        (20, 50, 80),
        100,
        64,
    )
    assert (tuning.finetune_epochs, tuning.finetune_learning_rate, tuning.finetune_milestones) == (20, 0.01, (15,))
    assert (chosen.mining.method, chosen.mining.prune_fraction) == ("magnitude", 0.7)
    assert chosen.analysis.effect_fractions == (0.25, 0.5, 0.75, 0.99)
    assert chosen.analysis.ablation_fractions == (0.2, 0.7, 0.95)


def test_recipe_isic2017_is_the_papers():
    chosen = build_config(HtlConfig, read_recipe(ROOT / "recipes" / "isic2017.yaml"), {}, "recipe")
    default = HtlConfig()
    assert (chosen.seeds, chosen.training, chosen.finetuning) == (default.seeds, default.training, default.finetuning)
    assert (chosen.mining, chosen.analysis, chosen.data.dataset) == (default.mining, default.analysis, "isic2017")


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"baselines": "random,luck"}, "option baselines: 'random,luck' is not valid: unknown baseline 'luck'"),
        ({"milestones": "50,20"}, "option milestones: '50,20' is not valid: expected rising numbers"),
        ({"features": "8,8"}, "option features"),
        ({"tau": "0"}, "option tau: '0' is not valid: input should be greater than 0"),
        ({"setting": "none"}, "option setting: 'none' is not valid: input should be 'supervised', 'semi' or 'weak'"),
        ({"age_edges": "x"}, "option age_edges"),
        ({"ablation_methods": "random,random"}, "option ablation_methods: 'random,random' is not valid: expected"),
    ],
)
def test_mistakes_in_options_of_localization_are_named(given_, message):
    with pytest.raises(UserError) as caught:
        build_config(HtlConfig, {}, given_, "recipe")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_options_of_localization_are_suggested():
    with pytest.raises(UserError, match=r"unknown option training.epoch \(did you mean epochs\?\)"):
        build_config(HtlConfig, {"training": {"epoch": 3}}, {}, "recipe")
    with pytest.raises(UserError, match="option tau belongs under mining:"):
        build_config(HtlConfig, {"tau": 0.3}, {}, "recipe")


@pytest.mark.parametrize("name", ["nih-cxr-lt", "mimic-cxr-lt"])
def test_recipes_of_paper_a_are_its_recipe(name):
    chosen = build_config(Config, read_recipe(ROOT / "recipes" / f"{name}.yaml"), {})
    assert chosen.training == TrainingOptions()
    assert chosen.seeds == tuple(range(30))
    assert len(chosen.compression.sparsities) == 20
    assert (chosen.data.dataset, chosen.data.image_size) == (name, 256)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1", "line 1"), ("- 1", "must be a mapping"), ("a:\n\t b", "line 2"), ("", "must be a mapping")],
)
def test_broken_recipe_files(tmp_path, text, message):
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="r.yaml") as caught:
        read_recipe(path)
    assert message in str(caught.value)


def test_missing_recipe_lists_the_others(tmp_path):
    (tmp_path / "other.yaml").write_text("study: x", encoding="utf-8")
    with pytest.raises(UserError, match="no such file; there are .*other.yaml"):
        read_recipe(tmp_path / "none.yaml")


def test_values_may_look_like_options():
    assert parse_arguments("", {}, ["--label_map", "-1:0", "--epochs=3"], model=Config)["label_map"] == "-1:0"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--epohcs", "3"], "unknown option epohcs (did you mean epochs?)"),
        (["--epochs"], "expected one argument"),
        (["stray"], "unknown option stray"),
    ],
)
def test_bad_command_lines(argv, message):
    with pytest.raises(UserError) as caught:
        parse_arguments("", {}, argv, model=Config)
    assert message in str(caught.value)


@pytest.mark.parametrize("model", [Config, HtlConfig])
def test_option_names_are_unique_over_sections(model):
    names = [name for part in (model, *sections(model).values()) for name in part.model_fields]
    assert len(names) == len(set(names))
    assert all(text for _, text in options(model).values())


@pytest.mark.parametrize("entry", MLPROJECT)
def test_mlproject_offers_what_the_entry_point_takes(entry, monkeypatch):
    offered = MLPROJECT[entry]["parameters"]
    command = MLPROJECT[entry]["command"]
    taken = {}

    def record(_, own, argv=None, *, model=None, leave_out=()):  # noqa: ARG001
        taken.update(own)
        if model is not None:
            taken.update({name: "" for name in options(model) if name not in leave_out})
        raise UserError("enough")

    monkeypatch.setattr(MODULES[entry], "parse_arguments", record)
    with pytest.raises(UserError, match="enough"):
        MODULES[entry].command()
    assert set(offered) == set(taken)
    assert OWN[entry] <= set(taken)
    assert all(f"--{name}={{{name}}}" in command for name in offered)
    assert f"-m entrypoints.{entry}" in command
    optional = {name: spec for name, spec in offered.items() if "default" in spec}
    assert all(spec["default"] == "" for name, spec in optional.items() if name != "recipe")
    assert set(offered) - set(optional) <= {"run", "seed"}


def test_every_entry_point_has_its_file():
    assert {path.stem for path in (ROOT / "entrypoints").glob("[a-z]*.py")} == set(MLPROJECT)


def test_conda_and_pyproject_pin_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text(encoding="utf-8"))
    (pip,) = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    assert pip == project["dependencies"]
    assert all("==" in requirement for requirement in pip)


def test_every_option_is_documented():
    page = ROOT / "docs" / "options.md"
    if os.environ.get("PRUNECXR_UPDATE_GOLDEN"):
        page.write_text(options_page(Config, HtlConfig), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == options_page(Config, HtlConfig)
