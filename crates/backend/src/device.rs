//! Opening and listing devices.

use burn::tensor::Device;

use burnrec_record::DeviceFacts;

use crate::choice::DeviceChoice;
use crate::error::BackendError;
use crate::kind::{DeviceName, Opened, runs_kernels};

/// Opens a device.
///
/// # Errors
/// A device that is not compiled in, that no adapter answers for, or whose number is that of none.
pub fn open(choice: impl Into<DeviceChoice>) -> Result<Opened, BackendError> {
    let DeviceChoice { name, index } = choice.into();
    if !name.is_compiled_in() {
        return Err(BackendError::NotCompiledIn { name: name.name() });
    }
    let opened = match name {
        DeviceName::Auto => Ok(auto()),
        DeviceName::Flex => Ok(flex()),
        DeviceName::Ndarray => ndarray(),
        DeviceName::Wgpu | DeviceName::Vulkan => adapter(name, index, true),
        DeviceName::Cuda => cuda(index),
    };
    opened.map(|opened| Opened { facts: DeviceFacts { index, ..opened.facts }, ..opened })
}

/// Whether a device's memory is not the host's, so that rows and batches have to travel.
pub fn has_own_memory(device: &Device) -> bool {
    runs_kernels(device)
}

/// Every device that answers in this build.
pub fn list() -> Vec<DeviceFacts> {
    let mut found = vec![flex().facts];
    #[cfg(any(feature = "wgpu", feature = "vulkan"))]
    for name in [DeviceName::Wgpu, DeviceName::Vulkan].into_iter().filter(|name| name.is_compiled_in()) {
        found.extend(numbered(crate::wgpu::adapters(name).into_iter().map(|opened| opened.facts)));
    }
    found.extend(ndarray().ok().map(|opened| opened.facts));
    found.extend(numbered((0..cuda_devices()).filter_map(|n| cuda(Some(n)).ok()).map(|opened| opened.facts)));
    found
}

/// Devices of one kind, by what opens each.
fn numbered(all: impl Iterator<Item = DeviceFacts>) -> impl Iterator<Item = DeviceFacts> {
    all.enumerate().map(|(index, facts)| DeviceFacts { index: Some(index), ..facts })
}

fn auto() -> Opened {
    if let Ok(opened) = cuda(None) {
        return opened;
    }
    let reason = match adapter(DeviceName::Wgpu, None, false) {
        Ok(opened) => return opened,
        Err(BackendError::NoAdapter { reason, .. }) => format!("no GPU answered ({reason})"),
        Err(other) => other.to_string(),
    };
    tracing::debug!("{reason}; computing on the CPU");
    let mut opened = flex();
    opened.facts.fallback = Some(reason);
    opened
}

#[cfg(any(feature = "wgpu", feature = "vulkan"))]
fn adapter(name: DeviceName, index: Option<usize>, software: bool) -> Result<Opened, BackendError> {
    crate::wgpu::open(name, index, software)
}

#[cfg(not(any(feature = "wgpu", feature = "vulkan")))]
fn adapter(name: DeviceName, _index: Option<usize>, _software: bool) -> Result<Opened, BackendError> {
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
        index: None,
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
fn cuda(index: Option<usize>) -> Result<Opened, BackendError> {
    let there = cuda_devices();
    if there == 0 {
        let reason = "the CUDA driver did not answer; it is libcuda.so.1, which comes with the NVIDIA driver".into();
        return Err(BackendError::NoAdapter { name: "cuda", reason });
    }
    let number = index.unwrap_or(0);
    if number >= there {
        return Err(BackendError::no_such(DeviceName::Cuda, number, vec!["NVIDIA GPU".into(); there]));
    }
    // The CUDA runtime has no fallible constructor, and compiles kernels by a library of its own: it panics where that is
    // missing.
    let opened = std::panic::catch_unwind(|| {
        let device = Device::cuda(number);
        let name = device.identity().map_or_else(|| "NVIDIA GPU".to_string(), |i| i.name);
        let one = burn::tensor::Tensor::<1>::from_floats([0.5], &device).add_scalar(0.5).into_data();
        (one.try_to_vec::<f32>().ok() == Some(vec![1.0])).then_some((device, name))
    });
    let reason = || {
        "the driver is there, and a first kernel failed: compiling one takes nvvm/libdevice/libdevice.10.bc of the CUDA toolkit; set CUDA_PATH to where it is".into()
    };
    let opened = opened.ok().flatten();
    let (device, name) = opened.ok_or_else(|| BackendError::NoAdapter { name: "cuda", reason: reason() })?;
    Ok(Opened { device, facts: DeviceFacts { name, kind: "cuda".into(), ..cpu_facts("cuda", "CUDA") } })
}

#[cfg(not(feature = "cuda"))]
fn cuda(_index: Option<usize>) -> Result<Opened, BackendError> {
    Err(BackendError::NotCompiledIn { name: "cuda" })
}

/// How many NVIDIA GPUs the driver has.
#[cfg(feature = "cuda")]
fn cuda_devices() -> usize {
    Device::enumerate(burn::tensor::DeviceType::Cuda).iter().count()
}

#[cfg(not(feature = "cuda"))]
fn cuda_devices() -> usize {
    0
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
            assert!(error.contains(&format!("--features burnrec/{}", name.name())), "{error}");
        }
    }
}
