"""The same encoder-decoder in PyTorch, on the same pairs in the same tokens, for a comparison of what is reached and of time.

    gdl seq2seq train PAIRS.tsv --out RUN ...
    python tests/peers/translate.py RUN PAIRS.tsv TEST.tsv [--steps N | --minutes M] [--threads 2] [--beam 5]

Takes sizes, settings and vocabularies from RUN (config.json, tokenizer.json); begins with weights of its own, drawn alike. Models with
general or dot attention, without copying and coverage. Needs torch, tokenizers and sacrebleu. Prints the time of a step, the validation
loss on TEST and BLEU by greedy and beam search.
"""

import argparse
import json
import random
import time
from pathlib import Path

import sacrebleu
import tokenizers
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

PAD, BOS, EOS, BEHIND = 0, 1, 2, 3


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        e, h, layers, drop = c["embedding"], c["hidden"], c["layers"], c["dropout"]
        assert not c["copy"] and not c["coverage"] and c["attention"] in ("dot", "general"), "see the script's head"
        rnn = {"lstm": nn.LSTM, "gru": nn.GRU}[c["cell"]]
        self.both, self.feed = c["bidirectional_encoder"], c["input_feeding"]
        self.between = drop if layers > 1 else 0.0
        self.target = nn.Embedding(c["target_vocab"], e)
        self.source = self.target if c["tied"] == "all" else nn.Embedding(c["source_vocab"], e)
        self.encoder = rnn(e, h // 2 if self.both else h, layers, batch_first=True, bidirectional=self.both, dropout=self.between)
        self.decoder = rnn(e + (h if self.feed else 0), h, layers, batch_first=True, dropout=self.between)
        self.memory = nn.Linear(h, h, bias=False) if c["attention"] == "general" else nn.Identity()
        self.combine = nn.Linear(2 * h, h, bias=False)
        self.project = nn.Linear(h, e, bias=False) if c["tied"] != "none" and e != h else nn.Identity()
        self.output = nn.Linear(e if c["tied"] != "none" else h, c["target_vocab"])
        if c["tied"] != "none":
            self.output.weight = self.target.weight
        self.drop = nn.Dropout(drop)
        for p in self.parameters():
            nn.init.uniform_(p, -0.1, 0.1)

    def encode(self, rows):
        lengths = torch.tensor([len(r) for r in rows])
        x = self.drop(self.source(pad_sequence(rows, True, PAD)))
        memory, state = self.encoder(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        memory = pad_packed_sequence(memory, batch_first=True)[0]
        join = lambda s: torch.cat([s[0::2], s[1::2]], 2) if self.both else s
        state = tuple(map(join, state)) if isinstance(state, tuple) else join(state)
        gone = torch.arange(memory.shape[1])[None] >= lengths[:, None]
        return memory, self.memory(memory), gone[:, None], state

    def look(self, q, memory, keys, gone):
        a = (q @ keys.transpose(1, 2)).masked_fill(gone, -torch.inf).softmax(2)
        return self.drop(torch.tanh(self.combine(torch.cat([a @ memory, q], 2))))

    def decode(self, inputs, encoded, state, fed=None):
        memory, keys, gone, _ = encoded
        x = self.drop(self.target(inputs))
        if not self.feed:
            q, state = self.decoder(x, state)
            o = self.look(q, memory, keys, gone)
            return self.output(self.project(o)), state, None
        out = []
        fed = torch.zeros(len(x), 1, memory.shape[2]) if fed is None else fed
        for t in range(x.shape[1]):
            q, state = self.decoder(torch.cat([x[:, t : t + 1], fed], 2), state)
            fed = self.look(q, memory, keys, gone)
            out.append(fed)
        return self.output(self.project(torch.cat(out, 1))), state, fed

    def loss(self, sources, targets, smoothing=0.0):
        inputs = pad_sequence([torch.cat([torch.tensor([BOS]), t]) for t in targets], True, PAD)
        labels = pad_sequence([torch.cat([t, torch.tensor([EOS])]) for t in targets], True, PAD)
        encoded = self.encode(sources)
        logits = self.decode(inputs, encoded, encoded[3])[0]
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=PAD, label_smoothing=smoothing)

    @torch.no_grad()
    def write(self, source, beam, banned, longest=100):
        """The likeliest row by a beam, without a length penalty, as `gdl seq2seq run --beam N` has it."""
        encoded = self.encode([source])
        state, fed, beams, found = encoded[3], None, [([BOS], 0.0)], []
        for _ in range(longest):
            n = len(beams)
            many = tuple(x.expand(n, *x.shape[1:]) for x in encoded[:3]) + (None,)
            logits, state, fed = self.decode(torch.tensor([[b[0][-1]] for b in beams]), many, state, fed)
            p = logits[:, 0].log_softmax(1)
            p[:, banned] = -torch.inf
            total = (p + torch.tensor([b[1] for b in beams])[:, None]).flatten()
            score, index = total.topk(min(2 * beam, len(total)))
            next_, rows = [], []
            for s, i in zip(score.tolist(), index.tolist()):
                row, token = divmod(i, p.shape[1])
                if len(next_) == beam:
                    break
                if token == EOS:
                    found.append((beams[row][0][1:], s))
                else:
                    next_.append((beams[row][0] + [token], s))
                    rows.append(row)
            pick = lambda s: s[:, rows].contiguous()
            state = tuple(map(pick, state)) if isinstance(state, tuple) else pick(state)
            fed = fed[rows] if fed is not None else None
            beams = next_
            if len(found) >= beam and max(b[1] for b in beams) < sorted((s for _, s in found), reverse=True)[beam - 1]:
                break
        return max(found or [(b[0][1:], b[1]) for b in beams], key=lambda f: f[1])[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("pairs")
    parser.add_argument("test")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    config = json.loads((args.run / "config.json").read_text())["seq2seq"]
    target = tokenizers.Tokenizer.from_file(str(args.run / "tokenizer.json"))
    source = target if config["shared"] else tokenizers.Tokenizer.from_file(str(args.run / "source-tokenizer.json"))

    def read(path):
        rows = [line.rstrip("\n").split("\t") for line in open(path, encoding="utf-8")]
        ids = lambda t, x: torch.tensor([i + BEHIND for i in t.encode(x).ids], dtype=torch.long)
        return [(ids(source, s), ids(target, t)) for s, t in rows], [t for _, t in rows]

    (pairs, _), (test, references) = read(args.pairs), read(args.test)
    model, batch = Model(config["model"]), config["batch"]
    optimizer = torch.optim.Adam(model.parameters(), lr=config["learning_rate"])
    per_pass = -(-len(pairs) // batch)
    steps = args.steps or (config["length"].get("steps") or config["length"]["epochs"] * per_pass)
    smoothing = config["loss"]["label_smoothing"]
    print(f"{sum(p.numel() for p in model.parameters())} weights, {steps} steps, {per_pass} a pass")

    def batches():
        while True:
            order = pairs[:]
            rng.shuffle(order)
            pools = [sorted(order[i : i + 50 * batch], key=lambda p: (len(p[1]), len(p[0]))) for i in range(0, len(order), 50 * batch)]
            all_ = [pool[i : i + batch] for pool in pools for i in range(0, len(pool), batch)]
            rng.shuffle(all_)
            yield from all_

    model.train()
    began, times, said = time.time(), [], time.time()
    for step, rows in zip(range(steps), batches()):
        way = step / steps
        if args.minutes:
            way = (time.time() - began) / 60 / args.minutes
            if way >= 1:
                break
        for group in optimizer.param_groups:
            group["lr"] = config["learning_rate"] * (1 - way if config["anneal"] == "linear" else 1)
        t = time.time()
        loss = model.loss([s for s, _ in rows], [t for _, t in rows], smoothing)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config["clip"])
        optimizer.step()
        times.append(time.time() - t)
        if time.time() - said > 30:
            said = time.time()
            print(f"step {step + 1}: loss {loss.item():.3f}, {1000 * sorted(times)[len(times) // 2]:.1f} ms a step", flush=True)
    seconds = time.time() - began
    model.eval()
    with torch.no_grad():
        count = sum(len(t) + 1 for _, t in test)
        total = sum(
            model.loss([s for s, _ in part], [t for _, t in part]).item() * sum(len(t) + 1 for _, t in part)
            for part in (test[i : i + 64] for i in range(0, len(test), 64))
        )
    print(f"{len(times)} steps in {seconds:.0f} s, median {1000 * sorted(times)[len(times) // 2]:.1f} ms; loss on the test {total / count:.4f}")
    banned = [PAD, BOS] + ([config["model"]["unk"]] if config["tokenizer"]["level"] in ("char", "word") else [])
    for beam in [1, args.beam]:
        written = [target.decode([i - BEHIND for i in model.write(s, beam, banned) if i >= BEHIND]) for s, _ in test]
        print(f"beam {beam}: BLEU {sacrebleu.corpus_bleu(written, [references]).score:.2f}, "
              f"chrF {sacrebleu.corpus_chrf(written, [references]).score:.2f}")


main()
