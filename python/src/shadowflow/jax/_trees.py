"""Pytrees of arrays as vectors."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Tree = Any

ROW = 1024
"""Products that are summed on the device, in its own precision; what these make is summed in float64."""


class Trees:
    """The operations of the Lanczos method, jitted."""

    def dot(self, a: Tree, b: Tree) -> float:
        return float(sum(np.asarray(x, np.float64).sum() for x in _dots(a, b)))

    def combine(self, a: float, x: Tree, b: float, y: Tree) -> Tree:
        return _combined(a, x, b, y)

    def random(self, like: Tree) -> Tree:
        """Returns a normal vector, the same at each call and on every device."""
        source = np.random.default_rng(0)
        return jax.tree.map(lambda x: jnp.asarray(source.standard_normal(x.shape), wide(x).dtype), like)


@jax.jit
def root(x: Tree) -> Tree:
    return jax.tree.map(jnp.sqrt, x)


@jax.jit
def times(x: Tree, y: Tree) -> Tree:
    """Returns the products of elements."""
    return jax.tree.map(jnp.multiply, x, y)


def wide(x: Any) -> Any:
    """Returns an array in the arithmetic of the watch: float64 stays, anything shorter is float32."""
    return x if x.dtype == jnp.float64 else x.astype(jnp.float32)


def rows(x: Any) -> Any:
    """Returns sums of so many elements each."""
    x = x.reshape(-1)
    return jnp.pad(x, (0, -x.size % ROW)).reshape(-1, ROW).sum(axis=1)


@jax.jit
def _dots(a: Tree, b: Tree) -> list[Any]:
    return [rows(wide(x) * wide(y)) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)]


@jax.jit
def _combined(a: Any, x: Tree, b: Any, y: Tree) -> Tree:
    return jax.tree.map(lambda u, v: (a * u + b * v).astype(u.dtype), x, y)
