"""The loss that a closure computes, its gradient, and the Hessian times a vector, without a trace in the training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ._derivatives import eager, exact_attention, grad
from ._vectors import Vector, like


@dataclass
class Evaluation:
    """A loss and its gradient at a point, averaged over the parts and the processes."""

    loss: float
    gradient: Vector
    part_squares: list[float] = field(default_factory=list)
    _product: Callable[[Vector], Vector] | None = None

    def product(self, v: Vector) -> Vector:
        """Returns the Hessian times v, at the point: while the weights are those that the loss was evaluated at."""
        if self._product is None:
            raise RuntimeError("no products were asked for")
        return self._product(v)

    def release(self) -> None:
        """Lets go of the graph."""
        self._product = None


class Loss:
    """The loss of a closure as a function of weights."""

    def __init__(self, model: torch.nn.Module, closure: Callable[[], Tensor | Iterable[Tensor]], weights: list[Tensor]) -> None:
        self._model, self._closure, self._weights = model, closure, weights
        self._processes, self.rank = _processes(model)

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """In it the loss is evaluated; behind it the model's buffers are as they were."""
        buffers = [(b, b.detach().clone()) for _, b in self._model.named_buffers()]
        try:
            with contextlib.ExitStack() as stack:
                if self._processes > 1:
                    inner: Any = getattr(self._model, "_orig_mod", self._model)
                    stack.enter_context(inner.no_sync())
                stack.enter_context(eager())
                stack.enter_context(exact_attention())
                yield
        finally:
            with torch.no_grad():
                for b, was in buffers:
                    b.copy_(was)

    def evaluate(self, *, products: bool, parts: bool = False) -> Evaluation:
        """Returns loss and gradient at the weights; with ``parts`` the squared norms of the parts' gradients."""
        single: list[tuple[Tensor, Vector]] = []
        squares: list[Tensor] = []
        total, gradient, count = None, None, 0
        for loss, is_all in self._losses():
            g = self._gradient(loss, create_graph=products and is_all)
            if products and is_all:
                single.append((loss, g))
            own = [like(x) for x in g]
            if parts:
                squares.append(_square(own))
            value = loss.detach().to(torch.float64) if loss.device.type != "mps" else loss.detach()
            total = value if total is None else total + value
            gradient = own if gradient is None else [a + b for a, b in zip(gradient, own, strict=True)]
            count += 1
        if total is None or gradient is None:
            raise ValueError("closure gave no loss: want a tensor, or the losses of one part or more")
        if count > 1:
            gradient, total = [g / count for g in gradient], total / count
        gradient, total = self._averaged(gradient), self._averaged([total])[0]
        evaluation = Evaluation(float(total), gradient, self._all_squares(squares))
        if products:
            graph = single[0][1] if single else None
            evaluation._product = lambda v: self._averaged(self._times_graph(graph, v) if graph is not None else self._times_parts(v))
        return evaluation

    def _losses(self) -> Iterator[tuple[Tensor, bool]]:
        """Yields the losses of the parts, and whether one is all there is. Random numbers are the same at each call, and drawn as if there were none."""
        devices = sorted({w.device.index or 0 for w in self._weights if w.device.type == "cuda"})
        with torch.random.fork_rng(devices=devices), torch.enable_grad():
            given = self._closure()
            if isinstance(given, Tensor):
                yield _checked(given), True
                return
            if not isinstance(given, Iterable):
                raise TypeError(f"closure returned a {type(given).__name__}: want the loss, a tensor of one element, or the losses of the parts")
            for loss in given:
                yield _checked(loss), False

    def _gradient(self, loss: Tensor, *, create_graph: bool) -> Vector:
        return grad(loss, self._weights, create_graph=create_graph, retain_graph=create_graph)

    def _times_graph(self, gradient: Vector, v: Vector) -> Vector:
        """Returns H v by differentiating the gradient, which has its graph."""
        pairs = [(g, x.to(g)) for g, x in zip(gradient, v, strict=True) if g.requires_grad]
        if not pairs:
            return [torch.zeros_like(x) for x in v]
        try:
            hv = grad([g for g, _ in pairs], self._weights, [x for _, x in pairs], retain_graph=True)
        except (RuntimeError, NotImplementedError) as error:
            raise RuntimeError(
                f"the model's gradient cannot be differentiated, which the Hessian-vector product needs: {error}. Kernels that are fused "
                "by hand, cuDNN's recurrent ones (torch.backends.cudnn.flags(enabled=False) helps) and reentrant checkpoints have no "
                "second derivative"
            ) from error
        return [like(y) for y in hv]

    def _times_parts(self, v: Vector) -> Vector:
        """Returns H v part by part, so that no more than one part's graph is held."""
        total, count = None, 0
        for loss, _ in self._losses():
            hv = self._times_graph(self._gradient(loss, create_graph=True), v)
            total = hv if total is None else [a + b for a, b in zip(total, hv, strict=True)]
            count += 1
        if total is None:
            raise ValueError("closure gave losses once and then none: a generator is to be made anew at each call")
        return [x / count for x in total]

    def _averaged(self, vector: Vector) -> Vector:
        """Returns the mean over the processes, as DistributedDataParallel makes it of gradients."""
        if self._processes == 1:
            return vector
        out = [x.contiguous().clone() for x in vector]
        for x in out:
            torch.distributed.all_reduce(x)
        return [x / self._processes for x in out]

    def _all_squares(self, squares: list[Tensor]) -> list[float]:
        """Returns the numbers of all processes, which have as many parts each."""
        if not squares:
            return []
        own = torch.stack(squares)
        if self._processes == 1:
            return [float(x) for x in own.tolist()]
        gathered = [torch.empty_like(own) for _ in range(self._processes)]
        torch.distributed.all_gather(gathered, own)
        return [float(x) for x in torch.cat(gathered).tolist()]


def _square(vector: Vector) -> Tensor:
    sums = [x.square().sum(dtype=torch.float64) if x.device.type != "mps" else x.square().sum() for x in vector]
    return torch.stack([s.to(sums[0].device) for s in sums]).sum()


def _checked(loss: object) -> Tensor:
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        shape = f" of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else ""
        raise TypeError(f"closure gave a {type(loss).__name__}{shape} for a loss: want a tensor of one element")
    if not loss.requires_grad:
        raise ValueError("closure gave a loss without a graph: it must compute the loss, not return the one that backward() was called on, nor under no_grad()")
    return loss.reshape(())


def _processes(model: torch.nn.Module) -> tuple[int, int]:
    """Returns the number of processes that gradients are averaged over, and which this one is."""
    inner = getattr(model, "_orig_mod", model)
    if type(inner).__name__ in ("FullyShardedDataParallel", "DataParallel"):
        raise TypeError(f"model is a {type(inner).__name__}, which is not watched: want the module itself, or DistributedDataParallel")
    if not torch.distributed.is_available() or not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1:
        return 1, 0
    if not isinstance(inner, torch.nn.parallel.DistributedDataParallel):
        raise TypeError(
            f"model is not wrapped in DistributedDataParallel, in a group of {torch.distributed.get_world_size()} processes: how they share "
            "gradients is not known; give the wrapped model"
        )
    return torch.distributed.get_world_size(), torch.distributed.get_rank()
