//! The counts against figures that were computed by hand from the published channels, and the
//! committed documents against the counts.

use inception_benches::claims::Claims;
use inception_benches::cost::Cost;
use inception_benches::report::Report;
use inception_benches::timing::{FormTime, Times};
use std::path::Path;

fn total(claims: &Claims, of: fn(&inception_benches::claims::ModuleForms) -> Cost) -> Cost {
    claims.modules.iter().map(of).sum()
}

#[test]
fn modules_cost_what_their_channels_say() {
    let claims = Claims::count().unwrap();
    let params: Vec<u64> = claims.modules.iter().map(|m| m.reduced.params).collect();
    let expected = [
        163_696, 388_736, 376_176, 449_160, 510_104, 605_376, 868_352, 1_043_456, 1_444_080,
    ];
    assert_eq!(params, expected);
    let first = &claims.modules[0];
    let pixels = 28 * 28;
    let plain = |side: u64| side * side * 192 * 256;
    assert_eq!(first.plain5.params, plain(5) + 256);
    assert_eq!(first.plain10.macs, plain(10) * pixels);
    assert_eq!(
        first.naive.macs,
        (192 * 64 + 9 * 192 * 128 + 25 * 192 * 32) * pixels
    );
    assert_eq!(first.naive_channels, 64 + 128 + 32 + 192);
    assert_eq!(first.naive.flops, 2 * first.naive.macs);
}

#[test]
fn nine_naive_modules_cost_several_times_the_reduced_ones() {
    let claims = Claims::count().unwrap();
    let (reduced, naive) = (total(&claims, |m| m.reduced), total(&claims, |m| m.naive));
    let giga = |macs: u64| (macs as f64 / 1e6).round() / 1e3;
    assert_eq!((giga(reduced.macs), giga(naive.macs)), (1.104, 3.881));
    assert_eq!(claims.stacked.channels, 4944);
    assert_eq!((claims.stacked.cost.macs as f64 / 1e8).round(), 121.0);
}

#[test]
fn whole_networks_have_the_published_numbers_of_parameters() {
    let claims = Claims::count().unwrap();
    let found: Vec<(&str, u64)> = claims
        .nets
        .iter()
        .map(|net| (net.name.as_str(), net.cost.params))
        .collect();
    let expected = [
        ("googlenet", 6_998_552),
        ("googlenet-bn", 7_005_832),
        ("googlenet-torchvision", 6_624_904),
        ("alexnet", 61_100_840),
        ("vgg16", 138_357_544),
    ];
    assert_eq!(found, expected);
    assert_eq!(claims.nets[0].aux_params, 3_188_840 + 3_190_888);
}

#[test]
fn the_head_and_the_taught_module_are_counted() {
    let claims = Claims::count().unwrap();
    assert_eq!(claims.head.average.params, 1024 * 1000 + 1000);
    assert_eq!(claims.head.connected.params, 7 * 7 * 1024 * 1000 + 1000);
    let taught = claims.taught;
    assert_eq!(taught.output, [32, 32, 352]);
    assert_eq!(
        taught.direct.weights,
        64 * 64 + 9 * 64 * 128 + 25 * 64 * 128 + 64 * 32
    );
    // At the taught widths a branch reads 64 channels and reduces them to 64.
    assert_eq!(taught.module.weights, taught.direct.weights + 2 * 64 * 64);
    assert_eq!(taught.plain10.params, 100 * 64 * 352 + 352);
}

#[test]
fn the_committed_documents_are_those_of_the_counts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let report = Report {
        counts: Claims::count().unwrap(),
        times: Report::written_times(root).unwrap(),
    };
    let read = |name: &str| std::fs::read_to_string(root.join("docs").join(name)).unwrap();
    let advice = "run `cargo xtask bench --no-timing`";
    assert!(read("paper-claims.md") == report.to_string(), "{advice}");
    let written: Report = serde_json::from_str(&read("paper-claims.json")).unwrap();
    assert!(written == report, "{advice}");
}

#[test]
fn the_readme_lists_every_model_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let from = readme.find("## Models").unwrap();
    let to = readme.find("## What works").unwrap();
    let rows = readme[from..to]
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let known: Vec<&str> = inception_nn::registry()
        .iter()
        .map(|info| info.name)
        .collect();
    assert_eq!(listed, known);
}

#[test]
fn measured_times_are_shown_beside_what_the_counts_would_say() {
    let form = |form: &str, macs, median_ms| FormTime {
        form: form.to_owned(),
        macs,
        median_ms,
        min_ms: median_ms,
    };
    let report = Report {
        counts: Claims::count().unwrap(),
        times: Some(Times {
            processor: "a processor".to_owned(),
            module: "3a".to_owned(),
            input: [28, 28, 192],
            batch_size: 2,
            threads: 1,
            reps: 3,
            forms: vec![
                form("first", 1_000_000, 4.0),
                form("second", 3_000_000, 6.0),
            ],
        }),
    };
    let text = report.to_string();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("## Measured time"))
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    // 2 images · 3 M multiply-adds · 2 operations in 6 ms.
    assert_eq!(
        rows[2],
        ["", "second", "6.00", "6.00", "2.0", "1.50×", "3.00×", ""]
    );
}
