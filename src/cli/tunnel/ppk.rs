//! A post-quantum pre-shared key beside the credentials (RFC 8784).

use clap::Args;
use proto::{Ppk, PpkId, Secret};

use super::super::failure::Failure;
use super::key_file::{self, STANDARD_INPUT};

/// "The strongest practice is to ensure that any post-quantum preshared key contains at least 256 bits of entropy" (RFC
/// 8784 section 6).
const LEAST: usize = 32;

/// All of it, or nothing.
#[derive(Args, Debug)]
pub(super) struct PpkArgs {
    /// File with a post-quantum pre-shared key (RFC 8784), which is mixed into the keys of the tunnel; `-` for standard input.
    #[arg(long, value_name = "FILE", requires = "ppk_id")]
    ppk_file: Option<String>,
    /// What the customer's router calls that key.
    #[arg(long, value_name = "ID", requires = "ppk_file")]
    ppk_id: Option<PpkId>,
    /// Refuse the customer as long as its router does not use that key.
    #[arg(long, requires = "ppk_file")]
    ppk_required: bool,
}

impl PpkArgs {
    /// Whether the key comes on standard input.
    pub(super) fn is_on_standard_input(&self) -> bool {
        self.ppk_file.as_deref() == Some(STANDARD_INPUT)
    }

    /// What may be known of it, and the key; `None` without one.
    pub(super) fn read(&self) -> Result<Option<(Ppk, Secret)>, Failure> {
        let (Some(file), Some(id)) = (&self.ppk_file, &self.ppk_id) else {
            return Ok(None);
        };
        let ppk = Ppk {
            id: id.clone(),
            required: self.ppk_required,
        };
        Ok(Some((ppk, key_file::read(file, LEAST)?)))
    }
}
