"""The live page in a real browser, before a real study that runs in another process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leanloop.core.configuration import Configuration
from leanloop.core.run import RunKey
from leanloop.store.sql import SqlStore
from tests.report.live import (
    big_run,
    leanloop,
    make_big,
    served,
    write_live,
)

MASKING = Configuration({"memory.keep_observations": 1}).id
CACHING = Configuration({"tools.result_cache": "on"}).id
REDRAW_MS = 100
PATIENCE_S = 40.0


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    with served(place) as address:
        yield address


@pytest.fixture
def open_page(browser: Any, url: str) -> Iterator[Callable[..., Any]]:
    """Opens pages; fails on what the browser complains of, or asks of anybody else."""
    opened, asked, wrong = [], [], []

    def go(path: str, *, base: str = url, width: int = 1280, **options: Any) -> Any:
        page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        opened.append(page)
        page.on("request", lambda request: asked.append((base, request.url)))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(base + path)
        return page

    yield go
    titles = [page.title() for page in opened]
    for page in opened:
        page.close()
    # The browser itself speaks of an order that was refused.
    assert [w for w in wrong if "400 (Bad Request)" not in w] == []
    assert all(address.startswith(base) for base, address in asked)
    assert "owned" not in titles


def until(page: Any, what: str) -> Any:
    """Waits for something of the page; its policy lets Playwright's own waiting not in."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = page.evaluate(what)
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(what)


def seen(page: Any, text: str) -> None:
    page.get_by_text(text).first.wait_for(timeout=PATIENCE_S * 1000)


def test_a_running_study_is_followed_and_obeys(open_page, place, tmp_path):
    study = write_live(tmp_path, "slow", SEARCH=40, HOLDOUT=8, RUNS=200)
    store = SqlStore(place)
    with leanloop("optimize", study, "--store", place, COINS_SLEEP_S="0.02") as process:
        while store.standing("slow") is None:
            time.sleep(0.05)
        page = open_page("/study/slow")
        state = page.locator("#state")
        until(page, "leanloop.page?.head?.runs > 3")
        first = page.evaluate("leanloop.page.head.runs")
        drawn = page.evaluate("leanloop.redraws")
        until(page, f"leanloop.page.head.runs > {first + 3}")
        assert page.evaluate("leanloop.redraws") > drawn
        assert state.inner_text() == "running"
        assert page.locator(".point").count() >= 1

        page.locator("#pause").click()
        seen(page, "paused: no run begins until it is resumed")
        assert page.locator("#pause").inner_text() == "Resume"
        until(page, "document.getElementById('live').textContent.includes('aused')")
        time.sleep(1.5)  # the look at the store, and the run under way
        paused = len(store.runs("slow"))
        time.sleep(0.8)
        assert len(store.runs("slow")) == paused
        until(page, f"leanloop.page.head.runs === {paused}")
        page.locator("#pause").click()
        until(page, f"leanloop.page.head.runs > {paused}")
        assert page.locator("#pause").inner_text() == "Pause"

        page.locator("#raise").click()
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0
        page.locator("#raise").click()
        page.locator("#max-runs").fill("100")
        page.locator("#raise-yes").click()
        seen(page, "a cap is only raised: name more than 200")
        page.locator("#max-runs").fill("400")
        page.locator("#max-runs").press("Enter")
        until(page, "document.querySelectorAll('.card')[1].textContent.includes(' of 400')")
        assert store.control("slow").max_runs == 400

        page.locator("#stop").click()
        page.locator("#stop-yes").click()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "the cap of 200 runs was raised to 400" in errors
        assert "paused from the dashboard" in errors
        assert "stopped; finished runs are kept" in errors
        seen(page, "stopped; leanloop optimize goes on with it")
        assert page.locator("#pause").is_disabled()
        kept = len(store.runs("slow"))
        until(page, f"leanloop.page.head.runs === {kept}")
    store.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_seen(open_page, tmp_path, scheme, width):
    page = open_page("/study/coins", width=width, color_scheme=scheme)
    places = [
        ("/study/coins", ".point"),
        (f"/study/coins#/configuration/{MASKING}", "tbody a"),
        (f"/study/coins#/run/{MASKING}/search-1/0", ".step"),
        (f"/study/coins#/run/{MASKING}/search-1/0/beside/{CACHING}", ".sides.two .step"),
        ("/gateway/gw", "tbody a"),
        ("/", ".list a"),
    ]
    start = page.url.removesuffix("/study/coins")
    for place, what in places:
        page.goto(start + place)
        page.locator(what).first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        assert page.get_by_role("heading", level=1).count() == 1
        assert len(page.screenshot(path=str(tmp_path / "seen.png"), full_page=True)) > 15_000
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 26)" if scheme == "dark" else "rgb(255, 255, 255)")


def test_the_theme_can_be_chosen_and_stays(open_page):
    page = open_page("/", color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    page.locator("#theme").select_option("dark")
    assert page.evaluate(ground) == "rgb(20, 23, 26)"
    page.reload()
    page.locator(".list").first.wait_for()
    assert page.evaluate(ground) == "rgb(20, 23, 26)"
    page.locator("#theme").select_option("auto")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_a_run_is_a_timeline_and_markup_is_text(open_page):
    page = open_page(f"/study/coins#/run/{CACHING}/search-1/0")
    page.locator(".step").first.wait_for()
    assert page.locator(".step").count() == 4
    assert page.get_by_text("answered by tools.result_cache, no tool was called").count() == 1
    assert page.get_by_text("answered by the tool").count() == 2
    assert page.get_by_text("input, not cached").count() >= 4
    assert page.get_by_text("read from the cache").count() >= 4
    page.get_by_text("The task's text").click()
    seen(page, "What is coin 1 worth? <img src=x onerror=")
    page.locator(".step").nth(1).get_by_role("button", name="Show the whole request").click()
    seen(page, "You know coins.")
    assert page.locator("main img, main script").count() == 0
    page.goto(page.url.replace(CACHING, MASKING))
    page.get_by_text("memory.keep_observations = 1").first.wait_for()
    page.locator(".lever summary").first.click()
    assert page.get_by_text("Why: Keep the last N observations whole").first.is_visible()
    assert "[older observation left out]" in page.locator(".lever").first.inner_text()


def test_two_runs_of_a_task_stand_side_by_side(open_page):
    page = open_page(f"/study/coins#/run/{CACHING}/search-1/0")
    page.locator(".step").first.wait_for()
    page.locator("#beside").select_option(MASKING)
    page.locator(".sides.two .run").nth(1).wait_for()
    left, right = (page.locator(".run").nth(i).bounding_box() for i in (0, 1))
    assert right["x"] >= left["x"] + left["width"]
    assert abs(right["y"] - left["y"]) < 2
    assert page.locator(".run").nth(1).locator(".step").count() == 4
    page.set_viewport_size({"width": 390, "height": 900})
    upper, lower = (page.locator(".run").nth(i).bounding_box() for i in (0, 1))
    assert lower["y"] >= upper["y"] + upper["height"]


def focused(page: Any) -> str:
    text: str = page.evaluate("document.activeElement.textContent.trim()")
    return text


def test_the_keyboard_is_enough(open_page):
    page = open_page("/study/coins")
    page.locator(".point").first.wait_for()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    stops = []
    for _ in range(5):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", stops[-1]
    assert "raise" in stops
    assert "axis" in stops
    links = page.locator("tbody").first.locator("a")
    rows = links.count()
    links.first.focus()
    first = focused(page)
    page.keyboard.press("ArrowDown")
    assert focused(page) != first
    page.keyboard.press("End")
    last = focused(page)
    page.keyboard.press("ArrowDown")
    assert focused(page) == last == links.nth(rows - 1).inner_text().replace("\n", "")
    page.keyboard.press("Home")
    assert focused(page) == first
    page.keyboard.press("ArrowDown")
    chosen = focused(page)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Tasks and runs").wait_for()
    until(page, "document.activeElement.tagName === 'H1'")
    page.locator("tbody a").first.focus()
    page.keyboard.press("Enter")
    page.locator(".step").first.wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Tasks and runs").wait_for()
    until(page, "document.activeElement.closest('tr') !== null")
    page.keyboard.press("Escape")
    page.locator(".point").first.wait_for()
    until(page, f"document.activeElement.textContent.trim() === {chosen!r}")
    assert (
        page.evaluate(
            "document.querySelectorAll('tbody')[0].querySelectorAll('[tabindex=\"0\"]').length"
        )
        == 1
    )


def test_what_changes_is_told_and_nothing_moves_for_who_wants_that(open_page):
    page = open_page("/study/coins", reduced_motion="reduce")
    page.locator(".point").first.wait_for()
    assert page.locator("#live").get_attribute("aria-live") == "polite"
    lasting = "getComputedStyle(document.querySelector('.point')).transitionDuration"
    assert page.evaluate(lasting) == "0s"
    assert page.locator("html").get_attribute("lang") == "en"
    for field in page.locator("select").all():
        assert field.evaluate("e => e.labels.length") == 1
    assert (
        page.locator("figure svg").first.get_attribute("aria-label").startswith("Success against")
    )


def test_a_gateway_is_seen(open_page):
    page = open_page("/gateway/gw")
    page.locator("tbody a").first.wait_for()
    for text in ("Not shown worse so far.", "history edited", "dollars (modelled)", "Cap a day"):
        assert page.get_by_text(text).first.is_visible(), text
    page.locator("tbody a").first.click()
    seen(page, "Calls in the order in which they ended")
    assert page.locator("tbody tr").count() >= 3
    page.keyboard.press("Escape")
    seen(page, "Cap a session")


def test_a_large_study_is_redrawn_in_an_instant(open_page, tmp_path):
    place = tmp_path / "big.sqlite"
    ids = make_big(place)
    store = SqlStore(place)
    with served(place, "--no-suite") as base:
        page = open_page("/study/big", base=base)
        until(page, "leanloop.page?.head?.runs >= 25000")
        assert page.locator(".point").count() == 50
        assert page.locator("tbody").first.locator("tr").count() == 50
        took = []
        for i in range(4):
            drawn = page.evaluate("leanloop.redraws")
            store.record("big", big_run(RunKey(ids[i], f"more-{i}"), True, 1.0))
            until(page, f"leanloop.redraws > {drawn}")
            took.append(page.evaluate("leanloop.lastRedrawMs"))
        # All of it anew, as when another cost is chosen.
        took.append(
            page.evaluate("""() => {
            const start = performance.now();
            leanloop.page.overview.choose("axis", "usd");
            void document.body.offsetHeight;
            return performance.now() - start;
        }""")
        )
        assert float(page.locator("html").get_attribute("data-redraw-ms")) < REDRAW_MS
        assert max(took) < REDRAW_MS, took
        page.goto(f"{base}/study/big#/configuration/{ids[2]}")
        until(page, "document.querySelectorAll('tbody a').length >= 500")
        assert float(page.locator("html").get_attribute("data-runs-ms")) < REDRAW_MS
    store.close()
