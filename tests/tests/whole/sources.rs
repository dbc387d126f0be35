//! Formats, partitions, sorts and splits that the other tests do not reach.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use burnrec_data::split::Dataset;
use burnrec_data::{DataConfig, Reads, RowStream, Side, SplitConfig, open, open_path};

fn parquet(path: &Path, users: &[&str], times: &[i64]) {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("user", Arc::new(StringArray::from(users.to_vec()))),
        ("time", Arc::new(Int64Array::from(times.to_vec()))),
        ("value", Arc::new(Float64Array::from(vec![0.5; users.len()]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn config(source: &str) -> DataConfig {
    toml::from_str(&format!("source = \"{source}\"")).unwrap()
}

fn texts(rows: RowStream, column: usize) -> Vec<String> {
    let text = |b: RecordBatch| {
        b.column(column).as_string::<i32>().iter().map(|t| t.unwrap_or("").to_string()).collect::<Vec<_>>()
    };
    rows.flat_map(|b| text(b.unwrap())).collect()
}

#[test]
fn a_folder_of_partitions_has_their_keys_as_columns_and_reads_only_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (day, users) in [("2026-01-02", ["c", "d"]), ("2026-01-01", ["a", "b"])] {
        let part = folder.path().join(format!("day={day}"));
        std::fs::create_dir(&part).unwrap();
        parquet(&part.join("part-0.parquet"), &users, &[1, 2]);
    }
    std::fs::write(folder.path().join("_SUCCESS"), "").unwrap();
    let source = open_path(folder.path(), &Reads::default()).unwrap();
    let names: Vec<&str> = source.columns().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["user", "time", "value", "day"]);
    let asked = ["day".to_string(), "user".to_string()];
    assert_eq!(texts(source.stream(&asked).unwrap(), 0), ["2026-01-01", "2026-01-01", "2026-01-02", "2026-01-02"]);
    assert_eq!(texts(source.stream(&asked).unwrap(), 1), ["a", "b", "c", "d"]);
    let batch = source.stream(&asked).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.num_columns(), 3, "the two asked for, and the place");
    let place = burnrec_data::positions(&batch)[1];
    assert!(source.locate(place).to_string().ends_with("day=2026-01-01/part-0.parquet, row 2"));
}

#[test]
fn typed_headers_quotes_and_zstd_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv.zst");
    let text = "\u{feff}name:token,rating:float\n\"Good, the \"\"Bad\"\"\nand the rest\",3\nplain,4\n";
    std::fs::write(&path, zstd_bytes(text.as_bytes())).unwrap();
    let source = open_path(&path, &Reads::default()).unwrap();
    assert_eq!(source.columns()[0].name, "name");
    let asked = ["name".to_string()];
    assert_eq!(texts(source.stream(&asked).unwrap(), 0), ["Good, the \"Bad\"\nand the rest", "plain"]);
    // The quoted record spans two lines: the one behind it stands on line 4.
    let batch = source.stream(&asked).unwrap().next().unwrap().unwrap();
    let lines: Vec<u64> = burnrec_data::positions(&batch).iter().map(|p| source.locate(*p).number).collect();
    assert_eq!(lines, [2, 4]);
}

/// One raw block in a zstd frame, written by hand: magic, header, block, content.
fn zstd_bytes(content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, content.len() as u8];
    let block = ((content.len() as u32) << 3) | 1;
    bytes.extend_from_slice(&block.to_le_bytes()[..3]);
    bytes.extend_from_slice(content);
    bytes
}

#[test]
fn sorting_more_rows_than_fit_in_a_run_orders_by_time_and_keeps_ties_in_file_order() {
    let folder = tempfile::tempdir().unwrap();
    let rows = 1_200_000i64;
    let times: Vec<i64> = (0..rows).map(|r| (r * 7919) % 1000).collect();
    let users: Vec<String> = (0..rows).map(|r| r.to_string()).collect();
    parquet(&folder.path().join("a.parquet"), &users.iter().map(String::as_str).collect::<Vec<_>>(), &times);
    let path = folder.path().join("a.parquet");
    let sorted = DataConfig { sort_by: Some("time".into()), ..config(path.to_str().unwrap()) };
    let source = open(&path, &sorted).unwrap();
    let (mut last, mut seen) = ((i64::MIN, 0u64), 0);
    for batch in source.stream(&["time".to_string(), "user".to_string()]).unwrap() {
        let batch = batch.unwrap();
        let times = batch.column(0).as_primitive::<Int64Type>();
        for (row, place) in burnrec_data::positions(&batch).iter().enumerate() {
            let now = (times.value(row), *place);
            assert!(now > last, "{last:?} before {now:?}");
            assert_eq!(batch.column(1).as_string::<i32>().value(row), place.to_string());
            last = now;
            seen += 1;
        }
    }
    assert_eq!(seen, rows);
}

#[test]
fn sides_of_their_own_files_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    for (name, user) in [("train.parquet", "a"), ("valid.parquet", "b"), ("test.parquet", "c")] {
        parquet(Path::new(&path(name)), &[user, user], &[1, 2]);
    }
    let split = SplitConfig::Files { valid: path("valid.parquet"), test: path("test.parquet") };
    let dataset = Dataset::open(Path::new(&path("train.parquet")), &DataConfig { split, ..config("x") }).unwrap();
    for (side, user) in [(Side::Train, "a"), (Side::Valid, "b"), (Side::Test, "c")] {
        assert_eq!(texts(dataset.stream(side, &["user".to_string()]).unwrap(), 0), [user, user]);
    }
    let all: Vec<_> = dataset.stream_sides(&["user".to_string()]).unwrap().map(|b| b.unwrap().0).collect();
    assert_eq!(all, [Side::Train, Side::Valid, Side::Test]);
}

#[test]
fn the_shared_data_sets_train_where_they_are_present() {
    let shared = burnrec_tests::workspace().join("../shared/data");
    let adult = shared.join("adult/adult.parquet.brotli");
    if !adult.is_file() {
        return burnrec_tests::skipped("training on UCI Adult: the data is not on this machine");
    }
    let folder = tempfile::tempdir().unwrap();
    let config = burnrec_tests::workspace().join("configs/adult/wide_deep.toml");
    let source = format!("data.source={}", adult.canonicalize().unwrap().display());
    let arguments = ["train", config.to_str().unwrap(), "--out", "run", "--device", "flex", "--set", &source];
    burnrec_tests::run_ok(folder.path(), &[&arguments[..], &["--set", "train.epochs=5"]].concat());
    let summary = std::fs::read_to_string(folder.path().join("run/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    // A one-hot logistic regression without marital status and relationship reaches .887.
    assert!(summary["metrics"]["test"]["auc"].as_f64().unwrap() > 0.9, "{summary}");
}
