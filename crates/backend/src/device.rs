//! Opening and listing devices.

use burn::tensor::Device;

use burnrec_record::DeviceFacts;

use crate::error::BackendError;
use crate::kind::{DeviceName, Opened, runs_kernels};

/// Opens a device.
///
/// # Errors
/// A device that is not compiled in, or that no adapter answers for.
pub fn open(name: DeviceName) -> Result<Opened, BackendError> {
    if !name.is_compiled_in() {
        return Err(BackendError::NotCompiledIn { name: name.name() });
    }
    match name {
        DeviceName::Auto => Ok(auto()),
        DeviceName::Flex => Ok(flex()),
        DeviceName::Ndarray => ndarray(),
        DeviceName::Wgpu | DeviceName::Vulkan => adapter(name, true),
        DeviceName::Cuda => cuda(),
    }
}

/// Whether a device's memory is not the host's, so that rows and batches have to travel.
pub fn has_own_memory(device: &Device) -> bool {
    runs_kernels(device)
}

/// Every device that answers in this build.
pub fn list() -> Vec<DeviceFacts> {
    let mut found = vec![flex().facts];
    #[cfg(any(feature = "wgpu", feature = "vulkan"))]
    found.extend(crate::wgpu::list().into_iter().map(|o| o.facts));
    found.extend(
        [DeviceName::Ndarray, DeviceName::Cuda]
            .into_iter()
            .filter(|d| d.is_compiled_in())
            .filter_map(|d| open(d).ok())
            .map(|o| o.facts),
    );
    found
}

fn auto() -> Opened {
    let reason = match adapter(DeviceName::Wgpu, false) {
        Ok(opened) => return opened,
        Err(BackendError::NoAdapter { reason, .. }) => format!("no GPU answered ({reason})"),
        Err(other) => other.to_string(),
    };
    tracing::info!("{reason}; computing on the CPU");
    let mut opened = flex();
    opened.facts.fallback = Some(reason);
    opened
}

#[cfg(any(feature = "wgpu", feature = "vulkan"))]
fn adapter(name: DeviceName, software: bool) -> Result<Opened, BackendError> {
    crate::wgpu::open(name, software)
}

#[cfg(not(any(feature = "wgpu", feature = "vulkan")))]
fn adapter(name: DeviceName, _software: bool) -> Result<Opened, BackendError> {
    Err(BackendError::NotCompiledIn { name: name.name() })
}

fn cpu_facts(kind: &str, driver: &str) -> DeviceFacts {
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("model name"))?;
        Some(line.split(':').nth(1)?.trim().to_string())
    });
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    DeviceFacts {
        kind: kind.to_string(),
        name: format!("{} ({threads} threads)", model.unwrap_or_else(|| std::env::consts::ARCH.to_string())),
        driver: driver.to_string(),
        software: false,
        max_binding_bytes: None,
        max_buffer_bytes: None,
        fallback: None,
    }
}

fn flex() -> Opened {
    Opened { device: Device::flex(), facts: cpu_facts("flex", "burn-flex 0.22.1") }
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Result<Opened, BackendError> {
    Ok(Opened { device: Device::ndarray(), facts: cpu_facts("ndarray", "burn-ndarray 0.22.1") })
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Opened, BackendError> {
    Err(BackendError::NotCompiledIn { name: "ndarray" })
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Opened, BackendError> {
    // The CUDA runtime has no fallible constructor: it panics where no driver is installed.
    let opened = std::panic::catch_unwind(|| {
        let device = Device::cuda(0);
        let name = device.identity().map_or_else(|| "NVIDIA GPU".to_string(), |i| i.name);
        (device, name)
    });
    match opened {
        Ok((device, name)) => {
            Ok(Opened { device, facts: DeviceFacts { name, kind: "cuda".into(), ..cpu_facts("cuda", "CUDA") } })
        }
        Err(_) => Err(BackendError::NoAdapter { name: "cuda", reason: "the CUDA driver did not answer".into() }),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Opened, BackendError> {
    Err(BackendError::NotCompiledIn { name: "cuda" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_unknown_ones_list_the_known() {
        for name in DeviceName::ALL {
            assert_eq!(name.name().parse::<DeviceName>(), Ok(name));
        }
        assert!("gpu".parse::<DeviceName>().unwrap_err().contains("flex"));
    }

    #[test]
    fn auto_never_takes_a_software_adapter() {
        let opened = open(DeviceName::Auto).unwrap();
        assert!(!opened.facts.software, "{:?}", opened.facts);
        if opened.facts.kind == "flex" && DeviceName::Wgpu.is_compiled_in() {
            assert!(opened.facts.fallback.is_some());
        }
    }

    #[test]
    fn what_is_not_compiled_in_says_how_to_get_it() {
        for name in DeviceName::ALL.into_iter().filter(|d| !d.is_compiled_in()) {
            let error = open(name).unwrap_err().to_string();
            assert!(error.contains(&format!("--features {}", name.name())), "{error}");
        }
    }
}
