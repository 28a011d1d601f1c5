//! Which pixels the tiles of a map cover.

use super::SIDE;
use super::transform::{Line, both_ways, half};
use inception_tensor::{Element, Kernel, LANES, LaneMap, Lanes, View, WithLanes, with_scratch};

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

    /// The pixels of tile `i` of `map`, `N` rows and columns; those beyond it are `outside`.
    #[inline(always)]
    fn pixels<'a, S: Copy, const N: usize>(
        &self,
        map: &View<'a, S>,
        offset: [usize; 2],
        i: usize,
        outside: &'a [S],
    ) -> [[&'a [S]; N]; N] {
        let (shape, [image, row, column]) = (map.shape(), self.place(i));
        let image = self.start[0] + image;
        let mut pixels = [[outside; N]; N];
        for (p, line) in pixels.iter_mut().enumerate() {
            // Before the near edge these wrap around to numbers beyond the far edge.
            let y = ((self.start[1] + row) * self.step + p).wrapping_sub(offset[0]);
            if y >= shape.h {
                continue;
            }
            for (q, pixel) in line.iter_mut().enumerate() {
                let x = ((self.start[2] + column) * self.step + q).wrapping_sub(offset[1]);
                if x < shape.w {
                    *pixel = map.pixel(image, y, x);
                }
            }
        }
        pixels
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
pub(super) struct TransformTiles<'a, T, S, F, const N: usize> {
    pub(super) tiles: Tiles,
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) map: View<'a, S>,
    /// Rows and columns by which the first tile starts before the map.
    pub(super) offset: [usize; 2],
    pub(super) line: F,
    pub(super) to: Transformed<'a, T>,
}

impl<T: Element, S: LaneMap<T>, F: Line<T, N, SIDE>, const N: usize>
    TransformTiles<'_, T, S, F, N>
{
    /// Transforms them with the vectors of `kernel`.
    pub(super) fn run(self, kernel: Kernel) {
        with_scratch(self.to.width, |zeros: &mut [S]| {
            zeros.fill(S::default());
            match self.to.width {
                LANES.. => kernel.with_lanes(Inside::<_, _, _, N, true>(self, zeros)),
                _ => kernel.with_lanes(Inside::<_, _, _, N, false>(self, zeros)),
            }
        });
    }
}

/// Tiles, and a pixel of zeros around their map; `WIDE` where it has at least [`LANES`] channels.
struct Inside<'a, 'b, T, S, F, const N: usize, const WIDE: bool>(
    TransformTiles<'a, T, S, F, N>,
    &'b [S],
);

impl<T: Element, S: LaneMap<T>, F: Line<T, N, SIDE>, const N: usize, const WIDE: bool> WithLanes<T>
    for Inside<'_, '_, T, S, F, N, WIDE>
{
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes<T>) {
        let Self(tiles, zeros) = self;
        let Transformed { data, pitch, width } = tiles.to;
        // Of wide maps a length that is known, so that nothing asks how many numbers there are.
        let len = if WIDE { LANES } else { width };
        let mut memory = half(lanes);
        for i in 0..tiles.count {
            let place = tiles.first + i;
            let pixels: [[&[S]; N]; N] = tiles.tiles.pixels(&tiles.map, tiles.offset, place, zeros);
            for start in (0..width).step_by(LANES) {
                // The last may be some of those before once more.
                let channel = start.min(width - len);
                both_ways(
                    lanes,
                    tiles.line,
                    &mut memory,
                    |p, q| S::read(lanes, &pixels[p][q][channel..channel + len]),
                    |p, q, number| {
                        let at = (p * SIDE + q) * pitch + i * width + channel;
                        lanes.store_part(number, &mut data[at..at + len]);
                    },
                );
            }
        }
    }
}
