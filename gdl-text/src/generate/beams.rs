use super::Writer;
use super::reader::Reader;
use crate::Result;
use crate::sampling::{BeamConfig, Stops, beam_search};
use serde::{Deserialize, Serialize};

/// One of the likeliest texts, found by beam search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Likely {
    /// What was written, without the prompt and without the stop text that ended it.
    pub text: String,
    /// How many tokens were written, those of a stop text included.
    pub tokens: usize,
    /// The natural logarithm of their probability under the model.
    pub log_prob: f64,
    /// What it was ranked by: as `log_prob`, but with bias and penalties, divided for its length.
    pub score: f64,
}

pub(super) fn search(writer: &Writer<'_>, config: &BeamConfig) -> Result<Vec<Likely>> {
    let Writer { model, prompt, sampler, decoder, device, config: settings, .. } = writer;
    let mut reader = Reader::new(model, prompt.state.clone(), prompt.logits.clone(), device)?;
    let printed = |tokens: &[u32]| -> Result<(String, bool)> {
        let (mut decoder, mut stops) = (decoder.clone(), Stops::new(&settings.stop));
        let mut text = String::new();
        for &token in tokens {
            let (piece, stopped) = stops.push(&decoder.push(token)?);
            text.push_str(&piece);
            if stopped {
                return Ok((text, true));
            }
        }
        Ok((text + &stops.finish(), false))
    };
    let found = beam_search(
        sampler,
        config,
        (&prompt.ids, decoder.context(), settings.length),
        &prompt.logits,
        |rows, tokens| {
            let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
            reader.select(&rows)?;
            reader.read(tokens)?;
            Ok(reader.logits().to_vec())
        },
        |tokens| Ok(!settings.stop.is_empty() && printed(tokens)?.1),
    )?;
    found
        .into_iter()
        .map(|found| {
            let (text, _) = printed(&found.tokens)?;
            let (tokens, log_prob, score) = (found.tokens.len(), found.log_prob, found.score);
            Ok(Likely { text, tokens, log_prob, score })
        })
        .collect()
}
