"""torchvision's ResNet-18 on noise, with AdamW, cosine and clipping, watched: for what watching costs.

python python/examples/resnet18.py runs/resnet18 [--steps 100] [--every 50] [--device cuda]
"""

from __future__ import annotations

import argparse

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from shadowflow.torch import Watch


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--device", default="cpu")
    told = parser.parse_args()

    torch.manual_seed(0)
    model = torchvision.models.get_model(told.model, num_classes=10).to(told.device)
    x = torch.randn(told.batch, 3, told.size, told.size, device=told.device)
    y = torch.randint(10, (told.batch,), device=told.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, told.steps)

    def closure() -> Tensor:
        return F.cross_entropy(model(x), y)

    with Watch(model, optimizer, closure, every=told.every, out=told.out) as watch:
        for _ in range(told.steps):
            optimizer.zero_grad()
            closure().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            watch.step()


if __name__ == "__main__":
    main()
