use crate::NstConfig;
use serde::{Deserialize, Serialize};

/// One size at which the picture is optimised, and for how many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// Pixels on the longer side.
    pub size: usize,
    /// Steps at this size.
    pub steps: usize,
}

impl NstConfig {
    /// The sizes, from small to large, and the steps at each.
    ///
    /// Coarse features of the style are laid down cheaply while the picture is small; each next scale refines them.
    pub fn scales(&self) -> Vec<Scale> {
        let mut sizes = vec![self.size];
        // Rounded halves; no more scales than there are steps to share out.
        while sizes.len() < self.steps && sizes.last().is_some_and(|s| *s / 2 >= self.min_size.max(1)) {
            sizes.push(self.size.div_ceil(1 << sizes.len()));
        }
        sizes.reverse();
        let n = sizes.len();
        // What does not divide evenly goes to the first scales, where steps are cheap.
        let steps = |i: usize| self.steps / n + usize::from(i < self.steps % n);
        sizes.into_iter().enumerate().map(|(i, size)| Scale { size, steps: steps(i) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_double_and_steps_add_up() {
        for (size, min_size, steps, sizes) in [
            (512, 128, 300, vec![128, 256, 512]),
            (300, 128, 101, vec![150, 300]),
            (100, 128, 7, vec![100]),
            (512, 512, 7, vec![512]),
            (512, 1, 2, vec![256, 512]),
            (1, 1, 5, vec![1]),
        ] {
            let config = NstConfig { size, min_size, steps, ..NstConfig::default() };
            let scales = config.scales();
            assert_eq!(scales.iter().map(|s| s.size).collect::<Vec<_>>(), sizes);
            assert_eq!(scales.iter().map(|s| s.steps).sum::<usize>(), steps);
        }
    }
}
