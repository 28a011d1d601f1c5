//! Miniatures of ImageNet in exactly the layouts that its users have.
//!
//! ILSVRC2012 comes as a tar of tars for training, a flat tar for validation and a
//! development kit that says what the labels mean. A [`Miniature`] writes all of them, and
//! the layouts that people make of them, with a few small classes that a network can learn
//! and with the odd files that the real set has.

mod devkit;
mod layouts;
mod picture;

pub use picture::{Oddity, draw, encode};

use inception_tensor::Stream;

/// The categories of a miniature: WordNet identifiers and what they stand for, sorted by
/// identifier, as in ImageNet.
const SYNSETS: [(&str, &str); 20] = [
    ("n01440764", "tench, Tinca tinca"),
    ("n01443537", "goldfish, Carassius auratus"),
    ("n01484850", "great white shark, white shark"),
    ("n01491361", "tiger shark, Galeocerdo cuvieri"),
    ("n01494475", "hammerhead, hammerhead shark"),
    ("n01496331", "electric ray, crampfish, numbfish, torpedo"),
    ("n01498041", "stingray"),
    ("n01514668", "cock"),
    ("n01514859", "hen"),
    ("n01518878", "ostrich, Struthio camelus"),
    ("n01530575", "brambling, Fringilla montifringilla"),
    ("n01531178", "goldfinch, Carduelis carduelis"),
    ("n01532829", "house finch, linnet, Carpodacus mexicanus"),
    ("n01534433", "junco, snowbird"),
    (
        "n01537544",
        "indigo bunting, indigo finch, indigo bird, Passerina cyanea",
    ),
    ("n01558993", "robin, American robin, Turdus migratorius"),
    ("n01560419", "bulbul"),
    ("n01580077", "jay"),
    ("n01582220", "magpie"),
    ("n01592084", "chickadee"),
];

/// A small data set that looks like ImageNet to a program.
///
/// Everything is a function of the fields: the same miniature has the same bytes on every
/// machine, and every layout holds the same pictures with the same labels.
///
/// # Examples
/// ```
/// use inception_testkit::Miniature;
///
/// let dir = tempfile::tempdir()?;
/// Miniature { classes: 3, train: 2, val: 1, ..Miniature::default() }.write_archives(dir.path())?;
/// assert!(dir.path().join("ILSVRC2012_img_train.tar").is_file());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miniature {
    /// How many categories: 20, which is also the most.
    pub classes: usize,
    /// Training pictures of each category: 8.
    pub train: usize,
    /// Validation pictures of each category: 4.
    pub val: usize,
    /// The shorter side of a picture in pixels: 48. Proportions vary.
    pub side: usize,
    /// Peculiar files among the training pictures: the usable ones.
    pub oddities: Vec<Oddity>,
    /// Names the pictures.
    pub seed: u64,
}

impl Default for Miniature {
    fn default() -> Self {
        Self {
            classes: SYNSETS.len(),
            train: 8,
            val: 4,
            side: 48,
            oddities: Oddity::USABLE.to_vec(),
            seed: 0,
        }
    }
}

/// A category of a [`Miniature`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synset {
    /// WordNet's identifier: the name of class folders and archives.
    pub wnid: &'static str,
    /// What it is in words.
    pub words: &'static str,
    /// The development kit's number, from 1, which is not in the order of identifiers.
    pub ilsvrc_id: usize,
}

/// A picture's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `n01440764_10.JPEG` in the training set, `ILSVRC2012_val_00000001.JPEG` in the
    /// validation set.
    pub name: String,
    /// Index of its category among the sorted identifiers: the usual label.
    pub label: usize,
    /// What is peculiar about it.
    pub oddity: Option<Oddity>,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Miniature {
    /// The categories, sorted by identifier.
    ///
    /// # Panics
    /// When there are none, or more than 20.
    pub fn synsets(&self) -> Vec<Synset> {
        assert!(
            (1..=SYNSETS.len()).contains(&self.classes),
            "1 to {} categories, found {}",
            SYNSETS.len(),
            self.classes
        );
        let mut ids: Vec<usize> = (1..=self.classes).collect();
        Stream::new(&[self.seed, 1]).shuffle(&mut ids);
        let synset = |(&(wnid, words), ilsvrc_id)| Synset {
            wnid,
            words,
            ilsvrc_id,
        };
        SYNSETS.iter().zip(ids).map(synset).collect()
    }

    /// The training pictures of category `label`. Oddity `i` is the second picture of
    /// category `i`, counted round.
    pub fn train_pictures(&self, label: usize) -> Vec<Picture> {
        let wnid = SYNSETS[label].0;
        let mut pictures: Vec<Picture> = (0..self.train)
            .map(|i| {
                let place = (i + self.train - 1) % self.train * self.classes + label;
                let oddity = self.oddities.get(place).copied();
                let number = 10 * i + 3;
                self.picture(format!("{wnid}_{number}.JPEG"), label, [0, i], oddity)
            })
            .collect();
        pictures.sort_by(|a, b| a.name.cmp(&b.name));
        pictures
    }

    /// The validation pictures in the order of their numbers, which mixes categories.
    pub fn val_pictures(&self) -> Vec<Picture> {
        let mut places: Vec<(usize, usize)> = (0..self.classes)
            .flat_map(|label| (0..self.val).map(move |i| (label, i)))
            .collect();
        Stream::new(&[self.seed, 2]).shuffle(&mut places);
        let numbered = places.into_iter().enumerate();
        numbered
            .map(|(at, (label, i))| {
                let name = format!("ILSVRC2012_val_{:08}.JPEG", at + 1);
                self.picture(name, label, [1, i], None)
            })
            .collect()
    }

    fn picture(
        &self,
        name: String,
        label: usize,
        place: [usize; 2],
        oddity: Option<Oddity>,
    ) -> Picture {
        let key = [self.seed, 3, label as u64, place[0] as u64, place[1] as u64];
        let image = draw(label, self.side, &mut Stream::new(&key));
        Picture {
            name,
            label,
            oddity,
            bytes: encode(&image, oddity),
        }
    }
}
