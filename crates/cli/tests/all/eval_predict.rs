//! `inception eval` and `inception predict`.

use crate::common;
use crate::common::{Place, fields, jpeg, text};
use inception_deploy::{LoadOptions, Weights};
use serde_json::Value;
use std::fs;

#[test]
fn evaluation_has_the_promised_fields() {
    let place = Place::new();
    place.weights();
    let found = place.json("eval --weights w.safetensors --weights w.safetensors --data shapes");
    for field in [
        "top1",
        "top5",
        "loss",
        "images",
        "crops",
        "models",
        "per_class",
    ] {
        assert!(!found[field].is_null(), "{field}");
    }
    assert_eq!((&found["models"], &found["crops"]), (&2.into(), &1.into()));
    let classes = found["per_class"].as_array().unwrap();
    assert_eq!(classes.len(), 10);
    assert_eq!(
        fields(&classes[0]),
        ["class", "images", "index", "precision", "top1", "top5"]
    );
    let images: u64 = classes.iter().map(|c| c["images"].as_u64().unwrap()).sum();
    assert_eq!(images, 2000);
}

#[test]
fn shapes_are_drawn_at_the_size_of_the_weights() {
    let place = Place::new();
    let train = "train --data shapes --model inception-mini --input 3,24,24 --batch-size 8";
    place.run(&format!("{train} --steps 1 --out run"));
    let found = place.json("eval --weights run/best.safetensors --data shapes");
    assert_eq!(found["images"], 2000);
    place.run(
        "convert --weights run/best.safetensors --out run8.safetensors --precision int8 \
         --calibrate shapes --calibrate-images 8",
    );
}

#[test]
fn evaluation_of_class_folders_shows_a_table() {
    let place = Place::new();
    place.photos(4);
    place.run(&format!("{} --steps 1 --out run", common::TRAIN));
    let said = place.run("eval --weights run/best.safetensors --data photos --split val");
    assert!(said.starts_with("class  images"), "{said}");
    assert!(said.contains("images  4 (val)"), "{said}");
}

#[test]
fn evaluation_refuses_what_it_cannot_do() {
    let place = Place::new();
    place.weights();
    place.photos(2);
    let eval = "eval --weights w.safetensors";
    for (words, code, expected) in [
        (
            "--data shapes --crops 12",
            2,
            "invalid value '12' for '--crops <N>': expected 1, 2, 10 or 144",
        ),
        ("", 2, "give --data SPEC: shapes"),
        (
            "--data photos",
            2,
            "the weights know 10 classes, the data have 2",
        ),
        ("--data nowhere", 2, "nowhere: there is no such path"),
        (
            "--data shapes --batch-size 0",
            2,
            "a batch has at least 1 item, found 0",
        ),
        (
            "--data shapes --threads 0",
            2,
            "a pool has 1 to 1024 threads, found 0",
        ),
        (
            "--data shapes --split no",
            2,
            "invalid value 'no' for '--split <SPLIT>'",
        ),
        (
            "--data shapes --model alexnet",
            2,
            "w.safetensors holds weights of inception-small",
        ),
    ] {
        let message = place.fail(code, &format!("{eval} {words}"));
        assert!(message.starts_with(expected), "{words}: {message}");
    }
    let message = place.fail(5, "eval --weights none.safetensors --data shapes");
    assert!(message.starts_with("none.safetensors: "), "{message}");
}

#[test]
fn damaged_and_foreign_weights_are_told_apart() {
    let place = Place::new();
    let path = place.weights();
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    place.write("bad.safetensors", bad);
    place.write("short.safetensors", &good[..good.len() / 2]);
    place.write("image.jpg", jpeg(32, 32, 0));
    for file in ["bad.safetensors", "short.safetensors", "image.jpg"] {
        let message = place.fail(4, &format!("predict --weights {file} image.jpg"));
        assert!(message.starts_with(&format!("{file}: ")), "{message}");
    }
    place.write("foreign.safetensors", foreign(&path));
    let message = place.fail(2, "predict --weights foreign.safetensors image.jpg");
    assert!(message.contains("name it with --model"), "{message}");
    let foreign = "predict --weights foreign.safetensors --model inception-small --input 3,32,32";
    place.run(&format!("{foreign} image.jpg"));
    let message = place.fail(
        4,
        &format!("{foreign} image.jpg").replace("inception-small", "simple-inception"),
    );
    assert!(
        message.contains("not the weights of simple-inception: "),
        "{message}"
    );
}

/// The tensors of a file without what the file says about itself.
fn foreign(path: &std::path::Path) -> Vec<u8> {
    let limits = inception_store::Limits::default();
    let archive = inception_store::read_file(path, &limits).unwrap();
    let mut builder = inception_store::ArchiveBuilder::new();
    let names: Vec<String> = archive.names().map(str::to_owned).collect();
    for name in &names {
        let shape = archive.tensor(name).unwrap().shape.to_vec();
        builder
            .f32(name.as_str(), &shape, archive.to_f32(name).unwrap())
            .unwrap();
    }
    builder.build().unwrap()
}

#[test]
fn each_image_of_a_folder_gets_a_line() {
    let place = Place::new();
    place.weights();
    for i in 0..8 {
        place.write(&format!("images/{i}.jpg"), jpeg(20 + 13 * i, 50, 30 * i));
    }
    place.write("images/notes.txt", "no image");
    let said = place.run("predict --weights w.safetensors --json --logits --top 3 images");
    let lines: Vec<Value> = said
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 8);
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line["image"], format!("images/{i}.jpg"));
        assert_eq!(fields(line), ["image", "logits", "top"]);
        assert_eq!(fields(&line["top"][0]), ["class", "index", "prob"]);
        assert_eq!(line["logits"].as_array().unwrap().len(), 10);
        let probs: Vec<f64> = (0..3)
            .map(|k| line["top"][k]["prob"].as_f64().unwrap())
            .collect();
        assert!(probs.is_sorted_by(|a, b| a >= b));
    }
    // Alone or in a batch, on one thread or two: the same numbers.
    let alone =
        place.json("predict --weights w.safetensors --logits --top 3 --threads 1 images/5.jpg");
    assert_eq!(alone, lines[5]);
    let plain = place.run("predict --weights w.safetensors images/0.jpg");
    assert!(
        plain.starts_with("images/0.jpg  ") && plain.contains(" %, "),
        "{plain}"
    );
}

#[test]
fn names_of_classes_cannot_steer_a_terminal() {
    let place = Place::new();
    let mut weights = Weights::load(&place.weights(), &LoadOptions::default()).unwrap();
    let name = "\x1b]0;title\x07\nline";
    weights.meta.class_names = vec![name.into(); 10];
    weights.save(&place.path("w.safetensors")).unwrap();
    place.write("0.jpg", jpeg(40, 40, 100));
    let plain = place.run("predict --weights w.safetensors --top 1 0.jpg");
    assert_eq!(plain.lines().count(), 1, "{plain:?}");
    assert!(plain.contains(r"\u{1b}]0;title\u{7}\nline"), "{plain:?}");
    assert!(!plain.contains(['\x1b', '\x07']), "{plain:?}");
    // JSON has its own way to write such characters, and keeps the name.
    let object = place.json("predict --weights w.safetensors --top 1 0.jpg");
    assert_eq!(object["top"][0]["class"], name);
}

#[test]
fn images_that_cannot_be_read_are_named_and_the_others_answered() {
    let place = Place::new();
    place.weights();
    place.write("good.jpg", jpeg(40, 40, 99));
    place.write("page.jpg", "<!DOCTYPE html>");
    let words = "predict --weights w.safetensors --json page.jpg good.jpg none.jpg";
    let output = place.command(words).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(said.lines().count(), 1);
    assert!(said.contains("good.jpg"), "{said}");
    let errors = text(&output);
    assert!(
        errors.contains("error[D-101]: page.jpg: not a JPEG, PNG or WebP (first bytes 3c 21"),
        "{errors}"
    );
    assert!(errors.contains("error[S-102]: none.jpg: "), "{errors}");
    place.fail(5, "predict --weights w.safetensors none.jpg");
}

#[test]
fn an_image_is_taken_as_it_is_only_at_the_size_of_the_input() {
    let place = Place::new();
    place.weights();
    place.write("exact.jpg", jpeg(32, 32, 9));
    place.write("other.jpg", jpeg(33, 32, 9));
    let predict = "predict --weights w.safetensors --logits";
    let whole = place.json(&format!("{predict} exact.jpg"));
    assert_eq!(
        whole,
        place.json(&format!("{predict} --no-resize exact.jpg"))
    );
    let other = place.json(&format!(
        "{predict} --mean 0.1,0.1,0.1 --std 0.3,0.3,0.3 exact.jpg"
    ));
    assert_ne!(whole["logits"], other["logits"]);
    let message = place.fail(2, &format!("{predict} --no-resize other.jpg"));
    assert!(
        message.contains("33×32 pixels, 32×32 are needed"),
        "{message}"
    );
    let message = place.fail(2, &format!("{predict} --mean 0.1 exact.jpg"));
    assert!(
        message.contains("3 means and deviations, found 1 and 3"),
        "{message}"
    );
}

#[test]
fn ten_crops_write_a_line_for_each_image_and_the_matrix_of_confusion() {
    let place = Place::new();
    place.photos(4);
    place.run(&format!("{} --steps 1 --out run", common::TRAIN));
    let eval = "eval --weights run/best.safetensors --data photos --quiet";
    let found = place.json(&format!(
        "{eval} --crops 10 --answers answers.csv --confusion"
    ));
    assert_eq!(found["crops"], 10);
    let rows = found["confusion"].as_array().unwrap();
    let total: u64 = rows
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!((rows.len(), total), (2, 4));
    let calibration = &found["calibration"];
    assert!(
        calibration["ece"]
            .as_f64()
            .is_some_and(|e| (0.0..=1.0).contains(&e))
    );
    assert_eq!(calibration["bins"].as_array().unwrap().len(), 15);

    let lines = fs::read_to_string(place.path("answers.csv")).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "path,class,prediction,probability");
    assert_eq!(lines.len(), 5);
    assert!(
        lines[1].starts_with("photos/val/blue/00.jpg,blue,"),
        "{}",
        lines[1]
    );
    let said = place.run(&format!("{eval} --crops 10 --confusion"));
    assert!(said.contains("ECE "), "{said}");
}

#[test]
fn the_papers_table_has_a_row_for_each_number_of_models_and_crops() {
    let place = Place::new();
    place.photos(4);
    place.run(&format!("{} --steps 1 --out run", common::TRAIN));
    let eval = "eval --weights run/best.safetensors --weights run/best.safetensors --data photos";
    let rows = place.json(&format!("{eval} --table --quiet"));
    let rows = rows["table"].as_array().unwrap();
    let of = |field: &'static str| rows.iter().map(move |r| r[field].as_u64().unwrap());
    assert!(of("models").eq([1, 1, 1, 2, 2, 2]));
    assert!(of("cost").eq([1, 10, 144, 2, 20, 288]));
    // The same network twice is the same network.
    assert_eq!(rows[1]["top1_error"], rows[4]["top1_error"]);
    let said = place.run(&format!("{eval} --table"));
    assert!(
        said.starts_with("models  crops  cost  top-5 error  against base"),
        "{said}"
    );
    let message = place.fail(2, &format!("{eval} --table --crops 10"));
    assert!(message.contains("cannot be used with"), "{message}");
}

/// A PNG of `pixels`, `side` by `side`, whose EXIF data say `orientation`.
fn turned_png(pixels: Vec<u8>, side: usize, orientation: u8) -> Vec<u8> {
    let image = inception_data::Image {
        width: side,
        height: side,
        channels: 3,
        pixels,
    };
    let plain = inception_data::encode_png(&image).unwrap();
    let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
    let body = [&b"eXIf"[..], tiff, &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat();
    let crc = !body.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    });
    let length = (body.len() as u32 - 4).to_be_bytes();
    let header_end = 33;
    let (before, after) = plain.split_at(header_end);
    [before, &length, &body, &crc.to_be_bytes(), after].concat()
}

#[test]
fn a_picture_stored_in_each_of_eight_orientations_has_the_same_logits() {
    let place = Place::new();
    place.weights();
    let (side, last) = (40, 39);
    let mut files = Vec::new();
    for orientation in 1..=8_u8 {
        // Where the pixel that is shown at (x, y) is stored.
        let stored = |x: usize, y: usize| match orientation {
            1 => (x, y),
            2 => (last - x, y),
            3 => (last - x, last - y),
            4 => (x, last - y),
            5 => (y, x),
            6 => (y, last - x),
            7 => (last - y, last - x),
            _ => (last - y, x),
        };
        let mut pixels = vec![0; side * side * 3];
        for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
            let (sx, sy) = stored(x, y);
            let shown = [x * 6, y * 6, (x * y) % 251].map(|v| v as u8);
            pixels[(sy * side + sx) * 3..][..3].copy_from_slice(&shown);
        }
        let name = format!("{orientation}.png");
        place.write(&name, turned_png(pixels, side, orientation));
        files.push(name);
    }
    let words = format!(
        "predict --weights w.safetensors --logits --json {}",
        files.join(" ")
    );
    let said = place.run(&words);
    let logits: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["logits"].clone())
        .collect();
    assert_eq!(logits.len(), 8);
    assert!(logits[0].as_array().unwrap().len() > 1);
    assert!(logits.iter().all(|l| *l == logits[0]), "{logits:?}");
    // An image that is another one differs.
    place.write("other.png", turned_png(vec![9; side * side * 3], side, 1));
    let other = place.run("predict --weights w.safetensors --logits --json other.png");
    let other: Value = serde_json::from_str(&other).unwrap();
    assert_ne!(other["logits"], logits[0]);
}
