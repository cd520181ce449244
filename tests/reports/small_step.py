# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A step of a tiny run on disk: recorded by the callback itself, with a checkpoint of the step before it."""

from types import SimpleNamespace

from recipe.tiny_model import build_model, build_tokenizer
from tests.checkpoint.small_run import manifest
from tests.checkpoint.test_export import save
from verl_sdpo.checkpoint.store import CheckpointStore
from verl_sdpo.config import flat_defaults
from verl_sdpo.watch.callbacks import Shown, TeacherContext, TeacherContexts, TokenIds
from verl_sdpo.watch.token_recorder import EveryStep

# What a model can write to break a page that reads it as HTML, as JavaScript or as its own JSON.
HOSTILE = (
    "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
    "<!--<script>${window.broken=1}]]> &lt;b&gt; \"'\\ \u2028\u2029\u202e\x00 \ud83d {{CODE}} Über 日本"
)


class Config(SimpleNamespace):
    """As much of a run's configuration as the recorder reads."""

    def get(self, name, default=None):
        return getattr(self, name, default)


def config(folder, model, **options):
    mixed_precision = {"param_dtype": "fp32"}
    actor = Config(
        fsdp_config={"mixed_precision": mixed_precision},
        self_distillation=flat_defaults() | {"distillation_topk": 20} | options,
    )
    rollout = Config(temperature=0.8)
    return Config(
        trainer=Config(default_local_dir=str(folder), experiment_name="tiny"),
        actor_rollout_ref=Config(actor=actor, model=Config(path=str(model)), rollout=rollout),
    )


def samples(tokenizer, texts):
    """One response a text; the third has no target, the fourth a tool's answer in it."""
    question = tokenizer.encode("<|im_start|>user\nQ?<|im_end|>\n<|im_start|>assistant\n")
    for number, text in enumerate(texts):
        response = tokenizer.encode(text.encode("utf-8", "replace").decode())
        has_target = number != 2
        hint = tokenizer.encode(f"feedback {number}: ")
        is_own = [int(not (number == 3 and 2 <= place < 5)) for place in range(len(response))]
        tokens = TokenIds(question, [*question[:5], *hint, *question[5:]] if has_target else None, response, is_own)
        shown = Shown(HOSTILE if number == 0 else None, f"feedback {number}", None) if has_target else None
        yield TeacherContext(f"q{number // 2}", None, has_target, HOSTILE, float(number % 2), shown, tokens)


def write_base(folder, seed=1):
    tokenizer = build_tokenizer()
    build_model(tokenizer, seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_diverged(folder, token):
    """As `write_base`, with infinite weights for one token: every distribution is NaN, or one logit infinite."""
    model = build_model(build_tokenizer(), 1)
    model.get_output_embeddings().weight.data[token] = float("inf")
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return folder


def write_step(folder, model, step, texts, recorder=EveryStep, **options):
    contexts = TeacherContexts(step, list(samples(build_tokenizer(), texts)))
    recorder(config(folder, model, **options)).after_teacher_contexts(contexts)


def write_checkpoint(folder, step, teacher_seed=3, kind="ema"):
    """Student of seed 2, teacher of `teacher_seed`."""
    tokenizer = build_tokenizer()
    shards = {name: tensor.detach() for name, tensor in build_model(tokenizer, teacher_seed).named_parameters()}
    store = CheckpointStore(folder)
    save(store.begin(step), tokenizer, build_model(tokenizer, 2), {"kind": kind, "shards": shards})
    return store.finish(manifest(step), keep=None)
