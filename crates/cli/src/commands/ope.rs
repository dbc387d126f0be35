//! `burnrec ope`

use std::path::Path;

use burnrec_data::SplitConfig;
use burnrec_rl::RlError;
use burnrec_rl::ope::{Evaluation, Interval, OpeFile, evaluate, read_log};

use crate::args::{OpeArgs, Overrides};
use crate::config_file::{self, ConfigFile};
use crate::error::CliError;
use crate::out;

fn load(config: &Path, overrides: &Overrides) -> Result<(ConfigFile, OpeFile), CliError> {
    let (file, mut read): (ConfigFile, OpeFile) = config_file::load(config, &overrides.set)?;
    burnrec_data::place(&overrides.data_dir, &mut read.data, beside(config));
    if read.data.split != SplitConfig::default() {
        let problem = "divides rows into sides, and all rows of a log are evaluated; remove it".to_string();
        return Err(file.locate(RlError::Setting { key: "data.split".into(), problem }.into()));
    }
    read.ope.check().map_err(|e| file.locate(e.into()))?;
    read.data.check().map_err(|e| file.locate(e.into()))?;
    Ok((file, read))
}

fn beside(config: &Path) -> &Path {
    config.parent().unwrap_or(Path::new(""))
}

/// Says what a file would evaluate.
pub fn explain(config: &Path, overrides: &Overrides) -> Result<(), CliError> {
    let (_, OpeFile { data, ope }) = load(config, overrides)?;
    out::line(&format!("{}: off-policy evaluation over {}", config.display(), data.source))?;
    out::line(&format!("  log     action {}, reward {}, propensity {}", ope.action, ope.reward, ope.propensity))
}

/// Evaluates.
pub fn run(args: &OpeArgs) -> Result<(), CliError> {
    let (file, OpeFile { data, ope }) = load(&args.config, &args.overrides)?;
    let located = |e: CliError| file.locate(e);
    let announce = |line: &str| tracing::info!("{line}");
    let (path, data) =
        burnrec_data::resolve(&args.overrides.data_dir, &data, &announce).map_err(|e| located(e.into()))?;
    let logged = read_log(&path, &data, &ope, beside(&args.config)).map_err(|e| located(e.into()))?;
    let found = evaluate(&logged, ope.clip, ope.switch, ope.resamples, ope.seed).map_err(|e| located(e.into()))?;
    match args.json {
        true => out::json(&found),
        false => print(&found),
    }
}

fn print(found: &Evaluation) -> Result<(), CliError> {
    let mut rows = vec![["estimator", "value", "low", "high"].map(String::from).to_vec()];
    rows.push(vec!["the log itself".into(), format!("{:.6}", found.logged), String::new(), String::new()]);
    for estimate in &found.estimates {
        let value = estimate.value.map_or("undefined".into(), |x| format!("{x:.6}"));
        let (low, high) = match estimate.interval {
            Some(Interval { low, high }) => (format!("{low:.6}"), format!("{high:.6}")),
            None => Default::default(),
        };
        rows.push(vec![estimate.estimator.clone(), value, low, high]);
    }
    out::table(&rows)?;
    out::line(&format!(
        "{} rows, worth {:.0} of equal weight; mean weight {:.3}, largest {:.1}",
        found.rows, found.effective_rows, found.mean_weight, found.largest_weight
    ))?;
    if !(0.9..=1.1).contains(&found.mean_weight) {
        tracing::warn!(
            "the mean weight is {:.3} and not near 1: the propensities are not those of the log's policy, or the policy does what the log never has",
            found.mean_weight
        );
    }
    Ok(())
}
