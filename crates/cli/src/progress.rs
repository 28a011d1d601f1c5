//! Progress: a bar on a terminal, nothing otherwise.

use crate::output::{Talk, is_watched};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of `total` things, called `unit`, which is only seen on a terminal.
pub(crate) fn bar(talk: Talk, total: u64, unit: &str) -> ProgressBar {
    if talk.quiet || !is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
    let template = format!("{{wide_bar:.cyan}} {{pos}}/{{len}} {unit} {{eta}} {{msg}}");
    let style = ProgressStyle::with_template(&template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
