"""PyTorch models as losses, and a watch over a training loop in PyTorch."""

from __future__ import annotations

from shadowflow.torch.objective import Objective
from shadowflow.torch.watch import Watch

__all__ = ["Objective", "Watch"]
