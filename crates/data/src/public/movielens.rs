//! The official MovieLens-100K archive, rewritten as tab-separated files with typed headers.
//!
//! `u.data` has no header; `u.user` and `u.item` are pipe-separated Latin-1. The columns come out as
//! `user_id item_id rating timestamp`, `user_id age gender occupation zip_code` and
//! `item_id movie_title release_year class` (genres separated by a space).

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

const GENRES: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// Reads the three tables of the archive and writes them to `to`.
pub(crate) fn convert(archive: &Path, to: &Path) -> Result<(), String> {
    let file = File::open(archive).map_err(|e| e.to_string())?;
    let mut zip = zip::ZipArchive::new(file).map_err(|e| e.to_string())?;
    let mut member = |name: &str| -> Result<String, String> {
        let mut bytes = Vec::new();
        let mut content = zip.by_name(&format!("ml-100k/{name}")).map_err(|e| format!("{name}: {e}"))?;
        content.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        Ok(bytes.into_iter().map(char::from).collect())
    };
    let ratings = member("u.data")?;
    let users = member("u.user")?.replace('|', "\t");
    let items: Vec<String> = member("u.item")?.lines().filter_map(item).collect();
    let write = |name: &str, header: &str, rows: &str| {
        fs::write(to.join(name), format!("{header}\n{}\n", rows.trim_end())).map_err(|e| e.to_string())
    };
    write("ml-100k.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float", &ratings)?;
    write("ml-100k.user", "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token", &users)?;
    write(
        "ml-100k.item",
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
        &items.join("\n"),
    )
}

fn item(line: &str) -> Option<String> {
    let fields: Vec<&str> = line.split('|').collect();
    let [id, title, date, _, _, flags @ ..] = fields.as_slice() else { return None };
    let year = date.rsplit('-').next().unwrap_or("");
    let title = title.rsplit_once(" (").map_or(*title, |(t, _)| t);
    let genres: Vec<&str> = GENRES.iter().zip(flags).filter(|(_, f)| **f == "1").map(|(g, _)| *g).collect();
    Some(format!("{id}\t{title}\t{year}\t{}", genres.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn an_archive_of_the_official_layout_becomes_the_three_tables() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.zip");
        let mut zip = zip::ZipWriter::new(File::create(&archive).unwrap());
        let flags =
            |on: &[usize]| (0..19).map(|i| if on.contains(&i) { "1" } else { "0" }).collect::<Vec<_>>().join("|");
        let item = format!("7|Caf\u{e9} (1996)|01-Jan-1996||http://x|{}\n", flags(&[5, 8]));
        let latin: Vec<u8> = item.chars().map(|c| c as u8).collect();
        for (name, bytes) in
            [("u.data", b"1\t7\t4\t88\n".to_vec()), ("u.user", b"1|24|M|writer|85711\n".to_vec()), ("u.item", latin)]
        {
            zip.start_file(format!("ml-100k/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
        zip.finish().unwrap();
        convert(&archive, folder.path()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("ml-100k.inter").lines().nth(1), Some("1\t7\t4\t88"));
        assert_eq!(read("ml-100k.user").lines().nth(1), Some("1\t24\tM\twriter\t85711"));
        assert_eq!(read("ml-100k.item").lines().nth(1), Some("7\tCaf\u{e9}\t1996\tComedy Drama"));
    }
}
