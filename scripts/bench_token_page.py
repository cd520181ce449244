# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Size and speed of the page of `python -m verl_sdpo.reports.tokens`, with made-up numbers of a large vocabulary.

    python scripts/bench_token_page.py --responses 500 --tokens 300 1000 4000

The page is made by the command's own classes; what is made up are distributions (64 candidates a token, from a Zipf
law over 150,000 ids) and words, in place of two models' passes. Loaded in headless Chromium, which, with its driver and
selenium, has to be there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import torch

from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.reports.token_gaps import TokenGaps, TopIds
from verl_sdpo.reports.token_page import TokenPage
from verl_sdpo.reports.token_records import Sample, StepRecord

VOCABULARY, CANDIDATES, PROMPT_TOKENS, TEACHER_TOKENS = 150_000, 64, 150, 900
TIMES = """
const timing = performance.getEntriesByType('navigation')[0];
return {loaded_s: timing.loadEventEnd / 1000, nodes: document.querySelectorAll('*').length};
"""
SORTED = """
const start = performance.now(), sort = document.getElementById('sort'), done = arguments[0];
sort.value = 'tokens'; sort.dispatchEvent(new Event('change'));
requestAnimationFrame(() => setTimeout(() => done((performance.now() - start) / 1000)));
"""


class Words:
    """A tokenizer as far as the page needs one: an id is a word of one to eight letters, or a line's end."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        lengths = torch.randint(1, 9, (VOCABULARY,), generator=generator).tolist()
        letters = torch.randint(97, 123, (VOCABULARY, 8), generator=generator).tolist()
        self.words = [" " + bytes(row[:length]).decode() for row, length in zip(letters, lengths, strict=True)]
        self.words[::40] = ["\n"] * len(self.words[::40])

    def decode(self, ids: list[int]) -> str:
        return "".join(self.words[each] for each in ids)


def zipf(shape: tuple[int, ...]) -> torch.Tensor:
    """Ids with probability about 1 / rank."""
    return (torch.rand(shape).mul(torch.log(torch.tensor(float(VOCABULARY)))).exp() - 1).long().clamp(0, VOCABULARY - 1)


def made_up(num_tokens: int, topk: int) -> tuple[list[int], TokenGaps]:
    ids = zipf((num_tokens, CANDIDATES))
    student = (torch.randn(num_tokens, CANDIDATES) * 4).log_softmax(-1)
    teacher = (student + torch.randn(num_tokens, CANDIDATES) * 0.7).log_softmax(-1)
    place = student.exp().multinomial(1)
    p, q = student.gather(1, place)[:, 0], teacher.gather(1, place)[:, 0]
    tops = [TopIds(ids.gather(1, top.indices), top.values) for top in (student.topk(topk), teacher.topk(topk))]
    divergence = (student.exp() * (student - teacher)).sum(-1)
    return ids.gather(1, place)[:, 0].tolist(), TokenGaps(p, q, divergence, *tops)


def build(num_responses: int, num_tokens: int, topk: int) -> str:
    torch.manual_seed(0)
    words = Words()
    rows = []
    for number in range(num_responses):
        response, gaps = made_up(num_tokens, topk)
        teacher_prompt, shown = zipf((TEACHER_TOKENS,)).tolist(), words.decode(zipf((300,)).tolist())
        shown = {"demonstration": shown, "feedback": shown[:500], "privileged_context": None}
        prompt = zipf((PROMPT_TOKENS,)).tolist()
        is_own = [True] * num_tokens
        rows.append(
            (Sample(f"q{number // 8}", float(number % 2), None, shown, prompt, teacher_prompt, response, is_own), gaps)
        )
    samples = [sample for sample, _ in rows]
    record = StepRecord(1, "made up", "none", False, "fp32", 1.0, SelfDistillationConfig(), samples)
    page = TokenPage(record, words, ["Made-up numbers."])
    for sample, gaps in rows:
        page.add(sample, gaps)
    return page.html()


def load(path: Path) -> dict[str, float]:
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.set_window_size(1400, 900)
        driver.get(path.as_uri())
        while not (first := driver.execute_script("return document.querySelector('.tokens') && performance.now()")):
            time.sleep(0.01)
        measured = driver.execute_script(TIMES) | {"first_tokens_s": first / 1000}
        measured["sort_s"] = driver.execute_async_script(SORTED)
        driver.execute_script("window.scrollTo(0, document.body.scrollHeight)")
        while not driver.execute_script("return document.querySelector('article:last-child .tokens') !== null"):
            time.sleep(0.01)
        measured["nodes_at_the_end"] = driver.execute_script("return document.querySelectorAll('*').length")
        return measured
    finally:
        driver.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--responses", type=int, default=500)
    parser.add_argument("--tokens", type=int, nargs="+", default=[300, 1000, 4000], help="in each response")
    parser.add_argument("--top-k", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        for num_tokens in arguments.tokens:
            start = time.perf_counter()
            path.write_text(build(arguments.responses, num_tokens, arguments.top_k), encoding="utf-8")
            built = time.perf_counter() - start
            facts = {"tokens": num_tokens, "size_mb": path.stat().st_size / 1e6, "build_s": built, **load(path)}
            print(json.dumps({name: round(value, 3) for name, value in facts.items()}), flush=True)


if __name__ == "__main__":
    main()
