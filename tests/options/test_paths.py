"""Paths among the options: `~`, and where a relative one of the command line is looked for."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from prunecxr.errors import UserError
from prunecxr.options import paths
from prunecxr.options.command_line import parse, place_of
from prunecxr.options.recipe import build_config
from prunecxr.studies.configure import configure, configure_from_run
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.pruning.config import Config

ROOT = Path(__file__).parents[2]
ENTRIES = list(yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))["entry_points"])
DECLARATIONS = {name: importlib.import_module(f"entrypoints.{name}").DECLARATION for name in ENTRIES}
PLACES = [
    (entry, option)
    for entry, declaration in DECLARATIONS.items()
    for option, field in declaration.options().items()
    if place_of(field) is not None
]
NAMES = ["a b", "Bürgerspital", "100%25", "#1", "(x)", "日本", "it's", "$HOME"]


def value_of(entry: str, option: str, text: str) -> str:
    own, given = parse(DECLARATIONS[entry], [f"--{option}={text}", *required(entry, option)])
    return str(getattr(own, option)) if option in type(own).model_fields else given[option]


def required(entry: str, but: str) -> list[str]:
    fields = DECLARATIONS[entry].options()
    return [f"--{name}=7" for name, field in fields.items() if field.is_required() and name != but]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The folder of the caller and that of the project, as `mlflow run` keeps them apart."""
    caller, project = tmp_path / "caller", tmp_path / "project"
    caller.mkdir()
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setattr(paths, "caller_folder", lambda: caller)
    return caller, project


def test_every_option_that_names_files_is_a_path():
    words = ("folder", "a file", "weight file", "YAML file", "label table", "table with")
    for entry, declaration in DECLARATIONS.items():
        for option, field in declaration.options().items():
            if any(word in (field.description or "") for word in words) and option not in ("longest_side", "storage"):
                assert place_of(field) is not None, (entry, option)
    assert len(PLACES) >= 14


@pytest.mark.parametrize(("entry", "option"), PLACES)
def test_a_tilde_is_the_users_home(entry, option, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert value_of(entry, option, "~/x") == f"{tmp_path}/x"


@pytest.mark.parametrize(("entry", "option"), PLACES)
def test_a_user_who_is_not_there_is_one_line(entry, option):
    with pytest.raises(UserError) as caught:
        value_of(entry, option, "~nobody-of-that-name/x")
    assert str(caught.value).startswith(f"option {option}: no home folder is known of '~nobody-of-that-name'")


@pytest.mark.parametrize("option", ["images", "workdir", "weights", "labels"])
def test_a_tilde_in_a_recipe(option, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    section = {"workdir": "execution", "weights": "training"}.get(option, "data")
    config = build_config(Config, {section: {option: "~/a b"}}, {})
    assert str(getattr(getattr(config, section), option)) == f"{tmp_path}/a b"


def test_labels_may_be_three_files(monkeypatch, tmp_path, folders):
    caller, _ = folders
    monkeypatch.setenv("HOME", str(tmp_path))
    (caller / "b.csv").touch()
    assert value_of("main", "labels", "~/a.csv, b.csv,/c.csv") == f"{tmp_path}/a.csv,{caller}/b.csv,/c.csv"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("entry", "option"), [("main", "images"), ("main", "labels"), ("prune", "model"), ("htl", "table")]
)
def test_what_the_caller_sees_is_found_first(entry, option, name, folders):
    caller, project = folders
    for folder in folders:
        (folder / name).touch()
    assert value_of(entry, option, name) == str(caller / name)
    (caller / name).unlink()
    assert value_of(entry, option, name) == name
    (project / name).unlink()
    if option == "model":  # it may be no file
        assert value_of(entry, option, name) == name
    else:
        with pytest.raises(UserError) as caught:
            value_of(entry, option, name)
        assert str(caught.value).startswith(f"option {option}: there is no {name} in {caller}, where the command was")
        assert str(caught.value).endswith(f"nor in {project}")


def test_a_folder_that_is_made_is_made_where_the_user_called(folders):
    caller, project = folders
    assert value_of("main", "workdir", "work") == str(caller / "work")
    (project / "work").mkdir()
    assert value_of("main", "workdir", "work") == "work"
    (caller / "work").mkdir()
    assert value_of("main", "workdir", "work") == str(caller / "work")


@pytest.mark.parametrize("text", ["imagenet", "none", "IMAGENET1K_V2"])
def test_weights_may_be_a_name(text, folders):
    caller, _ = folders
    (caller / text).mkdir()  # a folder is no file of weights
    assert value_of("main", "weights", text) == text


@pytest.mark.usefixtures("folders")
def test_a_model_may_be_an_address():
    for text in ("models:/a b@x", "runs:/1/model"):
        assert value_of("prune", "model", text) == text


def test_the_default_recipe_is_the_projects_own(folders):
    """MLproject spells it out; a file of that name where the user happens to call from is not meant."""
    caller, _ = folders
    (caller / "recipes").mkdir()
    (caller / "recipes" / "demo.yaml").write_text("study: another", encoding="utf-8")
    for argv in ([], ["--recipe=recipes/demo.yaml"], ["--recipe="]):
        _, given = parse(DECLARATIONS["main"], argv)
        config = configure(given, DECLARATIONS["main"])
        assert isinstance(config, Config)
        assert config.study == "demo"
    (caller / "mine.yaml").write_text("study: mine", encoding="utf-8")
    _, given = parse(DECLARATIONS["main"], ["--recipe=mine.yaml", "--seeds=2"])
    config = configure(given, DECLARATIONS["main"])
    assert isinstance(config, Config)
    assert (config.study, config.seeds) == ("mine", (0, 1))


def test_a_recipe_of_another_kind_is_named(tmp_path):
    (tmp_path / "r.yaml").write_text("mining: {tau: 0.3}", encoding="utf-8")
    with pytest.raises(UserError, match="recipe r.yaml: describes a localization study; main takes a pruning study"):
        configure({"recipe": str(tmp_path / "r.yaml")}, DECLARATIONS["main"])
    config = configure({"recipe": str(tmp_path / "r.yaml"), "tau": "0.4"}, DECLARATIONS["htl"])
    assert isinstance(config, HtlConfig)
    assert config.mining.tau == 0.4
    with pytest.raises(UserError, match="describes a localization study; a pruning study is asked for"):
        configure_from_run(None, {"recipe": str(tmp_path / "r.yaml")}, Config)
    assert configure_from_run(None, {"study": "x"}, HtlConfig).study == "x"


CHAIN = """
import subprocess, sys
subprocess.run(["bash", "-c", sys.argv[1]], cwd=sys.argv[2], check=True)
"""


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="Linux tells the folders of processes")
@pytest.mark.parametrize("wrapper", ["{}", "true && {} && true", "bash -c '{}; true'"])
def test_the_callers_folder_is_that_of_mlflow_run(tmp_path, wrapper):
    """As MLflow starts a command: by a shell, in the project's folder."""
    caller = tmp_path / "cäll er"
    caller.mkdir()
    (tmp_path / "show.py").write_text(
        "from prunecxr.options.paths import caller_folder\nprint(ascii(str(caller_folder())))", encoding="utf-8"
    )
    command = wrapper.format(f"{sys.executable} {tmp_path}/show.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for variables, folder in (({"MLFLOW_RUN_ID": "x"}, caller), ({}, tmp_path)):
        clean = {name: value for name, value in environment.items() if name != "MLFLOW_RUN_ID"} | variables
        answer = subprocess.run(
            [sys.executable, "-c", CHAIN, command, str(tmp_path)],
            cwd=caller, env=clean, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert answer.stdout.strip() == ascii(str(folder))
