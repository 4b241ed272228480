//! Paints a picture in the manner of another: `paint CONTENT STYLE OUT.png [WEIGHTS|random] [key=value ...]`, the
//! keys being those of `NstConfig`, their values JSON.

use gdl_nst::{NstConfig, StyleTransfer};
use gdl_vgg::VggWeights;
use std::ops::ControlFlow;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [content, style, out, weights, settings @ ..] = args.as_slice() else {
        return Err("usage: paint CONTENT STYLE OUT.png WEIGHTS|random [key=value ...]".into());
    };
    let base = if weights == "random" { NstConfig::untrained() } else { NstConfig::default() };
    let mut config = serde_json::to_value(base)?;
    for setting in settings {
        let (key, value) = setting.split_once('=').ok_or("a setting is key=value")?;
        config[key] = serde_json::from_str(value)?;
    }
    let config: NstConfig = serde_json::from_value(config)?;
    let weights = match weights.as_str() {
        "random" => VggWeights::random(&NstConfig::untrained_network(), config.seed)?,
        file => VggWeights::open(file)?,
    };
    let options = gdl_image_io::LoadOptions::default();
    let content = gdl_image_io::load_image(content, &options)?;
    let style = gdl_image_io::load_image(style, &options)?;
    let start = std::time::Instant::now();
    let mut transfer = StyleTransfer::new(&config, &weights, &content, &[style.into()])?;
    let picture = transfer.run(|report| {
        let l = &report.losses;
        if report.step % 20 == 1 || report.step == report.steps {
            eprintln!(
                "{}/{} {}x{} content {:.4} style {:.5} tv {:.5} total {:.4} ({:.1} s)",
                report.step,
                report.steps,
                report.width,
                report.height,
                l.content,
                l.style,
                l.tv,
                l.total,
                start.elapsed().as_secs_f64()
            );
        }
        ControlFlow::Continue(())
    })?;
    Ok(gdl_image_io::save_image(&picture, out)?)
}
