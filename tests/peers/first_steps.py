"""Trains the networks of a run of `gdl cyclegan train` or `gdl pix2pix train` in PyTorch and lays the losses side by side.

    cargo run --release -p gdl-cyclegan --example first_steps -- RUN DIR 200
    python tests/peers/first_steps.py RUN DIR [--every 20]

The example writes what such a run begins with into DIR: its networks' first weights and its first batches. Here the same
networks, in the reference's modules, begin with those weights, see those pictures and take the same steps, written after
`models/cycle_gan_model.py` and `models/pix2pix_model.py`. What dropout and the pool of earlier translations draw is not the same.
Needs torch and safetensors. Not part of the test suite.
"""

import argparse
import itertools
import json
import random
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).parent.parent / "fixtures"))
from reference_networks import NLayerDiscriminator, ResnetGenerator, UnetGenerator  # noqa: E402


def generator(config, weights, net):
    (kind, depth), = config["kind"].items()
    io, width, norm, dropout = config["in_channels"], config["base_channels"], config["norm"], config["dropout"]
    if kind == "resnet":
        built = ResnetGenerator(io, width, depth["blocks"], norm, dropout)
    else:
        built = UnetGenerator(io, config["out_channels"], depth["downs"], width, norm, dropout)
    return filled(built, weights, net)


def discriminator(config, weights, net):
    args = config["in_channels"], config["base_channels"], config["n_layers"], config["norm"]
    return filled(NLayerDiscriminator(*args), weights, net)


def filled(built, weights, net):
    mine = {key[len(net) + 1 :]: weights.get_tensor(key) for key in weights.keys() if key.startswith(net + ".")}
    counters = {key: t for key, t in built.state_dict().items() if key.endswith("num_batches_tracked")}
    built.load_state_dict({**counters, **mine})
    return built.train()


def gan_loss(kind):
    criterion = {"lsgan": F.mse_loss, "vanilla": F.binary_cross_entropy_with_logits}[kind]
    return lambda scores, real: criterion(scores, torch.full_like(scores, float(real)))


def adam(config, *nets):
    parameters = itertools.chain(*(net.parameters() for net in nets))
    return torch.optim.Adam(parameters, config["learning_rate"], (config["beta1"], config["beta2"]))


class Pool:
    def __init__(self, size):
        self.size, self.images = size, []

    def query(self, image):
        if len(self.images) < self.size:
            self.images.append(image)
        elif self.size and random.random() > 0.5:
            at = random.randrange(self.size)
            self.images[at], image = image, self.images[at]
        return image


def cyclegan(model, weights):
    g_a, g_b = (generator(model["generator"], weights, net) for net in ("net_G_A", "net_G_B"))
    d_a, d_b = (discriminator(model["discriminator"], weights, net) for net in ("net_D_A", "net_D_B"))
    of_g, of_d = adam(model["optimizer"], g_a, g_b), adam(model["optimizer"], d_a, d_b)
    gan, pool_a, pool_b = gan_loss(model["gan_loss"]), Pool(model["pool_size"]), Pool(model["pool_size"])
    lambda_a, lambda_b, identity = model["lambda_a"], model["lambda_b"], model["lambda_identity"]

    def step(a, b):
        for d in (d_a, d_b):
            d.requires_grad_(False)
        fake_b, fake_a = g_a(a), g_b(b)
        losses = {
            "validity_a": gan(d_a(fake_b), True),
            "validity_b": gan(d_b(fake_a), True),
            "reconstruction_a": F.l1_loss(g_b(fake_b), a) * lambda_a,
            "reconstruction_b": F.l1_loss(g_a(fake_a), b) * lambda_b,
        }
        if identity:
            losses["identity_a"] = F.l1_loss(g_b(a), a) * lambda_a * identity
            losses["identity_b"] = F.l1_loss(g_a(b), b) * lambda_b * identity
        of_g.zero_grad()
        sum(losses.values()).backward()
        of_g.step()
        of_d.zero_grad()
        for name, d, real, fake in (
            ("d_a", d_a, b, pool_b.query(fake_b.detach())),
            ("d_b", d_b, a, pool_a.query(fake_a.detach())),
        ):
            d.requires_grad_(True)
            losses[name] = (gan(d(real), True) + gan(d(fake), False)) * 0.5
            losses[name].backward()
        of_d.step()
        return losses

    return step


def pix2pix(model, weights):
    g, d = generator(model["generator"], weights, "net_G"), discriminator(model["discriminator"], weights, "net_D")
    of_g, of_d, gan = adam(model["optimizer"], g), adam(model["optimizer"], d), gan_loss(model["gan_loss"])

    def step(a, b):
        fake = g(a)
        d.requires_grad_(True)
        of_d.zero_grad()
        d_fake, d_real = gan(d(torch.cat([a, fake.detach()], 1)), False), gan(d(torch.cat([a, b], 1)), True)
        ((d_fake + d_real) * 0.5).backward()
        of_d.step()
        d.requires_grad_(False)
        of_g.zero_grad()
        validity, l1 = gan(d(torch.cat([a, fake], 1)), True), F.l1_loss(fake, b) * model["lambda_l1"]
        (validity + l1).backward()
        of_g.step()
        return {"validity": validity, "l1": l1, "d_real": d_real, "d_fake": d_fake}

    return step


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path, help="the run's directory, trained for as many steps or more")
    parser.add_argument("dir", type=Path, help="what the example first_steps wrote")
    parser.add_argument("--every", type=int, default=20, help="steps that a row of the table is the mean of")
    args = parser.parse_args()
    model = json.loads((args.run / "config.json").read_text())["model"]
    ours = [json.loads(line) for line in (args.run / "metrics.jsonl").read_text().splitlines()]
    weights = safe_open(args.dir / "weights.safetensors", "pt")
    batches = safe_open(args.dir / "batches.safetensors", "pt")
    count = min(len(batches.keys()) // 2, len(ours))
    step = (cyclegan if "lambda_a" in model else pix2pix)(model, weights)
    rows, since = [], time.time()
    for i in range(count):
        losses = step(batches.get_tensor(f"a.{i:06}"), batches.get_tensor(f"b.{i:06}"))
        rows.append({name: loss.item() for name, loss in losses.items()})
    print(f"PyTorch {torch.__version__}: {count} steps in {time.time() - since:.0f} s", file=sys.stderr)
    names = list(rows[0])
    print("| steps | " + " | ".join(names) + " |")
    print("| --- |" + " ---: |" * len(names))
    # The first step alone: from then on every difference grows.
    ends = [0, 1, *range(args.every, count, args.every), count] if args.every > 1 else range(count + 1)
    for first, last in zip(ends, ends[1:]):
        mean = lambda of, name: sum(row[name] for row in of[first:last]) / (last - first)  # noqa: E731
        cells = [f"{mean(ours, name):.4f} / {mean(rows, name):.4f}" for name in names]
        print(f"| {first + 1}-{last} | " + " | ".join(cells) + " |")


main()
