use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the learning rate changes: a factor on its first value, by step (or by epoch, as the trainer counts).
///
/// # Example
/// ```
/// use gdl_train::Schedule;
///
/// let schedule = Schedule::Linear { constant: 100, decay: 100 };
/// assert_eq!(schedule.factor(99), 1.0);
/// assert_eq!(schedule.factor(200), 0.0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// 1.
    #[default]
    Constant,
    /// 1 for `constant` steps, then down in a line, reaching 0 after `decay` steps more:
    /// `1 - max(0, step + 1 - constant) / (decay + 1)`, as in the reference implementation of CycleGAN.
    Linear {
        /// Steps at 1.
        constant: u64,
        /// Steps on the way down.
        decay: u64,
    },
    /// `gamma ^ floor(step / every)`
    Step {
        /// Steps between two changes.
        every: u64,
        /// Factor at each.
        gamma: f64,
    },
    /// `gamma ^ step`
    Exponential {
        /// Factor at each step.
        gamma: f64,
    },
    /// `floor + (1 - floor) (1 + cos(pi step / steps)) / 2`, and `floor` from there on.
    Cosine {
        /// Steps to the bottom.
        steps: u64,
        /// The factor there.
        floor: f64,
    },
    /// `(step + 1) / steps` for so many steps, then another schedule from its start.
    Warmup {
        /// Steps on the way up.
        steps: u64,
        /// What follows.
        then: Box<Schedule>,
    },
}

impl Schedule {
    /// The factor on the learning rate at a step, counted from 0.
    pub fn factor(&self, step: u64) -> f64 {
        match *self {
            Self::Constant => 1.0,
            Self::Linear { constant, decay } => {
                let down = (step + 1).saturating_sub(constant) as f64;
                (1.0 - down / (decay as f64 + 1.0)).max(0.0)
            }
            Self::Step { every, gamma } => gamma.powf((step / every.max(1)) as f64),
            Self::Exponential { gamma } => gamma.powf(step as f64),
            Self::Cosine { steps, floor } => {
                let way = step.min(steps) as f64 / steps.max(1) as f64;
                floor + (1.0 - floor) * (1.0 + (std::f64::consts::PI * way).cos()) / 2.0
            }
            Self::Warmup { steps, ref then } => match step < steps {
                true => (step + 1) as f64 / steps as f64,
                false => then.factor(step - steps),
            },
        }
    }

    /// Checks settings that came from outside.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        let error = |key, message: String| Err(Error::Setting { key, message });
        match *self {
            Self::Step { every: 0, .. } => error("every", "must be at least 1, not 0".into()),
            Self::Step { gamma, .. } | Self::Exponential { gamma } if !(gamma > 0.0 && gamma.is_finite()) => {
                error("gamma", format!("must be above 0, not {gamma}"))
            }
            Self::Cosine { floor, .. } if !(0.0..=1.0).contains(&floor) => {
                error("floor", format!("must lie between 0 and 1, not {floor}"))
            }
            Self::Warmup { ref then, .. } => then.validate(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_is_the_reference_of_cyclegan() {
        // LambdaLR(lambda epoch: 1.0 - max(0, epoch + 1 - 3) / float(2 + 1))
        let s = Schedule::Linear { constant: 3, decay: 2 };
        let factors: Vec<f64> = (0..7).map(|e| s.factor(e)).collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 1.0 - 1.0 / 3.0, 1.0 - 2.0 / 3.0, 0.0, 0.0]);
    }

    #[test]
    fn the_other_shapes() {
        assert_eq!(Schedule::Constant.factor(1_000_000), 1.0);
        let s = Schedule::Step { every: 10, gamma: 0.5 };
        assert_eq!([s.factor(9), s.factor(10), s.factor(29)], [1.0, 0.5, 0.25]);
        assert_eq!(Schedule::Exponential { gamma: 0.5 }.factor(3), 0.125);
        let s = Schedule::Cosine { steps: 4, floor: 0.1 };
        assert_eq!([s.factor(0), s.factor(4), s.factor(9)], [1.0, 0.1, 0.1]);
        assert!((s.factor(2) - 0.55).abs() < 1e-12);
        let s = Schedule::Warmup { steps: 4, then: Box::new(Schedule::Step { every: 1, gamma: 0.5 }) };
        assert_eq!([s.factor(0), s.factor(3), s.factor(4), s.factor(5)], [0.25, 1.0, 1.0, 0.5]);
    }

    #[test]
    fn json_and_bad_settings() {
        let s = Schedule::Warmup { steps: 4, then: Box::new(Schedule::Cosine { steps: 9, floor: 0.0 }) };
        let json = serde_json::to_string(&s).unwrap();
        assert_eq!(json, r#"{"warmup":{"steps":4,"then":{"cosine":{"steps":9,"floor":0.0}}}}"#);
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), s);
        assert!(Schedule::Step { every: 0, gamma: 0.5 }.validate().is_err());
        assert!(Schedule::Exponential { gamma: f64::NAN }.validate().is_err());
        assert!(s.validate().is_ok());
    }
}
