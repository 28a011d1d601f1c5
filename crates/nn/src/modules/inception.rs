//! The Inception module: with dimension reductions, and without.

use super::chain::{Branch, conv, keep, max_pool};
use inception_ops::Window;

/// A row of the paper's Table 1: output channels of each convolution of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InceptionConfig {
    /// `#1×1`.
    pub c1: usize,
    /// `#3×3 reduce`.
    pub c3_reduce: usize,
    /// `#3×3`.
    pub c3: usize,
    /// `#5×5 reduce`.
    pub c5_reduce: usize,
    /// `#5×5`.
    pub c5: usize,
    /// `pool proj`.
    pub pool: usize,
}

/// The pool of both modules.
const POOL: Window = keep(3, 3);

impl InceptionConfig {
    /// The columns of Table 1, in its order.
    pub const fn new(columns: [usize; 6]) -> Self {
        let [c1, c3_reduce, c3, c5_reduce, c5, pool] = columns;
        Self {
            c1,
            c3_reduce,
            c3,
            c5_reduce,
            c5,
            pool,
        }
    }

    /// Channels of the output: those of the four branches.
    pub const fn c_out(&self) -> usize {
        self.c1 + self.c3 + self.c5 + self.pool
    }

    /// The module: four branches that read one map. 1×1; 1×1 and 3×3; 1×1 and 5×5, or
    /// another `third_kernel`; 3×3 max pool and 1×1. Keys are torchvision's.
    ///
    /// # Sources
    /// Szegedy et al. 2014, *Going Deeper with Convolutions*, figure 2b.
    pub fn branches(&self, third_kernel: usize) -> Vec<Branch> {
        vec![
            vec![conv("branch1", keep(1, 1), self.c1)],
            vec![
                conv("branch2.0", keep(1, 1), self.c3_reduce),
                conv("branch2.1", keep(3, 3), self.c3),
            ],
            vec![
                conv("branch3.0", keep(1, 1), self.c5_reduce),
                conv("branch3.1", keep(third_kernel, third_kernel), self.c5),
            ],
            vec![
                max_pool("branch4.0", POOL),
                conv("branch4.1", keep(1, 1), self.pool),
            ],
        ]
    }

    /// The module that the paper begins with, and rejects for its cost: without reductions,
    /// and with a pool that passes all its channels on.
    ///
    /// # Sources
    /// Szegedy et al. 2014, figure 2a.
    pub fn naive_branches(&self) -> Vec<Branch> {
        vec![
            vec![conv("branch1", keep(1, 1), self.c1)],
            vec![conv("branch2", keep(3, 3), self.c3)],
            vec![conv("branch3", keep(5, 5), self.c5)],
            vec![max_pool("branch4", POOL)],
        ]
    }
}
