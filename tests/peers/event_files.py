"""Reads a run's event files with TensorBoard and compares every number with metrics.jsonl: `event_files.py RUN`.

Needs `pip install tensorboard`. Of a run that was interrupted and resumed, each step must be there once.
"""

import json
import math
import sys
from collections import defaultdict
from pathlib import Path

from tensorboard.backend.event_processing import event_accumulator

run = Path(sys.argv[1])
sizes = {event_accumulator.SCALARS: 0, event_accumulator.IMAGES: 0, event_accumulator.TENSORS: 0}
events = event_accumulator.EventAccumulator(str(run / "tensorboard"), size_guidance=sizes)
events.Reload()

want = defaultdict(list)
for name in ["metrics.jsonl", "speed.jsonl"]:
    for line in (run / name).read_text().splitlines():
        record = json.loads(line)
        step = record.pop("step")
        # The time spent is no curve.
        record.pop("seconds", None)
        for key, value in record.items():
            want[key].append((step, math.nan if value is None else value))

tags = events.Tags()
assert set(tags["scalars"]) == set(want), (tags["scalars"], sorted(want))
for key, values in want.items():
    got = [(event.step, event.value) for event in events.Scalars(key)]
    assert [step for step, _ in got] == [step for step, _ in values], f"{key}: other steps"
    for (step, a), (_, b) in zip(got, values):
        # 32 bits in the one file, 64 in the other.
        same = a == b or abs(a - b) <= 1e-7 * abs(b) + 1e-38 or (math.isnan(a) and math.isnan(b))
        assert same, f"{key} at step {step}: {a} and {b}"

steps = lambda extension: [int(p.stem[5:]) for p in sorted((run / "samples").glob(f"step-*.{extension}"))]
last = max(step for values in want.values() for step, _ in values)
pictures = [event for tag in tags["images"] for event in events.Images(tag)]
texts = [event for tag in tags["tensors"] for event in events.Tensors(tag)]
assert [event.step for event in pictures] == [step for step in steps("png") if step <= last]
# TensorBoard's reader voids numbers and pictures that come again, but no tensors.
assert sorted({event.step for event in texts}) == [step for step in steps("txt") if step <= last]
files = len(list((run / "tensorboard").iterdir()))
numbers = sum(map(len, want.values()))
print(f"{run}: {files} event files, {numbers} numbers in {len(want)} curves, {len(pictures)} pictures, {len(texts)} texts: equal")
