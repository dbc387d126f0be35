//! The page of one run.

use burnrec_record::{Details, Summary, TableDetails, TaskDetails};

use super::escape::{count, duration, number, text};
use super::figures::{Bar, bars, calibration, histogram, spark};
use super::phases::phases;
use super::sheet::{Page, chart};
use crate::curves::{Curve, curves, speed};
use crate::intervals::interval;
use crate::run::Run;

/// Fields whose importance is shown, and settings.
const MOST: usize = 40;

/// Tables that are shown, the largest.
const MOST_TABLES: usize = 100;

/// What is written down beside training and validation, with titles of their own.
const RATE: &str = "rate";

pub(super) fn page(run: &Run) -> Page {
    let mut page = Page::new(format!("{} – burnrec", run.name));
    head(&mut page, run);
    warnings(&mut page, run);
    training(&mut page, run);
    phases(&mut page, run);
    if let Some(details) = &run.details {
        details.tasks.iter().for_each(|task| predictions(&mut page, task, details));
        importance(&mut page, details);
        tables(&mut page, details);
        settings(&mut page, details);
    }
    page.section("Configuration", "");
    page.html(&format!(
        "<details><summary>config.toml, defaults spelled out</summary><pre>{}</pre></details>",
        text(&run.config)
    ));
    page
}

/// A tile: what it is, its figure, and a word below.
fn tile(page: &mut Page, figure: &str, what: &str) {
    page.html(&format!(r#"<div class="tile"><b>{}</b><span>{}</span></div>"#, text(figure), text(what)));
}

fn head(page: &mut Page, run: &Run) {
    page.html(&format!("<h1>{}</h1>", text(&run.name)));
    let Some(summary) = &run.summary else {
        let state = match run.is_online() {
            true => {
                "Learns from a stream: every event is predicted by the weights that stand, and only then learned from."
            }
            false => "This run has not come to its end.",
        };
        page.html(&format!(r#"<p class="soft">{state}</p>"#));
        return;
    };
    let device = match summary.device.software {
        true => format!("{} ({}, a software adapter)", summary.device.kind, summary.device.name),
        false => format!("{} ({})", summary.device.kind, summary.device.name),
    };
    let device = match &summary.device.fallback {
        Some(_) => format!("{device}, since no GPU answered"),
        None => device,
    };
    let line = format!(
        "{} · {} · {device} · seed {} · burnrec {}",
        summary.model,
        summary.status.replace('_', " "),
        summary.seed,
        summary.version
    );
    page.html(&format!(r#"<p class="soft">{}</p>"#, text(&line)));
    page.html(r#"<div class="tiles">"#);
    let side = match () {
        () if summary.metrics.contains_key("test") => "test",
        () if summary.metrics.contains_key("valid") && run.phases.is_empty() => "validation",
        () if !run.phases.is_empty() => "latest window",
        () => "validation",
    };
    for (metric, value) in run.final_metrics().into_iter().take(8) {
        let within = run.draws(&metric).and_then(interval);
        let within =
            within.map_or_else(String::new, |i| format!(", 95% within {} … {}", number(i.low), number(i.high)));
        tile(page, &value.map_or("undefined".into(), number), &format!("{metric}, {side}{within}"));
    }
    facts(page, run, summary);
    page.html("</div>");
}

fn facts(page: &mut Page, run: &Run, summary: &Summary) {
    let seconds: f64 = summary.seconds.values().sum();
    tile(page, &number(summary.throughput.rows_per_second), "rows/s in training");
    if let Some(latest) = run.phases.last() {
        tile(page, &count(latest.phase.saturating_add(1) as i64), "phases of the schedule");
        tile(page, &duration(run.phases.iter().map(|phase| phase.seconds).sum()), "in all phases");
        tile(
            page,
            &count(i64::try_from(latest.rows_learned).unwrap_or(i64::MAX)),
            "rows learned from, repeats included",
        );
        return weights(page, summary);
    }
    tile(page, &format!("{} / {}", summary.best_epoch, summary.epochs), "best epoch / epochs trained");
    tile(page, &duration(seconds), "in all");
    let rows: Vec<String> = ["train", "valid", "test"]
        .iter()
        .filter_map(|side| Some(format!("{} {side}", count(*summary.rows.get(*side)? as i64))))
        .collect();
    tile(page, &count(summary.rows.values().sum::<u64>() as i64), &format!("rows: {}", rows.join(", ")));
    weights(page, summary);
}

fn weights(page: &mut Page, summary: &Summary) {
    let parameters = summary.parameters;
    let floats = parameters.dense + parameters.embedding_floats;
    let of = format!(
        "weights: {} dense, {} in {} rows of tables",
        count(parameters.dense as i64),
        count(parameters.embedding_floats as i64),
        count(parameters.embedding_rows as i64)
    );
    tile(page, &count(floats as i64), &of);
    if let Some(bytes) = summary.peak_memory_bytes {
        tile(page, &format!("{} MiB", count((bytes >> 20) as i64)), "memory at most");
    }
}

fn warnings(page: &mut Page, run: &Run) {
    let mut all: Vec<String> = run.details.iter().flat_map(|details| details.warnings.clone()).collect();
    if run.lost > 0 {
        all.push(format!("{} lines of metrics.jsonl and ledger.jsonl could not be read", run.lost));
    }
    if let Some(summary) = &run.summary {
        for (side, reasons) in &summary.undefined {
            all.push(format!("On {side} some metrics are undefined: {}", serde_json::json!(reasons)));
        }
    }
    if !all.is_empty() {
        let all: String = all.iter().map(|warning| format!("<li>{}</li>", text(warning))).collect();
        page.html(&format!(r#"<div class="warnings"><b>Warnings</b><ul>{all}</ul></div>"#));
    }
}

fn training(page: &mut Page, run: &Run) {
    let all = curves(run);
    if all.is_empty() {
        return;
    }
    page.section("Training", "Drag across a chart to look closer; double-click to go back.");
    page.axis_buttons();
    page.html(r#"<div class="figures">"#);
    let sides = |curve: &&Curve| curve.split == "train" || curve.split == "valid";
    let mut metrics: Vec<String> = Vec::new();
    for curve in all.iter().filter(sides) {
        let name = shown(curve, &all);
        if !metrics.contains(&name) {
            metrics.push(name);
        }
    }
    for metric in metrics {
        let own: Vec<&Curve> = all.iter().filter(sides).filter(|curve| shown(curve, &all) == metric).collect();
        let other = |curve: &Curve| if curve.metric == metric { String::new() } else { format!(" {}", curve.metric) };
        let series = own.iter().map(|curve| match curve.split.as_str() {
            "train" => curve.series(format!("train{}", other(curve)), 0, false),
            _ => curve.series("validation".into(), 1, false),
        });
        page.chart(chart(&metric, series.collect()), "");
    }
    let others = |curve: &&Curve| curve.split != "train" && curve.split != "valid";
    let mut splits: Vec<&str> = all.iter().filter(others).map(|curve| curve.split.as_str()).collect();
    splits.dedup();
    for split in splits {
        let own = all.iter().filter(|curve| curve.split == split).enumerate();
        let series: Vec<_> = own.map(|(at, curve)| curve.series(curve.metric.clone(), at, false)).collect();
        let (title, note) = match split {
            RATE => ("learning rate", ""),
            "weights" => ("weights of the tasks' losses", ""),
            "stream" => (
                "events of the stream",
                "Of the events since the beat before, predicted before they were learned from.",
            ),
            "pace" => ("events per second", ""),
            "lag" => ("behind event time", "Seconds between the clock and the time of the latest event."),
            gate => {
                (gate, "The mean share that each expert gets, and the entropy of the gate: 1 where all get the same.")
            }
        };
        page.chart(chart(title, series), note);
    }
    if let Some(speed) = speed(run) {
        page.chart(chart("rows a second", vec![speed.series("train".into(), 2, false)]), "");
    }
    page.html("</div>");
}

/// The chart that a curve belongs to: the loss of training stands with the log-loss of validation, where there is one.
fn shown(curve: &Curve, all: &[Curve]) -> String {
    let log_loss = curve.metric.strip_suffix("loss").map(|task| format!("{task}logloss"));
    let validates = |metric: &String| all.iter().any(|other| other.split == "valid" && other.metric == *metric);
    match log_loss.filter(|_| curve.split == "train").filter(validates) {
        Some(metric) => metric,
        None => curve.metric.clone(),
    }
}

fn predictions(page: &mut Page, task: &TaskDetails, details: &Details) {
    let several = details.tasks.len() > 1;
    let of = if several { format!("Predictions of {}", task.task) } else { "Predictions".to_string() };
    let rate = task.positive_rate.map_or_else(String::new, |rate| format!(", {} of them positive", percent(rate)));
    page.section(&of, &format!("{} rows of the {} side{rate}.", count(task.rows as i64), details.side));
    page.html(r#"<div class="figures">"#);
    if !task.calibration.is_empty() {
        let note = "Each point is a bin of about as many rows. On the dashed line probabilities mean what they say.";
        page.figure("Calibration", &calibration(&task.calibration), note);
    }
    if let Some(scores) = &task.scores {
        let keys = r#"<p class="soft"><span class="key" style="background:var(--c0)"></span>label 0 &nbsp; <span class="key" style="background:var(--c1)"></span>label 1</p>"#;
        page.figure(
            "Probabilities by class",
            &format!("{keys}{}", histogram(scores)),
            "The less both overlap, the better the model tells them apart.",
        );
    }
    if !task.groups.is_empty() {
        let rows: Vec<Bar> = task
            .groups
            .iter()
            .map(|bin| Bar {
                name: bin.to.map_or(format!("{}+ rows", bin.from), |to| format!("{}–{to} rows", bin.from)),
                value: bin.auc,
                says: format!("{} ({} groups)", number(bin.auc), count(bin.groups as i64)),
            })
            .collect();
        page.figure(
            "AUC within groups, by their rows",
            &bars(&rows, 0.5),
            "Groups of both classes, weighted by rows; bars start at 0.5.",
        );
    }
    if !task.draws.is_empty() {
        let row = |draws: &burnrec_record::MetricDraws| {
            let within = interval(draws).map_or("–".into(), |i| format!("{} … {}", number(i.low), number(i.high)));
            format!(
                r#"<tr><td>{}</td><td class="n">{}</td><td class="n">{within}</td></tr>"#,
                text(&draws.metric),
                number(draws.value)
            )
        };
        let rows: String = task.draws.iter().map(row).collect();
        let table = format!(
            r#"<table><thead><tr><th>metric</th><th class="n">value</th><th class="n">95% interval</th></tr></thead><tbody>{rows}</tbody></table>"#
        );
        let note = format!("Intervals by bootstrap over {}s.", if task.unit == "group" { "the group" } else { "row" });
        page.figure("Metrics", &table, &note.replace("the groups", "groups"));
    }
    page.html("</div>");
}

fn percent(share: f64) -> String {
    format!("{}%", number(share * 100.0))
}

fn importance(page: &mut Page, details: &Details) {
    if details.importance.is_empty() {
        return;
    }
    page.section(
        "What each field is worth",
        &format!(
            "By how much the model is judged worse when the field's values go to other rows ({} rows from all over the {} side). Fields that carry the same information hide each other.",
            count(details.importance_rows as i64),
            details.side
        ),
    );
    page.html(r#"<div class="figures">"#);
    for task in &details.tasks {
        let own: Vec<_> = details.importance.iter().filter(|field| field.task == task.task).collect();
        let Some(first) = own.first() else { continue };
        let bar = |field: &&burnrec_record::FieldImportance| Bar {
            name: field.field.clone(),
            value: field.loss,
            says: match field.spread > 0.0 {
                true => format!("{} ± {}", number(field.loss), number(field.spread)),
                false => number(field.loss),
            },
        };
        let rows: Vec<Bar> = own.iter().take(MOST).map(bar).collect();
        let title = if details.tasks.len() > 1 {
            format!("{}, by {}", task.task, first.metric)
        } else {
            format!("by {}", first.metric)
        };
        let note = match own.len() > MOST {
            true => format!("{} more fields are worth less.", own.len() - MOST),
            false => String::new(),
        };
        page.figure(&title, &bars(&rows, 0.0), &note);
    }
    page.html("</div>");
}

fn tables(page: &mut Page, details: &Details) {
    let tables = &details.tables;
    if tables.is_empty() {
        return;
    }
    page.section(
        "Tables",
        "Vectors of ids. Untouched rows were never learned from; waiting ids were not seen often enough yet; evicted rows wait for new ids; lengths of vectors run from 0 to the longest.",
    );
    let heads = ["fields", "lookup", "rows", "width", "untouched", "waiting", "evicted", "longest", "lengths"];
    let row = |table: &TableDetails| {
        vec![
            format!("<code>{}</code>", text(&table.fields.join(", "))),
            text(&table.lookup),
            count(table.rows as i64),
            table.dim.to_string(),
            count(table.untouched as i64),
            count(table.waiting as i64),
            count(table.free as i64),
            number(table.largest_norm),
            spark(&table.norms),
        ]
    };
    let mut largest: Vec<&TableDetails> = tables.iter().collect();
    largest.sort_by_key(|table| std::cmp::Reverse(table.rows));
    page.table(&heads.map(String::from), &largest.iter().take(MOST_TABLES).map(|table| row(table)).collect::<Vec<_>>());
    if tables.len() > MOST_TABLES {
        let rest = format!("{} smaller tables more are in details.json.", tables.len() - MOST_TABLES);
        page.html(&format!(r#"<p class="note">{rest}</p>"#));
    }
    let unseen = |field: &burnrec_record::UnseenIds| {
        let share = field.unseen as f64 / field.ids.max(1) as f64;
        format!("{} {}", field.field, percent(share))
    };
    let unseen: Vec<String> = details.unseen.iter().take(MOST).map(unseen).collect();
    if !unseen.is_empty() {
        let line = format!("Ids on the {} side that training did not know: {}.", details.side, unseen.join(", "));
        page.html(&format!(r#"<p class="note">{}</p>"#, text(&line)));
    }
}

fn settings(page: &mut Page, details: &Details) {
    if details.settings.is_empty() {
        return;
    }
    page.section("Settings that are not the default", "");
    let code = |text_: &str| format!("<code>{}</code>", text(text_));
    let rows: Vec<Vec<String>> = details
        .settings
        .iter()
        .map(|s| vec![code(&s.key), code(&s.value), s.default.as_deref().map_or("–".into(), code)])
        .collect();
    page.table(&["setting", "value", "default"].map(String::from), &rows);
}
