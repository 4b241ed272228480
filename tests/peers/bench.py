"""The jobs of `gdl bench` in PyTorch: the same shapes, losses and optimizer steps.

    python tests/peers/bench.py cyclegan-step-resnet9-256
    python tests/peers/bench.py --list

Prints one line of JSON with the keys of `gdl bench --json`: {"job", "median_ms", "min_ms", "runs", "peak_rss_mb"}.
`compare.py` runs both sides in turn and prints the ratios. Needs torch. Not part of the test suite.
"""
import argparse
import json
import resource
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def resnet_generator(blocks=9, ch=64, io=3):
    def norm(c):
        return nn.InstanceNorm2d(c)

    class Res(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.body = nn.Sequential(
                nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), norm(c), nn.ReLU(True),
                nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), norm(c))

        def forward(self, x):
            return x + self.body(x)

    layers = [nn.ReflectionPad2d(3), nn.Conv2d(io, ch, 7), norm(ch), nn.ReLU(True)]
    for m in (1, 2):
        layers += [nn.Conv2d(ch * m, ch * m * 2, 3, 2, 1), norm(ch * m * 2), nn.ReLU(True)]
    layers += [Res(ch * 4) for _ in range(blocks)]
    for m in (4, 2):
        layers += [nn.ConvTranspose2d(ch * m, ch * m // 2, 3, 2, 1, output_padding=1), norm(ch * m // 2), nn.ReLU(True)]
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(ch, io, 7), nn.Tanh()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """The 8-level U-Net of pix2pix for 256 x 256 images, instance norm."""

    def __init__(self, ch=64, io=3, levels=8):
        super().__init__()
        widths = [min(ch * 2 ** i, ch * 8) for i in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        c = io
        for i, w in enumerate(widths):
            steps = [] if i == 0 else [nn.LeakyReLU(0.2)]
            steps.append(nn.Conv2d(c, w, 4, 2, 1))
            if 0 < i < levels - 1:
                steps.append(nn.InstanceNorm2d(w))
            self.down.append(nn.Sequential(*steps))
            c = w
        for i in reversed(range(levels)):
            cin = widths[i] if i == levels - 1 else widths[i] * 2
            out = io if i == 0 else widths[i - 1]
            steps = [nn.ReLU(), nn.ConvTranspose2d(cin, out, 4, 2, 1)]
            steps.append(nn.Tanh() if i == 0 else nn.InstanceNorm2d(out))
            self.up.append(nn.Sequential(*steps))

    def forward(self, x):
        skips = []
        for d in self.down:
            x = d(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for u in self.up[1:]:
            x = u(torch.cat([skips.pop(), x], 1))
        return x


def patchgan(ch=64, io=3, layers=3):
    seq, c = [nn.Conv2d(io, ch, 4, 2, 1), nn.LeakyReLU(0.2, True)], ch
    for i in range(1, layers + 1):
        w = min(ch * 2 ** i, ch * 8)
        seq += [nn.Conv2d(c, w, 4, 2 if i < layers else 1, 1), nn.InstanceNorm2d(w), nn.LeakyReLU(0.2, True)]
        c = w
    seq.append(nn.Conv2d(c, 1, 4, 1, 1))
    return nn.Sequential(*seq)


def cyclegan_step(dev, gen, size, batch=1):
    g_ab, g_ba = gen().to(dev), gen().to(dev)
    d_a, d_b = patchgan().to(dev), patchgan().to(dev)
    og = torch.optim.Adam([*g_ab.parameters(), *g_ba.parameters()], 2e-4, (0.5, 0.999))
    od = torch.optim.Adam([*d_a.parameters(), *d_b.parameters()], 2e-4, (0.5, 0.999))
    a = torch.rand(batch, 3, size, size, device=dev) * 2 - 1
    b = torch.rand(batch, 3, size, size, device=dev) * 2 - 1

    def lsgan(pred, real):
        return F.mse_loss(pred, torch.full_like(pred, float(real)))

    def freeze(on):
        for d in (d_a, d_b):
            for p in d.parameters():
                p.requires_grad_(not on)

    def step():
        freeze(True)
        fake_b, fake_a = g_ab(a), g_ba(b)
        rec_a, rec_b = g_ba(fake_b), g_ab(fake_a)
        loss = (lsgan(d_b(fake_b), 1) + lsgan(d_a(fake_a), 1)
                + 10 * (F.l1_loss(rec_a, a) + F.l1_loss(rec_b, b))
                + 5 * (F.l1_loss(g_ba(a), a) + F.l1_loss(g_ab(b), b)))
        og.zero_grad()
        loss.backward()
        og.step()
        freeze(False)
        od.zero_grad()
        for d, real, fake in ((d_a, a, fake_a), (d_b, b, fake_b)):
            (0.5 * (lsgan(d(real), 1) + lsgan(d(fake.detach()), 0))).backward()
        od.step()

    return step


def vgg19(upto):
    """VGG-19 features up to and including relu{upto}, with the tapped layer indices."""
    layers, taps, c, block, n = [], {}, 3, 1, 0
    for w in [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512]:
        if w == "M":
            layers.append(nn.MaxPool2d(2, 2))
            block, n = block + 1, 0
            continue
        layers += [nn.Conv2d(c, w, 3, padding=1), nn.ReLU()]
        n += 1
        c = w
        taps[f"{block}_{n}"] = len(layers) - 1
        if f"{block}_{n}" == upto:
            break
    return nn.Sequential(*layers), taps


def nst_step(dev, size):
    net, taps = vgg19("5_1")
    net = net.to(dev).requires_grad_(False)
    style_at = {taps[k] for k in ("1_1", "2_1", "3_1", "4_1", "5_1")}
    content_at = taps["4_2"]

    def features(x):
        out = {}
        for i, layer in enumerate(net):
            x = layer(x)
            if i in style_at or i == content_at:
                out[i] = x
        return out

    def gram(f):
        n, c, h, w = f.shape
        f = f.reshape(c, h * w)
        return f @ f.t() / (c * h * w)

    content = torch.rand(1, 3, size, size, device=dev)
    style = torch.rand(1, 3, size, size, device=dev)
    with torch.no_grad():
        want_c = features(content)[content_at]
        fs = features(style)
        want_s = {i: gram(fs[i]) for i in style_at}
    image = content.clone().requires_grad_(True)
    opt = torch.optim.Adam([image], 0.02)

    def step():
        opt.zero_grad()
        f = features(image)
        loss = F.mse_loss(f[content_at], want_c)
        loss = loss + sum(1e3 * F.mse_loss(gram(f[i]), want_s[i]) for i in style_at)
        dx, dy = image[..., 1:] - image[..., :-1], image[..., 1:, :] - image[..., :-1, :]
        loss = loss + 1e-4 * (dx.square().sum() + dy.square().sum())
        loss.backward()
        opt.step()

    return step


def char_lm_step(dev, cell, hidden, layers, batch, seq, vocab=65, embed=None):
    embed = embed or hidden
    emb = nn.Embedding(vocab, embed).to(dev)
    rnn = getattr(nn, cell)(embed, hidden, layers, batch_first=True).to(dev)
    head = nn.Linear(hidden, vocab).to(dev)
    params = [*emb.parameters(), *rnn.parameters(), *head.parameters()]
    opt = torch.optim.Adam(params, 2e-3)
    x = torch.randint(vocab, (batch, seq), device=dev)
    y = torch.randint(vocab, (batch, seq), device=dev)
    state = [None]

    def step():
        opt.zero_grad()
        out, h = rnn(emb(x), state[0])
        state[0] = tuple(t.detach() for t in h) if isinstance(h, tuple) else h.detach()
        F.cross_entropy(head(out).reshape(-1, vocab), y.reshape(-1)).backward()
        nn.utils.clip_grad_norm_(params, 5.0)
        opt.step()

    return step


def char_generate(dev, hidden, layers, tokens=1000, vocab=65):
    emb = nn.Embedding(vocab, hidden).to(dev)
    rnn = nn.LSTM(hidden, hidden, layers, batch_first=True).to(dev)
    head = nn.Linear(hidden, vocab).to(dev)

    @torch.no_grad()
    def step():
        tok, h = torch.zeros(1, 1, dtype=torch.long, device=dev), None
        for _ in range(tokens):
            out, h = rnn(emb(tok), h)
            tok = torch.multinomial(F.softmax(head(out[:, -1]) / 0.8, -1), 1)

    return step


def translate(dev, size):
    g = resnet_generator().to(dev).eval()
    x = torch.rand(1, 3, size, size, device=dev)

    @torch.no_grad()
    def step():
        g(x)

    return step


JOBS = {
    "cyclegan-step-resnet9-256": lambda d: cyclegan_step(d, resnet_generator, 256),
    "cyclegan-step-resnet6-128": lambda d: cyclegan_step(d, lambda: resnet_generator(6), 128),
    "cyclegan-step-unet-256": lambda d: cyclegan_step(d, UNet, 256),
    "translate-resnet9-256": lambda d: translate(d, 256),
    "translate-resnet9-512": lambda d: translate(d, 512),
    "nst-step-vgg19-256": lambda d: nst_step(d, 256),
    "nst-step-vgg19-512": lambda d: nst_step(d, 512),
    "char-lstm-step-h128x2": lambda d: char_lm_step(d, "LSTM", 128, 2, 50, 50),
    "char-lstm-step-h512x2": lambda d: char_lm_step(d, "LSTM", 512, 2, 50, 50),
    "char-gru-step-h512x2": lambda d: char_lm_step(d, "GRU", 512, 2, 50, 50),
    "word-lstm-step-h650x2-v10k": lambda d: char_lm_step(d, "LSTM", 650, 2, 20, 35, 10000),
    "char-lstm-generate-h512x2-1k": lambda d: char_generate(d, 512, 2),
}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("job", nargs="?", choices=sorted(JOBS))
    p.add_argument("--list", action="store_true")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--warmup", type=int, default=2)
    p.add_argument("--threads", type=int, default=0, help="0: PyTorch's own choice")
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    if a.list or not a.job:
        print("\n".join(JOBS))
        return
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    sync = torch.cuda.synchronize if a.device != "cpu" else (lambda: None)
    step = JOBS[a.job](a.device)
    for _ in range(a.warmup):
        step()
    times = []
    for _ in range(a.runs):
        sync()
        t = time.perf_counter()
        step()
        sync()
        times.append((time.perf_counter() - t) * 1e3)
    times.sort()
    print(json.dumps({"job": a.job, "median_ms": round(times[len(times) // 2], 2), "min_ms": round(times[0], 2),
                      "runs": a.runs, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


if __name__ == "__main__":
    main()
