"""Options: where they come from, what they admit, and how a mistake is explained."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from prunecxr.errors import UserError
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import load_model
from prunecxr.options.help import help_page
from prunecxr.options.page import options_page
from prunecxr.options.recipe import build_config, read_recipe, to_recipe
from prunecxr.options.sections import TrainingOptions, options, sections
from prunecxr.options.types import parse_seeds, parse_sparsities
from prunecxr.studies.configure import configure, recipe_kind
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.localization.config import BASELINES, HtlConfig
from prunecxr.studies.pruning.config import Config

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
MLPROJECT = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))["entry_points"]
DECLARATIONS = {name: importlib.import_module(f"entrypoints.{name}").DECLARATION for name in MLPROJECT}
# Options that a user of an entry point may rely on, beside those of a study.
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
    model = load_model(KINDS[recipe_kind(content, path.name)])
    assert model is (HtlConfig if "mining" in content else Config)
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
    tuning = default.finetuning.model_copy(update={"threshold": "validation"})  # every arm at its best
    assert (chosen.seeds, chosen.training, chosen.finetuning) == (default.seeds, default.training, tuning)
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


MAIN = DECLARATIONS["main"]


@pytest.mark.parametrize(
    ("argv", "option", "text"),
    [
        (["--label_map", "-1:0", "--epochs=3"], "label_map", "-1:0"),
        (["--description", "--x, that's it"], "description", "--x, that's it"),
        (["--description=--epochs=3"], "description", "--epochs=3"),
        (["--description", "", "--epochs", "3"], "epochs", "3"),
        (["--description", "line 1\nline 2 = %s {x} $HOME"], "description", "line 1\nline 2 = %s {x} $HOME"),
        (["--seeds", "0,2"], "seeds", "0,2"),
    ],
)
def test_values_may_look_like_anything(argv, option, text):
    assert parse(MAIN, argv)[1][option] == text


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--epohcs", "3"], "unknown option epohcs (did you mean epochs?)"),
        (["--learning-rate", "3"], "unknown option learning-rate (did you mean learning_rate?)"),
        (["--epochs"], "option epochs: lacks its value"),
        (["--epochs", "--batch_size=8"], "option epochs: lacks its value"),
        (["stray"], "'stray' is no option"),
        (["epochs=3"], "'epochs=3' is no option: options are written --name=value; write --epochs=3"),
        (["-epochs=3"], "'-epochs=3' is no option"),
        (["--epochs=3", "--epochs", "4"], "option epochs: is there twice"),
    ],
)
def test_bad_command_lines(argv, message):
    with pytest.raises(UserError) as caught:
        parse(MAIN, argv)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "argv", "message"),
    [
        (
            "analyze",
            ["--epochs=5"],
            "option epochs: analyze does not take it; it belongs to training (how a seed's network is trained)",
        ),
        ("analyze", ["--bootstrp=5"], "unknown option bootstrp (did you mean bootstrap?)"),
        ("data", ["--alpha=0.1"], "option alpha: data does not take it; it belongs to analysis (what is computed from"),
        ("main", ["--phantom_unlabelled=50"], "it belongs to data (which images, lesion masks and patients"),
        (
            "train",
            ["--seeds=3"],
            "option seeds: train does not take it; it belongs to a study as a whole (did",
        ),
        ("prune", ["--epochs=3"], "option epochs: prune does not take it; it belongs to training"),
        ("htl", ["--sparsities=0.5"], "option sparsities: htl does not take it; it belongs to compression"),
        ("register", ["--recipe=x"], "unknown option recipe"),
        ("main", ["--tau=0.3"], "option tau: main does not take it; it belongs to mining"),
        ("train", [], "option seed is missing: give the seed"),
        ("train", ["--seed=\u0663"], "option seed: '\u0663' is not valid: give one seed"),
        ("train", ["--seed=-1"], "option seed: '-1' is not valid: give one seed, a whole number of 0 to 2147483647"),
        ("register", [], "option run is missing: give the id of a variant run"),
        ("import_predictions", ["--labels=x"], "option predictions is missing: give the folder of files named *seed"),
        ("reader_import", [], "option answers is missing: give the folder with the returned files"),
        ("tune", ["--trials=0"], "option trials: '0' is not valid: input should be greater than or equal to 1"),
        ("tune", ["--timeout=inf"], "option timeout: 'inf' is not valid: input should be a finite number"),
    ],
)
def test_an_entry_point_refuses_what_it_does_not_take(entry, argv, message):
    with pytest.raises(UserError) as caught:
        parse(DECLARATIONS[entry], argv)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_own_options_are_checked_and_those_of_the_study_are_left_as_text():
    own, given = parse(DECLARATIONS["tune"], ["--trials=7", "--workers=2", "--epochs", "3"])
    assert (own.trials, own.workers, own.storage) == (7, 2, None)
    assert (given["epochs"], given["recipe"], "trials" in given) == ("3", "", False)


@pytest.mark.parametrize("model", [Config, HtlConfig])
def test_option_names_are_unique_over_sections(model):
    names = [name for part in (model, *sections(model).values()) for name in part.model_fields]
    assert len(names) == len(set(names))
    assert all(text for _, text in options(model).values())


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=DECLARATIONS)
def test_a_declaration_names_what_exists(declaration):
    known = {name for model in declaration.models().values() for name in (*options(model), *sections(model))}
    assert set(declaration.takes) <= known
    assert OWN[declaration.name] <= set(declaration.options())
    if declaration.recipe:
        assert (ROOT / declaration.recipe).is_file()
    given = re.findall(r"-P (\w+)=\S+", declaration.example)
    assert set(given) <= set(declaration.options())


@pytest.mark.parametrize("entry", MLPROJECT)
def test_mlproject_lists_what_a_newcomer_needs(entry):
    declaration, spec = DECLARATIONS[entry], MLPROJECT[entry]
    listed = spec.get("parameters", {})
    required = {name for name, field in declaration.options().items() if field.is_required()}
    assert declaration.name == entry
    assert {name for name, one in listed.items() if "default" not in one} == required
    assert {name: one["default"] for name, one in listed.items() if "default" in one} == (
        {"recipe": declaration.recipe} if declaration.recipe else {}
    )
    flags = "".join(f" --{name}={{{name}}}" for name in listed)
    assert spec["command"] == f"python -m entrypoints.{entry}{flags}"


@pytest.mark.parametrize(
    "value", ["2", "a b", "-1:0", "--x", "", "1,2", 'it\'s "q" $HOME `ls` {x} %s', "ü\n2", "*.png;ls"]
)
@pytest.mark.parametrize("option", ["description", "recipe"])
def test_mlflow_passes_every_option_on(value, option):
    """MLflow makes a shell command of the parameters, those that MLproject lists and those that it does not."""
    from mlflow.projects.utils import load_project

    entry = load_project(str(ROOT)).get_entry_point("htl")
    command = entry.compute_command({option: value, "tau": "0.3"}, None)
    python, _, module, *argv = shlex.split(command)
    assert (python, module) == ("python", "entrypoints.htl")
    _, given_ = parse(DECLARATIONS["htl"], argv)
    assert given_[option] == value
    assert given_["tau"] == "0.3"


def test_nothing_is_logged_that_was_not_asked_for():
    from mlflow.projects.utils import load_project

    listed, others = load_project(str(ROOT)).get_entry_point("main").compute_parameters({"epochs": "2"}, None)
    assert (listed, others) == ({"recipe": "recipes/demo.yaml"}, {"epochs": "2"})


def test_mlproject_is_a_table_of_contents():
    lines = (ROOT / "MLproject").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 90
    for number, line in enumerate(lines):
        if re.fullmatch(r"  \w+:", line):
            assert lines[number - 1].startswith("  # "), line
    offered = set(re.findall(r"-P (\w+)=", "\n".join(lines)))
    assert offered <= {name for declaration in DECLARATIONS.values() for name in declaration.options()}


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=DECLARATIONS)
def test_help_names_every_option_with_its_range_and_default(declaration, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(declaration, ["--epochs=x", "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert text.strip() == help_page(declaration).strip()
    assert f"-e {declaration.name} {declaration.example}".rstrip() in text
    assert re.findall(r"^  --(\w+)", text, re.MULTILINE) == list(declaration.options())
    assert max(map(len, text.splitlines())) <= 120


def test_help_of_an_option(capsys):
    with pytest.raises(SystemExit):
        parse(DECLARATIONS["tune"], ["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--epochs epochs at most [1 to 10,000; default 60]" in text
    assert "[adam, adamw or sgd; default adam]" in text
    assert "--flip random horizontal flips [true or false; default true]" in text
    assert "training: How a seed's network is trained" in text
    assert text.count("--workers") == 1


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
    content = options_page([Config, HtlConfig], list(DECLARATIONS.values()))
    if os.environ.get("PRUNECXR_UPDATE_GOLDEN"):
        page.write_text(content, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == content


COMMANDS = [
    (path.name, " ".join(match[0].replace("\\\n", " ").replace("\n#", " ").split()))
    for path in sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", *RECIPES, ROOT / "MLproject"])
    for match in re.finditer(r"mlflow run \. (?:[^\n`]*\\\n)*[^\n`]*", path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("where", "command"), COMMANDS)
def test_commands_in_the_documentation_are_taken(where, command):
    """Every `mlflow run . -e ENTRY -P name=value` names an entry point and options that it takes."""
    entry = re.search(r"-e (\w+)", command)
    declaration = DECLARATIONS[entry[1] if entry else "main"]
    assert set(re.findall(r"-P (\w+)=", command)) <= set(declaration.options()), where


def test_commands_are_found_in_the_documentation():
    assert len(COMMANDS) > 15


def test_names_of_baselines_are_in_their_help():
    text = options(HtlConfig)["baselines"][1]
    assert all(name in text for name in BASELINES)


def test_an_entry_point_may_work_on_both_kinds(tmp_path):
    """It then takes the options of either, and the recipe tells whose an option must be."""
    both = dataclasses.replace(
        DECLARATIONS["train"], takes=(*DECLARATIONS["train"].takes, "mining"), works_on=("pruning", "localization")
    )
    for text, model in (("mining: {tau: 0.3}", HtlConfig), ("training: {architecture: resnet18}", Config)):
        (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
        _, given_ = parse(both, [f"--recipe={tmp_path}/r.yaml", "--seed=1", "--epochs=3"])
        config = configure(given_, both)
        assert isinstance(config, model)
        assert config.training.epochs == 3
    _, given_ = parse(both, [f"--recipe={tmp_path}/r.yaml", "--seed=1", "--tau=0.3"])
    with pytest.raises(UserError, match="option tau: a pruning study has no such option; recipe r.yaml describes one"):
        configure(given_, both)
