"""Converts a character model of textgenrnn to a file that `gdl text import` takes.

    pip install h5py numpy
    python docs/convert/textgenrnn.py WEIGHTS.hdf5 VOCAB.json [CONFIG.json] --out model.safetensors
    gdl text import model.safetensors --out RUN

https://github.com/minimaxir/textgenrnn keeps a model in three files: weights as Keras saves them, a vocabulary with the id
of each character, and a configuration; without the last, its defaults hold, as for the weights that come with it.

The network: vectors, LSTM layers on top of each other, and a mean over the last `max_length` characters of the vectors and of what
each layer gives, weighted by an attention of one weight for each feature; of that, the scores. What becomes of its weights:

| Keras | here | how |
| --- | --- | --- |
| embedding/embeddings (V, E) | embedding.weight (V, E) | as it is; id 0, which pads, is the unknown token |
| rnn_k/kernel (in, 4H), recurrent_kernel (H, 4H) | rnns.{k-1}.weight_ih_l0 (4H, in), weight_hh_l0 (4H, H) | transposed; Keras has its gates i, f, c, o where PyTorch has i, f, g, o |
| rnn_k/bias (4H) | rnns.{k-1}.bias_ih_l0 (4H); bias_hh_l0 is zeros | Keras has one bias |
| rnn_k/bias (8H), of a CuDNNLSTM | the same | its two biases added up; its kernels are laid out otherwise, and first put as Keras' own are |
| attention/attention_W (E + layers H, 1) | attention.weight (E + layers H) | flat |
| output/kernel (F, V), bias (V) | head.weight (V, F), head.bias (V) | transposed |

The activation of the gates is no part of the weights. textgenrnn names the logistic sigmoid since its version 1.0 (April 2018); models
of before have Keras' hard sigmoid, clip(0.2 x + 0.5, 0, 1): `--recurrent-activation hard_sigmoid`. Where the file holds the
whole model, it says which.
"""

import argparse
import json
import pathlib
import struct
import sys

import numpy as np

DEFAULTS = {
    "rnn_layers": 2,
    "rnn_size": 128,
    "rnn_bidirectional": False,
    "max_length": 40,
    "dim_embeddings": 100,
    "word_level": False,
    "single_text": False,
}


class Refused(Exception):
    """What is not converted, and why."""


def check(config):
    """Refuses what `gdl` has no model for."""
    if config["word_level"]:
        raise Refused("it is a model of words; models of characters are converted")
    if config["rnn_bidirectional"]:
        raise Refused("its layers read in both directions; models that read forwards are converted")


def plain_lstm(kernel, recurrent, bias):
    """The weights of a Keras LSTM, be they of that or of a CuDNNLSTM."""
    hidden = recurrent.shape[0]
    if bias.shape != (8 * hidden,):
        return kernel, recurrent, bias
    # Keras fills the rows of cuDNN's matrices, (H, in), from theirs, (in, H), in the order of the memory.
    kernel = np.hstack([k.T.reshape(k.shape, order="F") for k in np.hsplit(kernel, 4)])
    recurrent = np.hstack([k.T for k in np.hsplit(recurrent, 4)])
    return kernel, recurrent, bias[: 4 * hidden] + bias[4 * hidden :]


def convert(layers, vocabulary, config, activation):
    """Tensors and metadata, from {layer: {weight: array}}, {character: id}, and the configuration."""
    config = {**DEFAULTS, **config}
    check(config)

    def get(layer, *names):
        for name in names:
            if name in layers.get(layer, {}):
                return np.asarray(layers[layer][name], np.float32)
        raise Refused(f"it has no {layer}/{names[0]}: no weights of a textgenrnn of {config['rnn_layers']} layers")

    if not isinstance(vocabulary, dict):
        raise Refused("its vocabulary is no JSON object with the id of each character")
    ids = {id: token for token, id in vocabulary.items()}
    if sorted(ids) != list(range(1, len(vocabulary) + 1)):
        raise Refused(f"its {len(vocabulary)} characters do not have the ids 1 to {len(vocabulary)}")
    tensors = {"embedding.weight": get("embedding", "embeddings", "W")}
    for k in range(config["rnn_layers"]):
        at = f"rnn_{k + 1}"
        weights = [get(at, name) for name in ("kernel", "recurrent_kernel", "bias")]
        kernel, recurrent, bias = plain_lstm(*weights)
        tensors[f"rnns.{k}.weight_ih_l0"] = kernel.T
        tensors[f"rnns.{k}.weight_hh_l0"] = recurrent.T
        tensors[f"rnns.{k}.bias_ih_l0"] = bias
        tensors[f"rnns.{k}.bias_hh_l0"] = np.zeros_like(bias)
    tensors["attention.weight"] = get("attention", "attention_W").reshape(-1)
    tensors["head.weight"] = get("output", "kernel").T
    tensors["head.bias"] = get("output", "bias")
    rows = tensors["embedding.weight"].shape[0]
    if rows != len(vocabulary) + 1:
        raise Refused(f"its weights are for {rows - 1} characters, and the vocabulary has {len(vocabulary)}")
    metadata = {
        "kind": "textgenrnn",
        "vocabulary": json.dumps(["<unk>"] + [ids[id] for id in sorted(ids)]),
        "max_length": str(config["max_length"]),
        "recurrent_activation": activation,
        "single_text": "true" if config.get("single_text") else "false",
    }
    return tensors, metadata


def save(path, tensors, metadata):
    """Writes a .safetensors file: the length of a JSON header, the header, the numbers."""
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        blob = np.ascontiguousarray(tensors[name], "<f4").tobytes()
        shape = list(tensors[name].shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read(path):
    """The weights of a Keras file as {layer: {weight: array}}, and the activation of the gates where the file says it."""
    import h5py

    layers, activation = {}, None
    with h5py.File(path, "r") as file:
        if "model_config" in file.attrs:
            model = file.attrs["model_config"]
            model = json.loads(model.decode() if isinstance(model, bytes) else model)
            for layer in model["config"]["layers"]:
                activation = layer["config"].get("recurrent_activation", activation)
        root = file["model_weights"] if "model_weights" in file else file

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                parts = name.split("/")
                layers.setdefault(parts[0], {})[parts[-1].split(":")[0]] = item[()]
                if any(part.startswith("backward_") for part in parts):
                    raise Refused("its layers read in both directions; models that read forwards are converted")

        root.visititems(visit)
    return layers, activation


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", help="the model's .hdf5 file")
    parser.add_argument("vocab", help="its vocabulary, .json")
    parser.add_argument("config", nargs="?", help="its configuration, .json; without one, textgenrnn's defaults hold")
    parser.add_argument("--out", required=True, help="the .safetensors file to write")
    parser.add_argument("--recurrent-activation", choices=["sigmoid", "hard_sigmoid"], help="default: what the file says, or sigmoid")
    args = parser.parse_args()
    try:
        config = json.loads(pathlib.Path(args.config).read_text("utf-8")) if args.config else {}
        check({**DEFAULTS, **config})
        layers, activation = read(args.weights)
        vocabulary = json.loads(pathlib.Path(args.vocab).read_text("utf-8"))
        activation = args.recurrent_activation or activation or "sigmoid"
        save(args.out, *convert(layers, vocabulary, config, activation))
    except (OSError, ValueError, Refused) as e:
        sys.exit(f"{args.weights}: {e}")


if __name__ == "__main__":
    main()
