"""The largest eigenvalue of a symmetric operator, on vectors of any framework."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

V = TypeVar("V")


class Space(Protocol[V]):
    """The operations on vectors that are needed."""

    def dot(self, a: V, b: V) -> float:
        """Returns a . b, in float64 where the device has it."""

    def combine(self, a: float, x: V, b: float, y: V) -> V:
        """Returns a x + b y."""


@dataclass(frozen=True)
class Eigenpair(Generic[V]):
    value: float
    vector: V
    """Unit vector."""
    residual: float
    """|A y - value y| of it: an eigenvalue lies within this of ``value``."""
    products: int


def largest(space: Space[V], apply: Callable[[V], V], start: V, *, tolerance: float = 1e-3, iterations: int = 40, epsilon: float = 1e-7) -> Eigenpair[V]:
    """Returns the algebraically largest eigenvalue by the Lanczos method with full reorthogonalization.

    It ends where the residual is within ``tolerance`` of the value, or after ``iterations`` products. A start near the eigenvector, that of the last
    measurement, makes it a few; one orthogonal to it would miss it. ``epsilon`` is the rounding of a vector's elements.
    """
    v = space.combine(1 / space.dot(start, start) ** 0.5, start, 0.0, start)
    basis: list[V] = []
    alpha: list[float] = []
    beta: list[float] = []
    while True:
        basis.append(v)
        w = apply(v)
        before = space.dot(w, w) ** 0.5
        alpha.append(space.dot(v, w))
        for _ in range(2):  # twice is enough (Kahan)
            for u in basis:
                w = space.combine(1.0, w, -space.dot(u, w), u)
        left = space.dot(w, w) ** 0.5
        if left <= 10 * epsilon * before:
            left = 0.0
        values, vectors = np.linalg.eigh(np.diag(alpha) + np.diag(beta, 1) + np.diag(beta, -1))
        value, ritz = float(values[-1]), vectors[:, -1]
        residual = left * abs(float(ritz[-1]))
        if residual <= tolerance * abs(value) or left == 0 or len(basis) == iterations:
            break
        beta.append(left)
        v = space.combine(1 / left, w, 0.0, w)
    vector = space.combine(float(ritz[0]), basis[0], 0.0, basis[0])
    for weight, u in zip(ritz[1:], basis[1:], strict=True):
        vector = space.combine(1.0, vector, float(weight), u)
    return Eigenpair(value, vector, residual, len(basis))
