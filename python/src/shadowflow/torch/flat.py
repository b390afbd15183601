"""A model's parameters, and its running averages, as flat vectors."""

from __future__ import annotations

import math
from collections.abc import Callable

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
        for x, (name, _) in zip(parts, self.blocks, strict=True):
            if x.layout != torch.strided:
                raise TypeError(f"the gradient of {name} is sparse: want a dense one, as of Embedding with sparse=False")
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
    """The state of a model that a pass in training changes: running averages of batch normalization, and what other buffers it writes to.

    Where there are other buffers, ``once`` is called to see which of them it changes. Those that it leaves are taken for constants.
    """

    def __init__(self, model: nn.Module, once: Callable[[], object]) -> None:
        self.places: list[tuple[nn.Module, str]] = []
        self.blocks: list[tuple[str, tuple[int, ...]]] = []
        normalizing: set[nn.Module] = set()
        for path, module in model.named_modules():
            if not isinstance(module, _NormBase) or not module.track_running_stats:
                continue
            if module.momentum is None:
                raise ValueError(f"{path}: momentum None, averages over all batches, is not supported: want a number")
            normalizing.add(module)
            for name in ("running_mean", "running_var"):
                self._add(path, module, name)
        for path, module, name in _changed(model, once, normalizing):
            self._add(path, module, name)
        self.lengths = [math.prod(shape) for _, shape in self.blocks]

    def _add(self, path: str, module: nn.Module, name: str) -> None:
        self.places.append((module, name))
        self.blocks.append((f"{path}.{name}".removeprefix("_orig_mod.").removeprefix("."), tuple(getattr(module, name).shape)))

    @torch.no_grad()
    def read(self, running: Tensor) -> None:
        """Write the averages into a vector."""
        if not self.places:
            return
        values = [getattr(module, name) for module, name in self.places]
        for x, (name, shape) in zip(values, self.blocks, strict=True):
            if tuple(x.shape) != shape:
                raise ValueError(f"buffer {name} had shape {shape} and now has {tuple(x.shape)}: want buffers that keep theirs")
        running.copy_(torch.cat([x.reshape(-1).to(running.device, running.dtype) for x in values]))

    @torch.no_grad()
    def write(self, running: Tensor) -> None:
        """Set the averages to those of a vector."""
        for (module, name), (_, shape), part in zip(self.places, self.blocks, torch.split(running, self.lengths) if self.places else (), strict=True):
            _set(module, name, part.view(shape))


def _changed(model: nn.Module, once: Callable[[], object], except_for: set[nn.Module]) -> list[tuple[str, nn.Module, str]]:
    """Return the buffers that a pass changes, which are as they were behind it."""
    buffers = [(path, module, name) for path, module in model.named_modules() for name, x in module.named_buffers(recurse=False) if x is not None]
    if all(module in except_for for _, module, _ in buffers):
        return []
    was = [getattr(module, name).detach().clone() for _, module, name in buffers]
    once()
    out = []
    for (path, module, name), before in zip(buffers, was, strict=True):
        if module in except_for or torch.equal(getattr(module, name), before):
            continue
        if before.is_complex():
            raise TypeError(f"buffer {path}.{name} changes in a pass and is of {before.dtype}: want real numbers")
        out.append((path, module, name))
    for (_, module, name), before in zip(buffers, was, strict=True):
        _set(module, name, before)
    return out


@torch.no_grad()
def _set(module: nn.Module, name: str, value: Tensor) -> None:
    x = getattr(module, name)
    if x.requires_grad or x.shape != value.shape:  # the pass has put another tensor there
        setattr(module, name, value.detach().to(x.device, x.dtype, copy=True))
    else:
        x.copy_(value)
