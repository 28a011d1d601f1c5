//! The development kit: what numbers and identifiers mean.

use super::{Miniature, Synset};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::{self, Write};
use std::path::Path;

/// The kit's folder inside its archive.
const FOLDER: &str = "ILSVRC2012_devkit_t12";

/// Types of elements in a MAT file.
const INT8: u32 = 1;
const INT32: u32 = 5;
const UINT16: u32 = 4;
const UINT32: u32 = 6;
const DOUBLE: u32 = 9;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
/// Classes of arrays in a MAT file.
const STRUCT_CLASS: u32 = 2;
const CHAR_CLASS: u32 = 4;
const DOUBLE_CLASS: u32 = 6;

impl Miniature {
    /// The validation labels as the kit gives them: a number from 1 a line.
    pub fn ground_truth(&self) -> String {
        let synsets = self.synsets();
        let lines = self.val_pictures().into_iter();
        lines
            .map(|p| format!("{}\n", synsets[p.label].ilsvrc_id))
            .collect()
    }

    /// `synset_words.txt`: an identifier and its words a line, sorted by identifier.
    pub fn synset_words(&self) -> String {
        let lines = self.synsets().into_iter();
        lines.map(|s| format!("{} {}\n", s.wnid, s.words)).collect()
    }

    /// `meta.mat`: a MATLAB 5 file with a compressed array of structs `synsets`, the
    /// categories by number and behind them one inner node of WordNet, which is no category.
    pub fn meta_mat(&self) -> Vec<u8> {
        let mut synsets = self.synsets();
        synsets.sort_by_key(|s| s.ilsvrc_id);
        let animal = Synset {
            wnid: "n00015388",
            words: "animal, animate being, beast, brute, creature, fauna",
            ilsvrc_id: self.classes + 1,
        };
        synsets.push(animal);
        let array = synsets_array(&synsets, self.train);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&array)
            .expect("a vector takes what is written");
        let packed = zlib.finish().expect("a vector takes what is written");
        let mut file = format!("{:<116}", "MATLAB 5.0 MAT-file, Platform: GLNXA64").into_bytes();
        file.extend([0; 8]);
        file.extend(0x0100_u16.to_le_bytes());
        file.extend(b"IM");
        file.extend(COMPRESSED.to_le_bytes());
        file.extend((packed.len() as u32).to_le_bytes());
        file.extend(packed);
        file
    }

    /// The kit's files: paths inside its archive, and contents.
    pub(super) fn devkit_files(&self) -> Vec<(String, Vec<u8>)> {
        let truth = "ILSVRC2012_validation_ground_truth.txt";
        vec![
            (
                format!("{FOLDER}/readme.txt"),
                b"Development kit (miniature)\n".to_vec(),
            ),
            (format!("{FOLDER}/data/meta.mat"), self.meta_mat()),
            (
                format!("{FOLDER}/data/{truth}"),
                self.ground_truth().into_bytes(),
            ),
        ]
    }

    /// Writes `ILSVRC2012_devkit_t12.tar.gz` into `dir`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_devkit(&self, dir: &Path) -> io::Result<()> {
        let path = dir.join(format!("{FOLDER}.tar.gz"));
        let gzip = GzEncoder::new(std::fs::File::create(path)?, Compression::default());
        let mut tar = tar::Builder::new(gzip);
        for (name, bytes) in self.devkit_files() {
            super::layouts::append(&mut tar, &name, &bytes)?;
        }
        tar.into_inner()?.finish()?.sync_all()
    }

    /// Writes the kit unpacked into `dir`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_unpacked_devkit(&self, dir: &Path) -> io::Result<()> {
        for (name, bytes) in self.devkit_files() {
            super::layouts::write(&dir.join(name), &bytes)?;
        }
        Ok(())
    }
}

fn synsets_array(synsets: &[Synset], train: usize) -> Vec<u8> {
    const FIELDS: [&str; 8] = [
        "ILSVRC2012_ID",
        "WNID",
        "words",
        "gloss",
        "num_children",
        "children",
        "wordnet_height",
        "num_train_images",
    ];
    const NAME: usize = 32;
    let last = synsets.len();
    let mut body = header(STRUCT_CLASS, [last as i32, 1], "synsets");
    element(&mut body, INT32, &(NAME as u32).to_le_bytes());
    let mut names = Vec::new();
    for field in FIELDS {
        let mut name = field.as_bytes().to_vec();
        name.resize(NAME, 0);
        names.extend(name);
    }
    element(&mut body, INT8, &names);
    for (i, synset) in synsets.iter().enumerate() {
        let inner = i + 1 == last;
        body.extend(number(synset.ilsvrc_id as u16));
        body.extend(text(synset.wnid));
        body.extend(text(synset.words));
        body.extend(text("a miniature"));
        let children: Vec<u16> = (1..last as u16).filter(|_| inner).collect();
        body.extend(number(children.len() as u16));
        body.extend(numbers(&children));
        body.extend(number(u16::from(inner)));
        body.extend(number(if inner { 0 } else { train as u16 }));
    }
    matrix(&body)
}

/// The parts before an array's content: class, extents and name.
fn header(class: u32, extents: [i32; 2], name: &str) -> Vec<u8> {
    let mut body = Vec::new();
    element(&mut body, UINT32, &[class.to_le_bytes(), [0; 4]].concat());
    element(&mut body, INT32, &extents.map(i32::to_le_bytes).concat());
    element(&mut body, INT8, name.as_bytes());
    body
}

fn number(value: u16) -> Vec<u8> {
    numbers(&[value])
}

/// An array of doubles: whole numbers are kept in two bytes, as MATLAB does, and none as
/// doubles.
fn numbers(values: &[u16]) -> Vec<u8> {
    let extents = [i32::from(!values.is_empty()), values.len() as i32];
    let mut body = header(DOUBLE_CLASS, extents, "");
    let kind = if values.is_empty() { DOUBLE } else { UINT16 };
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    element(&mut body, kind, &bytes);
    matrix(&body)
}

fn text(value: &str) -> Vec<u8> {
    let mut body = header(CHAR_CLASS, [1, value.len() as i32], "");
    let units: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    element(&mut body, UINT16, &units);
    matrix(&body)
}

fn matrix(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    element(&mut bytes, MATRIX, body);
    bytes
}

/// Appends a tagged element: up to four bytes go into the tag, others are padded to eight.
fn element(out: &mut Vec<u8>, kind: u32, data: &[u8]) {
    if (1..=4).contains(&data.len()) && kind != MATRIX {
        out.extend((kind | (data.len() as u32) << 16).to_le_bytes());
        out.extend(data);
        out.resize(out.len() + 4 - data.len(), 0);
        return;
    }
    out.extend(kind.to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out.resize(out.len().next_multiple_of(8), 0);
}
