"""Runs the jobs of `gdl bench` and the same jobs in PyTorch in turn, and prints the ratios of their times and memory.

    cargo build --release
    python tests/peers/compare.py                       # every job
    python tests/peers/compare.py nst-step-vgg19-256 --rounds 5

Every job runs in a process of its own, ours and PyTorch's alternating, `--rounds` times; the figures are the medians over
the rounds. PyTorch is run as it comes, and once more with glibc told to keep large blocks instead of returning them to
the system (`kept`), which is what our program's allocator does and from which PyTorch gains too. Needs torch.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
KEEP = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592"}


def measure(command, environment=None):
    run = subprocess.run(command, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(run.stdout.splitlines()[-1])


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("jobs", nargs="*", help="all of them, unless named")
    p.add_argument("--gdl", default=str(HERE.parents[1] / "target" / "release" / "gdl"))
    p.add_argument("--rounds", type=int, default=3, help="processes of each side")
    p.add_argument("--runs", type=int, default=5, help="timed steps of a process")
    p.add_argument("--warmup", type=int, default=2, help="steps of a process before those")
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    flags = ["--device", a.device, "--runs", str(a.runs), "--warmup", str(a.warmup)]
    ours = [a.gdl, "bench", "--json", *flags]
    theirs = [sys.executable, str(HERE / "bench.py"), *flags]
    listed = subprocess.run([a.gdl, "bench", "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout
    jobs = a.jobs or [line.split()[0] for line in listed.splitlines()]
    print("| job | gdl, ms | PyTorch, ms | ratio | PyTorch kept, ms | ratio | gdl, MiB | PyTorch, MiB | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for job in jobs:
        mine, plain, kept = [], [], []
        for _ in range(a.rounds):
            mine.append(measure([*ours, job]))
            plain.append(measure([*theirs, job]))
            kept.append(measure([*theirs, job], KEEP))
        ms = [median(rows, "median_ms") for rows in (mine, plain, kept)]
        mb = [median(rows, "peak_rss_mb") for rows in (mine, plain)]
        print(
            f"| {job} | {ms[0]:.1f} | {ms[1]:.1f} | {ms[0] / ms[1]:.2f} | {ms[2]:.1f} | {ms[0] / ms[2]:.2f} "
            f"| {mb[0]:.0f} | {mb[1]:.0f} | {mb[0] / mb[1]:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
