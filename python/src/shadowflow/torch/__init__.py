"""PyTorch models as losses or as ONNX files, and a watch over a training loop in PyTorch."""

from __future__ import annotations

from shadowflow.torch.export import export_onnx
from shadowflow.torch.objective import Objective
from shadowflow.torch.watch import Watch

__all__ = ["Objective", "Watch", "export_onnx"]
