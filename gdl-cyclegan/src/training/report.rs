use super::Training;
use crate::Result;
use crate::method::{Method, Pairs};
use candle_core::{Device, Tensor};
use gdl_image_io::{
    Filter, LoadOptions, encode_jpeg, encode_png, load_image, resize_longer_side, save_image,
};
use gdl_train::RunDir;
use gdl_train::report::{Outline, Picture, RunLog, Sample, sample_path};
use std::path::{Path, PathBuf};

/// Rows of a sheet.
const ROWS: usize = 4;
/// The longer side of the newest sheet on the page, and of an earlier one, in pixels at most.
const NEWEST: usize = 1600;
const EARLIER: usize = 800;
/// Larger files go onto the page as JPEG, in 100 kB or so where a PNG would take a megabyte.
const PNG_BYTES: usize = 200_000;
const JPEG_QUALITY: u8 = 85;

impl<M: Method> Training<M> {
    /// The records of a run that has come to the present step.
    pub(super) fn open_log(&self, run: &RunDir) -> Result<RunLog> {
        let config = &self.config;
        let (charts, columns) = M::outline(&config.model);
        let outline = Outline {
            name: M::NAME.into(),
            unit: "pictures".into(),
            per_step: config.pictures_per_step() as f64,
            charts,
            columns,
        };
        let mut log = RunLog::open(run, outline, config.report, &self.device, self.step)?;
        log.recall_samples("png", |path| load_sheet(path).ok())?;
        Ok(log)
    }

    /// Writes a sheet of samples of the networks as they are; none without a run directory.
    pub(super) fn write_samples(&mut self) -> Result<Option<PathBuf>> {
        let Some((run, log)) = &mut self.run else { return Ok(None) };
        let path = sample_path(run, self.step, "png")?;
        let sheet = self.model.sheet(&self.data.shown(ROWS)?)?;
        save_image(&sheet, &path)?;
        if log.is_reported() {
            log.sample(self.step, shown(&sheet)?)?;
        }
        Ok(Some(path))
    }
}

fn load_sheet(path: &Path) -> Result<Sample> {
    shown(&load_image(path, &LoadOptions::default())?)
}

fn shown(sheet: &Tensor) -> Result<Sample> {
    let sheet = sheet.to_device(&Device::Cpu)?;
    Ok(Sample::Sheet { newest: picture(&sheet, NEWEST)?, earlier: picture(&sheet, EARLIER)? })
}

fn picture(sheet: &Tensor, most: usize) -> Result<Picture> {
    let (_, h, w) = sheet.dims3()?;
    let sheet = if h.max(w) > most { resize_longer_side(sheet, most, Filter::Box)? } else { sheet.clone() };
    let (_, height, width) = sheet.dims3()?;
    let mut bytes = encode_png(&sheet)?;
    if bytes.len() > PNG_BYTES {
        bytes = encode_jpeg(&sheet, JPEG_QUALITY)?;
    }
    Ok(Picture { bytes, width: width as u32, height: height as u32 })
}
