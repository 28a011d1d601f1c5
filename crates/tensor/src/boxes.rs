//! A feature map cut into boxes that are written at the same time.

use crate::{LANES, Pool, Shape, ViewMut, kernel};
use std::marker::PhantomData;
use std::ops::Range;

/// Some images, rows, columns and channels of a map, for writing.
#[derive(Debug)]
pub struct BoxMut<'a, T> {
    data: *mut T,
    /// The whole map.
    map: Shape,
    /// Numbers between its pixels.
    stride: usize,
    start: [usize; 4],
    size: Shape,
    past_cache: bool,
    lifetime: PhantomData<&'a mut [T]>,
}

impl<T> BoxMut<'_, T> {
    /// The first image, row, column and channel, in the whole map.
    pub fn start(&self) -> [usize; 4] {
        self.start
    }

    /// Images, rows, columns and channels.
    pub fn shape(&self) -> Shape {
        self.size
    }

    /// Whether the map is so large that its numbers are better written past the cache, by
    /// [`Lanes::store_past`](crate::Lanes::store_past).
    pub fn is_past_cache(&self) -> bool {
        self.past_cache
    }

    /// The box's channels of its pixel `[n, y, x]`, counted from the box's start.
    ///
    /// # Panics
    /// When the pixel lies outside.
    #[inline]
    pub fn pixel_mut(&mut self, n: usize, y: usize, x: usize) -> &mut [T] {
        let size = self.size;
        assert!(
            n < size.n && y < size.h && x < size.w,
            "pixel [{n}, {y}, {x}] of {size}"
        );
        // SAFETY:
        // - the pixel lies in the box, and the box in the map, whose data reach as far;
        // - `for_each_box` gives no other box these channels of this pixel.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(self.place(n, y, x)), size.c) }
    }

    /// The box's channels of the `M × M` pixels of its image `n` from row `y` and column `x`
    /// on; those outside are empty.
    #[inline(always)]
    pub fn tile_mut<const M: usize>(&mut self, n: usize, y: usize, x: usize) -> [[&mut [T]; M]; M] {
        let size = self.size;
        let mut tile: [[&mut [T]; M]; M] =
            std::array::from_fn(|_| std::array::from_fn(|_| &mut [][..]));
        if n < size.n {
            for (i, line) in tile.iter_mut().enumerate().take(size.h.saturating_sub(y)) {
                let start = self.place(n, y + i, x);
                for (j, pixel) in line.iter_mut().enumerate().take(size.w.saturating_sub(x)) {
                    // SAFETY: as in `pixel_mut`; no pixel is handed out twice.
                    *pixel = unsafe {
                        std::slice::from_raw_parts_mut(
                            self.data.add(start + j * self.stride),
                            size.c,
                        )
                    };
                }
            }
        }
        tile
    }

    /// Asks for the memory of `channels` of the pixels that [`BoxMut::tile_mut`] hands out,
    /// which are written soon. Changes nothing.
    #[inline(always)]
    pub fn fetch_tile<const M: usize>(&self, n: usize, y: usize, x: usize, channels: Range<usize>) {
        let size = self.size;
        if n >= size.n {
            return;
        }
        for i in y..size.h.min(y + M) {
            let start = self.place(n, i, x);
            for j in 0..M.min(size.w.saturating_sub(x)) {
                let pixel = self.data.wrapping_add(start + j * self.stride);
                for channel in channels.clone().step_by(LANES) {
                    kernel::fetch(pixel.wrapping_add(channel));
                }
            }
        }
    }

    /// Where the box's channels of a pixel begin in the map's data.
    #[inline(always)]
    fn place(&self, n: usize, y: usize, x: usize) -> usize {
        let [image, row, column, channel] = self.start;
        let pixel = ((image + n) * self.map.h + row + y) * self.map.w + column + x;
        pixel * self.stride + channel
    }
}

/// The map, as tasks that write boxes of it share it.
struct Map<T>(*mut T);

// SAFETY: each task reaches the elements of its own box only.
unsafe impl<T: Send> Sync for Map<T> {}

impl<T> Map<T> {
    fn start(&self) -> *mut T {
        self.0
    }
}

impl Pool {
    /// Calls `f` for every box of `size` that `view` is cut into, smaller at the far edges.
    ///
    /// # Panics
    /// When an extent of `size` is 0.
    ///
    /// # Examples
    /// ```
    /// use inception_tensor::{Pool, Shape, Tensor};
    ///
    /// let mut map = Tensor::<f32>::zeros(Shape::new(1, 2, 3, 1));
    /// Pool::serial().for_each_box(map.view_mut(), Shape::new(1, 2, 2, 1), |mut part| {
    ///     let [_, _, column, _] = part.start();
    ///     part.pixel_mut(0, 1, 0)[0] = column as f32 + 1.0;
    /// });
    /// assert_eq!(map.data(), [0.0, 0.0, 0.0, 1.0, 0.0, 3.0]);
    /// ```
    pub fn for_each_box<T: Send + Copy>(
        &self,
        mut view: ViewMut<'_, T>,
        size: Shape,
        f: impl Fn(BoxMut<'_, T>) + Send + Sync,
    ) {
        let (map, stride) = (view.shape(), view.stride());
        assert!(!size.is_empty(), "boxes of {size}");
        if map.is_empty() {
            return;
        }
        let whole = [map.n, map.h, map.w, map.c];
        let step = [size.n, size.h, size.w, size.c];
        let [images, rows, columns, channels] = [0, 1, 2, 3].map(|i| whole[i].div_ceil(step[i]));
        let past_cache = kernel::is_past_cache(&mut view);
        let data = Map(view.data_mut().as_mut_ptr());
        self.for_each(images * rows * columns * channels, |i| {
            let place = [
                i / channels / columns / rows,
                i / channels / columns % rows,
                i / channels % columns,
                i % channels,
            ];
            let start = [0, 1, 2, 3].map(|axis| place[axis] * step[axis]);
            let [n, h, w, c] = [0, 1, 2, 3].map(|axis| step[axis].min(whole[axis] - start[axis]));
            f(BoxMut {
                data: data.start(),
                map,
                stride,
                start,
                size: Shape::new(n, h, w, c),
                past_cache,
                lifetime: PhantomData,
            });
            if past_cache {
                kernel::wait_for_memory();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn boxes_cover_a_channel_slice_once(
            map in prop::array::uniform4(1usize..6),
            size in prop::array::uniform4(1usize..4),
            threads in 1usize..4,
        ) {
            let shape = |s: [usize; 4]| Shape::new(s[0], s[1], s[2], s[3]);
            let (map, stride) = (shape(map), map[3] + 2);
            let mut data = vec![0u32; map.rows() * stride];
            let view = ViewMut::new(&mut data, Shape::new(map.n, map.h, map.w, stride));
            let pool = Pool::new(threads).unwrap();
            pool.for_each_box(view.channels(1, map.c), shape(size), |mut part| {
                let Shape { n, h, w, .. } = part.shape();
                for i in 0..n * h * w {
                    part.pixel_mut(i / w / h, i / w % h, i % w).iter_mut().for_each(|x| *x += 1);
                }
            });
            for (i, &x) in data.iter().enumerate() {
                let inside = (1..=map.c).contains(&(i % stride));
                prop_assert_eq!(x, u32::from(inside));
            }
        }
    }
}
