//! The page.

use crate::chart::{Chart, Scale, Series, Style, grouped};
use crate::heat::{Strength, strips};
use crate::svg::figure;
use crate::{Assessment, History, Report, confusion, reliability};
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;

/// A number at the head of the page.
#[derive(Serialize)]
struct Headline {
    value: String,
    name: &'static str,
}

/// A drawing with its title and, where there are several, the names of its curves.
#[derive(Serialize)]
struct Figure {
    title: &'static str,
    legend: Vec<String>,
    svg: Value,
}

/// The page of a run.
///
/// # Panics
/// Never: the template is part of this crate and tested.
pub fn render(report: &Report) -> String {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.add_template("report.html", include_str!("report.html"))
        .expect("the template is tested");
    let plain = |text: &str| inception_data::escape(text.as_ref());
    let found = report.assessment.as_ref();
    let settings: Vec<[String; 2]> = report
        .settings
        .iter()
        .map(|s| [plain(&s.name), plain(&s.value)])
        .collect();
    let page = context! {
        style => Value::from_safe_string(include_str!("report.css").to_owned()),
        title => plain(&report.title),
        subtitle => plain(&report.subtitle),
        notes => report.notes.iter().map(|n| plain(n)).collect::<Vec<_>>(),
        headlines => headlines(report),
        learning => figures(learning(&report.history)),
        heads => figures(heads(&report.history)),
        motion => figures(motion(&report.history)),
        stability => stability(&report.history),
        findings => findings(&report.history),
        matrix => found.and_then(confusion::matrix).map(Value::from_safe_string),
        pairs => found.map(confusion::pairs),
        calibration => found.and_then(|f| reliability::diagram(&f.bins)).map(Value::from_safe_string),
        calibrated => found.map(calibrated),
        worst => found.map(worst),
        settings,
    };
    let template = env.get_template("report.html");
    let page = template.and_then(|t| t.render(page));
    page.expect("the template asks for nothing that is not there")
}

fn headlines(report: &Report) -> Vec<Headline> {
    let mut all = Vec::new();
    let mut add = |value: String, name| all.push(Headline { value, name });
    let percent = |x: f64| format!("{:.2}%", 100.0 * x);
    if let Some(found) = &report.assessment {
        add(percent(found.top1), "top-1 accuracy");
        if found.classes.len() > 5 {
            add(percent(found.top5), "top-5 accuracy");
        }
        add(figure(found.loss), "loss");
        add(percent(found.calibration_error), "calibration error");
        add(grouped(found.images as f64), "images validated");
    } else if let Some(best) = best(&report.history) {
        add(percent(best), "best top-1 accuracy");
    }
    if let Some(last) = report.history.train.last() {
        add(grouped(last.step), "steps");
        if let Some(epoch) = last.values.get("epoch") {
            add(grouped(*epoch), "epochs");
        }
    }
    all
}

fn best(history: &History) -> Option<f64> {
    let top1 = History::curve(&history.val, "top1");
    top1.into_iter().map(|p| p.1).max_by(f64::total_cmp)
}

fn series(name: &str, points: Vec<(f64, f64)>, style: Style) -> Option<Series> {
    let name = name.to_owned();
    (!points.is_empty()).then_some(Series {
        name,
        points,
        style,
    })
}

fn learning(history: &History) -> Vec<Chart> {
    let pair = |name| {
        let train = History::curve(&history.train, name);
        let val = History::curve(&history.val, name);
        let train = series("training", train, Style::Smoothed);
        let val = series("validation", val, Style::Dotted);
        train.into_iter().chain(val).collect()
    };
    // The total holds what the auxiliary heads lose; a validation has the main one alone.
    let mut loss: Vec<Series> = pair("loss_main");
    loss.retain(|s| s.name == "training");
    let val = History::curve(&history.val, "loss");
    loss.extend(series("validation", val, Style::Dotted));
    vec![
        Chart {
            title: "Loss",
            scale: Scale::Linear,
            series: loss,
        },
        Chart {
            title: "Top-1 accuracy",
            scale: Scale::Share,
            series: pair("top1"),
        },
    ]
}

/// The losses of auxiliary heads beside the main one, where there are some.
fn heads(history: &History) -> Vec<Chart> {
    let names = history
        .train
        .last()
        .into_iter()
        .flat_map(|p| p.values.keys());
    let names: Vec<&String> = names.filter(|n| n.starts_with("loss_aux")).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let main = series(
        "main",
        History::curve(&history.train, "loss_main"),
        Style::Smoothed,
    );
    let aux = names.into_iter().filter_map(|name| {
        let points = History::curve(&history.train, name);
        series(name.trim_start_matches("loss_"), points, Style::Smoothed)
    });
    vec![Chart {
        title: "Training loss of each head",
        scale: Scale::Linear,
        series: main.into_iter().chain(aux).collect(),
    }]
}

fn motion(history: &History) -> Vec<Chart> {
    let one = |title, name: &str, scale, style| Chart {
        title,
        scale,
        series: series(title, History::curve(&history.train, name), style)
            .into_iter()
            .collect(),
    };
    vec![
        one("Learning rate", "lr", Scale::Linear, Style::Line),
        one("Gradient norm", "grad_norm", Scale::Log, Style::Smoothed),
        one(
            "Images a second",
            "images_per_s",
            Scale::Linear,
            Style::Smoothed,
        ),
    ]
}

fn figures(charts: Vec<Chart>) -> Vec<Figure> {
    let figure = |chart: Chart| {
        let svg = chart.draw()?;
        let names = chart.series.into_iter().map(|s| s.name);
        let names: Vec<String> = names.collect();
        Some(Figure {
            title: chart.title,
            legend: if names.len() > 1 { names } else { Vec::new() },
            svg: Value::from_safe_string(svg),
        })
    };
    charts.into_iter().filter_map(figure).collect()
}

fn stability(history: &History) -> Vec<Figure> {
    let strip = |title, name, class, strength| {
        let svg = strips(&history.train, name, title, class, strength)?;
        Some(Figure {
            title,
            legend: Vec::new(),
            svg: Value::from_safe_string(svg),
        })
    };
    let dead = "Silent channels behind rectifiers";
    let norms = "Gradient norm of each stage";
    [
        strip(dead, "dead_relus", "warm", Strength::Share),
        strip(norms, "grad_norms", "cool", Strength::Log),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the stability panel says in words.
fn findings(history: &History) -> Vec<String> {
    let mut all = Vec::new();
    match history.skipped.as_slice() {
        [] if history.train.is_empty() => {}
        [] => all.push("Every loss and every gradient was a number.".to_owned()),
        skipped => {
            let (step, reason) = &skipped[0];
            let count = match skipped.len() {
                1 => "1 step was left out,".to_owned(),
                n => format!("{n} steps were left out, the first of them"),
            };
            all.push(format!(
                "{count} step {}: {}.",
                grouped(*step),
                inception_data::escape(reason.as_ref())
            ));
        }
    }
    let looks = History::curve(&history.train, "dead_relu");
    if let Some((step, share)) = looks.last() {
        all.push(format!(
            "At step {}, {:.1}% of all channels behind a rectifier were silent for the whole \
             batch.",
            grouped(*step),
            100.0 * share
        ));
    }
    if history.unreadable > 0 {
        let lines = history.unreadable;
        all.push(format!("Lines of the log that could not be read: {lines}."));
    }
    all
}

fn calibrated(found: &Assessment) -> String {
    let percent = |x: f64| format!("{:.2}%", 100.0 * x);
    let plain = format!(
        "Confidence and accuracy differ by {} on average.",
        percent(found.calibration_error)
    );
    match found.tempered {
        None => plain,
        Some(t) => format!(
            "{plain} Logits divided by {} would bring that to {}.",
            figure(t.temperature),
            percent(t.error)
        ),
    }
}

/// A mistake as the page shows it.
#[derive(Serialize)]
struct Shown {
    origin: String,
    label: String,
    answer: String,
    label_probability: String,
    answer_probability: String,
    picture: Option<String>,
}

fn worst(found: &Assessment) -> Vec<Shown> {
    let plain = |text: &str| inception_data::escape(text.as_ref());
    let percent = |x: f64| match x {
        x if x < 0.001 => "< 0.1%".to_owned(),
        x => format!("{:.1}%", 100.0 * x),
    };
    let shown = |m: &crate::Mistake| Shown {
        origin: plain(&m.origin),
        label: plain(&m.label),
        answer: plain(&m.answer),
        label_probability: percent(m.label_probability),
        answer_probability: percent(m.answer_probability),
        picture: m.picture.clone(),
    };
    found.worst.iter().map(shown).collect()
}
