//! The flags that say how a model writes.

use crate::commands::{text::SamplingArgs, values};
use clap::Args;
use gdl_text::BeamConfig;
use gdl_text::sampling::{LengthPenalty, SamplingConfig};
use gdl_text::seq2seq::{Search, WriteConfig};

/// What says how to draw, and says nothing where nothing is drawn.
const DRAWING: [&str; 6] = ["temperature", "top_k", "top_p", "min_p", "typical", "seed"];

/// How texts are looked for. Without --beam and --sample the likeliest token is taken each time.
#[derive(Debug, Args)]
#[command(next_help_heading = "Writing")]
#[command(mut_args(|arg| if DRAWING.contains(&arg.get_id().as_str()) { arg.requires("sample").conflicts_with("beam") } else { arg }))]
pub(in crate::commands) struct WritingArgs {
    /// Look for the likeliest text with so many beams
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "sample")]
    beam: Option<usize>,
    /// Divide a beam's log-probability by ((5 + length) / 6)^ALPHA (Wu et al. 2016): 0 is off, more favours longer texts
    #[arg(long, value_name = "ALPHA", default_value_t = 0.0, value_parser = values::finite, requires = "beam")]
    length_penalty: f64,
    /// What a text loses for places of the source that it has not looked at (Wu et al. 2016) [default: 0]
    #[arg(long, value_name = "BETA", value_parser = values::non_negative, requires = "beam")]
    coverage_penalty: Option<f64>,
    /// Groups of beams that look for texts of their own; must divide --beam
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count, requires = "beam")]
    groups: usize,
    /// What a token loses for each beam of the groups before that takes it at the same place
    #[arg(long, value_name = "X", default_value_t = 0.5, value_parser = values::non_negative, requires = "beam")]
    diversity: f64,
    /// Draw N texts for each source, as the flags for sampling say
    #[arg(long, value_name = "N", value_parser = values::count)]
    sample: Option<usize>,
    /// Tokens of a text at least
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_length: usize,
    /// Tokens of a text at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = values::count)]
    max_length: usize,
    /// What every text begins with
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Sources read side by side
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count)]
    batch: usize,
    #[command(flatten)]
    sampling: SamplingArgs,
}

impl WritingArgs {
    /// How to write, with the `n_best` texts of a beam search.
    pub(in crate::commands) fn config(&self, n_best: usize) -> WriteConfig {
        let sampling = SamplingConfig { min_length: self.min_length, ..self.sampling.config() };
        let search = match (self.beam, self.sample) {
            (Some(beams), _) => Search::Beam(BeamConfig {
                beams,
                n_best,
                length_penalty: LengthPenalty::Wu(self.length_penalty),
                groups: self.groups,
                diversity: self.diversity,
            }),
            (None, Some(samples)) => Search::Sample(samples),
            (None, None) => Search::Greedy,
        };
        WriteConfig {
            search,
            sampling,
            max_length: self.max_length,
            prefix: self.prefix.clone(),
            coverage_penalty: self.coverage_penalty.unwrap_or(0.0),
            attention: false,
            seed: self.seed,
            batch: self.batch,
        }
    }
}
