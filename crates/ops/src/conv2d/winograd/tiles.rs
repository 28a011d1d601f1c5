//! Which pixels the tiles of a map cover.

use super::transform::{LANES, Lane, Square, both_ways, load, store};
use super::{POINTS, SIDE};
use inception_tensor::{Element, Vectorize, View};
use std::array;

/// Tiles of a map, in the order in which they are transformed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    /// Rows and columns from one tile to the next.
    pub(super) step: usize,
    /// Image, tile row and tile column of the first.
    pub(super) start: [usize; 3],
    /// Images, tile rows and tile columns.
    pub(super) size: [usize; 3],
}

impl Tiles {
    /// All tiles of a map of `[images, rows, columns]`.
    pub(super) fn all([images, rows, columns]: [usize; 3], step: usize) -> Self {
        Self {
            step,
            start: [0; 3],
            size: [images, rows.div_ceil(step), columns.div_ceil(step)],
        }
    }

    pub(super) fn count(&self) -> usize {
        self.size.iter().product()
    }

    /// Image, tile row and tile column of tile `i`, counted from the start.
    #[inline(always)]
    pub(super) fn place(&self, i: usize) -> [usize; 3] {
        let [_, rows, columns] = self.size;
        [i / columns / rows, i / columns % rows, i % columns]
    }

    /// The pixels of tile `i` of `map`, `N` rows and columns; those outside are empty.
    #[inline(always)]
    fn pixels<'a, T: Element, const N: usize>(
        &self,
        map: &View<'a, T>,
        offset: [usize; 2],
        i: usize,
    ) -> [[&'a [T]; N]; N] {
        let (shape, place) = (map.shape(), self.place(i));
        let [image, row, column] = array::from_fn(|axis| self.start[axis] + place[axis]);
        array::from_fn(|p| {
            array::from_fn(|q| {
                // Beyond the near edge these wrap around to numbers beyond the far edge.
                let y = (row * self.step + p).wrapping_sub(offset[0]);
                let x = (column * self.step + q).wrapping_sub(offset[1]);
                match y < shape.h && x < shape.w {
                    true => map.pixel(image, y, x),
                    false => &[],
                }
            })
        })
    }
}

/// Where transformed tiles are written: number `[point, tile, channel]`.
#[derive(Debug)]
pub(super) struct Transformed<'a, T> {
    pub(super) data: &'a mut [T],
    /// From one point to the next.
    pub(super) pitch: usize,
    /// Channels.
    pub(super) width: usize,
}

/// Transforms the tiles `first .. first + count` of a map by `line`: `N` numbers to
/// [`SIDE`].
pub(super) struct TransformTiles<'a, T, const N: usize, L> {
    pub(super) tiles: Tiles,
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) map: View<'a, T>,
    /// Rows and columns by which the first tile starts before the map.
    pub(super) offset: [usize; 2],
    pub(super) line: L,
    pub(super) to: Transformed<'a, T>,
}

impl<T, const N: usize, L> Vectorize for TransformTiles<'_, T, N, L>
where
    T: Element,
    L: Fn(&[Lane<T>; N]) -> [Lane<T>; SIDE],
{
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Transformed { data, pitch, width } = self.to;
        for i in 0..self.count {
            let pixels: [[&[T]; N]; N] =
                self.tiles.pixels(&self.map, self.offset, self.first + i);
            for channel in (0..width).step_by(LANES) {
                let tile: Square<T, N> =
                    array::from_fn(|p| array::from_fn(|q| load(pixels[p][q], channel)));
                let transformed = both_ways(&tile, &self.line);
                for point in 0..POINTS {
                    let to = &mut data[point * pitch + i * width..][..width];
                    store(&transformed[point / SIDE][point % SIDE], to, channel);
                }
            }
        }
    }
}
