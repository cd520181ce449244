# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The page as a person has it: in headless Chromium, offline, with a mouse and with keys."""

import json

import pytest

from tests.reports import browser
from tests.reports.browser import opened, settled
from tests.reports.page_reader import read_page
from tests.reports.small_step import HOSTILE, write_base, write_diverged, write_step
from verl_sdpo.reports.tokens import main

pytestmark = pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))

NUM_RESPONSES = 500


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """(path, what is in it): 500 responses, some of them hostile."""
    run = tmp_path_factory.mktemp("run")
    texts = [
        HOSTILE if number % 100 == 1 else f"Answer {number}.\n\tÜber " + "x" * (number % 7) for number in range(500)
    ]
    write_step(run, write_base(run / "base"), 1, texts)
    output = run / "page.html"
    assert main([str(run), "1", "--output", str(output)]) == 0
    return output, read_page(output.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def driver():
    with opened() as driver:
        yield driver


@pytest.fixture
def shown(driver, page):
    driver.get(page[0].as_uri())
    settled(driver, "document.querySelectorAll('.tokens').length > 0")
    return driver


def ask(driver, code, *arguments):
    return driver.execute_script(f"return {code}", *arguments)


def choose(driver, control, value):
    driver.execute_script(
        "const c = document.getElementById(arguments[0]); c.value = arguments[1]; c.dispatchEvent(new Event('change'))",
        control,
        value,
    )
    settled(driver, "document.querySelector('article .tokens') !== null")


def heads(driver):
    """What the responses' headings say, from top to bottom."""
    return ask(driver, "[...document.querySelectorAll('article > h2')].map((h) => h.innerText.replace(/\\n/g, ' '))")


def test_only_what_is_near_the_screen_has_tokens(shown, page):
    assert ask(shown, "document.querySelectorAll('article').length") == NUM_RESPONSES
    assert ask(shown, "document.getElementById('count').textContent") == "500 of 500 responses"
    assert 1 <= ask(shown, "document.querySelectorAll('.tokens').length") < 40
    assert ask(shown, "document.querySelectorAll('*').length") < 10_000
    first = ask(shown, "document.querySelector('article .tokens').textContent")
    shown.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    settled(shown, "document.querySelector('article:last-child .tokens') !== null")
    settled(shown, "document.querySelector('article:first-child .tokens') === null")
    shown.execute_script("window.scrollTo(0, 0)")
    settled(shown, "document.querySelector('article .tokens')?.textContent === arguments[0]", first)


def test_it_asks_for_nothing_else_and_reports_no_error(shown, page):
    events = [json.loads(entry["message"])["message"] for entry in shown.get_log("performance")]
    asked = {
        event["params"]["request"]["url"].partition("#")[0]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in asked if not url.startswith(("data:", "about:"))} <= {page[0].as_uri()}
    assert [entry for entry in shown.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_what_a_model_wrote_does_nothing_and_is_shown_as_it_is(shown, page):
    _, index, _, details = page[1]
    number = next(n for n, detail in enumerate(details) if n % 100 == 1 and index[n]["target"])
    choose(shown, "sort", "tokens")
    settled(shown, "document.querySelectorAll('article .context').length > 2")
    assert index[number]["tokens"] == max(entry["tokens"] for entry in index)
    text = ask(shown, "document.querySelector('article .tokens').textContent")
    assert "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 1'>" in text
    assert "\\x202e\\x00" in text
    assert ask(shown, "window.broken") is None
    assert ask(shown, "document.querySelectorAll('img, iframe, link, article script').length") == 0


def test_half_of_a_surrogate_pair_is_still_that_in_the_page(shown):
    # In the feedback of the one without a target.
    shown.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    settled(shown, "document.querySelector('article:last-child .context pre') !== null")
    text = "[...document.querySelectorAll('article:last-child .context pre')].map((each) => each.textContent).join()"
    assert ask(shown, f"({text}).includes(' \\ud83d ')")
    assert not ask(shown, f"({text}).includes('\\ufffd')")


def test_the_policy_stops_scripts_that_are_not_the_pages_own(shown):
    shown.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.broken = 2'; document.body.append(s);"
        "const i = document.createElement('img'); i.src = 'https://example.invalid/x.png'; document.body.append(i);"
    )
    assert ask(shown, "window.broken") is None
    settled(shown, "document.querySelector('img').complete")
    said = [entry["message"] for entry in shown.get_log("browser")]
    assert sum("Content Security Policy" in message for message in said) == 2


def test_responses_are_filtered_and_counted(shown, page):
    index = page[1][1]
    for name, wanted in (
        ("success", sum(entry["success"] for entry in index)),
        ("failure", sum(not entry["success"] for entry in index)),
        ("target", sum(entry["target"] for entry in index)),
    ):
        choose(shown, "filter", name)
        assert ask(shown, "document.getElementById('count').textContent") == f"{wanted} of 500 responses"
        assert len(heads(shown)) == wanted
    assert {head.split()[1] for head in heads(shown)} == {"success", "failure"}
    choose(shown, "filter", "success")
    assert {head.split()[1] for head in heads(shown)} == {"success"}


def test_responses_are_sorted_by_divergence_and_what_has_none_is_last(shown, page):
    index = page[1][1]
    read = "[...document.querySelectorAll('article > h2')].map((h) => h.children[2].textContent.split(' ')[1])"
    values = ask(shown, read)
    numbers = [float(value) for value in values if value != "none"]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == sum(entry["target"] for entry in index) < NUM_RESPONSES
    assert values[len(numbers) :] == ["none"] * (NUM_RESPONSES - len(numbers))
    choose(shown, "sort", "score")
    assert "success" in heads(shown)[0]
    assert "failure" in heads(shown)[-1]


def colours(driver):
    return ask(driver, "[...document.querySelector('article .tokens').children].map((span) => span.className)")


def first_detail(driver, page):
    """The data of the response at the top."""
    text = ask(driver, "[...document.querySelector('article .tokens').children].map((s) => s.textContent).join('')")
    found = [
        each
        for each in page[1][3]
        if "student" in each
        and "".join(each["pieces"]).replace("\n", "↵\n").replace("\t", "⇥\t") == text.replace("·", "")
    ]
    assert len(found) == 1
    return found[0]


def test_green_is_what_the_teacher_wants_more_of_and_red_what_it_wants_less_of(shown, page):
    detail = first_detail(shown, page)
    classes = colours(shown)
    assert len(classes) == len(detail["pieces"])
    seen = set()
    for own, of_teacher, name in zip(detail["student"], detail["teacher"], classes, strict=True):
        gap = (own - of_teacher) / 1000  # both are minus a log-probability
        level = min(8, int(abs(gap) / 2 * 8 + 0.5))
        assert name == ("" if level == 0 else f"{'up' if gap > 0 else 'down'}{level}")
        seen.add(name[:2])
    assert {"up", "do"} <= seen
    colour = "getComputedStyle(document.querySelector('article .tokens [class^={}]')).backgroundColor"
    [red, green, blue] = [int(x) for x in ask(shown, colour.format("up"))[5:].split(",")[:3]]
    assert green > max(red, blue)
    [red, green, blue] = [int(x) for x in ask(shown, colour.format("down"))[5:].split(",")[:3]]
    assert red > max(green, blue)


def test_pointing_at_a_token_shows_both_lists_with_probabilities(shown, page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    detail, vocabulary = first_detail(shown, page), page[1][2]
    spans = shown.find_elements(By.CSS_SELECTOR, "article:first-child .tokens span")
    ActionChains(shown).move_to_element(spans[1]).perform()
    settled(shown, "!document.getElementById('panel').hidden")
    tables = ask(
        shown,
        "[...document.querySelectorAll('#panel table')].map((t) => [...t.tBodies[0].rows].map((r) =>"
        " [...r.cells].map((c) => c.textContent)))",
    )
    for rows, top in zip(tables, (detail["student_top"][1], detail["teacher_top"][1]), strict=True):
        assert len(rows) == len(top) // 2 == 5
        for (name, share, _), token_id, number in zip(rows, top[::2], top[1::2], strict=True):
            assert name == vocabulary[str(token_id)].replace(" ", "␣").replace("\n", "↵")
            assert float(share.split()[0]) == pytest.approx(100 * 2.718281828 ** (-number / 1000), abs=0.06)
    panel = ask(shown, "document.getElementById('panel').textContent")
    assert f"id {detail['ids'][1]}, token 2 of {len(detail['ids'])}" in panel
    said = float(panel.partition("divergence ")[2].split()[0])
    assert said == pytest.approx(detail["divergence"][1], rel=1e-3)
    ActionChains(shown).move_to_element(shown.find_element(By.ID, "title")).perform()
    settled(shown, "document.getElementById('panel').hidden")


def test_keys_go_through_responses_and_tokens(shown):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys):
        ActionChains(shown).send_keys(*keys).perform()

    place = "[...document.querySelectorAll('article')].indexOf(document.activeElement)"
    press("j")
    assert ask(shown, place) == 0
    press("j", "j", "k")
    assert ask(shown, place) == 1
    settled(shown, "document.activeElement.querySelector('.tokens') !== null")
    press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert ask(shown, "document.querySelectorAll('.current').length") == 1
    assert "token 2 of" in ask(shown, "document.getElementById('panel').textContent")
    assert ask(shown, "document.activeElement.querySelector('.current').dataset.place") == "1"
    press(Keys.ESCAPE)
    assert ask(shown, "document.getElementById('panel').hidden")
    assert ask(shown, "document.querySelectorAll('.current').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(shown, scheme):
    shown.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        assert_contrast(shown, scheme)
    finally:
        shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def assert_contrast(driver, scheme):
    """The ratio of WCAG 2, of text on card and page and on full colour, is that of level AA."""
    numbers = "(getComputedStyle({}).{}.match(/[\\d.]+/g) ?? []).map(Number)"
    card = ask(driver, numbers.format("document.querySelector('article')", "backgroundColor"))
    ink = ask(driver, numbers.format("document.body", "color"))
    faint = ask(driver, numbers.format("document.getElementById('about')", "color"))
    assert (luminance(card) < 0.5) == (scheme == "dark")
    for legend in ("down8", "up8"):
        red, green, blue, alpha = ask(
            driver, numbers.format(f"document.querySelector('#legend .{legend}')", "backgroundColor")
        )
        mixed = [alpha * over + (1 - alpha) * under for over, under in zip((red, green, blue), card, strict=False)]
        assert contrast(ink, mixed) >= 4.5
    assert contrast(ink, card) >= 7
    assert contrast(faint, card) >= 4.5


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in colour[:3])]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_a_diverged_models_responses_are_shown_with_what_is_not_finite(driver, tmp_path):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    # The third has no target.
    write_step(tmp_path, write_diverged(tmp_path / "base", 5), 1, ["one", "two", "three"])
    assert main([str(tmp_path), "1", "--output", str(tmp_path / "page.html")]) == 0
    driver.get((tmp_path / "page.html").as_uri())
    settled(driver, "document.querySelectorAll('.tokens').length === 3")
    assert ask(driver, "[...document.querySelectorAll('.tokens')].map((box) => box.textContent)") == [
        "one",
        "two",
        "three",
    ]
    ends = [" ".join(head.split()[4:10]) for head in heads(driver)]
    assert ends == ["divergence not finite widest gap not"] * 2 + ["divergence none widest gap none 5"]
    assert set(colours(driver)) == {"broken"}
    assert "2 of them have numbers that are not finite" in ask(driver, "document.getElementById('about').textContent")
    spans = driver.find_elements(By.CSS_SELECTOR, "article:first-child .tokens span")
    ActionChains(driver).move_to_element(spans[1]).perform()
    settled(driver, "!document.getElementById('panel').hidden")
    panel = ask(driver, "document.getElementById('panel').textContent")
    assert "student not finite, teacher not finite: gap not finite; divergence not finite" in panel
    shares = "[...document.querySelectorAll('#panel tbody tr')].map((row) => row.cells[1].textContent)"
    assert ask(driver, shares) == ["not finite"] * 10
    assert ask(driver, "document.getElementById('fault').hidden")
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
