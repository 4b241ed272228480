//! The zip format, of PyTorch since 1.6: `NAME/data.pkl`, and each storage as `NAME/data/KEY`.

use super::pickle::Pickle;
use super::state::{self, Descriptions};
use crate::Tensors;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;

pub(super) fn load(path: &Path, wanted: &impl Fn(&str) -> bool) -> Result<Tensors, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|e| e.to_string())?;
    let root = zip
        .file_names()
        .filter_map(|name| name.ok()?.strip_suffix("data.pkl").map(str::to_string))
        .find(|root| root.is_empty() || root.ends_with('/'))
        .ok_or("it is a zip archive without data.pkl")?;
    if let Ok(mut order) = zip.by_name(&format!("{root}byteorder")) {
        let mut text = String::new();
        order.by_ref().take(16).read_to_string(&mut text).map_err(|e| e.to_string())?;
        if text.trim() != "little" {
            return Err(format!(
                "its numbers are {}-endian, and only little-endian ones are read",
                text.trim()
            ));
        }
    }
    let described = {
        let entry = zip.by_name(&format!("{root}data.pkl")).map_err(|e| e.to_string())?;
        state::tensors(&Pickle::read(&mut BufReader::new(entry))?)?
    };
    cut(&mut zip, &root, &described, wanted)
}

fn cut(
    zip: &mut ZipArchive<BufReader<File>>,
    root: &str,
    described: &Descriptions,
    wanted: &impl Fn(&str) -> bool,
) -> Result<Tensors, String> {
    let mut tensors = Tensors::new();
    for (name, tensor) in described.iter().filter(|(name, _)| wanted(name)) {
        let fault = |message: &str| format!("{name}: {message}");
        let entry = zip.by_name(&format!("{root}data/{}", tensor.storage));
        let entry = entry.map_err(|e| fault(&e.to_string()))?;
        let size = tensor.storage_bytes().ok_or_else(|| fault("its storage has an impossible length"))?;
        let mut bytes = Vec::new();
        entry.take(size).read_to_end(&mut bytes).map_err(|e| fault(&e.to_string()))?;
        tensors.insert(name.clone(), tensor.cut(&bytes).map_err(|e| fault(&e))?);
    }
    Ok(tensors)
}
