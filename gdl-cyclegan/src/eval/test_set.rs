use super::{FeatureNet, Features, Part, Pictures, Similarity};
use crate::aligned::drawn_pairs;
use crate::builtin::{Split, builtin_set, builtin_truth};
use crate::{DataSpec, Direction, Error, Result, Translator};
use gdl_image_io::list_images;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How many scenes of a built-in domain are scored unless one says otherwise.
pub const SCENES: usize = 64;

/// Which pictures of a domain are scored, and at what size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestOptions {
    /// Side of the squares that pictures are scaled to, and that scenes are drawn at; files keep their size without it, and scenes
    /// get 256.
    pub size: Option<usize>,
    /// At most so many of each domain; without it all of a folder, and [`SCENES`].
    pub count: Option<usize>,
    /// What the scenes of the built-in domains are drawn from: the seed of a training, whose test split then holds none of the
    /// scenes trained on.
    pub seed: u64,
}

impl TestOptions {
    fn scenes(&self) -> (usize, usize, u64) {
        (self.count.unwrap_or(SCENES), self.size.unwrap_or(256), self.seed)
    }

    fn files(&self, paths: Vec<PathBuf>, part: Part) -> Pictures {
        Pictures::files(paths, part).first(self.count).sized(self.size)
    }
}

/// What one generator is scored on.
#[derive(Debug, Clone)]
pub struct TestSet {
    /// What it translates.
    pub inputs: Pictures,
    /// What each of them should become, where that is known.
    pub truths: Option<Pictures>,
    /// Real pictures of the domain that it translates into.
    pub real: Pictures,
}

/// What [`TestSet::translate`] gives.
#[derive(Debug, Clone)]
pub struct Translated {
    /// The translations' features, when there is a network for them.
    pub features: Option<Features>,
    /// How like their truths the translations are, on average.
    pub similarity: Option<Similarity>,
    /// How like their truths the inputs are: what doing nothing scores.
    pub nothing: Option<Similarity>,
}

impl TestSet {
    /// Two domains, for translation from A to B and from B to A.
    ///
    /// The built-in ones are represented by their test split. Their pictures have true counterparts, which count when the two
    /// domains are the two built-in ones; what is called real are other scenes.
    ///
    /// # Errors
    /// When a folder is missing or without images.
    pub fn unpaired(a: &DataSpec, b: &DataSpec, options: &TestOptions) -> Result<[Self; 2]> {
        let (count, size, seed) = options.scenes();
        let domain = |spec: &DataSpec| match spec {
            DataSpec::Folder(path) => Ok::<_, Error>(options.files(list_images(path)?, Part::Whole)),
            DataSpec::Builtin(domain) => {
                Ok(Pictures::drawn(builtin_set(*domain, Split::Test, count, size, seed)?))
            }
        };
        let truths = |from: &DataSpec, to: &DataSpec| match (from, to) {
            (DataSpec::Builtin(from), DataSpec::Builtin(to)) if *to == from.other() => {
                let truths = builtin_truth(*from, Split::Test, count, size, seed)?;
                Ok::<_, Error>(Some(Pictures::drawn(truths)))
            }
            _ => Ok(None),
        };
        let (pictures_a, pictures_b) = (domain(a)?, domain(b)?);
        let there = Self { inputs: pictures_a.clone(), truths: truths(a, b)?, real: pictures_b.clone() };
        let back = Self { inputs: pictures_b, truths: truths(b, a)?, real: pictures_a };
        Ok([there, back])
    }

    /// Pairs: the test split of a built-in domain, or the files of a folder that hold A on the left and B on the right.
    ///
    /// # Errors
    /// When the folder is missing or without images.
    pub fn paired(pairs: &DataSpec, direction: Direction, options: &TestOptions) -> Result<Self> {
        let domain = match pairs {
            DataSpec::Folder(path) => return Ok(Self::of_files(list_images(path)?, direction, options)),
            DataSpec::Builtin(domain) => domain,
        };
        let (count, size, seed) = options.scenes();
        let (a, b) = drawn_pairs(*domain, Split::Test, count, size, seed)?.into_iter().unzip();
        Ok(Self::directed(Pictures::drawn(a), Pictures::drawn(b), direction))
    }

    /// Pairs in files.
    pub fn of_files(paths: Vec<PathBuf>, direction: Direction, options: &TestOptions) -> Self {
        let half = |part| options.files(paths.clone(), part);
        Self::directed(half(Part::Left), half(Part::Right), direction)
    }

    fn directed(a: Pictures, b: Pictures, direction: Direction) -> Self {
        let (inputs, truths) = match direction {
            Direction::AtoB => (a, b),
            Direction::BtoA => (b, a),
        };
        Self { inputs, real: truths.clone(), truths: Some(truths) }
    }

    /// Translates every input. `done` is told the name of each when it is through.
    ///
    /// # Errors
    /// When a picture cannot be read, or is too small to be compared with its truth or for the network.
    pub fn translate(
        &self,
        translator: &Translator,
        net: Option<&FeatureNet>,
        mut done: impl FnMut(&str),
    ) -> Result<Translated> {
        let mut features = net.map(|net| Features::new(net.dim()));
        let (mut scores, mut nothing) = (Vec::new(), Vec::new());
        for i in 0..self.inputs.len() {
            let name = self.inputs.name(i);
            let named = |e: candle_core::Error| Error::Data { spec: name.clone(), message: e.to_string() };
            let input = self.inputs.load(i)?;
            let translation = translator.translate(&input)?;
            if let Some(truths) = &self.truths {
                let truth = truths.load(i)?;
                scores.push(Similarity::of(&translation, &truth).map_err(named)?);
                nothing.push(Similarity::of(&input, &truth).map_err(named)?);
            }
            if let (Some(features), Some(net)) = (&mut features, net) {
                features.push(&net.features(&translation)?)?;
            }
            done(&name);
        }
        let mean = Similarity::mean;
        Ok(Translated { features, similarity: mean(&scores), nothing: mean(&nothing) })
    }
}
