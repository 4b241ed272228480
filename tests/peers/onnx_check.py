"""Runs what `gdl cyclegan export` and `gdl pix2pix export` write in ONNX Runtime, beside `gdl`'s own translations.

    pip install onnx onnxruntime numpy pypng
    cargo build --release && python tests/peers/onnx_check.py [target/release/gdl]

For each kind of generator: a run of one step, its export, onnx.checker, and pictures of two sizes (and a batch of two) with
16 bits, whose steps are 1.5e-5 of the range [0, 1]; the largest difference must be below 1e-4.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import png

GDL = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/release/gdl").resolve())
LIMIT = 1e-4
DATA = "--a builtin:A --b builtin:B"
SMALL = "--ngf 8 --ndf 2 --steps 1 --seed 3 --init_type xavier --init_gain 1"
KINDS = {
    "resnet9": "cyclegan --netG resnet9 --size 32",
    "resnet6, resize": "cyclegan --netG resnet6 --upsampling resize --size 32",
    "resnet6, batch": "cyclegan --netG resnet6 --norm batch --size 32",
    "resnet6, none": "cyclegan --netG resnet6 --norm none --size 32",
    "unet128": "cyclegan --netG unet128 --size 128",
    "unet256, resize": "cyclegan --netG unet256 --upsampling resize --size 256",
    "unet128, none": "cyclegan --netG unet128 --norm none --size 128",
    "book": "cyclegan --netG book_unet --size 32",
    "pix2pix unet256, batch": "pix2pix --netG unet256 --size 256",
    "pix2pix resnet9, batch": "pix2pix --netG resnet9 --size 32",
}


def gdl(folder, *args):
    subprocess.run([GDL, *args, "--quiet"], cwd=folder, check=True)


def write(path, pixels):
    """(H, W, 3) of 16-bit numbers."""
    height, width, _ = pixels.shape
    with open(path, "wb") as file:
        png.Writer(width, height, greyscale=False, bitdepth=16).write(file, pixels.reshape(height, -1))


def read(path):
    """(3, H, W) in [0, 1]."""
    width, height, rows, info = png.Reader(str(path)).read()
    assert info["bitdepth"] == 16, info
    return np.vstack([np.asarray(row) for row in rows]).reshape(height, width, 3).transpose(2, 0, 1) / 65535


def check(folder, kind, source, command, direction):
    """The largest difference in [0, 1], and what the file says of itself."""
    flags = ["--direction", direction] if direction else []
    gdl(folder, command, "export", source, "--out", "model.onnx", *flags)
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["input_range"] == about["output_range"] == "[-1, 1]", about
    assert about.get("direction") == (direction or about.get("direction")), about
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    multiple = int(about["multiple"])
    smallest = max(multiple, int(about["min_size"]), 32)
    worst, rng = 0.0, np.random.default_rng(1)
    for height, width in [(smallest, smallest), (2 * multiple + smallest, smallest + multiple)]:
        names, pictures = ["one.png", "two.png"], []
        for name in names:
            pixels = rng.integers(0, 65536, (height, width, 3), dtype=np.uint16)
            write(folder / name, pixels)
            pictures.append(pixels.transpose(2, 0, 1).astype(np.float32) / 65535 * 2 - 1)
        gdl(folder, command, "translate", source, *names, "--out", "made", *flags)
        theirs = session.run(None, {"picture": np.stack(pictures)})[0]
        assert theirs.shape == (2, 3, height, width), theirs.shape
        assert theirs.std() > 0.01, f"{kind}: the translation is flat"
        for name, picture in zip(names, theirs):
            worst = max(worst, np.abs(read(folder / "made" / name) - (picture + 1) / 2).max())
    return worst, about, len(model.graph.node), (folder / "model.onnx").stat().st_size


def main():
    failed = False
    for kind, flags in KINDS.items():
        command, *flags = flags.split()
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            data = DATA if command == "cyclegan" else "--pairs builtin:B"
            gdl(folder, command, "train", *data.split(), *SMALL.split(), *flags, "--out", "run")
            gdl(folder, command, "convert", "run", "theirs")
            theirs = "theirs/latest_net_G_A.pth" if command == "cyclegan" else "theirs/latest_net_G.pth"
            sources = [("run", "ab"), ("run", "ba")] if command == "cyclegan" else [("run", None)]
            for source, direction in [*sources, (theirs, None)]:
                worst, about, nodes, size = check(folder, kind, source, command, direction)
                failed |= not worst < LIMIT
                what = f"{kind} {about.get('direction', 'file')}"
                print(f"{what:32} {nodes:4} nodes {size:9} bytes, largest difference {worst:.1e}", flush=True)
    sys.exit(failed)


main()
