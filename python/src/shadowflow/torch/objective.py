"""A PyTorch model as a loss of one vector, with its gradient and what lies beyond it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shadowflow.torch._derivatives import eager, exact_attention, grad
from shadowflow.torch.flat import Parameters, RunningAverages
from shadowflow.torch.score import Score
from shadowflow.worker import FULL, Description, Evaluation, Point, Vector

Loss = Callable[[Any, Any], Tensor]
Forward = Callable[[nn.Module, Any], tuple[Any, Tensor]]


class Objective:
    """The mean loss of a model over batches of examples, for :func:`shadowflow.serve`.

    ``batches`` is a sequence of tuples ``(*inputs, targets)``, the same examples whenever it is asked, and ``loss(model(*inputs), targets)`` the mean
    over a batch; or ``forward(model, batch)`` returns outputs and loss of batches of any other kind, and ``examples(batch)`` counts their
    examples. All batches together are the full batch, each weighed by its examples. ``test`` are batches of the same kind that the training
    does not see.

    The model computes on ``device``, in the type that the config says, or in ``dtype``, ``torch.bfloat16`` say, with vectors of the config's;
    it is in training mode but for tests. Dropout, and what else draws from torch, numpy.random or random, does so by the seed, the step and the batch, so
    that the loss of a step is one function. Buffers that a pass in training changes are state, as running averages are. Parameters that need no gradient
    stay what they are.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss | None,
        batches: Sequence[Any],
        *,
        test: Sequence[Any] = (),
        forward: Forward | None = None,
        examples: Callable[[Any], int] | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
        score: str | None = None,
    ) -> None:
        if (loss is None) == (forward is None):
            raise ValueError("loss and forward: want one of them, the other None")
        if not (hasattr(batches, "__len__") and hasattr(batches, "__getitem__")):
            raise TypeError(f"batches is a {type(batches).__name__}: want a sequence, each batch of which can be asked for again, as list(batches)")
        if len(batches) == 0:
            raise ValueError("batches: there are none")
        if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise TypeError(f"dtype={dtype!r}: want None, or a floating-point type, as torch.bfloat16")
        if forward is not None and score:
            raise ValueError(f"score={score!r}: forward keeps the targets to itself: want loss, or score=None")
        self.model = model
        self.loss = loss
        self.forward = forward
        self.batches, self.held_out = batches, test
        self.count = examples or _length_of_targets
        self.device, self.dtype = torch.device(device), dtype
        self.score = score
        self.seed = 0
        self.vectors = torch.float32
        self._kept: _Pass | None = None

    def describe(self, dtype: str, threads: int, seed: int) -> Description:
        if threads:
            torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        self.seed, self.vectors = seed, getattr(torch, dtype)
        self.dtype = self.dtype or self.vectors
        for name, p in self.model.named_parameters():
            if p.is_complex():
                raise TypeError(f"parameter {name} is of {p.dtype}: want real floating-point numbers")
        self.model.to(device=self.device, dtype=self.dtype).train()
        self.parameters = Parameters(self.model)
        self.sizes = [self.count(self.batches[i]) for i in range(len(self.batches))]
        if (least := min(self.sizes)) < 1:
            raise ValueError(f"batch {self.sizes.index(least)} has {least} examples: want 1 or more")
        self.averages = RunningAverages(self.model, lambda: _Pass(self, 0, 0, differentiated=True, twice=False))
        if self.score is None:
            self.score = Score.of(self._first_targets()) if self.forward is None else ""
        where = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        return Description(
            worker=f"torch {torch.__version__} on {where}, {str(self.dtype).removeprefix('torch.')}",
            blocks=self.parameters.blocks,
            running=self.averages.blocks,
            batches=len(self.batches),
            train=sum(self.sizes),
            test=sum(self.count(batch) for batch in self.held_out),
            score=self.score,
        )

    def _first_targets(self) -> Any:
        batch = self.batches[0]
        return batch[-1] if isinstance(batch, (tuple, list)) else None

    def start(self, theta: Vector, running: Vector) -> None:
        self.parameters.read(torch.from_numpy(theta))
        self.averages.read(torch.from_numpy(running))

    def evaluate(self, at: Point, gradient: Vector | None, averaged: Vector, more: bool) -> Evaluation:
        self._kept = None
        self._place(at)
        score, loss, averaged_batches = Score(self.score or ""), 0.0, 0
        total = torch.zeros(self.parameters.size, dtype=self.vectors, device=self.device) if gradient is not None else None
        batches = self._indices(at.batch)
        n = sum(self.sizes[i] for i in batches)
        keep = more and len(batches) == 1  # what all batches have computed fits no memory
        for i in batches:
            run = _Pass(self, i, at.step, differentiated=total is not None or keep, twice=keep)
            share = self.sizes[i] / n
            loss += share * float(run.loss.detach())
            score.add(run.outputs, run.targets)
            if total is not None:
                total.add_(self.parameters.flat(run.gradient(), self.vectors), alpha=share)
                averaged_batches += 1
            if keep:
                self._kept = run
        if gradient is not None and total is not None:
            torch.from_numpy(gradient).copy_(total)
            self.averages.read(torch.from_numpy(averaged))
        return Evaluation(loss, n, score.correct(), score.r2(), averaged_batches)

    def product(self, at: Point, vector: Vector, result: Vector, more: bool) -> None:
        self._along(at, vector, result, more, lambda run, v: run.product(v, keep=more))

    def bend(self, at: Point, vector: Vector, result: Vector, more: bool) -> None:
        self._along(at, vector, result, more, lambda run, v: run.bend(v, keep=more))

    def _along(self, at: Point, vector: Vector, result: Vector, more: bool, derivative: Callable[[_Pass, list[Tensor]], list[Tensor]]) -> None:
        v = self.parameters.cut(torch.from_numpy(vector).to(self.device), self.dtype or self.vectors)
        total = torch.zeros(self.parameters.size, dtype=self.vectors, device=self.device)
        batches = self._indices(at.batch)
        n = sum(self.sizes[i] for i in batches)
        kept, self._kept = self._kept, None
        if kept is None:
            self._place(at)
        for i in batches:
            run = kept or _Pass(self, i, at.step, differentiated=True, twice=True)
            total.add_(self.parameters.flat(derivative(run, v), self.vectors), alpha=self.sizes[i] / n)
            if more and len(batches) == 1:
                self._kept = run
        torch.from_numpy(result).copy_(total)

    def test(self, theta: Vector, running: Vector) -> Evaluation:
        self._kept = None
        self.parameters.write(torch.from_numpy(theta))
        self.averages.write(torch.from_numpy(running))
        score, loss, n = Score(self.score or ""), 0.0, 0
        self.model.eval()
        try:
            with torch.no_grad(), exact_attention(), eager():
                for batch in self.held_out:
                    outputs, targets, value = self.compute(batch)
                    k = self.count(batch)
                    loss, n = loss + k * float(value), n + k
                    score.add(outputs, targets)
        finally:
            self.model.train()
        return Evaluation(loss / n, n, score.correct(), score.r2())

    def _place(self, at: Point) -> None:
        self.parameters.write(torch.from_numpy(at.theta))
        self.averages.write(torch.from_numpy(at.running))

    def _indices(self, batch: int) -> list[int]:
        return list(range(len(self.batches))) if batch == FULL else [batch]

    def compute(self, batch: Any) -> tuple[Any, Any, Tensor]:
        """Return outputs, targets and mean loss of a batch."""
        batch = self._moved(batch)
        if self.forward is not None:
            outputs, loss = self.forward(self.model, batch)
            return outputs, None, loss
        assert self.loss is not None
        *inputs, targets = batch
        outputs = self.model(*inputs)
        return outputs, targets, self.loss(outputs, targets)

    def _moved(self, x: Any) -> Any:
        """What a batch holds, on the device, numbers in the model's type."""
        if isinstance(x, Tensor):
            return x.to(self.device, self.dtype if x.is_floating_point() else None, non_blocking=True)
        if isinstance(x, dict):
            return {key: self._moved(value) for key, value in x.items()}
        if isinstance(x, (tuple, list)):
            moved = [self._moved(value) for value in x]
            return type(x)(*moved) if hasattr(x, "_fields") else type(x)(moved)
        return x


class _Pass:
    """A batch's way through the model, kept for as long as derivatives of it are wanted."""

    def __init__(self, o: Objective, batch: int, step: int, *, differentiated: bool, twice: bool) -> None:
        self.parameters = o.parameters.tensors
        self.twice = twice
        _seed(_mix(o.seed, step, batch), o.device)
        with torch.set_grad_enabled(differentiated), exact_attention(), eager():
            self.outputs, self.targets, self.loss = o.compute(o.batches[batch])
        if self.loss.ndim != 0:
            raise ValueError(f"the loss of batch {batch} has shape {tuple(self.loss.shape)}: want one number, the mean over its examples")
        self._gradient: list[Tensor] | None = None

    def gradient(self) -> list[Tensor]:
        if self._gradient is None:
            self._gradient = grad(self.loss, self.parameters, create_graph=self.twice, retain_graph=self.twice)
        return self._gradient

    def product(self, v: list[Tensor], *, keep: bool) -> list[Tensor]:
        pairs = [(g, x) for g, x in zip(self.gradient(), v, strict=True) if g.requires_grad]
        if not pairs:  # a loss that is linear
            return [torch.zeros_like(x) for x in v]
        return grad([g for g, _ in pairs], self.parameters, [x for _, x in pairs], retain_graph=keep)

    def bend(self, v: list[Tensor], *, keep: bool) -> list[Tensor]:
        pairs = [(g, x) for g, x in zip(self.gradient(), v, strict=True) if g.requires_grad]
        if not pairs:
            return [torch.zeros_like(x) for x in v]
        product = grad([g for g, _ in pairs], self.parameters, [x for _, x in pairs], create_graph=True)
        curvature = torch.stack([(h * x).sum() for h, x in zip(product, v, strict=True)]).sum()
        if not curvature.requires_grad:
            return [torch.zeros_like(x) for x in v]
        return grad(curvature, self.parameters, retain_graph=keep)


def _length_of_targets(batch: Any) -> int:
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise TypeError(f"a batch is {type(batch).__name__}: want a tuple (*inputs, targets), or forward and examples, which read it")
    if np.ndim(batch[-1]) == 0:
        raise TypeError("the targets of a batch are a single one: want batches of examples, as a DataLoader makes them of a dataset, in a list")
    return len(batch[-1])


def _seed(x: int, device: torch.device) -> None:
    """Makes all that draws begin anew.

    ``torch.manual_seed`` would do, but for every kind of device that PyTorch was built for and that is not in use it notes the stack of calls, at each
    call: as long as a small model takes for its gradient.
    """
    torch.default_generator.manual_seed(x)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(x)
    if device.type not in ("cpu", "cuda"):
        torch.manual_seed(x)
    random.seed(x)
    np.random.seed(x & 0xFFFFFFFF)


def _mix(seed: int, step: int, batch: int) -> int:
    """A seed for the random draws of a step on a batch: splitmix64 of the three."""
    x = 0
    for part in (seed, step, batch + 1):
        x = (x + part + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        x ^= x >> 31
    return x & 0x7FFFFFFFFFFFFFFF
