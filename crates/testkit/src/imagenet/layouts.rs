//! Where the pictures lie.

use super::{Miniature, Picture};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

impl Miniature {
    /// The set as it is downloaded: `ILSVRC2012_img_train.tar` (a tar of a tar for each
    /// category), `ILSVRC2012_img_val.tar` and `ILSVRC2012_devkit_t12.tar.gz`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_archives(&self, dir: &Path) -> io::Result<()> {
        self.write_train_archive(dir)?;
        self.write_val_archive(dir)?;
        self.write_devkit(dir)
    }

    /// Writes `ILSVRC2012_img_train.tar` into `dir`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_train_archive(&self, dir: &Path) -> io::Result<()> {
        archive(&dir.join("ILSVRC2012_img_train.tar"), |tar| {
            for (label, synset) in self.synsets().iter().enumerate() {
                let inner = flat_tar(&self.train_pictures(label))?;
                append(tar, &format!("{}.tar", synset.wnid), &inner)?;
            }
            Ok(())
        })
    }

    /// Writes `ILSVRC2012_img_val.tar` into `dir`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_val_archive(&self, dir: &Path) -> io::Result<()> {
        let tar = flat_tar(&self.val_pictures())?;
        write(&dir.join("ILSVRC2012_img_val.tar"), &tar)
    }

    /// The training archive opened once: `train/n01440764.tar` and so on.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_class_archives(&self, dir: &Path) -> io::Result<()> {
        for (label, synset) in self.synsets().iter().enumerate() {
            let tar = flat_tar(&self.train_pictures(label))?;
            write(&dir.join(format!("train/{}.tar", synset.wnid)), &tar)?;
        }
        Ok(())
    }

    /// Class folders: `train/n01440764/n01440764_10.JPEG`,
    /// `val/n01440764/ILSVRC2012_val_00000293.JPEG` and `synset_words.txt`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_folders(&self, dir: &Path) -> io::Result<()> {
        let synsets = self.synsets();
        self.write_train_folders(dir)?;
        for picture in self.val_pictures() {
            let class = synsets[picture.label].wnid;
            write(
                &dir.join("val").join(class).join(picture.name),
                &picture.bytes,
            )?;
        }
        write(
            &dir.join("synset_words.txt"),
            self.synset_words().as_bytes(),
        )
    }

    /// The folders `train/n01440764/` and so on.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_train_folders(&self, dir: &Path) -> io::Result<()> {
        for (label, synset) in self.synsets().iter().enumerate() {
            for picture in self.train_pictures(label) {
                let path = dir.join("train").join(synset.wnid).join(picture.name);
                write(&path, &picture.bytes)?;
            }
        }
        Ok(())
    }

    /// The validation archive unpacked: `val/ILSVRC2012_val_00000001.JPEG` and so on.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_flat_val(&self, dir: &Path) -> io::Result<()> {
        for picture in self.val_pictures() {
            write(&dir.join("val").join(picture.name), &picture.bytes)?;
        }
        Ok(())
    }

    /// Kaggle's layout: `ILSVRC/Data/CLS-LOC/train/WNID/`, a flat
    /// `ILSVRC/Data/CLS-LOC/val/`, `LOC_synset_mapping.txt` and `LOC_val_solution.csv`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_kaggle(&self, dir: &Path) -> io::Result<()> {
        let data = dir.join("ILSVRC/Data/CLS-LOC");
        self.write_train_folders(&data)?;
        self.write_flat_val(&data)?;
        write(
            &dir.join("LOC_synset_mapping.txt"),
            self.synset_words().as_bytes(),
        )?;
        let synsets = self.synsets();
        let mut lines: Vec<String> = self
            .val_pictures()
            .iter()
            .map(|p| {
                let name = p.name.trim_end_matches(".JPEG");
                format!("{name},{} 1 2 30 40 \n", synsets[p.label].wnid)
            })
            .collect();
        // Kaggle's lines are in no order.
        lines.reverse();
        let csv = format!("ImageId,PredictionString\n{}", lines.concat());
        write(&dir.join("LOC_val_solution.csv"), csv.as_bytes())
    }

    /// WebDataset's shards `imagenet-train-000000.tar` and `imagenet-val-000000.tar` of up
    /// to `per_shard` pictures, each with its label as `.cls` and in `.json`, categories
    /// mixed; and `synset_words.txt`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_shards(&self, dir: &Path, per_shard: usize) -> io::Result<()> {
        let mut train: Vec<Picture> = (0..self.classes)
            .flat_map(|label| self.train_pictures(label))
            .collect();
        inception_tensor::Stream::new(&[self.seed, 4]).shuffle(&mut train);
        for (split, pictures) in [("train", train), ("val", self.val_pictures())] {
            for (i, shard) in pictures.chunks(per_shard.max(1)).enumerate() {
                let path = dir.join(format!("imagenet-{split}-{i:06}.tar"));
                archive(&path, |tar| append_samples(tar, shard))?;
            }
        }
        write(
            &dir.join("synset_words.txt"),
            self.synset_words().as_bytes(),
        )
    }
}

fn append_samples<W: Write>(tar: &mut tar::Builder<W>, pictures: &[Picture]) -> io::Result<()> {
    for picture in pictures {
        let key = picture.name.trim_end_matches(".JPEG");
        let label = picture.label;
        append(tar, &format!("{key}.jpg"), &picture.bytes)?;
        append(tar, &format!("{key}.cls"), label.to_string().as_bytes())?;
        let json = format!("{{\"label\": {label}, \"filename\": \"{}\"}}", picture.name);
        append(tar, &format!("{key}.json"), json.as_bytes())?;
    }
    Ok(())
}

/// A tar of `pictures`, in memory.
fn flat_tar(pictures: &[Picture]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for picture in pictures {
        append(&mut tar, &picture.name, &picture.bytes)?;
    }
    tar.into_inner()
}

fn archive(
    path: &Path,
    fill: impl FnOnce(&mut tar::Builder<File>) -> io::Result<()>,
) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut tar = tar::Builder::new(File::create(path)?);
    fill(&mut tar)?;
    tar.into_inner().map(drop)
}

/// Appends a regular file with the same header on every machine.
pub(super) fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    name: &str,
    bytes: &[u8],
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, bytes)
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, bytes)
}
