//! Pages: one file each, which needs no network and opens anywhere.

mod compare;
pub(crate) mod escape;
mod figures;
mod parallel;
mod phases;
mod replay;
mod run;
mod sheet;
mod simulation;
mod sweep;

use crate::folder::Folder;
use sheet::Page;

/// The page of a folder, or of several that are compared.
pub fn page(folders: &[Folder]) -> String {
    of(folders).whole(false)
}

/// The same page, which asks the server that it came from for what changes.
pub fn live_page(folders: &[Folder]) -> String {
    of(folders).whole(true)
}

/// What a live page is told of a change: JSON on one line.
pub fn update(folders: &[Folder]) -> String {
    of(folders).update()
}

fn of(folders: &[Folder]) -> Page {
    match folders {
        [Folder::Run(one)] => run::page(one),
        [Folder::Sweep(sweep)] => sweep::page(sweep),
        [Folder::Replay(replay)] => replay::page(replay),
        [Folder::Simulation(simulation)] => simulation::page(simulation),
        several => compare::page(&several.iter().filter_map(Folder::as_run).cloned().collect::<Vec<_>>()),
    }
}
