"""A watch over a training loop in optax."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import _figures as figures
from .. import _lanczos
from .._record import Record
from . import _noise, _settle
from ._sensitivity import Answers
from ._trees import Trees, root, times, wide

Tree = Any
Array = np.ndarray[Any, np.dtype[Any]]


class Watch:
    """Measures what an optimizer's memory does, along a loop of one's own in JAX.

    ::

        watch = shadowflow.jax.Watch(loss, optimizer, lr=1e-3, every=50, out="runs/mine")
        for batch in batches:
            watch(params, state, batch)
            params, state = step(params, state, batch)
        watch.close()

    It is called before each step, with what the step is given, and measures every ``every`` calls: the step is a function, so that the watch takes it on its
    own, and nothing is changed.

    loss
        loss(params, batch), a number.
    optimizer
        The ``optax.GradientTransformation``: a chain of those whose states are Adam's (adam, adamw, nadam), AMSGrad's, RMSProp's, Lion's, and traces (sgd,
        with momentum and Nesterov's), with clipping, decay, schedules and masks of decay.
    lr
        The step size h of which U = -updates/h: a number, or the schedule, a function of the number of steps taken.
    every
        Steps between measurements. One takes three gradients and a Hessian-vector product.
    out
        The directory, new or empty.
    sharpness
        Steps between measurements of the preconditioned sharpness and lambda_grad, a multiple of ``every``; 0: never. One takes 2 to 41 products.
    blocks
        Whether every array of params has its own columns; None: where there are at most 256.
    eps
        That of the perturbed one-norm.
    part_examples
        Examples in each part that the batch is cut into along its arrays' first axis, where the loss is the mean over them: then the noise scale is measured, which
        takes every part's gradient. 0: it is not.
    start
        Steps that were taken before the first call.
    name
        What the page calls the optimizer.
    """

    def __init__(
        self,
        loss: Callable[[Tree, Tree], Any],
        optimizer: Any,
        *,
        lr: float | Callable[[int], Any],
        every: int = 50,
        out: str | os.PathLike[str],
        sharpness: int = 0,
        blocks: bool | None = None,
        eps: float = 1e-8,
        part_examples: int = 0,
        start: int = 0,
        name: str = "adamw",
    ) -> None:
        if every < 1:
            raise ValueError(f"every={every}: want at least 1")
        if sharpness < 0 or sharpness % every:
            raise ValueError(f"sharpness={sharpness}: want 0 or a multiple of every={every}")
        if not eps >= 0:
            raise ValueError(f"eps={eps}: want at least 0")
        if part_examples < 0:
            raise ValueError(f"part_examples={part_examples}: want 0, or the examples in a part")
        self._lr, self._every, self._sharpness, self._eps, self._part_examples = lr, every, sharpness, eps, part_examples
        self._out, self._blocks, self._name = out, blocks, name
        self._step = self._first = start
        self._record: Record | None = None
        self._realized = True
        self._rows, self._last_loss, self._parameters = 0, math.nan, 0
        self._began, self._watching = time.perf_counter(), 0.0
        self._update = jax.jit(optimizer.update)
        self._evaluate = jax.jit(jax.value_and_grad(loss))
        self._product = jax.jit(_product_of(loss))
        self._curvature = jax.jit(_preconditioned(_product_of(loss)))
        self._parts = jax.jit(_noise.parts_of(jax.grad(loss)), static_argnums=2)
        self._answers = Answers(self._update)
        self._trees = Trees()
        self._sharpest: Tree | None = None  # where the search for the largest eigenvalue begins
        self._above = 0

    def __call__(self, params: Tree, state: Tree, batch: Tree) -> Mapping[str, float | int] | None:
        """Is called before each step; returns the row, if one was measured."""
        step = self._step
        self._step += 1
        if step % self._every:
            return None
        began = time.perf_counter()
        if self._record is None:
            self._begin(params, state, batch)
        row = self._measure(params, state, batch, step)
        self._watching += time.perf_counter() - began
        self._rows, self._last_loss = self._rows + 1, float(row["loss"])
        if self._record is not None:
            self._record.append(step, time.perf_counter() - self._began, row)
        return row

    def _begin(self, params: Tree, state: Tree, batch: Tree) -> None:
        if why := _settle.refusal(state):
            raise TypeError(f"optimizer: {why}")
        leaves = jax.tree.leaves(params)
        for name, leaf in zip(_names(params), leaves, strict=True):
            if not jnp.issubdtype(leaf.dtype, jnp.floating):
                raise TypeError(f"params: {name} is of {leaf.dtype}: want real floating-point numbers")
        if self._blocks and len(leaves) > figures.MAX_BLOCKS:
            raise ValueError(f"blocks=True: params has {len(leaves)} arrays: want at most {figures.MAX_BLOCKS}, or blocks=False")
        if self._part_examples:
            _noise.check(batch, self._part_examples)
        self._blocks = len(leaves) <= figures.MAX_BLOCKS if self._blocks is None else self._blocks
        self._realized, self._parameters = _settle.remembers(state), sum(x.size for x in leaves)
        columns = figures.columns(
            _names(params) if self._blocks else [],
            realized=self._realized,
            sharpness=self._sharpness > 0,
            noise=self._part_examples > 0,
            taken=False,
        )
        config = {
            "dtype": "float64" if leaves[0].dtype == jnp.float64 else "float32",
            "objective": {"name": "watched"},
            "optimizer": {"name": self._name, "preset": "pytorch", "lr": self._size(self._first) or 1.0},
            "batch": {"mode": "sampled"},
            "record": {"every": self._every, "bias": self._every, "blocks": self._blocks, "sharpness": self._sharpness},
        }
        self._record = Record(self._out, config, columns, {"jax": jax.__version__})
        self._record.log(f"watching optax in JAX {jax.__version__}: {self._parameters:,} parameters in {len(leaves)} arrays")

    def _size(self, step: int) -> float:
        return float(self._lr(step)) if callable(self._lr) else float(self._lr)

    def _measure(self, params: Tree, state: Tree, batch: Tree, step: int) -> dict[str, float | int]:
        h = self._size(step)
        loss, g = self._evaluate(params, batch)
        if jnp.ndim(loss) != 0:
            raise TypeError(f"loss gave an array of shape {jnp.shape(loss)}: want a number")
        direction = jax.tree.map(lambda x: x / jnp.sqrt(x * x + self._eps) if self._eps > 0 else jnp.sign(x), g)
        q = self._product(params, batch, direction)
        updates, _ = self._update(g, state, params)
        without = _settle.settled(self._update, g, state, params, step)
        now = jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, updates)
        _, after = self._evaluate(now, batch)
        parts = [
            _sums(*(np.asarray(x) for x in leaves), h=h, eps=self._eps)
            for leaves in zip(*(jax.tree.leaves(t) for t in (g, q, updates, without, params, now, after)), strict=True)
        ]
        total = figures.total(parts)
        row: dict[str, float | int] = {**figures.point_figures(total, float(loss), self._eps)}
        row |= {k: v for k, v in figures.step_figures(total, h).items() if k in ("step_norm", "lr")}
        if h > 0:
            row |= figures.bias_figures(total, h, realized=self._realized)
            if self._blocks:
                for name, part in zip(_names(params), parts, strict=True):
                    row |= figures.block_figures(name, part, h, realized=self._realized)
        if h > 0 and self._sharpness and step % self._sharpness == 0:
            self._measure_sharpness(params, state, batch, g, (now, after), h, row)
        if self._part_examples:
            squares = self._parts(batch, params, self._part_examples)
            row |= _noise.figures_of(squares, total.square, self._part_examples)
        return row

    def _measure_sharpness(self, params: Tree, state: Tree, batch: Tree, g: Tree, behind: tuple[Tree, Tree], h: float, row: dict[str, float | int]) -> None:
        """Measures preconditioned sharpness and lambda_grad, given weights and gradient behind the step."""
        found = self._answers.sensitivity(g, state, params, h)
        if found is None:
            return
        roots = root(found.diagonal)
        ones = jax.tree.map(jnp.ones_like, roots)

        def curved(v: Tree, left: Tree, right: Tree) -> Tree:
            return self._curvature(params, batch, v, left, right, found.couplings)

        start = self._sharpest if self._sharpest is not None else self._trees.random(params)
        epsilon = float(np.finfo(jax.tree.leaves(start)[0].dtype.name).eps)
        pair = _lanczos.largest(self._trees, lambda v: curved(v, roots, roots), start, epsilon=epsilon)
        self._sharpest = pair.vector
        row |= figures.sharpness_figures(pair.value, pair.residual, h, found.responses)
        seen = _coupled(g, params, found.couplings)
        lambda_grad = figures.ratio(self._trees.dot(seen, curved(seen, found.alternating, ones)), self._trees.dot(seen, seen))
        self._above = self._above + 1 if lambda_grad > 2 / h else 0
        row |= {"monitor.lambda_grad": lambda_grad, "monitor.spike_rows": self._above}
        if pair.residual > figures.UNKNOWN * abs(pair.value):
            return
        sharpest = times(roots, pair.vector)
        if before := self._trees.dot(sharpest, seen):
            row["monitor.flip"] = self._trees.dot(sharpest, _coupled(behind[1], behind[0], found.couplings)) / before

    def close(self) -> None:
        """Writes the result, and says what watching cost."""
        record, self._record = self._record, None
        if record is None:
            return
        seconds, steps = time.perf_counter() - self._began, self._step - self._first
        record.finish(figures.result(self._step, steps, self._parameters, self._last_loss, self._rows, seconds, self._watching))
        said = figures.cost_sentence(self._rows, steps, self._watching, seconds)
        record.log(said)
        print(f"shadowflow: {said}; record: {record.path}", file=sys.stderr)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _product_of(loss: Callable[[Tree, Tree], Any]) -> Callable[[Tree, Tree, Tree], Tree]:
    """Returns the Hessian times a vector: the jvp of the gradient."""

    def product(params: Tree, batch: Tree, v: Tree) -> Tree:
        return jax.jvp(lambda p: jax.grad(loss)(p, batch), (params,), (v,))[1]

    return product


def _preconditioned(product: Callable[[Tree, Tree, Tree], Tree]) -> Callable[..., Tree]:
    """Returns left (H + couplings) right v, in the arithmetic of the watch."""

    def curvature(params: Tree, batch: Tree, v: Tree, left: Tree, right: Tree, couplings: list[Any]) -> Tree:
        x = times(right, v)
        hx = jax.tree.map(wide, product(params, batch, jax.tree.map(lambda a, p: a.astype(p.dtype), x, params)))
        return times(left, _coupled(hx, x, couplings))

    return curvature


@jax.jit
def _coupled(a: Tree, x: Tree, couplings: list[Any]) -> Tree:
    """Returns a with what coupled decay makes of x, in the arithmetic of the watch."""
    parts = zip(jax.tree.leaves(a), jax.tree.leaves(x), couplings, strict=True)
    return jax.tree.unflatten(jax.tree.structure(a), [wide(y) + c * wide(z) for y, z, c in parts])


def _names(params: Tree) -> list[str]:
    """Returns the arrays' names, their keys joined by points."""
    out = []
    for path, _ in jax.tree_util.tree_flatten_with_path(params)[0]:
        keys = (getattr(k, "key", getattr(k, "name", getattr(k, "idx", k))) for k in path)
        out.append(".".join(map(str, keys)) or "params")
    return out


def _sums(g: Array, q: Array, update: Array, without: Array, theta: Array, now: Array, after: Array, *, h: float, eps: float) -> figures.Sums:
    dtype = np.dtype(np.float64 if theta.dtype == np.float64 else np.float32)
    u, f = (-x.astype(dtype) / dtype.type(h) if h > 0 else np.zeros(g.shape, dtype) for x in (update, without))
    b = u - f
    b[np.abs(b) <= _settle.SAME * np.finfo(dtype.name).eps * np.maximum(np.abs(u), np.abs(f))] = 0
    g, q, f, b, theta, now, after = [x.astype(np.float64) for x in (g, q, f, b, theta, now, after)]
    product, size, moved = q * b, np.abs(q), now - theta
    falls, rises = product > 0, product < 0
    square = float(np.square(g).sum())
    return figures.Sums(
        count=g.size,
        excess=_excess(g, eps),
        one=float(np.abs(g).sum()),
        square=square,
        largest=float(np.abs(g).max(initial=0.0)),
        taken_square=square,
        taken_g=square,
        ff=float(np.square(f).sum()),
        bb=float(np.square(b).sum()),
        qf=float((q * f).sum()),
        qb=float(product.sum()),
        weight=float(size.sum()),
        penalized=float(falls.sum()),
        hindered=float(rises.sum()),
        penalized_weight=float(size[falls].sum()),
        hindered_weight=float(size[rises].sum()),
        moved=float(np.square(moved).sum()),
        missed=0.0,
        rounding=0.0,
        excess_after=_excess(after, eps),
    )


def _excess(g: Array, eps: float) -> float:
    if eps == 0:
        return float(np.abs(g).sum())
    square = np.square(g)
    return float((square / (np.sqrt(square + eps) + math.sqrt(eps))).sum())
