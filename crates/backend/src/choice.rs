//! A device as people name it: its name, and which of several.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::kind::DeviceName;

/// A device's name and number: `wgpu`, `cuda:1`. Numbers count from 0, in the order in which `burnrec devices` lists them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceChoice {
    /// What kind of device.
    pub name: DeviceName,
    /// Which of that kind; the first that answers when absent.
    pub index: Option<usize>,
}

impl From<DeviceName> for DeviceChoice {
    fn from(name: DeviceName) -> Self {
        Self { name, index: None }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name.name())?;
        self.index.map_or(Ok(()), |index| write!(f, ":{index}"))
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, index)) = text.split_once(':') else { return Ok(text.parse::<DeviceName>()?.into()) };
        let name: DeviceName = name.parse()?;
        if !name.is_numbered() {
            return Err(format!("device `{text}`: there is one `{}`, which has no number", name.name()));
        }
        match index.parse() {
            Ok(index) => Ok(Self { name, index: Some(index) }),
            Err(_) => Err(format!("device `{text}`: `{index}` is no number; write `{}:0`", name.name())),
        }
    }
}

impl JsonSchema for DeviceChoice {
    fn schema_name() -> Cow<'static, str> {
        "Device".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = DeviceName::ALL.iter().map(|d| d.name()).collect();
        json_schema!({
            "type": "string",
            "pattern": format!("^({})(:[0-9]+)?$", names.join("|")),
            "description": "A device, and behind a colon which of several: \"auto\", \"wgpu\", \"cuda:1\". Numbers are those of `burnrec devices`.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_behind_a_colon_and_only_where_there_may_be_several() {
        let read = |text: &str| text.parse::<DeviceChoice>();
        assert_eq!(read("cuda:1"), Ok(DeviceChoice { name: DeviceName::Cuda, index: Some(1) }));
        assert_eq!(read("wgpu"), Ok(DeviceName::Wgpu.into()));
        for text in ["cuda:1", "wgpu:0", "auto"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert!(read("flex:1").unwrap_err().contains("has no number"));
        assert!(read("wgpu:one").unwrap_err().contains("wgpu:0"));
        assert!(read("wgpu:-1").is_err() && read("gpu:0").unwrap_err().contains("flex"));
    }
}
