"""The same work as shadowflow's bench, in PyTorch: prints {"name": seconds of the fastest run} as JSON.

    python3 works.py [name ...]
"""
import json
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(len(os.sched_getaffinity(0)))
torch.manual_seed(0)


def fastest(run, budget=3.0, least=3):
    run()
    best, start, n = float("inf"), time.perf_counter(), 0
    while n < least or time.perf_counter() - start < budget:
        t = time.perf_counter()
        run()
        best, n = min(best, time.perf_counter() - t), n + 1
        if n >= least and best > budget:
            break
    return best


def cnn():
    layers, c = [], 3
    for o in (32, 64, 128):
        layers += [nn.Conv2d(c, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        c = o
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 512), nn.ReLU(), nn.Linear(512, 10))


class Bottleneck(nn.Module):
    def __init__(self, c, width, stride):
        super().__init__()
        o = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, o, 1, bias=False), nn.BatchNorm2d(o)
        self.down = None
        if stride != 1 or c != o:
            self.down = nn.Sequential(nn.Conv2d(c, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + (x if self.down is None else self.down(x)))


def resnet50():
    layers, c = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
    for i, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for j in range(blocks):
            layers.append(Bottleneck(c, width, 2 if i > 0 and j == 0 else 1))
            c = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 10))


def mlp(sizes, activation):
    layers = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers += [activation()] * (i > 0) + [nn.Linear(a, b)]
    return nn.Sequential(*layers)


def gradient(model, shape, pair=False):
    x, y = torch.randn(shape), torch.randint(10, (shape[0],))
    params = list(model.parameters())

    def run():
        loss = F.cross_entropy(model(x), y)
        g = torch.autograd.grad(loss, params, create_graph=pair)
        if pair:
            v = [(d / (d * d + 1e-8).sqrt()).detach() for d in g]
            torch.autograd.grad(g, params, grad_outputs=v)

    return run


def digits_step():
    model = mlp((64, 64, 64, 10), nn.Tanh)
    x, y = torch.randn(1297, 64), torch.randint(10, (1297,))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99))

    def run():
        adam.zero_grad()
        F.cross_entropy(model(x), y).backward()
        adam.step()

    return run


def grouped(side, groups):
    conv = nn.Conv2d(128, 128, side, padding=side // 2, groups=groups, bias=False)
    x, dy = torch.randn(32, 128, 16, 16, requires_grad=True), torch.randn(32, 128, 16, 16)
    return lambda: torch.autograd.grad(conv(x), (x, conv.weight), dy)


def matmul(n):
    a, b = torch.randn(n, n), torch.randn(n, n)
    return lambda: a @ b


WORKS = {
    "matmul-1024": lambda: matmul(1024),
    "matmul-2048": lambda: matmul(2048),
    "depthwise3x3-gradients": lambda: grouped(3, 128),
    "depthwise7x7-gradients": lambda: grouped(7, 128),
    "groups-of-4-gradients": lambda: grouped(3, 32),
    "cnn-gradient": lambda: gradient(cnn(), (500, 3, 32, 32)),
    "cnn-gradient-hvp": lambda: gradient(cnn(), (500, 3, 32, 32), pair=True),
    "resnet50-gradient": lambda: gradient(resnet50(), (32, 3, 32, 32)),
    "resnet50-gradient-hvp": lambda: gradient(resnet50(), (32, 3, 32, 32), pair=True),
    "dense-gradient": lambda: gradient(mlp((3072, 200, 200, 10), nn.GELU), (1000, 3072)),
    "digits-gradient": lambda: gradient(mlp((64, 64, 64, 10), nn.Tanh), (1297, 64)),
    "digits-gradient-hvp": lambda: gradient(mlp((64, 64, 64, 10), nn.Tanh), (1297, 64), pair=True),
    "digits-adam-step": lambda: digits_step(),
}

if __name__ == "__main__":
    names = sys.argv[1:] or list(WORKS)
    print(json.dumps({name: fastest(WORKS[name]()) for name in names}))
