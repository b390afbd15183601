"""Your own model, and the training loop that you already have, for shadowflow.

:func:`serve` makes a model the loss of any shadowflow command. ``shadowflow.torch`` and ``shadowflow.jax`` have the models, and the watch over
a loop; each needs its framework, this module numpy alone. :func:`export_onnx` writes a PyTorch network as an ONNX file that shadowflow reads as it is meant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from shadowflow.worker import FULL, PROTOCOL, Description, Evaluation, Objective, Point, serve

if TYPE_CHECKING:
    from shadowflow.export import export_onnx

__all__ = ["FULL", "PROTOCOL", "Description", "Evaluation", "Objective", "Point", "export_onnx", "jax", "serve", "torch"]


def __getattr__(name: str) -> Any:
    """``import shadowflow`` is enough for ``shadowflow.torch``, and imports no framework before it is used."""
    if name in ("torch", "jax"):
        return importlib.import_module(f"shadowflow.{name}")
    if name == "export_onnx":
        return importlib.import_module("shadowflow.export").export_onnx
    raise AttributeError(f"module 'shadowflow' has no attribute {name!r}")
