//! Contact sheets: many pictures of a dataset in one, a column a class.

use crate::{DataError, Dataset, Image};

/// Pixels a side of a picture on the sheet.
const CELL: usize = 96;
/// Pixels between pictures.
const GAP: usize = 4;
/// Pixels a side of a dot of the lettering.
const DOT: usize = 2;
/// Height of the line of class names.
const CAPTION: usize = 5 * DOT + 2 * GAP;
const PAPER: u8 = 255;
const INK: u8 = 32;

/// Five rows of three dots each, first row in the highest bits, for a to z.
#[rustfmt::skip]
const LETTERS: [u16; 26] = [
    0b010_101_111_101_101, // a
    0b110_101_110_101_110, // b
    0b011_100_100_100_011, // c
    0b110_101_101_101_110, // d
    0b111_100_110_100_111, // e
    0b111_100_110_100_100, // f
    0b011_100_101_101_011, // g
    0b101_101_111_101_101, // h
    0b111_010_010_010_111, // i
    0b001_001_001_101_010, // j
    0b101_101_110_101_101, // k
    0b100_100_100_100_111, // l
    0b101_111_111_101_101, // m
    0b110_101_101_101_101, // n
    0b010_101_101_101_010, // o
    0b110_101_110_100_100, // p
    0b010_101_101_010_001, // q
    0b110_101_110_101_101, // r
    0b011_100_010_001_110, // s
    0b111_010_010_010_010, // t
    0b101_101_101_101_111, // u
    0b101_101_101_101_010, // v
    0b101_101_111_111_101, // w
    0b101_101_010_101_101, // x
    0b101_101_010_010_010, // y
    0b111_001_010_100_111, // z
];

/// The same for 0 to 9.
#[rustfmt::skip]
const DIGITS: [u16; 10] = [
    0b111_101_101_101_111, // 0
    0b010_110_010_010_111, // 1
    0b110_001_010_100_111, // 2
    0b110_001_010_001_110, // 3
    0b101_101_111_001_001, // 4
    0b111_100_110_001_110, // 5
    0b011_100_111_101_111, // 6
    0b111_001_010_010_010, // 7
    0b111_101_111_101_111, // 8
    0b111_101_111_001_110, // 9
];

/// A picture of `rows` items of each of the first `columns` classes: a column a class under
/// its name, every picture scaled to 96 pixels on its longer side, without smoothing.
///
/// # Errors
/// What reading an item returns.
///
/// # Examples
/// ```
/// use inception_data::shapes::{Shapes, ShapesConfig, contact_sheet};
/// use inception_data::Split;
///
/// let train = Shapes::new(ShapesConfig::default(), Split::Train)?;
/// let sheet = contact_sheet(&train, 10, 2)?;
/// assert_eq!((sheet.width, sheet.height), (1004, 218));
/// # Ok::<(), inception_data::DataError>(())
/// ```
pub fn contact_sheet(
    dataset: &dyn Dataset,
    columns: usize,
    rows: usize,
) -> Result<Image, DataError> {
    let columns = columns.min(dataset.classes().len());
    let mut sheet = Sheet::new(columns, rows);
    for (column, name) in dataset.classes().iter().take(columns).enumerate() {
        sheet.write(name, GAP + column * (CELL + GAP));
    }
    let mut filled = vec![0; columns];
    for i in 0..dataset.len() {
        let column = dataset.label(i) as usize;
        if column < columns && filled[column] < rows {
            sheet.place(&dataset.get(i)?.image, column, filled[column]);
            filled[column] += 1;
            if filled.iter().all(|&n| n == rows) {
                break;
            }
        }
    }
    Ok(sheet.image)
}

struct Sheet {
    image: Image,
}

impl Sheet {
    fn new(columns: usize, rows: usize) -> Self {
        let width = GAP + columns * (CELL + GAP);
        let height = CAPTION + rows * (CELL + GAP);
        Self {
            image: Image {
                width,
                height,
                channels: 3,
                pixels: vec![PAPER; width * height * 3],
            },
        }
    }

    fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        let at = (y * self.image.width + x) * 3;
        self.image.pixels[at..at + 3].copy_from_slice(&colour);
    }

    /// Writes as much of `text` as a cell holds; other signs than letters and digits of
    /// ASCII stay blank.
    fn write(&mut self, text: &str, left: usize) {
        for (i, sign) in text.chars().take(CELL / (4 * DOT)).enumerate() {
            let glyph = match sign.to_ascii_lowercase() {
                c @ 'a'..='z' => LETTERS[c as usize - 'a' as usize],
                c @ '0'..='9' => DIGITS[c as usize - '0' as usize],
                _ => 0,
            };
            for bit in (0..15).filter(|bit| glyph >> (14 - bit) & 1 == 1) {
                let x = left + (4 * i + bit % 3) * DOT;
                let y = GAP + bit / 3 * DOT;
                for dot in 0..DOT * DOT {
                    self.set(x + dot % DOT, y + dot / DOT, [INK; 3]);
                }
            }
        }
    }

    fn place(&mut self, image: &Image, column: usize, row: usize) {
        let longer = image.width.max(image.height).max(1);
        let (left, top) = (GAP + column * (CELL + GAP), CAPTION + row * (CELL + GAP));
        for y in 0..image.height * CELL / longer {
            for x in 0..image.width * CELL / longer {
                let pixel = (y * longer / CELL) * image.width + x * longer / CELL;
                let channel = |c: usize| image.pixels[pixel * image.channels + c];
                let colour = match image.channels {
                    3 => [channel(0), channel(1), channel(2)],
                    _ => [channel(0); 3],
                };
                self.set(left + x, top + y, colour);
            }
        }
    }
}
