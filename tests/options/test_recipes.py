"""Recipes: what their YAML may hold, which kind of study they describe, and which options have no effect."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunecxr.errors import UserError
from prunecxr.options.loader import MAX_NODES, read_yaml, write_yaml
from prunecxr.options.recipe import build_config, flatten, kind_of, read_recipe, to_recipe
from prunecxr.options.types import parse_sparsities
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.pruning.config import Config

MODELS = {"pruning": Config, "localization": HtlConfig}
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def recipe(tmp_path, text: str):
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def refusal(call: Callable[[], object]) -> str:
    """What a call is refused with; empty if it is not."""
    try:
        call()
    except UserError as error:
        return str(error)
    return ""


def config_of(tmp_path, text: str, model=Config):
    return build_config(model, recipe(tmp_path, text), {}, "recipe r.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "line 1"),
        ("a:\n\t b", "line 2"),
        ("- 1", "must be a mapping"),
        ("", "must be a mapping"),
        ("study: a\nstudy: b", "r.yaml, line 2: is not valid YAML (study is there twice, first on line 1)"),
        ("training:\n  epochs: 3\n  flip: true\n  epochs: 60", "line 4: is not valid YAML (epochs is there twice"),
        ("training: {epochs: 3}\ndata: {}\ntraining: {epochs: 60}", "line 3: is not valid YAML (training is"),
        ("data: {label_map: {-1: 0, -1.0: 1}}", "-1.0 is there twice"),
        (BOMB, f"line 5: is not valid YAML (holds more than {MAX_NODES} values)"),
        ("a: &a [*a]", "recursive"),
        ("a: " + "[" * 20_000, "is nested more than 20 levels deep"),
        ("? " * 20_000, "is nested more than 20 levels deep"),
        ("".join(" " * level + "a:\n" for level in range(50)), "is nested more than 20 levels deep"),
        ("training: {epochs: " + "9" * 5000 + "}", "a number of 5,000 digits"),
        ("training: {learning_rate: 0." + "1" * 5000 + "}", "a number of 5,002 digits"),
        ("3: x", "3 is no name of an option"),
        ("training: {3: x}", "3 under training: is no name of an option"),
        ("? [a]\n: x", "a name is a list or a mapping"),
        ("a: !!python/object/apply:os.system [x]", "has no place in a recipe"),
        ("a: !!timestamp x", "has no place in a recipe"),
        ("a: !!int x", "'x' is no int"),
        ("a: *b", "undefined alias"),
        ("a: 1\n---\nb: 2", "but found another document"),
        ("a: \0", "is not valid YAML"),
        ("x" * 1_000_001, "larger than 1,000,000 bytes"),
    ],
)  # fmt: skip
def test_broken_recipe_files(tmp_path, text, message):
    with pytest.raises(UserError, match="r.yaml") as caught:
        recipe(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_recipe_lists_the_others(tmp_path):
    (tmp_path / "other.yaml").write_text("study: x", encoding="utf-8")
    with pytest.raises(UserError, match="no such file; there are .*other.yaml"):
        read_recipe(tmp_path / "none.yaml")


def test_a_folder_is_no_recipe(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_recipe(tmp_path)


def test_words_mean_what_yaml_1_2_says():
    text = "[yes, no, on, off, true, FALSE, null, ~, 0777, 1:30, -1:0, 2020-01-01, 1e-4, 0x1F, .5, 1_000, '1', <<, '']"
    assert read_yaml(text) == [
        "yes", "no", "on", "off", True, False, None, None, 777, "1:30", "-1:0", "2020-01-01", 1e-4, "0x1F", 0.5,
        "1_000", "1", "<<", "",
    ]  # fmt: skip
    assert read_yaml("[.inf, -.INF]") == [math.inf, -math.inf]
    assert math.isnan(read_yaml(".nan"))


def test_anchors_within_reason_are_admitted(tmp_path):
    assert recipe(tmp_path, "a: &a [1, 2]\nb: *a") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {epochs: yes}", "option training.epochs: 'yes' is not valid: input should be a valid integer"),
        ("training: {epochs: true}", "option training.epochs: 'True' is not valid: input should be a valid integer"),
        ("training: {epochs: 3.0}", "option training.epochs: '3.0' is not valid: input should be a valid integer"),
        ("training: {epochs: '3.0'}", "option training.epochs: '3.0' is not valid: input should be a valid integer"),
        ("training: {epochs: '1_000'}", "option training.epochs: '1_000' is not valid"),
        ("training: {learning_rate: true}", "option training.learning_rate: 'True' is not valid: input should"),
        ("training: {learning_rate: .inf}", "option training.learning_rate: 'inf' is not valid"),
        ("training: {flip: maybe}", "option training.flip: 'maybe' is not valid: input should be a valid boolean"),
        ("seeds: '\u0663'", "option seeds: '\u0663' is not valid"),
        ("seeds: [\u0661, 2]", "option seeds"),
        ("seeds: true", "option seeds: 'True' is not valid"),
        ("data: {phantom_seed: '\u0663'}", "option data.phantom_seed: '\u0663' is not valid"),
        ("compression: {sparsities: true}", "option compression.sparsities: 'True' is not valid"),
        ("compression: {sparsities: [true]}", "option compression.sparsities"),
        ("compression: {sparsities: ['\u0660.\u0665']}", "option compression.sparsities"),
        ("data: {label_map: {1.0: 0, 0.0: 1}}", "0 and 1 mean themselves"),
        ("data: {label_map: {true: 1, false: 0}}", "true as a label must stand in quotes"),
        ("data: {label_map: {-1: 0.5}}", "option data.label_map.-1: '0.5' is not valid: input should be"),
        ("data: {label_map: {-1: true}}", "is not valid: input should be a valid integer"),
        ("data: {images: '~nobody-of-that-name/x'}", "option data.images: '~nobody-of-that-name/x' is not valid"),
        ("data: {dataset: nih}", "option data.dataset: 'nih' is not valid: there is none of that name (phantom, nih-"),
        ("training: {loss: hinge}", "option training.loss: 'hinge' is not valid: there is none of that name (bce, "),
        ("search: {momentum: [0.5, 0.9]}", "search: option momentum: has no effect, since optimizer adam has none"),
    ],
)  # fmt: skip
def test_values_are_of_their_type(tmp_path, text, message):
    with pytest.raises(UserError) as caught:
        config_of(tmp_path, text)
    assert str(caught.value).startswith("recipe r.yaml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["0", "1", "1.0", "+1", "01", "1e0", "-0", "00.0", "\u0661", " 1 ", "0_1", "1."])
def test_labels_that_mean_0_or_1_are_not_mapped(text):
    for value in (f"{text}:0", {text: 0}):
        with pytest.raises(UserError, match="0 and 1 mean themselves"):
            build_config(Config, {"data": {"label_map": value}}, {})


@pytest.mark.parametrize("text", ["-1:0,-1:1", "-1:0,-1.0:1", "a:0,b:1,a:0"])
def test_a_label_is_mapped_once(text):
    with pytest.raises(UserError, match="is there twice"):
        build_config(Config, {}, {"label_map": text})


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        ("label_map: {YES: 1, NO: 0}", {"YES": 1, "NO": 0}),
        ("label_map: YES:1,NO:0", {"YES": 1, "NO": 0}),
        ("label_map: -1:0,blank:0", {"-1": 0, "blank": 0}),
        ("label_map: -1:0", {"-1": 0}),
        ("label_map: {-1: 0, null: 1}", {"-1": 0, "blank": 1}),
        ("label_map: {'true': 1, 'false': 0, 2: 1, u: 0}", {"true": 1, "false": 0, "2": 1, "u": 0}),
    ],
)
def test_labels_that_are_mapped(tmp_path, text, meanings):
    assert config_of(tmp_path, f"data:\n  {text}").data.label_map == meanings


@pytest.mark.parametrize(
    ("word", "value"), [("yes", True), ("no", False), ("true", True), ("'false'", False), ("on", True)]
)
def test_booleans_where_they_belong(tmp_path, word, value):
    assert config_of(tmp_path, f"training: {{flip: {word}}}").training.flip is value


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({}, "pruning"),
        ({"study": "x", "data": {"dataset": "phantom"}}, "pruning"),
        ({"compression": {"method": "random"}}, "pruning"),
        ({"mining": {"tau": 0.4}}, "localization"),
        ({"finetuning": {}}, "localization"),
        ({"training": {"features": [8, 8, 8, 8, 8, 8]}}, "localization"),
        ({"minning": {"tau": 0.4}, "training": {"milestones": [3]}}, "localization"),
        ({"kind": "localization", "compression": {}}, "localization"),
        ({"kind": "pruning", "mining": {}}, "pruning"),
    ],
)
def test_kinds_of_recipes(content, kind):
    assert kind_of(content, MODELS) == kind


def test_what_fits_several_kinds_is_of_the_first():
    assert kind_of({"study": "x"}, {"localization": HtlConfig, "pruning": Config}) == "localization"
    with pytest.raises(UserError, match="kind: 'pruned' is not valid: there are pruning, localization"):
        kind_of({"kind": "pruned"}, MODELS)


@pytest.mark.parametrize("model", MODELS.values())
def test_written_recipes_say_their_kind_and_read_back_the_same(model):
    config = model()
    content = read_yaml(to_recipe(config))
    assert content["kind"] == model.kind
    assert MODELS[model.kind] is model
    assert build_config(model, content, {}) == config


@pytest.mark.parametrize(
    ("model", "content", "given_", "message"),
    [
        (Config, {}, {"momentum": "0.9"}, "option momentum: has no effect, since optimizer adam has none, sgd has"),
        (
            Config,
            {"training": {"momentum": 0.5}},
            {},
            "recipe: option momentum: has no effect, since optimizer adam has",
        ),
        (
            Config,
            {"training": {"momentum": 0.5, "optimizer": "sgd", "schedule": "one_cycle"}},
            {},
            "recipe: option momentum: has no effect, since schedule one_cycle sets the momentum itself",
        ),
        (
            HtlConfig,
            {"training": {"schedule": "cosine"}},
            {"milestones": "3"},
            "option milestones: has no effect, since",
        ),
        (HtlConfig, {"training": {"schedule": "cosine", "milestones": [3]}}, {}, "recipe: option milestones: has no"),
        (
            HtlConfig,
            {"training": {"schedule": "constant"}, "finetuning": {"finetune_milestones": [3]}},
            {},
            "recipe: option finetune_milestones: has no effect, since schedule constant has none, step has",
        ),
    ],
)
def test_options_without_effect_are_refused(model, content, given_, message):
    with pytest.raises(UserError) as caught:
        build_config(model, content, given_)
    assert message in str(caught.value)


def test_options_without_effect_are_neither_logged_nor_written():
    content = {"training": {"momentum": 0.5, "optimizer": "adamw"}}
    config = build_config(Config, content, {}, logged=True)  # as a study of an earlier version may hold them
    assert config.training.momentum == 0.5
    assert "momentum" not in flatten(config)
    assert "momentum" not in read_yaml(to_recipe(config))["training"]
    labelled = build_config(Config, {"data": {"label_map": {"momentum": 0}}}, {})
    assert read_yaml(to_recipe(labelled))["data"]["label_map"] == {"momentum": 0}  # a label of that name is none
    used = build_config(Config, {"training": {"momentum": 0.5, "optimizer": "sgd"}}, {})
    assert flatten(used)["momentum"] == "0.5"


def test_a_default_that_is_spelled_out_is_no_mistake():
    build_config(Config, {"training": {"momentum": 0.9, "optimizer": "adam"}}, {})
    build_config(HtlConfig, {"training": {"schedule": "cosine", "milestones": [20, 50, 80]}}, {})


def test_a_search_may_vary_what_only_some_trials_use():
    build_config(Config, {"search": {"momentum": [0.5, 0.9], "optimizer": ["sgd", "adam"]}}, {})


def test_flags_of_another_kind_are_refused():
    with pytest.raises(UserError, match="option tau: a pruning study has no such option; recipe r.yaml describes one"):
        build_config(Config, {}, {"tau": "0.3"}, "recipe r.yaml")


def test_an_empty_section_takes_flags():
    assert build_config(Config, {"training": None}, {"epochs": "3"}).training.epochs == 3


WORDS = st.sampled_from([
    "study", "data", "training", "epochs", "label_map", "yes", "true", "null", "1e0", "0777", "1:30", "~", "&a", "*a",
    "!!int", "- ", "? ", ": ", "[", "]", "{", "}", ",", "\n", "\n  ", "'", '"', "#", "|", "%", "@", "---", "\t",
    "9" * 50, "\u0663", "\0",
])  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.lists(WORDS, max_size=40).map("".join)))
def test_whatever_a_recipe_holds_it_is_read_or_refused_in_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for model in MODELS.values():
        message = refusal(lambda model=model: build_config(model, read_recipe(path), {}, "recipe fuzz.yaml"))
        assert not message or "fuzz.yaml" in message


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(allow_nan=False), st.text())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_what_is_written_reads_back_the_same(content):
    assert read_yaml(write_yaml(content)) == content


@settings(max_examples=200, deadline=None)
@given(
    VALUES, st.sampled_from([name for part in (Config().data, Config().training) for name in type(part).model_fields])
)
def test_whatever_an_option_is_given_it_is_taken_or_refused_in_one_line(value, name):
    section = "data" if name in type(Config().data).model_fields else "training"
    message = refusal(lambda: build_config(Config, {section: {name: value}}, {}))
    assert not message or name in message
    if not message:
        config = build_config(Config, {section: {name: value}}, {})
        assert build_config(Config, read_yaml(to_recipe(config)), {}) == config


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8")), st.sampled_from(["seeds", "sparsities", "label_map", "epochs", "images"]))
def test_whatever_a_flag_is_given_it_is_taken_or_refused(text, name):
    message = refusal(lambda: build_config(Config, {}, {name: text}))
    assert not message or name in message


def test_ranges_of_huge_numbers_are_refused():
    with pytest.raises(ValueError, match="fraction"):
        parse_sparsities("9" * 5000)
