mod known;
mod plane;
#[cfg(test)]
mod tests;
mod tv_l1;

use crate::colour::luma;
use candle_core::{DType, Device, Result, Tensor, bail};
use gdl_image_io::{Filter, resize};
use gdl_kernels::par;
use plane::Plane;

/// Pictures are halved until a further halving would leave fewer pixels than these on the shorter side.
const LEAST_SIDE: usize = 12;
/// Pixels that one piece of a parallel loop goes over: small pictures are not worth waking a thread.
const PIXELS: usize = 1 << 14;

/// Dense optical flow: where each pixel of one picture lies in another one.
///
/// Found coarse to fine by TV-L1 on the pictures' luma. It is computed on the CPU, whatever the device of the pictures,
/// and carries no gradient.
///
/// # Example
/// ```
/// use candle_core::Tensor;
/// use gdl_nst::{Flow, builtin};
///
/// // Two views of one scene, the second of them 3 pixels further to the right.
/// let scene = builtin::content(96)?; // (3, 72, 96)
/// let (a, b) = (scene.narrow(2, 0, 80)?, scene.narrow(2, 3, 80)?);
/// let flow = Flow::between(&b, &a)?;
/// let [dx, dy] = flow.at(40, 40).unwrap_or_default();
/// assert!((dx - 3.0).abs() < 0.2 && dy.abs() < 0.2, "{dx} {dy}");
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
/// Zach, Pock and Bischof 2007, *A Duality Based Approach for Realtime TV-L1 Optical Flow*, with the parameters of Sanchez
/// Perez, Meinhardt-Llopis and Facciolo 2013; the median between the warps is from Wedel et al. 2009.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    height: usize,
    width: usize,
    /// To the right and down, in pixels, row by row.
    moves: Vec<[f32; 2]>,
}

impl Flow {
    /// For each pixel of `from`, how far away what is there lies in `to`.
    ///
    /// # Shape
    /// Two pictures (3, H, W) of one shape, RGB in [0, 1].
    ///
    /// # Errors
    /// When they are not.
    pub fn between(from: &Tensor, to: &Tensor) -> Result<Self> {
        let (_, h, w) = from.dims3()?;
        if from.dims() != to.dims() || h * w == 0 {
            bail!("flow: from a picture of {:?} to one of {:?}", from.dims(), to.dims())
        }
        let mut levels = vec![(grey(from)?, grey(to)?)];
        while let Some((a, b)) = levels.last() {
            let (_, h, w) = a.dims3()?;
            let (h, w) = (h / 2, w / 2);
            if h.min(w) < LEAST_SIDE {
                break;
            }
            let next = (resize(a, h, w, Filter::Triangle)?, resize(b, h, w, Filter::Triangle)?);
            levels.push(next);
        }
        let mut flow: Option<Self> = None;
        for (a, b) in levels.iter().rev() {
            let (_, h, w) = a.dims3()?;
            let mut here = match flow {
                None => Self { height: h, width: w, moves: vec![[0.0; 2]; h * w] },
                Some(coarse) => coarse.resized(h, w)?,
            };
            let (a, b) = (Plane::of(a)?, Plane::of(b)?);
            par::inside(|| tv_l1::refine(&mut here, &a, &b));
            flow = Some(here);
        }
        match flow {
            Some(flow) => Ok(flow),
            None => bail!("flow: no pictures"),
        }
    }

    /// Height and width of the picture that the flow goes out from.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// How far the pixel in this row and column moves to the right and down; None outside.
    pub fn at(&self, row: usize, column: usize) -> Option<[f32; 2]> {
        let inside = row < self.height && column < self.width;
        inside.then(|| self.moves[row * self.width + column])
    }

    /// The other picture, moved along: each pixel takes what lies where the flow leads, bicubically between pixels and
    /// within the range of the picture. What leads outside takes the nearest pixel of the border.
    ///
    /// # Shape
    /// (C, H, W) to the same, H and W those of the flow, on the picture's device.
    ///
    /// # Errors
    /// When the size is another.
    pub fn warp(&self, picture: &Tensor) -> Result<Tensor> {
        let (c, h, w) = picture.dims3()?;
        if (h, w) != self.size() {
            bail!("flow: a picture of {h}x{w}, a flow of {}x{}", self.height, self.width)
        }
        let host = picture.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        let mut out = vec![0f32; c * h * w];
        for (i, out) in out.chunks_mut(h * w).enumerate() {
            let plane = Plane::of(&host.narrow(0, i, 1)?)?;
            let (low, high) = plane.range();
            self.fill(out, |[x, y]| plane.cubic(x, y).max(low).min(high));
        }
        Tensor::from_vec(out, (c, h, w), &Device::Cpu)?.to_dtype(picture.dtype())?.to_device(picture.device())
    }

    /// For each pixel what `f` makes of the place, column and row, where the flow leads.
    fn fill<T: Send>(&self, out: &mut [T], f: impl Fn([f32; 2]) -> T + Send + Sync) {
        self.each(out, |at, _, _| f(at));
    }

    /// For each pixel what `f` makes of the place where the flow leads, the move, and the pixel's number.
    fn each<T: Send>(&self, out: &mut [T], f: impl Fn([f32; 2], [f32; 2], usize) -> T + Send + Sync) {
        let w = self.width;
        par::chunks_mut(out, PIXELS, |chunk, out| {
            for (k, out) in out.iter_mut().enumerate() {
                let i = chunk * PIXELS + k;
                let [dx, dy] = self.moves[i];
                *out = f([(i % w) as f32 + dx, (i / w) as f32 + dy], [dx, dy], i);
            }
        });
    }

    /// The same motion in pictures of another size.
    fn resized(&self, height: usize, width: usize) -> Result<Self> {
        let component = |k: usize| -> Result<Vec<f32>> {
            let values = self.moves.iter().map(|m| m[k]).collect();
            let plane = Tensor::from_vec(values, (1, self.height, self.width), &Device::Cpu)?;
            resize(&plane, height, width, Filter::Triangle)?.flatten_all()?.to_vec1()
        };
        let (x, y) = (width as f32 / self.width as f32, height as f32 / self.height as f32);
        let moves = component(0)?.into_iter().zip(component(1)?).map(|(dx, dy)| [dx * x, dy * y]).collect();
        Ok(Self { height, width, moves })
    }
}

/// (1, H, W) in f32 on the CPU.
fn grey(picture: &Tensor) -> Result<Tensor> {
    luma(&picture.to_device(&Device::Cpu)?.to_dtype(DType::F32)?)?.narrow(0, 0, 1)
}
