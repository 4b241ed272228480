use crate::{CycleGanConfig, DiscriminatorConfig, Error, GeneratorConfig, NetFile, Pix2PixConfig, Result};
use gdl_train::{ParamStore, RunDir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Networks that a training begins with, in place of drawn ones.
///
/// # Example
/// ```no_run
/// use candle_core::{DType, Device};
/// use gdl_cyclegan::{CycleGan, CycleGanConfig, Method, NETS, Pretrained};
///
/// let pretrained = Pretrained::open(&["checkpoints/horse2zebra".into()], &NETS)?;
/// let mut config = CycleGanConfig::default();
/// pretrained.configure(&mut config)?; // the networks' kind and width are the files'
/// let model = CycleGan::new(&config, DType::F32, &Device::Cpu)?;
/// pretrained.load_into(model.stores())?;
/// # Ok::<(), gdl_cyclegan::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pretrained {
    nets: BTreeMap<&'static str, NetFile>,
}

impl Pretrained {
    /// Reads networks from files named as the reference names them (`latest_net_G_A.pth`, `200_net_D_B.safetensors`), from
    /// directories of such files (of each network the latest), or from runs. `wanted` are the networks' names, [`NETS`](crate::NETS)
    /// or [`PIX2PIX_NETS`](crate::PIX2PIX_NETS).
    ///
    /// # Errors
    /// When a file cannot be read, its name does not tell which network it is, a directory holds none, or a network is there
    /// twice.
    pub fn open(paths: &[PathBuf], wanted: &[&'static str]) -> Result<Self> {
        let mut nets = BTreeMap::new();
        for path in paths {
            for (net, file) in found(path, wanted)? {
                if let Some(other) = nets.insert(net, file) {
                    let message = format!("is {net} once more, after {}; name one", other.path().display());
                    return Err(Error::Checkpoint { path: path.clone(), message });
                }
            }
        }
        Ok(Self { nets })
    }

    /// The names of the networks there are.
    pub fn nets(&self) -> impl Iterator<Item = &'static str> {
        self.nets.keys().copied()
    }

    /// Sets the generators' and the discriminators' kind to that of the files, as far as there are files.
    ///
    /// # Errors
    /// When a file holds another kind of network than its name says, or the two of a kind are not alike.
    pub fn configure(&self, config: &mut CycleGanConfig) -> Result<()> {
        self.set(&mut config.generator, &mut config.discriminator)
    }

    /// As [`configure`](Self::configure), for pix2pix.
    ///
    /// # Errors
    /// When a file holds another kind of network than its name says.
    pub fn configure_pix2pix(&self, config: &mut Pix2PixConfig) -> Result<()> {
        self.set(&mut config.generator, &mut config.discriminator)
    }

    fn set(&self, generator: &mut GeneratorConfig, discriminator: &mut DiscriminatorConfig) -> Result<()> {
        let mut generators = Vec::new();
        let mut discriminators = Vec::new();
        for (net, file) in &self.nets {
            match net.starts_with("net_G") {
                true => generators.push((file, file.generator()?)),
                false => discriminators.push((file, file.discriminator()?)),
            }
        }
        if let Some(like) = alike(generators)? {
            *generator = like;
        }
        if let Some(like) = alike(discriminators)? {
            *discriminator = like;
        }
        Ok(())
    }

    /// Gives a model's networks their weights, those that are there.
    ///
    /// # Errors
    /// When a tensor is missing, left over, or of another shape.
    pub fn load_into(&self, stores: Vec<(&'static str, &ParamStore)>) -> Result<()> {
        for (net, store) in stores {
            if let Some(file) = self.nets.get(net) {
                file.load_into(store)?;
            }
        }
        Ok(())
    }
}

/// The configuration that both networks of a kind have.
fn alike<T: PartialEq + std::fmt::Debug>(nets: Vec<(&NetFile, T)>) -> Result<Option<T>> {
    let mut first: Option<(&NetFile, T)> = None;
    for (file, config) in nets {
        match &first {
            Some((other, like)) if *like != config => {
                let message = format!(
                    "is another kind of network than {}: {config:?}, not {like:?}; give two of a kind",
                    other.path().display()
                );
                return Err(Error::Checkpoint { path: file.path().to_path_buf(), message });
            }
            Some(_) => {}
            None => first = Some((file, config)),
        }
    }
    Ok(first.map(|(_, config)| config))
}

fn found(path: &Path, wanted: &[&'static str]) -> Result<Vec<(&'static str, NetFile)>> {
    if !path.is_dir() {
        let Some(net) = net_of(path, wanted) else {
            let message =
                format!("its name does not tell which network it is; let it end in {}", wanted.join(", "));
            return Err(Error::Checkpoint { path: path.to_path_buf(), message });
        };
        return Ok(vec![(net, NetFile::open(path)?)]);
    }
    if let Ok(run) = RunDir::open(path) {
        return wanted.iter().map(|net| Ok((*net, NetFile::of_run(&run, net)?))).collect();
    }
    let entries = std::fs::read_dir(path).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let entries = entries.map_err(|source| Error::Io { action: "read", path: path.to_path_buf(), source })?;
    let mut latest: BTreeMap<&str, (u64, PathBuf)> = BTreeMap::new();
    for file in entries.iter().map(std::fs::DirEntry::path) {
        let (Some(net), Some(age)) = (net_of(&file, wanted), age(&file)) else { continue };
        if latest.get(net).is_none_or(|(other, path)| (*other, path) < (age, &file)) {
            latest.insert(net, (age, file));
        }
    }
    if latest.is_empty() {
        let names: Vec<_> = wanted.iter().map(|net| format!("latest_{net}.pth")).collect();
        let message = format!("it is neither a run nor holds files like {}", names.join(", "));
        return Err(Error::Checkpoint { path: path.to_path_buf(), message });
    }
    let found = wanted.iter().filter_map(|net| latest.get(net).map(|(_, file)| (*net, file)));
    found.map(|(net, file)| Ok((net, NetFile::open(file)?))).collect()
}

/// Which network a file holds, by its name.
fn net_of(path: &Path, wanted: &[&'static str]) -> Option<&'static str> {
    if !matches!(path.extension()?.to_str()?, "pth" | "safetensors") {
        return None;
    }
    let stem = path.file_stem()?.to_str()?;
    let is = |net: &str| stem == net || stem.strip_suffix(net).is_some_and(|rest| rest.ends_with('_'));
    wanted.iter().copied().find(|net| is(net))
}

/// The epoch before the network's name; `latest` is later than any.
fn age(path: &Path) -> Option<u64> {
    match path.file_stem()?.to_str()?.split_once("_net_") {
        Some(("latest", _)) | None => Some(u64::MAX),
        Some((epoch, _)) => epoch.parse().ok(),
    }
}
