"""What a watch promises beside its figures: a training that is left alone, a record that is whole, and clear refusals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from watched import history  # noqa: E402

from shadowflow import _lanczos  # noqa: E402
from shadowflow._figures import Response  # noqa: E402
from shadowflow.torch import Watch  # noqa: E402
from shadowflow.torch._config import config_of  # noqa: E402
from shadowflow.torch._optimizers import rule_of  # noqa: E402
from shadowflow.torch._vectors import Vectors  # noqa: E402

F = torch.nn.functional


def data(n: int = 32, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(1)
    return torch.randn(n, 6, generator=source, dtype=dtype), torch.randint(0, 3, (n,), generator=source)


def network(*inside: torch.nn.Module, dtype: torch.dtype = torch.float32) -> torch.nn.Sequential:
    torch.manual_seed(2)
    return torch.nn.Sequential(torch.nn.Linear(6, 5), *inside, torch.nn.Tanh(), torch.nn.Linear(5, 3)).to(dtype)


def train(
    model: torch.nn.Module, steps: int, out: Path | None, optimizer: torch.optim.Optimizer | None = None, **settings: Any
) -> tuple[list[float], torch.optim.Optimizer]:
    """Trains on mini-batches, watched if there is a place for the record; returns the losses."""
    x, y = data()
    optimizer = optimizer or torch.optim.AdamW(model.parameters(), lr=0.01)
    batch = slice(0, 8)

    def closure() -> torch.Tensor:
        return F.cross_entropy(model(x[batch]), y[batch])

    watch = Watch(model, optimizer, closure, out=out, **settings) if out else None
    losses = []
    for n in range(steps):
        batch = slice(8 * (n % 4), 8 * (n % 4) + 8)
        optimizer.zero_grad()
        loss = closure()
        loss.backward()
        optimizer.step()
        if watch:
            watch.step()
        losses.append(loss.item())
    if watch:
        watch.close()
    return losses, optimizer


def test_a_watched_training_is_the_same_to_the_bit(tmp_path: Path) -> None:
    ends = []
    for out in (None, tmp_path / "run"):
        model = network(torch.nn.BatchNorm1d(5), torch.nn.Dropout(0.3))
        torch.manual_seed(3)
        with pytest.warns(UserWarning, match="not the closure's") if out else contextlib.nullcontext():  # dropout draws another mask
            losses, optimizer = train(model, 12, out, every=2, sharpness=4)
        ends.append((losses, model.state_dict(), optimizer.state_dict()["state"], torch.get_rng_state(), [p.grad for p in model.parameters()]))
    alone, watched = ends
    assert alone[0] == watched[0]
    for a, b in zip(alone[1].values(), watched[1].values(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(alone[2].values(), watched[2].values(), strict=True):
        assert all(torch.equal(a[k], b[k]) for k in a)
    assert torch.equal(alone[3], watched[3])
    assert all(torch.equal(a, b) for a, b in zip(alone[4], watched[4], strict=True))


def test_parts_are_one_loss_and_tell_the_noise(tmp_path: Path) -> None:
    x, y = data(dtype=torch.float64)
    rows = []
    for parts in (1, 4):
        model = network(dtype=torch.float64)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

        def closure(model: torch.nn.Module = model, parts: int = parts) -> torch.Tensor | Iterator[torch.Tensor]:
            losses = (F.cross_entropy(model(a), b) for a, b in zip(x.chunk(parts), y.chunk(parts), strict=True))
            return next(losses) if parts == 1 else losses

        watch = Watch(model, optimizer, closure, every=1, sharpness=1, out=tmp_path / str(parts), part_examples=32 // parts)
        for _ in range(3):
            optimizer.zero_grad()
            for a, b in zip(x.chunk(parts), y.chunk(parts), strict=True):
                (F.cross_entropy(model(a), b) / parts).backward()
            optimizer.step()
            row = watch.step()
        assert row is not None
        rows.append((row, model))
        watch.close()
    (whole, _), (accumulated, model) = rows
    for name, value in whole.items():
        assert accumulated[name] == pytest.approx(value, rel=1e-8, abs=1e-12), name
    assert "noise_scale" not in whole and accumulated["noise_batch"] == 8 and accumulated["noise_scale"] > 0


def test_noise_is_that_of_the_parts_gradients(tmp_path: Path) -> None:
    x, y = data(dtype=torch.float64)
    model = network(dtype=torch.float64)
    gradients = []
    for a, b in zip(x.chunk(8), y.chunk(8), strict=True):
        g = torch.autograd.grad(F.cross_entropy(model(a), b), list(model.parameters()))
        gradients.append(torch.cat([v.ravel() for v in g]))
    g = torch.stack(gradients)
    trace = float((g - g.mean(0)).square().sum(1).mean())
    optimizer = torch.optim.Adam(model.parameters())
    with Watch(
        model,
        optimizer,
        lambda: [F.cross_entropy(model(a), b) for a, b in zip(x.chunk(8), y.chunk(8), strict=True)],
        every=1,
        out=tmp_path / "run",
        part_examples=4,
    ) as watch:
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        row = watch.step()
    assert row is not None
    assert row["noise_trace"] == pytest.approx(trace, rel=1e-10)
    assert row["noise_scale"] == pytest.approx(4 * trace / float(g.mean(0).square().sum()) * 31 / 28, rel=1e-10)


def test_mixed_precision_is_watched_unscaled_and_a_skipped_step_is_none(tmp_path: Path) -> None:
    x, y = data()
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def closure() -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return F.cross_entropy(model(x), y)

    watch = Watch(model, optimizer, closure, every=1, out=tmp_path / "run")
    rows = []
    for n in range(4):
        optimizer.zero_grad()
        scaler.scale(closure()).backward()
        if n == 2:
            next(model.parameters()).grad.fill_(float("inf"))
        scaler.step(optimizer)
        scaler.update()
        rows.append(watch.step())
    watch.close()
    assert rows[2] is None
    assert [int(s or 0) for s in history(tmp_path / "run" / "history.csv")["step"]] == [0, 1, 2]
    for row in (rows[0], rows[1], rows[3]):
        assert row is not None and row["clip.factor"] == 1 and row["gradient_difference"] < 0.05


def test_a_compiled_model_is_watched_as_it_is_written(tmp_path: Path) -> None:
    x, y = data(dtype=torch.float64)
    rows = []
    for compiled in (False, True):
        model: Any = network(dtype=torch.float64)
        model = torch.compile(model, backend="aot_eager") if compiled else model
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        with Watch(model, optimizer, lambda m=model: F.cross_entropy(m(x), y), every=1, out=tmp_path / str(compiled)) as watch:
            for _ in range(3):
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
                row = watch.step()
        rows.append(row)
    assert rows[0].keys() == rows[1].keys()
    assert all(rows[1][k] == pytest.approx(v, rel=1e-9, abs=1e-12) for k, v in rows[0].items())


def test_fused_attention_is_watched(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    x = torch.randn(4, 5, 8)
    optimizer = torch.optim.AdamW(layer.parameters())
    with Watch(layer, optimizer, lambda: layer(x).square().mean(), every=1, out=tmp_path / "run") as watch:
        layer(x).square().mean().backward()
        optimizer.step()
        row = watch.step()
    assert row is not None and np.isfinite(row["drive.main"])


DDP = """
import os, sys
sys.path[:0] = {path!r}
import torch
from test_watch import network, data, F
from shadowflow.torch import Watch
rank, world, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.distributed.init_process_group("gloo", init_method="file://" + out + ".store", rank=rank, world_size=world)
model = torch.nn.parallel.DistributedDataParallel(network(dtype=torch.float64))
x, y = data(dtype=torch.float64)
x, y = x.chunk(world)[rank], y.chunk(world)[rank]
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
with Watch(model, optimizer, lambda: F.cross_entropy(model(x), y), every=1, sharpness=1, out=out) as watch:
    for _ in range(4):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        watch.step()
torch.distributed.destroy_process_group()
"""


def test_processes_that_share_a_batch_have_the_figures_of_one(tmp_path: Path) -> None:
    if not torch.distributed.is_available():
        pytest.skip("this torch has no processes")
    here = [str(Path(__file__).parents[1] / "src"), str(Path(__file__).parent)]
    program = DDP.format(path=here)
    both = [subprocess.Popen([sys.executable, "-c", program, str(rank), "2", str(tmp_path / "two")]) for rank in range(2)]
    assert [p.wait(timeout=120) for p in both] == [0, 0]
    x, y = data(dtype=torch.float64)
    model = network(dtype=torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with Watch(model, optimizer, lambda: F.cross_entropy(model(x), y), every=1, sharpness=1, out=tmp_path / "one") as watch:
        for _ in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            watch.step()
    one, two = (history(tmp_path / name / "history.csv") for name in ("one", "two"))
    assert list(one) == list(two)
    for name in one:
        assert two[name] == pytest.approx(one[name], rel=1e-8, abs=1e-11), name


KILLED = """
import os, signal, sys
sys.path[:0] = {path!r}
import torch
from test_watch import network, data, F
from shadowflow.torch import Watch
model = network()
x, y = data()
optimizer = torch.optim.Adam(model.parameters())
watch = Watch(model, optimizer, lambda: F.cross_entropy(model(x), y), every=2, out=sys.argv[1])
for n in range(100):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
    watch.step()
    if n == 8:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_loop_that_is_killed_has_every_row(tmp_path: Path) -> None:
    here = [str(Path(__file__).parents[1] / "src"), str(Path(__file__).parent)]
    done = subprocess.run([sys.executable, "-c", KILLED.format(path=here), str(tmp_path / "run")], timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert history(tmp_path / "run" / "history.csv")["step"] == [0, 2, 4, 6, 8]
    assert not (tmp_path / "run" / "result.json").exists()
    assert not [f for f in os.listdir(tmp_path / "run") if f.endswith(".tmp")]


@pytest.mark.parametrize(
    ("make", "name", "key"),
    [
        (lambda p: torch.optim.Adam(p, weight_decay=0.1), "adam", "l2"),
        (lambda p: torch.optim.AdamW(p, weight_decay=0.1), "adamw", "weight_decay"),
        (lambda p: torch.optim.AdamW(p, weight_decay=0.1, amsgrad=True), "amsgrad", "weight_decay"),
        (lambda p: torch.optim.Adam(p, weight_decay=0.1, amsgrad=True), "amsgrad", "l2"),
        (lambda p: torch.optim.NAdam(p, weight_decay=0.1), "nadam", "l2"),
        (lambda p: torch.optim.NAdam(p, weight_decay=0.1, decoupled_weight_decay=True), "nadam", "weight_decay"),
    ],
)
def test_the_config_says_how_weights_decay(make: Callable[[Any], torch.optim.Optimizer], name: str, key: str) -> None:
    optimizer = make(network().parameters())
    said = config_of(optimizer, dtype="float64", every=1, sharpness=0, blocks=False)["optimizer"]
    assert said["name"] == name
    assert {k: said[k] for k in ("weight_decay", "l2") if k in said} == {key: 0.1}


Make = Callable[[torch.nn.Module], torch.optim.Optimizer]
MAKERS: dict[str, Make] = {
    "nadam": lambda m: torch.optim.NAdam(m.parameters(), lr=0.01, betas=(0.9, 0.99), momentum_decay=0.5),
    "nadam decoupled": lambda m: torch.optim.NAdam(
        m.parameters(), lr=0.01, betas=(0.9, 0.99), momentum_decay=0.5, weight_decay=0.1, decoupled_weight_decay=True
    ),
    "sgd with dampening": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.8, dampening=0.3, weight_decay=0.01),
    "adam, maximizing": lambda m: torch.optim.Adam(m.parameters(), lr=0.01, betas=(0.9, 0.99), maximize=True, weight_decay=0.01),
    "amsgrad": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, betas=(0.9, 0.99), amsgrad=True),
    "muon": lambda m: torch.optim.Muon([p for p in m.parameters() if p.ndim == 2], lr=0.01),
    "rmsprop": lambda m: torch.optim.RMSprop(m.parameters(), lr=0.01, alpha=0.9, momentum=0.5),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_step_is_h_times_u_and_settles_to_f(name: str) -> None:
    """Steps of lr 0 with a gradient that stays bring the state to rest: the update there is F."""
    torch.set_default_dtype(torch.float64)
    try:
        model = network(dtype=torch.float64)
        if not hasattr(torch.optim, "Muon") and name == "muon":
            pytest.skip("this torch has no Muon")
        optimizer = MAKERS[name](model)
    finally:
        torch.set_default_dtype(torch.float32)
    rule, group = rule_of(optimizer), optimizer.param_groups[0]
    weights = group["params"]
    source = torch.Generator().manual_seed(5)
    gradients = [torch.randn(w.shape, generator=source, dtype=torch.float64) for w in weights]
    lr, group["lr"] = group["lr"], 0.0
    steps = 3000
    for n in range(steps):
        group["lr"] = lr if n == steps - 1 else 0.0
        before = [w.detach().clone() for w in weights]
        for w, g in zip(weights, gradients, strict=True):
            w.grad = g.clone()
        optimizer.step()
    for w, g, theta in zip(weights, gradients, before, strict=True):
        seen = rule.seen(group, g, theta)
        u = rule.decayed(group, rule.update(group, seen, optimizer.state[w], None), theta)
        f = rule.decayed(group, rule.settled(group, seen, float("inf")), theta)
        torch.testing.assert_close((theta - w.detach()) / lr, u, rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(u, f, rtol=1e-2 if name == "muon" else 1e-6, atol=1e-2 if name == "muon" else 1e-8)


def test_the_largest_eigenvalue_is_that_of_the_matrix() -> None:
    source = torch.Generator().manual_seed(0)
    a = torch.randn(20, 20, generator=source, dtype=torch.float64)
    a = a + a.T
    space, start = Vectors(), [torch.ones(12, dtype=torch.float64), torch.ones(8, dtype=torch.float64)]
    pair = _lanczos.largest(space, lambda v: list((a @ torch.cat(v)).split([12, 8])), start, tolerance=1e-10, epsilon=1e-16)
    assert pair.value == pytest.approx(float(torch.linalg.eigvalsh(a)[-1]), rel=1e-10)
    again = _lanczos.largest(space, lambda v: list((a @ torch.cat(v)).split([12, 8])), pair.vector, tolerance=1e-6, epsilon=1e-16)
    assert again.products <= 2 < pair.products


def test_thresholds_are_those_in_closed_form() -> None:
    adam, nadam = Response(((1.0, 0.9),)), Response(((0.9, 0.9), (0.1, 0.0)))
    assert adam.period_two() == pytest.approx(2 * 1.9 / 0.1)
    assert adam.memory_edge() == pytest.approx((1 - 0.9**0.5) / (1 + 0.9**0.5))
    assert nadam.period_two() == pytest.approx(2 * 1.9 / (0.1 * 2.8))


class Unknown(torch.optim.Optimizer):
    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": 0.1})


class Half(torch.optim.Adam):
    """Another rule under Adam's name."""

    def step(self, closure: Any = None) -> None:
        before = [p.detach().clone() for p in self.param_groups[0]["params"]]
        super().step()
        with torch.no_grad():
            for p, b in zip(self.param_groups[0]["params"], before, strict=True):
                p.copy_((p + b) / 2)


REFUSED: dict[str, tuple[Callable[[torch.nn.Module, Path], object], type[Exception], str]] = {
    "an optimizer that is not known": (lambda m, out: Watch(m, Unknown(m.parameters()), lambda: m, out=out), TypeError, "is a Unknown"),
    "weights of another model": (
        lambda m, out: Watch(m, torch.optim.Adam(network().parameters()), lambda: m, out=out),
        ValueError,
        "no parameter of the model",
    ),
    "RMSprop that is centered": (
        lambda m, out: Watch(m, torch.optim.RMSprop(m.parameters(), centered=True), lambda: m, out=out),
        ValueError,
        "centered=True",
    ),
    "an interval of 0": (lambda m, out: Watch(m, torch.optim.Adam(m.parameters()), lambda: m, every=0, out=out), ValueError, "every=0"),
    "sharpness out of step": (
        lambda m, out: Watch(m, torch.optim.Adam(m.parameters()), lambda: m, every=5, sharpness=7, out=out),
        ValueError,
        "multiple of every=5",
    ),
    "DataParallel": (lambda m, out: Watch(torch.nn.DataParallel(m), torch.optim.Adam(m.parameters()), lambda: m, out=out), TypeError, "DataParallel"),
    "a directory with files": (
        lambda m, out: (out.mkdir(), (out / "a").touch(), Watch(m, torch.optim.Adam(m.parameters()), lambda: m, out=out)),
        FileExistsError,
        "other files",
    ),
    "no optimizers": (lambda m, out: Watch(m, [], lambda: m, out=out), ValueError, "an empty list"),
    "an optimizer that is twice there": (
        lambda m, out: (lambda o: Watch(m, [o, o], lambda: m, out=out))(torch.optim.Adam(m.parameters())),
        ValueError,
        "Adam is there twice",
    ),
    "a weight of two optimizers": (
        lambda m, out: Watch(m, [torch.optim.SGD(m.parameters()), torch.optim.Adam(m[2].parameters())], lambda: m, out=out),
        ValueError,
        r"optimizer Adam.param_groups\[0\]: 2.weight is in optimizer SGD.param_groups\[0\], too: want each weight in one optimizer",
    ),
    "complex weights": (lambda m, out: _complex(out), TypeError, "complex64"),
}


def _complex(out: Path) -> object:
    m = torch.nn.Linear(2, 2, dtype=torch.complex64)
    return Watch(m, torch.optim.Adam(m.parameters()), lambda: m, out=out)


@pytest.mark.parametrize("what", REFUSED)
def test_refused_at_once(what: str, tmp_path: Path) -> None:
    make, error, text = REFUSED[what]
    with pytest.raises(error, match=text):
        make(network(), tmp_path / "run")


def stepping(tmp_path: Path, closure: Callable[..., Any], make: Make = lambda m: torch.optim.Adam(m.parameters())) -> None:
    x, y = data()
    model = network()
    optimizer = make(model)
    watch = Watch(model, optimizer, lambda: closure(model, x, y), every=1, out=tmp_path / "run")
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
    watch.step()


STEPS: dict[str, tuple[Callable[..., Any], type[Exception], str]] = {
    "no tensor": (lambda m, x, y: 3.0, TypeError, "returned a float"),
    "no single number": (lambda m, x, y: F.cross_entropy(m(x), y, reduction="none"), TypeError, r"of shape \(32,\)"),
    "no graph": (lambda m, x, y: F.cross_entropy(m(x), y).detach(), ValueError, "without a graph"),
    "no parts": (lambda m, x, y: iter(()), ValueError, "no loss"),
}


@pytest.mark.parametrize("what", STEPS)
def test_a_closure_that_gives_no_loss_is_refused(what: str, tmp_path: Path) -> None:
    closure, error, text = STEPS[what]
    with pytest.raises(error, match=text):
        stepping(tmp_path, closure)


def test_another_rule_under_a_known_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="is not what torch.optim's Half makes"):
        stepping(tmp_path, lambda m, x, y: F.cross_entropy(m(x), y), lambda m: Half(m.parameters()))


def test_a_closure_of_another_batch_is_said(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="not the closure's"):
        stepping(tmp_path, lambda m, x, y: F.cross_entropy(m(x[:4]), y[:4].flip(0)))


def test_a_step_that_was_not_told_of_is_refused(tmp_path: Path) -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    watch = Watch(model, optimizer, lambda: model, out=tmp_path / "run")
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    with pytest.raises(RuntimeError, match="twice without watch.step"):
        optimizer.step()
    watch.close()
    optimizer.step()


def test_weights_that_are_not_watched_move_behind_the_measurement(tmp_path: Path) -> None:
    def train(*, between: bool, unfreeze: bool, out: Path) -> list[Any]:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
        model[2].requires_grad_(False)
        x, y = torch.randn(8, 4), torch.randint(3, (8,))
        first = torch.optim.Adam(model.parameters() if unfreeze else model[0].parameters(), lr=0.01)
        model[2].requires_grad_(not unfreeze)
        second = torch.optim.SGD(model[2].parameters(), lr=0.1)

        def closure() -> torch.Tensor:
            return torch.nn.functional.cross_entropy(model(x), y)

        rows = []
        with Watch(model, first, closure, every=1, out=out) as watch:
            for _ in range(3):
                model.zero_grad()
                model[2].requires_grad_(True)
                closure().backward()
                first.step()
                if between:
                    second.step()
                rows.append(watch.step())
                if not between and not unfreeze:
                    second.step()
        return rows

    for row in train(between=False, unfreeze=False, out=tmp_path / "behind"):
        assert row["gradient_difference"] == 0
    with pytest.raises(RuntimeError, match="step 0: weight 2.weight changed between"):
        train(between=True, unfreeze=False, out=tmp_path / "between")
    with pytest.raises(RuntimeError, match="step 0: weight 2.weight changed between"):
        train(between=False, unfreeze=True, out=tmp_path / "unfrozen")


def test_several_optimizers_step_before_they_are_measured(tmp_path: Path) -> None:
    """A step of some of them alone, as GradScaler takes where gradients of the others are infinite, has no row; a hundred of them are an error."""
    x, y = data()
    model = network()
    first, second = torch.optim.SGD(model[0].parameters(), lr=0.1), torch.optim.Adam(model[2].parameters(), lr=0.01)
    with Watch(model, [first, second], lambda: F.cross_entropy(model(x), y), every=1, out=tmp_path / "run") as watch:
        for steps in ([first, second], [first], [second, first], [second]):
            model.zero_grad()
            F.cross_entropy(model(x), y).backward()
            for one in steps:
                one.step()
            row = watch.step()
            assert (row is not None) == (len(steps) == 2)
        with pytest.raises(RuntimeError, match=r"took no step between \(SGD\)"):
            for _ in range(100):
                second.step()
                watch.step()
    found = history(tmp_path / "run" / "history.csv")
    assert found["step"] == [0, 2] and found["gradient_difference"] == [0, 0]
    assert '"holds": "SGD.param_groups[0]"' in (tmp_path / "run" / "result.json").read_text(encoding="utf-8")


def test_settings_that_are_loaded_are_those_that_are_watched(tmp_path: Path) -> None:
    x, y = data()
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with Watch(model, optimizer, lambda: F.cross_entropy(model(x), y), every=1, out=tmp_path / "run") as watch:
        optimizer.load_state_dict(torch.optim.Adam(network().parameters(), lr=0.03).state_dict())
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        row = watch.step()
    assert row is not None and row["lr"] == 0.03


def test_a_step_with_a_closure_is_refused(tmp_path: Path) -> None:
    x, y = data()
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    watch = Watch(model, optimizer, lambda: F.cross_entropy(model(x), y), out=tmp_path / "run")
    with pytest.raises(RuntimeError, match="given a closure"):
        optimizer.step(lambda: F.cross_entropy(model(x), y))
    watch.close()


def test_a_training_that_goes_on_is_watched_from_its_step(tmp_path: Path) -> None:
    model = network()
    _, optimizer = train(model, 10, None)
    train(model, 11, tmp_path / "run", optimizer, every=5)
    assert history(tmp_path / "run" / "history.csv")["step"] == [10, 15, 20]


def test_a_frozen_weight_and_one_without_a_gradient_do_not_move(tmp_path: Path) -> None:
    model = network()
    model.register_parameter("idle", torch.nn.Parameter(torch.ones(3)))
    model[0].bias.requires_grad_(False)
    train(model, 4, tmp_path / "run", every=1)
    found = history(tmp_path / "run" / "history.csv")
    assert "block.0.bias.drive.main" not in found
    assert found["block.idle.drive.main"] == [0, 0, 0, 0]
