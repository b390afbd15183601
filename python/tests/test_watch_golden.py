"""A watched loop in PyTorch has the figures of the program's own run from the same weights on the same data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from watched import GOLDEN, ROUNDED, SEARCHED, differences, digits, history, weights  # noqa: E402

from shadowflow.torch import Watch  # noqa: E402

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]

Optimizer = Callable[[torch.nn.Module], torch.optim.Optimizer | list[torch.optim.Optimizer]]


def groups(model: torch.nn.Module) -> list[dict[str, object]]:
    vectors = [p for p in model.parameters() if p.ndim == 1]
    return [{"params": [p for p in model.parameters() if p.ndim > 1]}, {"params": vectors, "weight_decay": 0.0, "lr": 0.003}]


def lion(model: torch.nn.Module) -> torch.optim.Optimizer:
    return Lion(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)


class Lion(torch.optim.Optimizer):
    """X. Chen et al., arXiv:2302.06675, algorithm 2, with the names that lion-pytorch has."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * torch.sign(beta1 * m + (1 - beta1) * p.grad))
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)


def split(model: torch.nn.Module, matrices: Callable[..., Any], vectors: Callable[..., Any]) -> list[torch.optim.Optimizer]:
    """Returns two optimizers, one of the matrices and one of the vectors."""
    return [matrices([p for p in model.parameters() if p.ndim > 1]), vectors([p for p in model.parameters() if p.ndim == 1])]


# Two optimizers have the figures of one with groups, and of a run whose groups have rules of their own.
SEVERAL: dict[str, tuple[str, Optimizer]] = {
    "adamw twice": (
        "adamw-groups",
        lambda m: split(m, lambda w: torch.optim.AdamW(w, lr=0.01), lambda w: torch.optim.AdamW(w, lr=0.003, weight_decay=0)),
    ),
    "sgd and adam": (
        "sgd-adam",
        lambda m: split(m, lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.9), lambda w: torch.optim.Adam(w, lr=0.01)),
    ),
}

OPTIMIZERS: dict[str, Optimizer] = {
    "adam": lambda m: torch.optim.Adam(m.parameters(), lr=0.01),
    "adamw": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, weight_decay=0.1),
    "adam-l2": lambda m: torch.optim.Adam(m.parameters(), lr=0.01, weight_decay=0.01),
    "amsgrad": lambda m: torch.optim.Adam(m.parameters(), lr=0.01, betas=(0.9, 0.9), amsgrad=True),
    "nadam": lambda m: torch.optim.NAdam(m.parameters(), lr=0.01),
    "rmsprop": lambda m: torch.optim.RMSprop(m.parameters(), lr=1e-3),
    "rmsprop-momentum": lambda m: torch.optim.RMSprop(m.parameters(), lr=1e-3, momentum=0.9),
    "sgd": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9),
    "sgd-nesterov": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "lion": lion,
    "adamw-groups": lambda m: torch.optim.AdamW(groups(m), lr=0.01),
    "adamw-clipped-cosine": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01),
}


def cosine(n: int) -> float:
    """The factor of lr in step n, of 30 with a warmup of 4."""
    return (n + 1) / 4 if n < 4 else 0.5 * (1 + math.cos(math.pi * (n - 4) / 26))


@pytest.fixture(autouse=True)
def _scalars_of_the_same_precision(request: pytest.FixtureRequest) -> Iterator[None]:
    """NAdam keeps its product of betas in the default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, request.node.callspec.params["dtype"]))
    yield
    torch.set_default_dtype(before)


def watched(name: str, dtype: str, out: Path, device: str = "cpu", make: Optimizer | None = None) -> dict[str, list[float | None]]:
    model = torch.nn.Sequential(torch.nn.Linear(16, 8), torch.nn.Tanh(), torch.nn.Linear(8, 10)).to(device, getattr(torch, dtype))
    model.load_state_dict({k: torch.from_numpy(v) for k, v in weights(dtype).items()})
    x, y = (torch.from_numpy(a).to(device) for a in digits(dtype))
    optimizer = (make or OPTIMIZERS[name])(model)
    special = name == "adamw-clipped-cosine"
    optimizers = optimizer if isinstance(optimizer, list) else [optimizer]
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, cosine if special else lambda n: 1.0) for o in optimizers]
    with Watch(model, optimizer, lambda: torch.nn.functional.cross_entropy(model(x), y), every=5, sharpness=10, out=out) as watch:
        for _ in range(30):
            model.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            if special:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            for o, schedule in zip(optimizers, schedules, strict=True):
                o.step()
                schedule.step()
            watch.step()
    return history(out / "history.csv")


def compare(name: str, dtype: str, ours: dict[str, list[float | None]], tolerance: float) -> None:
    """Checks a history against that of a golden run; eigenvalues, which are searched, within their residuals."""
    golden = history(GOLDEN / f"{name}-{dtype}.csv")
    if name == "lion":  # a sign has the derivative 0, and no preconditioned sharpness: there 0 and NaN, here nothing
        golden = {k: v for k, v in golden.items() if k not in (*SEARCHED, "stability_threshold", "monitor.lambda_grad", "monitor.spike_rows")}
    found = differences(ours, golden)
    whole = {"drive.main", "drive.observed"} if name != "nadam" else set()  # what its rising momentum tends to is not known there
    assert {"step", "loss", "excess"} | whole <= found.keys()
    wrong = {k: v for k, v in found.items() if v > (tolerance if dtype == "float64" or not ROUNDED.search(k) else 1e-5) and k not in SEARCHED}
    assert not wrong, max(wrong.values())
    for i, b in enumerate(golden.get("preconditioned_sharpness", [])):
        a, residual = ours["preconditioned_sharpness"][i], ours["preconditioned_residual"][i]
        assert b is None or abs(a - b) <= residual + golden["preconditioned_residual"][i]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-10), ("float32", 1e-6)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_columns_are_those_of_our_own_run(name: str, dtype: str, tolerance: float, device: str, tmp_path: Path) -> None:
    compare(name, dtype, watched(name, dtype, tmp_path / "run", device), tolerance)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-10), ("float32", 1e-6)])
@pytest.mark.parametrize("which", SEVERAL)
def test_several_optimizers_have_the_columns_of_a_run_with_groups(which: str, dtype: str, tolerance: float, tmp_path: Path) -> None:
    name, make = SEVERAL[which]
    compare(name, dtype, watched(name, dtype, tmp_path / "run", make=make), tolerance)


@pytest.mark.parametrize("dtype", ["float64"])
@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this PyTorch has no Muon")
def test_muon_beside_adamw_is_a_run_with_such_groups_but_for_its_bfloat16(dtype: str, tmp_path: Path) -> None:
    def make(m: torch.nn.Module) -> list[torch.optim.Optimizer]:
        return split(m, lambda w: torch.optim.Muon(w, lr=0.01, weight_decay=0.1), lambda w: torch.optim.AdamW(w, lr=0.003, weight_decay=0))

    golden = history(GOLDEN / "muon-adamw-float64.csv")
    found = differences(watched("muon-adamw", dtype, tmp_path / "run", make=make), golden)
    blocks = [k for k in found if k.startswith("block.") and k.endswith("drive.main")]
    assert len(blocks) == 4
    wrong = {k: found[k] for k in ("loss", "excess", "drive.main", *blocks) if found[k] > BFLOAT16}
    assert not wrong, wrong


BFLOAT16 = 0.02
"""What torch's Newton-Schulz steps in bfloat16 make of 30 steps, relatively: the program's own are exact."""
