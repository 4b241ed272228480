use crate::Case;
use candle_core::Result;
use candle_nn::ModuleT;
use gdl_instance_norm::{Definition, Moments, instance_norm, instance_norm_by, instance_norm_jvp};
use gdl_kernels::Activation;
use gdl_norm::{BatchNorm2d, BatchNormConfig};

const EPS: f64 = 1e-5;

/// Normalisation.
pub(crate) fn cases() -> Vec<Case> {
    let norm = |variant: &str, definition: Definition, activation: Activation| {
        Case::new("instance_norm", variant, &[&[2, 3, 9, 7], &[3], &[3]], move |t| {
            Ok(vec![instance_norm(&t[0], Some(&t[1]), Some(&t[2]), EPS, definition, activation)?])
        })
    };
    vec![
        norm("affine", Definition::Torch, Activation::Identity),
        norm("affine, leaky relu", Definition::Torch, Activation::LeakyRelu(0.2)),
        norm("affine, keras-contrib, relu", Definition::KerasContrib, Activation::Relu),
        Case::new("instance_norm", "40x40, relu", &[&[1, 2, 40, 40]], |t| {
            Ok(vec![instance_norm(&t[0], None, None, EPS, Definition::Torch, Activation::Relu)?])
        }),
        Case::new("instance_norm", "one pixel", &[&[2, 3, 1, 1], &[3], &[3]], |t| {
            Ok(vec![instance_norm(
                &t[0],
                Some(&t[1]),
                Some(&t[2]),
                EPS,
                Definition::Torch,
                Activation::Identity,
            )?])
        }),
        Case::new("instance_norm_by", "", &[&[1, 3, 6, 5], &[3], &[3]], |t| {
            let mut moments = Moments::new(3);
            moments.add(&t[0].narrow(2, 0, 4)?)?;
            moments.add(&t[0].narrow(2, 4, 2)?)?;
            let (weight, bias, act) = (Some(&t[1]), Some(&t[2]), Activation::Relu);
            Ok(vec![instance_norm_by(&t[0], &moments, weight, bias, EPS, Definition::Torch, act)?])
        })
        .values_only(),
        Case::new("instance_norm_jvp", "", &[&[2, 3, 5, 4], &[2, 3, 5, 4], &[3], &[3]], |t| {
            let (y, dy) = instance_norm_jvp(&t[0], &t[1], Some(&t[2]), Some(&t[3]), EPS, Definition::Torch)?;
            Ok(vec![y, dy])
        }),
        Case::new("batch_norm", "training", &[&[3, 4, 5, 6]], |t| {
            Ok(vec![batch_norm(t)?.forward_t(&t[0], true)?])
        }),
        Case::new("batch_norm", "", &[&[3, 4, 5, 6]], |t| Ok(vec![batch_norm(t)?.forward_t(&t[0], false)?])),
    ]
}

fn batch_norm(t: &[candle_core::Tensor]) -> Result<BatchNorm2d> {
    let store = gdl_train::ParamStore::new(t[0].dtype(), t[0].device(), 1);
    BatchNorm2d::new(&BatchNormConfig::new(4), store.vb())
}
