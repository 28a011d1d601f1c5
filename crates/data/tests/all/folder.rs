//! Class folders, in good order and in every other.

use inception_data::{
    DataError, Dataset, EmptyClasses, ErrorKind, Folder, FolderOptions, FollowSymlinks, Notice,
    OpenedFolder, Split,
};
use std::path::{Path, PathBuf};

/// The bytes of a small PNG whose colour is `value`.
fn png(value: u8) -> Vec<u8> {
    let image = image::RgbImage::from_pixel(2, 2, image::Rgb([value; 3]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A data set of the given files, each a PNG whose colour is its place in the list.
struct Tree {
    _dir: tempfile::TempDir,
    root: PathBuf,
}

impl Tree {
    fn new(files: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("set");
        std::fs::create_dir(&root).unwrap();
        let tree = Self { _dir: dir, root };
        for (i, file) in files.iter().enumerate() {
            tree.write(file, &png(i as u8));
        }
        tree
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn folder(&self, name: &str) {
        std::fs::create_dir_all(self.path(name)).unwrap();
    }

    fn open_with(&self, options: &FolderOptions) -> Result<OpenedFolder, DataError> {
        Folder::open(&self.root, Split::Train, options)
    }

    fn open(&self) -> OpenedFolder {
        self.open_with(&FolderOptions::default()).unwrap()
    }

    fn failure(&self) -> DataError {
        failure(self.open_with(&FolderOptions::default()))
    }
}

fn failure(result: Result<OpenedFolder, DataError>) -> DataError {
    match result {
        Ok(_) => panic!("the folder was accepted"),
        Err(error) => error,
    }
}

/// Paths below the root, in order.
fn files(tree: &Tree, data: &Folder) -> Vec<String> {
    (0..data.len())
        .map(|i| {
            let path = data.path(i);
            let path = path.strip_prefix(&tree.root).unwrap();
            path.to_string_lossy().into_owned()
        })
        .collect()
}

#[test]
fn classes_and_items_are_in_the_order_of_their_bytes() {
    let tree = Tree::new(&[
        "train/b/2.png",
        "train/b/10.PNG",
        "train/B/x.jpeg",
        "train/a/sub/z.webp",
        "train/a/sub-1.jpg",
    ]);
    let data = tree.open().dataset;
    assert_eq!(data.classes(), ["B", "a", "b"]);
    assert_eq!(
        files(&tree, &data),
        [
            "train/B/x.jpeg",
            "train/a/sub-1.jpg",
            "train/a/sub/z.webp",
            "train/b/10.PNG",
            "train/b/2.png"
        ]
    );
    let labels: Vec<u32> = (0..5).map(|i| data.label(i)).collect();
    assert_eq!(labels, [0, 1, 1, 2, 2]);
    assert_eq!(data.get(3).unwrap().image.pixels[0], 1);
}

#[test]
fn order_does_not_depend_on_the_order_of_creation() {
    let names = [
        "train/a/1.png",
        "train/a/2.png",
        "train/b/3.png",
        "train/c/4.png",
    ];
    let reversed: Vec<&str> = names.iter().rev().copied().collect();
    let (one, two) = (Tree::new(&names), Tree::new(&reversed));
    let (first, second) = (one.open().dataset, two.open().dataset);
    assert_eq!(files(&one, &first), files(&two, &second));
    assert_eq!(first.fingerprint(), second.fingerprint());
    two.write("train/a/2.png", b"other size");
    assert_ne!(first.fingerprint(), two.open().dataset.fingerprint());
}

#[test]
fn a_missing_root_is_an_io_error_and_a_file_a_usage_error() {
    let tree = Tree::new(&["file"]);
    let options = FolderOptions::default();
    let open = |name| failure(Folder::open(&tree.path(name), Split::Train, &options));
    let error = open("nowhere");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("nowhere"));
    assert_eq!(open("file").kind(), ErrorKind::Usage);
}

#[test]
fn roots_without_class_folders_have_0_classes() {
    for files in [&[][..], &["a.png"], &["train/a.png"]] {
        let error = Tree::new(files).failure();
        assert!(error.to_string().contains("found 0 classes"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
    let error = Tree::new(&["cat/1.png", "dog/1.png"]).failure().to_string();
    assert!(error.contains("classes belong into train/"), "{error}");
    assert!(error.contains("(cat, dog)"), "{error}");
}

#[test]
fn a_split_that_is_not_there_is_a_usage_error_and_test_falls_back_to_val() {
    let tree = Tree::new(&["val/a/1.png"]);
    assert_eq!(tree.failure().kind(), ErrorKind::Usage);
    let options = FolderOptions::default();
    let opened = Folder::open(&tree.root, Split::Test, &options).unwrap();
    assert_eq!(opened.dataset.len(), 1);
    assert_eq!(opened.report.count(Notice::SplitReplaced), 1);
    tree.write("test/a/2.png", &png(0));
    tree.write("test/a/3.png", &png(0));
    let opened = Folder::open(&tree.root, Split::Test, &options).unwrap();
    assert_eq!(opened.dataset.len(), 2);
    assert!(opened.report.is_empty());
}

#[test]
fn empty_classes_are_listed_or_kept() {
    let tree = Tree::new(&["train/b/1.png"]);
    tree.folder("train/a");
    tree.folder("train/c");
    let error = tree.failure();
    let expected = "2 of 3 class folders have no image: a, c";
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let opened = tree
        .open_with(&FolderOptions {
            empty_classes: EmptyClasses::Keep,
            ..FolderOptions::default()
        })
        .unwrap();
    assert_eq!(opened.dataset.classes(), ["a", "b", "c"]);
    assert_eq!(opened.dataset.label(0), 1);
    assert_eq!(opened.report.count(Notice::EmptyClass), 2);
}

#[test]
fn class_sets_that_differ_show_their_symmetric_difference() {
    let tree = Tree::new(&[
        "train/a/1.png",
        "train/b/1.png",
        "val/b/1.png",
        "val/c/1.png",
        "val/d/1.png",
    ]);
    let error = tree.failure();
    let expected = "only in train: a; only in val: c, d";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert_eq!(error.kind(), ErrorKind::Malformed);
}

#[test]
fn names_that_are_no_images_are_counted() {
    let tree = Tree::new(&[
        "train/a/1.png",
        "train/a/notes.txt",
        "train/a/jpg",
        "train/x",
    ]);
    let report = tree.open().report;
    assert_eq!(report.count(Notice::OtherFile), 3);
    assert_eq!(report.skipped(), 3);
}

#[test]
fn case_and_composition_twins_stay_different_classes_with_a_warning() {
    let tree = Tree::new(&[
        "train/Cat/1.png",
        "train/cat/1.png",
        "train/caf\u{e9}/1.png",
        "train/cafe\u{301}/1.png",
        "train/dog/1.png",
    ]);
    let opened = tree.open();
    assert_eq!(opened.dataset.classes().len(), 5);
    assert_eq!(opened.report.count(Notice::TwinClasses), 2);
    let text = opened.report.to_string();
    assert!(text.contains("Cat / cat"), "{text}");
    assert!(text.contains("cafe\\u{301} / caf\\u{e9}"), "{text}");
}

#[test]
fn odd_names_work_and_are_shown_escaped() {
    let long = format!("train/a/{}.png", "x".repeat(251));
    let tree = Tree::new(&[
        "train/a/-rf.png",
        "train/a/.hidden.png",
        "train/a/new\nline.png",
        "train/a/\u{1b}[31mred.png",
        "train/.dot/1.png",
        &long,
    ]);
    let opened = tree.open();
    let data = opened.dataset;
    assert_eq!(data.len(), 6);
    assert_eq!(opened.report.count(Notice::HiddenClass), 1);
    for i in 0..data.len() {
        data.get(i).unwrap();
        assert!(!data.origin(i).contains(char::is_control));
    }
}

#[test]
fn files_that_vanish_or_change_are_errors_of_their_item_alone() {
    let tree = Tree::new(&[
        "train/a/1.png",
        "train/a/2.png",
        "train/a/3.png",
        "train/a/4.png",
    ]);
    let data = tree.open().dataset;
    std::fs::remove_file(tree.path("train/a/2.png")).unwrap();
    std::fs::write(tree.path("train/a/3.png"), b"").unwrap();
    assert_eq!(data.get(0).unwrap().image.pixels[0], 0);
    assert_eq!(data.get(1).unwrap_err().kind(), ErrorKind::Io);
    let error = data.get(2).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("3.png: not a JPEG, PNG or WebP (the file is empty)")
    );
    assert_eq!(data.get(3).unwrap().image.pixels[0], 3);
}

#[test]
fn entries_and_depth_are_limited() {
    let tree = Tree::new(&["train/a/1.png", "train/a/b/c/2.png"]);
    let mut options = FolderOptions::default();
    options.limits.depth = 1;
    let error = failure(tree.open_with(&options));
    assert_eq!(error.kind(), ErrorKind::Limit);
    options = FolderOptions::default();
    options.limits.entries = 3;
    let error = failure(tree.open_with(&options));
    assert_eq!(error.kind(), ErrorKind::Limit);
    options.limits.entries = 4;
    assert_eq!(tree.open_with(&options).unwrap().dataset.len(), 2);
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    fn following(follow_symlinks: FollowSymlinks) -> FolderOptions {
        FolderOptions {
            follow_symlinks,
            ..FolderOptions::default()
        }
    }

    #[test]
    fn links_inside_the_root_are_followed_and_those_out_of_it_only_on_demand() {
        let tree = Tree::new(&["train/a/1.png", "extra/2.png"]);
        let outside = tree.root.parent().unwrap().join("3.png");
        std::fs::write(&outside, png(9)).unwrap();
        symlink("../../extra/2.png", tree.path("train/a/in.png")).unwrap();
        symlink(&outside, tree.path("train/a/out.png")).unwrap();
        let opened = tree.open();
        assert_eq!(
            files(&tree, &opened.dataset),
            ["train/a/1.png", "train/a/in.png"]
        );
        assert_eq!(opened.report.count(Notice::LinkFollowed), 1);
        assert_eq!(opened.report.count(Notice::LinkOutside), 1);
        assert!(opened.report.to_string().contains("train/a/out.png"));
        let opened = tree
            .open_with(&following(FollowSymlinks::Everywhere))
            .unwrap();
        assert_eq!(opened.dataset.len(), 3);
        assert_eq!(opened.dataset.get(2).unwrap().image.pixels[0], 9);
        let opened = tree.open_with(&following(FollowSymlinks::Never)).unwrap();
        assert_eq!(opened.dataset.len(), 1);
        assert_eq!(opened.report.count(Notice::LinkIgnored), 2);
    }

    #[test]
    fn folders_behind_links_are_read_once() {
        let tree = Tree::new(&["train/a/1.png", "train/b/2.png", "pool/3.png"]);
        symlink("../../pool", tree.path("train/a/pool")).unwrap();
        symlink("../../pool", tree.path("train/b/again")).unwrap();
        symlink("../b", tree.path("train/a/b")).unwrap();
        let opened = tree.open();
        assert_eq!(
            files(&tree, &opened.dataset),
            ["train/a/1.png", "train/a/pool/3.png", "train/b/2.png"]
        );
        assert_eq!(opened.report.count(Notice::LinkRepeated), 2);
    }

    #[test]
    fn loops_and_dangling_links_end_and_are_counted() {
        let tree = Tree::new(&["train/a/1.png", "val/a/1.png"]);
        symlink(".", tree.path("train/a/self")).unwrap();
        symlink("../..", tree.path("train/a/root")).unwrap();
        symlink("loop.png", tree.path("train/a/loop.png")).unwrap();
        symlink("nowhere.png", tree.path("train/a/gone.png")).unwrap();
        let opened = tree.open();
        assert_eq!(files(&tree, &opened.dataset), ["train/a/1.png"]);
        assert_eq!(opened.report.count(Notice::LinkRepeated), 2);
        assert_eq!(opened.report.count(Notice::LinkDangling), 2);
    }

    #[test]
    fn a_class_may_be_a_link_and_a_split_too() {
        let tree = Tree::new(&["train/a/1.png", "pool/2.png"]);
        symlink("../pool", tree.path("train/b")).unwrap();
        symlink("train", tree.path("val")).unwrap();
        let opened = tree.open();
        assert_eq!(opened.dataset.classes(), ["a", "b"]);
        assert_eq!(opened.dataset.len(), 2);
        let val = Folder::open(&tree.root, Split::Val, &FolderOptions::default()).unwrap();
        assert_eq!(val.dataset.len(), 2);
        let error = failure(Folder::open(
            &tree.root,
            Split::Val,
            &following(FollowSymlinks::Never),
        ));
        assert!(error.to_string().contains("--follow-symlinks"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Usage);
    }

    #[test]
    fn pipes_sockets_and_folders_named_like_images_are_never_opened() {
        let tree = Tree::new(&["train/a/1.png", "train/a/dir.jpg/2.png"]);
        let pipe = tree.path("train/a/pipe.jpg");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(tree.path("train/a/s.jpg")).unwrap();
        symlink("pipe.jpg", tree.path("train/a/link.jpg")).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let opened = tree.open();
            let pipe = inception_data::read_image(&pipe, &Default::default());
            sender.send((opened, pipe.map(|_| ()))).unwrap();
        });
        let two_seconds = std::time::Duration::from_secs(2);
        let (opened, pipe) = receiver.recv_timeout(two_seconds).expect("nothing waits");
        assert_eq!(opened.dataset.len(), 1);
        assert_eq!(opened.report.count(Notice::NotAFile), 4);
        assert!(
            pipe.unwrap_err()
                .to_string()
                .ends_with("not a regular file")
        );
    }

    #[test]
    fn names_that_are_no_utf8_work_and_stay_distinct() {
        let tree = Tree::new(&[]);
        for byte in [0xFE, 0xFF] {
            let class = Path::new("train").join(std::ffi::OsStr::from_bytes(&[b'c', byte]));
            tree.write(class.join("1.png"), &png(byte));
        }
        let data = tree.open().dataset;
        assert_eq!(data.classes(), ["c\\xfe", "c\\xff"]);
        assert_eq!(data.get(1).unwrap().image.pixels[0], 0xFF);
        assert!(data.origin(1).ends_with("train/c\\xff/1.png"));
    }
}
