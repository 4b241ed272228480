//! What watches over a training, and what becomes of one that fails.

mod config;
mod failure;
mod good;
mod rescue;

pub use config::{GuardConfig, OnFailure};
pub use failure::{Failure, Rollback, Symptom};
pub(super) use good::{Good, pack, unpack};
pub(super) use rescue::unsound;

use gdl_patchgan::GanLoss;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A discriminator's loss below which it is never wrong: scores within 0.01 of their targets with least squares.
const WON: f64 = 1e-4;
/// By how much a loss changes that stands still, as a share of it.
const STILL: f64 = 1e-6;
/// The standard deviation of a plane of one colour, half a grey level, and of one that is not.
const BLANK: f64 = 1.0 / 255.0;
const PICTURE: f64 = 0.02;

/// How a network has fared in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Vital {
    /// A discriminator: its loss, the mean of those on real and translated pictures, and whether 0 is the least it can be.
    Judged {
        /// The loss.
        loss: f64,
        /// Whether it is never below 0.
        bounded: bool,
    },
    /// A generator: the largest standard deviation that a plane of pictures has, in [-1, 1].
    Painted {
        /// Of its translations.
        fake: f64,
        /// Of real pictures of that domain.
        real: f64,
    },
}

impl Vital {
    /// A discriminator's, by the loss that it minimises.
    pub(crate) fn judged(gan_loss: GanLoss, loss: f64) -> Self {
        Self::Judged { loss, bounded: gan_loss != GanLoss::WassersteinGp }
    }
}

/// What a network has shown without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sign {
    Won,
    Still,
    Blank,
}

/// A sign with the step that it was first seen at, and the value it was seen by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Streak {
    sign: Sign,
    since: u64,
    value: f64,
}

/// What the guard remembers, which is part of a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Guard {
    rollbacks: u32,
    streaks: BTreeMap<String, Streak>,
}

impl Guard {
    /// After so many rollbacks.
    pub(super) fn after(rollbacks: u32) -> Self {
        Self { rollbacks, streaks: BTreeMap::new() }
    }

    /// How often the training has gone back.
    pub(super) fn rollbacks(&self) -> u32 {
        self.rollbacks
    }

    /// What the learning rate is multiplied by: one half for every rollback.
    pub(super) fn factor(&self) -> f64 {
        0.5f64.powf(f64::from(self.rollbacks))
    }

    /// Whether a network has begun to look collapsed, so that the state is none to go back to.
    pub(super) fn suspects(&self, step: u64) -> bool {
        // Any loss stands still for one step.
        self.streaks.values().any(|streak| streak.sign != Sign::Still || streak.since < step)
    }

    /// Takes in how the networks have fared; a failure where one has looked collapsed for `patience` steps.
    pub(super) fn observe(
        &mut self,
        step: u64,
        vitals: &[(&'static str, Vital)],
        patience: u64,
    ) -> Option<Failure> {
        if patience == 0 {
            return None;
        }
        let mut failure = None;
        for &(net, vital) in vitals {
            let before = self.streaks.remove(net);
            let Some((sign, value)) = sign(vital, before.as_ref()) else { continue };
            let streak = match before {
                Some(streak)
                    if streak.sign == sign && (sign != Sign::Still || stands(value, streak.value)) =>
                {
                    streak
                }
                _ => Streak { sign, since: step, value },
            };
            if step + 1 - streak.since >= patience && failure.is_none() {
                let (net, since) = (net.to_string(), streak.since);
                let symptom = match sign {
                    Sign::Won => Symptom::Won { net, since, loss: value },
                    Sign::Still => Symptom::Still { net, since, loss: value },
                    Sign::Blank => Symptom::Blank { net, since, spread: value },
                };
                failure = Some(Failure { step, symptom });
            }
            self.streaks.insert(net.to_string(), streak);
        }
        failure
    }
}

fn stands(loss: f64, before: f64) -> bool {
    (loss - before).abs() <= STILL * before.abs()
}

/// What a network shows, and the value that it shows it by. A loss that has stood still before it fell below the least is
/// still that of a network that does not learn.
fn sign(vital: Vital, before: Option<&Streak>) -> Option<(Sign, f64)> {
    match vital {
        Vital::Judged { loss, bounded } => {
            let stood = before.is_some_and(|b| b.sign == Sign::Still && stands(loss, b.value));
            let won = bounded && loss < WON && !stood;
            Some((if won { Sign::Won } else { Sign::Still }, loss))
        }
        Vital::Painted { fake, real } => (fake < BLANK && real > PICTURE).then_some((Sign::Blank, fake)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first failure when a network shows these values step by step.
    fn failure(vital: impl Fn(f64) -> Vital, values: &[f64], patience: u64) -> Option<Failure> {
        let mut guard = Guard::default();
        let mut steps = 1..;
        values
            .iter()
            .find_map(|&value| guard.observe(steps.next().unwrap(), &[("net_D", vital(value))], patience))
    }

    fn judged(gan_loss: GanLoss) -> impl Fn(f64) -> Vital {
        move |loss| Vital::judged(gan_loss, loss)
    }

    #[test]
    fn a_discriminator_that_is_never_wrong() {
        let values = [0.3, 9e-5, 8e-5, 0.2, 7e-5, 6e-5, 5e-5, 4e-5];
        let found = failure(judged(GanLoss::Lsgan), &values, 4).unwrap();
        assert_eq!(found.step, 8);
        assert_eq!(found.symptom, Symptom::Won { net: "net_D".into(), since: 5, loss: 4e-5 });
        assert!(found.to_string().contains("net_D has not been wrong since step 5"), "{found}");
        assert_eq!(failure(judged(GanLoss::Lsgan), &values, 5), None);
        assert_eq!(failure(judged(GanLoss::Lsgan), &values, 0), None);
        // Losses without a bottom say nothing by being low.
        assert_eq!(failure(judged(GanLoss::WassersteinGp), &values.map(|v| -v), 4), None);
    }

    #[test]
    fn a_discriminator_that_does_not_learn() {
        let values = [0.3, 0.5, 0.5, 0.500_000_1, 0.5];
        for gan_loss in [GanLoss::Lsgan, GanLoss::WassersteinGp] {
            let found = failure(judged(gan_loss), &values, 4).unwrap();
            assert_eq!(found.symptom, Symptom::Still { net: "net_D".into(), since: 2, loss: 0.5 });
        }
        // A slow fall is no standstill, however small each step is.
        let falling: Vec<f64> = (0..100).map(|i| 0.5 - 4e-7 * f64::from(i)).collect();
        assert_eq!(failure(judged(GanLoss::Vanilla), &falling, 4), None);
    }

    #[test]
    fn a_generator_that_paints_one_colour() {
        let painted = |fake: f64| Vital::Painted { fake, real: 0.4 };
        let found = failure(painted, &[0.4, 0.003, 0.002, 0.0], 3).unwrap();
        assert_eq!(found.symptom, Symptom::Blank { net: "net_D".into(), since: 2, spread: 0.0 });
        // So do the pictures it learns from.
        assert_eq!(failure(|fake| Vital::Painted { fake, real: 0.01 }, &[0.0; 9], 3), None);
    }

    #[test]
    fn a_state_within_a_streak_is_none_to_go_back_to() {
        let mut guard = Guard::default();
        let mut suspects = |step: u64, loss: f64| {
            guard.observe(step, &[("net_D", judged(GanLoss::Lsgan)(loss))], 9);
            guard.suspects(step)
        };
        let seen: Vec<_> =
            (1..).zip([0.3, 0.2, 5e-5, 0.2, 0.2, 0.1]).map(|(i, loss)| suspects(i, loss)).collect();
        assert_eq!(seen, [false, false, true, false, true, false]);
    }
}
