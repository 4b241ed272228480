use super::StyleCache;
use super::about::{About, Size, VERSION};
use super::packed::Shape;
use crate::objective::Measured;
use crate::{Error, Result};
use candle_core::Device;
use gdl_train::{Tensors, tensors_from_bytes, tensors_to_bytes};
use gdl_vgg::Tap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The text of a file.
type Metadata = BTreeMap<String, String>;

/// The key of what the file says about itself.
const ABOUT: &str = "gdlstyle";
/// No file is larger: VGG-19 at ten sizes with histograms has some 60 MB.
pub(super) const LARGEST: u64 = 1 << 29;
pub(super) const TOO_LARGE: &str = "is larger than any style cache";
/// Nor has a network more channels, a cache more sizes, a picture more pixels a side or more levels.
const CHANNELS: usize = 1 << 14;
const SIZES: usize = 256;
const SIDE: usize = 1 << 24;
const LEVELS: usize = 64;

impl StyleCache {
    /// The bytes of its file: safetensors in f32, of matrices the upper triangle, and a description in the metadata.
    ///
    /// # Errors
    /// Only as reading tensors back from a device fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (tensors, about) = self.packed()?;
        Ok(tensors_to_bytes(&self.origin, &tensors, &about)?)
    }

    /// Takes the bytes of a file that [`StyleCache::save`] or [`StyleCache::to_bytes`] wrote, to the CPU; `origin` stands for a path in
    /// messages. Bytes from anybody are safe to read: names, shapes, types, sizes and numbers are checked.
    ///
    /// # Errors
    /// When they are no such file, or one of a later version.
    pub fn from_bytes(origin: &str, bytes: &[u8]) -> Result<Self> {
        let fault = |message| Error::StyleCache { origin: origin.to_string(), message };
        if bytes.len() as u64 > LARGEST {
            return Err(fault(TOO_LARGE.to_string()));
        }
        let (tensors, metadata) = tensors_from_bytes(origin, bytes, &Device::Cpu)?;
        Self::unpacked(origin, tensors, &metadata)
    }

    /// What the file holds.
    pub(super) fn packed(&self) -> Result<(Tensors, Metadata)> {
        let mut tensors = Tensors::new();
        for size in &self.about.sizes {
            let Some(measured) = self.sizes.get(&size.side) else { continue };
            for slot in self.about.slots(size) {
                let part = match slot.place {
                    Place::Style { level, tap, part } => &measured.levels[level][tap][part],
                    Place::Histogram { tap } => &measured.histograms[tap],
                };
                tensors.insert(slot.name, slot.shape.packed(part)?);
            }
        }
        let about = serde_json::to_string(&*self.about).map_err(|e| self.fault(e.to_string()))?;
        Ok((tensors, BTreeMap::from([(ABOUT.to_string(), about)])))
    }

    /// What a file held.
    pub(super) fn unpacked(origin: &str, tensors: Tensors, metadata: &Metadata) -> Result<Self> {
        let fault = |message| Error::StyleCache { origin: origin.to_string(), message };
        let Some(text) = metadata.get(ABOUT) else {
            return Err(fault("is no style cache: its metadata has no gdlstyle".to_string()));
        };
        let about = About::read(text).map_err(fault)?;
        let sizes = about.filled(tensors).map_err(fault)?;
        Ok(Self { origin: origin.to_string(), about: Arc::new(about), sizes: Arc::new(sizes) })
    }
}

/// A tensor of the file.
struct Slot {
    name: String,
    shape: Shape,
    channels: usize,
    place: Place,
}

/// Where it belongs.
enum Place {
    Style { level: usize, tap: usize, part: usize },
    Histogram { tap: usize },
}

impl About {
    fn read(text: &str) -> std::result::Result<Self, String> {
        let unreadable = |e| format!("is no readable style cache: {e}");
        let value: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                return Err(format!("is of version {version}, and this program reads {VERSION}"));
            }
            None => return Err("is no readable style cache: it has no version".to_string()),
        }
        let about: Self = serde_json::from_value(value).map_err(unreadable)?;
        about.check_ranges().map_err(|what| format!("is no sound style cache: {what}"))?;
        Ok(about)
    }

    /// Whether all numbers are such as a cache can have.
    fn check_ranges(&self) -> std::result::Result<(), &'static str> {
        let within = |n: usize, most: usize| (1..=most).contains(&n);
        let rising = |taps: &[Tap]| taps.windows(2).all(|t| t[0] < t[1]);
        let size =
            |s: &Size| within(s.side, self.full) && within(s.shortest, SIDE) && within(s.levels, LEVELS);
        for (sound, what) in [
            (self.network.widths.iter().all(|w| within(*w, CHANNELS)), "widths"),
            (within(self.full, SIDE) && within(self.block, 5), "size"),
            (within(self.sizes.len(), SIZES) && self.sizes.iter().all(size), "sizes"),
            (self.sizes.windows(2).all(|s| s[0].side < s[1].side), "sizes out of order"),
            (!self.style.is_empty() && rising(&self.style) && rising(&self.histogram), "taps"),
            (
                self.style.iter().chain(&self.histogram).all(|t| *t <= self.network.upto),
                "taps beyond the network",
            ),
            (self.palette.is_sound(), "colours"),
        ] {
            if !sound {
                return Err(what);
            }
        }
        Ok(())
    }

    /// The tensors of one size, in their order.
    fn slots(&self, size: &Size) -> Vec<Slot> {
        let channels = |tap: Tap| self.network.widths[tap.block - 1];
        let mut slots = Vec::new();
        for level in 0..size.levels {
            for (i, tap) in self.style.iter().enumerate() {
                for (part, (name, shape)) in self.statistics.parts().iter().enumerate() {
                    slots.push(Slot {
                        name: format!("{}.{level}.{tap}.{name}", size.side),
                        shape: *shape,
                        channels: channels(*tap),
                        place: Place::Style { level, tap: i, part },
                    });
                }
            }
        }
        slots.extend(self.histogram.iter().enumerate().map(|(i, tap)| Slot {
            name: format!("{}.{tap}.quantiles", size.side),
            shape: Shape::Quantiles,
            channels: channels(*tap),
            place: Place::Histogram { tap: i },
        }));
        slots
    }

    /// The statistics of each size, from the tensors of a file.
    fn filled(&self, mut tensors: Tensors) -> std::result::Result<BTreeMap<usize, Measured>, String> {
        let mut sizes = BTreeMap::new();
        for size in &self.sizes {
            let mut measured = Measured {
                shortest: size.shortest,
                levels: vec![vec![Vec::new(); self.style.len()]; size.levels],
                histograms: Vec::new(),
            };
            for slot in self.slots(size) {
                let Some(kept) = tensors.remove(&slot.name) else {
                    return Err(format!("is damaged: there is no tensor {}", slot.name));
                };
                let part = slot.shape.unpacked(&kept, slot.channels);
                let part = part.map_err(|e| format!("is damaged: {}: {e}", slot.name))?;
                match slot.place {
                    Place::Style { level, tap, .. } => measured.levels[level][tap].push(part),
                    Place::Histogram { .. } => measured.histograms.push(part),
                }
            }
            sizes.insert(size.side, measured);
        }
        match tensors.keys().next() {
            Some(name) => Err(format!("is damaged: there is a tensor {name}")),
            None => Ok(sizes),
        }
    }
}
