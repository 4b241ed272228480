//! What a recipe knows files and networks again by: SHA-256.

use anyhow::{Context as _, Result};
use gdl_nst::NstConfig;
use gdl_vgg::VggWeights;
use sha2::{Digest, Sha256};
use std::{fs::File, io::Read, path::Path};

/// Of a file's bytes, as `sha256sum` prints it.
pub(super) fn of_file(path: &Path) -> Result<String> {
    let failed = || format!("{}: cannot read", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).with_context(failed)? {
            0 => return Ok(hex(hash)),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Of what the settings use of a network: its convolutions up to the last tap, and how pictures are fed to it. The same from
/// whichever file it comes.
pub(super) fn of_network(weights: &VggWeights, config: &NstConfig) -> Result<String> {
    let mut layers = config.content_layers_of(weights);
    layers.extend(config.style_layers_of(weights));
    layers.extend(config.histogram_layers_of(weights));
    let last = layers.iter().map(|l| (l.tap.block, l.tap.index)).max().unwrap_or((1, 1));
    let mut hash = Sha256::new();
    for conv in weights.arch().convs().take_while(|c| (c.block, c.index) <= last) {
        for key in conv.keys() {
            let Some(tensor) = weights.tensors().get(&key) else { continue };
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            hash.update(key.as_bytes());
            hash.update(values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        }
    }
    let mut feeding: Vec<_> = weights.preprocess().to_metadata().into_iter().collect();
    feeding.sort();
    for (key, value) in feeding {
        hash.update(format!("{key}={value}\n"));
    }
    Ok(hex(hash))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdl_vgg::{Preprocess, Tap, VggConfig};

    #[test]
    fn a_file_has_the_hash_that_other_programs_give_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_file(&path).unwrap(), known);
    }

    #[test]
    fn a_network_is_what_is_used_of_it() {
        let weights =
            |upto| VggWeights::random(&VggConfig { upto, widths: [3; 5], ..VggConfig::default() }, 1);
        let (short, long) = (weights(Tap::relu(2, 1)).unwrap(), weights(Tap::relu(3, 1)).unwrap());
        let config = NstConfig {
            content_layers: Some(vec![Tap::relu(1, 2).into()]),
            style_layers: Some(vec![Tap::relu(2, 1).into()]),
            ..NstConfig::default()
        };
        let of = |weights: &VggWeights| of_network(weights, &config).unwrap();
        assert_eq!(of(&short), of(&long));
        assert_ne!(of(&short), of(&short.clone().with_preprocess(Preprocess::caffe())));
        assert_ne!(
            of(&short),
            of_network(&short, &NstConfig { style_layers: config.content_layers.clone(), ..config.clone() })
                .unwrap()
        );
    }
}
