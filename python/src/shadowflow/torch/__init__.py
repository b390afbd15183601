"""PyTorch models as losses, and a watch over a training loop in PyTorch."""

from .watch import Watch

__all__ = ["Watch"]
