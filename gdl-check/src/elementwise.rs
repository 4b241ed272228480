use crate::Case;
use candle_nn::Module;
use gdl_kernels::{Activation, softplus};

/// The activations.
pub(crate) fn cases() -> Vec<Case> {
    let activation = |variant: &str, activation: Activation| {
        Case::new("activation", variant, &[&[3, 5, 7]], move |x| Ok(vec![activation.forward(&x[0])?]))
    };
    vec![
        activation("relu", Activation::Relu),
        activation("leaky relu", Activation::LeakyRelu(0.2)),
        activation("tanh", Activation::Tanh),
        activation("sigmoid", Activation::Sigmoid),
        Case::new("activation", "relu of a part", &[&[4, 6]], |x| {
            Ok(vec![Activation::Relu.forward(&x[0].narrow(1, 1, 3)?.t()?)?])
        }),
        Case::new("softplus", "", &[&[3, 5]], |x| Ok(vec![softplus(&x[0])?])),
    ]
}
