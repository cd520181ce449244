# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes of anyone as text that may be shown to a model: readable, harmless, short, and the same every time.

The feedback is tokenized within the teacher's prompt. So nothing in it may be one of a tokenizer's special tokens, end
a turn or begin one; and nothing may depend on the machine or the run.
"""

import re
import unicodedata

from verl_sdpo.rewards.feedback_texts import GAP

# Words between angle or square brackets that tokenizers, chat templates and verl's data loader give a meaning to. Those
# between "<|" and "|>", and between DeepSeek's full-width bars, are found by their bars.
_ANGLED = (
    "s|bos|eos|pad|unk|mask|cls|sep|image|video|audio|img|think|thinking|tools?|tool_calls?|tool_responses?|function|"
    "function_calls?|arg_key|arg_value|parameter|(?:start|end)_of_\\w+|(?:start|end)of\\w+|fim_\\w+|unused_?\\d+|"
    "extra_id_\\d+|special_\\d+|reserved_\\w+|begin_of_\\w+|0x[0-9a-f]{2}|sys"
)
_SQUARED = (
    "INST|SYS|CLS|SEP|MASK|PAD|UNK|BOS|EOS|gMASK|sMASK|IMG|IMG_BREAK|IMG_END|PREFIX|MIDDLE|SUFFIX|TOOL_\\w+|"
    "AVAILABLE_TOOLS|SYSTEM_PROMPT|THINK|ARGS|CALL_ID|CONTROL_\\d+|unused_?\\d+|control_\\d+"
)
_SPACED = [
    (re.compile(pattern, flags), spaced)
    for pattern, flags, spaced in (
        (r"<([|\N{FULLWIDTH VERTICAL LINE}])(?! )", 0, r"<\1 "),
        (r"(?<! )([|\N{FULLWIDTH VERTICAL LINE}])>", 0, r" \1>"),
        (rf"<(/?(?:{_ANGLED}))(/?)>", re.IGNORECASE, r"< \1\2 >"),
        (rf"\[(/?(?:{_SQUARED}))\]", re.IGNORECASE, r"[ \1 ]"),
    )
]
# Joiners are what some scripts and emoji are written with; the other characters of these kinds are not seen.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*")

# The start of an absolute path matches once, wherever it ends, so the work is proportional to the text.
_PATH = re.compile(r"(?<![\w./~-])/([^\s\"'<>|:;,(){}\[\]/]+)(?:/[^\s\"'<>|:;,(){}\[\]]*)?")
_HOST_ROOTS = frozenset(
    "Users bin data home lib lib64 mnt nix opt private root run sandbox scratch srv tmp usr var venv workspace".split()
)
_LIBRARIES = re.compile(r"/(?:site|dist)-packages\b|/lib/python3")
_OURS = re.compile(r"\bverl_sdpo(?:[./]\w+)*")
_HIDDEN_PATH = "<path>"
# Where an object lies: what its representation says, and numbers where Linux puts heaps, stacks and libraries.
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{4,16}\b|\b0x(?:7[ef]|5[56])[0-9a-fA-F]{10}\b")
_HIDDEN_ADDRESS = "0x..."


def shown(raw: bytes | str, max_chars: int, named_in: tuple[str, ...] | None = None) -> str:
    """A text of at most ``max_chars`` characters: its beginning and its end where it is longer.

    Args:
        raw: anything; bytes that are no UTF-8 are written as ``\\xff``.
        max_chars: bound of the result.
        named_in: texts of the task, which do not depend on a machine: paths and addresses are hidden unless these have
            such ones too. None: nothing is hidden.
    """
    text = "".join(_cleaned(part, named_in) for part in _ends(raw, 4 * max_chars))
    return shortened(text, max_chars)


def shortened(text: str, max_chars: int) -> str:
    """The text, or its beginning and its end."""
    if len(text) <= max_chars:
        return text
    head = (max_chars - len(GAP) + 1) // 2
    tail = max_chars - len(GAP) - head
    return text[:head] + GAP + text[len(text) - tail :]


def _ends(raw: bytes | str, length: int) -> list[bytes | str]:
    """What is looked at of a text, so that a hundred MiB cost no more than what is shown of them."""
    if len(raw) <= 2 * length:
        return [raw]
    # The inner ends, which may lie within a character, are cut off again: cleaning makes text longer, as a rule.
    return [raw[:length], GAP, raw[-length:]]


def _cleaned(raw: bytes | str, named_in: tuple[str, ...] | None) -> str:
    if isinstance(raw, str):
        raw = raw.encode("utf-8", "backslashreplace")
    text = raw.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    if named_in is not None:
        text = _without_machine(text, named_in)
    if not _PLAIN.fullmatch(text):
        text = "".join(map(_visible, text))
    for pattern, spaced in _SPACED:
        text = pattern.sub(spaced, text)
    return text


def _visible(character: str) -> str:
    if character in "\n\t" or character in _JOINERS or unicodedata.category(character) not in _INVISIBLE:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x80 else character.encode("ascii", "backslashreplace").decode()


def _without_machine(text: str, named_in: tuple[str, ...]) -> str:
    # The task may have a hundred MiB: looked through once for each of the few roots.
    roots = {found for found in _PATH.findall(text) if found in _HOST_ROOTS}
    hosts = {root for root in roots if not any(f"/{root}" in task for task in named_in)}

    def hidden(found: re.Match[str]) -> str:
        is_hosts = found.group(1) in hosts or _LIBRARIES.search(found.group()) is not None
        return _HIDDEN_PATH if is_hosts else found.group()

    text = _OURS.sub(_HIDDEN_PATH, _PATH.sub(hidden, text))
    if any("0x" in task for task in named_in):
        return text
    return _ADDRESS.sub(lambda found: ("at " if found.group().startswith("at ") else "") + _HIDDEN_ADDRESS, text)
