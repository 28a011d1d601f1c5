//! Resampling.

use super::Window;
use crate::Image;
use fast_image_resize::images::TypedImage;
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// How a picture is resampled. When it shrinks, the filter widens with it, so nothing
/// aliases, except with `Nearest`. These are Pillow's filters, which `torchvision` uses; columns
/// are filtered before rows and bytes are rounded in between, so values differ from Pillow's by
/// rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// A triangle, 2 pixels wide.
    #[default]
    Bilinear,
    /// Keys' cubic with a = −½ (Catmull–Rom), 4 pixels wide.
    Bicubic,
    /// A windowed sinc, 6 pixels wide.
    Lanczos,
    /// The mean of the covered pixels.
    Area,
    /// The pixel that lies under the middle; it aliases.
    Nearest,
}

impl Interpolation {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Bilinear,
        Self::Bicubic,
        Self::Lanczos,
        Self::Area,
        Self::Nearest,
    ];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
            Self::Area => "area",
            Self::Nearest => "nearest",
        }
    }

    /// The interpolation called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.name() == name)
    }

    fn algorithm(self) -> ResizeAlg {
        ResizeAlg::Convolution(match self {
            Self::Bilinear => FilterType::Bilinear,
            Self::Bicubic => FilterType::CatmullRom,
            Self::Lanczos => FilterType::Lanczos3,
            Self::Area => FilterType::Box,
            Self::Nearest => return ResizeAlg::Nearest,
        })
    }
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// The size of `image`.
    pub fn of(image: &Image) -> Self {
        Self {
            width: image.width,
            height: image.height,
        }
    }

    /// The size whose shorter side is `side` at the same proportions; the longer side is
    /// rounded down, as `torchvision` does.
    pub fn with_shorter(self, side: usize) -> Self {
        let longer = |long: usize, short: usize| (side * long / short).max(1);
        if self.width <= self.height {
            Self {
                width: side,
                height: longer(self.height, self.width),
            }
        } else {
            Self {
                width: longer(self.width, self.height),
                height: side,
            }
        }
    }
}

/// `image`, resampled to `size`.
///
/// # Panics
/// When a side of the image or of `size` is 0, or above `u32`.
pub fn resize(image: &Image, size: Size, interpolation: Interpolation) -> Image {
    resize_window(image, size, Window::whole(size), interpolation)
}

/// What `window` shows of `image` resampled to `size`, without resampling the rest: a
/// picture of 1×10 000 pixels costs no more than the window.
///
/// # Panics
/// When the window is not inside `size`, or a side of anything is 0 or above `u32`.
pub fn resize_window(
    image: &Image,
    size: Size,
    window: Window,
    interpolation: Interpolation,
) -> Image {
    assert!(window.is_inside(size), "{window:?} is not inside {size:?}");
    // The window's borders in the original; filters see beyond them, as in a full resize.
    let source = |start: isize, len: usize, from: usize, to: usize| {
        let scale = |x: f64| x * from as f64 / to as f64;
        let first = scale(start as f64);
        let length = scale(len as f64).min(from as f64 - first);
        Span { first, length }
    };
    let x = source(window.left, window.width, image.width, size.width);
    let y = source(window.top, window.height, image.height, size.height);
    let method = ResizeOptions::new().resize_alg(interpolation.algorithm());
    // One axis at a time: in one call, fast_image_resize 6.1 takes the columns that the
    // outermost pixels need for those that all need. With a fractional window that is wrong
    // where an outermost weight is exactly 0, and its arithmetic overflows.
    let rows = method.crop(0.0, y.first, image.width as f64, y.length);
    let middle = Size {
        width: image.width,
        height: window.height,
    };
    let tall = run(image.clone(), middle, &rows);
    let columns = method.crop(x.first, 0.0, x.length, window.height as f64);
    let size = Size {
        width: window.width,
        height: window.height,
    };
    run(tall, size, &columns)
}

struct Span {
    first: f64,
    length: f64,
}

/// `window` of `image`, cut out and then resampled to `size`: pixels beyond the window do
/// not show.
///
/// # Panics
/// When the window is not inside the image, or a side of anything is 0 or above `u32`.
pub fn crop_and_resize(
    image: &Image,
    window: Window,
    size: Size,
    interpolation: Interpolation,
) -> Image {
    let bounds = Size::of(image);
    assert!(
        window.is_inside(bounds),
        "{window:?} is not inside {bounds:?}"
    );
    let options = ResizeOptions::new().resize_alg(interpolation.algorithm());
    run(cut_out(image, window), size, &options)
}

/// What `window` shows, as a picture of its own.
fn cut_out(image: &Image, window: Window) -> Image {
    let start = window.left as usize * image.channels;
    let len = window.width * image.channels;
    let rows = image.pixels.chunks_exact(image.width * image.channels);
    let mut pixels = Vec::with_capacity(window.height * len);
    for row in rows.skip(window.top as usize).take(window.height) {
        pixels.extend_from_slice(&row[start..][..len]);
    }
    Image {
        width: window.width,
        height: window.height,
        channels: image.channels,
        pixels,
    }
}

fn run(image: Image, size: Size, options: &ResizeOptions) -> Image {
    // `Resizer::resize` finds the type of pixel itself, for which all thirteen are compiled.
    let resample = match image.channels {
        1 => resample::<U8>,
        3 => resample::<U8x3>,
        other => panic!("an image has 1 or 3 channels, found {other}"),
    };
    Image {
        width: size.width,
        height: size.height,
        channels: image.channels,
        pixels: resample(image, size, options),
    }
}

/// Source and target are of the type that the resizer's own pictures have. For any other
/// type of view half a megabyte of loops would be compiled once more, which costs more
/// seconds than a copy of the source takes microseconds.
fn resample<P: PixelTrait>(image: Image, size: Size, options: &ResizeOptions) -> Vec<u8> {
    let side = |n: usize| match u32::try_from(n) {
        Ok(n) if n > 0 => n,
        _ => panic!("a side of {n} pixels"),
    };
    let (mut from, mut to) = (
        image.pixels,
        vec![0; size.width * size.height * image.channels],
    );
    let source = TypedImage::<P>::from_buffer(side(image.width), side(image.height), &mut from);
    let target = TypedImage::<P>::from_buffer(side(size.width), side(size.height), &mut to);
    let (Ok(source), Ok(mut target)) = (source, target) else {
        panic!("an image has width·height·channels bytes");
    };
    Resizer::new()
        .resize_typed(&source, &mut target, options)
        .expect("what is cut out lies inside");
    to
}
