use super::past::Past;
use super::sampler::Processor;
use super::{SamplingConfig, Vocabulary};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// What is added to scores, and which tokens are never drawn.
#[derive(Debug)]
pub(super) struct Bias {
    added: Vec<(usize, f64)>,
    pub(super) banned: BTreeSet<u32>,
}

impl Bias {
    pub(super) fn new(config: &SamplingConfig, vocabulary: &dyn Vocabulary) -> Result<Self> {
        let mut banned = BTreeSet::new();
        if config.ban_unknown {
            banned.extend(vocabulary.unknown());
        }
        let mut added = Vec::new();
        if !config.logit_bias.is_empty() || !config.ban.is_empty() {
            let ids: BTreeMap<_, _> =
                (0..vocabulary.size() as u32).filter_map(|id| Some((vocabulary.text(id)?, id))).collect();
            let find = |key, text: &str| {
                let unknown = || Error::setting(key, format!("the vocabulary has no token {text:?}"));
                ids.get(text).copied().ok_or_else(unknown)
            };
            for (text, &bias) in &config.logit_bias {
                added.push((find("logit bias", text)? as usize, bias));
            }
            for text in &config.ban {
                banned.insert(find("ban", text)?);
            }
        }
        Ok(Self { added, banned })
    }
}

impl Processor for Bias {
    fn apply(&self, scores: &mut [f64], _: &Past) {
        for &(id, bias) in &self.added {
            if let Some(score) = scores.get_mut(id) {
                *score += bias;
            }
        }
        for &id in &self.banned {
            if let Some(score) = scores.get_mut(id as usize) {
                *score = f64::NEG_INFINITY;
            }
        }
    }
}
