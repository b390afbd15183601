"""torchvision's ResNet-18 on handwritten digits, with AdamW, cosine and clipping: watched.

    python python/examples/resnet18.py runs/resnet18 [--steps 400] [--every 50] [--model resnet50 --size 224] [--device cuda]

``--every 0`` trains without a watch, for the time that watching takes.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from shadowflow.torch import Watch

DIGITS = Path(__file__).parents[2] / "dataset" / "digits.csv.gz"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--sharpness", type=int, default=0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--device", default="cpu")
    told = parser.parse_args()

    torch.manual_seed(0)
    table = torch.from_numpy(np.loadtxt(gzip.open(DIGITS), delimiter=",", dtype=np.float32))
    images, labels = table[:, :64].reshape(-1, 1, 8, 8) / 8 - 1, table[:, 64].long()
    model = torchvision.models.get_model(told.model, num_classes=10).to(told.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, told.steps)
    source = torch.Generator().manual_seed(1)
    x, y = torch.empty(0), torch.empty(0)

    def closure() -> Tensor:
        return F.cross_entropy(model(x), y)

    watch = Watch(model, optimizer, closure, every=told.every, sharpness=told.sharpness, out=told.out) if told.every else None
    began = time.perf_counter()
    for n in range(told.steps):
        at = torch.randint(len(images), (told.batch,), generator=source)
        x = F.interpolate(images[at], size=told.size, mode="bilinear").expand(-1, 3, -1, -1).to(told.device)
        y = labels[at].to(told.device)
        optimizer.zero_grad()
        loss = closure()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if watch:
            watch.step()
        if n % 100 == 0:
            print(f"step {n}  loss {loss.item():.3f}")
    print(f"{1e3 * (time.perf_counter() - began) / told.steps:.2f} ms a step")
    if watch:
        watch.close()


if __name__ == "__main__":
    main()
