//! What labels mean: the development kit, and the lists that people use instead of it.

use super::mat::{Struct, Value, read_structs};
use crate::archive::{Found, Walk};
use crate::decode::read_regular_file;
use crate::{ArchiveLimits, DataError, escape_path};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes of a list, of `meta.mat`, and of the unpacked kit.
const MAX_LIST: u64 = 16 << 20;

const KIT: &str = "ILSVRC2012_devkit_t12";
const GROUND_TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";
/// Lists of identifiers and words, sorted by identifier.
const WORDS: [&str; 2] = ["synset_words.txt", "LOC_synset_mapping.txt"];
/// An identifier a line, by the number of the validation picture.
const SYNSET_LABELS: &str = "imagenet_2012_validation_synset_labels.txt";
/// Kaggle's labels: `ILSVRC2012_val_00048981,n03995372 85 1 499 272`.
const SOLUTION: &str = "LOC_val_solution.csv";
/// Caffe's labels: `ILSVRC2012_val_00000001.JPEG 65`, where 65 counts sorted identifiers.
const CAFFE: &str = "val.txt";

/// A category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Synset {
    /// WordNet's identifier.
    pub(super) wnid: String,
    /// What it is in words.
    pub(super) words: String,
    /// The kit's number, from 1, where the kit is there.
    pub(super) id: Option<usize>,
}

/// The categories of a set, sorted by identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Synsets(pub(super) Vec<Synset>);

/// Which category each validation picture has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    /// The file that says so.
    pub(super) path: PathBuf,
    pub(super) labels: Labels,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    /// Identifiers in the order of the pictures' numbers.
    Numbered(Vec<String>),
    /// Identifiers by the picture's name without its extension.
    Named(BTreeMap<String, String>),
}

/// The folders where lists and kit are looked for.
pub(super) struct Kit<'a> {
    roots: &'a [PathBuf],
}

impl<'a> Kit<'a> {
    pub(super) fn new(roots: &'a [PathBuf]) -> Self {
        Self { roots }
    }

    /// The first of `names` that is a file in one of the roots.
    fn find(&self, names: &[&str]) -> Option<PathBuf> {
        let paths = self
            .roots
            .iter()
            .flat_map(|r| names.iter().map(|n| r.join(n)));
        paths.into_iter().find(|p| p.is_file())
    }

    /// A file of the kit: loose, in the kit's folder, or in its archive.
    fn kit_file(&self, name: &str) -> Result<Option<KitFile>, DataError> {
        let loose = [
            name.to_owned(),
            format!("data/{name}"),
            format!("{KIT}/data/{name}"),
            format!("devkit/data/{name}"),
        ];
        let loose: Vec<&str> = loose.iter().map(String::as_str).collect();
        if let Some(path) = self.find(&loose) {
            let bytes = read_regular_file(&path, MAX_LIST)?;
            return Ok(Some(KitFile { path, bytes }));
        }
        match self.find(&[&format!("{KIT}.tar.gz")]) {
            Some(path) => {
                let bytes = read_from_kit(&path, &format!("{KIT}/data/{name}"))?;
                Ok(Some(KitFile { path, bytes }))
            }
            None => Ok(None),
        }
    }

    /// The categories, from the kit or from a list; `None` where there is neither.
    pub(super) fn synsets(&self) -> Result<Option<Synsets>, DataError> {
        if let Some(file) = self.kit_file("meta.mat")? {
            return file.meta().map(Some);
        }
        let Some(path) = self.find(&WORDS) else {
            return Ok(None);
        };
        read_words(&path).map(Some)
    }

    /// The validation labels; `synsets` tell what the kit's and Caffe's numbers mean.
    pub(super) fn truth(&self, synsets: Option<&Synsets>) -> Result<Truth, DataError> {
        if let Some(path) = self.find(&[SOLUTION]) {
            return read_named(&path, b',', |name, rest| {
                let header = name == "ImageId";
                (!header).then(|| {
                    rest.split_whitespace()
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                })
            });
        }
        if let Some(path) = self.find(&[SYNSET_LABELS]) {
            let lines = lines(&path)?.into_iter().map(|line| line.trim().to_owned());
            let labels = Labels::Numbered(lines.collect());
            return Ok(Truth { path, labels });
        }
        if let Some(file) = self.kit_file(GROUND_TRUTH)? {
            return file.ground_truth(synsets);
        }
        if let Some(path) = self.find(&[CAFFE]) {
            let synsets = need_synsets(&path, synsets)?;
            return read_named(&path, b' ', |_, rest| {
                let index: Option<usize> = rest.trim().parse().ok();
                let synset = index.and_then(|i| synsets.0.get(i));
                Some(synset.map_or_else(|| rest.to_owned(), |s| s.wnid.clone()))
            });
        }
        let roots: Vec<String> = self.roots.iter().map(|r| escape_path(r)).collect();
        Err(DataError::Usage(format!(
            "{}: nothing says what the validation pictures show; put {KIT}.tar.gz (or \
             {GROUND_TRUTH} and meta.mat), {SOLUTION}, {SYNSET_LABELS} or {CAFFE} there",
            roots.join(", ")
        )))
    }
}

fn need_synsets<'a>(path: &Path, synsets: Option<&'a Synsets>) -> Result<&'a Synsets, DataError> {
    synsets.ok_or_else(|| {
        DataError::malformed(
            path,
            format!(
                "its numbers need a list of categories: meta.mat, {} or {}",
                WORDS[0], WORDS[1]
            ),
        )
    })
}

/// A file of the kit, and where it was found.
struct KitFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl KitFile {
    /// The categories in `meta.mat`; inner nodes of WordNet, which have children, are none.
    fn meta(&self) -> Result<Synsets, DataError> {
        let malformed = |m: String| DataError::malformed(&self.path, format!("meta.mat: {m}"));
        let structs = read_structs(&self.bytes, "synsets").map_err(malformed)?;
        let leaves = structs
            .iter()
            .filter(|s| number(s, "num_children") == Some(0));
        let synsets = leaves.map(|fields| {
            Some(Synset {
                wnid: text(fields, "WNID")?,
                words: text(fields, "words")?,
                id: Some(number(fields, "ILSVRC2012_ID")?),
            })
        });
        let synsets: Option<Vec<Synset>> = synsets.collect();
        let synsets = synsets.filter(|s| !s.is_empty()).ok_or_else(|| {
            malformed("a struct lacks ILSVRC2012_ID, WNID, words or num_children".to_owned())
        })?;
        sorted(&self.path, synsets)
    }

    /// The kit's list: a number from 1 a line.
    fn ground_truth(&self, synsets: Option<&Synsets>) -> Result<Truth, DataError> {
        let synsets = need_synsets(&self.path, synsets)?;
        let by_id: BTreeMap<usize, &str> = synsets
            .0
            .iter()
            .filter_map(|s| Some((s.id?, s.wnid.as_str())))
            .collect();
        if by_id.is_empty() {
            let message = "its numbers are the development kit's: meta.mat is needed as well";
            return Err(DataError::malformed(&self.path, message));
        }
        let text = String::from_utf8_lossy(&self.bytes);
        let labels = text.lines().enumerate().map(|(i, line)| {
            let wnid = line.trim().parse().ok().and_then(|id| by_id.get(&id));
            wnid.map(|&wnid| wnid.to_owned()).ok_or_else(|| {
                let found = line.trim().escape_debug();
                let message = format!(
                    "{GROUND_TRUTH} line {}: expected a number of 1 to {}, found {found}",
                    i + 1,
                    by_id.len()
                );
                DataError::malformed(&self.path, message)
            })
        });
        Ok(Truth {
            path: self.path.clone(),
            labels: Labels::Numbered(labels.collect::<Result<_, _>>()?),
        })
    }
}

/// A file of the kit's archive, which is small and compressed: unpacked in memory.
fn read_from_kit(path: &Path, name: &str) -> Result<Vec<u8>, DataError> {
    let packed = read_regular_file(path, MAX_LIST)?;
    let mut bytes = Vec::new();
    let mut gzip = flate2::read::GzDecoder::new(&packed[..]).take(MAX_LIST + 1);
    gzip.read_to_end(&mut bytes)
        .map_err(|e| DataError::malformed(path, format!("damaged gzip data: {e}")))?;
    if bytes.len() as u64 > MAX_LIST {
        let message = format!("more than the {MAX_LIST} bytes allowed when unpacked");
        return Err(DataError::limit(path, message));
    }
    let limits = ArchiveLimits::default();
    let mut walk = Walk::in_memory(&bytes, path, &limits);
    loop {
        match walk.next()? {
            Found::File(entry) if entry.name == name.as_bytes() => {
                return walk.content(&entry).map(<[u8]>::to_vec);
            }
            Found::File(_) | Found::Special(_) => {}
            Found::End | Found::EndWithoutMark => {
                return Err(DataError::malformed(path, format!("there is no {name}")));
            }
        }
    }
}

fn text(fields: &Struct, name: &str) -> Option<String> {
    match fields.get(name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn number(fields: &Struct, name: &str) -> Option<usize> {
    match fields.get(name) {
        Some(Value::Numbers(values)) => match values[..] {
            [value] if value >= 0.0 && value.fract() == 0.0 => Some(value as usize),
            _ => None,
        },
        _ => None,
    }
}

/// `n01440764 tench, Tinca tinca` a line.
pub(super) fn read_words(path: &Path) -> Result<Synsets, DataError> {
    let synsets = lines(path)?.into_iter().map(|line| {
        let (wnid, words) = line.split_once([' ', '\t']).unwrap_or((&line, ""));
        Synset {
            wnid: wnid.to_owned(),
            words: words.trim().to_owned(),
            id: None,
        }
    });
    sorted(path, synsets.collect())
}

/// Sorts `synsets` by identifier; none may occur twice.
fn sorted(path: &Path, mut synsets: Vec<Synset>) -> Result<Synsets, DataError> {
    synsets.sort_by(|a, b| a.wnid.cmp(&b.wnid));
    match synsets.windows(2).find(|w| w[0].wnid == w[1].wnid) {
        None => Ok(Synsets(synsets)),
        Some(twins) => {
            let wnid = twins[0].wnid.escape_debug();
            let message = format!("category {wnid} is listed twice");
            Err(DataError::malformed(path, message))
        }
    }
}

/// The lines of a text file that are not empty.
pub(super) fn lines(path: &Path) -> Result<Vec<String>, DataError> {
    let bytes = read_regular_file(path, MAX_LIST)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        DataError::malformed(path, format!("no UTF-8 text, at byte {at}"))
    })?;
    let text = text.trim_start_matches('\u{FEFF}');
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Ok(lines.map(str::to_owned).collect())
}

/// Labels by name: `label` turns a line's name and rest into an identifier, or passes over
/// the line.
fn read_named(
    path: &Path,
    separator: u8,
    label: impl Fn(&str, &str) -> Option<String>,
) -> Result<Truth, DataError> {
    let mut named = BTreeMap::new();
    for (i, line) in lines(path)?.iter().enumerate() {
        let Some((name, rest)) = line.split_once(char::from(separator)) else {
            let message = format!("line {}: expected a name and a label", i + 1);
            return Err(DataError::malformed(path, message));
        };
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let Some(label) = label(name, rest) else {
            continue;
        };
        if named.insert(stem.to_owned(), label).is_some() {
            let name = name.escape_debug();
            let message = format!("line {}: {name} is listed twice", i + 1);
            return Err(DataError::malformed(path, message));
        }
    }
    Ok(Truth {
        path: path.to_owned(),
        labels: Labels::Named(named),
    })
}

impl Synsets {
    /// Categories of which only the identifiers are known.
    pub(super) fn of(wnids: &[String]) -> Self {
        let synset = |wnid: &String| Synset {
            wnid: wnid.clone(),
            words: String::new(),
            id: None,
        };
        Self(wnids.iter().map(synset).collect())
    }

    /// The words for `wnids`; where one has none, its identifier.
    pub(super) fn titles(&self, wnids: &[String]) -> Vec<String> {
        let title = |wnid: &String| {
            let place = self.0.binary_search_by(|s| s.wnid.cmp(wnid)).ok();
            let words = place.map(|i| &self.0[i].words).filter(|w| !w.is_empty());
            words.unwrap_or(wnid).clone()
        };
        wnids.iter().map(title).collect()
    }
}

impl Truth {
    /// All identifiers that occur, sorted.
    pub(super) fn wnids(&self) -> Vec<String> {
        let mut wnids: Vec<String> = match &self.labels {
            Labels::Numbered(labels) => labels.clone(),
            Labels::Named(labels) => labels.values().cloned().collect(),
        };
        wnids.sort_unstable();
        wnids.dedup();
        wnids
    }
}
