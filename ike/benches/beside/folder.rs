//! The files that a responder in another process takes its certificates from, where swanctl(8) looks for them.

use std::path::Path;
use std::{fs, io};

use crate::credentials::{Side, Sides};

const AUTHORITY: &str = "x509ca/authority";
const CERTIFICATE: &str = "x509/fleet";
const KEY: &str = "private/fleet";

/// Puts what the fleet needs into `folder`.
pub(crate) fn write(sides: &Sides, folder: &Path) -> io::Result<()> {
    fs::write(folder.join(AUTHORITY), &sides.authority)?;
    fs::write(folder.join(CERTIFICATE), &sides.fleet.certificate)?;
    fs::write(folder.join(KEY), &sides.fleet.key)
}

/// The authority and the fleet's side, from where [`write`] has put them.
pub(crate) fn read(folder: &Path) -> io::Result<(Vec<u8>, Side)> {
    let fleet = Side {
        certificate: fs::read(folder.join(CERTIFICATE))?,
        key: fs::read(folder.join(KEY))?,
    };
    Ok((fs::read(folder.join(AUTHORITY))?, fleet))
}
