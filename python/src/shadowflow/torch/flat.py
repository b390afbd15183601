"""A model's parameters, and its running averages, as flat vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class Parameters:
    """The parameters of a model that need a gradient, in the order of ``named_parameters()``, tied ones once."""

    def __init__(self, model: nn.Module) -> None:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        if not named:
            raise ValueError("the model has no parameters that need a gradient")
        # What torch.compile wraps has the same parameters under another name.
        self.blocks = [(name.removeprefix("_orig_mod."), tuple(p.shape)) for name, p in named]
        self.tensors: list[Tensor] = [p for _, p in named]
        self.size = sum(p.numel() for p in self.tensors)

    def cut(self, theta: Tensor, dtype: torch.dtype) -> list[Tensor]:
        """Return the parts of a vector in the parameters' shapes."""
        parts = torch.split(theta.to(dtype), [p.numel() for p in self.tensors])
        return [x.view(p.shape) for x, p in zip(parts, self.tensors, strict=True)]

    def flat(self, parts: list[Tensor], dtype: torch.dtype) -> Tensor:
        """Return arrays of the parameters' shapes as a vector."""
        return torch.cat([x.detach().reshape(-1).to(dtype) for x in parts])

    @torch.no_grad()
    def read(self, theta: Tensor) -> None:
        """Write the parameters into a vector."""
        theta.copy_(torch.cat([p.reshape(-1).to(theta.dtype) for p in self.tensors]))

    @torch.no_grad()
    def write(self, theta: Tensor) -> None:
        """Set the parameters to those of a vector."""
        for p, x in zip(self.tensors, torch.split(theta, [p.numel() for p in self.tensors]), strict=True):
            p.copy_(x.view(p.shape))


class RunningAverages:
    """The running averages of batch normalization."""

    def __init__(self, model: nn.Module) -> None:
        self.blocks: list[tuple[str, tuple[int, ...]]] = []
        self.tensors: list[Tensor] = []
        for path, module in model.named_modules():
            if not isinstance(module, _NormBase) or not module.track_running_stats:
                continue
            if module.momentum is None:
                raise ValueError(f"{path}: momentum None, averages over all batches, is not supported: want a number")
            for name in ("running_mean", "running_var"):
                tensor = getattr(module, name)
                self.blocks.append((f"{path}.{name}".removeprefix("_orig_mod."), tuple(tensor.shape)))
                self.tensors.append(tensor)
        self.lengths = [math.prod(shape) for _, shape in self.blocks]

    @torch.no_grad()
    def read(self, running: Tensor) -> None:
        """Write the averages into a vector."""
        if self.tensors:
            running.copy_(torch.cat([x.reshape(-1).to(running.dtype) for x in self.tensors]))

    @torch.no_grad()
    def write(self, running: Tensor) -> None:
        """Set the averages to those of a vector."""
        for x, part in zip(self.tensors, torch.split(running, self.lengths) if self.tensors else (), strict=True):
            x.copy_(part.view(x.shape))
