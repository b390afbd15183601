#!/usr/bin/python3
"""Writes the golden files of package nn's losses: what PyTorch computes in float64 for small networks on tables.

Run it in this folder: python3 losses.py. Each file loss_NAME.safetensors has what golden.py says, x [N, D] and, in the place of labels where
numbers are predicted, targets [N, K] with the sums of their squared residuals, one a column, as residuals.
"""
import torch
from golden import EPS, HERE, mlp, save
from torch import nn

N, D = 7, 6
LOSSES = {"mse": nn.MSELoss(), "huber": nn.HuberLoss(), "binary-cross-entropy": nn.BCEWithLogitsLoss()}


def write(name, loss, outputs, labels=None, targets=None):
    model = mlp(D, [5], "tanh", outputs).double()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.2 * torch.randn_like(p)
    x = torch.randn(N, D, dtype=torch.float64)
    out = {"weights." + k: v.clone() for k, v in model.state_dict().items()}
    out["x"] = x
    logits = model(x)
    if labels is None:
        out["targets"], wanted = targets, targets
        predicted = logits.sigmoid() if loss == "binary-cross-entropy" else logits
        out["residuals"] = (predicted - targets).square().sum(0)
    else:
        out["labels"] = labels
        wanted = labels[:, None].double() if outputs == 1 else nn.functional.one_hot(labels, outputs).double()
    value = LOSSES[loss](logits, wanted)
    names, params = zip(*model.named_parameters())
    grads = torch.autograd.grad(value, params, create_graph=True)
    direction = [(g / (g * g + EPS).sqrt()).detach() for g in grads]
    hvps = torch.autograd.grad(grads, params, direction)
    out["logits"], out["loss"] = logits, value
    for n, g, h in zip(names, grads, hvps):
        out["grad." + n], out["hvp." + n] = g, h
    save(HERE / f"loss_{name}.safetensors", out, {"loss": loss, "eps": str(EPS)})


def normal(columns, scale):
    return scale * torch.randn(N, columns, dtype=torch.float64)


if __name__ == "__main__":
    torch.manual_seed(20261126)
    torch.set_num_threads(1)
    write("mse", "mse", 3, targets=normal(3, 2))
    write("huber", "huber", 2, targets=normal(2, 2))  # residuals on both sides of 1
    write("shares", "binary-cross-entropy", 2, targets=torch.rand(N, 2, dtype=torch.float64))
    write("binary", "binary-cross-entropy", 1, labels=torch.randint(0, 2, (N,)))
    write("one_hot_binary", "binary-cross-entropy", 4, labels=torch.randint(0, 4, (N,)))
    write("one_hot_huber", "huber", 4, labels=torch.randint(0, 4, (N,)))
