//! What `gdl nst` says of the memory that it is going to take.

use crate::commands::Context;
use crate::console::UsageError;
use anyhow::Result;
use candle_core::Tensor;
use gdl_nst::{Error, NstConfig, Plan, Style, plan};
use gdl_vgg::VggWeights;

/// Plans a style transfer and says what is planned, before anything large is computed.
pub(super) fn announce_plan(
    config: &NstConfig,
    weights: &VggWeights,
    content: &Tensor,
    styles: &[Style],
    context: &Context,
) -> Result<()> {
    let plan = plan(config, weights, content, styles).map_err(|e| match e {
        // That no tile is small enough is a matter of the command line.
        Error::Memory { .. } => UsageError(e.to_string().replace("max_memory", "--max-memory")).into(),
        other => anyhow::Error::from(other),
    })?;
    announce(config, &plan, context);
    Ok(())
}

/// Prints the plan where there is a bound or a tile, or where more was asked for; and a warning where there is none and the
/// memory will not do.
fn announce(config: &NstConfig, plan: &Plan, context: &Context) {
    let say = context.verbosity;
    let asked = config.max_memory.is_some() || config.tile.is_some();
    for scale in &plan.scales {
        match asked {
            true => say.say(format_args!("plan: {scale}")),
            false => say.detail(format_args!("plan: {scale}")),
        }
    }
    // A picture on another device takes that one's memory.
    let available = available().filter(|_| config.max_memory.is_none() && context.device.is_cpu());
    if let Some(available) = available.filter(|available| plan.peak() > *available) {
        say.say(format_args!(
            "this takes some {:.1} GB, and {:.1} GB are free: --max-memory {:.1}GB computes it in tiles",
            plan.peak() as f64 / 1e9,
            available as f64 / 1e9,
            0.9 * available as f64 / 1e9,
        ));
    }
}

/// Bytes that the system would give away; none where it does not tell.
fn available() -> Option<u64> {
    in_meminfo(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn in_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        let text = "MemTotal:       24689412 kB\nMemFree:         1 kB\nMemAvailable:   22012345 kB\n";
        assert_eq!(in_meminfo(text), Some(22_012_345 * 1024));
        assert_eq!((in_meminfo("MemTotal: 3 kB"), in_meminfo("MemAvailable: much")), (None, None));
    }
}
