"""Derivatives of a loss that PyTorch can take twice."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def grad(outputs: Any, weights: Sequence[Tensor], vectors: Any = None, **how: bool) -> list[Tensor]:
    """``torch.autograd.grad`` with zeros where a weight has no part in the outputs."""
    found = torch.autograd.grad(outputs, weights, vectors, allow_unused=True, **how)
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found, weights, strict=True)]


def exact_attention() -> contextlib.AbstractContextManager[object]:
    """Attention by products and softmax: the fused kernels of PyTorch cannot be differentiated twice."""
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel
    except ImportError:  # before torch 2.3
        return contextlib.nullcontext()
    return sdpa_kernel(SDPBackend.MATH)


def eager() -> contextlib.AbstractContextManager[object]:
    """What torch.compile made has no second derivative: the model runs as it is written."""
    if "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
        return contextlib.nullcontext()
    stance: contextlib.AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance
