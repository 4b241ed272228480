//! The demo's style transfer: two drawn pictures, and the network inside the program.

use super::Demo;
use crate::commands::nst::PaintBar;
use anyhow::Result;
use gdl_image_io::{encode_png, save_image};
use gdl_nst::{NstConfig, StyleTransfer, builtin};
use gdl_train::{
    plot::{PlotOptions, Series, line_chart_svg},
    report::Page,
};
use std::ops::ControlFlow;

/// Pixels on the longer side of the painting.
const SIZE: usize = 320;

/// Paints the drawn harbour in the manner of the drawn night sky.
pub(super) fn paint(demo: &Demo<'_>, page: &mut Page) -> Result<()> {
    let content = builtin::content(SIZE)?.to_device(&demo.context.device)?;
    let style = builtin::style(builtin::Style::Swirl, SIZE)?;
    let weights = builtin::network()?;
    let config =
        NstConfig { size: SIZE, min_size: SIZE / 2, steps: 120, seed: demo.seed, ..NstConfig::builtin() };
    let mut transfer = StyleTransfer::new(&config, &weights, &content, &[style.clone().into()])?;
    let mut bar = PaintBar::new(demo.context, &transfer);
    let mut curve = Vec::new();
    let image = transfer.run(|report| {
        bar.show(report);
        curve.push((report.step as f64, report.losses.total));
        ControlFlow::Continue(())
    })?;
    bar.progress.finish();
    save_image(&image, demo.out.join("painting.png"))?;
    save_image(&content, demo.out.join("content.png"))?;
    save_image(&style, demo.out.join("style.png"))?;

    page.section(
        "Painting",
        "Style transfer changes the pixels of one picture until a network sees in it the content of that picture and \
         the textures of another. Both were drawn by code; the network is the small one inside the program, which \
         learned on drawn pictures to see as VGG-19 does. With VGG-19 itself, which gdl nst fetches, it paints better.",
    );
    page.row(&[
        (encode_png(&content)?, "content"),
        (encode_png(&style)?, "style"),
        (encode_png(&image)?, "painted"),
    ]);
    page.chart(&line_chart_svg(
        "style transfer",
        &[Series::new("loss", curve)],
        &PlotOptions { y_label: "loss".into(), ..PlotOptions::default() },
    ));
    page.command("On your own pictures:", "gdl nst PHOTO.jpg PAINTING.jpg -o OUT.png");
    Ok(())
}
