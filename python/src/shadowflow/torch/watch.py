"""A watch over a training loop in PyTorch."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .. import _figures as figures
from .. import _lanczos
from .._record import Record
from . import _config
from ._loss import Evaluation, Loss
from ._optimizers import Rule, Sensitivity, rule_of
from ._vectors import Vector, Vectors, like, of_equal_size, sums_of

Closure = Callable[[], "Tensor | Iterable[Tensor]"]

SKIPS = 100
"""Calls of watch.step() without a step of the optimizer between after which something is wrong."""


@dataclass
class _Pending:
    """What is kept of a measured step from before it was taken."""

    step: int
    groups: list[dict[str, Any]]
    theta: Vector
    taken: Vector
    idle: set[int] = field(default_factory=set)  # weights without a gradient, which the optimizer leaves as they are
    versions: list[int] = field(default_factory=list)  # of the weights that are not watched
    before: dict[int, Tensor] = field(default_factory=dict)  # by weight: of the state, what the update reads as it was
    begun: set[int] = field(default_factory=set)  # optimizers whose step has begun


@dataclass(frozen=True)
class _Group:
    """A group of one of the optimizers."""

    of: int
    optimizer: torch.optim.Optimizer
    rule: Rule
    index: int  # among the optimizer's
    name: str

    @property
    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = self.optimizer.param_groups[self.index]  # which load_state_dict makes anew
        return found


@dataclass(frozen=True)
class _Weight:
    name: str
    tensor: Tensor
    group: int  # of all optimizers' groups, one behind the other
    optimizer: torch.optim.Optimizer
    rule: Rule

    @property
    def state(self) -> Any:
        return self.optimizer.state[self.tensor]


class Watch:
    """Measures what an optimizer's memory does, along a loop of one's own.

    ::

        watch = shadowflow.torch.Watch(model, optimizer, closure, every=50, out="runs/mine")
        for x, y in batches:
            optimizer.zero_grad()
            closure().backward()
            optimizer.step()
            watch.step()
        watch.close()

    Every ``every`` steps a row is written to ``out``, a directory that ``shadowflow report`` and ``export`` open. The training is the same to the bit
    with and without a watch: weights, buffers, gradients and random states are put back as they were.

    model
        The module, also in DistributedDataParallel (every rank has its watch, and rank 0 writes) or compiled.
    optimizer
        One of torch.optim's Adam, AdamW, NAdam, RMSprop, SGD and Muon, or a Lion, of weights of the model; or a list of several, as Muon for matrices and AdamW
        for the rest, each weight in one of them, all of which step before ``watch.step()``.
    closure
        Computes the loss of the step that was just taken: a tensor of one element with a graph, not scaled for mixed precision. Where gradients are
        accumulated it returns, or better yields, the losses of the parts, of which the step took the mean.
    every
        Steps between measurements. One takes the closure twice, two gradients and a Hessian-vector product.
    out
        The directory, new or empty.
    sharpness
        Steps between measurements of the preconditioned sharpness and lambda_grad, a multiple of ``every``; 0: never. One takes 2 to 41 products.
    blocks
        Whether every weight has its own columns; None: where there are at most 256 weights.
    eps
        That of the perturbed one-norm; None: the optimizer's.
    part_examples
        Examples in each part that the closure gives, no two of which share any: then the noise scale is measured. 0: it is not.

    Raises TypeError or ValueError with what is not watched.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer],
        closure: Closure,
        *,
        every: int = 50,
        out: str | os.PathLike[str],
        sharpness: int = 0,
        blocks: bool | None = None,
        eps: float | None = None,
        part_examples: int = 0,
    ) -> None:
        if every < 1:
            raise ValueError(f"every={every}: want at least 1")
        if sharpness < 0 or sharpness % every:
            raise ValueError(f"sharpness={sharpness}: want 0 or a multiple of every={every}")
        if part_examples < 0:
            raise ValueError(f"part_examples={part_examples}: want 0, or the examples in a part")
        self._optimizers = [optimizer] if isinstance(optimizer, torch.optim.Optimizer) else list(optimizer)
        self._every, self._sharpness, self._part_examples = every, sharpness, part_examples
        self._groups = _groups_of(self._optimizers)
        self._name = " and ".join(type(o).__name__ for o in self._optimizers)
        self._weights = _weights_of(model, self._groups)
        watched = {id(w.tensor) for w in self._weights}
        self._others = [(name, p) for name, p in model.named_parameters() if id(p) not in watched]
        self._refuse()
        self._loss = Loss(model, closure, [w.tensor for w in self._weights])
        self._vectors = Vectors()
        self._eps = self._groups[0].rule.eps(self._groups[0].settings) if eps is None else eps
        if not self._eps >= 0:
            raise ValueError(f"eps={self._eps}: want at least 0")
        self._realized = any(g.rule.remembers(g.settings) for g in self._groups)
        self._blocks = len(self._weights) <= figures.MAX_BLOCKS if blocks is None else blocks
        if self._blocks and len(self._weights) > figures.MAX_BLOCKS:
            raise ValueError(f"blocks=True: the optimizer has {len(self._weights)} weights: want at most {figures.MAX_BLOCKS}, or blocks=False")
        self._record = self._begin(out) if self._loss.rank == 0 else None
        self._step = self._first = _steps_taken(self._weights)
        self._from_empty = not any(w.optimizer.state.get(w.tensor) for w in self._weights)
        self._pending: _Pending | None = None
        self._warned = False
        self._stepped: set[int] = set()  # optimizers, since watch.step()
        self._depths = [0] * len(self._optimizers)
        self._skips = self._rows = self._above = 0
        self._last_loss = math.nan
        self._sharpest: Vector | None = None  # where the search for the largest eigenvalue begins
        self._began, self._watching = time.perf_counter(), 0.0
        this = weakref.ref(self)  # the optimizer must not keep a watch that nobody else does
        self._hooks = [hook for of, one in enumerate(self._optimizers) for hook in _hooked(this, of, one)]
        atexit.register(_close, this)

    def _refuse(self) -> None:
        for g in self._groups:
            if why := g.rule.refusal(g.settings):
                raise ValueError(f"{g.name}: {why}")
            if g.settings.get("differentiable"):
                raise ValueError(f"{g.name}: differentiable=True is not watched: the step itself would be differentiated")
        for w in self._weights:
            if not w.tensor.is_floating_point():
                raise TypeError(f"weight {w.name} is of {w.tensor.dtype}: want real floating-point numbers")
            if type(w.tensor).__name__ == "DTensor":
                raise TypeError(f"weight {w.name} is sharded over processes (DTensor): a watch wants whole weights, as DistributedDataParallel has them")

    def _begin(self, out: str | os.PathLike[str]) -> Record:
        columns = figures.columns(
            [w.name for w in self._weights] if self._blocks else [],
            realized=self._realized,
            sharpness=self._sharpness > 0,
            noise=self._part_examples > 0,
        )
        dtype = "float64" if self._weights[0].tensor.dtype == torch.float64 else "float32"
        config = _config.config_of(self._optimizers[0], dtype=dtype, every=self._every, sharpness=self._sharpness, blocks=self._blocks)
        record = Record(out, config, columns, {"torch": torch.__version__})
        parameters = sum(w.tensor.numel() for w in self._weights)
        record.log(f"watching {self._name} in PyTorch {torch.__version__}: {parameters:,} parameters in {len(self._weights)} weights")
        return record

    # What the optimizer's hooks call.

    def _before(self, of: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._depths[of] += 1
        if self._depths[of] > 1:  # a step that calls that of the class which it is derived from
            return
        if of in self._stepped or self._pending is not None and of in self._pending.begun:
            raise RuntimeError("optimizer.step() was called twice without watch.step() between: call watch.step() behind each step, or watch.close() to end")
        if len(args) > 1 or kwargs.get("closure") is not None:
            raise RuntimeError("optimizer.step was given a closure, so that the step's gradient is not known before it: call closure().backward() first")
        if self._step % self._every:
            return
        began = self._clock()
        if self._pending is None:
            nothing = [torch.empty(0)] * len(self._weights)  # until the optimizer of the weight steps
            theta = [w.tensor.detach().clone() for w in self._weights]
            self._pending = _Pending(self._step, [{} for _ in self._groups], theta, nothing, versions=[p._version for _, p in self._others])
        self._note(of, self._pending)
        self._watching += self._clock() - began

    def _note(self, of: int, at: _Pending) -> None:
        """Keeps what an optimizer is about to step with: its settings, the gradients that it takes, and what of its state is read as it was."""
        at.begun.add(of)
        scale = getattr(self._optimizers[of], "grad_scale", None)  # of torch.amp.GradScaler, where a fused step takes it off
        for i, group in enumerate(self._groups):
            if group.of == of:
                at.groups[i] = {k: v for k, v in group.settings.items() if k != "params"}
        for i, w in enumerate(self._weights):
            if self._groups[w.group].of != of:
                continue
            grad = w.tensor.grad
            if grad is None:
                at.idle.add(i)
            if grad is not None and grad.layout != torch.strided:
                raise TypeError(f"weight {w.name} has a sparse gradient: a watch wants dense ones")
            g = torch.zeros_like(like(w.tensor)) if grad is None else like(grad).clone()
            at.taken[i] = g if scale is None else g / scale.to(g.device)
            if (name := w.rule.remembers_before) and name in w.state:
                at.before[i] = w.state[name].detach().clone()

    def _after(self, of: int) -> None:
        self._depths[of] -= 1
        if self._depths[of] > 0:
            return
        found = getattr(self._optimizers[of], "found_inf", None)
        if found is not None and float(found) > 0:  # a fused step that GradScaler had skipped
            if self._pending is not None:
                self._pending.begun.discard(of)
            return
        self._stepped.add(of)

    def step(self) -> Mapping[str, float | int] | None:
        """Is called behind each ``optimizer.step()`` (or ``scaler.step(optimizer)``), before the next batch; returns the row, if one was measured.

        In a group of processes every rank calls it. A step that GradScaler skipped is none.
        """
        self._depths = [0] * len(self._optimizers)  # a step that raised an error has not told that it ended
        missing = [i for i in range(len(self._optimizers)) if i not in self._stepped]
        pending, self._pending = self._pending, None
        some, self._stepped = bool(self._stepped), set()
        self._step += some
        if missing:  # of several, GradScaler skips those whose gradients are infinite
            self._skips += 1
            if self._skips == SKIPS:
                what = " and ".join(type(self._optimizers[i]).__name__ for i in missing)
                raise RuntimeError(
                    f"watch.step() was called {SKIPS} times, and the optimizer that it watches took no step between ({what}): is it another one, or is step "
                    "compiled? Of several, all step before watch.step()"
                )
            return None
        self._skips = 0
        if pending is None:
            return None
        self._refuse_others(pending)
        began = self._clock()
        row = self._measure(pending)
        self._watching += self._clock() - began
        self._rows += 1
        self._last_loss = float(row["loss"])
        if self._record is not None:
            self._record.append(pending.step, time.perf_counter() - self._began, row)
        return row

    def _refuse_others(self, at: _Pending) -> None:
        """Refuses a step with which weights moved that are not watched: the loss before it could not be computed."""
        for (name, p), version in zip(self._others, at.versions, strict=True):
            if p._version != version:
                raise RuntimeError(
                    f"step {at.step}: weight {name} changed between optimizer.step() and watch.step(), which the optimizer did not train when its watch was "
                    "made: where another optimizer trains it, watch both, Watch(model, [one, another], ...), or call watch.step() before that one's step; where weights "
                    "are unfrozen or added, close the watch and make one anew"
                )

    def _clock(self) -> float:
        for device in {w.tensor.device for w in self._weights}:
            if device.type == "cuda":
                torch.cuda.synchronize(device)
        return time.perf_counter()

    def _measure(self, at: _Pending) -> dict[str, float | int]:
        h = _lr(at.groups[0])
        now = [w.tensor.detach().clone() for w in self._weights]
        row: dict[str, float | int] = {}
        with self._loss.measuring():
            try:
                self._put(at.theta)
                here = self._loss.evaluate(products=True, parts=self._part_examples > 0)
                q = self._norm_gradient(here)
                sharp = None
                if h > 0 and self._sharpness and at.step % self._sharpness == 0:
                    sharp = self._measure_sharpness(at, h, here, row)
                here.release()
            finally:
                self._put(now)
            there = self._loss.evaluate(products=False)
        parts = self._sums(at, h, here, q, now, there)
        s = figures.total(parts)
        row |= figures.point_figures(s, here.loss, self._eps) | figures.step_figures(s, h)
        if h > 0:
            row |= figures.bias_figures(s, h, realized=self._realized)
            for w, part in zip(self._weights, parts, strict=True):
                if self._blocks:
                    row |= figures.block_figures(w.name, part, h, realized=self._realized)
        if self._part_examples and len(here.part_squares) > 1:
            row |= figures.noise_figures(here.part_squares, s.square, self._part_examples)
        if sharp is not None:
            before = self._vectors.dot(sharp, self._decayed(at, here.gradient, at.theta))
            if before != 0:
                row["monitor.flip"] = self._vectors.dot(sharp, self._decayed(at, there.gradient, now)) / before
        self._check(at, s, row)
        return row

    def _decayed(self, at: _Pending, gradient: Vector, theta: Vector) -> Vector:
        """Returns a gradient with that of coupled decay."""
        couplings = [w.rule.coupling(at.groups[w.group]) for w in self._weights]
        return [g + c * like(t) if c else g for g, c, t in zip(gradient, couplings, theta, strict=True)]

    def _put(self, values: Vector) -> None:
        for w, v in zip(self._weights, values, strict=True):
            w.tensor.data.copy_(v)

    def _norm_gradient(self, here: Evaluation) -> Vector:
        direction = [g / (g.square() + self._eps).sqrt() if self._eps > 0 else g.sign() for g in here.gradient]
        return here.product(direction)

    def _updates(self, at: _Pending, i: int, h: float) -> tuple[Tensor, Tensor]:
        """Returns U and F of a weight, in units of the first group's lr."""
        theta = like(at.theta[i])
        if h == 0 or i in at.idle:
            return torch.zeros_like(theta), torch.zeros_like(theta)
        w = self._weights[i]
        group, rule = at.groups[w.group], w.rule
        g = rule.seen(group, at.taken[i], theta)
        u = rule.decayed(group, rule.update(group, g, w.state, at.before.get(i)), theta)
        f = rule.decayed(group, rule.settled(group, g, self._age(at, i)), theta)
        scale = _lr(group) / h
        return (u, f) if scale == 1 else (scale * u, scale * f)

    def _sums(self, at: _Pending, h: float, here: Evaluation, q: Vector, now: Vector, there: Evaluation) -> list[figures.Sums]:
        rows = []
        for i in range(len(self._weights)):
            u, f = self._updates(at, i, h)
            b = of_equal_size(u, f)
            rows.append(
                sums_of(
                    g=here.gradient[i], taken=at.taken[i], f=f, b=b, q=q[i], u=u, h=h, theta=at.theta[i], now=now[i], after=there.gradient[i], eps=self._eps
                )
            )
        return [figures.Sums(*r) for r in _to_host(rows)]

    def _age(self, at: _Pending, i: int) -> float:
        """Returns how many steps a weight's state is the memory of, this one included."""
        steps = self._weights[i].state.get("step")
        return float(steps) if steps is not None else at.step + 1 if self._from_empty else math.inf

    def _sensitivities(self, at: _Pending) -> list[Sensitivity] | None:
        """Returns how each weight's update answers changes of its gradient; None where that is not known of all."""
        out = []
        for i, w in enumerate(self._weights):
            group = at.groups[w.group]
            g = w.rule.seen(group, at.taken[i], like(at.theta[i]))
            found = None if i in at.idle else w.rule.sensitivity(group, g, w.state)
            if found is None:
                return None
            out.append(found)
        return out

    def _measure_sharpness(self, at: _Pending, h: float, here: Evaluation, row: dict[str, float | int]) -> Vector | None:
        """Measures preconditioned sharpness and lambda_grad, and returns the sharpest direction where it is known."""
        some = self._sensitivities(at)
        if some is None or self._is_clipped(at, here):
            return None
        groups = [at.groups[w.group] for w in self._weights]
        scales = [_lr(g) / h for g in groups]
        couplings = [w.rule.coupling(g) for w, g in zip(self._weights, groups, strict=True)]
        roots = [(c * s.diagonal).sqrt() for c, s in zip(scales, some, strict=True)]

        def curvature(v: Vector) -> Vector:
            return [hv + c * x for hv, c, x in zip(here.product(v), couplings, v, strict=True)]

        def apply(v: Vector) -> Vector:
            return [r * x for r, x in zip(roots, curvature([r * x for r, x in zip(roots, v, strict=True)]), strict=True)]

        start = self._sharpest if self._sharpest is not None else self._vectors.random(here.gradient)
        epsilon = torch.finfo(here.gradient[0].dtype).eps
        pair = _lanczos.largest(self._vectors, apply, start, epsilon=epsilon)
        self._sharpest = pair.vector
        row |= figures.sharpness_figures(pair.value, pair.residual, h, [s.response for s in some])
        seen = [w.rule.seen(g, x, like(t)) for w, g, x, t in zip(self._weights, groups, at.taken, at.theta, strict=True)]
        d_h_g = [c * s.alternating * x for c, s, x in zip(scales, some, curvature(seen), strict=True)]
        lambda_grad = figures.ratio(self._vectors.dot(seen, d_h_g), self._vectors.dot(seen, seen))
        self._above = self._above + 1 if lambda_grad > 2 / h else 0
        row |= {"monitor.lambda_grad": lambda_grad, "monitor.spike_rows": self._above}
        if pair.residual > figures.UNKNOWN * abs(pair.value):
            return None
        return [r * x for r, x in zip(roots, pair.vector, strict=True)]

    def _is_clipped(self, at: _Pending, here: Evaluation) -> bool:
        left = [t - g for t, g in zip(at.taken, here.gradient, strict=True)]
        return self._vectors.dot(left, left) > figures.CLIPPED**2 * self._vectors.dot(here.gradient, here.gradient)

    def _check(self, at: _Pending, s: figures.Sums, row: Mapping[str, float | int]) -> None:
        """Refuses a step that is not the optimizer's, and says where the closure computes another loss than the step's."""
        bound = 1e-3 * math.sqrt(s.moved) + 8 * math.sqrt(s.rounding)
        if _lr(at.groups[0]) > 0 and math.sqrt(s.missed) > bound:
            name = self._name
            raise RuntimeError(
                f"step {at.step}: the weights moved by {math.sqrt(s.moved):.3g}, and {math.sqrt(s.missed):.3g} of that is not what "
                f"torch.optim's {name} makes of its state: does something else change the weights between optimizer.step() and "
                f"watch.step(), or is this {name} another rule?"
            )
        difference = row["gradient_difference"]
        if difference > 0.1 and not self._warned:
            self._warned = True
            warnings.warn(
                f"step {at.step}: the gradient that the optimizer took is not the closure's: they differ by {difference:.1%} beyond a "
                "factor. The closure should compute the loss of the step that was just taken, on its batch (in all its parts, where "
                "gradients are accumulated). Dropout and clipping of single elements make a difference too.",
                stacklevel=3,
            )

    def close(self) -> None:
        """Writes the result, says what watching cost, and takes the hooks off. Without it a program does so where it ends."""
        for hook in self._hooks:
            hook.remove()
        record, self._record = self._record, None
        if record is None:
            return
        seconds = time.perf_counter() - self._began
        steps = self._step - self._first
        parameters = sum(w.tensor.numel() for w in self._weights)
        result = figures.result(self._step, steps, parameters, self._last_loss, self._rows, seconds, self._watching)
        if len(self._groups) > 1:
            result["groups"] = self._told_groups()
        record.finish(result)
        said = figures.cost_sentence(self._rows, steps, self._watching, seconds)
        record.log(said)
        print(f"shadowflow: {said}; record: {record.path}", file=sys.stderr)

    def _told_groups(self) -> list[dict[str, Any]]:
        """Returns the optimizers' groups as a result has them."""
        out = []
        for i, group in enumerate(self._groups):
            own = [w.tensor for w in self._weights if w.group == i]
            told = {**group.settings, "lr": _config.lr_of(group.settings)}
            settings = ", ".join(f"{k}={told[k]}" for k in _config.SETTINGS if k in told)
            out.append(
                {
                    "holds": group.name.removeprefix("optimizer "),
                    "weights": len(own),
                    "parameters": sum(w.numel() for w in own),
                    "optimizer": f"{type(group.optimizer).__name__}({settings})",
                }
            )
        return out

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _hooked(watch: weakref.ref[Watch], of: int, optimizer: torch.optim.Optimizer) -> list[Any]:
    """Has an optimizer tell the watch when a step begins and ends."""

    def before(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _call(watch, "_before", of, args, kwargs)

    def after(*_: Any) -> None:
        _call(watch, "_after", of)

    return [optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)]


def _call(watch: weakref.ref[Watch], method: str, *args: Any) -> None:
    if (w := watch()) is not None:
        getattr(w, method)(*args)


def _close(watch: weakref.ref[Watch]) -> None:
    if (w := watch()) is not None:
        w.close()


def _lr(group: Mapping[str, Any]) -> float:
    return float(group["lr"])


def _to_host(rows: list[Tensor]) -> Iterator[list[float]]:
    """Copies sums to the host, all those of a device at once."""
    by_device: dict[torch.device, list[int]] = {}
    for i, r in enumerate(rows):
        by_device.setdefault(r.device, []).append(i)
    out: dict[int, list[float]] = {}
    for indices in by_device.values():
        out |= dict(zip(indices, torch.stack([rows[i] for i in indices]).tolist(), strict=True))
    return (out[i] for i in range(len(rows)))


def _groups_of(optimizers: Sequence[Any]) -> list[_Group]:
    """Returns the groups of all optimizers, one behind the other."""
    if not optimizers:
        raise ValueError("optimizer: an empty list: want an optimizer, or those that step before watch.step()")
    out = []
    for of, optimizer in enumerate(optimizers):
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(f"optimizer: {type(optimizer).__name__}: want an optimizer of torch.optim, or a list of them")
        if any(optimizer is other for other in optimizers[:of]):
            raise ValueError(f"optimizer: {type(optimizer).__name__} is there twice: want each once")
        rule = rule_of(optimizer)
        which = f"{type(optimizer).__name__}." if len(optimizers) > 1 else ""
        out += [_Group(of, optimizer, rule, i, f"optimizer {which}param_groups[{i}]") for i in range(len(optimizer.param_groups))]
    return out


def _weights_of(model: torch.nn.Module, groups: Sequence[_Group]) -> list[_Weight]:
    """Returns the optimizers' weights, those of DistributedDataParallel and torch.compile by the names that they have without."""
    names = {id(p): name for name, p in model.named_parameters()}
    out: list[_Weight] = []
    taken: dict[int, _Group] = {}
    for i, group in enumerate(groups):
        for j, p in enumerate(group.settings["params"]):
            if id(p) not in names:
                raise ValueError(f"{group.name}: its weight {j}, of shape {tuple(p.shape)}, is no parameter of the model")
            if other := taken.get(id(p)):
                raise ValueError(f"{group.name}: {names[id(p)]} is in {other.name}, too: want each weight in one optimizer")
            taken[id(p)] = group
            if p.requires_grad:
                parts = [part for part in names[id(p)].split(".") if part != "_orig_mod"]
                name = ".".join(parts[1:] if _distributed(model) and parts[0] == "module" else parts)
                out.append(_Weight(name, p, i, group.optimizer, group.rule))
    if not out:
        raise ValueError("optimizer: none of its weights requires a gradient")
    return out


def _distributed(model: torch.nn.Module) -> bool:
    with contextlib.suppress(ImportError):
        from torch.nn.parallel import DistributedDataParallel

        inner = getattr(model, "_orig_mod", model)
        return isinstance(inner, DistributedDataParallel)
    return False


def _steps_taken(weights: Sequence[_Weight]) -> int:
    """Returns the number of steps that the optimizers' states are the memory of, 0 where they do not say."""
    return max((int(w.state["step"]) for w in weights if w.tensor in w.optimizer.state and "step" in w.state), default=0)
