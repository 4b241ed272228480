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
        // No more scales than there are steps to share out.
        let most = if self.iterations.is_some() { usize::MAX } else { self.steps };
        while sizes.len() < most {
            let next = (self.size as f64 / self.scale_factor.powi(sizes.len() as i32)).round() as usize;
            if next < self.min_size.max(1) || sizes.last().is_some_and(|last| next >= *last) {
                break;
            }
            sizes.push(next);
        }
        sizes.reverse();
        let n = sizes.len();
        let steps = |i: usize| match (self.iterations, self.initial_iterations) {
            (Some(_), Some(first)) if i == 0 => first,
            (Some(each), _) => each,
            // What does not divide evenly goes to the first scales, where steps are cheap.
            (None, _) => self.steps / n + usize::from(i < self.steps % n),
        };
        sizes.into_iter().enumerate().map(|(i, size)| Scale { size, steps: steps(i) }).collect()
    }

    /// Pixels on the longer side of a style in a picture with `size` of them, by its own
    /// [`scale`](crate::Style::scale); it is never enlarged to that.
    pub fn style_side(&self, size: usize, scale: f64) -> usize {
        let base = self.style_size.map_or(size as f64 * self.style_scale, |n| n as f64);
        (base * scale).round().max(1.0) as usize
    }

    /// Steps at all scales together.
    pub fn total_steps(&self) -> usize {
        self.scales().iter().fold(0, |sum, scale| sum.saturating_add(scale.steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_and_steps_add_up() {
        let root = std::f64::consts::SQRT_2;
        for (size, min_size, scale_factor, steps, sizes) in [
            (512, 128, 2.0, 300, vec![128, 256, 512]),
            (512, 128, root, 300, vec![128, 181, 256, 362, 512]),
            (300, 128, 2.0, 101, vec![150, 300]),
            (100, 128, root, 7, vec![100]),
            (512, 512, root, 7, vec![512]),
            (512, 1, 2.0, 2, vec![256, 512]),
            (1, 1, root, 5, vec![1]),
            (3, 1, 1.01, 50, vec![3]),
        ] {
            let config = NstConfig { size, min_size, scale_factor, steps, ..NstConfig::default() };
            let scales = config.scales();
            assert_eq!(scales.iter().map(|s| s.size).collect::<Vec<_>>(), sizes);
            assert_eq!(config.total_steps(), steps);
        }
    }

    #[test]
    fn steps_may_be_given_by_scale() {
        let config = NstConfig {
            size: 200,
            min_size: 50,
            scale_factor: 2.0,
            steps: 1,
            iterations: Some(3),
            initial_iterations: Some(9),
            ..NstConfig::default()
        };
        let steps = |c: &NstConfig| c.scales().iter().map(|s| s.steps).collect::<Vec<_>>();
        assert_eq!(steps(&config), [9, 3, 3]);
        let config = NstConfig { initial_iterations: None, ..config };
        assert_eq!((steps(&config), config.total_steps()), (vec![3, 3, 3], 9));
    }
}
