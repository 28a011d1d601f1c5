//! Several views of one picture, as test protocols have them.

use super::{
    Interpolation, Mirror, Normalise, Preprocess, ResizeSpec, Size, Transform, Window,
    crop_and_resize, resize, resize_window,
};
use crate::{DataError, Image};
use inception_tensor::{Shape, Stream};

/// The scales of the paper's test: shorter sides for an input of [`PAPER_INPUT`].
const PAPER_SCALES: [usize; 4] = [256, 288, 320, 352];
/// The input that [`PAPER_SCALES`] belong to.
const PAPER_INPUT: usize = 224;

/// Which views of a picture are looked at; their probabilities are averaged.
///
/// # Sources
/// Ten: Krizhevsky et al. 2012, section 4.1, and torchvision's `TenCrop`. 144: Szegedy et
/// al. 2014, section 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Crops {
    /// What evaluation sees.
    #[default]
    One,
    /// The same and its mirror image.
    Two,
    /// Four corners and the middle of the picture at one scale, each also mirrored.
    Ten,
    /// Four scales; of each the left, middle and right square (top, middle and bottom of an
    /// upright picture); of each square four corners, the middle and the whole, resized;
    /// each also mirrored: 4·3·6·2.
    Paper,
}

/// One view: a part of the picture at one of the plan's scales, resampled to the input where
/// it is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Which of [`CropPlan::scales`].
    pub scale: usize,
    /// The part.
    pub window: Window,
}

/// The views of pictures of one size, without their mirror images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CropPlan {
    /// The sizes that the picture is resampled to, each once.
    pub scales: Vec<Size>,
    /// The views, in the order of scales, squares and places.
    pub views: Vec<View>,
}

impl Crops {
    /// All protocols.
    pub const ALL: [Self; 4] = [Self::One, Self::Two, Self::Ten, Self::Paper];

    /// How many views, mirror images included.
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Ten => 10,
            Self::Paper => 144,
        }
    }

    /// The protocol of so many views.
    pub fn of_count(count: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|crops| crops.count() == count)
    }

    /// How each view is looked at: as it is, and mirrored unless there is one view.
    pub fn mirrors(self) -> &'static [Mirror] {
        match self {
            Self::One => &[Mirror::No],
            Self::Two | Self::Ten | Self::Paper => &[Mirror::No, Mirror::Horizontal],
        }
    }

    /// Views without their mirror images.
    pub fn unmirrored(self) -> usize {
        self.count() / self.mirrors().len()
    }

    /// Where the views of a picture of `size` lie.
    ///
    /// # Errors
    /// When the picture has not the input's size and no resize is set, or the paper's
    /// squares are asked for where the input is no square.
    ///
    /// # Examples
    /// ```
    /// use inception_data::{Crops, Preprocess, Size};
    ///
    /// let size = Size { width: 500, height: 375 };
    /// let plan = Crops::Paper.plan(&Preprocess::photograph(224, 224), size)?;
    /// assert_eq!((plan.scales[0].width, plan.scales[0].height), (341, 256));
    /// assert_eq!(plan.views.len() * 2, 144);
    /// # Ok::<(), inception_data::DataError>(())
    /// ```
    pub fn plan(self, preprocess: &Preprocess, size: Size) -> Result<CropPlan, DataError> {
        let input = preprocess.size();
        match self {
            Self::One | Self::Two => {
                let placement = preprocess.place(size)?;
                let (scale, window) = (0, placement.window);
                Ok(CropPlan {
                    scales: vec![placement.resized],
                    views: vec![View { scale, window }],
                })
            }
            Self::Ten => {
                let scale = size.with_shorter(shorter_side(preprocess));
                let places = corners_and_centre(Window::whole(scale), input);
                Ok(CropPlan {
                    scales: vec![scale],
                    views: views(0, places),
                })
            }
            Self::Paper if input.width != input.height => Err(DataError::Usage(format!(
                "144 crops are squares: the input must be one, found {}×{}",
                input.width, input.height
            ))),
            Self::Paper => Ok(paper(size, input)),
        }
    }
}

/// The shorter side that ten crops are cut from.
fn shorter_side(preprocess: &Preprocess) -> usize {
    match preprocess.resize {
        Some(ResizeSpec::Shorter(side)) => side,
        _ => {
            let side = preprocess.size().width.max(preprocess.size().height);
            scaled(PAPER_SCALES[0], side)
        }
    }
}

/// A shorter side of the paper for an input of `input` pixels.
fn scaled(side: usize, input: usize) -> usize {
    (side as f64 * input as f64 / PAPER_INPUT as f64).round() as usize
}

fn views(scale: usize, windows: [Window; 5]) -> Vec<View> {
    let view = |window| View { scale, window };
    windows.into_iter().map(view).collect()
}

fn paper(size: Size, input: Size) -> CropPlan {
    let scales = PAPER_SCALES.map(|side| size.with_shorter(scaled(side, input.width)));
    let mut all = Vec::with_capacity(Crops::Paper.unmirrored());
    for (i, &scale) in scales.iter().enumerate() {
        for square in squares(scale) {
            all.extend(views(i, corners_and_centre(square, input)));
            all.push(View {
                scale: i,
                window: square,
            });
        }
    }
    CropPlan {
        scales: scales.to_vec(),
        views: all,
    }
}

/// The first, the middle and the last square along the longer side.
fn squares(size: Size) -> [Window; 3] {
    let side = size.width.min(size.height);
    let square = Size {
        width: side,
        height: side,
    };
    let middle = Window::centre(size, square);
    let at = |left: usize, top: usize| Window {
        left: left as isize,
        top: top as isize,
        ..middle
    };
    [at(0, 0), middle, at(size.width - side, size.height - side)]
}

/// Upper left, upper right, lower left and lower right corner and the middle of `outer`.
fn corners_and_centre(outer: Window, inner: Size) -> [Window; 5] {
    let size = Size {
        width: outer.width,
        height: outer.height,
    };
    let right = outer.width as isize - inner.width as isize;
    let bottom = outer.height as isize - inner.height as isize;
    let centre = Window::centre(size, inner);
    let places = [
        (0, 0),
        (right, 0),
        (0, bottom),
        (right, bottom),
        (centre.left, centre.top),
    ];
    places.map(|(left, top)| Window {
        left: outer.left + left,
        top: outer.top + top,
        width: inner.width,
        height: inner.height,
    })
}

/// Evaluation's views of a picture, one after the other, without mirror images: the picture
/// is resampled once for each scale.
#[derive(Clone, Debug)]
pub struct CropTransform {
    preprocess: Preprocess,
    crops: Crops,
    normalise: Normalise,
}

impl CropTransform {
    /// The views that `crops` wants of pictures.
    ///
    /// # Errors
    /// When a number of `preprocess` is out of range or it does not fit the protocol.
    pub fn new(preprocess: Preprocess, crops: Crops) -> Result<Self, DataError> {
        preprocess.validate()?;
        // Whatever depends on the input alone is found out here.
        crops.plan(&preprocess, preprocess.size())?;
        Ok(Self {
            normalise: Normalise::new(&preprocess.mean, &preprocess.std),
            preprocess,
            crops,
        })
    }

    fn write_view(&self, image: &Image, view: View, out: &mut [f32]) {
        let input = self.preprocess.size();
        let window = view.window;
        if (window.width, window.height) == (input.width, input.height) {
            return self.normalise.write(image, window, Mirror::No, out);
        }
        let part = crop_and_resize(image, window, input, self.preprocess.interpolation);
        self.normalise
            .write(&part, Window::whole(input), Mirror::No, out);
    }
}

impl Transform for CropTransform {
    /// `[views, h, w, c]`.
    fn output(&self) -> Shape {
        let [c, h, w] = self.preprocess.input;
        Shape::new(self.crops.unmirrored(), h, w, c)
    }

    fn apply(&self, image: &Image, _: &mut Stream, out: &mut [f32]) -> Result<(), DataError> {
        let size = Size::of(image);
        let plan = self.crops.plan(&self.preprocess, size)?;
        let by = self.preprocess.interpolation;
        let view_len = self.output().len() / self.crops.unmirrored();
        let mut outs = out.chunks_exact_mut(view_len);
        for (i, &scale) in plan.scales.iter().enumerate() {
            let views: Vec<View> = plan
                .views
                .iter()
                .copied()
                .filter(|v| v.scale == i)
                .collect();
            let (resized, views) = scaled_picture(image, scale, views, by);
            let resized = resized.as_ref().unwrap_or(image);
            for (view, out) in views.into_iter().zip(&mut outs) {
                self.write_view(resized, view, out);
            }
        }
        Ok(())
    }
}

/// The picture at one scale and its views there; a single view is all that is resampled.
fn scaled_picture(
    image: &Image,
    scale: Size,
    views: Vec<View>,
    by: Interpolation,
) -> (Option<Image>, Vec<View>) {
    match views.as_slice() {
        _ if scale == Size::of(image) => (None, views),
        &[View { scale: i, window }] => {
            let part = resize_window(image, scale, window, by);
            let window = Window::whole(Size::of(&part));
            (Some(part), vec![View { scale: i, window }])
        }
        _ => (Some(resize(image, scale, by)), views),
    }
}

/// Writes `image`, channels-last rows of `width` pixels of `channels` numbers, into `out`
/// with left and right exchanged.
///
/// # Panics
/// When the lengths differ or are no whole rows.
pub fn mirror_into(image: &[f32], width: usize, channels: usize, out: &mut [f32]) {
    let row = width * channels;
    assert!(
        image.len() == out.len() && image.len().is_multiple_of(row),
        "rows of {width} pixels of {channels} numbers: {} and {}",
        image.len(),
        out.len()
    );
    for (from, to) in image.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
        let pixels = from.chunks_exact(channels).rev();
        for (from, to) in pixels.zip(to.chunks_exact_mut(channels)) {
            to.copy_from_slice(from);
        }
    }
}
