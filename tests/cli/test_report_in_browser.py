"""The page of `hltune report` in a browser that reads it from the disk, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from hltune.commands.report import Reported
from hltune.report.page import reported, write_page
from tests.cli.conftest import PAGE
from tests.report.explained import FOUND, explanation

CHROMIUM = shutil.which("chromium")
LARGEST_BYTES = 700_000
"""Of two pipelines; those of six have to be under 2 MB."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=180_000)
        yield opened
        opened.close()


def test_the_page_works_in_a_browser(browser: Browser, tuned_folder: Path) -> None:
    path = tuned_folder / PAGE
    assert path.stat().st_size < LARGEST_BYTES
    for scheme, width in (("light", 380), ("dark", 1280)):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=scheme == "dark"
        )
        page = context.new_page()
        page.set_default_timeout(180_000)
        complaints: list[str] = []
        page.on("console", lambda message, found=complaints: found.append(message.text))
        page.on("pageerror", lambda error, found=complaints: found.append(str(error)))
        page.on("requestfailed", lambda request, found=complaints: found.append(request.url))
        page.goto(path.as_uri())
        assert not complaints
        _check(page)
        context.close()


def test_what_is_folded_is_printed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    write_page(reported([Reported(explanation=explanation(FOUND))], {}, command="hltune report"), path)
    page = browser.new_page()
    page.goto(path.as_uri())
    change = page.locator("details pre").first
    assert not change.is_visible()
    page.emulate_media(media="print")
    box, next_one = change.bounding_box(), page.locator("details").nth(1).bounding_box()
    assert change.is_visible() and box is not None and next_one is not None
    assert box["height"] > 10 and box["y"] + box["height"] <= next_one["y"]
    page.close()


def _check(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("heading", level=2).count() == 2
    pictures = page.locator("img")
    assert pictures.count() >= 3
    for number in range(pictures.count()):
        picture = pictures.nth(number)
        assert picture.get_attribute("alt")
        assert picture.evaluate("each => each.complete && each.naturalWidth > 0")
    curves = page.locator("figure[role=img]")
    assert curves.count() == 2
    for number in range(2):
        box = curves.nth(number).bounding_box()
        assert box is not None and min(box["width"], box["height"]) > 100
        assert "minutes" in (curves.nth(number).get_attribute("aria-label") or "")
    _check_contrast(page)
    _check_keyboard(page)


def _check_contrast(page: Page) -> None:
    """Text and background differ, in either colour scheme."""
    color, background = (
        page.evaluate(f"getComputedStyle(document.querySelector('{name}')).{field}")
        for name, field in (("td", "color"), ("body", "color"))
    )
    canvas = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 0 : 255")
    for each in (color, background):
        levels = [int(value) for value in each.strip("rgb()").split(",")[:3]]
        assert abs(sum(levels) / 3 - canvas) > 100


def _check_keyboard(page: Page) -> None:
    """Whoever has no mouse reaches links, and the tables that may have to be scrolled."""
    reached: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.tagName")
        reached.add(name)
    regions = page.get_by_role("region")
    labels = {regions.nth(number).get_attribute("aria-label") for number in range(regions.count())}
    assert "A" in reached and {each for each in labels if each} <= reached
