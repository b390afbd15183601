"""The config of a watched run, in the words of ``docs/config.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ._optimizers import rule_of

SETTINGS = ("lr", "betas", "momentum", "dampening", "alpha", "momentum_decay", "eps", "weight_decay", "nesterov", "amsgrad")
"""The settings of a group that a record tells."""


def config_of(optimizer: torch.optim.Optimizer, *, dtype: str, every: int, sharpness: int, blocks: bool) -> dict[str, Any]:
    """Returns the config: of the optimizer what its first group says, as shadowflow calls it."""
    return {
        "dtype": dtype,
        "objective": {"name": "watched"},
        "optimizer": _optimizer(optimizer),
        "batch": {"mode": "sampled"},  # figures are those of the step's own loss, whatever of the examples that is
        "record": {"every": every, "bias": every, "blocks": blocks, "sharpness": sharpness},
    }


def lr_of(group: Mapping[str, Any]) -> float:
    """Returns the lr that a schedule multiplies, where there is one."""
    return float(group.get("initial_lr", group["lr"]))


def _optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    group = optimizer.param_groups[0]
    rule = rule_of(optimizer)
    name = {"RMSprop": "rmsprop"}.get(rule.names[0], rule.names[0].lower())
    decay = float(group.get("weight_decay", 0))
    if name in ("adam", "adamw") and group.get("amsgrad"):
        name = "amsgrad"
    elif name == "adam" and rule.decoupled(group):
        name = "adamw"
    out: dict[str, Any] = {"name": name, "preset": "pytorch", "lr": lr_of(group), **_values(name, group)}
    if rule.decoupled(group):
        out["weight_decay"] = decay
    elif decay > 0:
        out["l2"] = decay
    return out


def _values(name: str, group: Mapping[str, Any]) -> dict[str, Any]:
    if name == "sgd":
        return {"momentum": float(group["momentum"]), "dampening": float(group["dampening"]), "nesterov": bool(group["nesterov"])}
    if name == "rmsprop":
        return {"beta2": float(group["alpha"]), "eps": float(group["eps"]), "momentum": float(group["momentum"])}
    if name == "muon":
        return {"momentum": float(group["momentum"]), "nesterov": bool(group["nesterov"])}
    betas = {"beta1": float(group["betas"][0]), "beta2": float(group["betas"][1])}
    if name == "lion":
        return betas
    out = {**betas, "eps": float(group["eps"])}
    if name == "nadam":
        out["momentum_decay"] = float(group["momentum_decay"])
    return out
