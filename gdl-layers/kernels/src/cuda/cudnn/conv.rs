//! Convolution and its two gradients.

use super::algorithm;
use super::error::{Error, Result, int};
use super::handle::Dtype;
use super::problem::{Buffers, Pass, Problem};
use candle_core::cuda_backend::cudarc::driver::CudaStream;
use candle_core::cuda_backend::cudarc::driver::sys::CUdeviceptr;
use std::fmt::{self, Display};
use std::sync::Arc;

/// The shapes of a convolution that reads a big image and writes a small one.
///
/// Pairs are (height, width). A transposed convolution is the same geometry run backwards: it reads the small image
/// and writes the big one with [`backward_data`], its input gradient is [`forward`], and its weight gradient is
/// [`backward_weight`] with its output's gradient as `x` and its input as `dy`. Output padding needs no field: it
/// only makes `big` larger.
///
/// # Shape
/// - big image: (`batch`, `c_big`, big.0, big.1)
/// - small image: (`batch`, `c_small`, small.0, small.1), where a side of `small` is
///   `floor((big + 2 padding - dilation (kernel - 1) - 1) / stride) + 1`
/// - weights: (`c_small`, `c_big / groups`, kernel.0, kernel.1)
///
/// All are contiguous, and none may be empty: cuDNN takes no tensor without elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Images.
    pub batch: usize,
    /// Channels of the big image.
    pub c_big: usize,
    /// Sides of the big image.
    pub big: (usize, usize),
    /// Channels of the small image.
    pub c_small: usize,
    /// Sides of the small image.
    pub small: (usize, usize),
    /// Sides of the kernel.
    pub kernel: (usize, usize),
    /// Steps between neighbouring pixels of the small image.
    pub stride: (usize, usize),
    /// Zeros around the big image, on each side.
    pub padding: (usize, usize),
    /// Steps between neighbouring kernel elements.
    pub dilation: (usize, usize),
    /// Groups that the channels fall into.
    pub groups: usize,
}

impl Geometry {
    fn check(&self) -> Result<()> {
        let Self { batch, c_big, big, c_small, kernel, stride, padding, dilation, groups, .. } = *self;
        let sizes = [batch, c_big, big.0, big.1, c_small, self.small.0, self.small.1];
        let steps = [kernel.0, kernel.1, stride.0, stride.1, dilation.0, dilation.1, groups];
        if sizes.iter().chain(&steps).any(|&size| size == 0) {
            return Err(Error::invalid("cuDNN takes no convolution with a zero among its sizes"));
        }
        for &size in sizes.iter().chain(&steps).chain([&padding.0, &padding.1]) {
            int(size)?;
        }
        if !c_big.is_multiple_of(groups) || !c_small.is_multiple_of(groups) {
            return Err(Error::invalid(format!(
                "{groups} groups do not divide {c_big} and {c_small} channels"
            )));
        }
        let tall = side(big.0, kernel.0, stride.0, padding.0, dilation.0);
        let wide = side(big.1, kernel.1, stride.1, padding.1, dilation.1);
        let (Some(tall), Some(wide)) = (tall, wide) else {
            return Err(Error::invalid("the kernel is larger than the padded image"));
        };
        if (tall, wide) != self.small {
            return Err(Error::invalid(format!("the small image must have sides {tall}x{wide}")));
        }
        Ok(())
    }

    pub(super) fn big_shape(&self) -> [usize; 4] {
        [self.batch, self.c_big, self.big.0, self.big.1]
    }

    pub(super) fn small_shape(&self) -> [usize; 4] {
        [self.batch, self.c_small, self.small.0, self.small.1]
    }

    pub(super) fn weight_shape(&self) -> [usize; 4] {
        [self.c_small, self.c_big / self.groups, self.kernel.0, self.kernel.1]
    }
}

/// Pixels of the small image along one side; none where the kernel does not fit into the big one.
fn side(big: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) -> Option<usize> {
    let room = (big + 2 * padding).checked_sub(dilation * (kernel - 1) + 1)?;
    Some(room / stride + 1)
}

impl Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { big, small, kernel, stride, padding, dilation, .. } = self;
        write!(f, "{}x{}x{}x{} to ", self.batch, self.c_big, big.0, big.1)?;
        write!(f, "{}x{}x{}x{}, ", self.batch, self.c_small, small.0, small.1)?;
        write!(f, "kernel {}x{}, stride {}x{}, ", kernel.0, kernel.1, stride.0, stride.1)?;
        write!(f, "padding {}x{}, dilation {}x{}, ", padding.0, padding.1, dilation.0, dilation.1)?;
        write!(f, "groups {}", self.groups)
    }
}

/// How a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Element type of all three tensors.
    pub dtype: Dtype,
    /// Whether factors of type `F32` may be rounded to TF32, where the GPU has it. No effect on other types.
    pub tf32: bool,
    /// Whether the same arguments must give the same bits each time.
    ///
    /// If so, only algorithms that cuDNN calls deterministic are used, and the choice among them is cuDNN's
    /// guess: a measurement may come out otherwise in the next run of the program. If not, the fastest is used,
    /// whose sums may come in another order each time.
    pub deterministic: bool,
}

/// The convolution of `x` with `w`, into `y`.
///
/// The first call with new shapes measures all algorithms, unless determinism is asked for, and waits for the GPU.
///
/// # Errors
/// If the geometry contradicts itself or has an empty tensor, and if cuDNN or the driver fail.
///
/// # Safety
/// `x`, `w` and `y` are memory of the stream's device with the big, weight and small shape of the geometry, aligned
/// to an element. The stream's earlier work has written `x` and `w`, and nothing else uses `y` until the enqueued
/// work is done.
pub unsafe fn forward(
    stream: &Arc<CudaStream>,
    geometry: &Geometry,
    options: Options,
    x: CUdeviceptr,
    w: CUdeviceptr,
    y: CUdeviceptr,
) -> Result<()> {
    run(stream, geometry, options, Pass::Forward, Buffers { big: x, weight: w, small: y, add: false })
}

/// The gradient of `x`, from the gradient `dy` of the small image, into `dx`: the transposed convolution.
///
/// # Errors
/// As [`forward`].
///
/// # Safety
/// As [`forward`], with `dy` of the small shape read, and `dx` of the big shape written.
pub unsafe fn backward_data(
    stream: &Arc<CudaStream>,
    geometry: &Geometry,
    options: Options,
    dy: CUdeviceptr,
    w: CUdeviceptr,
    dx: CUdeviceptr,
) -> Result<()> {
    run(stream, geometry, options, Pass::BackwardData, Buffers { big: dx, weight: w, small: dy, add: false })
}

/// The gradient of the weights, from `x` and the gradient `dy` of the small image, into `dw` or added to it.
///
/// # Errors
/// As [`forward`].
///
/// # Safety
/// As [`forward`], with `x` and `dy` read, and `dw` of the weights' shape written, and read before if `add`.
pub unsafe fn backward_weight(
    stream: &Arc<CudaStream>,
    geometry: &Geometry,
    options: Options,
    x: CUdeviceptr,
    dy: CUdeviceptr,
    dw: CUdeviceptr,
    add: bool,
) -> Result<()> {
    run(stream, geometry, options, Pass::BackwardWeight, Buffers { big: x, weight: dw, small: dy, add })
}

fn run(
    stream: &Arc<CudaStream>,
    geometry: &Geometry,
    options: Options,
    pass: Pass,
    buffers: Buffers,
) -> Result<()> {
    let attempt = || {
        geometry.check()?;
        let problem = Problem::new(stream, *geometry, options)?;
        let mut refused = None;
        for choice in algorithm::choices(&problem, pass, buffers)?.iter() {
            match problem.launch(choice, buffers) {
                Err(error) if error.is_refusal() => refused = Some(error),
                result => return result,
            }
        }
        let none = Error::NoAlgorithm { deterministic: options.deterministic, subject: String::new() };
        Err(refused.unwrap_or(none))
    };
    attempt().map_err(|error| error.about(format!("convolution, {pass}, {:?}, {geometry}", options.dtype)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const GEOMETRY: Geometry = Geometry {
        batch: 2,
        c_big: 6,
        big: (7, 8),
        c_small: 4,
        small: (3, 4),
        kernel: (3, 2),
        stride: (2, 3),
        padding: (1, 2),
        dilation: (2, 1),
        groups: 2,
    };

    #[test]
    fn sides_follow_the_formula() {
        GEOMETRY.check().unwrap();
        assert_eq!(side(5, 3, 1, 1, 1), Some(5));
        assert_eq!(side(4, 3, 2, 0, 2), None);
        assert_eq!(side(5, 3, 2, 0, 2), Some(1));
        // A stride that leaves the last pixel unread: both sizes of the big image have the same small one.
        assert_eq!((side(7, 3, 2, 1, 1), side(8, 3, 2, 1, 1)), (Some(4), Some(4)));
    }

    #[test]
    fn contradictions_are_refused() {
        let wrong = [
            Geometry { small: (3, 5), ..GEOMETRY },
            Geometry { groups: 4, ..GEOMETRY },
            Geometry { batch: 0, ..GEOMETRY },
            Geometry { stride: (0, 3), ..GEOMETRY },
            Geometry { batch: 1 << 31, ..GEOMETRY },
            Geometry { big: (1, 1), padding: (0, 0), ..GEOMETRY },
        ];
        for geometry in wrong {
            assert!(geometry.check().is_err(), "{geometry}");
        }
        let message = wrong[0].check().unwrap_err().to_string();
        assert_eq!(message, "the small image must have sides 3x4");
    }

    #[test]
    fn a_geometry_names_itself() {
        let text = "2x6x7x8 to 2x4x3x4, kernel 3x2, stride 2x3, padding 1x2, dilation 2x1, groups 2";
        assert_eq!(GEOMETRY.to_string(), text);
    }
}
