//! How a parameter lies in memory and in a PyTorch state dict.

use inception_tensor::Shape;

/// The arrangement of a parameter's numbers: channels-last in memory, PyTorch's on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One number: `[1, 1, 1, 1]` ↔ `[]`.
    Scalar,
    /// One number a channel: `[1, 1, 1, c]` ↔ `[c]`.
    Vector,
    /// Filters of a convolution: `[kh, kw, c_in, c_out]` ↔ `[c_out, c_in, kh, kw]`.
    Conv,
    /// A matrix: `[1, 1, in, out]` ↔ `[out, in]`.
    Linear,
    /// A matrix that reads a flattened map of `h×w` pixels: its input axis is in
    /// `(h, w, c)` order in memory and in `(c, h, w)` order on disk.
    LinearChw {
        /// Channels of the map.
        c: usize,
        /// Rows of the map.
        h: usize,
        /// Columns of the map.
        w: usize,
    },
}

/// How many outermost places of the disk order are moved together: one cache line of `f32`.
const BLOCK: usize = 16;

impl Layout {
    /// The shape in a state dict of a parameter whose shape in memory is `shape`.
    pub fn torch_shape(self, shape: Shape) -> Vec<usize> {
        let Shape { n, h, w, c } = shape;
        match self {
            Self::Scalar => Vec::new(),
            Self::Vector => vec![c],
            Self::Conv => vec![c, w, n, h],
            Self::Linear | Self::LinearChw { .. } => vec![c, w],
        }
    }

    /// Disk order as four nested loops: extents, and the distance in memory of one step.
    fn loops(self, shape: Shape) -> ([usize; 4], [usize; 4]) {
        let Shape { n, h, w, c } = shape;
        match self {
            Self::Scalar | Self::Vector => ([c, 1, 1, 1], [1, 0, 0, 0]),
            Self::Conv => ([c, w, n, h], [1, c, h * w * c, w * c]),
            Self::Linear => ([c, w, 1, 1], [1, c, 0, 0]),
            Self::LinearChw {
                c: channels,
                h: rows,
                w: columns,
            } => {
                assert_eq!(channels * rows * columns, w, "a flattened map of {shape}");
                (
                    [c, channels, rows, columns],
                    [1, c, columns * channels * c, channels * c],
                )
            }
        }
    }

    /// Calls `f(place on disk, place in memory)` for every number.
    fn pairs(self, shape: Shape, mut f: impl FnMut(usize, usize)) {
        let ([d0, d1, d2, d3], [s0, s1, s2, s3]) = self.loops(shape);
        let inner = d1 * d2 * d3;
        for block in (0..d0).step_by(BLOCK) {
            let end = (block + BLOCK).min(d0);
            for i1 in 0..d1 {
                for i2 in 0..d2 {
                    for i3 in 0..d3 {
                        let within = (i1 * d2 + i2) * d3 + i3;
                        let memory = i1 * s1 + i2 * s2 + i3 * s3;
                        for i0 in block..end {
                            f(i0 * inner + within, i0 * s0 + memory);
                        }
                    }
                }
            }
        }
    }

    /// Brings numbers from the order of a state dict into that of memory.
    ///
    /// # Panics
    /// When a slice does not have `shape.len()` numbers.
    pub fn read<T: Copy>(self, shape: Shape, torch: &[T], memory: &mut [T]) {
        assert_eq!([torch.len(), memory.len()], [shape.len(); 2], "{shape}");
        self.pairs(shape, |disk, place| memory[place] = torch[disk]);
    }

    /// Brings numbers from the order of memory into that of a state dict.
    ///
    /// # Panics
    /// When a slice does not have `shape.len()` numbers.
    pub fn write<T: Copy>(self, shape: Shape, memory: &[T], torch: &mut [T]) {
        assert_eq!([torch.len(), memory.len()], [shape.len(); 2], "{shape}");
        self.pairs(shape, |disk, place| torch[disk] = memory[place]);
    }
}
