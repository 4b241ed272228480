use std::fmt;

/// What has gone wrong in a training, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The step, counted from 1; 0 where the training was to begin with it.
    pub step: u64,
    /// What was seen.
    pub symptom: Symptom,
}

/// The sign by which a training is known to have failed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Symptom {
    /// A loss that is not finite, computed from weights that are.
    Loss {
        /// The loss.
        loss: &'static str,
        /// Its value.
        value: f64,
        /// The largest weight: its network and name, and its absolute value.
        largest: (String, f64),
    },
    /// A gradient that was not finite, or so large that its square is not, told from what Adam remembers of it.
    Gradient {
        /// The weight's network and name.
        key: String,
        /// What Adam remembers.
        value: f64,
    },
    /// A weight that is not finite.
    Weight {
        /// The weight's network and name.
        key: String,
        /// Its value.
        value: f64,
    },
    /// A discriminator that is never wrong.
    Won {
        /// The discriminator.
        net: String,
        /// Since which step.
        since: u64,
        /// Its loss.
        loss: f64,
    },
    /// A discriminator that does not learn.
    Still {
        /// The discriminator.
        net: String,
        /// Since which step.
        since: u64,
        /// Its loss.
        loss: f64,
    },
    /// A generator whose pictures have one colour.
    Blank {
        /// The generator.
        net: String,
        /// Since which step.
        since: u64,
        /// The largest standard deviation in a plane of its pictures.
        spread: f64,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: ", self.step)?;
        match &self.symptom {
            Symptom::Loss { loss, value, largest: (key, most) } => write!(
                f,
                "the loss {loss} is {value}, and every weight is finite (the largest is {most:.3e}, in {key})"
            ),
            Symptom::Gradient { key, value } => {
                write!(f, "the gradient of {key} was not finite (Adam remembers {value})")
            }
            Symptom::Weight { key, value } => write!(f, "the weight {key} holds {value}"),
            Symptom::Won { net, since, loss } => write!(
                f,
                "the discriminator {net} has not been wrong since step {since} (its loss is {loss:.1e}), and its \
                 generator learns nothing from it"
            ),
            Symptom::Still { net, since, loss } => {
                write!(
                    f,
                    "the discriminator {net} has not learnt since step {since} (its loss stands at {loss:.6})"
                )
            }
            Symptom::Blank { net, since, spread } => write!(
                f,
                "the generator {net} has painted pictures of one colour since step {since} (standard deviation \
                 {spread:.1e})"
            ),
        }
    }
}

impl Failure {
    /// What may help.
    pub fn advice(&self) -> &'static str {
        match self.symptom {
            Symptom::Loss { .. } | Symptom::Gradient { .. } | Symptom::Weight { .. } => {
                "train again with a lower learning rate, smaller lambdas or lsgan, from an earlier checkpoint if there is one"
            }
            Symptom::Won { .. } | Symptom::Still { .. } => {
                "train again with a lower learning rate, a smaller discriminator, lsgan, or a larger lambda"
            }
            Symptom::Blank { .. } => {
                "train again with a lower learning rate, a larger lambda or another seed"
            }
        }
    }
}

/// A return to the last good state.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollback {
    /// Why.
    pub failure: Failure,
    /// After which step the training goes on.
    pub to: u64,
    /// How many there have been, this one included. Each halves the learning rate of all that follows.
    pub count: u32,
    /// How many there may be.
    pub limit: u32,
}

impl fmt::Display for Rollback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failure, to, count, limit } = self;
        write!(f, "{failure}; back to step {to}, with half the learning rate ({count} of {limit})")
    }
}
