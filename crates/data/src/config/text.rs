//! Formats of files, and how text is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatKind {
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// Apache Parquet: a file, a folder, or a folder with `key=value` partitions.
    Parquet,
    /// One JSON object a line.
    Jsonl,
    /// `label index:value …` lines, as libsvm, libfm and SVMlight write them.
    Libsvm,
    /// A description of rows that are generated as they are read.
    Generated,
}

/// How text files are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// Field delimiter, one character or several such as `::`; by default `,` for CSV and a tab for TSV. With several
    /// there are no quotes, unless `quote` names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Quote character, or `"none"`; by default `"` for CSV and none for TSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Column names of a file without a header line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// The character that takes the next one's meaning within quotes: `"\\"` for files in which Spark or MySQL wrote a
    /// quote as `\"`. By default a quote is written twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escape: Option<char>,
    /// Cells that are missing values, in every column: `["NA", "\\N"]`. Empty cells always are; of numbers and times
    /// so are NaN, NULL, NA and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<Vec<String>>,
    /// How the text is written, if not in UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// How text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Most text of today.
    Utf8,
    /// Excel's Unicode text; its first bytes say in which order its bytes are.
    Utf16,
    /// ISO 8859-1.
    Latin1,
}
