//! Tasks that cannot work are refused, where they stand.

use burnrec_tests::refused;

const HEAD: &str =
    "[data]\nsource = \"log.csv\"\n[backend]\ndevice = \"flex\"\n[features.fields]\nitem = \"categorical\"\n";

fn refused_tasks(tasks: &str, model: &str, says: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let log = "item,click,buy\na,1,1\nb,0,0\na,1,0\nb,0,1\na,0,0\nb,1,1\n";
    std::fs::write(folder.path().join("log.csv"), log).unwrap();
    std::fs::write(folder.path().join("job.toml"), format!("{HEAD}{tasks}[model.{model}]\n")).unwrap();
    refused(folder.path(), &[], says);
}

#[test]
fn tasks_that_no_model_could_learn() {
    let click = "[tasks.click]\nlabel = \"click\"\n";
    let both = format!("{click}[tasks.buy]\nlabel = \"buy\"\n");
    refused_tasks("", "mlp", &["nothing says what is learned", "[tasks.click]"]);
    refused_tasks("[tasks]\n", "mlp", &["tasks", "nothing says what is learned"]);
    refused_tasks(&both, "fm", &["job.toml", "one head", "mmoe"]);
    refused_tasks(click, "esmm", &["job.toml", "two or more"]);
    refused_tasks(&both, "esmm", &["tasks.buy.parent", "\"click\""]);
    refused_tasks(&format!("{both}parent = \"view\"\n"), "mlp", &["job.toml", "view"]);
    refused_tasks(&format!("{both}parent = \"buy\"\n"), "mlp", &["job.toml", "buy"]);
    refused_tasks(&format!("{both}where = \"click = 1\"\n"), "mlp", &["job.toml", "where"]);
    refused_tasks(&format!("{both}where = \"views == 1\"\n"), "mlp", &["views"]);
    refused_tasks(&format!("{both}weight = 0.0\n"), "mlp", &["job.toml:11:1", "weight"]);
    refused_tasks(&format!("{both}weigth = 0.5\n"), "mlp", &["job.toml:11:1", "weigth"]);
    refused_tasks("[tasks.\"a/b\"]\nlabel = \"click\"\n", "mlp", &["plain name"]);
    refused_tasks(&format!("{both}kind = \"multi_class\"\n"), "mlp", &["job.toml:11:1", "classes"]);
}

#[test]
fn tasks_that_would_mislead() {
    let click = "[tasks.click]\nlabel = \"click\"\n";
    let both = format!("{click}[tasks.buy]\nlabel = \"buy\"\n");
    refused_tasks(
        &format!("{both}parent = \"click\"\nwhere = \"click == 1\"\n"),
        "esmm",
        &["tasks.buy.where", "remove"],
    );
    refused_tasks(&format!("{both}where = \"buy == 1\"\n"), "mlp", &["tasks.buy.where", "itself"]);
    refused_tasks(&format!("{both}row_weight = \"click\"\n"), "mlp", &["tasks.buy.row_weight", "label"]);
    let classes = "label = { column = \"click\", classes = [0, 1] }\n";
    refused_tasks(&format!("[tasks.kind]\n{classes}{click}where = \"kind == 7\"\n"), "mlp", &["`7` is no class"]);
    refused_tasks(
        &format!("[tasks.kind]\n{classes}[tasks.kind_is_1]\nlabel = \"buy\"\n"),
        "mlp",
        &["kind_is_1", "rename"],
    );
    let twice = "[tasks.kind]\nlabel = { column = \"click\", classes = [1, 1.0] }\n";
    refused_tasks(twice, "mlp", &["twice"]);
    let mixed = format!("{click}[tasks.price]\nlabel = {{ column = \"buy\", numeric = true }}\n");
    refused_tasks(&mixed, "mlp", &["train.monitor", "click.auc, price.mse"]);
    let old = "[tasks.click]\nlabel = \"click\"\n[features]\nlabel = \"click\"\n";
    refused_tasks(old, "mlp", &["unknown field `label`", "[tasks.NAME]"]);
}

#[test]
fn what_contradicts_a_parent_is_named_with_its_line() {
    let tasks = "[tasks.click]\nlabel = \"click\"\n[tasks.buy]\nlabel = \"buy\"\nparent = \"click\"\n";
    refused_tasks(tasks, "mlp", &["log.csv:5", "buy", "click"]);
}

#[test]
fn a_task_without_a_known_label_is_named() {
    let tasks = "[tasks.click]\nlabel = \"click\"\n[tasks.buy]\nlabel = \"buy\"\nwhere = \"click == 7\"\n";
    refused_tasks(tasks, "mlp", &["buy"]);
}
