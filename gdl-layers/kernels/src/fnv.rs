/// The 64-bit FNV-1a hash: fixed and documented, so that what is derived from it never changes with the standard library.
///
/// Against mistakes and damage, not against malice.
///
/// # Example
/// ```
/// let mut hash = gdl_kernels::Fnv1a::default();
/// for byte in b"a" {
///     hash.update(*byte);
/// }
/// assert_eq!(hash.finish(), 0xaf63_dc4c_8601_ec8c);
/// ```
///
/// # Source
/// Fowler, Noll, Vo: offset basis and prime for 64 bits. The original takes bytes; wider words are taken whole here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv1a {
    /// The hash of a text's bytes.
    pub fn of(text: &str) -> u64 {
        let mut hash = Self::default();
        text.bytes().for_each(|byte| hash.update(byte));
        hash.finish()
    }

    /// Takes one byte or word.
    pub fn update(&mut self, word: impl Into<u64>) {
        self.0 = (self.0 ^ word.into()).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// The hash of all that was taken.
    pub fn finish(self) -> u64 {
        self.0
    }
}
