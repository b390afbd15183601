"""The update of an optax transformation without memory: its update where every past gradient was the present one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Tree = Any

# States by the names of their classes: the entries that are averages of g, and of g^2.
_AVERAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ScaleByAdamState": (("mu",), ("nu",)),
    "ScaleByAmsgradState": (("mu",), ("nu", "nu_max")),
    "ScaleByRmsState": ((), ("nu",)),
    "ScaleByRmsWithCountState": ((), ("nu",)),
    "ScaleByLionState": (("mu",), ()),
}
_CORRECTED = ("ScaleByAdamState", "ScaleByAmsgradState", "ScaleByRmsWithCountState")
_SUMS = ("TraceState",)
_WITHOUT = ("EmptyState", "ScaleByScheduleState", "MaskedState")
_LATE = 2**30
"""A count at which no correction is left."""

SAME = 4
"""Units in the last place by which two ways to compute the same number may differ."""


def refusal(state: Tree) -> str:
    """Says what in a state has no limit that is known, "" if all has."""
    known = (*_AVERAGES, *_SUMS, *_WITHOUT)
    for s in _states(state):
        if type(s).__name__ not in known:
            return f"its {type(s).__name__} is not known to settle; want a chain of transformations with {', '.join(known)}"
    return ""


def remembers(state: Tree) -> bool:
    """Reports whether an update depends on past gradients."""
    return any(type(s).__name__ not in _WITHOUT for s in _states(state))


def settled(update: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]], gradient: Tree, state: Tree, params: Tree, step: int) -> Tree:
    """Returns the updates of step ``step``, from 0, had every gradient been this one.

    ``update`` is that of the transformation. What its memories see, behind clipping and coupled decay, and their decays, are read from how they
    answer: an average by new = a old + (1 - a) seen, a sum by new = a old + seen. Where averages are corrected they are at what they tend to; others
    are as full as after so many steps, but where there are sums of what averages make of the gradient, which have no such form.
    """
    kinds = _kinds(state)
    if {"sum"} < {kind for kind, _ in kinds}:
        step = _LATE
    squares = jax.tree.map(jnp.square, gradient)
    guesses = [{"first": gradient, "second": squares, "sum": jax.tree.map(jnp.zeros_like, gradient)}[kind] for kind, _ in kinds]

    def answers(average: float | list[Tree], total: float) -> list[Tree]:
        """Returns the memories behind an update, where averages and sums were so before it."""

        def before(i: int, kind: str) -> Tree:
            level = total if kind == "sum" else average
            return level[i] if isinstance(level, list) else jax.tree.map(lambda g: jnp.full_like(g, level), gradient)

        _, behind = update(gradient, _filled(state, [before(i, kind) for i, (kind, _) in enumerate(kinds)]), params)
        return [getattr(s, name) for s in _states(behind) if type(s).__name__ not in _WITHOUT for name in _names(s)]

    empty, full = answers(0.0, 0.0), answers(1.0, 0.0)
    some, more = answers(guesses, 0.0), answers(guesses, 1.0)
    decays = [_decay(*((some, more) if kind == "sum" else (empty, full)), i) for i, (kind, _) in enumerate(kinds)]
    limits = [guesses[i] if kind == "sum" else _limit(empty[i], guesses[i], decays[i]) for i, (kind, _) in enumerate(kinds)]
    seen = answers(limits, 0.0)  # by sums, of what the averages at their limits make of the gradient
    present = []
    for i, (kind, corrected) in enumerate(kinds):
        filled = 1.0 if corrected else 1 - decays[i] ** step
        of, by = (seen[i], filled / (1 - decays[i])) if kind == "sum" else (limits[i], filled)
        present.append(of if by == 1 else jax.tree.map(lambda x, by=by: x * by, of))
    return update(gradient, _filled(state, present), params)[0]


def _decay(below: list[Tree], above: list[Tree], i: int) -> float:
    """Returns what a memory keeps of itself, read from how it answers to 0 and 1, to the digits that one gives it with."""
    leaf = max(range(len(jax.tree.leaves(below[i]))), key=lambda k: jax.tree.leaves(below[i])[k].size)
    low, high = (np.asarray(jax.tree.leaves(x[i])[leaf], np.float64) for x in (below, above))
    read, short = float(np.median(high - low)), round(float(np.median(high - low)), 6)
    return short if abs(read - short) < 1e-6 else read


def _limit(empty: Tree, guess: Tree, decay: float) -> Tree:
    """Returns what an average tends to: the guess, where that is it but for rounding."""

    def of(e: Any, g: Any) -> Any:
        tends = e / (1 - decay)
        return jnp.where(jnp.abs(tends - g) <= SAME * np.finfo(g.dtype.name).eps * jnp.abs(g), g, tends)

    return jax.tree.map(of, empty, guess)


def _names(s: Any) -> tuple[str, ...]:
    name = type(s).__name__
    return ("trace",) if name in _SUMS else sum(_AVERAGES[name], ())


def _kinds(state: Tree) -> list[tuple[str, bool]]:
    """Returns of each entry what it is, and whether it is at its limit in every step."""
    out: list[tuple[str, bool]] = []
    for s in _states(state):
        name = type(s).__name__
        if name in _SUMS:
            out.append(("sum", False))
        elif name in _AVERAGES:
            first, second = _AVERAGES[name]
            full = name in _CORRECTED or name == "ScaleByLionState"  # of whose average the sign alone counts
            out += [("first", full)] * len(first) + [("second", full)] * len(second)
    return out


def _states(state: Tree) -> list[Any]:
    """Returns the states of the transformations of a chain, in order."""
    if isinstance(state, tuple) and not hasattr(state, "_fields"):
        return [s for part in state for s in _states(part)]
    return [state]


def _replaced(state: Tree, number: Callable[[str, Tree], Tree]) -> Tree:
    if isinstance(state, tuple) and not hasattr(state, "_fields"):
        return tuple(_replaced(part, number) for part in state)
    name = type(state).__name__
    if name in _WITHOUT:
        return state
    late = {"count": jnp.full_like(state.count, _LATE)} if name in _CORRECTED else {}
    if name in _SUMS:
        return state._replace(trace=number("sum", state.trace))
    first, second = _AVERAGES[name]
    return state._replace(**late, **{k: number("first", getattr(state, k)) for k in first}, **{k: number("second", getattr(state, k)) for k in second})


def _filled(state: Tree, values: list[Tree]) -> Tree:
    left = iter(values)
    return _replaced(state, lambda *_: next(left))
