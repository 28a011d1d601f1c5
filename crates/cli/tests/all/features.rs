//! `inception features`.

use crate::common::{Place, jpeg};
use serde_json::Value;
use std::fs;

/// Features of each image, in each form, are the same numbers.
#[test]
fn features_come_as_lines_as_a_table_and_as_an_array() {
    let place = Place::new();
    place.weights();
    for (i, red) in [0, 120, 250].into_iter().enumerate() {
        place.write(&format!("images/{i}.jpg"), jpeg(40 + i, 36, red));
    }
    let features = "features images --weights w.safetensors --batch-size 2";
    let lines = place.run(features);
    let rows: Vec<Vec<f32>> = lines
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let numbers = row["features"].as_array().unwrap();
            numbers.iter().map(|x| x.as_f64().unwrap() as f32).collect()
        })
        .collect();
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [352; 3]);
    assert_ne!(rows[0], rows[1]);

    let table = place.run(&format!("{features} --format csv"));
    for (i, (line, row)) in table.lines().zip(&rows).enumerate() {
        let (path, numbers) = line.split_once(',').unwrap();
        assert_eq!(path, format!("images/{i}.jpg"));
        let numbers: Vec<f32> = numbers.split(',').map(|x| x.parse().unwrap()).collect();
        assert_eq!(&numbers, row);
    }

    place.run(&format!("{features} --format npy --out f.npy"));
    let bytes = fs::read(place.path("f.npy")).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(start % 64, 0);
    let header = std::str::from_utf8(&bytes[10..start]).unwrap();
    assert!(
        header.contains("'<f4'") && header.contains("(3, 352)"),
        "{header}"
    );
    let (numbers, rest) = bytes[start..].as_chunks::<4>();
    assert!(rest.is_empty());
    let numbers: Vec<f32> = numbers.iter().map(|b| f32::from_le_bytes(*b)).collect();
    assert_eq!(numbers, rows.concat());
}

#[test]
fn an_array_needs_a_file() {
    let place = Place::new();
    place.weights();
    let error = place.fail(2, "features x.jpg --weights w.safetensors --format npy");
    assert_eq!(error, "--format npy needs --out FILE");
}
