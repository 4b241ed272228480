use crate::{UnetDown, UnetDownConfig, UnetLevelConfig, UnetPosition, UnetUp, UnetUpConfig};
use candle_core::{Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_kernels::{recomputed, rng::SharedRng};

/// One level of a U-Net around all the levels inside it: `[x, up(inside(down(x)))]` along the channels.
///
/// The outermost level is the network; it returns `up(inside(down(x)))` alone.
///
/// # Shape
///
/// (N, in_channels, H, W) -> (N, in_channels + out_channels, H, W), (N, out_channels, H, W) for the outermost level. H and W
/// must be divisible by 2 to the number of levels.
///
/// # Parameters
///
/// Each level has its two convolutions and the level inside it under `model.N`, where N counts the parts of the
/// reference implementation's block:
///
/// | level | down | inside | up |
/// | --- | --- | --- | --- |
/// | outermost | `model.0` | `model.1` | `model.3` |
/// | middle | `model.1` | `model.3` | `model.5` |
/// | innermost | `model.1` | | `model.3` |
///
/// Batch norm has its own under the number after its convolution's.
///
/// # Example
///
/// A U-Net with three levels, 3 channels to 1:
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarBuilder;
/// use gdl_blocks::{UnetLevel, UnetLevelConfig};
///
/// let levels = [
///     UnetLevelConfig::new(3, 8).out_channels(1),
///     UnetLevelConfig::new(8, 16),
///     UnetLevelConfig::new(16, 16),
/// ];
/// let unet = UnetLevel::nest(&levels, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// let y = unet.forward(&Tensor::zeros((1, 3, 16, 24), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(y.dims(), [1, 1, 16, 24]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Isola et al., *Image-to-Image Translation with Conditional Adversarial Networks* (1611.07004);
/// `UnetSkipConnectionBlock` of pytorch-CycleGAN-and-pix2pix. There the leaky ReLU works in place and changes `x` before
/// it is concatenated; as a ReLU follows, neither results nor gradients of the network differ.
#[derive(Debug, Clone)]
pub struct UnetLevel {
    down: UnetDown,
    inside: Option<Box<UnetLevel>>,
    up: UnetUp,
    rng: Option<SharedRng>,
    recompute: bool,
}

impl UnetLevel {
    /// Builds a whole U-Net from its levels, outermost first.
    ///
    /// # Errors
    ///
    /// Where there are fewer than two levels, the channels of neighbours do not agree, another level than the outermost
    /// changes the number of channels, another than a middle one has dropout, or the store behind `vb` lacks a tensor
    /// of the right shape.
    pub fn nest(levels: &[UnetLevelConfig], vb: VarBuilder) -> Result<Self> {
        if levels.len() < 2 {
            bail!("UnetLevel: a U-Net needs at least 2 levels, got {}", levels.len())
        }
        Self::build(levels, UnetPosition::Outermost, vb)
    }

    fn build(levels: &[UnetLevelConfig], position: UnetPosition, vb: VarBuilder) -> Result<Self> {
        let Some((config, rest)) = levels.split_first() else { bail!("UnetLevel: no levels") };
        let &UnetLevelConfig { in_channels, inner_channels, out_channels, upsampling, dropout, norm, init } =
            config;
        if position != UnetPosition::Outermost && in_channels != out_channels {
            bail!(
                "UnetLevel: only the outermost level may change its channels, got {in_channels} -> {out_channels}"
            )
        }
        let vb = vb.pp("model");
        // Which parts precede: activation and norm where there are any, the level inside, the ReLU of the way up.
        let (down, inside, up) = match position {
            UnetPosition::Outermost => (0, 1, 3),
            UnetPosition::Middle => (1, 3, 5),
            UnetPosition::Innermost => (1, 0, 3),
        };
        let down = UnetDown::new(
            &UnetDownConfig { norm, init, ..UnetDownConfig::new(position, in_channels, inner_channels) },
            vb.pp(down),
            vb.pp(down + 1),
        )?;
        let inside = match rest {
            [] => None,
            [next, ..] if next.in_channels != inner_channels => bail!(
                "UnetLevel: a level with {} channels inside cannot hold one with {} channels",
                inner_channels,
                next.in_channels
            ),
            [_] => Some(Box::new(Self::build(rest, UnetPosition::Innermost, vb.pp(inside))?)),
            _ => Some(Box::new(Self::build(rest, UnetPosition::Middle, vb.pp(inside))?)),
        };
        // The level inside returns what it was given beside what it made of it.
        let up_channels = if inside.is_some() { 2 * inner_channels } else { inner_channels };
        let up_config = UnetUpConfig::new(position, up_channels, out_channels);
        let up_config = UnetUpConfig { upsampling, dropout, norm, init, ..up_config };
        let up = UnetUp::new(&up_config, vb.pp(up), vb.pp(up + 1))?;
        Ok(Self { down, inside, up, rng: None, recompute: false })
    }

    /// Gives the level and those inside it the generator that their dropout draws from; training with dropout needs one.
    pub fn with_rng(self, rng: SharedRng) -> Self {
        let inside = self.inside.map(|level| Box::new(level.with_rng(rng.clone())));
        Self { inside, up: self.up.with_rng(rng.clone()), rng: Some(rng), ..self }
    }

    /// Whether the steps down and up of the level and of those inside it are [recomputed] in the backward pass of a training,
    /// instead of keeping their activations, convolutions and masks; at first not.
    pub fn recompute(&mut self, on: bool) {
        self.recompute = on;
        if let Some(level) = &mut self.inside {
            level.recompute(on);
        }
    }

    /// The number of levels, this one and those inside it: how often an image is halved.
    pub fn levels(&self) -> usize {
        1 + self.inside.as_ref().map_or(0, |level| level.levels())
    }

    /// What is directly inside.
    pub fn inside(&self) -> Option<&UnetLevel> {
        self.inside.as_deref()
    }

    /// The way in.
    pub fn down(&self) -> &UnetDown {
        &self.down
    }

    /// The way out.
    pub fn up(&self) -> &UnetUp {
        &self.up
    }

    /// Where the level stands.
    pub fn position(&self) -> UnetPosition {
        self.down.config().position
    }

    fn run(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut y = self.step(&self.down, x, train)?;
        if let Some(level) = &self.inside {
            y = level.run(&y, train)?;
        }
        let y = self.step(&self.up, &y, train)?;
        if self.position() == UnetPosition::Outermost { Ok(y) } else { Tensor::cat(&[x, &y], 1) }
    }

    fn step<S>(&self, step: &S, x: &Tensor, train: bool) -> Result<Tensor>
    where
        S: ModuleT + Clone + Send + Sync + 'static,
    {
        if !(self.recompute && train) {
            return step.forward_t(x, train);
        }
        let step = step.clone();
        recomputed(x, self.rng.as_ref(), move |x| step.forward_t(x, true))
    }

    /// Applies the level as for inference: without dropout, batch norm by its running statistics.
    ///
    /// # Errors
    ///
    /// Where the shape does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_t(x, false)
    }
}

impl ModuleT for UnetLevel {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (levels, channels) = (self.levels(), self.down.config().in_channels);
        let [_, c, h, w] = *x.dims() else {
            bail!("UnetLevel: the input must have shape (N, {channels}, H, W), got {:?}", x.dims())
        };
        if c != channels {
            bail!("UnetLevel: expected {channels} channels, got an input of shape {:?}", x.dims())
        }
        // A U-Net of 64 levels exists in no memory.
        let step = 1usize.checked_shl(levels as u32).unwrap_or(0);
        if step == 0 || h == 0 || w == 0 || h % step != 0 || w % step != 0 {
            bail!(
                "UnetLevel: height and width must be divisible by {step} (halved at each of {levels} levels), \
                 got {h}x{w}"
            )
        }
        self.run(x, train)
    }
}
