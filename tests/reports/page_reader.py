# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A page's data, read back as a browser would, without one."""

import base64
import gzip
import json
from html.parser import HTMLParser


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.opened, self.scripts, self._script = [], {}, None

    def handle_starttag(self, tag, attributes):
        self.opened.append((tag, dict(attributes)))
        self._script = dict(attributes).get("id", "code") if tag == "script" else None

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data

    def handle_endtag(self, tag):
        self._script = None


def elements(html):
    """Tags with their attributes, in order, and the text of each script by its id."""
    parser = _Elements()
    parser.feed(html)
    return parser.opened, parser.scripts


def read_page(html):
    """`(facts, index, vocabulary, details)`, the last a list by response."""
    _, scripts = elements(html)
    facts, index, vocabulary = (_parse(scripts[name]) for name in ("page", "index", "vocabulary"))
    packed = [scripts[f"response-{number}"] for number in range(len(index))]
    return facts, index, vocabulary, [_parse(gzip.decompress(base64.b64decode(text))) for text in packed]


def _parse(text):
    return json.loads(text, parse_constant=_refuse)


def _refuse(name):
    raise ValueError(f"{name} is Python's JSON, and no browser's")
