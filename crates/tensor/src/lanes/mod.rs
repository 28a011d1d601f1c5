//! Sixteen numbers at once, for loops that the compiler does not turn into vectors by
//! itself.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::kernel::Kernel;
use crate::{Bf16, Element, Kept, LANES};

/// Arithmetic on [`LANES`] numbers at once. A value proves that the processor has the
/// instructions.
///
/// All but [`Lanes::mul_add`] have the same bits everywhere.
pub trait Lanes<T>: Copy + Send + Sync {
    /// [`LANES`] numbers.
    type V: Copy;

    /// The same number in all lanes.
    fn splat(self, x: T) -> Self::V;
    /// Numbers from memory.
    fn load(self, from: &[T; LANES]) -> Self::V;
    /// Numbers to memory.
    fn store(self, v: Self::V, to: &mut [T; LANES]);
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a − b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a·b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a·b + c`, rounded once where the processor can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `max(v, 0)`; a NaN stays.
    fn relu(self, v: Self::V) -> Self::V;

    /// Numbers to memory past the cache, where the processor can and `to` begins with a cache
    /// line. Other threads may read them after
    /// [`Pool::for_each_box`](crate::Pool::for_each_box), whose boxes know when it pays.
    #[inline(always)]
    fn store_past(self, v: Self::V, to: &mut [T; LANES]) {
        self.store(v, to);
    }

    /// Numbers kept as [`Bf16`], exactly.
    #[inline(always)]
    fn widen(self, from: &[Bf16; LANES]) -> Self::V
    where
        T: Element,
    {
        self.load(&from.map(Kept::number))
    }

    /// The nearest numbers that [`Bf16`] holds, to memory.
    #[inline(always)]
    fn round(self, v: Self::V, to: &mut [Bf16; LANES])
    where
        T: Element,
    {
        let mut all = [T::zero(); LANES];
        self.store(v, &mut all);
        *to = all.map(Kept::keep);
    }

    /// As many numbers as `from` has, up to [`LANES`]; 0 beyond.
    #[inline(always)]
    fn load_part(self, from: &[T]) -> Self::V
    where
        T: Element,
    {
        match from.first_chunk() {
            Some(all) => self.load(all),
            None => {
                let mut all = [T::zero(); LANES];
                all[..from.len()].copy_from_slice(from);
                self.load(&all)
            }
        }
    }

    /// Writes as many numbers as `to` holds, up to [`LANES`].
    #[inline(always)]
    fn store_part(self, v: Self::V, to: &mut [T])
    where
        T: Element,
    {
        match to.first_chunk_mut() {
            Some(all) => self.store(v, all),
            None => {
                let mut all = [T::zero(); LANES];
                self.store(v, &mut all);
                to.copy_from_slice(&all[..to.len()]);
            }
        }
    }
}

/// A type that maps are kept in while vectors of `T` are computed with.
pub trait LaneMap<T>: Kept + Default {
    /// [`LANES`] numbers, or as many as there are; 0 beyond.
    fn read<L: Lanes<T>>(lanes: L, from: &[Self]) -> L::V;

    /// Writes as many numbers as `to` holds, up to [`LANES`], past the cache where asked to.
    fn write<L: Lanes<T>>(lanes: L, v: L::V, to: &mut [Self], past_cache: bool);
}

impl<T: Element> LaneMap<T> for T {
    #[inline(always)]
    fn read<L: Lanes<T>>(lanes: L, from: &[T]) -> L::V {
        lanes.load_part(from)
    }

    #[inline(always)]
    fn write<L: Lanes<T>>(lanes: L, v: L::V, to: &mut [T], past_cache: bool) {
        match to.first_chunk_mut() {
            Some(to) if past_cache => lanes.store_past(v, to),
            _ => lanes.store_part(v, to),
        }
    }
}

impl<T: Element> LaneMap<T> for Bf16 {
    #[inline(always)]
    fn read<L: Lanes<T>>(lanes: L, from: &[Self]) -> L::V {
        match from.first_chunk() {
            Some(all) => lanes.widen(all),
            None => {
                let mut all = [Self::default(); LANES];
                all[..from.len()].copy_from_slice(from);
                lanes.widen(&all)
            }
        }
    }

    #[inline(always)]
    fn write<L: Lanes<T>>(lanes: L, v: L::V, to: &mut [Self], _past_cache: bool) {
        match to.first_chunk_mut() {
            Some(all) => lanes.round(v, all),
            None => {
                let mut all = [Self::default(); LANES];
                lanes.round(v, &mut all);
                to.copy_from_slice(&all[..to.len()]);
            }
        }
    }
}

/// Work in terms of [`Lanes`].
pub trait WithLanes<T> {
    /// What comes of it.
    type Output;

    /// Does the work. Mark it, and what it calls in its inner loops, `#[inline(always)]`.
    fn run(self, lanes: impl Lanes<T>) -> Self::Output;
}

impl Kernel {
    /// Does `work` with this kernel's instructions.
    ///
    /// # Examples
    /// ```
    /// use inception_tensor::{Kernel, LANES, Lanes, WithLanes};
    ///
    /// struct Double<'a>(&'a mut [f32; LANES]);
    ///
    /// impl WithLanes<f32> for Double<'_> {
    ///     type Output = ();
    ///
    ///     #[inline(always)]
    ///     fn run(self, lanes: impl Lanes<f32>) {
    ///         let x = lanes.load(self.0);
    ///         lanes.store(lanes.add(x, x), self.0);
    ///     }
    /// }
    ///
    /// let mut numbers = [1.5; LANES];
    /// Kernel::active().with_lanes(Double(&mut numbers));
    /// assert_eq!(numbers, [3.0; LANES]);
    /// ```
    #[inline]
    pub fn with_lanes<T: Element, W: WithLanes<T>>(self, work: W) -> W::Output {
        T::with_lanes(self, work)
    }
}

/// `f32` with the vectors of `kernel`.
#[inline]
pub(crate) fn single<W: WithLanes<f32>>(kernel: Kernel, work: W) -> W::Output {
    match kernel.vectors() {
        #[cfg(target_arch = "x86_64")]
        kernel @ (Kernel::Avx512 | Kernel::Avx2) => x86::run(kernel, work),
        // No detour: what is compiled for such a processor may use NEON everywhere.
        #[cfg(target_arch = "aarch64")]
        Kernel::Neon => match crate::kernel::neon::Neon::new() {
            Some(proof) => work.run(proof),
            None => work.run(Plain),
        },
        _ => work.run(Plain),
    }
}

/// Any type, number by number, whatever the kernel.
#[inline]
pub(crate) fn plain<T: Element, W: WithLanes<T>>(_kernel: Kernel, work: W) -> W::Output {
    work.run(Plain)
}

/// No vectors.
#[derive(Clone, Copy)]
struct Plain;

/// A function of each lane.
#[inline(always)]
fn each<T: Element>(f: impl Fn(usize) -> T) -> [T; LANES] {
    let mut all = [T::zero(); LANES];
    for (lane, x) in all.iter_mut().enumerate() {
        *x = f(lane);
    }
    all
}

impl<T: Element> Lanes<T> for Plain {
    type V = [T; LANES];

    #[inline(always)]
    fn splat(self, x: T) -> Self::V {
        [x; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[T; LANES]) -> Self::V {
        *from
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [T; LANES]) {
        *to = v;
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] - b[i])
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        each(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn relu(self, v: Self::V) -> Self::V {
        // `x < 0` is false for NaN, so a NaN is passed on.
        each(|i| if v[i] < T::zero() { T::zero() } else { v[i] })
    }
}
