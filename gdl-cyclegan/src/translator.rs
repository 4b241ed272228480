use crate::round_trip::to_picture;
use crate::training::load_nets;
use crate::{
    Error, Generator, GeneratorConfig, NETS, NetFile, NormKind, PIX2PIX_NETS, Pix2PixTrainerConfig, Result,
    RunWeights, Tiles, TrainerConfig, onnx, tiles,
};
use candle_core::{DType, Device, Tensor};
use gdl_image_io::Range;
use gdl_train::{ParamStore, RunDir, first_not_finite, load_tensors, not_finite};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Which way to translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Direction {
    /// From A to B.
    #[default]
    AtoB,
    /// From B to A.
    BtoA,
}

impl FromStr for Direction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "ab" | "AtoB" => Ok(Self::AtoB),
            "ba" | "BtoA" => Ok(Self::BtoA),
            _ => Err(Error::Setting { key: "direction", message: format!("must be ab or ba, not {text}") }),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtoB => "ab",
            Self::BtoA => "ba",
        })
    }
}

/// One trained generator, for pictures of any size.
///
/// A generator with batch norm was trained on small batches, often of one picture, each normed by its own statistics; what it has
/// learnt goes with these, and running statistics only come near them. So it norms each picture by the picture's own, as the
/// reference's `test.py` does (dropout aside, which is off); [`by_running_statistics`](Self::by_running_statistics) is its `--eval`.
///
/// # Example
/// ```no_run
/// use candle_core::Device;
/// use gdl_cyclegan::{Direction, Translator};
/// use gdl_image_io::{LoadOptions, load_image, save_image};
///
/// let translator = Translator::load("runs/monet", Direction::AtoB, &Device::Cpu)?;
/// let photo = load_image("photo.jpg", &LoadOptions::default())?;
/// save_image(&translator.translate(&photo)?, "painting.png")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Translator {
    generator: Generator,
    /// With batch norm by its running statistics, where the network has it.
    by_running_statistics: Option<Generator>,
    device: Device,
}

impl Translator {
    /// The generator of a run directory's last checkpoint.
    ///
    /// # Errors
    /// When the directory is no run or has no checkpoint, and [`gdl_train::Error::Mismatch`] when a tensor of that generator is missing,
    /// left over or of another shape; [`Error::NotFinite`] when one holds a number that is not finite.
    pub fn load(dir: impl AsRef<Path>, direction: Direction, device: &Device) -> Result<Self> {
        Self::load_with(dir, RunWeights::Last, direction, device)
    }

    /// The generator of a run directory, with those weights.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_with(
        dir: impl AsRef<Path>,
        weights: RunWeights,
        direction: Direction,
        device: &Device,
    ) -> Result<Self> {
        let run = RunDir::open(dir)?;
        let config: TrainerConfig = run.config()?;
        let net = match direction {
            Direction::AtoB => "net_G_A",
            Direction::BtoA => "net_G_B",
        };
        Self::of_run(&weights.path(&run)?, &config.model.generator, net, &NETS, device)
    }

    /// The generator of a pix2pix's run directory.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_pix2pix(dir: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::load_pix2pix_with(dir, RunWeights::Last, device)
    }

    /// The generator of a pix2pix's run directory, with those weights.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_pix2pix_with(dir: impl AsRef<Path>, weights: RunWeights, device: &Device) -> Result<Self> {
        let run = RunDir::open(dir)?;
        let config: Pix2PixTrainerConfig = run.config()?;
        Self::of_run(&weights.path(&run)?, &config.model.generator, "net_G", &PIX2PIX_NETS, device)
    }

    fn of_run(
        path: &Path,
        config: &GeneratorConfig,
        net: &'static str,
        known: &[&str],
        device: &Device,
    ) -> Result<Self> {
        let (weights, _) = load_tensors(path, device)?;
        let load = |store: &ParamStore| load_nets(path, &weights, &[(net, store)], known);
        Self::standing(path, config, device, load)
    }

    /// The generator in a file of its own, of the reference's or one converted; see [`NetFile`].
    ///
    /// # Errors
    /// When the file cannot be read or holds no generator.
    pub fn open(file: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let file = NetFile::open(file)?;
        Self::standing(file.path(), &file.generator()?, device, |store| file.load_into(store))
    }

    /// A copy of a network that is being trained, by the store of its weights.
    pub(crate) fn copy(config: &GeneratorConfig, store: &ParamStore) -> Result<Self> {
        let (device, weights) = (store.device(), store.tensors());
        let (path, load) = (Path::new("the generator"), |copy: &ParamStore| {
            Ok(copy.load_tensors("the generator", &weights)?)
        });
        Self::standing(path, config, device, load)
    }

    /// From loaded weights that are no variables: nothing of what the networks compute is kept for gradients.
    fn standing(
        path: &Path,
        config: &GeneratorConfig,
        device: &Device,
        load: impl FnOnce(&ParamStore) -> Result<()>,
    ) -> Result<Self> {
        let store = ParamStore::new(DType::F32, device, 0);
        Generator::new(config, None, store.vb())?;
        load(&store)?;
        if let Some((key, value)) = first_not_finite(&store.tensors())? {
            return Err(Error::NotFinite { what: format!("{}: the weight {key}", path.display()), value });
        }
        store.freeze("");
        let loaded = Generator::new(config, None, store.vb())?;
        if config.norm != NormKind::Batch {
            return Ok(Self::new(loaded, device));
        }
        let by_its_own = Generator::new(&config.clone().norm(NormKind::InstanceAffine), None, store.vb())?;
        Ok(Self { by_running_statistics: Some(loaded), ..Self::new(by_its_own, device) })
    }

    /// From a generator that is in memory, as it computes outside of training.
    pub fn new(generator: Generator, device: &Device) -> Self {
        Self { generator, by_running_statistics: None, device: device.clone() }
    }

    /// The same, with batch norm by its running statistics from training instead of the picture's own. Without batch norm there
    /// is no difference.
    pub fn by_running_statistics(self) -> Self {
        let generator = self.by_running_statistics.unwrap_or(self.generator);
        Self { generator, by_running_statistics: None, device: self.device }
    }

    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// Translates one picture; see [`Generator::translate`].
    ///
    /// # Shape
    /// (3, H, W) in [0, 1] to the same, on the CPU.
    ///
    /// # Errors
    /// When the picture has another shape, and [`Error::NotFinite`] when the translation is no picture.
    pub fn translate(&self, picture: &Tensor) -> Result<Tensor> {
        let x = Range::Symmetric.from_unit(&picture.to_dtype(DType::F32)?)?;
        let x = x.unsqueeze(0)?.to_device(&self.device)?; // (1, 3, H, W)
        translated(&self.generator.translate(&x)?.squeeze(0)?)
    }

    /// Translates one picture whose maps need not fit into memory: layer by layer, in tiles.
    ///
    /// Instance norm's mean and variance are those of the whole picture, so the result is that of
    /// [`translate`](Self::translate) up to rounding (some 1e-6), whatever the tiles. It takes a fifth to a half longer.
    ///
    /// # Shape
    /// (3, H, W) in [0, 1] to the same, on the CPU.
    ///
    /// # Errors
    /// When the picture has another shape, the side of the tiles is 0, or the temporary file cannot be written, and
    /// [`Error::NotFinite`] when the translation is no picture.
    pub fn translate_tiled(&self, picture: &Tensor, tiles: &Tiles) -> Result<Tensor> {
        self.translate_tiled_with(picture, tiles, |_| ())
    }

    /// [`translate_tiled`](Self::translate_tiled), telling after each tile or strip which share of them is done, up to 1.
    ///
    /// # Errors
    /// As there.
    pub fn translate_tiled_with(
        &self,
        picture: &Tensor,
        tiles: &Tiles,
        mut progress: impl FnMut(f64),
    ) -> Result<Tensor> {
        tiles::translate(&self.generator, picture, tiles, &self.device, &mut progress)
    }

    /// Writes the generator as an ONNX file (operators of version 17), for other programs to run. Whole or not at all.
    ///
    /// Its input `picture` is (batch, in_channels, height, width) in [-1, 1], its output `translation` the same with the
    /// network's out_channels; height and width must be multiples of [`GeneratorConfig::multiple`] and at least
    /// [`GeneratorConfig::min_size`], which [`translate`](Self::translate) sees to by itself. The file says so in its
    /// metadata: `input_range`, `output_range`, `multiple`, `min_size`, `direction` where one is given, and `generator`,
    /// the configuration as JSON. There is no dropout in it; batch norm goes as in
    /// [`translate`](Self::translate).
    ///
    /// # Errors
    /// When the file cannot be written, or would be of 2 GiB or more.
    pub fn export_onnx(&self, path: impl AsRef<Path>, direction: Option<Direction>) -> Result<()> {
        onnx::export(&self.generator, path.as_ref(), direction)
    }
}

/// What a generator has made as a picture, which must be one: what is not finite would become black.
///
/// # Shape
/// (3, H, W) in [-1, 1] to the same in [0, 1], on the CPU.
pub(crate) fn translated(y: &Tensor) -> Result<Tensor> {
    match not_finite(y)? {
        Some(value) => Err(Error::NotFinite { what: "the translation".into(), value }),
        None => Ok(to_picture(y)?),
    }
}
