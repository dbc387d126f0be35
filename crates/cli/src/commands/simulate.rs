//! `burnrec simulate`

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use burnrec_rl::simulate::{Job, Report, Simulation, Spread, Told, simulate};

use crate::args::{Overrides, SimulateArgs};
use crate::config_file::{self, ConfigFile};
use crate::error::CliError;
use crate::{out, setup};

/// Time between the lines that tell how it goes.
const BEAT: Duration = Duration::from_secs(10);

/// Reads a simulation file; the command line has the last word.
fn load(config: &Path, overrides: &Overrides) -> Result<(ConfigFile, Simulation), CliError> {
    let (file, mut simulation): (ConfigFile, Simulation) = config_file::load(config, &overrides.set)?;
    if let Some(device) = overrides.device {
        simulation.backend.device = device;
    }
    if let Some(threads) = overrides.threads {
        setup::check_threads(threads)?;
        simulation.backend.threads = Some(threads);
    }
    if simulation.run.name == "run" {
        simulation.run.name = config.file_stem().and_then(|s| s.to_str()).unwrap_or("run").to_string();
    }
    if let Some(data) = &mut simulation.data {
        burnrec_data::place(&overrides.data_dir, data, config.parent().unwrap_or(Path::new("")));
    }
    Ok((file, simulation))
}

/// Says what a simulation file would run.
pub fn explain(config: &Path, overrides: &Overrides) -> Result<(), CliError> {
    let (file, simulation) = load(config, overrides)?;
    let agents = simulation.check().map_err(|e| file.locate(e.into()))?;
    burnrec_rl::simulate::check(&simulation).map_err(|e| file.locate(e.into()))?;
    let (s, e) = (&simulation.simulate, &simulation.environment);
    out::line(&format!(
        "{}: simulation, {} seeds from {}, device {}",
        config.display(),
        s.seeds,
        simulation.run.seed,
        simulation.backend.device
    ))?;
    out::line(&match (&e.news, &simulation.data) {
        (Some(news), _) => format!(
            "  news    {} readers, {} articles an hour that live for {} h, {} candidates of {} topics",
            news.users, news.articles_per_hour, news.article_hours, news.candidates, news.topics
        ),
        (None, data) => {
            let kind = if e.bandit.is_some() { "bandit" } else { "log   " };
            format!("  {kind}  {}", data.as_ref().map_or("nothing", |data| data.source.as_str()))
        }
    })?;
    let first = if e.news.is_some() { "by chance" } else { "as logged" };
    out::line(&format!("  hours   {} {first}, then {}; lists of {}", s.warmup_hours, s.hours, s.places))?;
    for (name, agent) in agents {
        let model = agent.model().name();
        let spelled = |value: serde_json::Value| value.as_str().unwrap_or_default().to_string();
        let kind = spelled(serde_json::to_value(agent.policy).unwrap_or_default());
        let what = match kind.as_str() {
            "network" => {
                let explore = spelled(serde_json::to_value(agent.explore.kind).unwrap_or_default());
                let minor = spelled(serde_json::to_value(agent.learn.minor).unwrap_or_default());
                let major = spelled(serde_json::to_value(agent.learn.major).unwrap_or_default());
                let (l, ahead) = (
                    &agent.learn,
                    if agent.looks_ahead() {
                        format!(", gamma {}, beta {}", agent.gamma, agent.activeness.weight)
                    } else {
                        String::new()
                    },
                );
                format!(
                    "{model}{ahead}; explores: {explore}; minor: {minor} every {} min, major: {major} every {} min",
                    l.minor_minutes, l.major_minutes
                )
            }
            other => other.to_string(),
        };
        out::line(&format!("  agent   {name}: {what}"))?;
    }
    Ok(())
}

/// Runs it.
pub fn run(args: &SimulateArgs) -> Result<(), CliError> {
    let (file, mut simulation) = load(&args.config, &args.overrides)?;
    let located = |e: CliError| file.locate(e);
    if let Some(only) = &args.only {
        let known: BTreeSet<&String> = simulation.agents.keys().collect();
        if let Some(name) = only.iter().find(|name| !known.contains(name)) {
            let names: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
            return Err(CliError::Usage(format!(
                "--only {name}: there is no such agent; there are {}",
                names.join(", ")
            )));
        }
        simulation.agents.retain(|name, _| only.iter().any(|own| own == name));
        if simulation.simulate.baseline.as_ref().is_some_and(|name| !only.contains(name)) {
            simulation.simulate.baseline = None;
        }
    }
    simulation.check().map_err(|e| located(e.into()))?;
    setup::threads(simulation.backend.threads)?;
    let folder = setup::run_folder(&simulation.run, args.out.as_deref(), false)?;
    setup::probe_folder(&folder, "--out")?;
    let opened = setup::device(simulation.backend.device)?;
    let announce = |line: &str| tracing::info!("{line}");
    let data = match &simulation.data {
        Some(data) => {
            Some(burnrec_data::resolve(&args.overrides.data_dir, data, &announce).map_err(|e| located(e.into()))?)
        }
        None => None,
    };
    let job =
        Job { simulation, data, opened, out: folder.clone(), resume: args.resume, stop: setup::stop_on_signals() };
    let (begun, mut beat) = (Instant::now(), Instant::now());
    let mut tell = |told: &Told<'_>| match told {
        Told::Stage(what) => tracing::info!("{what}"),
        Told::Hour { agent, seed, hour, done, clicks, lists } => {
            if beat.elapsed() >= BEAT {
                beat = Instant::now();
                let spent = begun.elapsed().as_secs_f64();
                let left = if *done > 0.0 { spent / done - spent } else { 0.0 };
                tracing::info!(
                    "seed {seed}, {agent}: hour {hour}, {clicks} clicks on {lists} lists; {:.0}% done, {left:.0} s left",
                    done * 100.0
                );
            }
        }
    };
    let report = simulate(&job, &mut tell).map_err(|e| located(e.into()))?;
    print(&report)?;
    out::line(&format!("{}: simulation folder {}", report.status, folder.display()))
}

const SHOWN: [&str; 15] = [
    "clicks",
    "regret",
    "snips",
    "ips",
    "matched",
    "mean_weight",
    "ctr",
    "ndcg",
    "precision_5",
    "ils",
    "ils_shown",
    "session_depth",
    "hours_away",
    "activeness",
    "first_hour_ctr",
];

/// A number of so many digits as its size needs.
fn short(x: f64) -> String {
    if x.abs() >= 1_000.0 { format!("{x:.0}") } else { format!("{x:.4}") }
}

fn print(report: &Report) -> Result<(), CliError> {
    let known = |measure: &&&str| report.agents.values().any(|agent| agent.measures.contains_key(**measure));
    let columns: Vec<&&str> = SHOWN.iter().filter(known).collect();
    let table = |of: &dyn Fn(&str) -> Option<Vec<String>>, corner: &str| {
        let heads = std::iter::once(corner.to_string()).chain(columns.iter().map(|c| c.to_string())).collect();
        let mut rows: Vec<Vec<String>> = vec![heads];
        for name in &report.order {
            if let Some(cells) = of(name) {
                rows.push(std::iter::once(name.clone()).chain(cells).collect());
            }
        }
        out::table(&rows)
    };
    let cell = |spread: Option<&Spread>| match spread {
        None => "-".to_string(),
        Some(Spread { mean, interval: None }) => short(*mean),
        Some(Spread { mean, interval: Some((_, high)) }) => format!("{}±{}", short(*mean), short(high - mean)),
    };
    let means = |name: &str| {
        let agent = report.agents.get(name)?;
        Some(columns.iter().map(|measure| cell(agent.measures.get(**measure))).collect())
    };
    table(&means, "agent")?;
    let against = |name: &str| {
        let agent = report.agents.get(name).filter(|agent| !agent.differences.is_empty())?;
        Some(columns.iter().map(|measure| cell(agent.differences.get(**measure))).collect())
    };
    if report.agents.len() > 1 {
        out::line("")?;
        table(&against, &format!("more than {}", report.baseline))?;
    }
    Ok(())
}
