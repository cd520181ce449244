# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Finding callbacks by name, what the base class does, and the example that writes contexts."""

import json
from types import SimpleNamespace

import pytest

from verl_sdpo.watch.callbacks import (
    AfterUpdate,
    BeforeUpdate,
    Callback,
    Generation,
    Shown,
    TeacherContext,
    TeacherContexts,
    TokenIds,
    find_callbacks,
)
from verl_sdpo.watch.context_writer import ContextWriter

CONTEXT = TeacherContext(
    uid="q1",
    prompt="<user>Über",
    has_target=True,
    feedback="Wrong.",
    score=0.0,
    shown=Shown(None, "Wrong.", None),
    tokens=TokenIds([1, 2], [1, 3, 2], [4], [1]),
)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """`module(name, source)`: a module that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)

    return write


def test_callbacks_are_found_by_their_full_names_in_order(module):
    module("mine", "from verl_sdpo.watch.callbacks import Callback\nclass Mine(Callback): pass\n")
    found = find_callbacks(["mine.Mine", "verl_sdpo.watch.context_writer.ContextWriter"])
    assert [each.__name__ for each in found] == ["Mine", "ContextWriter"]
    assert found[1] is ContextWriter
    assert find_callbacks([]) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Mine", "'Mine' is no full name of a class: write my_package"),
        ("no_such_module.Mine", "'no_such_module.Mine' cannot be imported"),
        ("half_installed.Mine", "No module named 'not_there'"),
        ("verl_sdpo.watch.context_writer.Writer", "has no Writer: its callbacks are Callback, ContextWriter"),
        ("verl_sdpo.watch.budget.Budget", "is no Callback: derive it from verl_sdpo.watch.callbacks.Callback"),
        ("verl_sdpo.watch.budget.parse_duration", "is no Callback"),
        (None, "is no full name"),
    ],
)
def test_a_name_that_leads_to_no_callback_is_refused_with_the_reason(module, name, words):
    module("half_installed", "import not_there\n")
    with pytest.raises(ValueError, match=".*") as caught:
        find_callbacks([name])
    assert words in str(caught.value)


@pytest.mark.parametrize("names", ["mine.Mine", None, 3])
def test_what_is_no_list_is_refused(names):
    with pytest.raises(ValueError, match="write a list"):
        find_callbacks(names)


def test_a_mistake_inside_the_module_keeps_its_own_traceback(module):
    module("broken", "1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        find_callbacks(["broken.Mine"])


def test_a_method_that_is_not_overridden_does_nothing():
    callback = Callback("config")
    assert callback.config == "config"
    assert callback.after_generation(Generation(1, [])) is None
    assert callback.after_teacher_contexts(TeacherContexts(1, [])) is None
    assert callback.before_update(BeforeUpdate(1, {})) is None
    assert callback.after_update(AfterUpdate(1, {})) is None


def test_the_context_writer_writes_a_line_a_sample_and_no_step_twice(tmp_path):
    config = SimpleNamespace(trainer=SimpleNamespace(default_local_dir=str(tmp_path)))
    writer = ContextWriter(config)
    writer.after_teacher_contexts(TeacherContexts(3, [CONTEXT]))
    writer.after_teacher_contexts(TeacherContexts(3, [CONTEXT, CONTEXT]))
    path = tmp_path / "teacher_contexts" / "3.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert json.loads(lines[0]) == {
        "uid": "q1",
        "prompt": "<user>Über",
        "has_target": True,
        "feedback": "Wrong.",
        "score": 0.0,
    }
    ContextWriter(config).after_teacher_contexts(TeacherContexts(3, [CONTEXT]))
    assert len(path.read_text().splitlines()) == 1
