//! Adapters reached through wgpu. A process opens each adapter once and keeps it.

use std::sync::{Mutex, OnceLock, PoisonError};

use burn::tensor::wgpu::{WgpuBackend, WgpuInitError};
use burn::tensor::{Device, DeviceKind};

use burnrec_record::DeviceFacts;

use crate::error::BackendError;
use crate::kind::{DeviceName, Opened};

/// Adapters that were opened, or what refused them.
type Known = Vec<((DeviceName, DeviceKind), Result<Opened, String>)>;

fn known() -> &'static Mutex<Known> {
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    KNOWN.get_or_init(Mutex::default)
}

/// Kinds of adapters that compute in hardware, the best first.
const HARDWARE: [fn(usize) -> DeviceKind; 3] =
    [DeviceKind::DiscreteGpu, DeviceKind::IntegratedGpu, DeviceKind::VirtualGpu];

/// Opens an adapter: the one of a number, or the first that answers: hardware, then, where allowed, software.
pub(crate) fn open(name: DeviceName, index: Option<usize>, software: bool) -> Result<Opened, BackendError> {
    if let Some(index) = index {
        let mut all = adapters(name);
        if index < all.len() {
            return Ok(all.swap_remove(index));
        }
        let there = all.into_iter().map(|opened| opened.facts.name).collect();
        return Err(BackendError::no_such(name, index, there));
    }
    let kinds = HARDWARE.into_iter().map(|kind| kind(0)).chain(software.then_some(DeviceKind::Cpu));
    let mut refused = Vec::new();
    for kind in kinds {
        match adapter(name, &kind) {
            Ok(opened) if opened.facts.software && !software => {
                refused.push(format!("{} is a software adapter", opened.facts.name))
            }
            Ok(opened) => return Ok(opened),
            Err(reason) => refused.push(reason),
        }
    }
    refused.dedup();
    Err(BackendError::NoAdapter { name: name.name(), reason: refused.join("; ") })
}

/// Every adapter that answers, in the order of their numbers.
pub(crate) fn adapters(name: DeviceName) -> Vec<Opened> {
    let of_kind = |kind: fn(usize) -> DeviceKind| (0..).map_while(move |n| adapter(name, &kind(n)).ok());
    HARDWARE.into_iter().flat_map(of_kind).chain(adapter(name, &DeviceKind::Cpu).ok()).collect()
}

fn adapter(name: DeviceName, kind: &DeviceKind) -> Result<Opened, String> {
    let mut known = known().lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = (name, kind.clone());
    if let Some((_, opened)) = known.iter().find(|(k, _)| *k == wanted) {
        return opened.clone();
    }
    let opened = init(name, kind).map_err(|error| match error {
        WgpuInitError::AdapterUnavailable { .. } => format!("no adapter of kind {kind:?}"),
        other => other.to_string(),
    });
    known.push((wanted, opened.clone()));
    opened
}

fn init(name: DeviceName, kind: &DeviceKind) -> Result<Opened, WgpuInitError> {
    let api = match name {
        DeviceName::Vulkan => WgpuBackend::Vulkan,
        _ => WgpuBackend::Auto,
    };
    let (device, setup) = Device::wgpu_options().device_kind(kind.clone()).graphics_api(api).init_with_setup()?;
    let info = setup.adapter.get_info();
    let limits = setup.adapter.limits();
    let facts = DeviceFacts {
        kind: name.name().to_string(),
        name: info.name.clone(),
        driver: format!("{} {} ({:?})", info.driver, info.driver_info, info.backend),
        software: format!("{:?}", info.device_type) == "Cpu",
        max_binding_bytes: Some(limits.max_storage_buffer_binding_size),
        max_buffer_bytes: Some(limits.max_buffer_size),
        fallback: None,
        index: None,
    };
    Ok(Opened { device, facts })
}
