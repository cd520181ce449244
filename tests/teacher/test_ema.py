# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The EMA teacher on plain modules, and on FSDP2 shards of one and two ranks."""

import contextlib
import io

import pytest
import torch
from torch import nn

from tests.worker.rank_processes import Ranks
from verl_sdpo.teacher.ema import EmaTeacher

INPUT_IDS = torch.arange(12).remainder(7).reshape(3, 4)
# What one update must not and must do to 1.0 when the student is the next bf16 number above it.
NEXT_BF16 = 1.0078125


class TinyModel(nn.Module):
    """Embedding, a block, a head; sizes that two ranks cannot share evenly, and one that leaves a rank nothing."""

    def __init__(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(7, 5)
        self.block = nn.Sequential(nn.Linear(5, 3), nn.GELU(), nn.Linear(3, 5))
        self.scale = nn.Parameter(torch.rand(1))
        self.head = nn.Linear(5, 7)
        self.to(dtype)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.block(self.embed(input_ids)) * self.scale)


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def shards(teacher: EmaTeacher) -> dict[str, torch.Tensor]:
    return {name: shard.clone() for name, shard in teacher.state_dict()["shards"].items()}


def are_equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    """Names, dtypes and every bit."""
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype and torch.equal(left[name], right[name]) for name in left
    )


def move(module: nn.Module, seed: int = 9) -> None:
    """What an optimizer does, as far as a teacher can see."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn(p.shape).to(p.dtype), alpha=0.3)


def teacher_and_moved_student(dtype: torch.dtype = torch.float32, rate: float = 0.25) -> tuple[EmaTeacher, TinyModel]:
    student = TinyModel(dtype=dtype)
    teacher = EmaTeacher(student, rate)
    move(student)
    teacher.update()
    return teacher, student


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.5, 0.9])
def test_an_update_is_the_weighted_mean_of_teacher_and_student(rate):
    student = TinyModel()
    teacher = EmaTeacher(student, rate)
    expected = {name: w.double() for name, w in weights(student).items()}
    for seed in (1, 2, 3):
        move(student, seed)
        teacher.update()
        expected = {name: (1 - rate) * expected[name] + rate * w.double() for name, w in weights(student).items()}
    for name, shard in shards(teacher).items():
        assert shard.dtype == torch.float32
        torch.testing.assert_close(shard.double(), expected[name], rtol=1e-6, atol=1e-6)
    assert teacher.num_updates == 3


@pytest.mark.parametrize("every", [1, 2, 3])
def test_the_average_moves_in_every_nth_training_step_and_in_no_other(every):
    student = TinyModel()
    teacher = EmaTeacher(student, 0.25, every=every)
    has_moved = []
    for seed in range(7):
        move(student, seed)
        before = shards(teacher)
        teacher.update()
        has_moved.append(not are_equal(shards(teacher), before))
    assert has_moved == [step % every == 0 for step in range(1, 8)]


def test_over_the_warm_up_the_share_rises_linearly_and_then_stays():
    student = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        student.weight.fill_(0.0)
        teacher = EmaTeacher(student, 0.2, warmup_steps=4)
        student.weight.fill_(1.0)
    # Of what is left between teacher and student.
    for share in (0.05, 0.1, 0.15, 0.2, 0.2, 0.2):
        left = 1.0 - shards(teacher)["weight"].item()
        teacher.update()
        assert 1.0 - shards(teacher)["weight"].item() == pytest.approx((1.0 - share) * left, rel=1e-6)


def test_a_buffer_is_the_same_for_student_and_teacher():
    student = TinyModel()
    student.register_buffer("shift", torch.zeros(5))
    teacher = EmaTeacher(student, 0.0)
    student.shift += 3.0
    with teacher.in_place_of_student():
        assert (student.shift == 3.0).all()
        student.shift += 1.0
    assert (student.shift == 4.0).all()
    assert "shift" not in shards(teacher)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rate_zero_stays_at_the_start_and_rate_one_is_the_student(dtype):
    student = TinyModel(dtype=dtype)
    start = {name: w.float() for name, w in weights(student).items()}
    frozen, live = EmaTeacher(student, 0.0), EmaTeacher(student, 1.0)
    move(student)
    frozen.update()
    live.update()
    assert are_equal(shards(frozen), start)
    assert are_equal(shards(live), {name: w.float() for name, w in weights(student).items()})


def test_a_bf16_student_is_followed_where_a_bf16_average_stands_still():
    rate, num_updates = 0.01, 1000
    student = nn.Linear(1, 1, bias=False, dtype=torch.bfloat16)
    with torch.no_grad():
        student.weight.fill_(1.0)
        teacher, bf16_average = EmaTeacher(student, rate), student.weight.detach().clone()
        student.weight.fill_(NEXT_BF16)
    for _ in range(num_updates):
        teacher.update()
        bf16_average.lerp_(student.weight.detach(), rate)
    expected = NEXT_BF16 - (NEXT_BF16 - 1.0) * (1 - rate) ** num_updates
    assert shards(teacher)["weight"].item() == pytest.approx(expected, abs=2e-5)
    assert bf16_average.item() == 1.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_the_context_the_module_computes_with_the_averaged_weights(dtype):
    teacher, student = teacher_and_moved_student(dtype)
    averaged = TinyModel(seed=5, dtype=dtype)
    averaged.load_state_dict(shards(teacher))  # load_state_dict casts to the module's dtype
    with torch.no_grad(), teacher.in_place_of_student():
        inside = student(INPUT_IDS)
        assert not torch.equal(student.embed.weight.float(), TinyModel(dtype=dtype).embed.weight.float())
    assert torch.equal(inside, averaged(INPUT_IDS))


@pytest.mark.parametrize("raises", [False, True], ids=["at its end", "after an exception"])
@pytest.mark.parametrize("dtypes", ["fp32", "bf16", "mixed"])
def test_after_the_context_student_and_teacher_are_bit_for_bit_as_before(dtypes, raises):
    student = TinyModel(dtype=torch.float32 if dtypes != "bf16" else torch.bfloat16)
    if dtypes == "mixed":
        student.block.to(torch.bfloat16)
    teacher = EmaTeacher(student, 0.3)
    move(student)
    teacher.update()
    before, teacher_before = weights(student), shards(teacher)
    places = {name: (id(p), p.data_ptr()) for name, p in student.named_parameters()}
    with contextlib.suppress(KeyError), teacher.in_place_of_student():
        assert not are_equal(weights(student), before)
        if raises:
            raise KeyError
    assert are_equal(weights(student), before)
    assert are_equal(shards(teacher), teacher_before)
    # The optimizer knows these objects.
    assert places == {name: (id(p), p.data_ptr()) for name, p in student.named_parameters()}


def test_a_shared_parameter_is_averaged_once():
    student = TinyModel()
    student.embed.weight = student.head.weight
    teacher = EmaTeacher(student, 0.5)
    start = weights(student)
    move(student)
    teacher.update()
    expected = 0.5 * start["embed.weight"] + 0.5 * student.head.weight.detach()
    assert "head.weight" not in shards(teacher)
    torch.testing.assert_close(shards(teacher)["embed.weight"], expected)


@pytest.mark.parametrize("change", ["came", "went"])
@pytest.mark.parametrize("use", ["update", "in_place_of_student", "squared_distance"])
def test_a_parameter_that_came_or_went_is_an_error(use, change):
    teacher, student = teacher_and_moved_student()
    if change == "came":
        student.adapter = nn.Linear(2, 2)
    else:
        del student.scale
    before = weights(student)
    # Entering the context is enough.
    run = teacher.in_place_of_student().__enter__ if use == "in_place_of_student" else getattr(teacher, use)
    with pytest.raises(RuntimeError, match="adapter.weight" if change == "came" else "scale"):
        run()
    assert are_equal(weights(student), before)


def test_the_distance_is_that_of_all_weights_together():
    teacher, student = teacher_and_moved_student(torch.bfloat16)
    flat = lambda tensors: torch.cat([tensors[name].double().flatten() for name in sorted(tensors)])  # noqa: E731
    of_student, of_teacher = flat(weights(student)), flat(shards(teacher))
    distance, size = teacher.squared_distance()
    assert distance.item() == pytest.approx((of_teacher - of_student).square().sum().item(), rel=1e-5)
    assert size.item() == pytest.approx(of_student.square().sum().item(), rel=1e-5)


def test_a_saved_state_comes_back_bit_for_bit():
    teacher, _ = teacher_and_moved_student()
    file = io.BytesIO()
    torch.save(teacher.state_dict(), file)
    fresh = EmaTeacher(TinyModel(seed=4), 0.25)
    fresh.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    assert are_equal(shards(fresh), shards(teacher))
    assert fresh.num_updates == teacher.num_updates == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state | {"kind": "trust_region"}, "'trust_region'"),
        (lambda state: {}, "None"),
        (lambda state: state | {"shards": {n: s for n, s in state["shards"].items() if n != "scale"}}, "scale"),
        (lambda state: state | {"shards": state["shards"] | {"extra": torch.zeros(1)}}, "extra"),
        (lambda state: state | {"shards": state["shards"] | {"head.bias": torch.zeros(6)}}, "head.bias"),
        # One that copy_ would spread over the shard.
        (lambda state: state | {"shards": state["shards"] | {"head.bias": torch.zeros(1)}}, "head.bias"),
    ],
)
def test_a_state_of_another_teacher_is_refused_and_changes_nothing(change, message):
    saved, _ = teacher_and_moved_student()
    teacher = EmaTeacher(TinyModel(seed=4), 0.25)
    before = shards(teacher)
    with pytest.raises(ValueError, match=message):
        teacher.load_state_dict(change(saved.state_dict()))
    assert are_equal(shards(teacher), before)
    assert teacher.num_updates == 0


# --- FSDP2 -----------------------------------------------------------------------------------------------------------


def sharded_student(world: int, *, reshard_after_forward: bool, param_dtype: torch.dtype = torch.float32) -> nn.Module:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    student = TinyModel()
    mesh = init_device_mesh("cpu", (world,))
    policy = MixedPrecisionPolicy(param_dtype=param_dtype, reduce_dtype=torch.float32)
    for part in (student.block, student):
        fully_shard(part, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard_after_forward)
    return student


def use_teacher_on_shards(rank, world, reshard_after_forward, param_dtype):
    """What the claims below are asserted on; the student has just answered a forward without a backward throughout."""
    from torch.distributed.tensor.debug import CommDebugMode

    student = sharded_student(world, reshard_after_forward=reshard_after_forward, param_dtype=param_dtype)
    local = lambda: {n: p.to_local().detach().clone() for n, p in student.named_parameters()}  # noqa: E731
    whole = lambda: {n: p.full_tensor().detach().clone() for n, p in student.named_parameters()}  # noqa: E731
    seen = {"start": whole()}
    teacher = EmaTeacher(student, 0.25)
    move_shards(student, rank)
    seen["shapes"] = {n: (tuple(s.shape), tuple(local()[n].shape)) for n, s in shards(teacher).items()}
    seen["student"], kept = whole(), local()
    with torch.no_grad():
        seen["before"] = student(INPUT_IDS)
        # Without rank 1: nobody would answer a collective call.
        with CommDebugMode() as calls:
            if rank == 0:
                teacher.update()
        seen["num_update_calls"] = calls.get_total_counts()
        torch.distributed.barrier()
        if rank == 1:
            teacher.update()
        teacher_before = seen["shards"] = shards(teacher)
        with CommDebugMode() as calls, teacher.in_place_of_student():
            seen["inside"] = student(INPUT_IDS)
        seen["num_forward_calls"] = calls.get_total_counts()
        seen["after"] = student(INPUT_IDS)
        seen["distance"] = teacher.squared_distance()
        with contextlib.suppress(KeyError), teacher.in_place_of_student():
            student(INPUT_IDS)
            raise KeyError
        seen["after_exception"] = student(INPUT_IDS)
    for part in student.modules():
        getattr(part, "reshard", lambda: None)()
    seen["is_student_unchanged"] = are_equal(local(), kept)
    seen["is_teacher_unchanged"] = are_equal(shards(teacher), teacher_before)
    return seen


def move_shards(student: nn.Module, rank: int) -> None:
    torch.manual_seed(rank)
    with torch.no_grad():
        for p in student.parameters():
            p.to_local().add_(torch.randn(p.to_local().shape), alpha=0.3)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    ranks = Ranks(tmp_path_factory.mktemp("ema"), [1, 2])
    yield ranks
    ranks.close()


@pytest.fixture(
    scope="module",
    params=[(True, torch.float32), (False, torch.float32), (False, torch.bfloat16)],
    ids=["resharded", "kept gathered", "kept gathered in bf16"],
)
def seen_by_world(request, ranks):
    """`(what the ranks saw, by world size; precision of the forward)`."""
    return ranks.run(use_teacher_on_shards, *request.param), request.param[1]


@pytest.fixture(params=[1, 2], ids=["one rank", "two ranks"])
def sharded(request, seen_by_world):
    """`(what each rank saw, precision of the forward)`."""
    seen, dtype = seen_by_world
    return seen[request.param], dtype


def plain_forward(whole_weights: dict[str, torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    model = TinyModel(dtype=dtype)
    model.load_state_dict(whole_weights)
    return model(INPUT_IDS).detach()


def test_a_rank_averages_its_own_shards_and_needs_no_other_rank(sharded):
    seen, _ = sharded
    for rank in seen:
        assert all(of_teacher == of_student for of_teacher, of_student in rank["shapes"].values())
        assert rank["num_update_calls"] == 0
        assert len(seen) == 1 or rank["num_forward_calls"] > 0  # the counter counts
    for name, start in seen[0]["start"].items():
        average = torch.cat([rank["shards"][name] for rank in seen]).double()
        expected = 0.75 * start.double() + 0.25 * seen[0]["student"][name].double()
        torch.testing.assert_close(average, expected, rtol=1e-6, atol=1e-6)


def test_a_sharded_module_computes_with_the_teacher_inside_and_the_student_after(sharded):
    seen, dtype = sharded
    averages = {name: torch.cat([rank["shards"][name] for rank in seen]) for name in seen[0]["shards"]}
    for rank in seen:
        torch.testing.assert_close(rank["inside"], plain_forward(averages, dtype))
        torch.testing.assert_close(rank["before"], plain_forward(rank["student"], dtype))
        assert not torch.allclose(rank["inside"], rank["before"], rtol=1e-2, atol=1e-2)
        assert torch.equal(rank["after"], rank["before"])
        assert torch.equal(rank["after_exception"], rank["before"])


def test_shards_of_student_and_teacher_return_bit_for_bit(sharded):
    seen, _ = sharded
    assert all(rank["is_student_unchanged"] and rank["is_teacher_unchanged"] for rank in seen)


def test_the_distances_of_all_ranks_add_up_to_that_of_the_whole(sharded):
    seen, _ = sharded
    averages = {name: torch.cat([rank["shards"][name] for rank in seen]) for name in seen[0]["shards"]}
    expected = sum((averages[n] - w).double().square().sum().item() for n, w in seen[0]["student"].items())
    assert sum(rank["distance"][0].item() for rank in seen) == pytest.approx(expected, rel=1e-5)
