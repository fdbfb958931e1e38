//! Config files: TOML in, checked values out.
//!
//! Every value has its final type once it is parsed ("parse, don't validate"), so a mistake is found when the file is
//! read, and the error can say where it stands and what to write instead.

#[cfg(feature = "daemon")]
mod daemon;
#[cfg(feature = "distributor")]
mod distributor;
#[cfg(feature = "edge")]
mod edge;
mod operator;
mod tls;
mod values;

use std::path::Path;

use files::FileError;
use serde::de::DeserializeOwned;
use thiserror::Error;

#[cfg(feature = "distributor")]
pub(crate) use self::distributor::DistributorConfig;
#[cfg(feature = "edge")]
pub(crate) use self::edge::EdgeConfig;
pub(crate) use self::operator::OperatorConfig;

/// Why a config file is refused.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It says something that is not understood.
    #[error("{file}:{line}: {}{message}", field.as_ref().map(|name| format!("{name}: ")).unwrap_or_default())]
    Content {
        /// The file's path.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Such as `tls.ca` or `addresses[1]`; `None` where the whole file is meant.
        field: Option<String>,
        /// What is wrong and what to write instead.
        message: String,
    },
}

/// Reads a config file.
pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    parse(&path.display().to_string(), &files::read_text(path)?)
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ConfigError> {
    let content_error = |error: &toml::de::Error, field: Option<String>| ConfigError::Content {
        file: file.to_owned(),
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        field,
        message: error.message().to_owned(),
    };
    let deserializer = toml::Deserializer::parse(text).map_err(|error| content_error(&error, None))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        content_error(error.inner(), (path != ".").then_some(path))
    })
}

/// The line, counted from 1, in which the octet at `offset` stands.
fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    1 + before.iter().filter(|&&octet| octet == b'\n').count()
}

#[cfg(test)]
#[cfg(all(feature = "edge", feature = "distributor"))]
mod tests;
