"""docs/architecture.md: every file, folder and name that it speaks of is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"`([^`\n]+)`", PAGE)


def test_files_and_folders_exist():
    paths = [text for text in QUOTED if text.startswith(("prunecxr/", "entrypoints/", "tests/", "docs/", "pyproject"))]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_files_that_are_named_alone_exist_somewhere():
    names = [text for text in QUOTED if re.fullmatch(r"\w+\.py", text)]
    there = {path.name for path in (ROOT / "prunecxr").rglob("*.py")}
    assert names
    assert set(names) <= there


def test_registries_and_classes_exist():
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "prunecxr").rglob("*.py"))
    registries = [text for text in QUOTED if re.fullmatch(r"[A-Z_]{4,}", text) and text not in ("FINISHED",)]
    assert len(registries) >= 6
    assert [name for name in registries if not re.search(rf"^{name}\b", source, re.MULTILINE)] == []
    for name in ("Context", "UserError", "EnvironmentFault"):
        assert re.search(rf"^class {name}\b", source, re.MULTILINE)


def test_tags_exist():
    source = (ROOT / "prunecxr" / "tracking" / "names.py").read_text(encoding="utf-8")
    tags = {
        text.partition("=")[0].removesuffix(".<work>")
        for text in QUOTED
        if re.match(r"prunecxr\.[a-z_]+(?![\w.(]*\()", text)
    }
    tags = {tag for tag in tags if tag.count(".") == 1 and not (ROOT / tag.replace(".", "/")).exists()}
    assert tags
    assert [
        tag for tag in tags if f'"{tag}"' not in source and not (ROOT / f"{tag.replace('.', '/')}.py").exists()
    ] == []
