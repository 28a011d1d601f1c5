//! The comparison as Markdown.

use super::{Entry, Peer, Report, Row};
use crate::markdown::Table;
use std::collections::{BTreeMap, BTreeSet};

impl Report {
    /// The lines that the README shows: each work beside its fastest peer.
    pub fn summary(&self) -> String {
        let mut table = Table::new(&["work", "threads", "inception", "fastest other", "ratio"]);
        for row in &self.rows {
            let best = match row.best() {
                Some((peer, ms)) => format!("{} ({})", milliseconds(ms), peer.title()),
                None => "–".to_owned(),
            };
            table.row([
                row.title.clone(),
                row.threads.to_string(),
                time(&row.ours),
                best,
                ratio(row),
            ]);
        }
        format!(
            "Milliseconds, medians of processes that take turns, {}, {}, commit {}: `{}`.\n\n{table}",
            self.machine.processor, self.machine.date, self.machine.commit, self.command
        )
    }

    /// Every figure.
    pub fn full(&self) -> String {
        let mut text = self.summary();
        text.push_str("\nThe aim of each work, and every engine's time in milliseconds:\n\n");
        text.push_str(&self.times());
        text.push_str("\nThe most memory of a process in MB, without what its libraries took ");
        text.push_str("when they were loaded:\n\n");
        text.push_str(&self.memory());
        text.push_str(&self.absent());
        text
    }

    fn peers(&self) -> Vec<Peer> {
        let all = self.rows.iter().flat_map(|row| row.peers.keys().copied());
        all.collect::<BTreeSet<Peer>>().into_iter().collect()
    }

    fn columns(
        &self,
        first: &[&str],
        cell: impl Fn(&Entry) -> String,
        last: impl Fn(&Row) -> Vec<String>,
    ) -> String {
        let peers = self.peers();
        let mut header: Vec<&str> = vec!["work", "threads", "inception"];
        header.extend(peers.iter().map(|peer| peer.title()));
        header.extend(first);
        let mut table = Table::new(&header);
        for row in &self.rows {
            let mut cells = vec![row.work.clone(), row.threads.to_string(), cell(&row.ours)];
            let of = |peer| row.peers.get(peer).map_or(String::new(), &cell);
            cells.extend(peers.iter().map(of));
            cells.extend(last(row));
            table.row(cells);
        }
        table.to_string()
    }

    fn times(&self) -> String {
        self.columns(&["ratio", "aim"], time, |row| {
            vec![ratio(row), format!("{:.1}", row.target)]
        })
    }

    fn memory(&self) -> String {
        let cell = |entry: &Entry| {
            let bytes = entry.own_bytes();
            bytes.map_or_else(
                || "–".to_owned(),
                |bytes| format!("{:.0}", bytes as f64 / 1e6),
            )
        };
        self.columns(&[], cell, |_| Vec::new())
    }

    /// Which engines have no figure, and why; each reason once.
    fn absent(&self) -> String {
        let mut reasons: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for row in &self.rows {
            let ours = std::iter::once(("inception".to_owned(), "", &row.ours));
            let peers = row.peers.iter();
            let peers = peers.map(|(peer, entry)| (peer.title().to_owned(), peer.hint(), entry));
            for (name, hint, entry) in ours.chain(peers) {
                let Some(reason) = &entry.absent else {
                    continue;
                };
                let install = match reason.starts_with("missing") && !reason.contains(hint) {
                    true => format!("{reason}; install it with `{hint}`"),
                    false => reason.clone(),
                };
                let works = reasons.entry((name, install)).or_default();
                if !works.contains(&row.work) {
                    works.push(row.work.clone());
                }
            }
        }
        if reasons.is_empty() {
            return String::new();
        }
        let mut text = String::from("\nWithout a figure:\n\n");
        for ((name, reason), works) in reasons {
            text.push_str(&format!("- {name}, {}: {reason}\n", works.join(", ")));
        }
        text
    }
}

fn time(entry: &Entry) -> String {
    entry.ms().map_or_else(|| "–".to_owned(), milliseconds)
}

/// Three digits.
fn milliseconds(ms: f64) -> String {
    match ms {
        _ if ms < 10.0 => format!("{ms:.2}"),
        _ if ms < 100.0 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

fn ratio(row: &Row) -> String {
    let ratio = row.ratio();
    ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"))
}
