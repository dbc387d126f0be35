//! The page of several runs side by side.

use super::escape::{number, text};
use super::sheet::{Page, chart};
use crate::comparison::{Comparison, differing};
use crate::curves::{Curve, curves};
use crate::run::Run;

pub(super) fn page(runs: &[Run]) -> Page {
    let mut page = Page::new(format!("{} runs – burnrec", runs.len()));
    page.html(&format!("<h1>{} runs</h1>", runs.len()));
    let key = |(at, run): (usize, &Run)| {
        format!(r#"<span class="key" style="background:var(--c{})"></span>{} &nbsp; "#, at % 8, text(&run.name))
    };
    page.html(&format!("<p>{}</p>", runs.iter().enumerate().map(key).collect::<String>()));
    metrics(&mut page, runs);
    overlaid(&mut page, runs);
    settings(&mut page, runs);
    page
}

fn metrics(page: &mut Page, runs: &[Run]) {
    let found = Comparison::new(runs);
    page.section(
        "Final metrics",
        "Below each metric: the difference to the first run and its 95% interval, from drawing the groups or rows anew, the same ones in both runs. A difference is in bold where the interval leaves 0 out.",
    );
    let mut heads = vec!["run".to_string(), "model".to_string()];
    heads.extend(found.metrics.iter().map(|metric| text(metric)));
    let row = |(at, run): (usize, &Run)| {
        let model = run.model().unwrap_or_else(|| run.status().to_string());
        let mut cells = vec![
            format!(r#"<span class="key" style="background:var(--c{})"></span>{}"#, at % 8, text(&run.name)),
            text(&model),
        ];
        for metric in 0..found.metrics.len() {
            let cell = &found.cells[at][metric];
            let value = cell.value.map_or("–".into(), number);
            let difference = cell.difference.map_or(String::new(), |d| {
                let class = match (d.is_significant(), cell.better) {
                    (true, Some(true)) => "better",
                    (true, Some(false)) => "worse",
                    _ => "soft",
                };
                let sign = if d.value >= 0.0 { "+" } else { "" };
                format!(
                    r#"<br><span class="{class}">{sign}{}</span><br><span class="soft">{} … {}</span>"#,
                    number(d.value),
                    number(d.low),
                    number(d.high)
                )
            });
            cells.push(format!("{value}{difference}"));
        }
        cells
    };
    page.table(&heads, &runs.iter().enumerate().map(row).collect::<Vec<_>>());
    if found.apart {
        page.html(r#"<p class="note">Some runs were judged on other rows than the first one, or have no details (<code>run.report = false</code>); there are no differences for those.</p>"#);
    }
}

fn overlaid(page: &mut Page, runs: &[Run]) {
    let all: Vec<Vec<Curve>> = runs.iter().map(curves).collect();
    let mut names: Vec<(String, String)> = Vec::new();
    for curve in all.iter().flatten().filter(|curve| curve.split == "train" || curve.split == "valid") {
        let name = (curve.split.clone(), curve.metric.clone());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return;
    }
    names.sort_by_key(|(split, _)| split != "valid");
    page.section("Curves", "");
    page.axis_buttons();
    page.html(r#"<div class="figures">"#);
    for (split, metric) in names {
        let series: Vec<_> = runs
            .iter()
            .zip(&all)
            .enumerate()
            .filter_map(|(at, (run, own))| {
                let curve = own.iter().find(|curve| curve.split == split && curve.metric == metric)?;
                Some(curve.series(run.name.clone(), at, at >= 8))
            })
            .collect();
        let side = if split == "valid" { "validation" } else { "training" };
        page.chart(chart(&format!("{metric}, {side}"), series), "");
    }
    page.html("</div>");
}

fn settings(page: &mut Page, runs: &[Run]) {
    let rows = differing(runs);
    page.section("Settings that differ", if rows.is_empty() { "None." } else { "" });
    if rows.is_empty() {
        return;
    }
    let mut heads = vec!["setting".to_string()];
    heads.extend(runs.iter().map(|run| text(&run.name)));
    let code = |value: &Option<String>| value.as_ref().map_or("–".into(), |v| format!("<code>{}</code>", text(v)));
    let row = |(key, values): &(String, Vec<Option<String>>)| {
        let mut cells = vec![format!("<code>{}</code>", text(key))];
        cells.extend(values.iter().map(code));
        cells
    };
    page.table(&heads, &rows.iter().map(row).collect::<Vec<_>>());
}
