//! The demo's CycleGAN: two drawn domains, unpaired in training, scored against the truth afterwards.

use super::Demo;
use crate::commands::translation::TrainingBar;
use anyhow::Result;
use candle_core::Tensor;
use gdl_cyclegan::{
    Direction, Event, RoundTrip, Trainer, TrainerConfig, Translator,
    builtin::{Domain, Split, builtin_set, builtin_truth},
    eval,
};
use gdl_image_io::{encode_png, grid, save_image};
use gdl_train::{
    OnExisting,
    plot::{PlotOptions, Series, line_chart_svg},
    report::Page,
};
use std::ops::ControlFlow;

/// Unseen scenes that are shown, and that are scored.
const SHOWN: usize = 5;
const SCORED: usize = 16;

/// Trains on summer and autumn landscapes, and translates scenes that it has not seen.
pub(super) fn translate(demo: &Demo<'_>, page: &mut Page) -> Result<()> {
    let run = demo.out.join("cyclegan");
    let mut config = TrainerConfig::demo();
    config.model.seed = demo.seed;
    let size = config.data.size;
    let mut trainer = Trainer::create(&run, config, OnExisting::Overwrite, &demo.context.device)?;
    let mut bar = TrainingBar::new(demo.context, "translate", &trainer);
    let mut curves = ["validity", "reconstruction", "discriminators"].map(|name| (name, Vec::new()));
    trainer.run(|event| {
        bar.show(event);
        if let Event::Step(step) = event {
            let l = &step.losses;
            let values = [l.validity(), l.reconstruction(), l.discriminator()];
            for ((_, points), value) in curves.iter_mut().zip(values) {
                points.push((step.step as f64, value));
            }
        }
        ControlFlow::Continue(())
    })?;
    bar.progress.finish();

    let inputs = builtin_set(Domain::A, Split::Test, SCORED, size, demo.seed)?;
    let truths = builtin_truth(Domain::A, Split::Test, SCORED, size, demo.seed)?;
    let translator = Translator::load(&run, Direction::AtoB, &demo.context.device)?;
    let translations =
        inputs.iter().map(|x| translator.translate(x)).collect::<gdl_cyclegan::Result<Vec<Tensor>>>()?;
    let score = eval::score(&inputs, &translations, &truths)?;
    let sheet = RoundTrip::sheet(&trainer.samples(SHOWN)?)?;
    let rows: Vec<Vec<Tensor>> =
        (0..SHOWN).map(|i| vec![inputs[i].clone(), translations[i].clone(), truths[i].clone()]).collect();
    let compared = grid(&rows, 2)?;
    save_image(&sheet, demo.out.join("round-trips.png"))?;
    save_image(&compared, demo.out.join("translations.png"))?;

    page.section(
        "Translating",
        &format!(
            "A CycleGAN has seen summer landscapes and autumn evenings, never the same place in both, and has learnt to turn \
             one into the other. These scenes are new to it. Because they are drawn by code, the true counterpart is known: \
             the translations reach a PSNR of {:.1} dB against it, and leaving the pictures as they are {:.1} dB.",
            score.psnr, score.nothing
        ),
    );
    page.picture(&encode_png(&sheet)?, "summer, as autumn, and back; autumn, as summer, and back", true);
    page.picture(&encode_png(&compared)?, "summer, translated, and the truth that it never saw", true);
    page.chart(&line_chart_svg(
        "CycleGAN",
        &curves.map(|(name, points)| Series::new(name, points).smooth(20)),
        &PlotOptions { y_label: "loss".into(), ..PlotOptions::default() },
    ));
    page.command(
        "Translate your own pictures with it, or train on your own:",
        &format!(
            "gdl cyclegan translate {} PICTURE.png --out DIR\ngdl cyclegan train --a DIR --b DIR --out RUN",
            run.display()
        ),
    );
    demo.context.verbosity.say(format_args!(
        "translations: {:.1} dB against the truth, {:.1} dB for doing nothing",
        score.psnr, score.nothing
    ));
    Ok(())
}
