//! No circles of files: what a file takes from others by `use` leads nowhere back to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burnrec_tests::workspace;

/// Every source file below a crate's `src`, by its module path: `["step", "update"]`.
fn modules(src: &Path) -> BTreeMap<Vec<String>, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![src.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let inner = path.strip_prefix(src).unwrap().with_extension("");
                let mut parts: Vec<String> = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                if ["mod", "lib", "main"].contains(&parts.last().unwrap().as_str()) {
                    parts.pop();
                }
                found.insert(parts, path);
            }
        }
    }
    found
}

/// A file without its tests. Those in a file of their own are named among what the file takes, and end nothing.
fn without_tests(text: &str) -> String {
    let text = text.replace("#[cfg(test)]\nmod tests;", "");
    text.split("#[cfg(test)]\nmod ").next().unwrap_or("").to_string()
}

/// What a file takes, without its tests: its `use` statements, with braces written out, and paths inside the code.
fn uses(text: &str) -> Vec<Vec<String>> {
    let code: String = without_tests(text)
        .lines()
        .fold(String::new(), |code, line| code + line.split("//").next().unwrap_or("") + "\n");
    let mut out = inline(&code);
    for statement in code.split(';') {
        let Some(at) = statement.rfind("use ") else { continue };
        let starts = statement[..at].lines().next_back().unwrap_or("").trim();
        if !(starts.is_empty() || starts.starts_with("pub")) {
            continue;
        }
        expand(statement[at + 4..].trim(), &mut Vec::new(), &mut out);
    }
    out
}

/// Paths from `crate::` or `super::` on that stand in the code.
fn inline(code: &str) -> Vec<Vec<String>> {
    let in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !in_path(c));
    let paths = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    let parts = |word: &str| word.split("::").filter(|p| !p.is_empty()).map(str::to_string).collect::<Vec<_>>();
    paths.map(parts).collect()
}

fn expand(text: &str, head: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    match text.split_once('{') {
        Some((first, rest)) => {
            let own: Vec<String> =
                first.split("::").map(str::trim).filter(|p| !p.is_empty()).map(str::to_string).collect();
            head.extend(own.clone());
            let (mut depth, mut start) = (0, 0);
            let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
            for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
                depth += match c {
                    '{' => 1,
                    '}' => -1,
                    _ => 0,
                };
                if c == ',' && depth == 0 {
                    expand(inner[start..at].trim(), head, out);
                    start = at + 1;
                }
            }
            head.truncate(head.len() - own.len());
        }
        None if text.is_empty() => {}
        None => {
            let path = text.split(" as ").next().unwrap_or(text);
            out.push(head.iter().cloned().chain(path.split("::").map(|p| p.trim().to_string())).collect());
        }
    }
}

/// Where each public name of a folder comes from: `pub use` statements in its `mod.rs`.
type Exports = BTreeMap<(Vec<String>, String), Vec<String>>;

/// The module that a path of a file names: the file in which what it takes stands.
fn target(
    from: &[String],
    path: &[String],
    known: &BTreeMap<Vec<String>, PathBuf>,
    exports: &Exports,
) -> Option<Vec<String>> {
    let mut base = match path.first().map(String::as_str) {
        Some("crate") => Vec::new(),
        Some("super") => from[..from.len().saturating_sub(1)].to_vec(),
        Some("self") => from.to_vec(),
        Some(first) if known.contains_key(&[from, &[first.to_string()]].concat()) => {
            [from, &[first.to_string()]].concat()
        }
        _ => return None,
    };
    for part in &path[1..] {
        if part == "super" {
            base.pop();
            continue;
        }
        let inner = [base.as_slice(), std::slice::from_ref(part)].concat();
        if known.contains_key(&inner) {
            base = inner;
        } else {
            return Some(exports.get(&(base.clone(), part.clone())).cloned().unwrap_or(base));
        }
    }
    Some(base)
}

fn circles(src: &Path) -> Vec<Vec<String>> {
    let known = modules(src);
    let texts: BTreeMap<&Vec<String>, Vec<Vec<String>>> =
        known.iter().map(|(name, path)| (name, uses(&std::fs::read_to_string(path).unwrap()))).collect();
    let mut exports = Exports::new();
    // Twice: what is taken on from a folder below stands there already.
    for _ in 0..2 {
        for (name, paths) in &texts {
            for path in paths {
                if let (Some(to), Some(last)) = (target(name, path, &known, &exports), path.last())
                    && to != **name
                {
                    exports.insert(((*name).clone(), last.clone()), to);
                }
            }
        }
    }
    let mut edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (name, paths) in &texts {
        let to = paths.iter().filter_map(|path| target(name, path, &known, &exports));
        // A folder's own file names what stands below it; that is no taking.
        let taken = to.filter(|to| to != *name && !to.starts_with(name));
        edges.entry((*name).clone()).or_default().extend(taken);
    }
    let reaches = |from: &Vec<String>| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(at) = left.pop() {
            for next in edges.get(&at).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    left.push(next.clone());
                }
            }
        }
        seen
    };
    edges.keys().filter(|name| reaches(name).contains(*name)).cloned().collect()
}

#[test]
fn no_file_leads_back_to_itself() {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(workspace().join("crates")).unwrap().flatten() {
        let found = circles(&entry.path().join("src"));
        all.extend(
            found.into_iter().map(|file| format!("{}: {}", entry.file_name().to_string_lossy(), file.join("::"))),
        );
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn a_circle_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lib.rs"), "mod a;\nmod b;\n").unwrap();
    std::fs::write(folder.path().join("a.rs"), "use crate::b::{self, B};\npub struct A;\n").unwrap();
    std::fs::write(folder.path().join("b.rs"), "use super::a::A;\npub struct B;\n").unwrap();
    assert_eq!(circles(folder.path()).len(), 2);
    std::fs::write(folder.path().join("b.rs"), "pub fn b() {\n    super::a::A;\n}\npub struct B;\n").unwrap();
    assert_eq!(circles(folder.path()).len(), 2);
    std::fs::write(folder.path().join("b.rs"), "// super::a::A\npub struct B;\n").unwrap();
    assert!(circles(folder.path()).is_empty());
    let tested = "#[cfg(test)]\nmod tests;\n\nuse super::a::A;\npub struct B;\n";
    std::fs::write(folder.path().join("b.rs"), tested).unwrap();
    assert_eq!(circles(folder.path()).len(), 2);
}

/// Names of models stand in `models` and in configs; elsewhere a model is asked what it reads.
#[test]
fn no_name_of_a_model_stands_outside_of_models_and_configs() {
    let names: Vec<&str> = burnrec_models::registered().iter().map(|m| m.name).collect();
    for room in ["record", "backend", "data", "features", "embedding", "train", "schedule", "rl", "client", "cli"] {
        for (module, path) in modules(&workspace().join("crates").join(room).join("src")) {
            let text = std::fs::read_to_string(path).unwrap();
            let code = without_tests(&text);
            for name in &names {
                assert!(!code.contains(&format!("\"{name}\"")), "{room}: {} names {name}", module.join("::"));
            }
        }
    }
}
