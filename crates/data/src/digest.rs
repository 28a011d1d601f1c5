//! A running digest of names and numbers.

/// FNV-1a over 64-bit words, with a final mix: fast, the same on every machine, and no
/// defence against forgery.
#[derive(Clone, Debug)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn new(tag: &str) -> Self {
        let mut digest = Self(0xCBF2_9CE4_8422_2325);
        digest.bytes(tag.as_bytes());
        digest
    }

    pub(crate) fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01B3);
        self.0 ^= self.0 >> 29;
    }

    /// Mixes in the length and the content, so that `ab, c` and `a, bc` differ.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for &word in words {
            self.word(u64::from_le_bytes(word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
    }

    pub(crate) fn finish(&self) -> u64 {
        inception_tensor::Stream::new(&[self.0]).at(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_sees_every_byte_and_every_boundary() {
        let digest = |parts: &[&[u8]]| {
            let mut d = Digest::new("test");
            parts.iter().for_each(|p| d.bytes(p));
            d.finish()
        };
        let base = digest(&[b"hello world!", b"x"]);
        assert_eq!(base, digest(&[b"hello world!", b"x"]));
        assert_ne!(base, digest(&[b"hello world", b"!x"]));
        assert_ne!(base, digest(&[b"hello worle!", b"x"]));
        assert_ne!(digest(&[b""]), digest(&[b"\0"]));
    }
}
