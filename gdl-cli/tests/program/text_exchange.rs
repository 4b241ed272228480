//! `gdl text import` and `gdl text export`: models of PyTorch in and out.

use crate::common::{Dir, assert_same};
use candle_core::{Device, Tensor};
use gdl_train::{Tensors, load_pth, save_pth, save_tensors};
use std::collections::BTreeMap;

const TOKENS: [&str; 6] = ["\\n", " ", "f", "o", "x", "e"];

/// A state dict as of PyTorch's word language model, of 6 tokens, vectors of 3 and an LSTM of 4.
fn state_dict() -> Tensors {
    let tensor = |name: &str, shape: &[usize]| {
        let n: usize = shape.iter().product();
        let value = |i: usize| ((i * 37 + name.len() * 11) % 19) as f32 / 9.0 - 1.0;
        let values: Vec<f32> = (0..n).map(value).collect();
        (name.to_string(), Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
    };
    Tensors::from([
        tensor("encoder.weight", &[6, 3]),
        tensor("rnn.weight_ih_l0", &[16, 3]),
        tensor("rnn.weight_hh_l0", &[16, 4]),
        tensor("rnn.bias_ih_l0", &[16]),
        tensor("rnn.bias_hh_l0", &[16]),
        tensor("decoder.weight", &[6, 4]),
        tensor("decoder.bias", &[6]),
    ])
}

fn stocked() -> Dir {
    let dir = Dir::new();
    save_pth(dir.path("model.pth"), &state_dict()).unwrap();
    dir.write("vocabulary.txt", TOKENS.join("\n") + "\n");
    dir.write("text.txt", "fox of oxe\nfox\n".repeat(30));
    dir
}

#[test]
fn an_imported_model_is_a_run() {
    let dir = stocked();
    let said = dir.succeeds("text import model.pth --vocab vocabulary.txt --out new/run");
    assert_eq!(said.stdout, "");
    for part in ["LSTM of 1 x 4", "7 tokens (char)", "<unk>", "gdl text generate new/run"] {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    let written = dir.succeeds("text generate new/run --prompt fox --length 30 --temperature 1").stdout;
    assert!(written.starts_with("fox") && written.chars().count() == 34, "{written}");
    let json = dir.succeeds("text eval new/run text.txt --json").stdout;
    assert!(json.contains("\"unknown\":0"), "{json}");
    let report = dir.succeeds("text report new/run text.txt --samples 2 --length 20").stdout;
    assert!(report.contains("samples: 2"), "{report}");
    dir.fails("text report new/run", &["new/run", "was imported", "CORPUS"]);
    dir.fails("text train text.txt --out new/run --resume", &["new/run", "imported"]);

    dir.write("more.txt", "fox, \u{f6}xe\n".repeat(30));
    let begun = "text train more.txt --batch 2 --seq 8 --steps 1 --out more --init-from new/run";
    let said = dir.succeeds(begun).stderr;
    assert!(said.contains("[',', '\u{f6}']"), "{said}");
    let train = "text train text.txt --batch 2 --seq 8 --steps 3 --quiet --out";
    dir.succeeds(&format!("{train} begun --init-from new/run"));
    assert_eq!(dir.read("begun/tokenizer.json"), dir.read("new/run/tokenizer.json"));
    dir.succeeds("text train text.txt --out begun --resume --steps 5 --quiet");
    dir.misused(&format!("{train} again --init-from new/run --hidden 8"), &["--init-from", "--hidden"]);
    dir.fails(&format!("{train} again --init-from nowhere"), &["nowhere"]);
}

#[test]
fn an_exported_model_comes_back_the_same() {
    let dir = stocked();
    dir.succeeds("text import model.pth --vocab vocabulary.txt --out run --quiet");
    let said = dir.succeeds("text export run out.pth").stderr;
    assert!(
        said.contains("out.pth") && said.contains("out.vocab.json") && said.contains("7 tokens"),
        "{said}"
    );
    let exported = load_pth(dir.path("out.pth"), |_| true).unwrap();
    assert_eq!(exported.keys().collect::<Vec<_>>(), state_dict().keys().collect::<Vec<_>>());
    let rows = exported["encoder.weight"].narrow(0, 1, 6).unwrap();
    assert_same(
        &Tensors::from([("rows".into(), rows)]),
        &Tensors::from([("rows".into(), state_dict()["encoder.weight"].clone())]),
    );
    dir.succeeds("text import out.pth --vocab out.vocab.json --out again --quiet");
    assert_same(&dir.weights("again"), &dir.weights("run"));
    dir.succeeds("text export run ours.safetensors --names gdl --vocab-out v.json --quiet");
    dir.succeeds("text import ours.safetensors --vocab v.json --out third --quiet");
    assert_same(&dir.weights("third"), &dir.weights("run"));

    dir.fails("text export run model.onnx", &["model.onnx", ".safetensors"]);
    dir.fails("text export nowhere out.pth", &["nowhere"]);
    dir.misused("text export run out.pth --names keras", &["keras", "pytorch-examples"]);
}

#[test]
fn what_cannot_be_imported_leaves_nothing_behind() {
    let dir = stocked();
    let mut tensors = state_dict();
    tensors.insert("rnn.weight_ih_l0_reverse".into(), tensors["rnn.weight_ih_l0"].clone());
    save_pth(dir.path("both.pth"), &tensors).unwrap();
    let mut tensors = state_dict();
    tensors.insert("pos_encoder.pe".into(), tensors["decoder.bias"].clone());
    save_pth(dir.path("more.pth"), &tensors).unwrap();
    dir.write("short.json", "[\"a\", \"b\"]");
    dir.write("words.txt", "\\n\nfox\no\nx\ne\nf\n");
    let import = |weights: &str, more: &str| format!("text import {weights} --out a/run --vocab {more}");
    dir.fails(&import("model.pth", "short.json"), &["short.json", "2 tokens", "model.pth is for 6"]);
    dir.fails(&import("both.pth", "vocabulary.txt"), &["weight_ih_l0_reverse", "both directions"]);
    dir.fails(&import("more.pth", "vocabulary.txt"), &["more.pth", "pos_encoder.pe"]);
    dir.fails(&import("text.txt", "vocabulary.txt"), &["text.txt"]);
    dir.fails(&import("model.pth", "model.pth"), &["model.pth", "vocabulary"]);
    dir.fails(&import("model.pth", "words.txt --level char"), &["words.txt", "\"fox\""]);
    dir.fails(&import("model.pth", "nowhere.txt"), &["nowhere.txt"]);
    dir.fails(&import("nowhere.pth", "vocabulary.txt"), &["nowhere.pth"]);
    dir.misused(&import("model.pth", "vocabulary.txt --lowercase --keep-case"), &["--keep-case"]);
    dir.fails("text import model.pth --out a/run", &["model.pth", "no vocabulary inside"]);
    dir.write("b/config.json", "{}");
    dir.fails("text import model.pth --vocab vocabulary.txt --out b", &["already holds a run"]);
}

#[test]
fn a_model_of_textgenrnn_is_a_run_that_writes_and_scores() {
    let dir = stocked();
    let state = state_dict();
    let ramp = |n: u32, shape: &[usize]| {
        Tensor::arange(0f32, n as f32, &Device::Cpu)
            .unwrap()
            .affine(0.1, -1.0)
            .unwrap()
            .reshape(shape)
            .unwrap()
    };
    let rnn = |name: &str| (format!("rnns.0.{name}"), state[&format!("rnn.{name}")].clone());
    let names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
    let mut tensors: Tensors = names.into_iter().map(rnn).collect();
    tensors.insert("embedding.weight".into(), state["encoder.weight"].clone());
    tensors.insert("attention.weight".into(), ramp(7, &[7]));
    tensors.insert("head.weight".into(), ramp(42, &[6, 7]));
    tensors.insert("head.bias".into(), state["decoder.bias"].clone());
    let metadata = BTreeMap::from(
        [
            ("kind", "textgenrnn"),
            ("vocabulary", r#"["<unk>", "<s>", "f", "o", "x", "e"]"#),
            ("max_length", "4"),
            ("recurrent_activation", "hard_sigmoid"),
            ("single_text", "false"),
        ]
        .map(|(key, value)| (key.to_string(), value.to_string())),
    );
    save_tensors(dir.path("model.safetensors"), &tensors, &metadata).unwrap();

    let said = dir.succeeds("text import model.safetensors --out run").stderr;
    assert!(said.contains("6 tokens (char), attention over the last 4"), "{said}");
    let text = dir.succeeds("text generate run --prompt fox --length 40 --temperature 3 --top-k 4").stdout;
    assert!(text.starts_with("fox") && text.chars().count() == 44, "{text}");
    let one = dir.succeeds_with(&["text", "generate", "run", "--temperature", "9", "--stop", "\n"]).stdout;
    assert_eq!(one.lines().count(), 1, "{one}");
    dir.succeeds("text generate run --beams 3 --length 10");
    let json = dir.succeeds("text eval run text.txt --json").stdout;
    assert!(json.contains("\"unknown\":60"), "{json}");
    dir.fails("text export run model.pth", &["textgenrnn"]);
    dir.fails("text train text.txt --out begun --init-from run", &["not trained here"]);
    dir.fails("text import model.safetensors --vocab vocabulary.txt --out other", &["has its own inside"]);
}
