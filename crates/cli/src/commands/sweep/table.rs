//! What a sweep found, as a file and as a table.

use burnrec_train::sweep::{Mean, Row};

use super::Sweep;
use crate::error::CliError;
use crate::out;

impl Sweep<'_> {
    /// Writes the table for the report.
    pub(super) fn write(&self, rows: &[Row]) -> Result<(), CliError> {
        let path = self.folder.join("sweep.json");
        let text = serde_json::json!({
            "monitor": self.checked.monitor().name(),
            "rises": self.checked.monitor().rises(),
            "pareto": self.config.pareto,
            "trials": rows,
        });
        let temporary = self.folder.join(".tmp-sweep.json");
        let written =
            std::fs::write(&temporary, format!("{text:#}\n")).and_then(|()| std::fs::rename(&temporary, &path));
        written.map_err(|e| CliError::Disk { path: path.display().to_string(), reason: e.to_string() })
    }

    pub(super) fn print(&self, rows: &[Row]) -> Result<(), CliError> {
        if self.args.json {
            return out::json(&rows);
        }
        let keys: Vec<&String> = self.config.space.keys().collect();
        let names: Vec<&String> = rows.first().map(|row| row.metrics.keys().collect()).unwrap_or_default();
        let mut heads: Vec<String> = vec!["trial".into()];
        heads.extend(keys.iter().map(|key| (*key).clone()));
        heads.push(self.checked.monitor().name().to_string());
        heads.extend(names.iter().map(|name| (*name).clone()));
        let compared: Vec<&String> = rows.first().map(|row| row.differences.keys().collect()).unwrap_or_default();
        heads.extend(compared.iter().map(|name| format!("Δ {name}")));
        let mut table = vec![heads];
        for row in rows {
            let show = |mean: Option<Mean>| match mean {
                Some(m) => m.plus_minus.map_or(format!("{:.5}", m.mean), |half| format!("{:.5} ± {half:.5}", m.mean)),
                None => "-".into(),
            };
            let mut cells = vec![format!("{}{}", row.trial, if row.front == Some(true) { " *" } else { "" })];
            cells.extend(keys.iter().map(|key| row.settings.get(*key).map_or(String::new(), ToString::to_string)));
            cells.push(if row.reason.is_some() { "failed".into() } else { show(row.value) });
            cells.extend(names.iter().map(|name| show(row.metrics[*name])));
            cells.extend(compared.iter().map(|name| show(row.differences[*name])));
            table.push(cells);
        }
        out::table(&table)?;
        if let Some([a, b]) = &self.config.pareto {
            out::line(&format!("* on the Pareto front of {a} and {b}"))?;
        }
        if !compared.is_empty() {
            out::line(&format!("Δ: the difference to {}, seed by seed", self.config.against.join(" or ")))?;
        }
        for row in rows.iter().filter(|row| row.value.is_none()) {
            if let Some(reason) = &row.reason {
                out::line(&format!("trial {} failed: {reason}", row.trial))?;
            }
        }
        match rows.first().filter(|row| row.value.is_some()) {
            Some(best) => out::line(&format!("best: trial {}, {}", best.trial, best.runs.join(", "))),
            None => Ok(()),
        }
    }
}
