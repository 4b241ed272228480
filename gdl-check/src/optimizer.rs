use crate::Case;
use candle_core::{Result, Tensor, Var};
use gdl_train::{
    Adam, AdamConfig, Clipping, Optimizer, RmsProp, RmsPropConfig, Sgd, SgdConfig, clip_grad_norm,
    clip_grad_value,
};

/// How an optimizer of named variables begins.
type Begin = fn(Vec<(String, Var)>) -> Result<Box<dyn Optimizer>>;

/// Three steps of each optimizer, and clipping.
pub(crate) fn cases() -> Vec<Case> {
    let inputs: [&[usize]; 4] = [&[40, 900], &[7], &[40, 900], &[7]];
    let steps = |operator: &'static str, variant: &str, begin: Begin| {
        Case::new(operator, variant, &inputs, move |t| {
            let vars = vars(t)?;
            let mut optimizer = begin(vars.clone())?;
            for step in 1..=3 {
                optimizer.step(&loss(&vars, t, step as f64)?.backward()?)?;
            }
            vars.iter().map(|(_, var)| var.copy()).collect()
        })
        .values_only()
    };
    vec![
        steps("adam", "", |vars| Ok(Box::new(Adam::new(vars, AdamConfig::gan())?))),
        steps("adam", "decoupled decay", |vars| Ok(Box::new(Adam::new(vars, AdamConfig::adamw())?))),
        steps("adam", "decay", |vars| {
            Ok(Box::new(Adam::new(vars, AdamConfig { weight_decay: 0.1, ..AdamConfig::default() })?))
        }),
        steps("rms_prop", "", |vars| Ok(Box::new(RmsProp::new(vars, RmsPropConfig::default())?))),
        steps("rms_prop", "centered, momentum, decay", |vars| {
            let config = RmsPropConfig { centered: true, momentum: 0.9, ..RmsPropConfig::default() };
            Ok(Box::new(RmsProp::new(vars, RmsPropConfig { weight_decay: 0.1, ..config })?))
        }),
        steps("sgd", "decay", |vars| {
            Ok(Box::new(Sgd::new(vars, SgdConfig { weight_decay: 0.1, ..SgdConfig::default() })?))
        }),
        steps("sgd", "nesterov", |vars| {
            let config = SgdConfig { momentum: 0.9, nesterov: true, ..SgdConfig::default() };
            Ok(Box::new(Sgd::new(vars, config)?))
        }),
        steps("sgd", "momentum", |vars| {
            Ok(Box::new(Sgd::new(vars, SgdConfig { momentum: 0.9, ..SgdConfig::default() })?))
        }),
        Case::new("clip_grad_norm", "", &inputs, |t| {
            let vars = vars(t)?;
            let mut grads = loss(&vars, t, 1.0)?.backward()?;
            clip_grad_norm(&vars, &mut grads, 0.5).map_err(candle_core::Error::wrap)?;
            gradients(&vars, &grads)
        })
        .values_only(),
        braked("", &inputs, 1.0),
        // Nothing changes.
        braked("not finite", &inputs, f64::INFINITY),
        Case::new("clip_grad_value", "", &inputs, |t| {
            let vars = vars(t)?;
            let mut grads = loss(&vars, t, 1.0)?.backward()?;
            clip_grad_value(&vars, &mut grads, 0.5).map_err(candle_core::Error::wrap)?;
            gradients(&vars, &grads)
        })
        .values_only(),
    ]
}

/// Steps that are clipped where they are taken, and the numbers that are read afterwards; the loss that decides is `factor` times
/// a gradient's first element squared.
fn braked(variant: &str, inputs: &[&[usize]], factor: f64) -> Case {
    Case::new("clipping", variant, inputs, move |t| {
        let vars = vars(t)?;
        let mut adam = Adam::new(vars.clone(), AdamConfig::gan())?;
        let decides = (t[3].detach().get(0)?.sqr()? * factor)?;
        let mut numbers = Vec::new();
        for step in 1..=3 {
            let grads = loss(&vars, t, step as f64)?.backward()?;
            let clipping = Clipping::new([&decides], &vars, &grads, 0.5).map_err(candle_core::Error::wrap)?;
            adam.step_braked(&grads, clipping.brake())?;
            let ([value], norm) = clipping.read().map_err(candle_core::Error::wrap)?;
            numbers.extend([value, norm].map(|x| if x.is_finite() { x } else { -1.0 }));
        }
        let numbers = Tensor::new(numbers, t[0].device())?.to_dtype(t[0].dtype())?;
        vars.iter().map(|(_, var)| var.copy()).chain([Ok(numbers)]).collect()
    })
    .values_only()
}

/// The first two tensors as parameters; the others are their gradients.
fn vars(t: &[Tensor]) -> Result<Vec<(String, Var)>> {
    let var = |i: usize| Ok((format!("{i}"), Var::from_tensor(&t[i].detach())?));
    (0..2).map(var).collect()
}

/// What has the last two tensors, times `scale`, as gradients.
fn loss(vars: &[(String, Var)], t: &[Tensor], scale: f64) -> Result<Tensor> {
    let part = |i: usize| ((vars[i].1.as_tensor() * t[2 + i].detach())? * scale)?.sum_all();
    part(0)? + part(1)?
}

fn gradients(vars: &[(String, Var)], grads: &candle_core::backprop::GradStore) -> Result<Vec<Tensor>> {
    vars.iter()
        .map(|(_, var)| grads.get(var).cloned())
        .collect::<Option<_>>()
        .map_or_else(|| candle_core::bail!("clipping: a gradient is missing"), Ok)
}
