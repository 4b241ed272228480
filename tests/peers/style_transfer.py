"""Paints the same picture with `gdl nst` and in PyTorch, and prints seconds, memory and the losses of both.

    cargo build --release
    python tests/peers/style_transfer.py CONTENT STYLE --weights vgg19.safetensors --size 512 --steps 500

Both sides are given the same settings: one scale, style by Gram matrices at relu1_1 to relu4_1, content at relu4_1, squared total
variation, the weights 1, 30 and 2, Adam at 0.03 falling by half a cosine to a tenth, pixels kept between black and white,
replicated padding before the first layer. Each is a process of its own, `--rounds` times in turn. The losses are those that a
run ends with; both pictures are kept in `--out`. Needs torch, pillow and safetensors. Not part of the test suite.
"""

import argparse
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# Convolutions in each block of VGG-19, as far as relu4_1.
BLOCKS = [2, 2, 4, 1]


def parsed():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("content")
    p.add_argument("style")
    p.add_argument("--weights", required=True, help="VGG-19 up to relu4_1 or beyond, a .safetensors file")
    p.add_argument("--size", type=int, default=512)
    p.add_argument("--steps", type=int, default=500)
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    p.add_argument("--gdl", default=str(HERE.parents[1] / "target" / "release" / "gdl"))
    p.add_argument("--out", default=".", help="folder for both pictures")
    p.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    return p.parse_args()


def in_torch(a):
    """PyTorch's side: one line of JSON."""
    import numpy as np
    import torch
    import torch.nn.functional as F
    from PIL import Image
    from safetensors import safe_open

    if a.threads:
        torch.set_num_threads(a.threads)
    start = time.perf_counter()

    def picture(path):
        image = Image.open(path).convert("RGB")
        scale = a.size / max(image.size)
        image = image.resize([max(1, round(n * scale)) for n in image.size], Image.BICUBIC)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255

    with safe_open(a.weights, "pt") as f:
        meta, weights = f.metadata() or {}, {key: f.get_tensor(key).float() for key in f.keys()}
    if meta.get("channels") == "BGR":
        mean = torch.tensor([float(x) for x in meta["mean_bgr"].split(",")]).view(1, 3, 1, 1)

        def fed(x):
            return x.flip(1) * 255 - mean
    else:
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

        def fed(x):
            return (x - mean) / std

    def features(x):
        x, taps, at = fed(x), [], 0
        for block, count in enumerate(BLOCKS):
            for i in range(count):
                w, b = weights[f"features.{at}.weight"], weights[f"features.{at}.bias"]
                if at == 0:
                    x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), w, b))
                else:
                    x = F.relu(F.conv2d(x, w, b, padding=1))
                at += 2
                if i == 0:
                    taps.append(x)
            if block < len(BLOCKS) - 1:
                x, at = F.max_pool2d(x, 2), at + 1
        return taps

    def gram(f):
        f = f.flatten(2)[0]
        return f @ f.T / f.numel()

    content, style = picture(a.content), picture(a.style)
    with torch.no_grad():
        grams = [gram(f) for f in features(style)]
        target = features(content)[-1]
        spread = (target - target.mean((2, 3), keepdim=True)).square().mean()
    image = content.clone().requires_grad_()
    adam = torch.optim.Adam([image], 0.03)
    for step in range(a.steps):
        adam.param_groups[0]["lr"] = 0.03 * (0.55 + 0.45 * math.cos(math.pi * step / max(a.steps - 1, 1)))
        taps = features(image)
        of_content = (taps[-1] - target).square().mean() / spread
        of_style = sum((gram(f) - g).square().mean() / g.square().mean() for f, g in zip(taps, grams)) / len(grams)
        tv = (image.diff(dim=2).square().sum() + image.diff(dim=3).square().sum()) / image.numel()
        adam.zero_grad()
        loss = of_content + 30 * of_style + 2 * tv
        loss.backward()
        adam.step()
        with torch.no_grad():
            image.clamp_(0, 1)
    seconds = time.perf_counter() - start
    pixels = (image.detach()[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(pathlib.Path(a.out) / "torch.png")
    losses = [x.item() for x in (loss, of_content, of_style, tv)]
    print(json.dumps({"seconds": seconds, "losses": losses}))


def measured(command):
    """A command's wall and processor seconds, its peak memory in MiB, and what it printed."""
    # The peak of finished children never falls, so each command gets a process of its own to be the child of.
    watch = (
        "import json,resource,subprocess,sys,time;t=time.perf_counter();"
        "r=subprocess.run(sys.argv[1:],capture_output=True,text=True);t=time.perf_counter()-t;"
        "u=resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(json.dumps([t,u.ru_utime+u.ru_stime,u.ru_maxrss/1024,r.returncode,r.stdout,r.stderr]))"
    )
    run = subprocess.run([sys.executable, "-c", watch, *command], stdout=subprocess.PIPE, check=True, text=True)
    wall, cpu, peak, code, out, err = json.loads(run.stdout)
    if code:
        sys.exit(f"{command[0]}: {err}")
    return {"wall": wall, "cpu": cpu, "peak": peak}, out, err


def main():
    a = parsed()
    if a.torch:
        return in_torch(a)
    pathlib.Path(a.out).mkdir(parents=True, exist_ok=True)
    settings = ["--size", str(a.size), "--steps", str(a.steps), "--weights", a.weights]
    same = ["--min-scale", str(a.size), "--style-loss", "gram", "--content-layers", "relu4_1"]
    same += ["--style-layers", "relu1_1,relu2_1,relu3_1,relu4_1", "-o", str(pathlib.Path(a.out) / "gdl.png")]
    threads = ["--threads", str(a.threads)] if a.threads else []
    ours = [a.gdl, "nst", a.content, a.style, *settings, *same, *threads]
    theirs = [sys.executable, __file__, a.content, a.style, *settings, "--out", a.out, "--torch", *threads]
    rows, losses = {"gdl": [], "PyTorch": []}, {}
    for _ in range(a.rounds):
        row, _, err = measured(ours)
        rows["gdl"].append(row)
        last = re.findall(r"loss ([\d.]+) \(content ([\d.]+), style ([\d.]+), tv ([\d.]+)", err)[-1]
        losses["gdl"] = [float(x) for x in last]
        row, out, _ = measured(theirs)
        rows["PyTorch"].append(row)
        losses["PyTorch"] = json.loads(out)["losses"]
    print("| | seconds | processor, s | peak, MiB | loss | content | style | tv |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    middle = {side: [statistics.median(r[k] for r in rows[side]) for k in ("wall", "cpu", "peak")] for side in rows}
    for side, (wall, cpu, peak) in middle.items():
        cells = " | ".join(f"{x:.4f}" for x in losses[side])
        print(f"| {side} | {wall:.1f} | {cpu:.1f} | {peak:.0f} | {cells} |")
    ratios = [ours / theirs for ours, theirs in zip(*middle.values())]
    print("| ratio | " + " | ".join(f"{x:.2f}" for x in ratios) + " | | | | |")


main()
