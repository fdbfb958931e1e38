//! The project's own files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders that hold nothing a person wrote.
const SKIPPED: [&str; 5] = ["target", "corpus", "found", "artifacts", "proptest-regressions"];

/// A file with its place below the workspace's root.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

/// All code and all documents.
pub(super) struct Sources {
    pub(super) root: PathBuf,
    pub(super) files: Vec<Source>,
}

impl Sources {
    /// Reads what is below `root`, in an order that does not depend on the file system.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        read_folder(root, root, &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let root = root.to_owned();
        Ok(Self { root, files })
    }

    /// Those whose name ends so.
    pub(super) fn ending(&self, end: &str) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(move |file| file.path.ends_with(end))
    }

    pub(super) fn get(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<Source>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || SKIPPED.contains(&name.as_ref()) {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            read_folder(root, &path, files)?;
        } else if [".rs", ".md", ".proto", ".txt"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let below = path.strip_prefix(root)?.to_string_lossy().into_owned();
            files.push(Source { path: below, text });
        }
    }
    Ok(())
}
