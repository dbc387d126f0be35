//! A page that is being written: sections, figures, charts, tables, and what they need to be looked at.

use super::escape::{json, text};
use crate::curves::{Chart, Series};

const STYLE: &str = include_str!("../../assets/style.css");
const SCRIPT: &str = include_str!("../../assets/page.js");
const LIVE: &str = include_str!("../../assets/live.js");
/// uPlot 1.6.32, MIT, by Leon Sorokin; its licence stands beside it.
const UPLOT: &str = include_str!("../../assets/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("../../assets/uPlot.min.css");

/// A page that is being written.
#[derive(Default)]
pub(super) struct Page {
    title: String,
    body: String,
    charts: Vec<Chart>,
}

impl Page {
    /// An empty page.
    pub(super) fn new(title: String) -> Self {
        Self { title, ..Self::default() }
    }

    /// Adds HTML as it is; whatever stands in it was made text before.
    pub(super) fn html(&mut self, html: &str) {
        self.body.push_str(html);
        self.body.push('\n');
    }

    pub(super) fn section(&mut self, title: &str, note: &str) {
        self.html(&format!("<h2>{}</h2>", text(title)));
        if !note.is_empty() {
            self.html(&format!(r#"<p class="note">{}</p>"#, text(note)));
        }
    }

    /// A figure with a title, and a word on how to read it.
    pub(super) fn figure(&mut self, title: &str, figure: &str, note: &str) {
        let note = if note.is_empty() { String::new() } else { format!("<figcaption>{}</figcaption>", text(note)) };
        self.html(&format!("<figure><h3>{}</h3>{figure}{note}</figure>", text(title)));
    }

    /// Buttons for what lies along the axes of curves.
    pub(super) fn axis_buttons(&mut self) {
        let button = |(at, (by, name)): (usize, (&str, &str))| {
            format!(r#"<button type="button" data-by="{by}" aria-pressed="{}">{name}</button>"#, at == 0)
        };
        let all = [("step", "by step"), ("epoch", "by epoch"), ("time", "by time")];
        let all: String = all.into_iter().enumerate().map(button).collect();
        self.html(&format!(r#"<div class="axis" role="group" aria-label="axis of the curves">{all}</div>"#));
    }

    /// A chart of curves.
    pub(super) fn chart(&mut self, chart: Chart, note: &str) {
        let place = format!(r#"<div class="chart" data-chart="{}"></div>"#, self.charts.len());
        self.figure(&chart.title.clone(), &place, note);
        self.charts.push(chart);
    }

    /// A table; heads and cells are HTML, and all columns but the first hold numbers.
    pub(super) fn table(&mut self, heads: &[String], rows: &[Vec<String>]) {
        let class = |at: usize| if at == 0 { "" } else { r#" class="n""# };
        let heads: String =
            heads.iter().enumerate().map(|(at, head)| format!("<th{}>{head}</th>", class(at))).collect();
        let row = |cells: &Vec<String>| {
            let cells: String =
                cells.iter().enumerate().map(|(at, cell)| format!("<td{}>{cell}</td>", class(at))).collect();
            format!("<tr>{cells}</tr>")
        };
        let rows: String = rows.iter().map(row).collect();
        self.html(&format!(
            r#"<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"#
        ));
    }

    /// The page as what changed: its inside, for a page that is open already.
    pub(super) fn update(self) -> String {
        json(&serde_json::json!({ "main": self.body, "charts": self.charts }))
    }

    /// The whole page. A live one asks its server for what changes.
    pub(super) fn whole(self, live: bool) -> String {
        let data = json(&serde_json::json!({ "charts": self.charts }));
        let live = if live { format!("<script>{LIVE}</script>\n") } else { String::new() };
        format!(
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="burnrec {}">
<title>{}</title>
<link rel="icon" href="data:,">
<style>{UPLOT_STYLE}
{STYLE}</style>
</head>
<body>
<main>
{}</main>
<script type="application/json" id="data">{data}</script>
<script>{UPLOT}</script>
<script>{SCRIPT}</script>
{live}</body>
</html>
"#,
            env!("CARGO_PKG_VERSION"),
            text(&self.title),
            self.body
        )
    }
}

/// Curves of one name over several runs, or several names of one.
pub(super) fn chart(title: &str, series: Vec<Series>) -> Chart {
    Chart { title: title.into(), x: None, series }
}
