//! The page of a replay: ways to keep a model fresh, window by window.

use super::escape::{count, duration, number, text};
use super::sheet::Page;
use crate::curves::{Chart, Places, Series};
use crate::folder::{Replay, WindowOf};

pub(super) fn page(replay: &Replay) -> Page {
    let mut page = Page::new(format!("{} – burnrec replay", replay.name));
    let summary = &replay.summary;
    page.html(&format!("<h1>{}</h1>", text(&replay.name)));
    page.html(&format!(
        r#"<p class="soft">{} · {} · {} windows, each predicted before it was learned from · {} rows judged · {} · burnrec {}</p>"#,
        text(&summary.model),
        text(&summary.status),
        summary.windows,
        count(summary.rows.get("judged").copied().unwrap_or(0) as i64),
        text(&summary.device.kind),
        text(&summary.version)
    ));
    ways(&mut page, replay);
    windows(&mut page, replay);
    page
}

fn ways(page: &mut Page, replay: &Replay) {
    page.section("Ways", "Metrics over all rows of all windows, and what learning cost.");
    let flat = |way: &burnrec_record::Way| burnrec_record::Values(way.0.clone()).flat();
    let mut metrics: Vec<String> = Vec::new();
    for (name, _) in replay.summary.replay.values().flat_map(flat) {
        if !metrics.contains(&name) && name != "rows" && name != "seconds" {
            metrics.push(name);
        }
    }
    let mut heads = vec!["way".to_string()];
    heads.extend(metrics.iter().map(|metric| text(metric)));
    heads.extend(["rows learned".to_string(), "time".to_string()]);
    let row = |(name, way): (&String, &burnrec_record::Way)| {
        let all = flat(way);
        let of = |metric: &str| all.iter().find(|(own, _)| own == metric).and_then(|(_, value)| *value);
        let mut cells = vec![text(name)];
        cells.extend(metrics.iter().map(|metric| of(metric).map_or("–".into(), number)));
        cells.push(of("rows").map_or("–".into(), |rows| count(rows as i64)));
        cells.push(of("seconds").map_or("–".into(), duration));
        cells
    };
    page.table(&heads, &replay.summary.replay.iter().map(row).collect::<Vec<_>>());
}

fn windows(page: &mut Page, replay: &Replay) {
    let mut names: Vec<&str> = Vec::new();
    let mut metrics: Vec<String> = Vec::new();
    for window in &replay.windows {
        if !names.contains(&window.schedule.as_str()) {
            names.push(&window.schedule);
        }
        for (metric, _) in window.metrics.flat() {
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
    }
    if metrics.is_empty() {
        return;
    }
    page.section("Window by window", "Windows are numbered in the order of time.");
    page.html(r#"<div class="figures">"#);
    for metric in metrics {
        let series = |(colour, name): (usize, &&str)| {
            let own: Vec<&WindowOf> = replay.windows.iter().filter(|window| window.schedule == **name).collect();
            let point = |(at, window): (usize, &&WindowOf)| {
                let value = window.metrics.flat().into_iter().find(|(own, _)| *own == metric)?.1?;
                Some(((at + 1) as f64, value))
            };
            let (at, y) = own.iter().enumerate().filter_map(point).unzip();
            Series { name: (*name).to_string(), colour, dashed: colour >= 8, x: Places::At { at }, y }
        };
        let series = names.iter().enumerate().map(series).collect();
        page.chart(Chart { title: metric.clone(), x: Some("window".into()), series }, "");
    }
    page.html("</div>");
}
