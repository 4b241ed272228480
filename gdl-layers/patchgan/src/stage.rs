use candle_core::{Module, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use gdl_conv::{Conv2d, Conv2dConfig, Pad, PadMode, conv2d, pad2d};
use gdl_kernels::{Activation, init::InitScheme};
use gdl_norm::{Norm2d, NormConfig, NormKind};

const LEAKY: Activation = Activation::LeakyRelu(0.2);

/// A convolution and what follows it.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    conv: Conv2d,
    /// Whether the input is padded as Keras pads it, beside what the convolution pads.
    keras_same: bool,
    after: After,
}

#[derive(Debug, Clone)]
enum After {
    Nothing,
    Activation(Activation),
    /// A norm with the activation inside.
    Norm(Norm2d),
}

impl Stage {
    /// The first stage of a discriminator: without norm.
    pub(crate) fn first(conv: &Conv2dConfig, init: InitScheme, vb: VarBuilder) -> Result<Self> {
        Ok(Self { conv: build(conv, init, vb)?, keras_same: false, after: After::Activation(LEAKY) })
    }

    /// A stage with a norm: number `index` of the network's parts, and the norm the next.
    pub(crate) fn normed(
        conv: &Conv2dConfig,
        norm: NormKind,
        init: InitScheme,
        vb: &VarBuilder,
        index: usize,
    ) -> Result<Self> {
        let conv = conv.clone().bias(norm.conv_bias());
        let norm = NormConfig::new(norm, conv.out_channels).activation(LEAKY).init(init);
        Ok(Self {
            conv: build(&conv, init, vb.pp(index))?,
            keras_same: false,
            after: After::Norm(Norm2d::new(&norm, vb.pp(index + 1))?),
        })
    }

    /// The last stage: the convolution alone.
    pub(crate) fn last(conv: &Conv2dConfig, init: InitScheme, vb: VarBuilder) -> Result<Self> {
        Ok(Self { conv: build(conv, init, vb)?, keras_same: false, after: After::Nothing })
    }

    /// The same stage over an input padded with zeros as Keras pads it.
    pub(crate) fn keras_same(mut self) -> Self {
        self.keras_same = true;
        self
    }

    fn padded(&self, x: &Tensor) -> Result<Tensor> {
        if !self.keras_same {
            return Ok(x.clone());
        }
        let (_, _, h, w) = x.dims4()?;
        let config = self.conv.config();
        pad2d(x, Pad::keras_same((h, w), config.kernel.0, config.stride.0), PadMode::Zero)
    }

    pub(crate) fn forward_jvp(&self, x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)> {
        let y = self.conv.forward(&self.padded(x)?)?;
        // Linear but for the bias.
        let dy = conv2d(&self.padded(dx)?, self.conv.weight(), None, &self.conv.params())?;
        match &self.after {
            After::Nothing => Ok((y, dy)),
            After::Activation(activation) => {
                Ok((activation.forward(&y)?, (dy * activation.derivative(&y)?)?))
            }
            After::Norm(norm) => norm.forward_jvp(&y, &dy),
        }
    }
}

impl Module for Stage {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.conv.forward(&self.padded(x)?)?;
        match &self.after {
            After::Nothing => Ok(y),
            After::Activation(activation) => activation.forward(&y),
            // A discriminator is only ever asked while it or a generator learns.
            After::Norm(norm) => norm.forward_t(&y, true),
        }
    }
}

fn build(conv: &Conv2dConfig, init: InitScheme, vb: VarBuilder) -> Result<Conv2d> {
    let (weight, bias) = init.conv([conv.out_channels, conv.in_channels, conv.kernel.0, conv.kernel.1]);
    Conv2d::new_with_init(conv, weight, bias, vb)
}

/// The value and the derivative through a row of stages.
pub(crate) fn jvp(stages: &[Stage], x: &Tensor, dx: &Tensor) -> Result<(Tensor, Tensor)> {
    let mut both = (x.clone(), dx.clone());
    for stage in stages {
        both = stage.forward_jvp(&both.0, &both.1)?;
    }
    Ok(both)
}
