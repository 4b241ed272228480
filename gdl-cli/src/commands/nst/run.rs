//! What `gdl nst` does with its flags.

use super::args::NstArgs;
use super::frames;
use super::memory::announce_plan;
use super::painting::Painting;
use super::pictures::{Pictures, saved_style};
use super::recipe::{Recipe, VERSION};
use super::saved::Saved;
use super::sources::Sources;
use super::weights::Wanted;
use crate::commands::Context;
use crate::console::UsageError;
use anyhow::{Context as _, Result, bail};
use candle_core::Device;
use gdl_image_io::{BitDepth, check_writable, keeps_16_bits};
use gdl_nst::{Layer, NstConfig, StyleTransfer};
use gdl_vgg::VggWeights;

/// Runs `gdl nst`.
pub(crate) fn run(args: &NstArgs, context: &Context) -> Result<()> {
    if frames::are_meant(args) {
        return frames::run(args, context);
    }
    if let Some(flag) = args.frames.given() {
        let message = format!("{flag}: CONTENT is one picture, and this is for films and folders");
        return Err(UsageError(message).into());
    }
    // What can be wrong with flags and files is found out before the network is fetched and the hours are spent.
    check_writable(&args.out)?;
    if args.file.bit_depth == Some(16) && !keeps_16_bits(&args.out) {
        let message = format!("--bit-depth 16: {} has 8 bits; use .png or .tiff", args.out.display());
        return Err(UsageError(message).into());
    }
    let saved = args.again.resume.then(|| Saved::open(&args.out)).transpose()?;
    let told = match (&saved, &args.again.like) {
        (Some(saved), _) => Some(saved.recipe.clone()),
        (None, Some(path)) => Some(Recipe::of_picture(path)?),
        (None, None) => None,
    };
    let told = told.as_ref();
    let wanted = Wanted::new(args, told.map(|r| &r.network));
    // Which settings suit the network shows when it is there; the pictures' sizes do not depend on that.
    let base = told.map(|r| r.settings.clone());
    let settings = args.config(base.clone().unwrap_or_default())?;
    let mut sources = Sources::new(args, args.content.as_deref(), told.map(|r| &r.sources))?;
    let mut pictures = match (Pictures::read(&sources, &settings), &saved) {
        (read, None) => read?,
        // Where else a path would lead to a picture.
        (read, Some(saved)) => {
            read.with_context(|| format!("--resume: begun in {}", saved.folder.display()))?
        }
    };
    let changed = sources.look()?;
    let network = wanted.open(settings.seed, context)?;
    let settings = args.config(base.unwrap_or_else(|| network.settings()))?;
    if let Some(told) = told {
        let mut changed: Vec<_> = changed.iter().map(|path| path.display().to_string()).collect();
        if network.differs(settings.seed, told)? {
            changed.push(format!("the network {}", network.name));
        }
        compare(args, told, &changed, context)?;
    }
    let recipe = Recipe {
        gdl: VERSION.to_string(),
        device: name(&context.device).to_string(),
        network: network.told(&settings)?,
        sources,
        bit_depth: args.file.bit_depth.or(told.and_then(|r| r.bit_depth)),
        settings,
        unfinished_after: None,
        film: None,
    };
    pictures.styles = saved_style(args, &recipe.settings, &network.weights, pictures.styles, context)?;
    let mut transfer = transfer(&recipe.settings, &network.weights, &pictures, saved.as_ref(), context)?;
    let painting = Painting {
        out: &args.out,
        no_recipe: args.file.no_recipe || saved.is_some_and(|s| s.no_recipe),
        depth: match recipe.bit_depth {
            None => pictures.depth,
            Some(16) => BitDepth::Sixteen,
            Some(_) => BitDepth::Eight,
        },
        alpha: pictures.alpha,
        recipe,
        save_every: args.again.save_every,
    };
    painting.announce(args.again.resume, context);
    painting.run(&mut transfer, context)
}

/// The transfer at its beginning, or where it was stopped.
fn transfer(
    settings: &NstConfig,
    weights: &VggWeights,
    pictures: &Pictures,
    saved: Option<&Saved>,
    context: &Context,
) -> Result<StyleTransfer> {
    tell(settings, weights, context);
    let (content, styles) = (pictures.content.to_device(&context.device)?, &pictures.styles);
    announce_plan(settings, weights, &content, styles, context)?;
    Ok(match (saved, &pictures.start) {
        (Some(saved), _) => StyleTransfer::restore(&saved.state, weights, &content, styles)?,
        (None, None) => StyleTransfer::new(settings, weights, &content, styles)?,
        (None, Some(start)) => StyleTransfer::starting_from(start, settings, weights, &content, styles)?,
    })
}

/// Says where the network is read.
pub(super) fn tell(settings: &NstConfig, weights: &VggWeights, context: &Context) {
    context.verbosity.detail(format_args!(
        "network: {} up to {}; content at {}; style at {}",
        weights.origin(),
        weights.last_tap(),
        list(&settings.content_layers_of(weights)),
        list(&settings.style_layers_of(weights)),
    ));
}

/// What has to be said when something is not as the recipe has it.
pub(super) fn compare(args: &NstArgs, told: &Recipe, changed: &[String], context: &Context) -> Result<()> {
    let (say, changed) = (context.verbosity, changed.join(", "));
    if args.again.resume && !changed.is_empty() {
        bail!(
            "--resume: not as they were when {} was interrupted: {changed}; put them back, or begin without --resume",
            args.out.display()
        )
    }
    if let Some(path) = args.again.like.as_ref().filter(|_| !changed.is_empty()) {
        say.say(format_args!("{}: not as they were: {changed}; the result will be another", path.display()));
    }
    if let (Some(path), Some(film)) = (&args.again.like, &told.film)
        && !film.separate
        && film.frame > 1
    {
        say.say(format_args!(
            "{}: frame {} of a film, which started from the one before; the result will be another",
            path.display(),
            film.frame
        ));
    }
    if told.gdl != VERSION {
        say.say(format_args!(
            "the recipe is of gdl {}, and this is {VERSION}: the result may differ",
            told.gdl
        ));
    }
    Ok(())
}

pub(super) fn name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}

fn list(layers: &[Layer]) -> String {
    layers.iter().map(Layer::to_string).collect::<Vec<_>>().join(", ")
}
