"""How the update of an optax transformation answers small changes of its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from .. import _figures as figures
from . import _settle
from ._trees import wide

Tree = Any


@dataclass(frozen=True)
class Sensitivity:
    """What a transformation multiplies small changes of the gradient by, its averages of g^2 being what they are behind the step: ``diagonal`` is D(1), of
    changes that last, and ``alternating`` D(-1) in this step, of those that change their sign at every step."""

    diagonal: Tree
    alternating: Tree
    couplings: list[float]
    """What coupled decay adds to the Hessian's diagonal, by array of params."""
    responses: list[figures.Response]
    """Of the arrays that move."""


class Answers:
    """The answers of one transformation, whose ``update`` is given."""

    def __init__(self, update: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]]) -> None:
        self._update = update
        self._all = jax.jit(self._found)

    def sensitivity(self, gradient: Tree, state: Tree, params: Tree, h: float) -> Sensitivity | None:
        """Returns how the step from here answers, in units of h; None where that is no diagonal, as of a clipped gradient, or not known: of signs, of averages
        that keep nothing, and where an array has several memories of the gradient itself."""
        decays = tuple(_settle.decays(self._update, gradient, state, params))
        memories = _memories(state, params, decays)
        if memories is None:
            return None
        diagonal, alternating, is_diagonal, arrays, couplings = self._all(gradient, state, params, decays, h)
        if not is_diagonal:
            return None
        responses = []
        for (moves, all_move, present), beta in zip(arrays, memories, strict=True):
            if moves and not all_move:
                return None
            if moves:  # else it is of a group that does not
                responses.append(_response(float(present), beta))
        return Sensitivity(diagonal, alternating, [float(x) for x in couplings], responses) if responses else None

    def _found(self, gradient: Tree, state: Tree, params: Tree, decays: tuple[Any, ...], h: Any) -> tuple[Any, ...]:
        """Returns D(1), D(-1), whether it is a diagonal, of each array whether an element and whether all move, and the share of D(1) that is the present
        gradient's, and the couplings."""
        ones = jax.tree.map(jnp.ones_like, gradient)
        lasting, present = self._answer(gradient, state, params, decays, ones, 1.0, late=True)
        alternating, _ = self._answer(gradient, state, params, decays, ones, -1.0, late=False)
        along, _ = self._answer(gradient, state, params, decays, gradient, -1.0, late=False)
        diagonal, this = _units(lasting, h), _units(present, h)
        arrays = [((d != 0).any(), ((d > 0) & jnp.isfinite(d)).all(), r.sum() / d.sum()) for d, r in zip(*map(jax.tree.leaves, (diagonal, this)), strict=True)]
        return diagonal, _units(alternating, h), _is_diagonal(alternating, along, gradient), arrays, self._coupled(gradient, state, params)

    def _answer(self, gradient: Tree, state: Tree, params: Tree, decays: tuple[Any, ...], change: Tree, z: Any, *, late: bool) -> tuple[Tree, Tree]:
        """Returns the change of the updates where the gradient of every step changes by change z^n, n from this one; and that part of it which is of this
        step's gradient. With ``late`` no correction is left but that of averages of g^2."""
        entries = _settle.entries(state)
        present = [e.tree for e in entries]
        if late:
            _, behind = self._update(gradient, state, params)
            present = [
                _corrected(e, new.tree, a) if e.kind == "second" and e.count is not None else e.tree
                for e, new, a in zip(entries, _settle.entries(behind), decays, strict=True)
            ]

        def step(g: Tree, memories: list[Tree]) -> tuple[Tree, list[Tree]]:
            updates, behind = self._update(g, _settle.filled(state, memories, late=late), params)
            return updates, [e.tree for e in _settle.entries(behind)]

        def changed(before: list[Tree]) -> tuple[Tree, list[Tree]]:
            updates, behind = jax.jvp(step, (gradient, present), (change, before))[1]
            return updates, behind

        def times(x: Tree, by: Any) -> Tree:
            return jax.tree.map(lambda v: (v * by).astype(v.dtype), x)

        nothing = [times(x, 0.0) for x in present]
        _, moved = changed(nothing)
        # An average of g^2 is held by a change before the step that takes away what the step brings.
        held = [times(m, -1 / a) if e.kind == "second" else n for e, m, n, a in zip(entries, moved, nothing, decays, strict=True)]
        by_this_step, seen = changed(held)
        # An average keeps a and takes in 1 - a, a sum all of it: what they have of earlier changes is what they take in over z - a.
        full = [times(s, 1 / (z - a)) if e.kind in ("first", "sum") else x for e, s, x, a in zip(entries, seen, held, decays, strict=True)]
        return changed(full)[0], by_this_step

    def _coupled(self, gradient: Tree, state: Tree, params: Tree) -> list[Any]:
        """Returns, of each array, what the gradient that its first memory sees has of params, or that its update has where nothing is remembered."""

        def step(g: Tree, p: Tree) -> list[Tree]:
            updates, behind = self._update(g, state, p)
            return [*(e.tree for e in _settle.entries(behind) if e.kind != "largest"), updates]

        ones, nothing = (jax.tree.map(make, params) for make in (jnp.ones_like, jnp.zeros_like))
        of_gradient = jax.jvp(step, (gradient, params), (jax.tree.map(lambda o, g: o.astype(g.dtype), ones, gradient), nothing))[1]
        of_params = jax.jvp(step, (gradient, params), (jax.tree.map(jnp.zeros_like, gradient), ones))[1]
        out = []
        for of_g, of_p in zip(*(zip(*(_leaves(x, params) for x in trees), strict=True) for trees in (of_gradient, of_params)), strict=True):
            g, p = next((wide(a), wide(b)) for a, b in zip(of_g, of_p, strict=True) if a is not _HIDDEN)
            size = jnp.vdot(g, g)
            out.append(jnp.where(size > 0, jnp.vdot(g, p) / jnp.where(size > 0, size, 1), 0))
        return out


_HIDDEN = object()


def _leaves(tree: Tree, params: Tree) -> list[Any]:
    """Returns a memory's arrays, one for each of params: _HIDDEN for those that it is not of."""

    def of(x: Any, part: Any) -> Any:
        return jax.tree.map(lambda _: _HIDDEN, part) if _settle.hidden(x) else x

    return jax.tree.leaves(jax.tree.map(of, tree, params, is_leaf=_settle.hidden))


def _memories(state: Tree, params: Tree, decays: tuple[float, ...]) -> list[float] | None:
    """Returns what each array's memory of the gradient itself keeps, 0 without one; None where one has several."""
    found: list[list[float]] = [[] for _ in jax.tree.leaves(params)]
    for e, decay in zip(_settle.entries(state), decays, strict=True):
        if e.kind not in ("first", "sum"):
            continue
        for own, leaf in zip(found, _leaves(e.tree, params), strict=True):
            if leaf is not _HIDDEN:
                own.append(decay)
    return None if any(len(own) > 1 for own in found) else [own[0] if own else 0.0 for own in found]


def _is_diagonal(of_ones: Tree, of_gradient: Tree, gradient: Tree) -> Any:
    """Reports whether the answer to the gradient is that to ones, by element: a clipped norm does not answer to a longer gradient."""
    want = [wide(d) * wide(g) for d, g in zip(jax.tree.leaves(of_ones), jax.tree.leaves(gradient), strict=True)]
    missed = sum(jnp.square(wide(x) - w).sum() for x, w in zip(jax.tree.leaves(of_gradient), want, strict=True))
    return missed <= figures.CLIPPED**2 * sum(jnp.square(w).sum() for w in want)


def _units(updates: Tree, h: float) -> Tree:
    """Returns what updates are in units of -h."""
    return jax.tree.map(lambda x: -wide(x) / h, updates)


def _corrected(e: _settle.Entry, behind: Tree, decay: Any) -> Tree:
    """Returns an average of g^2 that a step without correction leaves where this one leaves its corrected average."""

    def of(old: Any, new: Any) -> Any:
        brought = new - decay * old
        return ((new / (1 - decay ** (e.count + 1)) - brought) / decay).astype(old.dtype)

    return jax.tree.map(of, e.tree, behind)


def _response(present: float, beta: float) -> figures.Response:
    """Returns the response of one memory, of which the gradient of the step makes so much at once."""
    if beta == 0:
        return figures.Response(((1.0, 0.0),))
    share = (1 - present) / beta
    if abs(share - 1) < 1e-5:  # all of it goes through the memory
        return figures.Response(((1.0, beta),))
    return figures.Response(((share, beta), (1 - share, 0.0)))
