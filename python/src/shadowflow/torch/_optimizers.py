"""The optimizers of ``torch.optim`` as a watch needs them: the update they make, and the one that they settle to while the gradient stays.

With h the lr of a group, a step is theta' = theta - h U. U is made here from what the optimizer remembers behind the step, as its own code
makes it, since the digits of theta hide those of a small step; the watch compares h U with the step that was taken. F is U with every past gradient
equal to the present one, as many as there were steps; where a moment is no weighted sum of gradients' functions (RMSprop's momentum, SGD's with
dampening, NAdam's rising one), it is U with the state at what it tends to while the gradient stays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .._figures import Response

Group = Mapping[str, Any]
State = Mapping[str, Any]


@dataclass(frozen=True)
class Sensitivity:
    """What a rule multiplies small changes of the gradient by: ``diagonal`` is D(1), of changes that last, and ``alternating`` D(-1) in this step,
    of those that change their sign at every step."""

    diagonal: Tensor
    response: Response
    alternating: Tensor


class Rule:
    """One optimizer. The tensors are of one weight, in the arithmetic of the watch."""

    names: tuple[str, ...] = ()
    remembers_before: str = ""
    """The entry of the state that the update reads as the step before left it."""

    def refusal(self, group: Group) -> str:
        """Says which setting of a group is not watched, "" if all are."""
        return ""

    def remembers(self, group: Group) -> bool:
        return True

    def eps(self, group: Group) -> float:
        """Returns the eps of the perturbed one-norm that goes with the optimizer's."""
        return float(group.get("eps", 1e-8))

    def seen(self, group: Group, g: Tensor, theta: Tensor) -> Tensor:
        """Returns the gradient as the rule's formulas see it: its sign, and coupled decay."""
        if group.get("maximize", False):
            g = g.neg()
        decay = _number(group.get("weight_decay", 0))
        return g if self.decoupled(group) or decay == 0 else g + theta * decay

    def decoupled(self, group: Group) -> bool:
        return bool(group.get("decoupled_weight_decay", False))

    def coupling(self, group: Group) -> float:
        """Returns what coupled decay adds to the Hessian's diagonal."""
        return 0.0 if self.decoupled(group) else _number(group.get("weight_decay", 0))

    def decayed(self, group: Group, u: Tensor, theta: Tensor) -> Tensor:
        """Adds decoupled decay to an update."""
        decay = _number(group.get("weight_decay", 0))
        if not self.decoupled(group) or decay == 0:
            return u
        return u + theta * decay

    def update(self, group: Group, g: Tensor, state: State, before: Tensor | None) -> Tensor:
        """Returns U without decoupled decay, from g as seen and the state behind the step."""
        raise NotImplementedError

    def settled(self, group: Group, g: Tensor, steps: float) -> Tensor:
        """Returns F without decoupled decay, from g as seen, in a step that is the steps-th; inf: the memory is full."""
        raise NotImplementedError

    def sensitivity(self, group: Group, g: Tensor, state: State) -> Sensitivity | None:
        """Returns how the step answers changes of the gradient; None where it has no such diagonal."""
        return None


class _Adam(Rule):
    names = ("Adam",)

    def update(self, group: Group, g: Tensor, state: State, before: Tensor | None) -> Tensor:
        first = 1 - _number(group["betas"][0]) ** _number(state["step"])
        u: Tensor = _like(state["exp_avg"], g) / first / self._denominator(group, g, state)
        return u

    def _denominator(self, group: Group, g: Tensor, state: State) -> Tensor:
        second = 1 - _number(group["betas"][1]) ** _number(state["step"])
        v = state["max_exp_avg_sq" if group.get("amsgrad") else "exp_avg_sq"]
        return _like(v, g).sqrt() / math.sqrt(second) + float(group["eps"])

    def settled(self, group: Group, g: Tensor, steps: float) -> Tensor:
        return _over(g, group["eps"])

    def sensitivity(self, group: Group, g: Tensor, state: State) -> Sensitivity:
        beta = _number(group["betas"][0])
        response = Response(((1.0, beta),))
        diagonal = 1 / self._denominator(group, g, state)
        return Sensitivity(diagonal, response, diagonal * (response.at(-1.0) / (1 - beta ** _number(state["step"]))))


class _AdamW(_Adam):
    names = ("AdamW",)

    def decoupled(self, group: Group) -> bool:
        return True


class _NAdam(_Adam):
    names = ("NAdam",)

    def _ahead(self, group: Group, state: State) -> tuple[float, float]:
        """Returns the weights of g and m over the root."""
        beta, decay, n = _number(group["betas"][0]), _number(group["momentum_decay"]), _number(state["step"])
        mu = beta * (1 - 0.5 * 0.96 ** (n * decay))
        following = beta * (1 - 0.5 * 0.96 ** ((n + 1) * decay))
        product = _number(state["mu_product"])
        return (1 - mu) / (1 - product), following / (1 - product * following)

    def update(self, group: Group, g: Tensor, state: State, before: Tensor | None) -> Tensor:
        of_g, of_m = self._ahead(group, state)
        return (of_g * g + of_m * _like(state["exp_avg"], g)) / self._denominator(group, g, state)

    def sensitivity(self, group: Group, g: Tensor, state: State) -> Sensitivity:
        beta = _number(group["betas"][0])
        of_g, of_m = self._ahead(group, state)
        diagonal = 1 / self._denominator(group, g, state)
        alternating = diagonal * (of_g + of_m * (1 - beta) / (1 + beta))
        return Sensitivity(diagonal, Response(((beta, beta), (1 - beta, 0.0))), alternating)


class _RMSprop(Rule):
    names = ("RMSprop",)

    def refusal(self, group: Group) -> str:
        return "centered=True: its update settles to g/eps, which no step is near to" if group.get("centered") else ""

    def update(self, group: Group, g: Tensor, state: State, before: Tensor | None) -> Tensor:
        if group["momentum"] > 0:
            return _like(state["momentum_buffer"], g)
        return g / self._denominator(group, g, state)

    def _denominator(self, group: Group, g: Tensor, state: State) -> Tensor:
        return _like(state["square_avg"], g).sqrt() + float(group["eps"])

    def settled(self, group: Group, g: Tensor, steps: float) -> Tensor:
        if group["momentum"] > 0:
            return _over(g, group["eps"]) / (1 - float(group["momentum"]))
        return g / (g.abs() * math.sqrt(1 - float(group["alpha"]) ** steps) + float(group["eps"]))

    def sensitivity(self, group: Group, g: Tensor, state: State) -> Sensitivity:
        beta = float(group["momentum"])
        diagonal = 1 / self._denominator(group, g, state) / (1 - beta)
        response = Response(((1.0, beta),))
        return Sensitivity(diagonal, response, diagonal * response.at(-1.0))


class _SGD(Rule):
    names = ("SGD",)

    def remembers(self, group: Group) -> bool:
        return bool(group["momentum"] != 0)

    def update(self, group: Group, g: Tensor, state: State, before: Tensor | None) -> Tensor:
        beta = group["momentum"]
        if beta == 0:
            return g
        buffer = _like(state["momentum_buffer"], g)
        return g + beta * buffer if group["nesterov"] else buffer

    def settled(self, group: Group, g: Tensor, steps: float) -> Tensor:
        return g * self._gain(group, steps)

    def _gain(self, group: Group, steps: float) -> float:
        """Returns what the update makes of a gradient that stays for so many steps."""
        beta, dampening = float(group["momentum"]), float(group["dampening"])
        if beta == 0:
            return 1.0
        gain = (1 - dampening) / (1 - beta)
        if dampening == 0:
            gain *= 1 - beta**steps
        return 1 + beta * gain if group["nesterov"] else gain

    def sensitivity(self, group: Group, g: Tensor, state: State) -> Sensitivity:
        beta, gain = float(group["momentum"]), self._gain(group, math.inf)
        shares = ((1.0, beta),)
        if beta != 0 and group["nesterov"]:
            shares = ((1 - 1 / gain, beta), (1 / gain, 0.0))  # type: ignore[assignment]
        response = Response(shares)
        diagonal = torch.full_like(g, gain)
        return Sensitivity(diagonal, response, diagonal * response.at(-1.0))


class _Lion(Rule):
    """torch.optim has none: this is that of lion-pytorch, and of whoever writes exp_avg, betas and decoupled decay as it does."""

    names = ("Lion",)
    remembers_before = "exp_avg"

    def decoupled(self, group: Group) -> bool:
        return True

    def update(self, group: Group, g: Tensor, state: State, before: Tensor | None) -> Tensor:
        beta = _number(group["betas"][0])
        along = (1 - beta) * g
        return (along if before is None else beta * _like(before, g) + along).sign()

    def settled(self, group: Group, g: Tensor, steps: float) -> Tensor:
        return g.sign()


class _Muon(Rule):
    """The Newton-Schulz steps are torch's own, in bfloat16, for U and F alike: the difference of the two holds their rounding, of some thousandths."""

    names = ("Muon",)

    def eps(self, group: Group) -> float:
        return 1e-8  # the group's is of the iteration's norm

    def decoupled(self, group: Group) -> bool:
        return True

    def update(self, group: Group, g: Tensor, state: State, before: Tensor | None) -> Tensor:
        buffer = _like(state["momentum_buffer"], g)
        return self._orthogonal(group, g.lerp(buffer, group["momentum"]) if group["nesterov"] else buffer)

    def settled(self, group: Group, g: Tensor, steps: float) -> Tensor:
        return self._orthogonal(group, g)

    def _orthogonal(self, group: Group, x: Tensor) -> Tensor:
        from torch.optim import _muon

        out = _muon._zeropower_via_newtonschulz(x, group["ns_coefficients"], group["ns_steps"], group["eps"])
        return out.to(x.dtype) * _muon._adjust_lr(1.0, group["adjust_lr_fn"], x.shape)


_RULES: tuple[Rule, ...] = (_Adam(), _AdamW(), _NAdam(), _RMSprop(), _SGD(), _Lion(), _Muon())


def rule_of(optimizer: torch.optim.Optimizer) -> Rule:
    """Returns the rule of an optimizer, by the names of its class and of those that it is derived from."""
    for cls in type(optimizer).__mro__:
        for rule in _RULES:
            if cls.__name__ in rule.names:
                return rule
    known = ", ".join(name for rule in _RULES for name in rule.names)
    raise TypeError(f"optimizer is a {type(optimizer).__name__}, whose update without memory is not known: want one of {known}")


def _over(g: Tensor, eps: Any) -> Tensor:
    """Returns g/(|g| + eps)."""
    out: Tensor = g / (g.abs() + eps)
    return out


def _number(x: Any) -> float:
    """Returns a number that may be a tensor."""
    return float(x)


def _like(x: Tensor, g: Tensor) -> Tensor:
    return x.detach().to(g.dtype)
