use crate::method::Losses;
use serde::{Deserialize, Serialize};

/// The losses of one step, each as it enters the sum that is minimised (weighted, as the reference logs them).
///
/// The names of the three criteria are those of the book: *validity* (the reference's `G`), *reconstruction* (`cycle`) and
/// *identity* (`idt`).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepLosses {
    /// How far the discriminator of B is from taking A's translation for real (`G_A`).
    pub validity_a: f64,
    /// How far the discriminator of A is from taking B's translation for real (`G_B`).
    pub validity_b: f64,
    /// L1 distance of A from A -> B -> A, times `lambda_a` (`cycle_A`).
    pub reconstruction_a: f64,
    /// L1 distance of B from B -> A -> B, times `lambda_b` (`cycle_B`).
    pub reconstruction_b: f64,
    /// L1 distance of A from what the generator into A makes of it, times `lambda_a lambda_identity` (`idt_B`).
    pub identity_a: f64,
    /// L1 distance of B from what the generator into B makes of it, times `lambda_b lambda_identity` (`idt_A`).
    pub identity_b: f64,
    /// Loss of the discriminator that judges A's translations, the reference's `D_A`.
    pub d_a: f64,
    /// Loss of the discriminator that judges B's translations, the reference's `D_B`.
    pub d_b: f64,
}

impl StepLosses {
    /// Both directions' validity.
    pub fn validity(&self) -> f64 {
        self.validity_a + self.validity_b
    }

    /// Both directions' reconstruction.
    pub fn reconstruction(&self) -> f64 {
        self.reconstruction_a + self.reconstruction_b
    }

    /// Both directions' identity.
    pub fn identity(&self) -> f64 {
        self.identity_a + self.identity_b
    }

    /// What the discriminators minimise.
    pub fn discriminator(&self) -> f64 {
        self.d_a + self.d_b
    }
}

impl Losses for StepLosses {
    fn named(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("validity_a", self.validity_a),
            ("validity_b", self.validity_b),
            ("reconstruction_a", self.reconstruction_a),
            ("reconstruction_b", self.reconstruction_b),
            ("identity_a", self.identity_a),
            ("identity_b", self.identity_b),
            ("d_a", self.d_a),
            ("d_b", self.d_b),
        ]
    }

    fn generator(&self) -> f64 {
        self.validity() + self.reconstruction() + self.identity()
    }

    fn summary(&self) -> String {
        format!(
            "validity {:.3} reconstruction {:.3} identity {:.3} discriminators {:.3}",
            self.validity(),
            self.reconstruction(),
            self.identity(),
            self.discriminator()
        )
    }
}
