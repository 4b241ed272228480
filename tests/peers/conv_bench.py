"""The cases of gdl-conv's example `bench` in PyTorch: `conv_bench.py [runs] [name part]` prints a JSON line for each."""

import json
import os
import statistics
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(int(os.environ.get("THREADS", "2")))

CASES = [
    ("3x3 256->256 at 64", False, (1, 256, 64, 64), (256, 256, 3, 3), 1, 1),
    ("3x3 64->64 at 256", False, (1, 64, 256, 256), (64, 64, 3, 3), 1, 1),
    ("4x4 s2 64->128 at 128", False, (1, 64, 128, 128), (128, 64, 4, 4), 2, 1),
    ("transposed 3x3 s2 256->128 at 64", True, (1, 256, 64, 64), (256, 128, 3, 3), 2, 1),
    ("7x7 3->64 at 256", False, (1, 3, 256, 256), (64, 3, 7, 7), 1, 3),
    ("7x7 64->3 at 256", False, (1, 64, 256, 256), (3, 64, 7, 7), 1, 3),
    ("3x3 512->512 at 32", False, (1, 512, 32, 32), (512, 512, 3, 3), 1, 1),
    ("4x4 s2 512->512 at 8", False, (1, 512, 8, 8), (512, 512, 4, 4), 2, 1),
]


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    part = sys.argv[2] if len(sys.argv) > 2 else ""
    for name, transposed, x, w, stride, padding in CASES:
        if part not in name:
            continue
        x = torch.rand(x).sub(0.5).requires_grad_()
        w = torch.rand(w).sub(0.5).mul(0.1).requires_grad_()

        def forward():
            if transposed:
                return F.conv_transpose2d(x, w, None, stride, padding, output_padding=stride - 1)
            return F.conv2d(x, w, None, stride, padding)

        grad = torch.ones_like(forward())
        all_ms, forward_ms, cpu_ms = [], [], []
        for _ in range(runs + 2):
            x.grad = w.grad = None
            cpu = time.process_time()
            start = time.perf_counter()
            y = forward()
            middle = time.perf_counter()
            y.backward(grad)
            all_ms.append((time.perf_counter() - start) * 1e3)
            cpu_ms.append((time.process_time() - cpu) * 1e3)
            forward_ms.append((middle - start) * 1e3)
        row = {
            "name": name,
            "ms": round(statistics.median(all_ms[2:]), 2),
            "best": round(min(all_ms[2:]), 2),
            "forward": round(statistics.median(forward_ms[2:]), 2),
            "cpu": round(statistics.median(cpu_ms[2:]), 2),
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
