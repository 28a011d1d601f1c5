//! Tiles of 32 rows by 32 columns of products of words in AMX's registers of two dimensions.
//!
//! Four of the eight registers hold sums of 16 by 16, two hold rows of the left operand, two
//! hold columns of the right one: four products of 16 cycles for four loads of 8. The compiler
//! knows neither the instructions nor the registers, so they are written as assembly, and
//! nothing else touches them.

use super::PANEL;
use super::avx512::Avx512;
use super::dot::{Dot, DotFinish, write_bf16, write_bytes};
use crate::stored::DotKind;
use std::arch::asm;
use std::arch::x86_64::{
    __cpuid_count, __m512i, _mm512_maskz_loadu_epi8, _mm512_or_si512, _mm512_setzero_si512,
    _mm512_storeu_si512,
};
use std::ptr::with_exposed_provenance;
use std::sync::OnceLock;

/// Proof that the processor has AMX for pairs and for bytes, that the system lets this process
/// use it, and that the proofs of [`Dot`] can be had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amx(());

/// Bytes of a row of a register: of the left operand's the numbers that one product takes.
pub(crate) const CHUNK: usize = 64;

/// Rows of a register.
pub(crate) const REGISTER_ROWS: usize = 16;

/// What a register holds.
pub(crate) type Contents = [[u8; CHUNK]; REGISTER_ROWS];

/// Where a piece of 16 rows lies, all of them at one distance.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Piece {
    /// The first row.
    pub(crate) first: *const u8,
    /// Bytes between rows.
    pub(crate) pitch: usize,
    /// Bytes between a row's chunks.
    pub(crate) step: usize,
}

/// A tile whose left operand lies in pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AmxTile<'a> {
    /// The pieces of the first 16 rows, and of the others.
    pub(crate) a: [&'a [Piece]; 2],
    /// A panel, `[pieces·chunks·CHUNK/4][PANEL]` words.
    pub(crate) b: *const u32,
    /// Chunks of [`CHUNK`] bytes that each piece is cut into.
    pub(crate) chunks: usize,
}

impl Amx {
    /// The most rows of a tile.
    pub(crate) const ROWS: usize = 2 * REGISTER_ROWS;

    /// The proof, where it can be had. The first call asks the system.
    pub(crate) fn new() -> Option<Self> {
        static GRANTED: OnceLock<bool> = OnceLock::new();
        let granted = *GRANTED.get_or_init(|| {
            Avx512::new().is_some()
                && Dot::new(DotKind::Bf16).is_some()
                && Dot::new(DotKind::Int8).is_some()
                && has_instructions()
                && is_permitted()
        });
        granted.then_some(Self(()))
    }

    /// Sets the registers up for this thread.
    pub(crate) fn registers(self, kind: DotKind) -> Registers {
        let mut shape = Configuration([0; 64]);
        shape.0[0] = 1; // palette
        for register in 0..8 {
            shape.0[16 + 2 * register] = CHUNK as u8;
            shape.0[48 + register] = REGISTER_ROWS as u8;
        }
        // SAFETY: `self` proves the instruction and the permission; the shape is one that every
        // processor with it has: palette 1, 8 registers of 16 rows of 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) shape.0.as_ptr(), options(nostack, readonly)) };
        Registers(kind)
    }
}

/// Whether the processor has tiles, and products of `bf16` and of bytes in them.
fn has_instructions() -> bool {
    const FEATURES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    __cpuid_count(7, 0).edx & FEATURES == FEATURES
}

/// Asks Linux for the memory that it needs to keep the registers of threads.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes no addresses; it is refused where the system does not know it.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// What the registers look like, as the processor reads it.
#[repr(C, align(64))]
struct Configuration([u8; 64]);

/// The registers of this thread, set up for products of a kind until this is dropped.
#[derive(Debug)]
pub(crate) struct Registers(DotKind);

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: the registers were set up, so the instruction exists.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Sums of a tile.
#[repr(C, align(64))]
struct Sums([[__m512i; 2]; Amx::ROWS]);

/// Adds the products of a piece.
macro_rules! products {
    ($instruction:literal, $upper:ident, $lower:ident, $tile:ident, $b:ident) => {
        asm!(
            "2:",
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm4, [{upper} + {upper_pitch}]",
            "tileloadd tmm7, [{b} + {line} + 64]",
            concat!($instruction, " tmm0, tmm4, tmm6"),
            "tileloadd tmm5, [{lower} + {lower_pitch}]",
            concat!($instruction, " tmm1, tmm4, tmm7"),
            "add {upper}, {upper_step}",
            "add {lower}, {lower_step}",
            "add {b}, 2048",
            concat!($instruction, " tmm2, tmm5, tmm6"),
            concat!($instruction, " tmm3, tmm5, tmm7"),
            "dec {chunks}",
            "jnz 2b",
            upper = inout(reg) $upper.first => _,
            upper_pitch = in(reg) $upper.pitch,
            upper_step = in(reg) $upper.step,
            lower = inout(reg) $lower.first => _,
            lower_pitch = in(reg) $lower.pitch,
            lower_step = in(reg) $lower.step,
            b = inout(reg) $b,
            line = in(reg) PANEL * 4,
            chunks = inout(reg) $tile.chunks => _,
            options(nostack, readonly),
        )
    };
}

impl Registers {
    /// Computes a tile of at most [`PANEL`] columns and writes `rows` rows of it.
    ///
    /// # Safety
    /// - Each piece is valid for reads of 16 rows, `pitch` bytes apart, of `chunks` chunks, `step`
    ///   bytes apart; both halves have as many pieces.
    /// - `b` is valid for reads of `pieces·chunks·CHUNK/4·PANEL` words, and `chunks ≥ 1`.
    /// - `finish` as in [`Dot::tile`]; `1 ≤ rows ≤ Amx::ROWS`.
    pub(crate) unsafe fn tile(&self, tile: AmxTile<'_>, rows: usize, finish: DotFinish) {
        // SAFETY: `self` proves the instructions, and AVX-512 beside them; the caller's
        // obligations are those of the reads, and the sums have 32 rows of 128 bytes. Nothing
        // but these instructions touches the registers between them.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                options(nostack, nomem),
            );
            let mut b = tile.b;
            for (upper, lower) in tile.a[0].iter().zip(tile.a[1]) {
                match self.0 {
                    DotKind::Bf16 => products!("tdpbf16ps", upper, lower, tile, b),
                    DotKind::Int8 => products!("tdpbusd", upper, lower, tile, b),
                }
            }
            let _ = b;
            let mut sums = Sums([[_mm512_setzero_si512(); 2]; Amx::ROWS]);
            asm!(
                "tilestored [{c} + {line}], tmm0",
                "tilestored [{c} + {line} + 64], tmm1",
                "tilestored [{c} + {line} + 2048], tmm2",
                "tilestored [{c} + {line} + 2112], tmm3",
                c = in(reg) &raw mut sums,
                line = in(reg) PANEL * 4,
                options(nostack),
            );
            write(self.0, &sums.0[..rows], finish);
        }
    }
}

/// # Safety
/// As `finish` in [`Dot::tile`], with as many rows as there are sums; needs the instructions
/// of [`Amx`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn write(kind: DotKind, sums: &[[__m512i; 2]], finish: DotFinish) {
    // SAFETY: passed on.
    unsafe {
        match kind {
            DotKind::Bf16 => write_bf16(sums, finish),
            DotKind::Int8 => write_bytes(sums, finish),
        }
    }
}

/// A part of a piece that one chunk holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The chunk.
    chunk: usize,
    /// The piece.
    tap: usize,
    /// Where the chunk would begin, from the piece's first byte on.
    start: isize,
    /// Its bytes in the chunk.
    mask: u64,
}

/// How rows of `taps` pieces of `bytes` bytes fill chunks: each piece up to a whole word.
pub(crate) fn parts(taps: usize, bytes: usize) -> impl Iterator<Item = Part> {
    let piece = bytes.next_multiple_of(4);
    (0..taps).flat_map(move |tap| {
        let first = tap * piece;
        (first / CHUNK..(first + bytes).div_ceil(CHUNK)).map(move |chunk| {
            let from = first.max(chunk * CHUNK) - chunk * CHUNK;
            let to = (first + bytes).min((chunk + 1) * CHUNK) - chunk * CHUNK;
            Part {
                chunk,
                tap,
                start: (chunk * CHUNK) as isize - first as isize,
                mask: mask(to) & !mask(from),
            }
        })
    })
}

/// Copies rows of pieces into registers' order: chunk after chunk of `[16][CHUNK]` bytes, with
/// zeros between the parts. Rows beyond `rows` are left as they are.
///
/// # Safety
/// - Needs the instructions of [`Amx`].
/// - `parts` are those of [`parts`] for a size of pieces, in their order.
/// - There are `rows` addresses for each of the pieces, `pitch` apart, with exposed provenance
///   and valid for reads of a piece.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) unsafe fn gather(
    addresses: *const usize,
    pitch: usize,
    rows: usize,
    parts: &[Part],
    copies: &mut [Contents],
) {
    for parts in parts.chunk_by(|a, b| a.chunk == b.chunk) {
        let copy = &mut copies[parts[0].chunk];
        for (row, line) in copy[..rows].iter_mut().enumerate() {
            let mut numbers = _mm512_setzero_si512();
            for part in parts {
                // SAFETY: the mask reads bytes of the piece alone.
                unsafe {
                    let address = *addresses.add(part.tap * pitch + row);
                    let from = with_exposed_provenance::<i8>(address).wrapping_offset(part.start);
                    let part = _mm512_maskz_loadu_epi8(part.mask, from);
                    numbers = _mm512_or_si512(numbers, part);
                }
            }
            // SAFETY: a line is as long as a vector.
            unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), numbers) };
        }
    }
}

/// The first `bytes` of a vector.
fn mask(bytes: usize) -> u64 {
    match bytes {
        CHUNK.. => u64::MAX,
        few => (1 << few) - 1,
    }
}
