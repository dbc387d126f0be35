//! The page of a sweep: its trials, the front of two metrics, and what each setting does.

use super::escape::{count, duration, number, text};
use super::figures::{Bar, Dot, bars, scatter};
use super::parallel::{explained, parallel};
use super::sheet::Page;
use crate::folder::{Mean, Sweep, Trial};

/// Trials that the table shows.
const MOST: usize = 200;

pub(super) fn page(sweep: &Sweep) -> Page {
    let mut page = Page::new(format!("{} – burnrec sweep", sweep.name));
    page.html(&format!("<h1>{}</h1>", text(&sweep.name)));
    let failed = sweep.trials.iter().filter(|trial| trial.reason.is_some()).count();
    let seconds: f64 = sweep.trials.iter().map(|trial| trial.seconds).sum();
    page.html(&format!(
        r#"<p class="soft">A sweep of {} trials, {} of them failed, ranked by {} on the validation rows; {} in all.</p>"#,
        count(sweep.trials.len() as i64),
        count(failed as i64),
        text(&sweep.monitor),
        duration(seconds)
    ));
    page.html(r#"<div class="figures">"#);
    front(&mut page, sweep);
    effects(&mut page, sweep);
    page.html("</div>");
    if let Some(figure) = parallel(sweep) {
        page.section(
            "Every trial",
            "A line a trial through its settings to what it came to; the best quarter stands out.",
        );
        page.html(&format!(r#"<figure class="scroll">{figure}</figure>"#));
    }
    trials(&mut page, sweep);
    page
}

/// What a trial's settings are, in a line.
fn told(trial: &Trial) -> String {
    let settings: Vec<String> = trial.settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("trial {}: {}", trial.trial, settings.join(", "))
}

fn front(page: &mut Page, sweep: &Sweep) {
    let Some([a, b]) = &sweep.pareto else { return };
    let place = |trial: &Trial| {
        let of = |name: &String| trial.metrics.get(name).copied().flatten().map(|m: Mean| m.mean);
        Some((of(a)?, of(b)?))
    };
    let dot = |trial: &Trial| {
        let at = place(trial)?;
        let on = trial.front == Some(true);
        let says = format!("{}; {a} {}, {b} {}", told(trial), number(at.0), number(at.1));
        Some(Dot { at, colour: if on { 1 } else { 0 }, says })
    };
    let dots: Vec<Dot> = sweep.trials.iter().filter_map(dot).collect();
    if dots.is_empty() {
        return;
    }
    let mut through: Vec<(f64, f64)> =
        sweep.trials.iter().filter(|trial| trial.front == Some(true)).filter_map(place).collect();
    through.sort_by(|p, q| p.0.total_cmp(&q.0));
    let figure = scatter(&dots, &through, (a, b));
    page.figure(
        "Pareto front",
        &figure,
        "Trials on the front are those that no other beats in both metrics; hover for their settings.",
    );
}

fn effects(page: &mut Page, sweep: &Sweep) {
    let mut found = explained(sweep);
    if found.is_empty() {
        return;
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    let bar =
        |(key, share): &(String, f64)| Bar { name: key.clone(), value: *share, says: format!("{:.0}%", share * 100.0) };
    let rows: Vec<Bar> = found.iter().map(bar).collect();
    page.figure(
        "What each setting does",
        &bars(&rows, 0.0),
        "The share of the spread between trials that follows this setting alone. With few trials, chance has a share in it.",
    );
}

fn trials(page: &mut Page, sweep: &Sweep) {
    let note = match sweep.trials.len() > MOST {
        true => format!("The best {MOST}; sweep.json has all."),
        false => String::new(),
    };
    page.section("Trials, the best first", &note);
    let keys = sweep.keys();
    let metrics: Vec<&String> = sweep.trials.first().map(|trial| trial.metrics.keys().collect()).unwrap_or_default();
    let mut heads = vec!["trial".to_string()];
    heads.extend(keys.iter().map(|key| format!("<code>{}</code>", text(key))));
    heads.push(text(&sweep.monitor));
    heads.extend(metrics.iter().map(|metric| text(metric)));
    heads.push("time".into());
    let show = |mean: Option<Mean>| match mean {
        Some(m) => m.plus_minus.map_or(number(m.mean), |half| format!("{} ± {}", number(m.mean), number(half))),
        None => "–".into(),
    };
    let row = |trial: &Trial| {
        let mark = if trial.front == Some(true) { " ★" } else { "" };
        let mut cells = vec![format!("{}{mark}", trial.trial)];
        cells.extend(keys.iter().map(|key| trial.settings.get(*key).map_or(String::new(), |v| text(&v.to_string()))));
        cells.push(trial.reason.as_ref().map_or_else(|| show(trial.value), |why| format!("failed: {}", text(why))));
        cells.extend(metrics.iter().map(|metric| show(trial.metrics.get(*metric).copied().flatten())));
        cells.push(duration(trial.seconds));
        cells
    };
    page.table(&heads, &sweep.trials.iter().take(MOST).map(row).collect::<Vec<_>>());
}
