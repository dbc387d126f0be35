//! Phases of a schedule: how each window was predicted before it was learned from, and what gates decided.

use burnrec_record::{Entry, Gate, with_commas};

use super::escape::{duration, number, text};
use super::sheet::Page;
use crate::curves::{Chart, Places, Series, at_most};
use crate::run::Run;

/// Phases that the table shows, the latest.
const MOST: usize = 100;

/// A day of event time, in nanoseconds.
const DAY: i64 = 86_400_000_000_000;

pub(super) fn phases(page: &mut Page, run: &Run) {
    if run.phases.is_empty() {
        return;
    }
    page.section(
        "Window by window",
        "Each window of the log is predicted by the model that stands, and only then learned from.",
    );
    charts(page, &run.phases);
    table(page, &run.phases);
}

fn charts(page: &mut Page, phases: &[Entry]) {
    let mut metrics: Vec<String> = Vec::new();
    for (metric, _) in phases.iter().filter_map(|phase| phase.judged.as_ref()).flat_map(|judged| judged.flat()) {
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    page.html(r#"<div class="figures">"#);
    for metric in metrics {
        let value = |phase: &Entry| phase.judged.as_ref()?.flat().into_iter().find(|(own, _)| *own == metric)?.1;
        chart(page, &metric, &[line(&metric, 0, phases, value)], "");
    }
    let gate = |of: fn(Gate) -> f64| move |phase: &Entry| phase.gate.map(of);
    if phases.iter().any(|phase| phase.gate.is_some()) {
        let both = [
            line("published", 1, phases, gate(|gate| gate.published)),
            line("candidate", 0, phases, gate(|gate| gate.candidate)),
        ];
        chart(
            page,
            "log-loss at the gate",
            &both,
            "A candidate is published where it is not worse by more than the gate allows.",
        );
    }
    page.html("</div>");
}

/// A value of phases, one for each that has it.
fn line(name: &str, colour: usize, phases: &[Entry], value: impl Fn(&Entry) -> Option<f64>) -> Series {
    let point = |phase: &Entry| Some((phase.phase as f64, value(phase).filter(|y| y.is_finite())?));
    let (at, y) = at_most(phases.iter().filter_map(point).collect()).into_iter().unzip();
    Series { name: name.to_string(), colour, dashed: false, x: Places::At { at }, y }
}

fn chart(page: &mut Page, title: &str, series: &[Series], note: &str) {
    page.chart(Chart { title: title.into(), x: Some("phase".into()), series: series.to_vec() }, note);
}

fn table(page: &mut Page, phases: &[Entry]) {
    let heads = ["phase", "what", "window", "rows", "judged", "gate", "rows learned so far", "time"];
    let row = |phase: &Entry| {
        let window = phase.window.as_ref();
        let judged = phase.judged.iter().flat_map(|judged| judged.flat());
        let judged: Vec<String> = judged.filter_map(|(metric, x)| Some(format!("{metric} {}", number(x?)))).collect();
        let gate = phase.gate.map_or("–".into(), |gate| {
            let says = if gate.passes { "published" } else { "kept aside" };
            format!("{says}: {} beside {}", number(gate.candidate), number(gate.published))
        });
        vec![
            phase.phase.to_string(),
            text(&phase.what),
            window.map_or("–".into(), |window| moment(window.from)),
            window.map_or("–".into(), |window| with_commas(window.rows)),
            if judged.is_empty() { "–".into() } else { text(&judged.join(", ")) },
            text(&gate),
            with_commas(phase.rows_learned),
            duration(phase.seconds),
        ]
    };
    let latest = &phases[phases.len().saturating_sub(MOST)..];
    page.table(&heads.map(String::from), &latest.iter().map(row).collect::<Vec<_>>());
    if latest.len() < phases.len() {
        let before = format!("{} earlier phases are in ledger.jsonl.", phases.len() - latest.len());
        page.html(&format!(r#"<p class="note">{before}</p>"#));
    }
}

/// A moment of event time, to the minute, in UTC.
fn moment(nanoseconds: i64) -> String {
    let (days, within) = (nanoseconds.div_euclid(DAY), nanoseconds.rem_euclid(DAY));
    let minutes = within / 60_000_000_000;
    let (year, month, day) = burnrec_record::civil(days);
    match minutes {
        0 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_or_minutes() {
        assert_eq!(moment(0), "1970-01-01");
        assert_eq!(moment(19_783 * DAY + 90 * 60_000_000_000), "2024-03-01 01:30");
    }
}
