"""Writes the weights of gpt_tied.safetensors and gpt.safetensors as other programs have them: gpt_nano.pt, what nanoGPT's train.py saves of a compiled model without flash
attention; gpt_hugging.safetensors, transformers' GPT2Model with masks of both kinds; gpt_unbiased.pt, nanoGPT's with bias=False; gpt_untied.pt with a head of its own.

Run with python3, torch and safetensors in this directory.
"""
import torch
from safetensors.torch import load_file, save_file

DEPTH, CONTEXT = 2, 9


def weights(name):
    return {k.removeprefix("weights."): v for k, v in load_file(name).items() if k.startswith("weights.")}


tied, untied = weights("gpt_tied.safetensors"), weights("gpt.safetensors")
mask = torch.tril(torch.ones(CONTEXT, CONTEXT)).view(1, 1, CONTEXT, CONTEXT)

nano = dict(tied)
for i in range(DEPTH):
    nano[f"transformer.h.{i}.attn.bias"] = mask
nano["lm_head.weight"] = nano["transformer.wte.weight"]
torch.save({"model": {"_orig_mod." + k: v for k, v in nano.items()}, "model_args": {"n_layer": DEPTH, "bias": True}, "iter_num": 5, "best_val_loss": torch.tensor(1.5)}, "gpt_nano.pt")

hugging = {}
for k, v in tied.items():
    linear = v.dim() == 2 and ".h." in k
    hugging[k.removeprefix("transformer.")] = v.T.contiguous() if linear else v
for i in range(DEPTH):
    hugging[f"h.{i}.attn.bias"] = mask.to(torch.bool if i else torch.uint8)
    hugging[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
save_file(hugging, "gpt_hugging.safetensors", {"format": "pt"})
torch.save(hugging, "gpt_hugging.pt")

torch.save({k: v for k, v in nano.items() if not k.endswith(".bias")}, "gpt_unbiased.pt")
torch.save({"model." + k: v for k, v in untied.items()}, "gpt_untied.pt")
