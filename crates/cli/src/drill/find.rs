//! Which scripts, and how each directory wants them run.

use std::path::{Path, PathBuf};

/// A script that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// As it is shown.
    pub(super) name: String,
    /// Whether its directory wants it run strictly.
    pub(super) strict: bool,
}

/// Files as named, and every *.pkt below directories, sorted; each once.
pub(super) fn scripts(paths: &[PathBuf]) -> Result<Vec<Found>, String> {
    let mut files = Vec::new();
    for path in paths {
        let shown = path.display();
        let meta = path
            .metadata()
            .map_err(|e| format!("{shown} cannot be read: {e}"))?;
        if !meta.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        below(path, &mut files).map_err(|e| format!("{shown} cannot be searched: {e}"))?;
        files[before..].sort();
        if files.len() == before {
            return Err(format!("{shown} has no *.pkt file in it or below"));
        }
    }
    let mut found: Vec<Found> = Vec::new();
    for path in files {
        if found.iter().any(|f| f.path == path) {
            continue;
        }
        found.push(Found {
            name: path.display().to_string(),
            strict: strict(&path)?,
            path,
        });
    }
    Ok(found)
}

fn below(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        // A symbolic link to a directory could lead back here.
        if entry.file_type()?.is_dir() {
            below(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "pkt") && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// What the nearest `drill.options` beside or above a script says.
fn strict(script: &Path) -> Result<bool, String> {
    for directory in script.ancestors().skip(1) {
        let file = directory.join("drill.options");
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let mut strict = false;
        for line in text.lines().map(str::trim) {
            match line {
                "--strict" => strict = true,
                "--lenient" => strict = false,
                line if line.is_empty() || line.starts_with("//") => {}
                other => {
                    return Err(format!(
                        "{}: expected --strict or --lenient, found `{other}`",
                        file.display()
                    ));
                }
            }
        }
        return Ok(strict);
    }
    Ok(false)
}

/// The text of a script.
pub(super) fn read(script: &Found) -> Result<String, String> {
    let bytes = std::fs::read(&script.path)
        .map_err(|e| format!("{}: it cannot be read: {e}", script.name))?;
    String::from_utf8(bytes).map_err(|_| format!("{}: it is no UTF-8 text", script.name))
}
