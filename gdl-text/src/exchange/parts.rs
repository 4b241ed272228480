use super::state_dict::StateDict;
use crate::{Cell, Error, Result};
use candle_core::Tensor;
use gdl_train::Tensors;
use std::collections::BTreeMap;

/// What a recurrent layer's tensors are called in PyTorch, before `_l` and its number.
pub(super) const KINDS: [&str; 4] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];

/// What scores the tokens of a window, of a model that has one.
pub(super) const ATTENTION: &str = "attention.weight";

/// The parts of a language model, as a state dict has them.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) cell: Cell,
    /// (V, E)
    pub(super) embedding: Tensor,
    /// From the first layer to the last, by [`KINDS`].
    pub(super) layers: Vec<[Tensor; 4]>,
    /// (V, F); none where the vectors stand for it.
    pub(super) head: Option<Tensor>,
    /// (V)
    pub(super) bias: Option<Tensor>,
    /// (F), where an attention over a window of tokens comes before the scores.
    pub(super) attention: Option<Tensor>,
    /// What nothing was found for.
    pub(super) rest: Tensors,
    /// Whether layers have no biases, which are then zeros.
    pub(super) no_biases: bool,
}

impl Parts {
    /// Tells by names where these are known, and by shapes where not, what each tensor is; `windowed` says that there is an attention.
    pub(super) fn find(dict: &StateDict, windowed: bool) -> Result<Self> {
        let refuse = |message: String| Error::import(&dict.origin, message);
        let mut rest = dict.tensors.clone();
        let attention = take(&mut rest, &windowed.then(|| ATTENTION.to_string()));
        if windowed && attention.is_none() {
            return Err(refuse(format!("{ATTENTION} is missing")));
        }
        let networks = take_networks(&mut rest).map_err(refuse)?;
        let mut cell = None;
        let (mut layers, mut no_biases) = (Vec::new(), false);
        for (name, network) in in_order(networks).map_err(refuse)? {
            for (number, layer) in network {
                let at = format!("{name}{}layer {number}", if name.is_empty() { "" } else { ", " });
                let fault = |message: String| refuse(format!("{at}: {message}"));
                let (kind, without, layer) = complete(layer).map_err(fault)?;
                if *cell.get_or_insert(kind) != kind {
                    return Err(fault("it is of another kind than the layers below".into()));
                }
                no_biases |= without;
                layers.push(layer);
            }
        }
        let (Some(cell), Some(inputs), Some(outputs)) =
            (cell, layers.first().map(|l| width(&l[0], 1)), layers.last().map(|l| width(&l[1], 1)))
        else {
            let message =
                "it has no recurrent layers (weight_ih_l0, weight_hh_l0, ...), which make a language model";
            return Err(refuse(message.into()));
        };
        let embedding =
            pick(&rest, &["embedding.weight", "encoder.weight"], "reads the tokens", |name, t| {
                (width(t, 1) == inputs).then(|| !rest.contains_key(&bias_of(name)))
            });
        let embedding = embedding.map_err(refuse)?;
        let found = take(&mut rest, &embedding).ok_or_else(|| {
            refuse(format!("no tensor of shape (V, {inputs}) is there, which would read the tokens"))
        })?;
        let vocab = width(&found, 0);
        // Scores of an attention over the layers are of more features.
        let wide = |t: &Tensor| width(t, 1) >= outputs && width(t, 0) == vocab;
        let head = pick(&rest, &["head.weight", "decoder.weight"], "scores the tokens", |_, t| {
            wide(t).then_some(true)
        });
        let head = head.map_err(refuse)?;
        let bias = match &head {
            Some(head) => Some(bias_of(head)),
            None => rest.iter().find(|(_, t)| t.dims() == [vocab]).map(|(name, _)| name.clone()),
        };
        let bias = take(&mut rest, &bias);
        let head = take(&mut rest, &head);
        if head.is_none() && inputs != outputs {
            let message =
                format!("no tensor of shape ({vocab}, {outputs}) is there, which would score the tokens");
            return Err(refuse(message));
        }
        Ok(Self { cell, embedding: found, layers, head, bias, attention, rest, no_biases })
    }
}

/// The size of a dimension; 0 where there is none.
pub(super) fn width(t: &Tensor, dim: usize) -> usize {
    t.dims().get(dim).copied().unwrap_or(0)
}

fn take(rest: &mut Tensors, name: &Option<String>) -> Option<Tensor> {
    rest.remove(name.as_ref()?)
}

fn bias_of(name: &str) -> String {
    match name.strip_suffix("weight") {
        Some(prefix) => format!("{prefix}bias"),
        None => format!("{name}.bias"),
    }
}

/// A layer's tensors by kind.
type Layer = BTreeMap<String, Tensor>;
/// A network's layers by number.
type Network = BTreeMap<usize, Layer>;

/// Takes the recurrent layers out, by the name of their network.
fn take_networks(rest: &mut Tensors) -> std::result::Result<BTreeMap<String, Network>, String> {
    let mut networks = BTreeMap::<String, Network>::new();
    for name in rest.keys().cloned().collect::<Vec<_>>() {
        let (network, last) = name.rsplit_once('.').unwrap_or(("", &name));
        let Some((kind, number)) = last.rsplit_once("_l") else { continue };
        if number.ends_with("_reverse") {
            return Err(format!(
                "{name}: its layers read in both directions, and one that reads the text backwards has seen the token \
                 that it is to predict"
            ));
        }
        let Ok(number) = number.parse() else { continue };
        if kind == "weight_hr" {
            return Err(format!("{name}: LSTM layers with projections (proj_size) are not taken"));
        }
        if KINDS.contains(&kind)
            && let Some(tensor) = rest.remove(&name)
        {
            let layer = networks.entry(network.to_string()).or_default().entry(number).or_default();
            layer.insert(kind.to_string(), tensor);
        }
    }
    Ok(networks)
}

/// The networks as they stand on top of each other: one, or several of a list (`rnns.0`, `rnns.1`), or our own two.
fn in_order(networks: BTreeMap<String, Network>) -> std::result::Result<Vec<(String, Network)>, String> {
    for (name, network) in &networks {
        if let Some(missing) = (0..network.len()).find(|number| !network.contains_key(number)) {
            return Err(format!("{name}: layer {missing} is missing"));
        }
    }
    let names: Vec<&str> = networks.keys().map(String::as_str).collect();
    if networks.len() > 1 && names != ["rnn", "rnn_last"] {
        let numbered = |name: &str| {
            let (list, number) = name.rsplit_once('.').unwrap_or(("", name));
            Some((list.to_string(), number.parse::<usize>().ok()?))
        };
        let places: Option<Vec<_>> = names.iter().map(|name| numbered(name)).collect();
        let mut places = places.filter(|p| p.iter().all(|(list, _)| *list == p[0].0)).ok_or_else(|| {
            format!("it has several recurrent networks, {}: a language model has one", names.join(", "))
        })?;
        places.sort();
        let mut networks = networks;
        let named = |(list, number): (String, usize)| match list.as_str() {
            "" => number.to_string(),
            list => format!("{list}.{number}"),
        };
        let each = places.into_iter().map(named);
        return Ok(each.filter_map(|name| networks.remove(&name).map(|network| (name, network))).collect());
    }
    Ok(networks.into_iter().collect())
}

/// The cell of a layer, whether it has no biases, and its tensors by [`KINDS`], the biases made up.
fn complete(mut layer: Layer) -> std::result::Result<(Cell, bool, [Tensor; 4]), String> {
    let mut need = |kind: &str| {
        let tensor = layer.remove(kind).ok_or_else(|| format!("{kind} is missing"))?;
        if tensor.rank() != 2 {
            return Err(format!("{kind} is of shape {:?}, not of two dimensions", tensor.dims()));
        }
        Ok(tensor)
    };
    let (input, hidden) = (need("weight_ih")?, need("weight_hh")?);
    let (rows, features) = (width(&hidden, 0), width(&hidden, 1));
    let cell = match (features, rows.checked_div(features), rows % features.max(1)) {
        (1.., Some(4), 0) => Cell::Lstm,
        (1.., Some(3), 0) => Cell::Gru,
        (1.., Some(1), 0) => return Err("it is one of nn.RNN; LSTM and GRU layers are taken".into()),
        _ => {
            return Err(format!(
                "weight_hh is of shape {:?}; an LSTM has 4 rows for each column, a GRU 3",
                hidden.dims()
            ));
        }
    };
    if width(&input, 0) != rows {
        return Err(format!("weight_ih has {} rows, and weight_hh {rows}", width(&input, 0)));
    }
    let biases = (layer.remove("bias_ih"), layer.remove("bias_hh"));
    let (without, [a, b]) = match biases {
        (Some(a), Some(b)) => (false, [a, b]),
        (None, None) => {
            let zeros = input.narrow(1, 0, 1).and_then(|t| t.zeros_like()?.flatten_all());
            let zeros = zeros.map_err(|e| e.to_string())?;
            (true, [zeros.clone(), zeros])
        }
        _ => return Err("it has one of bias_ih and bias_hh, and not the other".into()),
    };
    match [&a, &b].iter().find(|bias| bias.dims() != [rows]) {
        Some(bias) => Err(format!("a bias is of shape {:?}, and not of [{rows}]", bias.dims())),
        None => Ok((cell, without, [input, hidden, a, b])),
    }
}

/// The name of the tensor that does something: one of the known names, or the only one that fits. `fits` is none for one that
/// does not, and tells those that fit well from others.
fn pick(
    rest: &Tensors,
    known: &[&str],
    does: &str,
    fits: impl Fn(&str, &Tensor) -> Option<bool>,
) -> std::result::Result<Option<String>, String> {
    if let Some(name) = known.iter().find(|name| rest.get(**name).is_some_and(|t| t.rank() == 2)) {
        return Ok(Some(name.to_string()));
    }
    let matrices = rest.iter().filter(|(_, t)| t.rank() == 2);
    let fit: Vec<(&str, bool)> =
        matrices.filter_map(|(name, t)| Some((name.as_str(), fits(name, t)?))).collect();
    let well: Vec<&str> = fit.iter().filter(|(_, well)| *well).map(|(name, _)| *name).collect();
    match (well.as_slice(), fit.as_slice()) {
        ([one], _) | ([], [(one, _)]) => Ok(Some(one.to_string())),
        ([], []) => Ok(None),
        _ => {
            let names: Vec<&str> = fit.iter().map(|(name, _)| *name).collect();
            Err(format!("{} have the same shape: which of them {does} cannot be told", names.join(" and ")))
        }
    }
}
