//! One value, written in every format and type that can hold it: one id, one number, one moment.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;
use burnrec_data::value::Values;
use burnrec_data::{Reads, Source, open_path, time_values};
use burnrec_tests::{job, run, run_ok, summary};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DRAWS: usize = 60;

fn parquet(path: &Path, array: ArrayRef) {
    let batch = RecordBatch::try_from_iter([("v", array)]).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// What each row of a file's only column is: its id, and its number.
fn read(path: &Path) -> (Vec<String>, Vec<Option<f64>>) {
    let source = open_path(path, &Reads::default()).unwrap_or_else(|e| panic!("{e}"));
    let (mut ids, mut numbers) = (Vec::new(), Vec::new());
    for batch in source.stream(&["v".to_string()]).unwrap() {
        let batch = batch.unwrap();
        ids.extend(burnrec_features::ids(&batch, &*source, "v").unwrap());
        let values = Values::of(batch.column(0)).unwrap();
        numbers.extend((0..values.len()).map(|row| values.number(row).unwrap_or(None)));
    }
    (ids, numbers)
}

/// Writes values as text in every format, and as arrays in Parquet; all must be what the first is.
fn agree(what: &str, texts: &[Vec<String>], json: &[String], arrays: Vec<ArrayRef>, numbers: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (number, texts) in texts.iter().enumerate() {
        for (extension, quoted) in [("csv", false), ("csv", true), ("tsv", false)] {
            let path = folder.path().join(format!("t{number}-{quoted}.{extension}"));
            let cell = |t: &String| if quoted { format!("\"{t}\"\n") } else { format!(" {t} \n") };
            std::fs::write(&path, format!("v\n{}", texts.iter().map(cell).collect::<String>())).unwrap();
            paths.push(path);
        }
    }
    let path = folder.path().join("j.jsonl");
    std::fs::write(&path, json.iter().map(|v| format!("{{\"v\":{v}}}\n")).collect::<String>()).unwrap();
    paths.push(path);
    for (number, array) in arrays.into_iter().enumerate() {
        let path = folder.path().join(format!(
            "p{number}-{}.parquet",
            format!("{:?}", array.data_type()).chars().filter(|c| c.is_alphanumeric()).take(20).collect::<String>()
        ));
        parquet(&path, array);
        paths.push(path);
    }
    let first = read(&paths[0]);
    for path in &paths[1..] {
        let found = read(path);
        assert_eq!(found.0, first.0, "{what}: ids of {}", path.display());
        if numbers {
            assert_eq!(found.1, first.1, "{what}: numbers of {}", path.display());
        }
    }
}

#[test]
fn whole_numbers() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let small: Vec<i64> = (0..DRAWS).map(|_| rng.random_range(-100..100)).collect();
    let texts = |values: &[i64]| values.iter().map(i64::to_string).collect::<Vec<_>>();
    let floats: Vec<String> = small.iter().map(|v| format!("{v}.0")).collect();
    let dictionary: DictionaryArray<Int32Type> = texts(&small).iter().map(String::as_str).collect();
    let bytes: Vec<Vec<u8>> = texts(&small).into_iter().map(String::into_bytes).collect();
    let decimal = small.iter().map(|v| i128::from(*v) * 100).collect::<Decimal128Array>();
    agree(
        "small",
        &[texts(&small), floats.clone()],
        &floats,
        vec![
            Arc::new(Int8Array::from_iter_values(small.iter().map(|v| *v as i8))),
            Arc::new(Int32Array::from_iter_values(small.iter().map(|v| *v as i32))),
            Arc::new(Float32Array::from_iter_values(small.iter().map(|v| *v as f32))),
            Arc::new(Float64Array::from_iter_values(small.iter().map(|v| *v as f64))),
            Arc::new(decimal.with_precision_and_scale(12, 2).unwrap()),
            Arc::new(LargeStringArray::from_iter_values(texts(&small))),
            Arc::new(StringViewArray::from_iter_values(texts(&small))),
            Arc::new(StringArray::from_iter_values(&floats)),
            Arc::new(BinaryArray::from_iter_values(&bytes)),
            Arc::new(BinaryViewArray::from_iter_values(&bytes)),
            Arc::new(dictionary),
        ],
        true,
    );
    let large: Vec<i64> = (0..DRAWS).map(|_| rng.random_range(1 << 52..i64::MAX)).collect();
    agree(
        "large",
        &[texts(&large)],
        &texts(&large),
        vec![
            Arc::new(Int64Array::from(large.clone())),
            Arc::new(UInt64Array::from_iter_values(large.iter().map(|v| *v as u64))),
            Arc::new(
                large
                    .iter()
                    .map(|v| i128::from(*v))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(38, 0)
                    .unwrap(),
            ),
        ],
        true,
    );
}

#[test]
fn fractions_truths_and_moments() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let narrow: Vec<f32> =
        (0..DRAWS).map(|_| (rng.random_range(-1000.0..1000.0f32) * 8.0).round() / 80.0 + 0.01).collect();
    let texts: Vec<String> = narrow.iter().map(f32::to_string).collect();
    agree(
        "narrow floats",
        std::slice::from_ref(&texts),
        &texts,
        vec![
            Arc::new(Float32Array::from(narrow.clone())),
            Arc::new(Float64Array::from_iter_values(narrow.iter().map(|v| f64::from(*v)))),
        ],
        false,
    );
    let wide: Vec<f64> = (0..DRAWS).map(|_| rng.random_range(0.001..1000.0)).collect();
    let texts: Vec<String> = wide.iter().map(f64::to_string).collect();
    agree("wide floats", std::slice::from_ref(&texts), &texts, vec![Arc::new(Float64Array::from(wide))], true);
    let truths: Vec<bool> = (0..DRAWS).map(|_| rng.random()).collect();
    let spelled =
        |yes: &str, no: &str| truths.iter().map(|t| if *t { yes } else { no }.to_string()).collect::<Vec<_>>();
    agree(
        "truths",
        &[spelled("true", "false"), spelled("True", "False"), spelled("TRUE", "FALSE")],
        &spelled("true", "false"),
        vec![Arc::new(BooleanArray::from(truths.clone()))],
        true,
    );
    let days: Vec<i32> = (0..DRAWS).map(|_| rng.random_range(0..25_000)).collect();
    let of_days: Vec<i64> = days.iter().map(|d| i64::from(*d) * 86_400).collect();
    let seconds: Vec<i64> = (0..DRAWS).map(|_| rng.random_range(0..2_000_000_000)).collect();
    for (what, seconds) in [("days", of_days), ("moments", seconds)] {
        let shown = |form: &str| -> Vec<String> {
            let texts: Vec<String> = seconds.iter().map(|s| burnrec_data::time_text(s * 1_000_000_000)).collect();
            texts
                .into_iter()
                .map(|t| {
                    if t.len() == 10 {
                        t
                    } else {
                        form.replace("{}", &t).replace('T', if form.ends_with('Z') { "T" } else { " " })
                    }
                })
                .collect()
        };
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(TimestampSecondArray::from(seconds.clone())),
            Arc::new(
                TimestampMillisecondArray::from_iter_values(seconds.iter().map(|s| s * 1_000)).with_timezone("UTC"),
            ),
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(seconds.iter().map(|s| s * 1_000_000))
                    .with_timezone("America/New_York"),
            ),
            Arc::new(TimestampNanosecondArray::from_iter_values(seconds.iter().map(|s| s * 1_000_000_000))),
        ];
        if what == "days" {
            arrays.push(Arc::new(Date32Array::from(days.clone())));
        }
        let json: Vec<String> = shown("{}Z").iter().map(|t| format!("\"{t}\"")).collect();
        agree(what, &[shown("{}Z"), shown("{}"), shown("{}+00:00")], &json, arrays.clone(), true);
        // As times they are the moment too, and so are counts of any unit.
        let folder = tempfile::tempdir().unwrap();
        let later: Vec<i64> = seconds.iter().map(|s| s + 100_000_000).collect();
        let counts = [1, 1_000, 1_000_000, 1_000_000_000]
            .map(|unit| Arc::new(Int64Array::from_iter_values(later.iter().map(|s| s * unit))) as ArrayRef);
        for (number, array) in counts.into_iter().enumerate() {
            let path = folder.path().join(format!("{number}.parquet"));
            parquet(&path, array);
            let source = open_path(&path, &Reads::default()).unwrap();
            let batch = source.stream(&["v".to_string()]).unwrap().next().unwrap().unwrap();
            let found = time_values(&batch, "v", &*source).unwrap();
            assert!(found.iter().zip(&later).all(|(a, b)| *a == b * 1_000_000_000), "{what} {number}");
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn open(folder: &Path, name: &str) -> Arc<dyn Source> {
    open_path(&folder.join(name), &Reads::default()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_columns_are_those_of_all_parts_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "parts/a.csv", "v,early\n1,x\n");
    write(folder.path(), "parts/b.csv", "late,v\ny,2\n");
    write(folder.path(), "parts/c.csv", "v\n");
    write(folder.path(), "parts/_SUCCESS", "");
    let source = open(folder.path(), "parts");
    let names: Vec<&str> = source.columns().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["v", "early", "late"]);
    let rows: Vec<RecordBatch> = source.stream(&["late".into(), "v".into()]).unwrap().map(Result::unwrap).collect();
    let text =
        |batch: &RecordBatch, column: usize| Values::of(batch.column(column)).unwrap().text(0).map(|t| t.into_owned());
    assert_eq!((text(&rows[0], 0), text(&rows[1], 0), text(&rows[1], 1)), (None, Some("y".into()), Some("2".into())));
    // Types drift between parts: a value is what it was. A list is no value.
    std::fs::create_dir(folder.path().join("drift")).unwrap();
    parquet(&folder.path().join("drift/a.parquet"), Arc::new(Int64Array::from(vec![7, 8])));
    parquet(&folder.path().join("drift/b.parquet"), Arc::new(Float64Array::from(vec![7.0, 0.5])));
    assert_eq!(read(&folder.path().join("drift")).0, ["7", "8", "7", "0.5"]);
    let list = arrow::array::ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>([Some(vec![Some(1)])]);
    parquet(&folder.path().join("drift/c.parquet"), Arc::new(list));
    let source = open(folder.path(), "drift");
    let error = source.stream(&["v".to_string()]).err().unwrap().to_string();
    assert!(error.contains("a.parquet") && error.contains("c.parquet") && error.contains("`v`"), "{error}");
    // Keys of JSON may come on any line.
    let lines: String = (0..1500)
        .map(|i| {
            if i < 1200 {
                format!("{{\"v\":{i},\"tags\":null}}\n")
            } else {
                format!("{{\"v\":{i},\"tags\":[\"a\"],\"coupon\":1}}\n")
            }
        })
        .collect();
    write(folder.path(), "late.jsonl", &lines);
    let source = open(folder.path(), "late.jsonl");
    assert!(source.column("coupon").is_ok() && source.column("tags").unwrap().data_type.is_nested());
}

#[test]
fn delimiters_may_be_long_and_packing_is_told_by_the_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let ratings = b"1::\"Caf\xe9\" (1998): a::5\n2::B:: 3\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, ratings).unwrap();
    let packed = packed.finish().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let open = |name: &str| {
        let mut config = burnrec_data::DataConfig::of(name);
        config.text.names = Some(["user", "title", "stars"].map(Into::into).to_vec());
        (config.text.delimiter, config.text.encoding) = (Some("::".into()), Some(burnrec_data::Encoding::Latin1));
        burnrec_data::open(&folder.path().join(name), &config)
    };
    write("ratings.csv", ratings);
    write("ratings.csv.gz", &packed);
    for name in ["ratings.csv", "ratings.csv.gz"] {
        let source = open(name).unwrap();
        let batch = source.stream(&["title".into(), "stars".into()]).unwrap().next().unwrap().unwrap();
        let [title, stars] = [0, 1].map(|column| Values::of(batch.column(column)).unwrap());
        assert_eq!(title.text(0).as_deref(), Some("\"Café\" (1998): a"), "{name}");
        assert_eq!((title.text(1).as_deref(), stars.text(1).as_deref()), (Some("B"), Some("3")), "{name}");
    }
    write("plain.csv.gz", ratings);
    write("packed.csv", &packed);
    for name in ["plain.csv.gz", "packed.csv"] {
        let refused = open(name).err().unwrap().to_string();
        assert!(refused.contains(name) && refused.contains("gzip") && refused.contains("first bytes"), "{refused}");
    }
}

#[test]
fn explosions_ranges_of_indices_and_parts_of_moments_are_columns() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..400)
        .map(|i| {
            format!("u{}\t2024-01-{:02} {:02}:00:00\tN{}-{} N{}-0\n", i % 9, 1 + i / 20, i % 24, i % 7, i % 2, i % 5)
        })
        .collect();
    write(folder.path(), "log.tsv", &lines);
    let config = "[data]\nsource = \"log.tsv\"\ntext = { names = [\"user\", \"time\", \"items\"] }\nexplode = { column = \"items\", by = \"-\", into = [\"item\", \"clicked\"] }\nsplit = { kind = \"day\", column = \"time\", valid_days = 2, test_days = 2 }\n[features.fields]\nuser = \"categorical\"\nitem = \"categorical\"\nhour = { kind = \"categorical\", column = \"time\", part = \"hour\" }\nday = { kind = \"categorical\", column = \"time\", part = \"weekday\" }\n[tasks.click]\nlabel = \"clicked\"\n[model.lr]\n[train]\nepochs = 2\n";
    write(folder.path(), "job.toml", config);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--device", "flex"]);
    let rows = summary(&folder.path().join("out")).rows;
    assert_eq!((rows["train"], rows["valid"], rows["test"]), (640, 80, 80));
    run_ok(folder.path(), &["predict", "out", "--input", "log.tsv", "--output", "p.csv"]);
    let scored = std::fs::read_to_string(folder.path().join("p.csv")).unwrap();
    assert_eq!(scored.lines().count(), 801);
    assert!(scored.starts_with("user,time,item,clicked,prediction\nu0,2024-01-01 00:00:00,N0,0,"), "{scored:.200}");
    // Rows to score have no outcome, or stand apart already, in whatever format.
    let flat = "user,time,item\nu0,2024-01-01 00:00:00,N0\nu0,2024-01-01 00:00:00,N0\n";
    write(folder.path(), "new/part-0.csv", flat);
    write(folder.path(), "bare.tsv", "u0\t2024-01-01 00:00:00\tN0 N0\n");
    write(folder.path(), "listed.tsv", "u0\t2024-01-01 00:00:00\t['N0', 'N0']\n");
    let scores = |text: &str| -> Vec<String> {
        text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().to_string()).collect()
    };
    let first = scores(&scored)[0].clone();
    for input in ["new", "new/part-0.csv", "bare.tsv", "listed.tsv"] {
        run_ok(folder.path(), &["predict", "out", "--input", input, "--output", "q.csv"]);
        let text = std::fs::read_to_string(folder.path().join("q.csv")).unwrap();
        assert_eq!(scores(&text), [first.clone(), first.clone()], "{input}: {text}");
    }
    write(folder.path(), "nested.tsv", "u0\t2024-01-01 00:00:00\t[['N0'], ['N1']]\n");
    let bad = run(folder.path(), &["predict", "out", "--input", "nested.tsv", "--output", "n.csv"]);
    assert!(
        bad.code == Some(2) && bad.err.contains("a list in a list") && bad.err.contains("nested.tsv:1"),
        "{}",
        bad.err
    );
    let vectors: String = (0..600).map(|i| format!("{} {}:1 {}:0.5\n", i % 2, i % 30, 40 + i % 20)).collect();
    write(folder.path(), "v.libsvm", &vectors);
    let config = "[data]\nsource = \"v.libsvm\"\nfields_by_index = { user = [0, 39], item = [40, 60] }\n[features.fields]\nuser = { kind = \"multi\", weights = \"user_values\" }\nitem = { kind = \"multi\", weights = \"item_values\" }\n[tasks.y]\nlabel = \"label\"\n[model.fm]\n[train]\nepochs = 1\n";
    write(folder.path(), "v.toml", config);
    let checked = run_ok(folder.path(), &["check", "v.toml"]);
    assert!(checked.out.contains("user (multi, sum)"), "{}", checked.out);
    run_ok(folder.path(), &["train", "v.toml", "--out", "v", "--device", "flex"]);
    let bad = run(folder.path(), &["check", "v.toml", "--set", "data.fields_by_index.item=[30, 60]"]);
    assert!(bad.code == Some(2) && bad.err.contains("fields_by_index") && bad.err.contains("shares"), "{}", bad.err);
}

#[test]
fn what_is_asked_about_may_have_no_rows_and_is_written_where_a_link_leads() {
    let folder = job(300, "lr", "epochs = 1\nbatch_size = 64\n");
    let path = |name: &str| folder.path().join(name);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    write(folder.path(), "none.csv", "user,item,tags,price\n");
    write(folder.path(), "none.jsonl", "");
    for name in ["none.csv", "none.jsonl"] {
        run_ok(folder.path(), &["predict", "out", "--input", name, "--output", "nothing.csv"]);
        assert!(std::fs::read_to_string(path("nothing.csv")).unwrap().trim_end().ends_with("prediction"));
    }
    write(folder.path(), "store/old.csv", "old");
    std::os::unix::fs::symlink("store/old.csv", path("link.csv")).unwrap();
    run_ok(folder.path(), &["predict", "out", "--input", "log.csv", "--output", "link.csv"]);
    assert!(
        path("link.csv").is_symlink() && std::fs::read_to_string(path("store/old.csv")).unwrap().contains("prediction")
    );
    std::fs::hard_link(path("log.csv"), path("same.csv")).unwrap();
    let refused = run(folder.path(), &["predict", "out", "--input", "log.csv", "--output", "same.csv"]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    // Strangers are said to be some, changed data too, and the run finds its data from elsewhere.
    write(folder.path(), "new.csv", "user,item,tags,price\nx,y,z,1\n");
    let told = run_ok(folder.path(), &["predict", "out", "--input", "new.csv", "--output", "p.csv"]);
    assert!(told.err.contains("all 1 ids of field `user` are unseen"), "{}", told.err);
    let run_path = path("out");
    let elsewhere = tempfile::tempdir().unwrap();
    let there = run_ok(elsewhere.path(), &["evaluate", run_path.to_str().unwrap()]);
    assert!(!there.err.contains("not those"), "{}", there.err);
    let log = std::fs::read_to_string(path("log.csv")).unwrap();
    write(folder.path(), "log.csv", &log.replace("i1,", "i2,"));
    let changed = run_ok(folder.path(), &["evaluate", "out"]);
    assert!(changed.err.contains("are not those that were there in training"), "{}", changed.err);
}
