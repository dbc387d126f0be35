//! Where a run's tables live.

use burnrec_backend::{Opened, has_own_memory};
use burnrec_embedding::{Placement, TableDevice};

use crate::error::TrainError;

/// Refuses a placement that this device cannot give.
///
/// # Errors
/// `device` asked for where there is no memory but the host's.
pub fn check_placement(opened: &Opened, placement: Placement) -> Result<(), TrainError> {
    if placement != Placement::Device || has_own_memory(&opened.device) {
        return Ok(());
    }
    Err(TrainError::Setting {
        key: "backend.placement".into(),
        problem: format!(
            "device {} has no memory of its own; use \"auto\" or \"host\", or another device",
            opened.facts.kind
        ),
    })
}

/// Buffers that a table may take on a device that it is told to go to.
const BUFFERS: usize = 16;

/// The device that holds tables, or only batches; none where the device's memory is the host's.
pub fn table_device(opened: &Opened, placement: Placement) -> Option<TableDevice> {
    let facts = &opened.facts;
    let holds_tables = match placement {
        Placement::Auto => !facts.software,
        Placement::Device => true,
        Placement::Host => false,
    };
    // The kernels number elements by 32 bits.
    let most = 4 * u64::from(u32::MAX);
    let limit = facts.max_binding_bytes.unwrap_or(most).min(facts.max_buffer_bytes.unwrap_or(most)).min(most);
    // How much memory a card has is not known through every runtime: more than one buffer is taken where tables are told to go there.
    let buffers = if placement == Placement::Device { BUFFERS } else { 1 };
    has_own_memory(&opened.device).then(|| TableDevice {
        device: opened.device.clone().inner(),
        limit,
        buffers,
        holds_tables,
    })
}
