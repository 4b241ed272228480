use super::canvas::Canvas;
use super::grid::Rect;
use crate::Statistics;
use crate::losses::{scaled_mse, value};
use crate::objective::target::Target;
use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, Layout, MetalStorage, Result, Shape, Tensor, Var, bail,
};

/// The gradient of a style loss with respect to features, which the moments determine: `places (map (f - centre) +
/// offset)`.
#[derive(Debug, Clone)]
pub(super) struct Affine {
    /// (1, C, C); or (1, C, 1), by which each channel is multiplied.
    map: Tensor,
    /// (1, C, 1).
    centre_and_offset: Option<(Tensor, Tensor)>,
}

impl Affine {
    /// The style loss of a map of so many positions that has these moments, and its gradient with respect to the map.
    pub(super) fn of(target: &Target, moments: &[Tensor], positions: usize) -> Result<(Tensor, Self)> {
        let leaves = moments.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
        let moments: Vec<Tensor> = leaves.iter().map(|leaf| leaf.as_tensor().clone()).collect();
        let loss = target.loss_of(&moments)?;
        let grads = loss.backward()?;
        let grad = |i: usize| match grads.get(&moments[i]) {
            Some(g) => g / positions as f64,
            None => moments[i].zeros_like(),
        };
        // Of symmetric moments, each divided by C.
        let symmetric = |g: Tensor| (&g + g.t()?)? / g.dim(1)? as f64;
        let own = match (target.statistics(), moments.len()) {
            (Statistics::Gram, 1) => Self { map: symmetric(grad(0)?)?, centre_and_offset: None },
            (Statistics::MeanStd, 2) => {
                Self { map: (grad(1)? * 2.0)?, centre_and_offset: Some((moments[0].detach(), grad(0)?)) }
            }
            // That the mean moves with the features makes no difference to what is centred by it.
            (Statistics::Covariance | Statistics::Wasserstein, 2) => {
                Self { map: symmetric(grad(1)?)?, centre_and_offset: Some((moments[0].detach(), grad(0)?)) }
            }
            (statistics, n) => bail!("style transfer: {n} moments for {statistics:?}"),
        };
        Ok((loss.detach(), own))
    }

    /// Times a number.
    fn scaled(&self, factor: f64) -> Result<Self> {
        let centre_and_offset = match &self.centre_and_offset {
            Some((centre, offset)) => Some((centre.clone(), (offset * factor)?)),
            None => None,
        };
        Ok(Self { map: (&self.map * factor)?, centre_and_offset })
    }

    /// At a part (1, C, P) of the map.
    fn at(&self, f: &Tensor) -> Result<Tensor> {
        let map = |f: &Tensor| {
            if self.map.dim(2)? == 1 { f.broadcast_mul(&self.map) } else { self.map.matmul(f) }
        };
        match &self.centre_and_offset {
            None => map(f),
            Some((centre, offset)) => map(&f.broadcast_sub(centre)?)?.broadcast_add(offset),
        }
    }
}

/// The gradient of one loss with respect to a part of a map.
#[derive(Debug, Clone)]
pub(super) enum Slope {
    Affine {
        affine: Affine,
        places: Option<Tensor>,
    },
    /// `scale places (f - target)`
    Toward {
        target: Tensor,
        scale: f64,
        places: Option<Tensor>,
    },
}

impl Slope {
    pub(super) fn scaled(self, factor: f64) -> Result<Self> {
        Ok(match self {
            Self::Affine { affine, places } => Self::Affine { affine: affine.scaled(factor)?, places },
            Self::Toward { target, scale, places } => Self::Toward { target, scale: scale * factor, places },
        })
    }

    /// For a part of the part that it is for.
    fn part(&self, place: &Rect) -> Result<Self> {
        let of =
            |t: &Option<Tensor>| -> Result<_> { Ok(t.as_ref().map(|t| place.of(t)).transpose()?.flatten()) };
        Ok(match self {
            Self::Affine { affine, places } => Self::Affine { affine: affine.clone(), places: of(places)? },
            Self::Toward { target, scale, places } => Self::Toward {
                target: place.of(target)?.unwrap_or_else(|| target.clone()),
                scale: *scale,
                places: of(places)?,
            },
        })
    }

    /// At features of the part, (1, C, H, W).
    pub(super) fn at(&self, f: &Tensor) -> Result<Tensor> {
        let (n, c, h, w) = f.dims4()?;
        let (slope, places) = match self {
            Self::Affine { affine, places } => {
                (affine.at(&f.reshape((n, c, h * w))?)?.reshape((n, c, h, w))?, places)
            }
            Self::Toward { target, scale, places } => (((f - target)? * *scale)?, places),
        };
        match places {
            Some(places) => slope.broadcast_mul(places),
            None => Ok(slope),
        }
    }

    /// `sum of places (f - target)^2`, a scalar; nothing for what is no distance.
    pub(super) fn distance(&self, f: &Tensor) -> Result<Option<Tensor>> {
        Ok(match self {
            Self::Affine { .. } => None,
            Self::Toward { target, places: None, .. } => Some(scaled_mse(f, target, f.elem_count() as f64)?),
            Self::Toward { target, places: Some(places), .. } => {
                Some((f - target)?.sqr()?.broadcast_mul(places)?.sum_all()?)
            }
        })
    }
}

/// The squared norm of a gradient, which may be far below what has a square in f32.
pub(super) fn squared_norm(g: &Tensor) -> Result<f64> {
    let largest = value(&g.abs()?.flatten_all()?.max(0)?)?;
    if largest == 0.0 {
        return Ok(0.0);
    }
    Ok(value(&(g / largest)?.sqr()?.sum_all()?)? * largest * largest)
}

/// A scalar 0 whose gradient with respect to features is the sum of the slopes in a part of the map, and 0 elsewhere. It is
/// to be added to others and differentiated, nothing else: its own gradient counts as 1 and is not read.
///
/// The slopes are computed when the backward pass comes to them, one tap at a time: they are as large as the features.
pub(super) fn pulled(f: &Tensor, part: Rect, slopes: Vec<Slope>) -> Result<Tensor> {
    f.apply_op1(Pull { part, slopes })
}

struct Pull {
    part: Rect,
    slopes: Vec<Slope>,
}

/// A scalar 0 on the device of a storage.
fn zero<S: BackendStorage>(storage: &S) -> Result<(S, Shape)>
where
    S::Device: BackendDevice<Storage = S>,
{
    let shape = Shape::from(());
    Ok((storage.device().zeros_impl(&shape, storage.dtype())?, shape))
}

impl CustomOp1 for Pull {
    fn name(&self) -> &'static str {
        "style transfer: gradient of a tile"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        zero(storage)
    }

    fn cuda_fwd(&self, storage: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        zero(storage)
    }

    fn metal_fwd(&self, storage: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        zero(storage)
    }

    fn bwd(&self, f: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        let (_, _, h, w) = f.dims4()?;
        let f = f.detach();
        // In bands: what is computed on the way is several times as large as the features. A device has many times the
        // memory bandwidth, and would wait for each small piece to be put on its way.
        let band = if f.device().is_cpu() { BAND } else { usize::MAX };
        if self.part == Rect::whole(h, w) && h * w <= band {
            let sum = self.slopes.iter().map(|slope| slope.at(&f)).reduce(|sum, own| sum? + own?);
            return sum.transpose();
        }
        let mut sum = Canvas::new(&f, (h, w))?;
        for band in self.part.bands(band) {
            let Some(own) = band.of(&f)? else { continue };
            for slope in &self.slopes {
                sum.add(&band, &slope.part(&band.from(&self.part))?.at(&own)?)?;
            }
        }
        Ok(Some(sum.finish()))
    }
}

/// Positions of a band on the CPU.
const BAND: usize = 1 << 15;
