use super::SamplingConfig;
use super::past::Past;
use super::sampler::Processor;

/// Against tokens that stand in the text already.
///
/// # Source
/// Repetition: Keskar et al. 2019 (CTRL), <https://arxiv.org/abs/1909.05858>, with the case of negative scores as in
/// `transformers`. Frequency and presence: the OpenAI API's reference.
#[derive(Debug)]
pub(super) struct Penalties {
    repetition: f64,
    frequency: f64,
    presence: f64,
}

impl Penalties {
    /// None where there is nothing to do.
    pub(super) fn new(config: &SamplingConfig) -> Option<Self> {
        let SamplingConfig { repetition_penalty, frequency_penalty, presence_penalty, .. } = *config;
        let off = repetition_penalty == 1.0 && frequency_penalty == 0.0 && presence_penalty == 0.0;
        (!off).then_some(Self {
            repetition: repetition_penalty,
            frequency: frequency_penalty,
            presence: presence_penalty,
        })
    }
}

impl Processor for Penalties {
    fn apply(&self, scores: &mut [f64], past: &Past) {
        for (score, &count) in scores.iter_mut().zip(&past.counts) {
            if count > 0 {
                *score = if *score > 0.0 { *score / self.repetition } else { *score * self.repetition };
                *score -= self.frequency * f64::from(count) + self.presence;
            }
        }
    }
}
