"""The character model of `gdl text train`, in PyTorch: same model, same data order, same optimizer, same figures.

    gdl text train corpus.txt --out run --hidden 128 --layers 2 --batch 50 --seq 50 --steps 1000
    python tests/peers/char_lm.py corpus.txt --hidden 128 --layers 2 --batch 50 --seq 50 --steps 1000

Both print the validation loss in nats per character, the perplexity, the bits per character and the seconds. The text is
cut 90/5/5 by characters. The training part is `batch` contiguous streams, read `seq` characters at a time, the
state carried on and reset with every pass. Validation reads up to 16 streams of at least 1,000 characters to their
ends. Weights are drawn as PyTorch draws them, which is how gdl draws them too, from another generator; with
`--initial FILE` they are taken from a safetensors file (such as a run's weights.safetensors), and then the losses agree
step by step.

Needs torch (and safetensors for --initial). Not part of the test suite.
"""

import argparse
import math
import time

import torch


class CharLm(torch.nn.Module):
    def __init__(self, vocab, cell, hidden, layers):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocab, hidden)
        self.rnn = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](hidden, hidden, layers, batch_first=True)
        self.head = torch.nn.Linear(hidden, vocab)

    def loss(self, x, y, state):
        hidden, state = self.rnn(self.embedding(x), state)
        loss = torch.nn.functional.cross_entropy(self.head(hidden).flatten(0, 1), y.flatten())
        return loss, tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


@torch.no_grad()
def evaluate(model, ids):
    streams = min(max((len(ids) - 1) // 1000, 1), 16)
    length = (len(ids) - 1) // streams
    x = ids[: streams * length].view(streams, length)
    y = ids[1 : streams * length + 1].view(streams, length)
    total, state = 0.0, None
    for at in range(0, length, 64):
        loss, state = model.loss(x[:, at : at + 64], y[:, at : at + 64], state)
        total += loss.item() * x[:, at : at + 64].numel()
    return total / (streams * length)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("corpus")
    p.add_argument("--cell", choices=["lstm", "gru"], default="lstm")
    p.add_argument("--hidden", type=int, default=128)
    p.add_argument("--layers", type=int, default=2)
    p.add_argument("--batch", type=int, default=50)
    p.add_argument("--seq", type=int, default=50)
    p.add_argument("--steps", type=int, default=1000)
    p.add_argument("--learning-rate", type=float, default=2e-3)
    p.add_argument("--clip", type=float, default=5.0)
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--initial", help="safetensors file with the initial weights")
    p.add_argument("--every", type=int, default=100, help="steps between two lines")
    a = p.parse_args()

    with open(a.corpus, encoding="utf-8", newline="") as f:
        text = f.read()
    chars = {c: i for i, c in enumerate(sorted(set(text)), 1)}  # 0 is the unknown token
    ids = torch.tensor([chars[c] for c in text])
    train, valid = ids[: round(len(ids) * 0.9)], ids[round(len(ids) * 0.9) : round(len(ids) * 0.95)]
    length = (len(train) - 1) // a.batch
    x = train[: a.batch * length].view(a.batch, length)
    y = train[1 : a.batch * length + 1].view(a.batch, length)
    per_epoch = length // a.seq

    torch.manual_seed(a.seed)
    model = CharLm(len(chars) + 1, a.cell, a.hidden, a.layers)
    if a.initial:
        from safetensors.torch import load_file

        model.load_state_dict(load_file(a.initial))
    adam = torch.optim.Adam(model.parameters(), a.learning_rate)
    began, state = time.time(), None
    for step in range(a.steps):
        at = step % per_epoch * a.seq
        loss, state = model.loss(x[:, at : at + a.seq], y[:, at : at + a.seq], state if at else None)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), a.clip)
        adam.step()
        if (step + 1) % a.every == 0:
            rate = (step + 1) * a.batch * a.seq / (time.time() - began)
            print(f"step {step + 1}  loss {loss.item():.4f}  {rate:.0f} tokens/s", flush=True)
    seconds, loss = time.time() - began, evaluate(model, valid)
    print(
        f"validation loss {loss:.4f}  perplexity {math.exp(loss):.3f}  bits per character {loss / math.log(2):.4f}  "
        f"after {a.steps} steps in {seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
