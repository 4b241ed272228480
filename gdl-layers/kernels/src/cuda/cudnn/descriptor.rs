//! The descriptors of cuDNN, destroyed when dropped.

use super::Dtype;
use super::error::{Result, check, int};
use candle_core::cuda_backend::cudarc::cudnn::sys;

macro_rules! descriptor {
    ($(#[$doc:meta])* $name:ident, $raw:ty, $create:ident, $destroy:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name($raw);

        impl $name {
            /// A descriptor of nothing yet.
            pub(super) fn empty() -> Result<Self> {
                let mut raw = std::ptr::null_mut();
                // SAFETY: `raw` is a place for the descriptor.
                check(stringify!($create), unsafe { sys::$create(&mut raw) })?;
                Ok(Self(raw))
            }

            pub(super) fn raw(&self) -> $raw {
                self.0
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: created by `empty`, destroyed once; cuDNN copies what enqueued work needs of it.
                let _ = unsafe { sys::$destroy(self.0) };
            }
        }
    };
}

descriptor!(
    /// Type and shape of a tensor.
    Tensor, sys::cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor
);
descriptor!(
    /// Type and shape of convolution weights.
    Filter, sys::cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor
);
descriptor!(
    /// Stride, padding, dilation, groups and precision of a convolution.
    Convolution,
    sys::cudnnConvolutionDescriptor_t,
    cudnnCreateConvolutionDescriptor,
    cudnnDestroyConvolutionDescriptor
);
descriptor!(
    /// Dropout between recurrent layers.
    Dropout, sys::cudnnDropoutDescriptor_t, cudnnCreateDropoutDescriptor, cudnnDestroyDropoutDescriptor
);
descriptor!(
    /// A recurrent layer.
    Rnn, sys::cudnnRNNDescriptor_t, cudnnCreateRNNDescriptor, cudnnDestroyRNNDescriptor
);
descriptor!(
    /// Type, shape and lengths of padded sequences.
    Sequences, sys::cudnnRNNDataDescriptor_t, cudnnCreateRNNDataDescriptor, cudnnDestroyRNNDataDescriptor
);

impl Tensor {
    /// A contiguous tensor (N, C, H, W).
    pub(super) fn nchw(dtype: Dtype, [n, c, h, w]: [usize; 4]) -> Result<Self> {
        let tensor = Self::empty()?;
        let (n, c, h, w) = (int(n)?, int(c)?, int(h)?, int(w)?);
        let format = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        // SAFETY: the descriptor is alive.
        let status =
            unsafe { sys::cudnnSetTensor4dDescriptor(tensor.raw(), format, dtype.raw(), n, c, h, w) };
        check("cudnnSetTensor4dDescriptor", status)?;
        Ok(tensor)
    }

    /// A contiguous tensor of three dimensions.
    pub(super) fn contiguous3(dtype: Dtype, [a, b, c]: [usize; 3]) -> Result<Self> {
        let tensor = Self::empty()?;
        let dims = [int(a)?, int(b)?, int(c)?];
        let strides = [int(b * c)?, int(c)?, 1];
        let (dims, strides) = (dims.as_ptr(), strides.as_ptr());
        // SAFETY: the descriptor is alive, and both arrays have the three elements announced.
        let status = unsafe { sys::cudnnSetTensorNdDescriptor(tensor.raw(), dtype.raw(), 3, dims, strides) };
        check("cudnnSetTensorNdDescriptor", status)?;
        Ok(tensor)
    }

    /// Dimensions and strides, in elements.
    pub(super) fn layout(&self) -> Result<(Vec<i32>, Vec<i32>)> {
        const MOST: usize = 8;
        let mut dtype = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
        let (mut rank, mut dims, mut strides) = (0, [0; MOST], [0; MOST]);
        let (d, s) = (dims.as_mut_ptr(), strides.as_mut_ptr());
        // SAFETY: the descriptor is alive, and the arrays have room for what is asked.
        let status =
            unsafe { sys::cudnnGetTensorNdDescriptor(self.raw(), MOST as i32, &mut dtype, &mut rank, d, s) };
        check("cudnnGetTensorNdDescriptor", status)?;
        let rank = usize::try_from(rank).unwrap_or(0).min(MOST);
        Ok((dims[..rank].to_vec(), strides[..rank].to_vec()))
    }
}

impl Filter {
    /// Contiguous weights (outputs, inputs of a group, height, width).
    pub(super) fn nchw(dtype: Dtype, [k, c, h, w]: [usize; 4]) -> Result<Self> {
        let filter = Self::empty()?;
        let (k, c, h, w) = (int(k)?, int(c)?, int(h)?, int(w)?);
        let format = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        // SAFETY: the descriptor is alive.
        let status =
            unsafe { sys::cudnnSetFilter4dDescriptor(filter.raw(), dtype.raw(), format, k, c, h, w) };
        check("cudnnSetFilter4dDescriptor", status)?;
        Ok(filter)
    }
}

impl Convolution {
    /// Sets how products are computed.
    pub(super) fn set_math(&self, math: sys::cudnnMathType_t) -> Result<()> {
        // SAFETY: the descriptor is alive.
        let status = unsafe { sys::cudnnSetConvolutionMathType(self.raw(), math) };
        check("cudnnSetConvolutionMathType", status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_keeps_its_layout() {
        let (dims, strides) = Tensor::contiguous3(Dtype::BF16, [2, 3, 5]).unwrap().layout().unwrap();
        assert_eq!((dims, strides), (vec![2, 3, 5], vec![15, 5, 1]));
        let (dims, strides) = Tensor::nchw(Dtype::F16, [2, 3, 5, 7]).unwrap().layout().unwrap();
        assert_eq!((dims, strides), (vec![2, 3, 5, 7], vec![105, 35, 7, 1]));
    }

    #[test]
    fn cudnn_refuses_an_empty_tensor() {
        let error = Tensor::nchw(Dtype::F32, [0, 3, 5, 7]).unwrap_err().to_string();
        assert!(error.starts_with("cudnnSetTensor4dDescriptor: CUDNN_STATUS_BAD_PARAM"), "{error}");
    }
}
