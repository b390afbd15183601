"""The update of an optax transformation without memory: its update where every past gradient was the present one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
_WITHOUT = ("EmptyState", "ScaleByScheduleState")
_AROUND = ("MaskedState", "InjectHyperparamsState", "InjectStatefulHyperparamsState")
_GROUPS = ("PartitionState", "MultiTransformState")
_LATE = 2**30
"""A count at which no correction is left."""

SAME = 4
"""Units in the last place by which two ways to compute the same number may differ."""


def refusal(state: Tree) -> str:
    """Says what in a state has no limit that is known, "" if all has."""
    known = (*_AVERAGES, *_SUMS, *_WITHOUT)
    for s, _ in _states(state):
        if type(s).__name__ not in known:
            return f"its {type(s).__name__} is not known to settle; want a chain of transformations with {', '.join(known)}, masked or in groups"
    return ""


def remembers(state: Tree) -> bool:
    """Reports whether an update depends on past gradients."""
    return any(type(s).__name__ not in _WITHOUT for s, _ in _states(state))


def settled(update: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]], gradient: Tree, state: Tree, params: Tree, step: int) -> Tree:
    """Returns the updates of step ``step``, from 0, had every gradient been this one.

    ``update`` is that of the transformation. What its memories see, behind clipping and coupled decay, and their decays, are read from how they
    answer: an average by new = a old + (1 - a) seen, a sum by new = a old + seen. Where averages are corrected they are at what they tend to; others
    are as full as after so many steps, but where there are sums of what averages make of the gradient, which have no such form.
    """
    entries = _entries(state)
    gradients = [_part(gradient, e.tree) for e in entries]
    guesses = [jax.tree.map({"first": lambda x: x, "second": jnp.square, "sum": jnp.zeros_like}[e.kind], g) for e, g in zip(entries, gradients, strict=True)]

    def answers(average: float | list[Tree], total: float) -> list[Tree]:
        """Returns the memories behind an update, where averages and sums were so before it."""

        def before(i: int, kind: str) -> Tree:
            level = total if kind == "sum" else average
            return level[i] if isinstance(level, list) else jax.tree.map(lambda g: jnp.full_like(g, level), gradients[i])

        _, behind = update(gradient, _filled(state, [before(i, e.kind) for i, e in enumerate(entries)]), params)
        return [e.tree for e in _entries(behind)]

    empty, full = answers(0.0, 0.0), answers(1.0, 0.0)
    some, more = answers(guesses, 0.0), answers(guesses, 1.0)
    decays = [_decay(*((some, more) if e.kind == "sum" else (empty, full)), i) for i, e in enumerate(entries)]
    limits = [guesses[i] if e.kind == "sum" else _limit(empty[i], guesses[i], decays[i]) for i, e in enumerate(entries)]
    seen = answers(limits, 0.0)  # by sums, of what the averages at their limits make of the gradient
    averaging = {e.group for e in entries if e.kind != "sum"}
    summing = {e.group for e in entries if e.kind == "sum"}
    present = []
    for i, e in enumerate(entries):
        steps = _LATE if e.group in averaging & summing else step
        filled = 1.0 if e.full else 1 - decays[i] ** steps
        of, by = (seen[i], filled / (1 - decays[i])) if e.kind == "sum" else (limits[i], filled)
        present.append(of if by == 1 else jax.tree.map(lambda x, by=by: x * by, of))
    return update(gradient, _filled(state, present), params)[0]


def _part(gradient: Tree, entry: Tree) -> Tree:
    """Returns the part of a gradient that a memory is of: what a mask hides from it is a node without leaves."""

    def hidden(x: Any) -> bool:
        return type(x).__name__ == "MaskedNode"

    return jax.tree.map(lambda e, g: e if hidden(e) else g, entry, gradient, is_leaf=hidden)


def _decay(below: list[Tree], above: list[Tree], i: int) -> float:
    """Returns what a memory keeps of itself, read from how it answers to 0 and 1, to the digits that one gives it with."""
    if not jax.tree.leaves(below[i]):  # of a group without weights
        return 0.0
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


@dataclass(frozen=True)
class _Entry:
    """A memory of a state: an average of g ("first") or of g^2 ("second"), or a sum ("sum")."""

    kind: str
    tree: Tree
    full: bool  # whether it is at its limit in every step
    group: tuple[Any, ...]  # of weights, which the transformations of a chain share


def _entries(state: Tree) -> list[_Entry]:
    out: list[_Entry] = []
    for s, group in _states(state):
        name = type(s).__name__
        if name in _SUMS:
            out.append(_Entry("sum", s.trace, False, group))
        elif name in _AVERAGES:
            first, second = _AVERAGES[name]
            full = name in _CORRECTED or name == "ScaleByLionState"  # of whose average the sign alone counts
            out += [_Entry(kind, getattr(s, k), full, group) for kind, keys in (("first", first), ("second", second)) for k in keys]
    return out


def _states(state: Tree) -> list[tuple[Any, tuple[Any, ...]]]:
    """Returns the states of the transformations, in order, with the group of weights that each is of."""
    out: list[tuple[Any, tuple[Any, ...]]] = []

    def keep(s: Any, group: tuple[Any, ...]) -> Any:
        out.append((s, group))
        return s

    _mapped(state, keep, ())
    return out


def _mapped(state: Tree, of: Callable[[Any, tuple[Any, ...]], Any], group: tuple[Any, ...]) -> Tree:
    """Returns a state with those of its single transformations replaced: in chains, masks, injected settings and groups."""
    name = type(state).__name__
    if name in _AROUND:
        return state._replace(inner_state=_mapped(state.inner_state, of, group))
    if name in _GROUPS:
        return state._replace(inner_states={k: _mapped(s, of, (*group, k)) for k, s in state.inner_states.items()})
    if isinstance(state, dict):  # a chain with names
        return type(state)((k, _mapped(s, of, group)) for k, s in state.items())
    if isinstance(state, tuple) and not hasattr(state, "_fields"):
        return tuple(_mapped(part, of, group) for part in state)
    return of(state, group)


def _filled(state: Tree, values: list[Tree]) -> Tree:
    """Returns a state with the values as its memories, in the order of :func:`_entries`, and no correction left."""
    left = iter(values)

    def fill(s: Any, _: tuple[Any, ...]) -> Any:
        name = type(s).__name__
        if name in _SUMS:
            return s._replace(trace=next(left))
        first, second = _AVERAGES.get(name, ((), ()))
        late = {"count": jnp.full_like(s.count, _LATE)} if name in _CORRECTED else {}
        return s._replace(**late, **{k: next(left) for k in (*first, *second)}) if first or second else s

    return _mapped(state, fill, ())
