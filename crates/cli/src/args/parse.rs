//! Values as they are typed.

use burnrec_data::{Encoding, FormatKind};
use burnrec_embedding::Placement;

pub(super) fn length(text: &str) -> Result<burnrec_data::windows::Length, String> {
    burnrec_data::windows::Length::parse(text)
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "must be a whole number of at least 1".into())
}

pub(super) fn table_rows(text: &str) -> Result<u64, String> {
    let rows: f64 = text.parse().map_err(|_| "must be a number such as 1e6".to_string())?;
    match rows.fract() == 0.0 && (1e3..=4e9).contains(&rows) {
        true => Ok(rows as u64),
        false => Err("must be a whole number in 1e3..=4e9".into()),
    }
}

pub(super) fn parse_placement(name: &str) -> Result<Placement, String> {
    match name {
        "auto" => Ok(Placement::Auto),
        "host" => Ok(Placement::Host),
        "device" => Ok(Placement::Device),
        _ => Err("the placements are auto, host, device".into()),
    }
}

pub(super) fn parse_encoding(name: &str) -> Result<Encoding, String> {
    match name {
        "utf8" => Ok(Encoding::Utf8),
        "utf16" => Ok(Encoding::Utf16),
        "latin1" => Ok(Encoding::Latin1),
        _ => Err("the encodings are utf8, utf16, latin1".into()),
    }
}

pub(super) fn parse_format(name: &str) -> Result<FormatKind, String> {
    match name {
        "csv" => Ok(FormatKind::Csv),
        "tsv" => Ok(FormatKind::Tsv),
        "parquet" => Ok(FormatKind::Parquet),
        "jsonl" => Ok(FormatKind::Jsonl),
        "libsvm" => Ok(FormatKind::Libsvm),
        _ => Err("the formats are csv, tsv, parquet, jsonl, libsvm".into()),
    }
}
