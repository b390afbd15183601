"""A loss written in JAX as a loss of one vector, with its gradient and what lies beyond it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from shadowflow.worker import FULL, Description, Evaluation, Point, Vector

LossFunction = Callable[..., Any]


class Objective:
    """The mean of ``loss_fn(params, batch)`` over batches of examples, for :func:`shadowflow.serve`.

    ``params`` is a pytree of arrays, where the loss starts, and ``batches`` a sequence of pytrees whose leaves have the examples along their first
    axis. All batches together are the full batch, each weighed by its examples. With ``has_aux`` the function returns the loss and the number
    of examples that were classified rightly; with ``rng`` it takes a key as its last argument, made of the seed, the step and the batch. ``state``,
    running averages say, is a pytree that it takes behind the parameters, and returns behind the loss: ``loss_fn(params, state, batch) -> (loss,
    state)``, with ``has_aux`` ``(loss, (state, correct))``. ``test`` are batches that the training does not see, and ``test_fn`` is the loss there,
    ``loss_fn`` if it is None.

    The functions are given floating-point numbers in the type that the config says, or in ``dtype``, ``jax.numpy.bfloat16`` say, with vectors of the
    config's; other arrays of ``state`` and of batches keep their types.

    Products are forward over reverse mode: the jvp of the gradient, jitted.
    """

    def __init__(
        self,
        loss_fn: LossFunction,
        params: Any,
        batches: Sequence[Any],
        *,
        state: Any = None,
        test: Sequence[Any] = (),
        test_fn: LossFunction | None = None,
        has_aux: bool = False,
        rng: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if not (hasattr(batches, "__len__") and hasattr(batches, "__getitem__")):
            raise TypeError(f"batches is a {type(batches).__name__}: want a sequence, each batch of which can be asked for again, as list(batches)")
        if dtype is not None and not jax.numpy.issubdtype(dtype, jax.numpy.floating):
            raise TypeError(f"dtype={dtype!r}: want None, or a floating-point type, as jax.numpy.bfloat16")
        if len(batches) == 0:
            raise ValueError("batches: there are none")
        self.loss_fn, self.test_fn = loss_fn, test_fn or loss_fn
        self.params, self.state = params, state
        self.batches, self.held_out = batches, test
        self.has_aux, self.rng = has_aux, rng
        self.device, self.computing = device, dtype
        self.seed = 0

    def describe(self, dtype: str, threads: int, seed: int) -> Description:
        if dtype == "float64":
            jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
        jax.config.update("jax_default_matmul_precision", "highest")  # type: ignore[no-untyped-call]
        self.dtype, self.seed = np.dtype(dtype), seed
        self.device = self.device or jax.devices()[0]
        self.computing = np.dtype(self.computing or dtype)
        self.weights = _Flat("params", self.params, self.dtype, self.computing)
        self.averages = _Flat("state", self.state, self.dtype, self.computing)
        for (name, _), t in zip(self.weights.blocks, self.weights.types, strict=True):
            if t != self.computing:
                raise TypeError(f"params: {name} is of {t}: want real floating-point numbers; what is not trained is the function's own")
        self.placed = [self._place(batch) for batch in self.batches]
        self.sizes = [_examples(batch) for batch in self.placed]
        self._compile()
        return Description(
            worker=f"jax {jax.__version__} on {self.device.device_kind}",
            blocks=self.weights.blocks,
            running=self.averages.blocks,
            batches=len(self.placed),
            train=sum(self.sizes),
            test=sum(_examples(batch) for batch in self.held_out),
            score="accuracy" if self.has_aux else "",
        )

    def _place(self, batch: Any) -> Any:
        def to(x: Any) -> Any:
            x = np.asarray(x)
            return jax.device_put(x.astype(self.computing) if jax.numpy.issubdtype(x.dtype, jax.numpy.floating) else x, self.device)

        return jax.tree.map(to, batch)

    def _compile(self) -> None:
        def loss_of(function: LossFunction) -> Callable[..., Any]:
            def loss(theta: Any, running: Any, batch: Any, key: Any) -> Any:
                args = [self.weights.tree(theta)]
                if self.state is not None:
                    args.append(self.averages.tree(running))
                args.append(batch)
                if self.rng:
                    args.append(key)
                out = function(*args)
                correct = np.nan
                if self.state is None and not self.has_aux:
                    return out, (running, correct)
                value, aux = out
                if self.state is None:
                    return value, (running, aux)
                state, correct = aux if self.has_aux else (aux, correct)
                return value, (self.averages.vector(state), correct)

            return loss

        loss = loss_of(self.loss_fn)

        def gradient(theta: Any, *rest: Any) -> Any:
            return jax.grad(lambda t: loss(t, *rest)[0])(theta)

        def product(theta: Any, v: Any, *rest: Any) -> Any:
            return jax.jvp(lambda t: gradient(t, *rest), (theta,), (v,))[1]

        def bend(theta: Any, v: Any, *rest: Any) -> Any:
            def slope(t: Any) -> Any:
                return jax.jvp(lambda u: loss(u, *rest)[0], (t,), (v,))[1]

            return jax.grad(lambda t: jax.jvp(slope, (t,), (v,))[1])(theta)

        self._loss = jax.jit(loss)
        self._gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))
        self._product = jax.jit(product)
        self._bend = jax.jit(bend)
        self._test = jax.jit(loss_of(self.test_fn))

    def start(self, theta: Vector, running: Vector) -> None:
        theta[:] = self.weights.flat(self.params)
        running[:] = self.averages.flat(self.state)

    def evaluate(self, at: Point, gradient: Vector | None, averaged: Vector, more: bool) -> Evaluation:
        theta, running = self._put(at.theta), self._put(at.running)
        loss, right, total, batches = 0.0, 0.0, None, self._indices(at.batch)
        n = sum(self.sizes[i] for i in batches)
        for i in batches:
            args = (theta, running, self.placed[i], self._key(at.step, i))
            if gradient is None:
                value, (_, correct) = self._loss(*args)
            else:
                (value, (running, correct)), g = self._gradient(*args)
                g = np.asarray(g) * self.dtype.type(self.sizes[i] / n)
                total = g if total is None else total + g
            loss += self.sizes[i] / n * float(value)
            right += float(correct)
        if gradient is not None:
            gradient[:] = total
            averaged[:] = np.asarray(running)
        return Evaluation(loss, n, right if self.has_aux else None, None, len(batches) if gradient is not None else 0)

    def product(self, at: Point, vector: Vector, result: Vector, more: bool) -> None:
        self._along(self._product, at, vector, result)

    def bend(self, at: Point, vector: Vector, result: Vector, more: bool) -> None:
        self._along(self._bend, at, vector, result)

    def _along(self, derivative: Any, at: Point, vector: Vector, result: Vector) -> None:
        theta, running, v = self._put(at.theta), self._put(at.running), self._put(vector)
        total, batches = None, self._indices(at.batch)
        n = sum(self.sizes[i] for i in batches)
        for i in batches:
            part = np.asarray(derivative(theta, v, running, self.placed[i], self._key(at.step, i))) * self.dtype.type(self.sizes[i] / n)
            total = part if total is None else total + part
        result[:] = total

    def test(self, theta: Vector, running: Vector) -> Evaluation:
        at, averages = self._put(theta), self._put(running)
        loss, right, n = 0.0, 0.0, 0
        for batch in self.held_out:
            placed = self._place(batch)
            k = _examples(placed)
            value, (_, correct) = self._test(at, averages, placed, self._key(0, 0))
            loss, right, n = loss + k * float(value), right + float(correct), n + k
        return Evaluation(loss / n, n, right if self.has_aux else None)

    def _put(self, x: Vector) -> Any:
        return jax.device_put(np.array(x), self.device)  # a copy: JAX may hold on to what it is given

    def _indices(self, batch: int) -> list[int]:
        return list(range(len(self.placed))) if batch == FULL else [batch]

    def _key(self, step: int, batch: int) -> Any:
        key = jax.random.key(self.seed & 0x7FFFFFFF)
        return jax.random.fold_in(jax.random.fold_in(key, step), batch)


class _Flat:
    """A pytree of arrays as one vector, and back."""

    def __init__(self, what: str, tree: Any, dtype: np.dtype[Any], computing: np.dtype[Any]) -> None:
        leaves, self.structure = jax.tree_util.tree_flatten_with_path(tree)
        self.dtype = dtype
        self.blocks = [(_name(path), tuple(np.shape(x))) for path, x in leaves]
        self.types = []
        for (name, _), (_, x) in zip(self.blocks, leaves, strict=True):
            t = jax.numpy.result_type(x) if hasattr(x, "dtype") or isinstance(x, (bool, int, float, complex)) else None
            if t is None or not any(jax.numpy.issubdtype(t, kind) for kind in (jax.numpy.floating, jax.numpy.integer, jax.numpy.bool_)):
                raise TypeError(f"{what}: {name} is {type(x).__name__ if t is None else f'of {t}'}: want real numbers")
            self.types.append(computing if jax.numpy.issubdtype(t, jax.numpy.floating) else np.dtype(t))
        sizes = [int(np.prod(shape)) for _, shape in self.blocks]
        self.ends = np.cumsum([0, *sizes])

    def tree(self, vector: Any) -> Any:
        cuts = zip(self.ends[:-1], self.ends[1:], self.blocks, self.types, strict=True)
        parts = [vector[a:b].reshape(shape).astype(t) for a, b, (_, shape), t in cuts]
        return jax.tree_util.tree_unflatten(self.structure, parts)

    def vector(self, tree: Any) -> Any:
        import jax.numpy as jnp

        leaves = [jnp.asarray(x, self.dtype).reshape(-1) for x in jax.tree_util.tree_leaves(tree)]
        return jnp.concatenate(leaves) if leaves else jnp.zeros(0, self.dtype)

    def flat(self, tree: Any) -> Vector:
        leaves = [np.asarray(x, self.dtype).reshape(-1) for x in jax.tree_util.tree_leaves(tree)]
        return np.concatenate(leaves) if leaves else np.zeros(0, self.dtype)


def _name(path: Any) -> str:
    """The path of a leaf, with dots: params.Dense_0.kernel."""
    return ".".join(str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", k)))) for k in path) or "theta"


def _examples(batch: Any) -> int:
    leaves = jax.tree_util.tree_leaves(batch)
    if not leaves or np.ndim(leaves[0]) == 0:
        raise TypeError("a batch has no array with examples along its first axis")
    return int(np.shape(leaves[0])[0])
