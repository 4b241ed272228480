//! What `gdl nst` does with its flags.

use super::args::NstArgs;
use super::frames;
use super::memory::announce_plan;
use super::painting::Painting;
use super::pictures::{Pictures, saved_style};
use super::saved::Saved;
use super::sources::Sources;
use super::told::{recipe_of, told};
use super::weights::Wanted;
use crate::commands::Context;
use crate::console::UsageError;
use anyhow::{Context as _, Result};
use gdl_image_io::{check_writable, keeps_16_bits};
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
    let told = told(saved.as_ref().map(|saved| &saved.recipe), args)?;
    let told = told.as_ref();
    let wanted = Wanted::new(args, told.map(|r| &r.network));
    // Which settings suit the network shows when it is there; the pictures' sizes do not depend on that.
    let settings = args.config(told.map(|r| r.settings.clone()).unwrap_or_default())?;
    let mut sources = Sources::new(args, args.content.as_deref(), told.map(|r| &r.sources))?;
    let mut pictures = match (Pictures::read(&sources, &settings), &saved) {
        (read, None) => read?,
        // Where else a path would lead to a picture.
        (read, Some(saved)) => {
            read.with_context(|| format!("--resume: begun in {}", saved.folder.display()))?
        }
    };
    let changed = sources.look()?.iter().map(|path| path.display().to_string()).collect();
    let wanted = (&wanted, settings.seed);
    let (recipe, network) = recipe_of(args, told, wanted, (sources, None), changed, context)?;
    pictures.styles = saved_style(args, &recipe.settings, &network.weights, pictures.styles, context)?;
    let mut transfer = transfer(&recipe.settings, &network.weights, &pictures, saved.as_ref(), context)?;
    let painting = Painting {
        out: &args.out,
        no_recipe: args.file.no_recipe || saved.is_some_and(|s| s.no_recipe),
        depth: recipe.depth(pictures.depth),
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

fn list(layers: &[Layer]) -> String {
    layers.iter().map(Layer::to_string).collect::<Vec<_>>().join(", ")
}
