use super::Scored;
use crate::{Rollback, StepLosses};
use std::path::PathBuf;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<L = StepLosses> {
    /// Its number, counted from 1.
    pub step: u64,
    /// How many there are to be.
    pub total: u64,
    /// The epoch it belongs to, counted from 0.
    pub epoch: u64,
    /// The learning rate it was taken with.
    pub learning_rate: f64,
    /// The losses before it.
    pub losses: L,
}

/// What [`Training::run`](crate::Training::run) tells as it goes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<L = StepLosses> {
    /// A step has been taken.
    Step(Step<L>),
    /// The networks have been scored, as [`KeepBest`](crate::KeepBest) asks for.
    Scored(Scored),
    /// A sheet of samples has been written.
    Samples(PathBuf),
    /// A checkpoint has been written, after so many steps.
    Checkpoint(u64),
    /// Something has failed, and the training has gone back to its last good state. The steps after that come again.
    RolledBack(Rollback),
}
