"""Methods: one value for each way of pruning, whatever text it came as."""

from __future__ import annotations

import subprocess
import sys

import pytest

from prunecxr.compression.criteria import CRITERIA
from prunecxr.compression.methods import Method, canonical_method
from prunecxr.compression.scopes import SCOPES
from prunecxr.errors import UserError
from prunecxr.options.sections import CompressionOptions
from prunecxr.studies.localization.config import HtlAnalysisOptions, MiningOptions


def test_the_scope_may_be_left_out_where_it_is_global():
    assert Method.parse("magnitude@global") == Method.parse("magnitude") == Method("magnitude", "global")
    assert Method.parse("magnitude") != Method.parse("magnitude@layer")
    assert hash(Method.parse("random@global")) == hash(Method.parse("random"))


@pytest.mark.parametrize(
    ("text", "canonical", "slug"),
    [
        ("magnitude", "magnitude", "magnitude"),
        ("random@global", "random", "random"),
        ("magnitude@layer", "magnitude@layer", "magnitude-layer"),
    ],
)
def test_canonical_text_and_slug(text, canonical, slug):
    assert str(Method.parse(text)) == canonical_method(text) == canonical
    assert Method.parse(text).slug == slug


def test_every_method_is_read_back_from_its_text():
    for criterion in CRITERIA:
        for scope in SCOPES:
            method = Method(criterion, scope)
            assert Method.parse(str(method)) == method


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("l1", "option method: unknown criterion 'l1'; there are magnitude, random"),
        ("magnitude@channnel", "option method: unknown scope 'channnel'; there are global, layer, channel"),
        ("magnitude@", "option method: unknown scope ''; there are global, layer, channel"),
        ("", "option method: unknown criterion ''; there are magnitude, random"),
    ],
)
def test_unknown_names_list_the_known(text, message):
    with pytest.raises(UserError) as caught:
        Method.parse(text)
    assert str(caught.value) == message


def test_options_hold_canonical_texts():
    assert CompressionOptions(method="magnitude@global") == CompressionOptions(method="magnitude")
    assert MiningOptions(method="random@global").method == "random"
    options = HtlAnalysisOptions(ablation_methods="random@global, magnitude@channel")
    assert options.ablation_methods == ("random", "magnitude@channel")
    with pytest.raises(ValueError, match="each once"):
        HtlAnalysisOptions(ablation_methods="magnitude,magnitude@global")


@pytest.mark.parametrize("text", ["magnitude@row", "lottery-2.1"])
def test_a_method_that_is_none_of_this_tool_stays_as_it_is(text):
    """Imported predictions keep its name; a command that prunes refuses it."""
    assert canonical_method(text) == CompressionOptions(method=text).method == text


def test_methods_are_read_without_torch():
    code = "import sys, prunecxr.compression.methods as m; m.Method.parse('random@layer'); print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "pydantic"} & set(answer.stdout.split())
