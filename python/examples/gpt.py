"""A small GPT on Shakespeare, byte by byte, with AdamW in two groups, warmup and cosine, and clipping: watched.

    python python/examples/gpt.py runs/gpt [--steps 400] [--every 50] [--device cuda]

``--every 0`` trains without a watch, for the time that watching takes.
"""

from __future__ import annotations

import argparse
import gzip
import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shadowflow.torch import Watch

TEXT = Path(__file__).parents[2] / "dataset" / "folio.txt.gz"


class GPT(nn.Module):
    def __init__(self, context: int = 64, width: int = 128, depth: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.context = context
        self.token, self.place = nn.Embedding(256, width), nn.Embedding(context, width)
        block = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 256, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[1]
        past = nn.Transformer.generate_square_subsequent_mask(n, device=x.device)
        h = self.token(x) + self.place(torch.arange(n, device=x.device))
        return self.head(self.norm(self.blocks(h, mask=past, is_causal=True)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--sharpness", type=int, default=0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    told = parser.parse_args()

    torch.manual_seed(0)
    text = torch.tensor(bytearray(gzip.open(TEXT).read()), dtype=torch.uint8)
    model = GPT().to(told.device)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}], lr=1e-3)
    warmup = 20

    def factor(n: int) -> float:
        return (n + 1) / warmup if n < warmup else 0.5 * (1 + math.cos(math.pi * (n - warmup) / (told.steps - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    source = torch.Generator().manual_seed(1)
    window = torch.arange(model.context + 1)
    batch = torch.empty(0)

    def closure() -> Tensor:
        return F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())

    watch = Watch(model, optimizer, closure, every=told.every, sharpness=told.sharpness, out=told.out) if told.every else None
    began = time.perf_counter()
    for n in range(told.steps):
        at = torch.randint(len(text) - model.context - 1, (told.batch, 1), generator=source)
        batch = text[at + window].long().to(told.device)
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
