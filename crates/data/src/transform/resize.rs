//! Resampling.

use super::Window;
use crate::Image;
use fast_image_resize::images::{CroppedImage, Image as Buffer, ImageRef};
use fast_image_resize::{FilterType, IntoImageView, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// How a picture is resampled. When it shrinks, the filter widens with it, so nothing
/// aliases, except with `Nearest`. These are Pillow's filters, which `torchvision` uses; columns are filtered
/// before rows and bytes are rounded in between, so values differ from Pillow's by rounding.
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
    let tall = run(image, &view(image), image.width, window.height, &rows);
    let columns = method.crop(x.first, 0.0, x.length, window.height as f64);
    run(&tall, &view(&tall), window.width, window.height, &columns)
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
    let whole = view(image);
    let cropped = CroppedImage::new(
        &whole,
        window.left as u32,
        window.top as u32,
        window.width as u32,
        window.height as u32,
    );
    let options = ResizeOptions::new().resize_alg(interpolation.algorithm());
    let cropped = cropped.expect("the window is inside the image");
    run(image, &cropped, size.width, size.height, &options)
}

fn pixel_type(image: &Image) -> PixelType {
    match image.channels {
        1 => PixelType::U8,
        3 => PixelType::U8x3,
        other => panic!("an image has 1 or 3 channels, found {other}"),
    }
}

fn view(image: &Image) -> ImageRef<'_> {
    let side = |n: usize| u32::try_from(n).expect("a side fits u32");
    ImageRef::new(
        side(image.width),
        side(image.height),
        &image.pixels,
        pixel_type(image),
    )
    .expect("an image has width·height·channels bytes")
}

fn run(
    image: &Image,
    source: &impl IntoImageView,
    width: usize,
    height: usize,
    options: &ResizeOptions,
) -> Image {
    assert!(
        width > 0 && height > 0 && image.width > 0 && image.height > 0,
        "a picture to resample has pixels"
    );
    let mut target = Buffer::new(width as u32, height as u32, pixel_type(image));
    Resizer::new()
        .resize(source, &mut target, options)
        .expect("source and target have the same pixel type");
    Image {
        width,
        height,
        channels: image.channels,
        pixels: target.into_vec(),
    }
}
