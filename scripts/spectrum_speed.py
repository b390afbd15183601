#!/usr/bin/env python3
"""Compares this program with curvlinops and SciPy on the ten largest eigenvalues of the Hessian of the paper's CNN on 500 images.

The weights are those of PyTorch behind --steps steps of Adam on random images of ten classes, which both programs read. The residual of each eigenvalue is wanted within 1e-3 of it, as SciPy (ARPACK)
has it and `shadowflow spectrum --brief`. Ours has its start, reading and compiling in its time, and curvlinops its products alone, with images in both of PyTorch's layouts. They run turn by turn, and the best of the turns counts.

    pip install torch curvlinops-for-pytorch
    python3 scripts/spectrum_speed.py [--turns 3] [--images 500] [--steps 10] [path of shadowflow]     (default: go run ./cmd/shadowflow)
"""
import argparse
import json
import os
import subprocess
import tempfile
import time

import numpy as np
import torch
from curvlinops import HessianLinearOperator
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn

CLASSES, WANTED, TOLERANCE = 10, 10, 1e-3


def cnn():
    layers, c = [], 3
    for o in (32, 64, 128):
        layers += [nn.Conv2d(c, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        c = o
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 512), nn.ReLU(), nn.Linear(512, CLASSES))


def problem(count, steps):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    y = np.arange(count) % CLASSES
    x = rng.standard_normal((count, 3, 32, 32)) + 0.5 * rng.standard_normal((CLASSES, 3, 32, 32))[y]
    x = ((x - x.mean((0, 2, 3), keepdims=True)) / x.std((0, 2, 3), keepdims=True)).astype(np.float32)
    model, loss = cnn(), nn.CrossEntropyLoss()
    images, labels = torch.from_numpy(x), torch.from_numpy(y)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(steps):
        adam.zero_grad()
        loss(model(images), labels).backward()
        adam.step()
    return model, loss, images, labels


def theirs(model, loss, images, labels):
    start = time.perf_counter()
    params = [p for p in model.parameters() if p.requires_grad]
    hessian = HessianLinearOperator(model, loss, params, [(images, labels)], check_deterministic=False)
    operator, count = hessian.to_scipy(), [0]

    def product(v):
        count[0] += 1
        return operator.matvec(v)

    values = eigsh(LinearOperator(operator.shape, matvec=product, dtype=operator.dtype), k=WANTED, which="LA", tol=TOLERANCE, return_eigenvectors=True)[0]
    return np.sort(values)[::-1], time.perf_counter() - start, count[0]


def ours(program, folder):
    command = program + ["spectrum", "--brief", "--top", str(WANTED), "--bottom", "0", "--tol", str(TOLERANCE), "--json", "--weights", os.path.join(folder, "weights.pt"),
                         "--set", "data={name: npz, path: %s}" % os.path.join(folder, "images.npz"), "--set", "model.name=cnn"]
    start = time.perf_counter()
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(text), time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", nargs="?")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--steps", type=int, default=10)
    args = parser.parse_args()
    program = [os.path.abspath(args.program)] if args.program else ["go", "run", "./cmd/shadowflow"]
    model, loss, images, labels = problem(args.images, args.steps)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(os.path.join(folder, "images.npz"), X=images.numpy(), y=labels.numpy())
        torch.save(model.state_dict(), os.path.join(folder, "weights.pt"))
        best = {}
        for turn in range(args.turns):
            for name, layout in (("curvlinops", torch.contiguous_format), ("curvlinops, channels_last", torch.channels_last)):
                values, seconds, products = theirs(model.to(memory_format=layout), loss, images.contiguous(memory_format=layout), labels)
                best[name] = min(seconds, best.get(name, seconds))
            found, seconds = ours(program, folder)
            best["shadowflow"] = min(seconds, best.get("shadowflow", seconds))
            print(f"turn {turn + 1}: largest difference of an eigenvalue {np.abs(values - np.array(found['top'])).max():.2e} of {values[0]:.4g}, "
                  f"{products} products of curvlinops, {found['products']} of ours, residuals up to {max(found['residuals']['top']):.1e}", flush=True)
    print("  ".join(f"{name} {seconds:.2f} s" for name, seconds in best.items()), f" ratio {min(v for k, v in best.items() if k != 'shadowflow') / best['shadowflow']:.2f}")


main()
