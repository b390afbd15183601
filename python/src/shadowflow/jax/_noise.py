"""The noise of the gradients of a batch's parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import _figures as figures
from ._trees import rows, wide

Tree = Any


def check(batch: Tree, examples: int) -> None:
    """Refuses a batch that cannot be cut into parts of so many examples."""
    leaves = jax.tree.leaves(batch)
    sizes = {np.shape(x)[0] if np.ndim(x) else 0 for x in leaves}
    if len(sizes) != 1 or 0 in sizes:
        shapes = ", ".join(str(np.shape(x)) for x in leaves)
        raise ValueError(f"part_examples={examples}: the batch has arrays of shapes {shapes}: want all with the examples along their first axis, or part_examples=0")
    (n,) = sizes
    if n % examples or n < 2 * examples:
        raise ValueError(f"part_examples={examples}: the batch has {n} examples: want a part of them, 2 or more of which make it")


def parts_of(gradient: Callable[[Tree, Tree], Tree]) -> Callable[[Tree, Tree, int], Tree]:
    """Returns the function of batch, params and the examples in a part that gives sums of squares of each part's gradient, and their mean gradient."""

    def parts(batch: Tree, params: Tree, examples: int) -> Tree:
        cut = jax.tree.map(lambda x: jnp.reshape(x, (-1, examples, *jnp.shape(x)[1:])), batch)
        count = jax.tree.leaves(cut)[0].shape[0]

        def add(total: Tree, part: Tree) -> tuple[Tree, list[Any]]:
            g = jax.tree.map(wide, gradient(params, part))
            return jax.tree.map(lambda t, x: t + x / count, total, g), [rows(jnp.square(x)) for x in jax.tree.leaves(g)]

        nothing = jax.tree.map(lambda p: jnp.zeros_like(wide(p)), params)
        return jax.lax.scan(add, nothing, cut)

    return parts


def figures_of(found: tuple[Tree, list[Any]], square: float, examples: int) -> dict[str, float | int]:
    """Returns the figures of the noise, given what :func:`parts_of` found and the square of the batch's gradient."""
    mean, sums = found
    of_mean = sum(float(np.square(np.asarray(x, np.float64)).sum()) for x in jax.tree.leaves(mean))
    if abs(of_mean - square) > MEAN * max(of_mean, square):
        raise ValueError(
            f"part_examples={examples}: the gradients of the batch's parts have a mean whose square is {of_mean:.3g}, and the batch's gradient one of "
            f"{square:.3g}: want a loss that is the mean over the examples, or part_examples=0"
        )
    squares = sum(np.asarray(x, np.float64).sum(axis=1) for x in sums)
    return figures.noise_figures(np.asarray(squares).tolist(), square, examples)


MEAN = 0.1
"""How far the square of the parts' mean gradient may be from that of the batch's, relatively, by rounding."""
