use crate::Case;
use candle_core::{DType, Result, Tensor};
use candle_nn::Module;
use gdl_rnn::{
    CrossEntropy, Embedding, EmbeddingConfig, Gru, GruConfig, GruReset, GruState, LayerNorm, Linear, Lstm,
    LstmCell, LstmConfig, LstmNorm, LstmState, SequenceParams, Zoneout, additive_scores, cross_entropy,
    gru_sequence, linear_cross_entropy, lstm_sequence, token_losses,
};
use std::collections::HashMap;

const LENGTHS: [usize; 3] = [6, 2, 5];

/// Sequences, and what language models have at their two ends.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = lstms();
    cases.extend(grus());
    cases.extend(bidirectional());
    cases.extend(tokens());
    cases
}

/// The two ways through a batch, and rows of different lengths.
fn ways() -> [(&'static str, bool, Option<&'static [usize]>); 4] {
    [
        ("", false, None),
        ("reverse", true, None),
        ("ragged", false, Some(&LENGTHS)),
        ("ragged, reverse", true, Some(&LENGTHS)),
    ]
}

/// Weights as layers have them; the inputs are normal.
fn smaller(t: &Tensor) -> Result<Tensor> {
    t * 0.4
}

fn lstms() -> Vec<Case> {
    // x, w_ih, w_hh, bias, h0, c0 with N = 3, T = 6, I = 4, H = 5
    let inputs: [&[usize]; 6] = [&[3, 6, 4], &[20, 4], &[20, 5], &[20], &[3, 5], &[3, 5]];
    let mut cases: Vec<Case> = ways()
        .into_iter()
        .map(|(variant, reverse, lengths)| {
            Case::new("lstm_sequence", variant, &inputs, move |t| {
                let (w_ih, w_hh) = (smaller(&t[1])?, smaller(&t[2])?);
                let cell = LstmCell { bias: Some(&t[3]), ..LstmCell::new(&w_ih, &w_hh) };
                let (y, h, c) =
                    lstm_sequence(&t[0], &cell, &t[4], &t[5], SequenceParams { reverse, lengths })?;
                Ok(vec![y, h, c])
            })
        })
        .collect();
    cases.push(Case::new(
        "lstm_sequence",
        "one step",
        &[&[3, 1, 4], &[20, 4], &[20, 5], &[3, 5], &[3, 5]],
        |t| {
            let (y, h, c) =
                lstm_sequence(&t[0], &LstmCell::new(&t[1], &t[2]), &t[3], &t[4], SequenceParams::default())?;
            Ok(vec![y, h, c])
        },
    ));
    let special: [&[usize]; 10] =
        [&[2, 4, 3], &[20, 3], &[20, 2], &[2, 5], &[2, 2], &[2, 5], &[20], &[20], &[20], &[20]];
    cases.push(Case::new("lstm_sequence", "normalised, projected", &special, |t| {
        let (w_ih, w_hh) = (smaller(&t[1])?, smaller(&t[2])?);
        let (ones, zeros) = (Tensor::ones(5, t[0].dtype(), t[0].device())?, t[0].zeros_like()?);
        let zeros = zeros.flatten_all()?.narrow(0, 0, 5)?;
        let norm = LstmNorm {
            ih: LayerNorm { weight: &t[6], bias: &t[7] },
            hh: LayerNorm { weight: &t[8], bias: &t[9] },
            c: LayerNorm { weight: &ones, bias: &zeros },
        };
        let cell = LstmCell { w_hr: Some(&t[3]), norm: Some(norm), ..LstmCell::new(&w_ih, &w_hh) };
        let (y, h, c) = lstm_sequence(&t[0], &cell, &t[4], &t[5], SequenceParams::default())?;
        Ok(vec![y, h, c])
    }));
    cases.push(Case::new(
        "lstm_sequence",
        "zoneout",
        &[&[2, 4, 3], &[20, 3], &[20, 5], &[2, 5], &[2, 5]],
        |t| {
            let keep = (Tensor::ones((2, 4, 5), t[0].dtype(), t[0].device())? * 0.25)?;
            let zoneout = Some(Zoneout { h: &keep, c: &keep });
            let cell = LstmCell { zoneout, ..LstmCell::new(&t[1], &t[2]) };
            let (y, h, c) = lstm_sequence(&t[0], &cell, &t[3], &t[4], SequenceParams::default())?;
            Ok(vec![y, h, c])
        },
    ));
    cases
}

fn grus() -> Vec<Case> {
    // x, w_ih, w_hh, bias, b_hn, h0 with N = 3, T = 6, I = 4, H = 5
    let inputs: [&[usize]; 6] = [&[3, 6, 4], &[15, 4], &[15, 5], &[15], &[5], &[3, 5]];
    let mut cases: Vec<Case> = ways()
        .into_iter()
        .map(|(variant, reverse, lengths)| {
            Case::new("gru_sequence", variant, &inputs, move |t| {
                let (w_ih, w_hh) = (smaller(&t[1])?, smaller(&t[2])?);
                let (params, reset) = (SequenceParams { reverse, lengths }, GruReset::After(Some(&t[4])));
                let (y, h) = gru_sequence(&t[0], &w_ih, &w_hh, Some(&t[3]), &t[5], reset, params)?;
                Ok(vec![y, h])
            })
        })
        .collect();
    cases.push(Case::new("gru_sequence", "reset before", &[&[3, 6, 4], &[15, 4], &[15, 5], &[3, 5]], |t| {
        let (w_ih, w_hh) = (smaller(&t[1])?, smaller(&t[2])?);
        let params = SequenceParams::default();
        let (y, h) = gru_sequence(&t[0], &w_ih, &w_hh, None, &t[3], GruReset::Before, params)?;
        Ok(vec![y, h])
    }));
    cases
}

/// Both directions in one operator.
fn bidirectional() -> Vec<Case> {
    let mut cases = Vec::new();
    for (variant, lengths) in [("bidirectional", [6; 3]), ("bidirectional, ragged", LENGTHS)] {
        // x, h0 and c0, then w_ih, w_hh, b_ih, b_hh of each direction, with N = 3, T = 6, I = 4, H = 5
        let side: [&[usize]; 4] = [&[20, 4], &[20, 5], &[20], &[20]];
        let inputs = [&[&[3, 6, 4][..], &[2, 3, 5], &[2, 3, 5]], &side[..], &side].concat();
        let lstm = Case::new("lstm_sequence", variant, &inputs, move |t| {
            let lstm = Lstm::new(&LstmConfig::new(4, 5).bidirectional(true), sides(&t[3..])?)?;
            let state = LstmState { h: t[1].clone(), c: t[2].clone() };
            let (y, state) = lstm.forward_padded(&t[0], &lengths, Some(&state), false)?;
            Ok(vec![y, state.h, state.c])
        });
        let side: [&[usize]; 4] = [&[15, 4], &[15, 5], &[15], &[15]];
        let inputs = [&[&[3, 6, 4][..], &[2, 3, 5]], &side[..], &side].concat();
        let gru = Case::new("gru_sequence", variant, &inputs, move |t| {
            let gru = Gru::new(&GruConfig::new(4, 5).bidirectional(true), sides(&t[2..])?)?;
            let state = GruState { h: t[1].clone() };
            let (y, state) = gru.forward_padded(&t[0], &lengths, Some(&state), false)?;
            Ok(vec![y, state.h])
        });
        cases.extend([lstm, gru]);
    }
    cases
}

/// The parameters of two directions, by PyTorch's names.
fn sides(t: &[Tensor]) -> Result<candle_nn::VarBuilder<'static>> {
    let names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
    let reverse = names.map(|name| format!("{name}_reverse"));
    let names = names.into_iter().chain(reverse.iter().map(String::as_str));
    let tensors = t.iter().map(smaller).collect::<Result<Vec<_>>>()?;
    Ok(builder(&names.zip(&tensors).collect::<Vec<_>>()))
}

/// Token ids below 11, shaped (2, 5).
fn ids(like: &Tensor) -> Result<Tensor> {
    Tensor::new(&[[3u32, 0, 10, 3, 7], [1, 3, 3, 9, 0]], like.device())
}

/// Layers from given tensors.
fn builder(tensors: &[(&str, &Tensor)]) -> candle_nn::VarBuilder<'static> {
    let map: HashMap<String, Tensor> =
        tensors.iter().map(|(name, tensor)| ((*name).to_string(), (*tensor).clone())).collect();
    let (dtype, device) = match tensors.first() {
        Some((_, first)) => (first.dtype(), first.device().clone()),
        None => (DType::F32, candle_core::Device::Cpu),
    };
    candle_nn::VarBuilder::from_tensors(map, dtype, &device)
}

fn head(weight: &Tensor, bias: &Tensor) -> Result<Linear> {
    let (outputs, inputs) = weight.dims2()?;
    gdl_rnn::linear(inputs, outputs, builder(&[("weight", weight), ("bias", bias)]))
}

fn tokens() -> Vec<Case> {
    let ignoring = || CrossEntropy { ignore_index: Some(3), label_smoothing: 0.1 };
    vec![
        Case::new("embedding", "", &[&[11, 6]], |t| {
            let config = EmbeddingConfig { vocab_size: 11, size: 6 };
            let layer = Embedding::new(&config, builder(&[("weight", &t[0])]))?;
            Ok(vec![layer.forward(&ids(&t[0])?)?])
        }),
        Case::new("linear", "", &[&[2, 3, 6], &[5, 6], &[5]], |t| {
            Ok(vec![head(&t[1], &t[2])?.forward(&t[0])?])
        }),
        Case::new("cross_entropy", "", &[&[2, 5, 11]], |t| {
            Ok(vec![cross_entropy(&t[0], &ids(&t[0])?, &CrossEntropy::default())?])
        }),
        Case::new("cross_entropy", "ignoring, smoothed", &[&[2, 5, 11]], move |t| {
            Ok(vec![cross_entropy(&t[0], &ids(&t[0])?, &ignoring())?])
        }),
        Case::new("cross_entropy", "2100 tokens", &[&[4, 2100]], |t| {
            let targets = Tensor::new(&[0u32, 2099, 77, 1024], t[0].device())?;
            Ok(vec![cross_entropy(&t[0], &targets, &CrossEntropy::default())?])
        }),
        Case::new("token_losses", "ignoring, smoothed", &[&[2, 5, 11]], move |t| {
            Ok(vec![token_losses(&t[0], &ids(&t[0])?, &ignoring())?])
        }),
        Case::new("linear_cross_entropy", "", &[&[2, 5, 6], &[11, 6], &[11]], move |t| {
            Ok(vec![linear_cross_entropy(&t[0], &head(&t[1], &t[2])?, &ids(&t[0])?, &ignoring())?])
        }),
        Case::new("additive_scores", "", &[&[2, 3, 5], &[2, 4, 5], &[5]], |t| {
            Ok(vec![additive_scores(&t[0], &t[1], &t[2])?])
        }),
    ]
}
