//! What is told by the picture of `--like` or by what `--resume` goes on from, and what of it still holds.

use super::args::NstArgs;
use super::recipe::{Film, Recipe, VERSION};
use super::sources::Sources;
use super::weights::{Found, Wanted};
use crate::commands::Context;
use crate::device;
use anyhow::{Result, bail};

/// The recipe to follow: that of what is `left` of an interrupted run, or that in the picture of `--like`.
pub(super) fn told(left: Option<&Recipe>, args: &NstArgs) -> Result<Option<Recipe>> {
    match (left, &args.again.like) {
        (Some(left), _) => Ok(Some(left.clone())),
        (None, Some(path)) => Recipe::of_picture(path).map(Some),
        (None, None) => Ok(None),
    }
}

/// Opens the network and writes down what is painted now, with the settings that suit it. What is not as it was told is an
/// error or a line; `changed` names the files that are not.
pub(super) fn recipe_of<'a>(
    args: &NstArgs,
    told: Option<&Recipe>,
    (wanted, seed): (&Wanted<'a>, u64),
    (sources, film): (Sources, Option<Film>),
    mut changed: Vec<String>,
    context: &Context,
) -> Result<(Recipe, Found<'a>)> {
    let network = wanted.open(seed, context)?;
    let settings = args.config(told.map_or_else(|| network.settings(), |told| told.settings.clone()))?;
    if let Some(told) = told {
        if network.differs(settings.seed, told)? {
            changed.push(format!("the network {}", network.name));
        }
        compare(args, told, &changed, context)?;
    }
    let recipe = Recipe {
        gdl: VERSION.to_string(),
        device: device::name(&context.device).to_string(),
        network: network.told(&settings)?,
        sources,
        bit_depth: bit_depth(args, told),
        settings,
        unfinished_after: None,
        film,
    };
    Ok((recipe, network))
}

/// The bits that are asked for.
pub(super) fn bit_depth(args: &NstArgs, told: Option<&Recipe>) -> Option<u8> {
    args.file.bit_depth.or(told.and_then(|told| told.bit_depth))
}

/// What has to be said when something is not as the recipe has it.
fn compare(args: &NstArgs, told: &Recipe, changed: &[String], context: &Context) -> Result<()> {
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
