//! Names and facts of devices.

use burn::backend::DispatchDevice;
use burn::tensor::Device;
use burnrec_record::DeviceFacts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A device as a config or `--device` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceName {
    /// A GPU where one answers, else `flex`.
    #[default]
    Auto,
    /// A GPU over Vulkan, Metal or DirectX 12, through WebGPU shaders; a software adapter where nothing else answers.
    Wgpu,
    /// The CPU.
    Flex,
    /// The CPU through ndarray (cargo feature `ndarray`).
    Ndarray,
    /// A GPU over Vulkan, through SPIR-V (cargo feature `vulkan`).
    Vulkan,
    /// An NVIDIA GPU through CUDA (cargo feature `cuda`).
    Cuda,
}

impl DeviceName {
    /// All names, in the order of the documentation.
    pub const ALL: [Self; 6] = [Self::Auto, Self::Wgpu, Self::Flex, Self::Ndarray, Self::Vulkan, Self::Cuda];

    /// The name in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Wgpu => "wgpu",
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
        }
    }

    /// Whether a machine may have several, told apart by a number.
    pub fn is_numbered(self) -> bool {
        matches!(self, Self::Wgpu | Self::Vulkan | Self::Cuda)
    }

    /// Whether this build can open it.
    pub fn is_compiled_in(self) -> bool {
        match self {
            Self::Auto | Self::Flex => true,
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }
}

impl std::str::FromStr for DeviceName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|d| d.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|d| d.name()).collect();
            format!("unknown device `{name}`; the devices are {}", names.join(", "))
        })
    }
}

/// A device that answers, with what is known of it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The device, without autodiff.
    pub device: Device,
    /// What is known of it.
    pub facts: DeviceFacts,
}

/// Whether a device, with autodiff or without, is flex.
pub(crate) fn is_flex(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether a device, with autodiff or without, has operations of our own: flex, and those that run kernels.
pub(crate) fn has_kernels(device: &Device) -> bool {
    is_flex(device) || runs_kernels(device)
}

/// Whether a device runs kernels.
pub(crate) fn runs_kernels(device: &Device) -> bool {
    #[cfg(feature = "cube")]
    return matches!(device.clone().inner().as_dispatch(), DispatchDevice::Cube(_));
    #[cfg(not(feature = "cube"))]
    return {
        let _ = device;
        false
    };
}
