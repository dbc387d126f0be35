//! The page of a simulation: agents side by side, hour by hour.

use std::collections::BTreeMap;

use super::escape::{number, text};
use super::sheet::Page;
use crate::curves::{Chart, Places, Series};
use crate::folder::{Simulation, Spread};

/// What is no measure of an hour.
const NO_MEASURES: [&str; 2] = ["seed", "lists"];

pub(super) fn page(simulation: &Simulation) -> Page {
    let mut page = Page::new(format!("{} – burnrec simulate", simulation.name));
    let summary = &simulation.summary;
    page.html(&format!("<h1>{}</h1>", text(&simulation.name)));
    page.html(&format!(
        r#"<p class="soft">A simulation of {} agents, {} · compared with {} · burnrec {}</p>"#,
        summary.agents.len(),
        text(&summary.status),
        text(&summary.baseline),
        text(&summary.version)
    ));
    agents(&mut page, simulation);
    hours(&mut page, simulation);
    page
}

fn order(simulation: &Simulation) -> Vec<&String> {
    let named = simulation.summary.order.iter().filter(|name| simulation.summary.agents.contains_key(*name));
    let others = simulation.summary.agents.keys().filter(|name| !simulation.summary.order.contains(name));
    named.chain(others).collect()
}

fn agents(page: &mut Page, simulation: &Simulation) {
    page.section(
        "Agents",
        "Means over seeds; behind them the difference to the baseline, in bold where its 95% interval leaves 0 out.",
    );
    let names = order(simulation);
    let mut measures: Vec<&String> =
        simulation.summary.agents.values().flat_map(|agent| agent.measures.keys()).collect();
    measures.sort();
    measures.dedup();
    let mut heads = vec!["agent".to_string()];
    heads.extend(measures.iter().map(|measure| text(measure)));
    let row = |name: &&String| {
        let agent = &simulation.summary.agents[*name];
        let cell = |measure: &&String| {
            let mean = agent.measures.get(*measure).map_or("–".into(), |spread| number(spread.mean));
            let difference = agent.differences.get(*measure).map_or(String::new(), |Spread { mean, interval }| {
                let clear = interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0);
                let sign = if *mean >= 0.0 { "+" } else { "" };
                let shown = format!("{sign}{}", number(*mean));
                if clear { format!("<br><b>{shown}</b>") } else { format!(r#"<br><span class="soft">{shown}</span>"#) }
            });
            format!("{mean}{difference}")
        };
        let mut cells = vec![text(name)];
        cells.extend(measures.iter().map(cell));
        cells
    };
    page.table(&heads, &names.iter().map(row).collect::<Vec<_>>());
}

fn hours(page: &mut Page, simulation: &Simulation) {
    let mut measures: Vec<&String> = simulation.hours.iter().flat_map(|hour| hour.measures.keys()).collect();
    measures.sort();
    measures.dedup();
    measures.retain(|measure| !NO_MEASURES.contains(&measure.as_str()));
    if measures.is_empty() {
        return;
    }
    page.section("Hour by hour", "Means over seeds.");
    page.html(r#"<div class="figures">"#);
    let names = order(simulation);
    for measure in measures {
        let series = |(colour, name): (usize, &&String)| {
            let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
            for hour in simulation.hours.iter().filter(|hour| hour.agent == **name) {
                let Some(value) = hour.measures.get(measure).and_then(serde_json::Value::as_f64) else { continue };
                let sum = sums.entry(hour.hour as u64).or_default();
                *sum = (sum.0 + value, sum.1 + 1.0);
            }
            let (at, y) = sums.into_iter().map(|(hour, (sum, n))| (hour as f64, sum / n)).unzip();
            Series { name: (*name).clone(), colour, dashed: colour >= 8, x: Places::At { at }, y }
        };
        let series = names.iter().enumerate().map(series).collect();
        page.chart(Chart { title: measure.clone(), x: Some("hour".into()), series }, "");
    }
    page.html("</div>");
}
