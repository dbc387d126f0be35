//! Settings that cannot work: exit code 2, the line of the config and the remedy, nothing written.

use crate::bad_input::refused_data;
use burnrec_tests::{click_log, experiment, job, refused};

const TRAIN: &str = "epochs = 1\nbatch_size = 128";

/// Trains with a changed configuration.
fn refused_config(change: impl Fn(&str) -> String, says: &[&str]) {
    let folder = job(300, "wide_deep", TRAIN);
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    std::fs::write(folder.path().join("job.toml"), change(&config)).unwrap();
    refused(folder.path(), &[], says);
}

#[test]
fn a_missing_file() {
    refused_config(|c| c.replace("log.csv", "nowhere.csv"), &["nowhere.csv", "no such file"]);
}

#[test]
fn a_field_that_stands_twice() {
    refused_config(
        |c| c.replace("price = \"numeric\"", "price = \"numeric\"\nuser = \"categorical\""),
        &["job.toml:1", "duplicate key"],
    );
    let log = click_log(300, 1).replacen("time", "user", 1);
    refused_data("log.csv", log.as_bytes(), &["log.csv", "`user` appears twice"]);
}

#[test]
fn a_feature_that_is_the_label() {
    refused_config(
        |c| c.replace("price = \"numeric\"", "clicked = \"numeric\""),
        &["job.toml:15:1", "clicked", "is the label"],
    );
}

#[test]
fn a_key_that_is_unknown() {
    refused_config(|c| c.replace("epochs = 1", "epoch = 1"), &["job.toml:24:1", "unknown field `epoch`", "epochs"]);
    refused_config(|c| c.replace("[model.wide_deep]", "[model.wide_deep]\nhiden = [3]"), &["job.toml:22:1", "hiden"]);
}

#[test]
fn a_value_of_the_wrong_type() {
    refused_config(|c| c.replace("epochs = 1", "epochs = \"one\""), &["job.toml:24:10", "invalid type"]);
    for key in ["mixer", "schedule"] {
        let given = format!("epochs = 1\n{key} = \"pcgrad\"");
        refused_config(|c| c.replace("epochs = 1", &given), &["job.toml:25", "is a table with its kind"]);
    }
}

#[test]
fn a_value_out_of_range() {
    refused_config(|c| c.replace("epochs = 1", "epochs = 0"), &["job.toml:24:1", "epochs", "at least 1"]);
    refused_config(
        |c| c.replace("[model.wide_deep]", "[model.wide_deep]\ndropout = 1.5"),
        &["job.toml:22:1", "dropout"],
    );
    refused_config(|c| c.replace("valid = 0.1", "valid = 0.95"), &["job.toml:3:1", "split"]);
}

#[test]
fn a_model_that_is_unknown() {
    refused_config(
        |c| c.replace("model.wide_deep", "model.deep_wide"),
        &["job.toml:21", "unknown variant `deep_wide`", "wide_deep"],
    );
}

#[test]
fn settings_that_would_be_ignored_are_refused() {
    refused_config(
        |c| c.replace("price = \"numeric\"", "price = { kind = \"numeric\", separator = \"|\" }"),
        &["job.toml:15", "separator", "no meaning"],
    );
    // One expert's share is 1 whatever the gate says.
    let alone = "[model.moe]\nactive = 1\nload = 0.0\n";
    refused_config(
        |c| c.replace("[model.wide_deep]", alone).replace("user_x_item", "# user_x_item"),
        &["moe.active", "take 2"],
    );
}

#[test]
fn weights_that_are_the_label_or_all_zero() {
    let leak =
        "price = \"numeric\"\nleak = { kind = \"multi\", column = \"user\", weights = \"clicked\", pooling = \"sum\" }";
    refused_config(|c| c.replace("price = \"numeric\"", leak), &["job.toml:16", "is the label"]);
    refused_config(|c| c.replace("group = \"user\"", "weight = \"clicked\""), &["features.weight", "label"]);
    let zero: String = click_log(300, 1)
        .replace("time", "w")
        .lines()
        .map(|l| l.rsplit_once(',').unwrap().0.to_string() + ",0\n")
        .collect();
    let zero = zero.replacen(",0\n", ",w\n", 1);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), zero).unwrap();
    let config = experiment("log.csv", "lr", TRAIN).replace("group = \"user\"", "weight = \"w\"");
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    refused(folder.path(), &[], &["features.weight", "all training rows weigh 0"]);
}

#[test]
fn settings_that_contradict_each_other() {
    refused_config(
        |c| c.replace("label = \"clicked\"", "label = \"clicked\"\nloss = \"mse\""),
        &["job.toml:20", "bce", "numeric = true"],
    );
    let shared = "item = { column = \"item\", table = \"user\", index = \"modulo\", buckets = 7 }";
    refused_config(|c| c.replace("item = \"categorical\"", shared), &["table `user`", "must be the same"]);
}
