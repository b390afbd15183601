"""What predictions tell beside their loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Score:
    """The share of examples classified rightly, or the coefficient of determination of predicted numbers, over batches."""

    def __init__(self, kind: str) -> None:
        if kind not in ("", "accuracy", "r2"):
            raise ValueError(f"score {kind!r}: want 'accuracy', 'r2' or ''")
        self.kind = kind
        self.right = 0.0
        self.sums: Tensor | None = None
        self.n = 0

    @staticmethod
    def of(targets: Any) -> str:
        """Return the score that fits targets: of whole numbers accuracy, of others R^2."""
        if not isinstance(targets, Tensor):
            return ""
        return "r2" if targets.is_floating_point() else "accuracy"

    @torch.no_grad()
    def add(self, outputs: Any, targets: Any) -> None:
        if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
            return
        if self.kind == "accuracy" and (classes := _class_axis(outputs, targets)) is not None:
            right = (outputs.argmax(dim=classes) == targets).double()
            self.right += float(right.reshape(len(right), -1).mean(dim=1).sum())
            self.n += len(targets)
        if self.kind == "r2" and outputs.numel() == targets.numel():
            y = targets.double().reshape(len(targets), -1)
            residual = y - outputs.double().reshape(y.shape)
            sums = torch.stack([y.sum(0), y.square().sum(0), residual.square().sum(0)])
            self.sums = sums if self.sums is None else self.sums + sums
            self.n += len(targets)

    def correct(self) -> float | None:
        return self.right if self.kind == "accuracy" and self.n else None

    def r2(self) -> float | None:
        if self.sums is None:
            return None
        total, squares, residuals = self.sums
        deviations = squares - total.square() / self.n
        if bool((deviations <= 0).any()):
            return None
        return float((1 - residuals / deviations).mean())


def _class_axis(outputs: Tensor, targets: Tensor) -> int | None:
    """Return the axis of outputs that has the classes: the second, as PyTorch's losses want it, or the last; None if that is not to be told."""
    second = outputs.ndim == targets.ndim + 1 and outputs.shape[:1] + outputs.shape[2:] == targets.shape
    last = outputs.shape[:-1] == targets.shape
    if second and last and outputs.ndim > 2:
        return None
    return 1 if second else outputs.ndim - 1 if last else None
