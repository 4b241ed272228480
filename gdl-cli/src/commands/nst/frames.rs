//! `gdl nst` on the frames of a film, and on folders of pictures.

use super::args::NstArgs;
use super::film::Unfinished;
use super::memory::announce_plan;
use super::painting::{PaintBar, Painting};
use super::pictures::{Content, Pictures, saved_style};
use super::recipe::{Film, Recipe};
use super::run::tell;
use super::sources::{Source, Sources};
use super::told::{bit_depth, recipe_of, told};
use super::weights::Wanted;
use crate::commands::{Context, translation::same_file, values};
use crate::console::UsageError;
use crate::interrupt::{Interrupt, Interrupted};
use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use gdl_image_io::{EXTENSIONS, check_writable, expand_pattern, image_size, keeps_16_bits};
use gdl_nst::{Frame, NstConfig, Series, StyleTransfer};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(next_help_heading = "Films and folders")]
pub(super) struct FrameArgs {
    /// The pictures are no film: paint each by itself
    #[arg(long)]
    separate: bool,
    /// How much a frame is held to the one before, moved along with what is seen; 0 for not at all [default: 2000]
    #[arg(long, value_name = "W", value_parser = values::non_negative)]
    pub(super) temporal_weight: Option<f64>,
    /// Steps for each frame but the first, which start from the frame before [default: 60; 20 with lbfgs]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(super) frame_steps: Option<usize>,
    /// How far Adam moves a pixel in a step of those frames [default: 0.01]
    #[arg(long, value_name = "X", value_parser = values::positive)]
    pub(super) frame_step_size: Option<f64>,
}

impl FrameArgs {
    /// A flag that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--separate", self.separate),
            ("--temporal-weight", self.temporal_weight.is_some()),
            ("--frame-steps", self.frame_steps.is_some()),
            ("--frame-step-size", self.frame_step_size.is_some()),
        ];
        given.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }
}

/// Whether more than a picture is meant: by a folder or a pattern, or by a folder to go on with.
pub(super) fn are_meant(args: &NstArgs) -> bool {
    match &args.content {
        Some(c) => c.is_dir() || !c.exists() && c.to_str().is_some_and(|c| c.contains(['*', '?', '['])),
        None => args.again.resume && args.out.is_dir(),
    }
}

/// Paints them all.
pub(super) fn run(args: &NstArgs, context: &Context) -> Result<()> {
    if args.again.save_every.is_some() {
        let message = "--save-every: is for one picture; a film goes on from its last frame".to_string();
        return Err(UsageError(message).into());
    }
    let left = args.again.resume.then(|| Unfinished::open(&args.out)).transpose()?;
    let told = told(left.as_ref().map(|left| &left.recipe), args)?;
    let told = told.as_ref();
    let begun = left.as_ref().and_then(|left| left.recipe.film.clone());
    let content = args.content.clone().unwrap_or_default();
    let film = begun.unwrap_or(Film { content, separate: args.frames.separate, frame: 0 });
    let wanted = Wanted::new(args, told.map(|r| &r.network));
    let settings = args.config(told.map(|r| r.settings.clone()).unwrap_or_default())?;
    let begun_in = || left.as_ref().map(|left| format!("--resume: begun in {}", left.folder.display()));
    let jobs = match (Jobs::plan(&film, &args.out, bit_depth(args, told)), begun_in()) {
        (planned, None) => planned?,
        (planned, Some(begun_in)) => planned.context(begun_in)?,
    };
    let first = left.is_none().then_some(jobs.inputs[0].as_path());
    let mut sources = Sources::new(args, first, told.map(|r| &r.sources))?;
    let mut pictures = match (Pictures::read(&sources, &settings), begun_in()) {
        (read, None) => read?,
        (read, Some(begun_in)) => read.context(begun_in)?,
    };
    let mut changed: Vec<_> = sources.look()?.iter().map(|path| path.display().to_string()).collect();
    if sources.content.path != jobs.inputs[0] {
        changed.push(format!("the first frame {}", sources.content.path.display()));
    }
    let wanted = (&wanted, settings.seed);
    let (recipe, network) = recipe_of(args, told, wanted, (sources, Some(film)), changed, context)?;
    let (settings, weights) = (&recipe.settings, &network.weights);
    tell(settings, weights, context);
    let styles = saved_style(args, settings, weights, std::mem::take(&mut pictures.styles), context)?;
    let content = pictures.content.to_device(&context.device)?;
    announce_plan(settings, weights, &content, &styles, context)?;
    let separate = jobs.separate;
    let series = match separate {
        true => Series::separate(settings, weights, &styles, &context.device)?,
        false => Series::film(settings, weights, &styles, &content)?,
    };
    let course = Course {
        series,
        start: pictures.start,
        no_recipe: args.file.no_recipe || left.as_ref().is_some_and(|left| left.no_recipe),
        recipe,
        jobs,
        out: &args.out,
        context,
    };
    // What does not fit shows before there is a folder.
    course.transfer(&content, None)?;
    course.run(args.again.resume)
}

/// Everything that the frames have in common.
struct Course<'a> {
    series: Series,
    /// What the first starts from, if it is a picture.
    start: Option<candle_core::Tensor>,
    recipe: Recipe,
    no_recipe: bool,
    jobs: Jobs,
    out: &'a Path,
    context: &'a Context,
}

impl Course<'_> {
    fn transfer(&self, content: &candle_core::Tensor, before: Option<&Frame>) -> Result<StyleTransfer> {
        Ok(match (before, &self.start) {
            (Some(before), _) => self.series.frame(before, content)?,
            (None, Some(start)) => self.series.picture_from(start, content)?,
            (None, None) => self.series.picture(content)?,
        })
    }

    fn settings(&self) -> &NstConfig {
        &self.recipe.settings
    }

    /// Paints what is left.
    fn run(&self, resumed: bool) -> Result<()> {
        let out = self.out.display();
        std::fs::create_dir_all(self.out).with_context(|| format!("{out}: cannot make this folder"))?;
        self.jobs.outputs.iter().try_for_each(check_writable)?;
        let (say, count) = (self.context.verbosity, self.jobs.inputs.len());
        let begin = self.recipe.film.as_ref().map_or(0, |film| film.frame.min(count));
        let steps = |i: usize| match self.jobs.separate || i == 0 {
            true => self.settings().total_steps(),
            false => self.settings().frame_steps,
        };
        let (total, mut done) = ((0..count).map(steps).sum(), (0..begin).map(steps).sum());
        let mut bar = PaintBar::of(self.context, total, done);
        let interrupt = Interrupt::watch(say);
        self.note(begin)?;
        let mut before = match self.jobs.separate || begin == 0 || begin == count {
            true => None,
            false => Some(self.frame(begin - 1)?),
        };
        for i in begin..count {
            let input = &self.jobs.inputs[i];
            let named = || input.display().to_string();
            let content = Content::read(&Source::new(input), self.settings())?;
            let image = content.image.to_device(&self.context.device)?;
            let mut transfer = self.transfer(&image, before.as_ref()).with_context(named)?;
            let painting = Painting {
                out: &self.jobs.outputs[i],
                no_recipe: self.no_recipe,
                alpha: content.alpha,
                depth: self.recipe.depth(content.depth),
                recipe: self.recipe_of(i)?,
                save_every: None,
            };
            if i == begin {
                painting.announce(resumed, self.context);
            }
            transfer.watch_tiles(bar.tile_watcher());
            let name = format!("{} of {count}: ", i + 1);
            let painted = transfer.run(|report| {
                bar.show_in(&name, done, report);
                interrupt.flow()
            });
            let painted = painted.with_context(named)?;
            let whole = transfer.steps_done() == transfer.total_steps();
            if whole {
                painting.save(&painted, &painting.recipe)?;
                self.note(i + 1)?;
                done += steps(i);
            }
            if !whole || interrupt.came() && i + 1 < count {
                bar.progress.finish();
                let frame = i + 1;
                let message = match whole {
                    true => format!("after {frame} of {count}: gdl nst --resume -o {out} goes on"),
                    false => format!(
                        "in {frame} of {count}, which is not kept: gdl nst --resume -o {out} goes on with it"
                    ),
                };
                return Err(Interrupted(message).into());
            }
            if !self.jobs.separate && i + 1 < count {
                // As it is in the file, so that a film that was interrupted goes on as one that was not.
                before = Some(self.frame(i)?);
            }
        }
        bar.progress.finish();
        Unfinished::remove(self.out)?;
        let kind = if self.jobs.separate { "pictures" } else { "frames" };
        say.say(format_args!("{out}: {count} {kind}"));
        Ok(())
    }

    /// Notes how many are done.
    fn note(&self, done: usize) -> Result<()> {
        let film = self.recipe.film.clone().map(|film| Film { frame: done, ..film });
        let recipe = Recipe { film, ..self.recipe.clone() };
        let folder = std::env::current_dir().unwrap_or_default();
        Unfinished { recipe, no_recipe: self.no_recipe, folder }.write(self.out)
    }

    /// What picture `i` comes of.
    fn recipe_of(&self, i: usize) -> Result<Recipe> {
        let film = self.recipe.film.clone().map(|film| Film { frame: i + 1, ..film });
        let sources = self.recipe.sources.with_content(&self.jobs.inputs[i])?;
        Ok(Recipe { film, sources, ..self.recipe.clone() })
    }

    /// Frame `i`, which has been painted.
    fn frame(&self, i: usize) -> Result<Frame> {
        let read = |path: &Path| -> Result<_> {
            Ok(Content::read(&Source::new(path), self.settings())?.image.to_device(&self.context.device)?)
        };
        Ok(Frame { content: read(&self.jobs.inputs[i])?, painted: read(&self.jobs.outputs[i])? })
    }
}

/// What is painted, and where it goes.
#[derive(Debug)]
struct Jobs {
    inputs: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
    separate: bool,
}

impl Jobs {
    /// Everything that can be known before the first picture is checked here.
    fn plan(film: &Film, out: &Path, bit_depth: Option<u8>) -> Result<Self> {
        let extension = out.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let picture = extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()));
        if picture && !out.is_dir() {
            let (out, content) = (out.display(), film.content.display());
            let message = format!("-o {out}: {content} is more than one picture, so this must be a folder");
            return Err(UsageError(message).into());
        }
        if let Some(file) = out.ancestors().find(|p| p.exists()).filter(|p| !p.is_dir()) {
            bail!("-o {}: {} is a file, not a folder", out.display(), file.display());
        }
        let inputs = expand_pattern(&film.content)?;
        let (size, mut outputs) = (image_size(&inputs[0])?, Vec::<PathBuf>::new());
        for input in &inputs {
            let shown = input.display();
            let output = out.join(input.file_name().with_context(|| format!("{shown}: has no name"))?);
            ensure!(
                !same_file(input, &output),
                "{shown}: would be overwritten by what is made of it; choose another -o"
            );
            if let Some(i) = outputs.iter().position(|o| *o == output) {
                let other = inputs[i].display();
                bail!(
                    "{other} and {shown} have the same name and would become one file; paint them into different folders"
                );
            }
            let (h, w) = image_size(input)?;
            ensure!(
                film.separate || (h, w) == size,
                "{shown}: is {w}x{h}, but the first frame is {}x{}; the frames of a film have one size (--separate paints \
                 pictures that are no film)",
                size.1,
                size.0
            );
            if bit_depth == Some(16) && !keeps_16_bits(&output) {
                let message = format!("--bit-depth 16: {} has 8 bits", output.display());
                return Err(UsageError(message).into());
            }
            outputs.push(output);
        }
        Ok(Self { inputs, outputs, separate: film.separate })
    }
}
