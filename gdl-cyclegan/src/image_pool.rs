use candle_core::{Result, Tensor, bail};
use gdl_kernels::rng::{Rng, RngState};

/// Earlier translations, from which the discriminator is shown some instead of the latest.
///
/// While the pool is not full, an image is put in and handed back. Once it is, with probability one half the image is
/// handed back as it is, and with probability one half it takes the place of a random one, which is handed back.
/// A pool of size 0 hands everything back.
///
/// # Example
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_cyclegan::ImagePool;
/// use gdl_kernels::rng::Rng;
///
/// let mut pool = ImagePool::new(50, Rng::seed(1));
/// let fake = Tensor::zeros((1, 3, 8, 8), DType::F32, &Device::Cpu)?;
/// assert_eq!(pool.query(&fake)?.dims(), [1, 3, 8, 8]);
/// assert_eq!(pool.len(), 1);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
/// Shrivastava et al. 2017; `util/image_pool.py` of the reference, with an explicit generator of random numbers.
#[derive(Debug, Clone)]
pub struct ImagePool {
    capacity: usize,
    images: Vec<Tensor>,
    rng: Rng,
}

impl ImagePool {
    /// An empty pool.
    pub fn new(capacity: usize, rng: Rng) -> Self {
        Self { capacity, images: Vec::new(), rng }
    }

    /// How many images it holds.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Takes a batch, image by image, and gives one of the same shape. No gradient goes through it.
    ///
    /// # Shape
    /// (N, C, H, W) to the same.
    ///
    /// # Errors
    /// When the tensor has not four dimensions.
    pub fn query(&mut self, images: &Tensor) -> Result<Tensor> {
        let images = images.detach();
        let (n, ..) = images.dims4()?;
        if self.capacity == 0 || n == 0 {
            return Ok(images);
        }
        let mut out = Vec::with_capacity(n);
        for image in images.chunk(n, 0)? {
            if self.images.len() < self.capacity {
                self.images.push(image.clone());
                out.push(image);
            } else if self.rng.uniform() > 0.5 {
                let place = self.rng.below(self.capacity);
                out.push(std::mem::replace(&mut self.images[place], image));
            } else {
                out.push(image);
            }
        }
        // Images of another size may come back from an earlier step; then there is no batch to speak of.
        if n == 1 { Ok(out.swap_remove(0)) } else { Tensor::cat(&out, 0) }
    }

    /// The images, (1, C, H, W) each, and where the random numbers stand: everything to go on from.
    pub fn state(&self) -> (Vec<Tensor>, RngState) {
        (self.images.clone(), self.rng.state())
    }

    /// Takes over a saved state.
    ///
    /// # Errors
    /// When there are more images than the pool has places; then nothing has changed.
    pub fn set_state(&mut self, images: Vec<Tensor>, rng: &RngState) -> Result<()> {
        if images.len() > self.capacity {
            bail!("image pool: {} images saved, but it has {} places", images.len(), self.capacity)
        }
        self.rng = Rng::from_state(rng)?;
        self.images = images;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn image(v: f32) -> Tensor {
        Tensor::full(v, (1, 1, 1, 1), &Device::Cpu).unwrap()
    }

    fn value(t: &Tensor) -> f32 {
        t.flatten_all().unwrap().to_vec1().unwrap()[0]
    }

    #[test]
    fn the_rule_of_the_reference() {
        let (mut pool, mut rng) = (ImagePool::new(3, Rng::seed(5)), Rng::seed(5));
        let mut places = Vec::new();
        for i in 0..200 {
            let got = value(&pool.query(&image(i as f32)).unwrap());
            // util/image_pool.py, over plain numbers.
            let want = if places.len() < 3 {
                places.push(i as f32);
                i as f32
            } else if rng.uniform() > 0.5 {
                let place = rng.below(3);
                std::mem::replace(&mut places[place], i as f32)
            } else {
                i as f32
            };
            assert_eq!(got, want, "image {i}");
        }
    }

    #[test]
    fn a_batch_goes_image_by_image() {
        let batch = Tensor::new(&[0f32, 1.0, 2.0, 3.0], &Device::Cpu).unwrap().reshape((4, 1, 1, 1)).unwrap();
        let (mut whole, mut single) = (ImagePool::new(2, Rng::seed(1)), ImagePool::new(2, Rng::seed(1)));
        for _ in 0..20 {
            let got: Vec<f32> = whole.query(&batch).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let want: Vec<f32> = (0..4).map(|i| value(&single.query(&image(i as f32)).unwrap())).collect();
            assert_eq!(got, want);
        }
    }

    #[test]
    fn size_zero_and_too_full() {
        let mut pool = ImagePool::new(0, Rng::seed(1));
        assert_eq!(value(&pool.query(&image(3.0)).unwrap()), 3.0);
        assert!(pool.is_empty());
        let state = Rng::seed(2).state();
        assert!(pool.set_state(vec![image(1.0)], &state).is_err());
    }
}
