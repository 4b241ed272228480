//! The same pictures painted by several networks, side by side, with what VGG-19 says of them.

use anyhow::{Context, Result, anyhow};
use candle_core::{DType, Device, Tensor};
use gdl_image_io::{Filter, LoadOptions, grid, load_image, resize_longer_side, save_image};
use gdl_nst::{
    Gaussian, NstConfig, StyleTransfer, builtin, content_loss, mean_and_covariance, style_loss,
    wasserstein_loss,
};
use gdl_vgg::{Vgg, VggWeights, gram_matrix};
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A network, and the settings that suit it.
#[derive(Debug)]
pub struct Painter {
    /// What it is called in file names and tables.
    pub name: String,
    /// Its weights.
    pub weights: VggWeights,
    /// Its settings; size and steps are those of the comparison.
    pub config: NstConfig,
}

/// A content and a style picture: files, or `builtin:harbor`, `builtin:swirl`, ….
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What is painted.
    pub content: PathBuf,
    /// In whose manner.
    pub style: PathBuf,
}

/// What VGG-19 says of a painted picture, each relative to its target as gdl-nst has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The pair, as `content-style`.
    pub pair: String,
    /// The painter's name; `unpainted` for the content picture as it is.
    pub painter: String,
    /// The content loss at the last tap of the judge, `relu4_1` or `relu4_2`.
    pub content: f64,
    /// The style loss of Gram matrices, averaged over `relu1_1`, `relu2_1`, … as far as the judge's file has them.
    pub gram: f64,
    /// The Wasserstein style loss, averaged likewise.
    pub wasserstein: f64,
}

impl fmt::Display for Score {
    /// A row of a table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pair, painter, content, gram, wasserstein } = self;
        write!(f, "| {pair} | {painter} | {content:.3} | {gram:.4} | {wasserstein:.4} |")
    }
}

/// Pictures of `size` pixels on the longer side, painted in `steps` steps by several painters.
#[derive(Debug)]
pub struct Comparison {
    judge: VggWeights,
    vgg: Vgg,
    size: usize,
    steps: usize,
    dir: PathBuf,
}

impl Comparison {
    /// Paintings are kept in `dir` as `CONTENT-STYLE-PAINTER.png`; what is there is not painted again.
    ///
    /// # Errors
    /// When the judge's network cannot be built or the directory cannot be made.
    pub fn new(judge: VggWeights, size: usize, steps: usize, dir: &Path) -> Result<Self> {
        let last =
            judge.default_content_tap().max(judge.default_style_taps().into_iter().max().context("no taps")?);
        let vgg = judge.vgg(&judge.config(last)?, DType::F32, &Device::Cpu)?;
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self { judge, vgg, size, steps, dir: dir.to_path_buf() })
    }

    /// The row of a pair: content, style, and what each painter made of them; and the judge's scores.
    ///
    /// # Errors
    /// When a picture cannot be read or painted.
    pub fn row(&self, pair: &Pair, painters: &[Painter]) -> Result<(Vec<Tensor>, Vec<Score>)> {
        let (content, style) = (self.picture(&pair.content)?, self.picture(&pair.style)?);
        let name = format!("{}-{}", stem(&pair.content), stem(&pair.style));
        let mut scores = vec![self.score(&name, "unpainted", &content, &content, &style)?];
        let mut row = vec![content.clone(), style.clone()];
        for painter in painters {
            let painted = self.painted(&name, painter, &content, &style)?;
            scores.push(self.score(&name, &painter.name, &painted, &content, &style)?);
            row.push(painted);
        }
        Ok((row, scores))
    }

    fn picture(&self, path: &Path) -> Result<Tensor> {
        let picture = match path.to_str().and_then(|p| p.strip_prefix("builtin:")) {
            Some("harbor") => builtin::content(self.size)?,
            Some(name) => builtin::style(name.parse().map_err(|e: String| anyhow!(e))?, self.size)?,
            None => load_image(path, &LoadOptions::default())?,
        };
        Ok(resize_longer_side(&picture, self.size, Filter::CatmullRom)?)
    }

    fn painted(&self, pair: &str, painter: &Painter, content: &Tensor, style: &Tensor) -> Result<Tensor> {
        let file = self.dir.join(format!("{pair}-{}.png", painter.name));
        if !file.exists() {
            let config = NstConfig { size: self.size, steps: self.steps, ..painter.config.clone() };
            let mut transfer =
                StyleTransfer::new(&config, &painter.weights, content, &[style.clone().into()])?;
            save_image(&transfer.run(|_| ControlFlow::Continue(()))?, &file)?;
        }
        // Judged as it was written, in 8 bits.
        Ok(load_image(&file, &LoadOptions::default())?)
    }

    fn score(
        &self,
        pair: &str,
        painter: &str,
        x: &Tensor,
        content: &Tensor,
        style: &Tensor,
    ) -> Result<Score> {
        let features = |picture: &Tensor, taps: &[_]| {
            self.vgg.features(&self.judge.preprocess().apply(&picture.unsqueeze(0)?)?, taps)
        };
        let value = |loss: Tensor| -> Result<f64> { Ok(loss.to_dtype(DType::F64)?.to_scalar()?) };
        let at = [self.judge.default_content_tap()];
        let content = value(content_loss(&features(x, &at)?[0], &features(content, &at)?[0])?)?;
        let taps = self.judge.default_style_taps();
        let (mut gram, mut wasserstein) = (0.0, 0.0);
        let share = 1.0 / taps.len() as f64;
        for (f, target) in features(x, &taps)?.iter().zip(features(style, &taps)?) {
            gram += share * value(style_loss(f, &gram_matrix(&target)?, None)?)?;
            let (mean, covariance) = mean_and_covariance(&target, None)?;
            let covariance = (covariance * target.dim(1)? as f64)?;
            wasserstein += share * value(wasserstein_loss(f, &Gaussian::new(&mean, &covariance)?, None)?)?;
        }
        let (pair, painter) = (pair.to_string(), painter.to_string());
        Ok(Score { pair, painter, content, gram, wasserstein })
    }
}

/// Writes rows as one sheet.
///
/// # Errors
/// When it cannot be written.
pub fn save_sheet(rows: &[Vec<Tensor>], out: &Path) -> Result<()> {
    Ok(save_image(&grid(rows, 4)?, out)?)
}

fn stem(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    name.strip_prefix("builtin:").map_or(name.clone(), ToString::to_string)
}
