//! Every class of bad input in files and folders: exit code 2, a message that names the place and the remedy, nothing written.

use std::io::Write;

use burnrec_tests::{click_log, experiment, job, refused, run, run_ok, skipped};

const TRAIN: &str = "epochs = 1\nbatch_size = 128";

/// Trains on `log` (a file name and its bytes) and wants all of `says` in the message.
pub(crate) fn refused_data(name: &str, bytes: &[u8], says: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    std::fs::write(folder.path().join("job.toml"), experiment(name, "lr", TRAIN)).unwrap();
    refused(folder.path(), &[], says);
}

fn with_line(number: usize, line: &str) -> Vec<u8> {
    let text = click_log(300, 1);
    let mut lines: Vec<&str> = text.lines().collect();
    lines[number - 1] = line;
    lines.join("\n").into_bytes()
}

#[test]
fn a_folder_in_the_place_of_a_file() {
    let folder = job(300, "lr", TRAIN);
    std::fs::remove_file(folder.path().join("log.csv")).unwrap();
    std::fs::create_dir(folder.path().join("log.csv")).unwrap();
    refused(folder.path(), &[], &["log.csv", "is a folder"]);
}

#[test]
fn an_empty_file() {
    refused_data("log.csv", b"", &["log.csv", "is empty"]);
    refused_data("log.csv", b"\n\n", &["log.csv", "is empty"]);
}

#[test]
fn a_header_and_nothing_else() {
    refused_data("log.csv", b"user,item,tags,price,clicked,time\n", &["log.csv", "no rows"]);
}

#[test]
fn a_column_that_is_not_there() {
    let log = click_log(300, 1).replacen("price", "prize", 1);
    refused_data("log.csv", log.as_bytes(), &["log.csv", "no column `price`", "prize"]);
}

#[test]
fn a_ragged_line() {
    refused_data("log.csv", &with_line(123, "u1,i2,t1|t1,3.5,1"), &["log.csv:123", "5 fields", "header has 6"]);
}

#[test]
fn lines_are_numbered_whatever_they_end_with_and_whatever_is_blank() {
    let text = String::from_utf8(with_line(42, "u1,i2,t1,cheap,1,9")).unwrap();
    for ends in ["\r\n", "\n", "\r"] {
        refused_data("log.csv", text.replace('\n', ends).as_bytes(), &["log.csv:42", "`cheap`"]);
        let blank = text.replacen('\n', "\n\n\n", 30).replacen("\n\n\n", "\n", 29).replace('\n', ends);
        refused_data("log.csv", blank.as_bytes(), &["log.csv:44", "`cheap`"]);
    }
    // A quoted cell of two lines before it, and no end to the last line.
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1] = "\"a\nb\",i2,t1,3.5,1,9";
    let quoted = lines.join("\n");
    for ends in ["\r\n", "\n"] {
        refused_data("log.csv", quoted.replace('\n', ends).as_bytes(), &["log.csv:43", "`cheap`"]);
    }
    let last: String = text.lines().take(42).collect::<Vec<_>>().join("\r\n");
    refused_data("log.csv", last.as_bytes(), &["log.csv:42", "`cheap`"]);
}

#[test]
fn a_number_that_is_not_one() {
    refused_data(
        "log.csv",
        &with_line(42, "u1,i2,t1,cheap,1,9"),
        &["log.csv:42", "`price`", "`cheap`", "not a number"],
    );
}

#[test]
fn nan_and_infinity() {
    for value in ["inf", "-inf", "1e999"] {
        refused_data("log.csv", &with_line(42, &format!("u1,i2,t1,{value},1,9")), &["log.csv:42", "`price`", "finite"]);
    }
}

#[test]
fn bytes_that_are_not_utf8() {
    let mut log = with_line(42, "u1,i2,@,3,1,9");
    let at = log.iter().position(|b| *b == b'@').unwrap();
    log[at] = 0xff;
    refused_data("log.csv", &log, &["log.csv:42", "`tags`", "UTF-8"]);
}

#[test]
fn a_gz_file_that_was_cut_off() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(click_log(3000, 1).as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    refused_data("log.csv.gz", &bytes[..bytes.len() / 2], &["log.csv.gz", "cut off"]);
}

#[test]
fn a_parquet_file_that_is_damaged() {
    refused_data("log.parquet", b"PAR1 this is not a parquet file PAR1", &["log.parquet", "not a readable Parquet"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    let config = burnrec_data::synthetic::SyntheticConfig { rows: 20_000, ..Default::default() };
    burnrec_data::synthetic::generate(&config, &path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle..middle + 5000].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let fields =
        "[features.fields]\nC1 = \"categorical\"\nC2 = \"categorical\"\nC3 = \"categorical\"\nI1 = \"numeric\"\n";
    let fields = (4..=26).fold(fields.to_string(), |all, c| format!("{all}C{c} = \"categorical\"\n"));
    let job = format!(
        "[data]\nsource = \"log.parquet\"\n[tasks.label]\nlabel = {{ column = \"label\" }}\n[features]\n{fields}[model.lr]\n"
    );
    std::fs::write(folder.path().join("job.toml"), job).unwrap();
    refused(folder.path(), &["--device", "flex"], &["log.parquet", "not a readable"]);
}

#[test]
fn a_label_outside_its_values() {
    refused_data(
        "log.csv",
        &with_line(42, "u1,i2,t1,3,2,9"),
        &["log.csv:42", "`clicked`", "neither 0 nor 1", "threshold"],
    );
    refused_data("log.csv", &with_line(42, "u1,i2,t1,3,maybe,9"), &["log.csv:42", "`clicked`", "maybe"]);
}

#[test]
fn a_label_of_one_class() {
    let log: String = click_log(300, 1).lines().map(|l| l.replace(",0,", ",1,") + "\n").collect();
    refused_data("log.csv", log.as_bytes(), &["`clicked`", "all", "are 1", "both classes"]);
}

#[test]
fn no_rows_on_a_side_of_the_split() {
    let folder = job(300, "lr", TRAIN);
    let rows = "user,item,tags,price,clicked,time\nu1,i1,t1,1,0,1\nu1,i2,t1,1,1,2\nu2,i1,t1,1,0,3\nu2,i2,t1,1,1,4\n";
    std::fs::write(folder.path().join("log.csv"), rows).unwrap();
    let split = "data.split={ kind = \"time\", column = \"time\", valid = 0.01, test = 0.25 }";
    refused(folder.path(), &["--set", split], &["the valid side of the split has no rows"]);
}

#[test]
fn a_device_that_is_unknown_or_not_compiled_in() {
    let folder = job(300, "lr", TRAIN);
    refused(folder.path(), &["--device", "gpu"], &["unknown device `gpu`", "flex"]);
    let missing = burnrec_backend::DeviceName::ALL.iter().find(|d| !d.is_compiled_in());
    if let Some(device) = missing {
        let outcome = run(folder.path(), &["train", "job.toml", "--out", "out", "--device", device.name()]);
        assert_eq!(outcome.code, Some(3), "{}", outcome.err);
        assert!(outcome.err.contains("--features"), "{}", outcome.err);
    }
}

#[test]
fn a_device_s_number_that_is_not_there_lists_those_that_are() {
    let folder = job(300, "lr", TRAIN);
    refused(folder.path(), &["--device", "flex:1"], &["device `flex:1`", "no number"]);
    refused(folder.path(), &["--set", "backend.device=\"wgpu:x\""], &["`x` is no number", "wgpu:0"]);
    if burnrec_backend::open(burnrec_backend::DeviceName::Wgpu).is_err() {
        return skipped("no adapter answers to wgpu");
    }
    let outcome = run(folder.path(), &["train", "job.toml", "--out", "out", "--device", "wgpu:77"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.err);
    assert!(outcome.err.contains("`wgpu:77`") && outcome.err.contains("`wgpu:0` ("), "{}", outcome.err);
    let listed = run(folder.path(), &["devices"]);
    assert!(listed.out.contains("wgpu:0"), "{}", listed.out);
}

#[test]
fn an_output_folder_that_cannot_be_written() {
    let folder = job(300, "lr", TRAIN);
    for out in ["/proc/burnrec", "job.toml/below"] {
        let outcome = run(folder.path(), &["train", "job.toml", "--out", out]);
        assert_eq!(outcome.code, Some(2), "{}", outcome.err);
        assert!(outcome.err.contains(out) && outcome.err.contains("--out"), "{}", outcome.err);
    }
}

#[test]
fn an_output_folder_that_is_full() {
    let folder = job(300, "lr", TRAIN);
    let full = folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    let mount =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&full).output();
    if !mount.is_ok_and(|m| m.status.success()) {
        return burnrec_tests::skipped("a full folder: mounting a small tmpfs is not allowed here");
    }
    let outcome = run(folder.path(), &["train", "job.toml", "--out", "full/out"]);
    let left = std::fs::read_dir(&full).unwrap().count();
    std::process::Command::new("umount").arg(&full).status().unwrap();
    assert_eq!(outcome.code, Some(2), "{}", outcome.err);
    assert!(outcome.err.contains("full/out") && outcome.err.contains("space"), "{}", outcome.err);
    assert_eq!(left, 0);
}

#[test]
fn a_run_folder_that_exists_or_is_of_another_version_or_of_another_config() {
    let folder = job(600, "lr", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "done"]);
    let again = run(folder.path(), &["train", "job.toml", "--out", "done"]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("--resume"), "{}", again.err);
    let other = run(folder.path(), &["train", "job.toml", "--out", "done", "--resume", "--set", "train.batch_size=64"]);
    assert_eq!(other.code, Some(2));
    assert!(other.err.contains("batch_size"), "{}", other.err);
    let config = folder.path().join("done/config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("run format 2", "run format 99");
    std::fs::write(&config, text).unwrap();
    for arguments in [&["evaluate", "done"][..], &["train", "job.toml", "--out", "done", "--resume"]] {
        let outcome = run(folder.path(), arguments);
        assert_eq!(outcome.code, Some(2), "{}", outcome.err);
        assert!(outcome.err.contains("format 99"), "{}", outcome.err);
    }
    let nothing = run(folder.path(), &["evaluate", "nowhere"]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.err.contains("is not a run folder"), "{}", nothing.err);
}

#[test]
fn a_checkpoint_with_a_missing_or_altered_file() {
    let folder = job(600, "fm", TRAIN);
    for damage in ["missing", "altered"] {
        let out = format!("run-{damage}");
        run_ok(folder.path(), &["train", "job.toml", "--out", &out]);
        for step in std::fs::read_dir(folder.path().join(&out).join("checkpoints"))
            .unwrap()
            .flatten()
            .filter(|e| e.path().is_dir())
        {
            let file = step.path().join("tables/factors-0.arrow");
            if damage == "missing" {
                std::fs::remove_file(&file).unwrap();
            } else {
                let mut bytes = std::fs::read(&file).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&file, bytes).unwrap();
            }
        }
        for arguments in [&["evaluate", &out][..], &["train", "job.toml", "--out", &out, "--resume"]] {
            let outcome = run(folder.path(), arguments);
            assert_eq!(outcome.code, Some(2), "{}", outcome.err);
            assert!(outcome.err.contains("factors-0.arrow") && outcome.err.contains(damage), "{}", outcome.err);
        }
    }
}

#[test]
fn predict_refuses_its_input_as_output_and_unknown_formats() {
    let folder = job(600, "lr", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "run"]);
    for (output, says) in [("log.csv", "never written"), ("out.xlsx", ".csv"), ("no/where/out.csv", "not a folder")] {
        let outcome = run(folder.path(), &["predict", "run", "--input", "log.csv", "--output", output]);
        assert_eq!(outcome.code, Some(2), "{}", outcome.err);
        assert!(outcome.err.contains(says), "{}", outcome.err);
    }
    assert!(std::fs::read_to_string(folder.path().join("log.csv")).unwrap() == click_log(600, 7));
}

#[test]
fn a_number_beyond_32_bit_floats() {
    refused_data("log.csv", &with_line(42, "u1,i2,t1,1e300,1,9"), &["log.csv:42", "`price`", "1e300"]);
}

#[test]
fn a_folder_of_other_things_and_data_that_changed() {
    let folder = job(600, "lr", TRAIN);
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/thesis.txt"), "x").unwrap();
    let outcome = run(folder.path(), &["train", "job.toml", "--out", "mine", "--resume"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.err.contains("thesis.txt"), "{}", outcome.err);
    run_ok(folder.path(), &["train", "job.toml", "--out", "run"]);
    std::fs::write(folder.path().join("log.csv"), click_log(500, 8)).unwrap();
    let outcome = run(folder.path(), &["train", "job.toml", "--out", "run", "--resume"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.err.contains("the data changed"), "{}", outcome.err);
}

#[test]
fn a_rate_that_diverges_ends_with_advice_and_code_1() {
    let folder = job(600, "mlp", TRAIN);
    let outcome = run(folder.path(), &["train", "job.toml", "--out", "out", "--set", "train.learning_rate=1e300"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.err);
    assert!(outcome.err.contains("learning_rate"), "{}", outcome.err);
}

#[test]
fn a_quote_that_is_never_closed() {
    let mut text = String::from_utf8(with_line(100, "u1,i1,t1,0.5,1,\"5")).unwrap();
    text.push('\n');
    refused_data("log.csv", text.as_bytes(), &["log.csv:100", "quote", "never closed"]);
    // A quote inside a value is a character like any other.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), with_line(100, "u1,5\" disk,t1,0.5,1,5")).unwrap();
    std::fs::write(folder.path().join("job.toml"), experiment("log.csv", "lr", TRAIN)).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
}

#[test]
fn a_number_of_more_than_64_bits_in_json() {
    let line =
        |id: &str| format!("{{\"user\":{id},\"item\":\"i\",\"tags\":[\"t\"],\"price\":1,\"clicked\":1,\"time\":1}}\n");
    let text = line("1") + &line("1e999");
    refused_data("log.jsonl", text.as_bytes(), &["log.jsonl:2", "user", "64 bits"]);
}

#[test]
fn a_join_that_finds_nothing() {
    let folder = job(300, "lr", TRAIN);
    std::fs::write(folder.path().join("side.csv"), "user,age\nx1,3\nx2,4\n").unwrap();
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let config = config.replace("[backend]", "[[data.join]]\nsource = \"side.csv\"\non = \"user\"\n[backend]");
    let config = config.replace("item = \"categorical\"", "item = \"categorical\"\nage = \"numeric\"");
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    refused(folder.path(), &[], &["log.csv", "user", "side table"]);
}

#[test]
fn settings_without_a_meaning_and_out_of_bounds() {
    let set = |setting: &str, says: &[&str]| {
        let folder = job(300, "wide_deep", TRAIN);
        refused(folder.path(), &["--set", setting], says);
    };
    set("train.prefetch=1000000000000", &["prefetch", "4096"]);
    set("train.optimizer={kind=\"sgd\",nesterov=true}", &["nesterov", "momentum"]);
    set("train.sparse={kind=\"sgd\",learning_rate=0.1,beta_1=0.5}", &["beta_1", "no meaning"]);
    set("features.fields.item={kind=\"categorical\",index=\"modulo\",buckets=9,min_count=2}", &["min_count", "modulo"]);
    set("backend.placement=device", &["placement", "flex"]);
    set("model.lr={}", &["one model"]);
}

#[test]
fn a_tab_in_a_value_that_should_become_tsv() {
    let folder = job(300, "lr", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    std::fs::write(folder.path().join("new.csv"), "user,item,tags,price,note\nu1,i1,t1,1,\"a\tb\"\n").unwrap();
    let outcome = run(folder.path(), &["predict", "out", "--input", "new.csv", "--output", "new.tsv"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.err);
    assert!(outcome.err.contains("note") && outcome.err.contains("tab"), "{}", outcome.err);
    assert!(!folder.path().join("new.tsv").exists());
}

#[test]
fn a_benchmark_of_histories_from_a_log_without_any() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(folder.path(), &["bench", "--from-disk", "1000", "--workload", "din", "--device", "flex"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.err);
    assert!(outcome.err.contains("--from-disk") && outcome.err.contains("din"), "{}", outcome.err);
    // What nothing would be measured for is not silently left out.
    for more in [&["--from-disk", "1000"][..], &["--ceilings"], &[]] {
        let outcome = run(folder.path(), &[&["bench", "--profile", "--device", "flex"], more].concat());
        assert!(outcome.err.contains("--profile"), "{more:?}: {}", outcome.err);
    }
    assert!(!outcome.out.contains("ratio"), "{}", outcome.out);
}
