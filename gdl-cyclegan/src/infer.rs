//! What a network looks like, told by the names and shapes of its tensors under the reference's keys.

use crate::{DiscriminatorConfig, DiscriminatorKind, GeneratorConfig, NormKind, Upsampling};
use gdl_conv::PadMode;
use gdl_train::Tensors;

/// The configuration of a generator. Where keys tell nothing, the reference's default: reflection rather than replication in
/// residual blocks, no dropout in a U-Net.
pub(crate) fn generator(tensors: &Tensors) -> Result<GeneratorConfig, String> {
    if tensors.contains_key("down.0.weight") {
        book_unet(tensors)
    } else if tensors.keys().any(|key| key.starts_with("model.model.")) {
        unet(tensors)
    } else {
        resnet(tensors)
    }
}

/// The configuration of a discriminator. The book's of the text and of the code have the same tensors; they are taken for that
/// of the text.
pub(crate) fn discriminator(tensors: &Tensors) -> Result<DiscriminatorConfig, String> {
    if tensors.contains_key("conv.0.weight") {
        let [base_channels, in_channels, ..] = kernel(tensors, "conv.0.weight")?;
        return Ok(DiscriminatorConfig::book(in_channels).base_channels(base_channels));
    }
    let (kind, first, second) = match tensors.contains_key("net.0.weight") {
        true => (DiscriminatorKind::Pixel, "net.0.weight", "net.2"),
        false => (DiscriminatorKind::Patch, "model.0.weight", "model.2"),
    };
    let [base_channels, in_channels, ..] = kernel(tensors, first)?;
    let convolutions = tensors.values().filter(|t| t.rank() == 4).count();
    let basic = DiscriminatorConfig::basic(in_channels);
    Ok(DiscriminatorConfig {
        kind,
        base_channels,
        n_layers: match kind {
            // One before and one after those that `n_layers` counts beyond the first.
            DiscriminatorKind::Patch => convolutions.saturating_sub(2),
            _ => basic.n_layers,
        },
        norm: norm(tensors, second),
        ..basic
    })
}

fn book_unet(tensors: &Tensors) -> Result<GeneratorConfig, String> {
    let [base_channels, in_channels, ..] = kernel(tensors, "down.0.weight")?;
    let [out_channels, ..] = kernel(tensors, "out.weight")?;
    Ok(GeneratorConfig { in_channels, out_channels, base_channels, ..GeneratorConfig::book_unet() })
}

fn unet(tensors: &Tensors) -> Result<GeneratorConfig, String> {
    let [base_channels, in_channels, ..] = kernel(tensors, "model.model.0.weight")?;
    // Each level lies in the one before: in part 1 of the outermost, in part 3 of the others.
    let mut level = "model.model.1".to_string();
    let mut downs = 1;
    while tensors.contains_key(&format!("{level}.model.1.weight")) {
        downs += 1;
        level += ".model.3";
    }
    let upsampling = upsampling(kernel(tensors, "model.model.3.weight")?, 4);
    let out_channels = match (upsampling, kernel(tensors, "model.model.3.weight")?) {
        (Upsampling::Transposed, [_, out, ..]) | (Upsampling::Resize, [out, ..]) => out,
    };
    Ok(GeneratorConfig {
        in_channels,
        out_channels,
        base_channels,
        norm: norm(tensors, "model.model.0"),
        upsampling,
        ..GeneratorConfig::unet(downs)
    })
}

fn resnet(tensors: &Tensors) -> Result<GeneratorConfig, String> {
    let [base_channels, in_channels, ..] = kernel(tensors, "model.1.weight")?;
    let is_block = |at: usize| {
        let prefix = format!("model.{at}.conv_block.");
        tensors.keys().any(|key| key.starts_with(&prefix))
    };
    // A halving doubles the channels; the convolution of a doubling or the last one does not.
    let halves = |at: usize| {
        kernel(tensors, &format!("model.{at}.weight")).is_ok_and(|[to, from, k, _]| k == 3 && to == 2 * from)
    };
    let downs = (0..).take_while(|i| halves(4 + 3 * i)).count();
    let first_block = 4 + 3 * downs;
    let blocks = (0..).take_while(|i| is_block(first_block + i)).count();
    let after = first_block + blocks;
    let last = kernel(tensors, &format!("model.{}.weight", after + 3 * downs + 1))?;
    let part = |n: usize| tensors.contains_key(&format!("model.{first_block}.conv_block.{n}.weight"));
    // Where the second convolution stands, the padding's and the dropout's parts tell.
    let (pad_mode, dropout) = match () {
        () if blocks == 0 || part(5) => (PadMode::Reflect, false),
        () if part(6) => (PadMode::Reflect, true),
        () => (PadMode::Zero, part(4)),
    };
    let upsampling = match downs {
        0 => Upsampling::Transposed,
        _ => {
            let [first, second, ..] = kernel(tensors, &format!("model.{after}.weight"))?;
            // A transposed convolution has its input first.
            if first > second { Upsampling::Transposed } else { Upsampling::Resize }
        }
    };
    Ok(GeneratorConfig {
        in_channels,
        out_channels: last[0],
        base_channels,
        dropout,
        norm: norm(tensors, "model.1"),
        upsampling,
        pad_mode,
        ..GeneratorConfig::resnet(blocks).downs(downs)
    })
}

fn upsampling(kernel: [usize; 4], transposed: usize) -> Upsampling {
    if kernel[2] == transposed { Upsampling::Transposed } else { Upsampling::Resize }
}

/// Batch norm shows by its statistics; instance norm by the bias of a convolution before it.
fn norm(tensors: &Tensors, convolution: &str) -> NormKind {
    if tensors.keys().any(|key| key.ends_with(".running_mean")) {
        NormKind::Batch
    } else if tensors.contains_key(&format!("{convolution}.bias")) {
        NormKind::Instance
    } else {
        NormKind::None
    }
}

fn kernel(tensors: &Tensors, key: &str) -> Result<[usize; 4], String> {
    let tensor = tensors.get(key).ok_or_else(|| format!("there is no {key}"))?;
    tensor
        .dims()
        .try_into()
        .map_err(|_| format!("{key} is no convolution's: its shape is {:?}", tensor.dims()))
}
