//! The book's commands are commands, its settings settings, and its links lead somewhere.

use burnrec_tests::{run, workspace};

fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_string(), std::fs::read_to_string(workspace().join("README.md")).unwrap())];
    for entry in std::fs::read_dir(workspace().join("docs")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            pages.push((format!("docs/{name}"), std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
    assert!(pages.len() > 10);
    pages
}

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("```{language}\n");
    text.split(&open).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn every_command_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for (page, text) in pages() {
        for line in blocks(&text, "sh").into_iter().flat_map(str::lines) {
            let plain = line.split(" #").next().unwrap_or_default();
            for command in plain.split("&&").map(str::trim).filter_map(|c| c.strip_prefix("burnrec ")) {
                // What is asked for stands before the help, and is refused there where it is unknown.
                let words: Vec<&str> = command.split_whitespace().filter(|word| *word != "|").collect();
                let outcome = run(folder.path(), &[&words[..], &["--help"]].concat());
                assert_eq!(outcome.code, Some(0), "{page}: burnrec {command}\n{}", outcome.err);
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen} commands");
}

#[test]
fn every_page_is_in_the_contents_and_links_lead_somewhere() {
    let contents = std::fs::read_to_string(workspace().join("docs/SUMMARY.md")).unwrap();
    for (page, text) in pages() {
        let name = page.rsplit('/').next().unwrap();
        assert!(page == "README.md" || name == "SUMMARY.md" || contents.contains(&format!("({name})")), "{page}");
        let folder = workspace().join(&page);
        let folder = folder.parent().unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            if target.starts_with("http") {
                continue;
            }
            let path = if file.is_empty() { workspace().join(&page) } else { folder.join(file) };
            assert!(path.exists(), "{page}: {target}");
            if !place.is_empty() {
                let other = std::fs::read_to_string(&path).unwrap();
                let slug = |line: &str| {
                    let plain = line.trim_start_matches('#').trim().to_lowercase();
                    plain
                        .chars()
                        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                        .collect::<String>()
                        .replace(' ', "-")
                };
                let found = other.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == place);
                assert!(found, "{page}: {target} has no such heading");
            }
        }
    }
}

#[test]
fn every_experiment_of_the_book_is_read() {
    let mut seen = 0;
    for (page, text) in pages() {
        for block in blocks(&text, "toml") {
            let table: toml::Table = block.parse().unwrap_or_else(|e| panic!("{page}: {e}\n{block}"));
            // Whole experiments; others are parts.
            if ["data", "features", "tasks", "model"].iter().all(|key| table.contains_key(*key)) {
                let read: Result<burnrec_train::Experiment, _> = toml::from_str(block);
                read.unwrap_or_else(|e| panic!("{page}: {e}\n{block}"))
                    .check()
                    .unwrap_or_else(|e| panic!("{page}: {e}"));
                seen += 1;
            }
        }
    }
    assert!(seen >= 2, "{seen} experiments");
}
