"""The update of an optax transformation without memory: its update where every past gradient was the present one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Tree = Any

# States by the names of their classes: their entries, with what kind of memory they are.
_MEMORIES: dict[str, dict[str, str]] = {
    "ScaleByAdamState": {"mu": "first", "nu": "second"},
    "ScaleByAmsgradState": {"mu": "first", "nu": "second", "nu_max": "largest"},
    "ScaleByRmsState": {"nu": "second"},
    "ScaleByRmsWithCountState": {"nu": "second"},
    "ScaleByLionState": {"mu": "first"},
    "TraceState": {"trace": "sum"},
}
_CORRECTED = ("ScaleByAdamState", "ScaleByAmsgradState", "ScaleByRmsWithCountState")
_WITHOUT = ("EmptyState", "ScaleByScheduleState")
_AROUND = ("MaskedState", "InjectHyperparamsState", "InjectStatefulHyperparamsState")
_GROUPS = ("PartitionState", "MultiTransformState")
_LATE = 2**30
"""A count at which no correction is left."""

SAME = 4
"""Units in the last place by which two ways to compute the same number may differ."""


def refusal(state: Tree) -> str:
    """Says what in a state has no limit that is known, "" if all has."""
    known = (*_MEMORIES, *_WITHOUT)
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
    memories = entries(state)
    answers = _Answers(update, gradient, state, params)
    kept, guesses = _decays(answers), answers.guesses
    empty = answers.behind(0.0, 0.0)
    limits = [_limit(empty[i], guesses[i], kept[i]) if e.kind in ("first", "second") else guesses[i] for i, e in enumerate(memories)]
    seen = answers.behind(limits, 0.0)  # by sums, of what the averages at their limits make of the gradient
    averaging = {e.group for e in memories if e.kind in ("first", "second")}
    summing = {e.group for e in memories if e.kind == "sum"}
    present = []
    for i, e in enumerate(memories):
        steps = _LATE if e.group in averaging & summing else step
        full = 1.0 if e.full else 1 - kept[i] ** steps
        of, by = (seen[i], full / (1 - kept[i])) if e.kind == "sum" else (limits[i], full)
        present.append(of if by == 1 else jax.tree.map(lambda x, by=by: x * by, of))
    return update(gradient, filled(state, present), params)[0]


def decays(update: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]], gradient: Tree, state: Tree, params: Tree) -> list[float]:
    """Returns what each memory keeps of itself in a step; 0 of the largest so far, which is no average."""
    return _decays(_Answers(update, gradient, state, params))


class _Answers:
    """What a transformation's memories are behind a step, by what they were before it."""

    def __init__(self, update: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]], gradient: Tree, state: Tree, params: Tree) -> None:
        self._update, self._gradient, self._state, self._params = update, gradient, state, params
        self.entries = entries(state)
        self.gradients = [_part(gradient, e.tree) for e in self.entries]
        first = {"first": lambda x: x, "second": jnp.square, "sum": jnp.zeros_like, "largest": jnp.zeros_like}
        self.guesses = [jax.tree.map(first[e.kind], g) for e, g in zip(self.entries, self.gradients, strict=True)]

    def behind(self, average: float | list[Tree], total: float) -> list[Tree]:
        """Returns the memories behind the step, where averages and sums were so before it; the largest so far was 0."""

        def before(i: int, kind: str) -> Tree:
            level = {"sum": total, "largest": 0.0}.get(kind, average)
            return level[i] if isinstance(level, list) else jax.tree.map(lambda g: jnp.full_like(g, level), self.gradients[i])

        _, behind = self._update(self._gradient, filled(self._state, [before(i, e.kind) for i, e in enumerate(self.entries)]), self._params)
        return [e.tree for e in entries(behind)]


def _decays(answers: _Answers) -> list[float]:
    averages = answers.behind(0.0, 0.0), answers.behind(1.0, 0.0)
    sums = answers.behind(answers.guesses, 0.0), answers.behind(answers.guesses, 1.0)
    return [0.0 if e.kind == "largest" else _decay(*(sums if e.kind == "sum" else averages), i) for i, e in enumerate(answers.entries)]


def hidden(x: Any) -> bool:
    """Reports whether a node stands for an array that a mask hides."""
    return type(x).__name__ == "MaskedNode"


def _part(gradient: Tree, entry: Tree) -> Tree:
    """Returns the part of a gradient that a memory is of: what a mask hides from it is a node without leaves."""

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
class Entry:
    """A memory of a state: an average of g ("first") or of g^2 ("second"), the largest of the latter so far ("largest"), or a sum ("sum")."""

    kind: str
    tree: Tree
    full: bool  # whether it is at its limit in every step
    group: tuple[Any, ...]  # of weights, which the transformations of a chain share
    count: Any = None  # of steps, where the average is corrected


def entries(state: Tree) -> list[Entry]:
    """Returns the memories of a state, in order."""
    out: list[Entry] = []
    for s, group in _states(state):
        name = type(s).__name__
        corrected = name in _CORRECTED
        full = corrected or name == "ScaleByLionState"  # of whose average the sign alone counts
        out += [Entry(kind, getattr(s, key), full, group, s.count if corrected else None) for key, kind in _MEMORIES.get(name, {}).items()]
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
    """Returns a state with those of its single transformations replaced: in chains, masks, injected settings and groups. Those with names come in the order of
    the names, which a jitted function gives them."""
    name = type(state).__name__
    if name in _AROUND:
        return state._replace(inner_state=_mapped(state.inner_state, of, group))
    if name in _GROUPS:
        return state._replace(inner_states={k: _mapped(state.inner_states[k], of, (*group, k)) for k in sorted(state.inner_states)})
    if isinstance(state, dict):  # a chain with names
        return type(state)((k, _mapped(state[k], of, group)) for k in sorted(state))
    if isinstance(state, tuple) and not hasattr(state, "_fields"):
        return tuple(_mapped(part, of, group) for part in state)
    return of(state, group)


def filled(state: Tree, values: list[Tree], *, late: bool = True) -> Tree:
    """Returns a state with the values as its memories, in the order of :func:`entries`, and where it is late no correction left."""
    left = iter(values)

    def fill(s: Any, _: tuple[Any, ...]) -> Any:
        name = type(s).__name__
        count = {"count": jnp.full_like(s.count, _LATE)} if late and name in _CORRECTED else {}
        memories = {key: next(left) for key in _MEMORIES.get(name, {})}
        return s._replace(**count, **memories) if memories else s

    return _mapped(state, fill, ())
