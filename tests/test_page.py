"""The page that `zoo report --format html` makes, in a real browser: what a person sees, clicks, types and taps."""

import os
import re
import shutil
from urllib.parse import urlparse

import pytest
from playwright.sync_api import expect, sync_playwright
from rows import DIGITS, failed, rate, row
from rows import ONE_OF_EACH as ROWS

from zoo_bench.page import page as made

EVIL = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'>"


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        told = "no Chromium is installed: apt-get install chromium"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield started
        started.close()


@pytest.fixture
def show(browser, tmp_path):
    """Opens the page of some rows; complaints of the browser and requests that it makes fail the test at its end."""
    trouble, contexts = [], []

    def opened(rows, width=1280, height=900, **settings):
        file = tmp_path / "report.html"
        file.write_text(made(rows), encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **settings))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(5000)
        tab.on("console", lambda message: trouble.append(message.text))
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        allowed = (file.as_uri(), "data:,")
        tab.on("request", lambda request: request.url.startswith(allowed) or trouble.append(request.url))
        tab.goto(file.as_uri())
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []


def section(tab, name):
    return tab.get_by_role("region", name=name, exact=True)


def names(tab, title="classification on digits test"):
    return section(tab, title).locator("table.rows tbody th button > span").all_inner_texts()


def heading(tab, name, title="classification on digits test"):
    return section(tab, title).get_by_role("columnheader", name=name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_without_a_complaint_and_asks_the_network_for_nothing(show, scheme):
    tab = show(ROWS, color_scheme=scheme)
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(247, 247, 245)"
    assert light == (scheme == "light")


def test_nothing_in_it_points_outside_but_to_names_of_standards():
    outside = {urlparse(address).netloc for address in re.findall(r"https?://[^\"'\s)]+", made(ROWS))}
    assert outside == {"www.w3.org"}  # the SVG namespace, which is no address that is fetched


def test_names_notes_and_errors_that_look_like_markup_are_text(show):
    rows = [row(EVIL, 10.0, 0.9, notes=(EVIL,)), row("{{data}}", 20.0, 0.8), failed("x", f"<!-- <script> {EVIL}")]
    tab = show(rows)
    assert tab.evaluate("window.hit") is None
    assert names(tab) == [EVIL, "{{data}}"]
    expect(section(tab, "Failed")).to_contain_text(f"<!-- <script> {EVIL}")
    tab.locator("table.rows button.open").first.click()
    expect(tab.get_by_role("dialog")).to_contain_text(EVIL)
    assert tab.evaluate("window.hit") is None


def test_datasets_have_sections_of_their_own_and_rows_without_metrics_stand_under_speed_alone(show):
    tab = show(ROWS)
    assert names(tab) == ["good", "good", "good", "quick", "slow"]
    assert names(tab, "classification on csv:…/letters/manifest.csv") == ["good"]
    assert names(tab, "embedding, speed alone") == ["silent"]
    expect(section(tab, "classification on csv:…/letters/manifest.csv")).to_contain_text("2,000 of 5,000 examples")


def test_the_same_examples_by_another_path_are_one_dataset_and_other_machines_are_apart(show):
    elsewhere = DIGITS.model_copy(update={"name": "csv:digits.csv"})
    larger = row("big", 900.0, 0.9)
    larger = larger.model_copy(update={"machine": larger.machine.model_copy(update={"cores": 64})})
    tab = show([row("a", 1.0, 0.9), row("b", 2.0, 0.8, dataset=elsewhere), larger])
    tables = tab.locator("table.rows")
    assert [tables.nth(index).locator("tbody tr").count() for index in range(tables.count())] == [2, 1]
    expect(tab.locator("section.subject").nth(1)).to_contain_text("Some CPU, 64 cores")


def test_small_samples_are_marked_and_large_ones_are_not(show):
    tab = show(ROWS)
    expect(section(tab, "classification on digits test").locator(".chip")).to_have_text("small sample")
    expect(section(tab, "classification on csv:…/letters/manifest.csv").locator(".chip, .few")).to_have_count(0)


def test_speeds_that_were_measured_beside_other_pairs_are_marked(show):
    tab = show([row("a", 10.0, 0.9, beside=3)])
    expect(tab.locator("section.subject")).to_contain_text("some speeds measured beside other pairs")
    expect(tab.locator(".point")).to_have_attribute("aria-label", re.compile("beside up to 3 other pairs"))


def test_a_heading_sorts_by_click_and_by_key_and_says_so(show):
    tab = show(ROWS)
    expect(heading(tab, "top1")).to_have_attribute("aria-sort", "descending")
    heading(tab, "inputs/s").get_by_role("button").click()
    expect(heading(tab, "inputs/s")).to_have_attribute("aria-sort", "descending")
    expect(heading(tab, "top1")).to_have_attribute("aria-sort", "none")
    assert names(tab) == ["good", "good", "quick", "good", "slow"]
    tab.keyboard.press("Enter")  # the focus stays on the heading
    expect(heading(tab, "inputs/s")).to_have_attribute("aria-sort", "ascending")
    assert names(tab)[0] == "slow"
    heading(tab, "backbone").get_by_role("button").press("Space")
    assert names(tab) == ["good", "good", "good", "quick", "slow"]


@pytest.mark.parametrize("presses", [1, 2])
def test_rows_without_a_figure_come_last_whichever_way_it_is_sorted(show, presses):
    tab = show(ROWS)
    for _ in range(presses):
        heading(tab, "p50 ms").get_by_role("button").click()
    first = section(tab, "classification on digits test").locator("table.rows tbody tr").first
    expect(first).to_contain_text("10.0")


def test_text_and_choices_filter_rows_and_the_order_stays(show):
    tab = show(ROWS)
    heading(tab, "inputs/s").get_by_role("button").click()
    search, shown = tab.get_by_role("searchbox"), tab.locator("output")
    search.fill("digits CONVERTED")
    expect(shown).to_have_text("1 of 8 rows")
    assert names(tab) == ["good"]
    search.fill("no such thing")
    expect(tab.locator("main")).to_have_text("No row fits the filter.")
    search.fill("")
    tab.get_by_label("Runtime", exact=True).select_option("onnx")
    expect(shown).to_have_text("3 of 8 rows")
    assert names(tab) == ["good", "good"]
    expect(section(tab, "Failed")).to_contain_text("it is broken")
    expect(heading(tab, "inputs/s")).to_have_attribute("aria-sort", "descending")
    tab.get_by_label("Runtime", exact=True).select_option("")
    tab.get_by_label("Task", exact=True).select_option("embedding")
    expect(tab.locator("section.subject")).to_have_count(1)


def test_the_front_is_what_nothing_beats_in_both_and_turns_for_a_loss(show):
    tab = show(ROWS)
    points = section(tab, "classification on digits test").locator(".point")
    on_front = [text for text in points.evaluate_all("all => all.map(one => one.ariaLabel)") if "Pareto" in text]
    assert [text.split(", ")[1] for text in on_front] == [
        "tf · fp32 · batch 32 · cpu",
        "onnx · fp32 · batch 32 · cpu",
        "onnx · int8 · batch 32 · cpu",
    ]
    assert all("a small sample" in text for text in on_front)
    section(tab, "classification on digits test").get_by_label("Metric").select_option("log_loss")
    labels = points.evaluate_all("all => all.map(one => one.ariaLabel)")
    assert [text.split(",")[0] for text in labels if "Pareto" in text] == ["slow", "quick"]


def test_a_runtime_differs_by_outline_and_a_precision_by_filling_not_by_colour_alone(show):
    marks = show(ROWS).locator("table.rows tr:has(.open) .mark")
    looks = marks.evaluate_all(
        "all => all.slice(0, 3).map(one => [one.firstChild.getAttribute('d'), one.classList[2]])"
    )
    (tf, full), (onnx, also_full), (onnx_again, hollow) = looks
    assert tf != onnx == onnx_again
    assert full == also_full == "full" != hollow


def test_a_point_says_what_it_is_to_mouse_and_keys_and_opens_its_row(show):
    tab = show(ROWS)
    chart = section(tab, "classification on digits test")
    tip = chart.locator(".tip")
    chart.locator(".point").nth(2).hover()
    expect(tip).to_contain_text("quick")
    expect(tip).to_contain_text("150 inputs/s [147, 153]")
    chart.locator(".point").first.focus()
    expect(tip).to_contain_text("slow")
    tab.keyboard.press("ArrowRight")
    expect(tip).to_contain_text("top1 0.950 [0.940, 0.960] n 360, a small sample")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog", name="good")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(chart.locator(".point").nth(1)).to_be_focused()
    chart.locator(".point").nth(3).click()
    expect(tab.get_by_role("dialog")).to_contain_text("converted once")


def test_intervals_are_drawn_in_chart_and_table_only_where_they_are_known(show):
    bare = row("bare", 70.0, 0.5).model_copy(update={"throughput": rate(70.0).model_copy(update={"low": None})})
    tab = show([row("a", 100.0, 0.9), bare])
    lines = tab.locator(".whisker").evaluate_all("all => all.map(one => one.childElementCount)")
    assert sorted(lines) == [1, 2]
    assert tab.locator("table.rows .bar rect").count() == 3
    expect(tab.locator("table.rows")).to_contain_text("n 9: no interval")


def test_the_panel_has_all_facts_of_a_row(show):
    tab = show(ROWS)
    tab.locator("table.rows button.open").first.focus()
    tab.keyboard.press("Enter")
    panel = tab.get_by_role("dialog")
    for fact in ("0.9500 [0.9400, 0.9600]", "n 360, a small sample", "measured −0.0300 from it", "their paper",
                 "100 /s [98.0, 102]", "p50: 10.0 ms below 10.3 with 99 % confidence", "400 MB resident", "5ha256",
                 "Some CPU, 2 cores", "zoo bench", "360 of 360", "1.2.3"):  # fmt: skip
        expect(panel).to_contain_text(fact)
    panel.get_by_text("The row as it was written").click()
    expect(panel.locator("pre")).to_contain_text('"fingerprint": "f1"')
    panel.get_by_role("button", name="Close").click()
    expect(tab.locator("table.rows button.open").first).to_be_focused()


def test_runtimes_stand_side_by_side_against_the_reference(show):
    tab = show(ROWS)
    good = section(tab, "classification on digits test").locator("table.matrix tbody tr").first
    assert [text.split("\n")[:3] for text in good.locator("td").all_inner_texts()] == [
        ["100", "reference", "top1 0.950"],
        ["200", "×2.00", "[1.94, 2.06]"],
        ["300", "×3.00", "[2.92, 3.09]"],
    ]
    quick = section(tab, "classification on digits test").locator("table.matrix tbody tr").nth(1)
    assert quick.locator("td").all_inner_texts()[1:] == ["–", "–"]


def test_speed_end_to_end_can_be_looked_at_instead(show):
    tab = show(ROWS)
    tab.get_by_label("Speed", exact=True).select_option("end_to_end")
    alone = section(tab, "embedding, speed alone")
    expect(alone.locator(".point")).to_have_attribute("aria-label", re.compile("400 inputs/s .*end to end"))
    expect(section(tab, "classification on digits test")).to_contain_text("No row has both figures.")


def test_a_failed_row_opens_too(show):
    tab = show([failed("broken", "BackboneError: it is broken")])
    tab.get_by_role("button", name="classification/broken").click()
    expect(tab.get_by_role("dialog", name="broken")).to_contain_text("BackboneError: it is broken")


def test_on_a_phone_the_page_is_no_wider_than_the_screen_and_a_tap_shows_a_row(show):
    long = row("a_very_long_name_of_a_network." + "x" * 60, 1e7, 0.99, notes=("y" * 300,), command="zoo " + "z" * 300)
    tab = show([*ROWS, long, failed("w" * 90, "v" * 300)], 390, 844, has_touch=True, is_mobile=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.locator("table.rows td:visible").first.tap()
    panel = tab.get_by_role("dialog")
    expect(panel).to_contain_text("z" * 300)
    assert panel.evaluate("one => one.scrollWidth") <= 390
    panel.get_by_role("button", name="Close").tap()
    expect(panel).to_have_count(0)
    tab.locator(".point .target").first.tap()
    expect(panel).to_be_visible()


def test_keys_alone_reach_everything_that_acts(show):
    tab = show(ROWS)
    for _ in range(100):
        tab.keyboard.press("Tab")
        tab.evaluate("document.activeElement.dataset.n = 'reached'")
    acting = tab.locator("a, button, select, input, summary, .point[tabindex='0']").count()
    unreached = tab.locator(
        "a:not([data-n]), button:not([data-n]), select:not([data-n]), .point[tabindex='0']:not([data-n])"
    )
    assert acting > 40
    assert unreached.count() == 0


def test_on_paper_there_is_no_filter_and_no_dark(show):
    tab = show(ROWS, color_scheme="dark")
    tab.emulate_media(media="print", color_scheme="dark")
    expect(tab.get_by_role("search")).to_be_hidden()
    assert tab.evaluate("getComputedStyle(document.querySelector('.subject')).backgroundColor") == "rgb(255, 255, 255)"


def test_a_long_table_begins_with_its_best_hundred_and_shows_all_when_asked(show):
    tab = show([row(f"n{number}", 10.0 + number, 0.5 + number / 1000) for number in range(130)])
    assert names(tab)[:2] == ["n129", "n128"]
    assert len(names(tab)) == 100
    tab.get_by_role("button", name="Show all 130 rows").click()
    assert len(names(tab)) == 130
    expect(tab.get_by_role("button", name="Show all")).to_have_count(0)
