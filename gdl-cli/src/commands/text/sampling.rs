//! The flags that say how tokens are drawn.

use super::super::values;
use clap::Args;
use gdl_text::sampling::{DryConfig, SamplingConfig};

/// How tokens are drawn. What is given acts in the order of the flags' list in gdl-text's documentation: bias and bans, the
/// pattern, penalties, DRY, n-grams, temperature, top-k, top-p, min-p, typical.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sampling")]
pub(in crate::commands) struct SamplingArgs {
    /// 0 always takes the likeliest token; 1 draws from the model's own distribution
    #[arg(long, value_name = "T", default_value_t = 0.7, value_parser = values::non_negative)]
    pub(in crate::commands) temperature: f64,
    /// Draw among the K likeliest tokens
    #[arg(long, value_name = "K", value_parser = values::count)]
    top_k: Option<usize>,
    /// Draw among the fewest tokens that together have probability P
    #[arg(long, value_name = "P", value_parser = values::share)]
    top_p: Option<f64>,
    /// Draw among the tokens with at least P times the probability of the likeliest
    #[arg(long, value_name = "P", value_parser = values::probability)]
    min_p: Option<f64>,
    /// Draw among the tokens about as surprising as expected, which together have probability P
    #[arg(long, value_name = "P", value_parser = values::share)]
    typical: Option<f64>,
    /// Divide the positive scores of tokens that were there already by this, and multiply negative ones; 1 is off
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = values::positive)]
    repetition_penalty: f64,
    /// Take this from a token's score for every time that it was there already
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = values::finite)]
    frequency_penalty: f64,
    /// Take this from a token's score if it was there already
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = values::finite)]
    presence_penalty: f64,
    /// Let these three penalties look at the last N tokens only [default: all, the prompt's too]
    #[arg(long, value_name = "N", value_parser = values::count)]
    penalty_window: Option<usize>,
    /// Let no sequence of N tokens come twice
    #[arg(long, value_name = "N", value_parser = values::count)]
    no_repeat_ngram: Option<usize>,
    /// Penalise going on with a repetition, the more the longer it is (DRY); 0.8 is a good start
    #[arg(long, value_name = "MULTIPLIER", value_parser = values::positive)]
    dry: Option<f64>,
    /// By what the DRY penalty grows with each token of the repetition
    #[arg(long, value_name = "X", default_value_t = 1.75, value_parser = values::positive, requires = "dry")]
    dry_base: f64,
    /// The length of repetitions at which DRY begins
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::count, requires = "dry")]
    dry_allowed_length: usize,
    /// Let DRY look at the last N tokens only [default: all]
    #[arg(long, value_name = "N", value_parser = values::count, requires = "dry")]
    dry_window: Option<usize>,
    /// Tokens with this text in them end what DRY takes for one sequence; may be given several times [default: line
    /// end, colon, double quote, asterisk]
    #[arg(long, value_name = "TEXT", requires = "dry")]
    dry_breaker: Vec<String>,
    /// Add X to the score of a token; may be given several times
    #[arg(long, value_name = "TOKEN=X", value_parser = bias)]
    logit_bias: Vec<(String, f64)>,
    /// Never write this token; may be given several times
    #[arg(long, value_name = "TOKEN")]
    ban: Vec<String>,
    /// Write the unknown token too
    #[arg(long)]
    allow_unknown: bool,
}

impl SamplingArgs {
    pub(in crate::commands) fn config(&self) -> SamplingConfig {
        let dry = self.dry.map(|multiplier| {
            let default = DryConfig::default();
            DryConfig {
                multiplier,
                base: self.dry_base,
                allowed_length: self.dry_allowed_length,
                window: self.dry_window,
                breakers: match self.dry_breaker.as_slice() {
                    [] => default.breakers,
                    breakers => breakers.to_vec(),
                },
            }
        });
        SamplingConfig {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            typical: self.typical,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            penalty_window: self.penalty_window,
            no_repeat_ngram: self.no_repeat_ngram,
            dry,
            logit_bias: self.logit_bias.iter().cloned().collect(),
            ban: self.ban.clone(),
            ban_unknown: !self.allow_unknown,
            min_length: 0,
        }
    }
}

/// A token and what is added to its score; the token may have an equals sign itself.
fn bias(text: &str) -> Result<(String, f64), String> {
    let (token, bias) = text.rsplit_once('=').ok_or("must be TOKEN=NUMBER")?;
    let bias = values::finite(bias).map_err(|_| "must be TOKEN=NUMBER")?;
    if token.is_empty() { Err("must be TOKEN=NUMBER".into()) } else { Ok((token.to_string(), bias)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_names_its_token() {
        assert_eq!(bias("e=-2.5"), Ok(("e".into(), -2.5)));
        assert_eq!(bias("==3"), Ok(("=".into(), 3.0)));
        assert!(bias("=3").is_err() && bias("e").is_err() && bias("e=x").is_err());
    }
}
