"""Writes resnet_basic.pt and resnet_basic_older.pt: the weights of resnet_basic.safetensors as torch.save writes them, in both formats.

Run with python3, torch and safetensors in this directory.
"""
import torch
from safetensors.torch import load_file

weights = {k.removeprefix("weights."): v for k, v in load_file("resnet_basic.safetensors").items() if k.startswith("weights.")}
torch.save(weights, "resnet_basic.pt")
torch.save({"epoch": 2, "state_dict": weights}, "resnet_basic_older.pt", _use_new_zipfile_serialization=False)
