"""A reader's form in a real browser: filled in by keyboard, closed, opened again, saved, and read by the import."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prunecxr.studies.readers.answers import read_answers
from prunecxr.studies.readers.sections.form import Item, as_png, form_page

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1200,900",
)  # fmt: skip
TOKENS = ("BCDFGH", "JKLMNP", "QRSTVW")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if BROWSER is None or DRIVER is None:
        pytest.skip("no chromium or no chromedriver on the path (Debian: apt-get install chromium chromium-driver)")
    selenium = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install '.[test]'")
    folder = tmp_path_factory.mktemp("browser")
    options = selenium.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, *(("--no-sandbox",) if os.geteuid() == 0 else ()), f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = selenium.Chrome(options=options, service=selenium.ChromeService(DRIVER))
    driver.folder = folder
    yield driver
    driver.quit()


@pytest.fixture
def form(browser, tmp_path):
    """The form of three images, just opened; its answers are kept under the name of the test's folder."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 900, 1400), dtype=np.uint8)
    labels = (("Hernia", "Edema"), (), ("<b>Mass</b></script>",))
    items = [Item(token, names, as_png(image)) for token, names, image in zip(TOKENS, labels, pixels, strict=True)]
    path = tmp_path / "reader-02.html"
    path.write_text(form_page(items, 2, 6, "a & b <study>", tmp_path.name), encoding="utf-8")
    browser.get_log("browser")
    browser.get(path.as_uri())
    yield browser
    assert browser.get_log("browser") == []  # no error, and nothing that the content security policy refused


def press(driver, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def text(driver, identifier: str) -> str:
    return driver.find_element("id", identifier).text


def checked(driver) -> dict[str, str]:
    found = driver.find_elements("css selector", "input:checked")
    return {one.get_attribute("name"): one.get_attribute("value") for one in found}


def saved(driver) -> Path:
    """The file that the form downloads, once it is whole."""
    before = set(driver.folder.glob("*.json"))
    press(driver, "s")
    for _ in range(100):
        new = set(driver.folder.glob("*.json")) - before
        if new:
            return new.pop()
        time.sleep(0.1)
    raise AssertionError("nothing was downloaded within 10 s")


def key_of(export: str) -> pd.DataFrame:
    key = pd.DataFrame({"reader": 2, "position": [1, 2, 3], "item": TOKENS, "id": ["a", "b", "c"]})
    assert export
    return key.assign(subject_id=["p", "q", "r"], is_pie=[True, False, True])


def test_a_form_filled_in_by_keyboard_comes_back(form, tmp_path):
    from selenium.webdriver import Keys

    assert text(form, "heading") == "Image 1 of 3"
    assert [one.text for one in form.find_elements("css selector", "#labels li")] == ["Hernia", "Edema"]
    press(form, "y", "4", "2", Keys.ARROW_RIGHT)
    assert text(form, "done") == "1 of 3 answered"
    assert [one.text for one in form.find_elements("css selector", "#labels li")] == ["no label"]
    press(form, "n", "1", "5", Keys.ENTER)
    assert [one.text for one in form.find_elements("css selector", "#labels li")] == ["<b>Mass</b></script>"]
    press(form, "5", "y", Keys.ARROW_DOWN)  # quality before agreement; then the mark stands at difficulty
    press(form, "3")
    assert text(form, "done") == "3 of 3 answered"
    assert "All images are answered" in text(form, "notice")
    path = saved(form)
    assert path.name == "answers-a_b_study_-reader-02.json"
    assert "Please return this file" in text(form, "notice")
    joined = read_answers([path], key_of(tmp_path.name), tmp_path.name)
    assert joined[["agree", "quality", "difficulty"]].to_numpy().tolist() == [[1, 4, 2], [0, 1, 5], [1, 5, 3]]


def test_a_closed_form_goes_on_where_it_was(form, tmp_path):
    from selenium.webdriver import Keys

    press(form, "n", "2", "3", Keys.ARROW_RIGHT, "y")
    address = form.current_url
    form.get("about:blank")
    form.get(address)
    assert text(form, "heading") == "Image 2 of 3"
    assert "still here" in text(form, "notice")
    assert checked(form) == {"agree": "yes"}
    press(form, Keys.ARROW_LEFT)
    assert checked(form) == {"agree": "no", "quality": "2", "difficulty": "3"}
    press(form, Keys.ARROW_UP, "5")  # the mark went from the first question, which it was at, nowhere
    assert checked(form) == {"agree": "no", "quality": "2", "difficulty": "3"}
    press(form, Keys.ARROW_DOWN, "5")
    assert checked(form)["quality"] == "5"
    path = saved(form)
    assert "2 of 3 images are not fully answered yet" in text(form, "notice")
    joined = read_answers([path], key_of(tmp_path.name), tmp_path.name, allow_missing=True)
    assert joined["agree"].tolist()[:2] == [0, 1]
    assert joined["quality"].notna().sum() == 1
    assert len(json.loads(path.read_text())["answers"]) == 2


def test_mouse_and_tab_work_too(form):
    from selenium.webdriver import Keys

    form.find_element("css selector", "#quality input[value='3']").click()
    press(form, Keys.ARROW_RIGHT)  # does not change the answer that was clicked
    assert text(form, "heading") == "Image 2 of 3"
    form.find_element("css selector", "#overview li:first-child button").click()
    assert checked(form) == {"quality": "3"}
    form.find_element("id", "open").click()
    assert text(form, "heading") == "Image 2 of 3"
    form.execute_script("document.querySelector('#difficulty input').focus()")
    press(form, Keys.SPACE, Keys.ARROW_RIGHT)  # within a group of radio buttons, arrows are the browser's
    assert checked(form) == {"difficulty": "2"}
    names = form.execute_script(
        "return [...document.querySelectorAll('input, button, progress')].filter(e => !e.ariaLabel && "
        "!e.textContent.trim() && !(e.labels && e.labels.length)).length"
    )
    assert names == 0


def test_an_image_larger_than_its_place_is_shown_in_full_on_demand(form):
    from selenium.webdriver import Keys

    image = form.find_element("id", "image")
    assert text(form, "size") == "1400 × 900 pixels"
    assert image.size["width"] < 1400
    press(form, "z")
    assert image.size == {"width": 1400, "height": 900}
    press(form, Keys.ENTER)
    assert text(form, "heading") == "Image 2 of 3"
    assert image.size["width"] < 1400


def test_nothing_is_wider_than_a_phone(form):
    form.set_window_size(500, 900)  # the narrowest window there is; the rest is done in a frame
    form.execute_script(
        "const page = document.documentElement.outerHTML; document.open(); document.write('<iframe style=\"width:360px;"
        "height:800px\"></iframe>'); document.close(); document.querySelector('iframe').srcdoc = page;"
    )
    time.sleep(1)
    form.switch_to.frame(0)
    width = form.execute_script("return document.documentElement.scrollWidth")
    form.switch_to.default_content()
    form.set_window_size(1200, 900)
    form.get_log("browser")
    assert width <= 360
