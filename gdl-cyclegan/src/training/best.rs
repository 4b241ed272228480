//! Scoring while training, and the best weights so far.

use super::Training;
use crate::eval::{FeatureNet, Features, Similarity, TestSet, fid, kid};
use crate::method::{ConfigOf, Method, Pairs};
use crate::{Error, KeepBest, Metric, Result};
use candle_core::Device;
use gdl_train::{RunDir, load_tensors, save_tensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A score that the weights had after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// After so many steps.
    pub step: u64,
    /// Which score.
    pub metric: Metric,
    /// Its value.
    pub score: f64,
    /// Whether none was better before: these weights are kept.
    pub best: bool,
}

/// The generators' losses since the last scoring; part of a checkpoint.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MeanLoss {
    sum: f64,
    count: u64,
}

/// What [`KeepBest`] asks for.
#[derive(Debug)]
pub(super) struct Scorer {
    config: KeepBest,
    /// One for each of [`Method::translators`].
    sets: Vec<TestSet>,
    net: Option<FeatureNet>,
    /// The features of each set's real pictures, from the first scoring on.
    real: Vec<Features>,
    pub(super) losses: MeanLoss,
    /// The file of the best weights tells it too, and is believed when a run is resumed.
    best: Option<(u64, f64)>,
}

impl Scorer {
    /// Checks whether the score can be computed, and prepares it.
    pub(super) fn new<M: Method>(config: &ConfigOf<M>, device: &Device) -> Result<Option<Self>> {
        let Some(keep) = &config.keep_best else { return Ok(None) };
        let metric = keep.metric;
        let fault = |message: String| Err(Error::Setting { key: "keep_best", message });
        if keep.every == 0 || keep.count == Some(0) {
            return fault("every and count must be at least 1, not 0".into());
        }
        let sets = match metric.needs_pictures() {
            true => M::Data::held_out(&config.data, keep.count, M::seed(&config.model))?,
            false => Vec::new(),
        };
        if metric.needs_truths() && sets.iter().any(|set| set.truths.is_none()) {
            return fault(format!(
                "{metric} needs the true counterpart of every validation picture, and unpaired folders have none; choose kid, fid or \
                 loss"
            ));
        }
        let net = match (metric.needs_features(), &keep.weights) {
            (false, _) => None,
            (true, Some(weights)) => Some(FeatureNet::new(&weights.open()?, keep.tap, device)?),
            (true, None) => return fault(format!("{metric} needs the weights of a VGG network (weights)")),
        };
        let few = sets.iter().map(|set| set.inputs.len().min(set.real.len())).min();
        if net.is_some() && few.is_some_and(|few| few < 2) {
            return fault(format!("{metric} needs at least 2 validation pictures of each domain"));
        }
        let (config, losses) = (keep.clone(), MeanLoss::default());
        Ok(Some(Self { config, sets, net, real: Vec::new(), losses, best: None }))
    }

    /// Takes the generators' loss of a step.
    pub(super) fn observe(&mut self, loss: f64) {
        self.losses.sum += loss;
        self.losses.count += 1;
    }

    /// The score of the networks as they are; no number when what they make is none, which it is not for a score to stop at.
    fn score<M: Method>(&mut self, model: &M) -> Result<f64> {
        let losses = std::mem::take(&mut self.losses);
        if self.config.metric == Metric::Loss {
            return Ok(losses.sum / losses.count as f64);
        }
        if let (Some(net), true) = (&self.net, self.real.is_empty()) {
            self.real = self.sets.iter().map(|set| net.of(set.real.iter())).collect::<Result<_>>()?;
        }
        let mut scores = Vec::new();
        for (i, (set, translator)) in self.sets.iter().zip(model.translators()?).enumerate() {
            let translated = set.translate(&translator, self.net.as_ref(), |_| {})?;
            if translated.features.as_ref().is_some_and(|features| !features.is_finite()) {
                return Ok(f64::NAN);
            }
            let similarity = |of: fn(&Similarity) -> f64| translated.similarity.as_ref().map(of);
            let distance = |of: fn(&Features, &Features) -> candle_core::Result<f64>| {
                let fake = translated.features.as_ref().zip(self.real.get(i));
                fake.map(|(fake, real)| of(fake, real)).transpose()
            };
            scores.extend(match self.config.metric {
                Metric::Psnr => similarity(|s| s.psnr),
                Metric::Ssim => similarity(|s| s.ssim),
                Metric::Kid => distance(kid)?,
                Metric::Fid => distance(fid)?,
                Metric::Loss => None,
            });
        }
        Ok(scores.iter().sum::<f64>() / scores.len() as f64)
    }

    /// Takes what the file of the best weights, where there is one, says about itself.
    pub(super) fn recall(&mut self, run: &RunDir) -> Result<()> {
        let path = run.best_path();
        if !path.is_file() {
            return Ok(());
        }
        let (_, metadata) = load_tensors(&path, &Device::Cpu)?;
        let entry = |key: &str| metadata.get(key).map(String::as_str).unwrap_or_default();
        let best = (entry(STEP).parse(), entry(SCORE).parse(), entry(METRIC).parse::<Metric>());
        let (Ok(step), Ok(score), Ok(metric)) = best else {
            let message = "it does not say which step and score it is of; remove it".into();
            return Err(Error::Checkpoint { path, message });
        };
        // Of another score: not comparable, and replaced by the next.
        self.best = (metric == self.config.metric).then_some((step, score));
        Ok(())
    }
}

/// Entries in the metadata of the best weights.
const STEP: &str = "step";
const METRIC: &str = "metric";
const SCORE: &str = "score";

impl<M: Method> Training<M> {
    /// The best score so far, and after how many steps; none before the first scoring.
    pub fn best(&self) -> Option<(u64, f64)> {
        self.scorer.as_ref()?.best
    }

    /// Scores the networks when it is time to, and keeps their weights when they are the best so far: whole or not at all, with
    /// step, metric and score in the file's metadata.
    pub(super) fn score(&mut self) -> Result<Option<Scored>> {
        let (step, total) = (self.step, self.total_steps());
        let Some(scorer) = &mut self.scorer else { return Ok(None) };
        if !step.is_multiple_of(scorer.config.every) && step != total {
            return Ok(None);
        }
        let (metric, score) = (scorer.config.metric, scorer.score(&self.model)?);
        let best = match scorer.best {
            Some((_, before)) => metric.is_better(score, before),
            None => !score.is_nan(),
        };
        if best {
            scorer.best = Some((step, score));
            if let Some((run, _)) = &self.run {
                let metadata = [
                    ("format", "pt".to_string()),
                    (STEP, step.to_string()),
                    (METRIC, metric.to_string()),
                    // The shortest digits that give the same number back.
                    (SCORE, score.to_string()),
                ];
                let metadata: BTreeMap<_, _> = metadata.map(|(key, value)| (key.to_string(), value)).into();
                save_tensors(run.best_path(), &self.weights(), &metadata)?;
            }
        }
        Ok(Some(Scored { step, metric, score, best }))
    }
}
