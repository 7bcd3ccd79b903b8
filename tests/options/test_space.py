"""The `search:` section: what it admits, and how a mistake is named."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from prunecxr.errors import UserError
from prunecxr.options.recipe import build_config, flatten, to_recipe
from prunecxr.options.sections import TrainingOptions, options
from prunecxr.options.space import Choices, Range, parse_space
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.search.sampling import distributions

ELSEWHERE = {"sparsities", "image_size"}


def space(content):
    return parse_space(content, TrainingOptions, ELSEWHERE)


def test_every_kind_of_entry():
    found = space(
        {
            "learning_rate": {"low": "1e-4", "high": 0.01, "log": True},
            "batch_size": {"low": 16, "high": 64, "step": 16},
            "rotation": {"low": 0, "high": 15, "step": 5},
            "epochs": {"low": 2, "high": 9},
            "flip": [True, False],
            "schedule": ["cosine", "one_cycle"],
            "weight_decay": [0, "0.1"],
        }
    )
    assert found == {
        "learning_rate": Range(0.0001, 0.01, True),
        "batch_size": Range(16, 64, step=16),
        "rotation": Range(0.0, 15.0, step=5.0),
        "epochs": Range(2, 9),
        "flip": Choices((True, False)),
        "schedule": Choices(("cosine", "one_cycle")),
        "weight_decay": Choices((0.0, 0.1)),
    }
    assert distributions(found) == {
        "learning_rate": FloatDistribution(0.0001, 0.01, log=True),
        "batch_size": IntDistribution(16, 64, step=16),
        "rotation": FloatDistribution(0.0, 15.0, step=5.0),
        "epochs": IntDistribution(2, 9),
        "flip": CategoricalDistribution([True, False]),
        "schedule": CategoricalDistribution(["cosine", "one_cycle"]),
        "weight_decay": CategoricalDistribution([0.0, 0.1]),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (["learning_rate"], "expected an option a line"),
        ({"learnin_rate": [1, 2]}, "unknown option learnin_rate (did you mean learning_rate?)"),
        ({"sparsities": [0.1, 0.2]}, "option sparsities cannot be searched, only those under training: can"),
        ({"learning_rate": 0.1}, "option learning_rate: '0.1' is neither a range {low, high} nor a list of choices"),
        ({"learning_rate": "0.1-0.2"}, "is neither a range"),
        ({"learning_rate": {"low": 0.1, "high": 0.01}}, "option learning_rate: empty range, low 0.1 is not below high"),
        ({"epochs": {"low": 3, "high": 3}}, "option epochs: empty range, low 3 is not below high 3"),
        ({"learning_rate": {"low": 0.1}}, "option learning_rate: the range lacks high"),
        ({"learning_rate": {"min": 0.1, "max": 1}}, "option learning_rate: unknown key min; a range has low, high"),
        ({"learning_rate": {"low": 0, "high": 1}}, "option learning_rate: '0' is not valid: input should be greater"),
        ({"learning_rate": {"low": 0.1, "high": 11}}, "option learning_rate: '11' is not valid"),
        ({"learning_rate": {"low": "x", "high": 1}}, "option learning_rate: 'x' is not valid"),
        ({"learning_rate": {"low": float("nan"), "high": 1}}, "option learning_rate: 'nan' is not valid"),
        ({"weight_decay": {"low": 0, "high": 1, "log": True}}, "option weight_decay: a log scale begins above 0"),
        ({"weight_decay": {"low": 0, "high": 1, "log": "yes"}}, "option weight_decay: log is true or false, not 'yes'"),
        ({"rotation": {"low": 1, "high": 9, "log": True, "step": 2}}, "option rotation: a range is on a log scale or"),
        ({"batch_size": {"low": 16.5, "high": 64}}, "option batch_size: '16.5' is not valid: input should be a valid"),
        ({"batch_size": {"low": 16, "high": 64, "step": 0}}, "option batch_size: step 0 does not divide"),
        ({"batch_size": {"low": 16, "high": 64, "step": 2.5}}, "option batch_size: step '2.5' is no whole number"),
        ({"batch_size": {"low": 16, "high": 64, "step": 100}}, "option batch_size: step 100 does not divide"),
        ({"batch_size": {"low": 16, "high": 64, "step": 20}}, "steps of 20 from 16 miss high 64; the last is 56"),
        ({"schedule": {"low": 0, "high": 1}}, "option schedule has no range, its values are no numbers"),
        ({"flip": {"low": 0, "high": 1}}, "option flip has no range"),
        ({"schedule": ["cosine", "cosin"]}, "option schedule: 'cosin' is not valid: input should be 'constant'"),
        ({"schedule": ["cosine"]}, "option schedule: a list of 1 choices leaves nothing to search"),
        ({"schedule": []}, "option schedule: a list of 0 choices"),
        ({"weight_decay": [0.1, "0.1"]}, "option weight_decay: a choice is there twice"),
        ({"batch_size": [1, 16]}, "option batch_size: '1' is not valid"),
    ],
)
def test_mistakes_are_named(content, message):
    with pytest.raises(ValueError, match=".") as caught:
        space(content)
    assert message in str(caught.value)
    with pytest.raises(UserError) as told:
        build_config(Config, {"search": content}, {}, "recipe mine.yaml")
    assert str(told.value).startswith("recipe mine.yaml: search: ")
    assert "\n" not in str(told.value)


@given(
    st.floats(1e-6, 9, allow_nan=False),
    st.floats(1e-6, 9),
    st.booleans(),
    st.lists(st.integers(2, 500), min_size=2, unique=True),
)
def test_a_space_written_into_a_recipe_reads_back_the_same(one, other, log, sizes):
    low, high = sorted((one, other))
    if not low < high:
        return
    content = {"learning_rate": {"low": low, "high": high, "log": log}, "batch_size": sizes}
    config = build_config(Config, {"search": content}, {})
    again = build_config(Config, yaml.safe_load(to_recipe(config)), {})
    assert (
        again.search == config.search == {"learning_rate": Range(low, high, log), "batch_size": Choices(tuple(sizes))}
    )


def test_values_are_in_or_outside():
    assert 0.5 in Range(0.0, 1.0)
    assert 2 not in Range(0.0, 1.0)
    assert 32 in Range(16, 64, step=16)
    assert 33 not in Range(16, 64, step=16)
    assert "one_cycle" in Choices(("one_cycle", "cosine"))
    assert "x" not in Range(0.0, 1.0)


def test_the_section_is_no_option_of_a_study():
    config = build_config(Config, {"search": {"flip": [True, False]}}, {})
    assert "search" not in options(Config)
    assert "search" not in flatten(config)
    assert "search" not in yaml.safe_load(to_recipe(build_config(Config, {}, {})))
