//! `burnrec bench`: training steps on generated batches, against ceilings measured in the same process.

mod batches;
mod ceiling;
mod device;
mod disk;
mod figure;
mod measure;
mod workload;

use serde::Serialize;

use crate::args::BenchArgs;
use crate::error::CliError;
use crate::{out, setup};
use ceiling::Ceilings;
use device::DeviceCeilings;
use figure::Figure;
use measure::{Case, one};
use workload::{Workload, names};

/// The name of all workloads together.
const ALL: &str = "all";

#[derive(Serialize)]
struct Report<'a> {
    ceilings: Ceilings,
    /// Those of devices with memory of their own, by kind.
    device_ceilings: &'a [(String, DeviceCeilings)],
    results: &'a [Figure],
}

/// Measures.
pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    setup::threads(args.threads)?;
    let devices = args.device.iter().map(|name| setup::device(*name)).collect::<Result<Vec<_>, _>>()?;
    if let (Some(rows), Some(opened)) = (args.from_disk, devices.first()) {
        let odd = args.workload.as_deref() == Some(ALL)
            || args.json.is_some()
            || args.profile
            || args.placement.contains(&burnrec_embedding::Placement::Device);
        if odd || devices.len() > 1 {
            return Err(CliError::Usage(
                "--from-disk compares one workload on one device with tables in host memory, and prints; leave --json, --profile, --placement and `all` away".into(),
            ));
        }
        return disk::run(args, rows, opened);
    }
    if args.profile && args.ceilings {
        return Err(CliError::Usage("--profile times steps, and --ceilings runs none; leave one of them away".into()));
    }
    if args.profile && !devices.iter().any(|opened| burnrec_backend::has_own_memory(&opened.device)) {
        return Err(CliError::Usage(
            "--profile times the kernels of a GPU, and none of the devices runs any; name one, as in --device wgpu"
                .into(),
        ));
    }
    if let Some(path) = &args.json {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
        setup::probe_folder(folder, "--json")?;
    }
    let known = names();
    let names: Vec<String> = match args.workload.as_deref() {
        _ if args.ceilings => Vec::new(),
        Some(ALL) => known,
        Some(name) => vec![name.to_string()],
        None => known.into_iter().take(1).collect(),
    };
    names.iter().try_for_each(|name| Workload::named(name).map(drop))?;
    let mut figures = Vec::new();
    for name in &names {
        for &rows in &args.rows {
            for opened in &devices {
                for &placement in &args.placement {
                    if let Err(error) = burnrec_train::check_placement(opened, placement) {
                        tracing::warn!("left out: {error}");
                        continue;
                    }
                    tracing::info!("{name}, {rows} rows, {} {placement:?}", opened.facts.kind);
                    figures.push(one(&Case { args, name, rows, opened, placement })?);
                }
            }
        }
    }
    // Behind the workloads, whose peak memory would hold the arrays otherwise.
    let ceilings: Vec<(String, Ceilings)> =
        devices.iter().map(|o| (o.facts.kind.clone(), ceiling::measure(&o.device))).collect();
    for figure in &mut figures {
        if let Some((_, ceilings)) = ceilings.iter().find(|(kind, _)| *kind == figure.device) {
            figure.against(ceilings);
        }
    }
    let own: Vec<(String, DeviceCeilings)> = devices
        .iter()
        .filter(|opened| burnrec_backend::has_own_memory(&opened.device))
        .map(|opened| (opened.facts.kind.clone(), device::measure(opened)))
        .collect();
    print(&ceilings, &own, &figures)?;
    if let (Some(path), Some((_, ceilings))) = (&args.json, ceilings.first()) {
        let report = Report { ceilings: *ceilings, device_ceilings: &own, results: &figures };
        std::fs::write(path, serde_json::to_string(&report).unwrap_or_default()).map_err(|e| CliError::Output {
            path: path.display().to_string(),
            reason: e.to_string(),
            option: "--json",
        })?;
    }
    Ok(())
}

/// A Markdown block: ceilings, one line a figure, ratios between devices and placements.
fn print(
    ceilings: &[(String, Ceilings)],
    own: &[(String, DeviceCeilings)],
    figures: &[Figure],
) -> Result<(), CliError> {
    for (kind, c) in ceilings {
        out::line(&format!(
            "ceilings of {kind}: gemm {:.0} GFLOP/s ({}³), copy in host memory {:.1} GB/s, gather there {:.1} GB/s of 64-byte rows",
            c.gemm_gflops, c.gemm_side, c.copy_gb_per_s, c.gather_gb_per_s
        ))?;
    }
    own.iter().try_for_each(|(kind, ceilings)| out::line(&ceilings.line(kind)))?;
    if figures.is_empty() {
        return Ok(());
    }
    out::line("")?;
    out::line(
        "| workload | table rows | batch | device, placement | median step ms | pipelined ms | rows/s | GFLOP/s | x matrix products | in turn | share of roofline | gather, forward, backward, update ms | peak MiB | over tables MiB | launches | KiB up | KiB down | waits | device MiB |",
    )?;
    out::line(&format!("|{}", "---|".repeat(19)))?;
    for figure in figures {
        out::line(&figure.row())?;
    }
    for figure in figures.iter().filter(|figure| !figure.kernels.is_empty()) {
        out::line(&format!("\n{}", figure.profile()))?;
    }
    for pair in figures.windows(2) {
        if let [a, b] = pair
            && (&a.workload, a.rows) == (&b.workload, b.rows)
        {
            out::line(&format!(
                "\n{} at {} rows: {} {} takes {:.2} x the time of {} {}",
                a.workload,
                a.rows,
                b.device,
                b.placement,
                b.median_step_ms / a.median_step_ms,
                a.device,
                a.placement
            ))?;
        }
    }
    Ok(())
}
