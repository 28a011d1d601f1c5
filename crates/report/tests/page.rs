//! The page as a whole.

use inception_report::{Assessment, Bin, History, Mistake, Report, Setting, Tempered, render};

const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&\u{1b}[2J\u{202e}";

fn full() -> Report {
    let mut log = String::new();
    for step in 1..=40 {
        log.push_str(&format!(
            "{{\"step\":{step},\"epoch\":1,\"split\":\"train\",\"loss\":{0},\"loss_main\":{0},\
             \"loss_aux1\":2.2,\"top1\":0.5,\"lr\":0.1,\"grad_norm\":1.5,\"images_per_s\":90,\
             \"dead_relu\":0.1,\"dead_relus\":{{\"<b>\":0.1}},\"grad_norms\":{{\"fc\":0.5}}}}\n",
            2.3 / f64::from(step)
        ));
    }
    log.push_str("{\"step\":40,\"epoch\":1,\"split\":\"val\",\"loss\":0.5,\"top1\":0.75}\n");
    log.push_str("{\"step\":41,\"epoch\":1,\"split\":\"train\",\"skipped\":\"<i>NaN</i>\"}\n");
    log.push_str("{\"step\":4");
    Report {
        title: HOSTILE.into(),
        subtitle: HOSTILE.into(),
        history: History::read(&log),
        assessment: Some(Assessment {
            images: 4,
            top1: 0.75,
            top5: 1.0,
            loss: 0.5,
            classes: vec![HOSTILE.into(), "good".into()],
            confusion: vec![vec![1, 1], vec![0, 2]],
            calibration_error: 0.03,
            tempered: Some(Tempered {
                temperature: 1.25,
                error: 0.01,
            }),
            bins: vec![Bin {
                images: 4,
                confidence: 0.8,
                accuracy: 0.75,
            }],
            worst: vec![Mistake {
                origin: HOSTILE.into(),
                label: HOSTILE.into(),
                answer: "good".into(),
                ..Mistake::default()
            }],
        }),
        settings: vec![Setting {
            name: "data".into(),
            value: HOSTILE.into(),
        }],
        notes: vec![HOSTILE.into()],
    }
}

#[test]
fn every_part_is_there_and_names_from_outside_are_text() {
    let page = render(&full());
    for part in [
        "Learning",
        "Heads",
        "Pace",
        "Stability",
        "Confusion",
        "Calibration",
        "Worst images",
        "Settings",
        "1 step was left out, step 41",
        "could not be read: 1.",
        "75.00%",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<img src=x") && !page.contains("<b>:") && !page.contains("<i>"));
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
}

#[test]
fn the_page_asks_for_nothing_from_elsewhere() {
    let page = render(&full());
    for word in ["<script", "http://", "https://", "@import", "url(", "<link"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn what_is_not_known_is_left_out() {
    let page = render(&Report::default());
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(!page.contains("<h2>") && !page.contains("<svg"), "{page}");
}
