//! Micro-kernels: the innermost products, one file for each set of instructions.
//!
//! All of them compute the same sums: an output element is one chain of fused multiply-adds
//! over `k` in order, whatever the width of a vector. So AVX-512, AVX2 and NEON give the same
//! bits.
//! The portable way goes through `matrixmultiply`, which cuts `k` into blocks of its own.

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) mod dot;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
pub(crate) mod transpose;
mod vectorize;

pub use vectorize::Vectorize;

use crate::ViewMut;
use std::sync::OnceLock;
use thiserror::Error;

/// Columns of a panel of packed weights, for every kernel.
pub const PANEL: usize = 32;

/// Numbers that element-wise vector code computes with at once.
pub const LANES: usize = 16;

/// The environment variable that forces a kernel.
const VARIABLE: &str = "INCEPTION_KERNEL";

/// A set of micro-kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// [`Kernel::Avx512`], and 32 × 32 tiles in AMX registers for products of fewer bits.
    Amx,
    /// 14 × 32 tiles in AVX-512 registers.
    Avx512,
    /// 6 × 16 tiles in AVX2 registers, with FMA.
    Avx2,
    /// 6 × 16 tiles in NEON registers.
    Neon,
    /// `matrixmultiply`, which picks instructions by itself; also what `f64` runs on.
    Portable,
}

/// Why a kernel cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KernelError {
    /// The name is none of a kernel's.
    #[error("{VARIABLE}={found}: there are amx, avx512, avx2, neon, portable")]
    Unknown {
        /// What was found.
        found: String,
    },
    /// The processor lacks the instructions.
    #[error("kernel {kernel}: this processor lacks the instructions")]
    Unsupported {
        /// The kernel asked for.
        kernel: &'static str,
    },
}

impl Kernel {
    /// All kernels, fastest first.
    pub const ALL: [Self; 5] = [
        Self::Amx,
        Self::Avx512,
        Self::Avx2,
        Self::Neon,
        Self::Portable,
    ];

    /// The name in [`INCEPTION_KERNEL`](Kernel::select) and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amx => "amx",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    /// Whether this processor has the instructions.
    pub fn is_supported(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => amx::Amx::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::Avx512::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Amx | Self::Avx512 | Self::Avx2 => false,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => neon::Neon::new().is_some(),
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => false,
            Self::Portable => true,
        }
    }

    /// The kernel that the environment variable `INCEPTION_KERNEL` names, else the fastest
    /// that this processor supports.
    ///
    /// # Errors
    /// When the variable names none, or one whose instructions are missing.
    pub fn select() -> Result<Self, KernelError> {
        let Some(found) = std::env::var_os(VARIABLE) else {
            let mut supported = Self::ALL.into_iter().filter(|k| k.is_supported());
            return Ok(supported.next().expect("the portable kernel always runs"));
        };
        let found = found.to_string_lossy().into_owned();
        let Some(kernel) = Self::ALL.into_iter().find(|k| k.name() == found) else {
            return Err(KernelError::Unknown { found });
        };
        kernel.require()?;
        Ok(kernel)
    }

    /// The kernel of products and loops in `f32` that goes with this one.
    #[must_use]
    pub const fn vectors(self) -> Self {
        match self {
            Self::Amx => Self::Avx512,
            own => own,
        }
    }

    /// Refuses a kernel that this processor cannot run.
    ///
    /// # Errors
    /// When the processor lacks the instructions.
    pub fn require(self) -> Result<(), KernelError> {
        match self.is_supported() {
            true => Ok(()),
            false => Err(KernelError::Unsupported {
                kernel: self.name(),
            }),
        }
    }

    /// The kernel in use: [`Kernel::select`], asked once. A wrong environment variable falls
    /// back to what the processor supports; a program checks it with `select` when it starts.
    pub fn active() -> Self {
        static ACTIVE: OnceLock<Kernel> = OnceLock::new();
        *ACTIVE.get_or_init(|| {
            Self::select().unwrap_or_else(|_| {
                let mut supported = Self::ALL.into_iter().filter(|k| k.is_supported());
                supported.next().expect("the portable kernel always runs")
            })
        })
    }
}

/// What is done with a finished tile of sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finish {
    /// First element of the output tile.
    pub(crate) c: *mut f32,
    /// Distance between its rows.
    pub(crate) stride: usize,
    /// Columns in it, 1 to [`PANEL`].
    pub(crate) columns: usize,
    /// Whether the sums are added to what is there.
    pub(crate) add: bool,
    /// One number a column to add, or null.
    pub(crate) bias: *const f32,
    /// Whether negative results become zero.
    pub(crate) relu: bool,
    /// Whether the tile goes to memory past the cache, where the kernel can: `c` is aligned to
    /// cache lines, and so is the distance between rows.
    pub(crate) past_cache: bool,
}

impl Finish {
    /// The parts of the tile that are at most `width` columns wide, and where they start.
    fn parts(self, width: usize) -> impl Iterator<Item = (usize, Self)> {
        (0..self.columns).step_by(width).map(move |start| {
            let part = Self {
                c: self.c.wrapping_add(start),
                columns: (self.columns - start).min(width),
                bias: match self.bias.is_null() {
                    true => self.bias,
                    false => self.bias.wrapping_add(start),
                },
                ..self
            };
            (start, part)
        })
    }
}

/// A tile whose left operand is rows, contiguous along `k`: `Σ_tap Σ_i rows[tap][r][i]·b`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowsTile {
    /// Addresses of rows, with exposed provenance: `addresses[tap·pitch + r]`.
    pub(crate) addresses: *const usize,
    /// As many addresses in the same order, whose numbers are read after this tile and fetched
    /// meanwhile.
    pub(crate) later: *const usize,
    /// A cache line for each of the `taps·width` steps, which is fetched from far: a part of the
    /// panel that is read after this one.
    pub(crate) later_b: *const f32,
    /// Rows between one tap's addresses and the next one's.
    pub(crate) pitch: usize,
    /// Rows of the tile, 1 to the kernel's `ROWS`.
    pub(crate) rows: usize,
    /// Pieces that `k` is cut into.
    pub(crate) taps: usize,
    /// Length of a piece.
    pub(crate) width: usize,
    /// A panel, `[taps·width][PANEL]`.
    pub(crate) b: *const f32,
}

/// A tile whose operands are both contiguous across the output: `Σ_k a[k][r]·b[k][j]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OuterTile {
    /// The left operand.
    pub(crate) a: *const f32,
    /// The right operand.
    pub(crate) b: *const f32,
    /// For each `k`, where its elements start in `a` and in `b`.
    pub(crate) offsets: *const [u32; 2],
    /// How many.
    pub(crate) k: usize,
    /// How far beyond its place in `a` and in `b` each term's elements of the next block are,
    /// which are fetched for later; nothing where zero. May lead outside the operands.
    pub(crate) ahead: [usize; 2],
    /// Rows of the tile, 1 to the kernel's `ROWS`.
    pub(crate) rows: usize,
}

/// Micro-kernels in `f32`; holding a value proves that the processor has the instructions.
pub(crate) trait Isa: Copy + Send + Sync {
    /// The most rows of a tile.
    const ROWS: usize;

    /// Computes a tile of at most [`PANEL`] columns.
    ///
    /// # Safety
    /// - There are `rows` addresses for each tap, each with exposed provenance and valid for
    ///   reads of `width` numbers, and as many from `later` on, which need not be valid, as
    ///   `later_b` need not.
    /// - `b` is valid for reads of `taps·width·PANEL` numbers.
    /// - `finish.c` is valid for reads and writes of `rows` rows of `columns` numbers,
    ///   `stride` apart, and nothing else reaches them meanwhile; `finish.bias` is null or
    ///   valid for reads of `columns` numbers.
    /// - Where `finish.past_cache`, `finish.c` and `stride` are multiples of a cache line.
    /// - `1 ≤ rows ≤ ROWS` and `1 ≤ columns ≤ PANEL`.
    unsafe fn rows(self, tile: RowsTile, finish: Finish);

    /// Computes a tile of at most [`PANEL`] columns.
    ///
    /// # Safety
    /// - For each of the `k` offsets `[x, y]`, `a + x` is valid for reads of `rows` numbers
    ///   and `b + y` for reads of `columns` numbers.
    /// - `finish` as in [`Isa::rows`]; `1 ≤ rows ≤ ROWS` and `1 ≤ columns ≤ PANEL`.
    unsafe fn outer(self, tile: OuterTile, finish: Finish);
}

/// Asks for the cache line at `at`, which need not be valid; nothing where the processor has
/// no way to ask.
#[inline(always)]
pub(crate) fn fetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, and it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Bytes of a map that is better written past the cache: by the time it is read, its beginning
/// would have left it.
const PAST_CACHE: usize = 16 << 20;

/// Whether a map should, and can, be written past the cache.
pub(crate) fn is_past_cache<T>(map: &mut ViewMut<'_, T>) -> bool {
    let line = size_of::<crate::scratch::Line>();
    let large = map.shape().len() * size_of::<T>() >= PAST_CACHE;
    let aligned = map.data_mut().as_ptr().addr().is_multiple_of(line)
        && (map.stride() * size_of::<T>()).is_multiple_of(line);
    large && aligned
}

/// Waits until what was written past the cache is in memory, so that other threads read it.
pub(crate) fn wait_for_memory() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Something to do with the kernels of the active set, or by other means.
pub(crate) trait WithIsa {
    /// What comes of it.
    type Output;

    /// Does it with `isa`.
    fn with(self, isa: impl Isa) -> Self::Output;

    /// Does it where there are no kernels.
    fn portable(self) -> Self::Output;
}

/// Hands the kernels of `kernel` to `work`.
pub(crate) fn dispatch<W: WithIsa>(kernel: Kernel, work: W) -> W::Output {
    match kernel.vectors() {
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 => match avx512::Avx512::new() {
            Some(isa) => work.with(isa),
            None => work.portable(),
        },
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => match avx2::Avx2::new() {
            Some(isa) => work.with(isa),
            None => work.portable(),
        },
        #[cfg(target_arch = "aarch64")]
        Kernel::Neon => match neon::Neon::new() {
            Some(isa) => work.with(isa),
            None => work.portable(),
        },
        _ => work.portable(),
    }
}
