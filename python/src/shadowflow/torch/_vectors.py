"""Vectors of one tensor a weight, each on its weight's device."""

from __future__ import annotations

import torch
from torch import Tensor

Vector = list[Tensor]

SAME = 4
"""Units in the last place by which two ways to compute the same number may differ."""


def like(x: Tensor) -> Tensor:
    """Returns a tensor in the arithmetic of the watch: float64 stays, anything shorter is float32."""
    x = x.detach()
    return x if x.dtype == torch.float64 else x.to(torch.float32)


def _wide(x: Tensor) -> Tensor:
    """Returns a tensor in float64, where its device has that."""
    return x if x.device.type == "mps" else x.to(torch.float64)


class Vectors:
    """The operations of the Lanczos method, with sums in float64."""

    def dot(self, a: Vector, b: Vector) -> float:
        sums = [(_wide(x) * _wide(y)).sum() for x, y in zip(a, b, strict=True)]
        return float(torch.stack([s.to(sums[0].device) for s in sums]).sum())

    def combine(self, a: float, x: Vector, b: float, y: Vector) -> Vector:
        if b == 0:
            return [a * v for v in x]
        return [a * v + b * w for v, w in zip(x, y, strict=True)]

    def random(self, like_this: Vector) -> Vector:
        """Returns a normal vector, the same at each call and on every device."""
        source = torch.Generator().manual_seed(0)
        return [torch.randn(v.shape, generator=source, dtype=torch.float32).to(v) for v in like_this]


def of_equal_size(u: Tensor, f: Tensor) -> Tensor:
    """Returns u - f, 0 in an element where rounding alone may have made the difference."""
    difference = u - f
    near = SAME * torch.finfo(u.dtype).eps * torch.maximum(u.abs(), f.abs())
    return torch.where(difference.abs() <= near, torch.zeros_like(difference), difference)


def sums_of(*, g: Tensor, taken: Tensor, f: Tensor, b: Tensor, q: Tensor, u: Tensor, h: float, theta: Tensor, now: Tensor, after: Tensor, eps: float) -> Tensor:
    """Returns what :class:`shadowflow._figures.Sums` names, of one weight, in that order, on its device."""
    ulp = torch.finfo(theta.dtype).eps
    theta, now = _wide(theta), _wide(now)
    g, taken, f, b, q, u, after = map(_wide, (g, taken, f, b, q, u, after))
    product, size, moved = q * b, q.abs(), now - theta
    falls, rises = product > 0, product < 0
    nothing = torch.zeros((), dtype=g.dtype, device=g.device)
    of = [
        nothing + g.numel(),
        _excess(g, eps),
        g.abs().sum(),
        g.square().sum(),
        g.abs().max() if g.numel() else nothing,
        taken.square().sum(),
        (taken * g).sum(),
        f.square().sum(),
        b.square().sum(),
        (q * f).sum(),
        product.sum(),
        size.sum(),
        falls.sum(),
        rises.sum(),
        torch.where(falls, size, nothing).sum(),
        torch.where(rises, size, nothing).sum(),
        moved.square().sum(),
        (moved + h * u).square().sum(),
        (ulp * torch.maximum(theta.abs(), now.abs())).square().sum(),
        _excess(after, eps),
    ]
    return torch.stack([x.to(g.dtype) for x in of])


def _excess(g: Tensor, eps: float) -> Tensor:
    """Returns the sum of sqrt(g^2 + eps) - sqrt(eps), without cancellation."""
    if eps == 0:
        return g.abs().sum()
    square = g.square()
    above: Tensor = square / ((square + eps).sqrt() + eps**0.5)
    return above.sum()
