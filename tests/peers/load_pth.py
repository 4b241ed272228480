"""Loads files of `gdl cyclegan convert` as PyTorch does, and says what is in them.

    python tests/peers/load_pth.py latest_net_G_A.pth...
"""

import sys

import torch

for path in sys.argv[1:]:
    state = torch.load(path, weights_only=True)
    again = torch.load(path, weights_only=True, mmap=True)
    assert all(torch.equal(tensor, again[key]) for key, tensor in state.items())
    print(f"{path}: {len(state)} tensors, {sum(tensor.numel() for tensor in state.values())} numbers")
