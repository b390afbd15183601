"""Writes others.json: the paths of optimizers as optax has them (eps larger where it is to be seen), and of torch.optim.NAdam with momentum_decay 0, in float64.

The definitions say in which formulas they differ from these; the test puts those in. The weights are a matrix of three rows and two columns, which
optax is given as its transpose, inputs by outputs, and a vector of four, on a gradient a theta + sin(theta) - b.

Run with python3, jax, optax and torch in this directory.
"""
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import torch

jax.config.update("jax_enable_x64", True)

STEPS = 25
random = np.random.default_rng(19)
a = random.normal(size=(10, 10)) / 10
a = a @ a.T
b, start = random.normal(size=10) / 10, random.normal(size=10)


def gradient(theta):
    return a @ theta + np.sin(theta) - b


def split(flat):
    return {"matrix": jnp.asarray(flat[:6].reshape(3, 2).T), "vector": jnp.asarray(flat[6:])}


def joined(tree):
    return np.concatenate([np.asarray(tree["matrix"]).T.ravel(), np.asarray(tree["vector"])])


def by_optax(transform):
    parameters, path = split(start), []
    state = transform.init(parameters)
    for _ in range(STEPS):
        updates, state = transform.update(split(gradient(joined(parameters))), state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        path.append(joined(parameters).tolist())
    return path


def by_torch(make):
    theta, path = torch.nn.Parameter(torch.tensor(start)), []
    optimizer = make([theta])
    for _ in range(STEPS):
        theta.grad = torch.tensor(gradient(theta.detach().numpy()))
        optimizer.step()
        path.append(theta.detach().tolist())
    return path


paths = {
    "adagrad": by_optax(optax.adagrad(0.1, eps=1e-2)),
    "adan": by_optax(optax.adan(0.1, weight_decay=0.5)),
    "muon": by_optax(optax.contrib.muon(0.05)),
    "nadam": by_torch(lambda p: torch.optim.NAdam(p, lr=0.05, momentum_decay=0)),
    "prodigy": by_optax(optax.contrib.prodigy(1.0, estim_lr0=1e-3, weight_decay=0.01)),
    "radam": by_optax(optax.radam(0.05, eps=1e-2)),
    "rmsprop": by_optax(optax.rmsprop(0.01, eps=1e-3, momentum=0.9)),
    "rprop": by_optax(optax.rprop(0.3)),
}
with open("others.json", "w") as f:
    json.dump({"optax": optax.__version__, "torch": torch.__version__, "a": a.tolist(), "b": b.tolist(), "start": start.tolist(), "paths": paths}, f)
    f.write("\n")
