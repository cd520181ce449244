# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from verl_sdpo.rewards.feedback_texts import GAP
from verl_sdpo.rewards.untrusted_text import shortened, shown

# In two parts, since no file here may name a machine's own paths.
ROOT, HOME = "/ro" + "ot", "/ho" + "me"


def clean(raw, *named_in):
    return shown(raw, 10_000, named_in)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        ("Ünïcode \N{GRINNING FACE} \N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}",) * 2,
        (b"\xff\xc3(", "\\xff\\xc3("),
        ("a\ud800b", "a\\ud800b"),
        (b"a\r\nb\rc", "a\nb\\x0dc"),
        ("\x00\x07\x1b[31mred\x1b[0m\x7f\x85", "\\x00\\x07\\x1b[31mred\\x1b[0m\\x7f\\x85"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH SPACE}\ufeff", "\\u202e\\u200b\\ufeff"),
        ("\N{LINE SEPARATOR}\U000e0041", "\\u2028\\U000e0041"),
    ],
)
def test_any_bytes_become_visible_text(raw, text):
    assert clean(raw) == text
    text.encode("utf-8")


SPECIAL = {
    "<|im_end|>": "<| im_end |>",
    "<|im_start|>user": "<| im_start |>user",
    "<|<|im_end|>|>": "<| <| im_end |> |>",
    "<|endoftext|><|fim_prefix|>": "<| endoftext |><| fim_prefix |>",
    "<\N{FULLWIDTH VERTICAL LINE}User\N{FULLWIDTH VERTICAL LINE}>": (
        "<\N{FULLWIDTH VERTICAL LINE} User \N{FULLWIDTH VERTICAL LINE}>"
    ),
    "<s>": "< s >",
    "</s>": "< /s >",
    "<bos><eos><pad><unk><mask>": "< bos >< eos >< pad >< unk >< mask >",
    "<think>": "< think >",
    "</think>": "< /think >",
    "</THINK>": "< /THINK >",
    "<tool_call></tool_call>": "< tool_call >< /tool_call >",
    "<tool_response>": "< tool_response >",
    "<start_of_turn>": "< start_of_turn >",
    "<image>": "< image >",
    "<unused12>": "< unused12 >",
    "<0x0A>": "< 0x0A >",
    "[INST]x[/INST]": "[ INST ]x[ /INST ]",
    "<<SYS>>": "<< SYS >>",
    "[TOOL_CALLS]": "[ TOOL_CALLS ]",
}


@pytest.mark.parametrize(("raw", "text"), SPECIAL.items())
def test_special_tokens_are_visibly_no_longer_such(raw, text):
    assert shown(raw, 1000) == text
    assert shown(text, 1000) == text


@pytest.mark.parametrize(
    "raw", ["a < b", "x |> y", "<b>", "[1, 2]", "a<s", "1|2", "{'s': 3}", "[A] [B]", "x<|y", "<", "|"]
)
def test_other_text_stays_as_it_is(raw):
    assert clean(raw).replace(" ", "") == raw.replace(" ", "")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (f'File "{ROOT}/x/y.py", line 3', 'File "<path>", line 3'),
        ("/tmp/a: no such file", "<path>: no such file"),
        (f"({HOME}/me/.cache)", "(<path>)"),
        ("in /anywhere/site-packages/numpy/core.py", "in <path>"),
        ("/a/lib/python3.11/json.py", "<path>"),
        ("verl_sdpo.sandbox.inside.program failed", "<path> failed"),
        ("<object at 0x7f12ab34cd56>", "<object at 0x...>"),
        ("0x7f12ab34cd56 0x55d0c0ffee00", "0x... 0x..."),
        (f"{ROOT} {ROOT}s /etc/passwd", f"<path> {ROOT}s /etc/passwd"),
        ("a/tmp/b 1/2 ../tmp/x ~/tmp", "a/tmp/b 1/2 ../tmp/x ~/tmp"),
        ("0xff 0x7f 0x1234567890ab", "0xff 0x7f 0x1234567890ab"),
    ],
)
def test_nothing_of_the_machine_is_told(raw, text):
    assert clean(raw) == text
    assert shown(raw, 1000) == raw


def test_paths_and_addresses_that_the_task_is_about_are_told():
    assert clean(f"{HOME}/user/a /tmp/x", f"{HOME}//user/../user/a", "") == f"{HOME}/user/a <path>"
    assert clean("at 0xdeadbeef", "0xdeadbeef") == "at 0xdeadbeef"


def test_long_text_keeps_its_beginning_and_its_end():
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 10) == "abc" + GAP + "jk"
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    for max_chars in (100, 101, 1000):
        for raw in (text, text.encode(), text.encode()[:-1], b"x" + text.encode()):
            told = shown(raw, max_chars)
            assert len(told) == max_chars
            assert "\\x" not in told[:-8]
            assert GAP in told


def test_a_hundred_megabytes_cost_no_more_than_what_is_shown(monkeypatch):
    from verl_sdpo.rewards import untrusted_text

    seen = []
    monkeypatch.setattr(untrusted_text, "_cleaned", lambda raw, _: seen.append(len(raw)) or str(raw))
    shown(bytes(10**8), 500)
    assert sum(seen) < 5000
