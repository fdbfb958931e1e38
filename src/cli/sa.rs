//! `anyswan sa`: the security associations that the fleet holds.

mod view;

use clap::{ArgGroup, Args, Subcommand};
use proto::{Name, v1};
use views::{IkeSaView, RevokedView};

use super::failure::{Failure, Kind};
use super::operator::{self, Client, OperatorArgs};
use super::output;
use super::progress;

/// `anyswan sa ...`
#[derive(Debug, Subcommand)]
pub(super) enum SaCommand {
    /// Show all IKE SAs with their child SAs.
    List {
        /// Only those of this tunnel.
        #[arg(long, value_name = "NAME")]
        tunnel: Option<Name>,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Show one IKE SA with its child SAs, edge by edge.
    Show {
        /// As `sa list` shows it: of the IKE SA (16 digits) or of one of its child SAs (8 digits).
        spi: Spi,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// End SAs now, on every edge, and tell how long each took.
    Revoke(RevokeArgs),
}

/// What to revoke.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("target").required(true))]
pub(super) struct RevokeArgs {
    /// An IKE SA with its child SAs (16 digits), or one child SA (8 digits).
    #[arg(group = "target")]
    spi: Option<Spi>,
    /// All SAs of this tunnel. The customer may set up new ones; `tunnel remove` ends that too.
    #[arg(long, value_name = "NAME", group = "target")]
    tunnel: Option<Name>,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// An SPI as a command takes it: its length tells its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spi {
    /// The responder's SPI of an IKE SA: 16 hexadecimal digits.
    Ike(u64),
    /// The inbound SPI of a child SA: 8 hexadecimal digits.
    Child(u32),
}

impl std::str::FromStr for Spi {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let number = digits
            .bytes()
            .all(|c| c.is_ascii_hexdigit())
            .then(|| u64::from_str_radix(digits, 16).ok());
        match (digits.len(), number.flatten()) {
            (16, Some(number)) => Ok(Self::Ike(number)),
            (8, Some(number)) => u32::try_from(number)
                .map(Self::Child)
                .map_err(|error| error.to_string()),
            _ => Err("neither the 16 hexadecimal digits of an IKE SA nor the 8 of a child SA".to_owned()),
        }
    }
}

pub(super) fn run(command: SaCommand) -> Result<(), Failure> {
    match command {
        SaCommand::List { tunnel, operator } => list(tunnel.as_ref(), &operator),
        SaCommand::Show { spi, operator } => show(spi, &operator),
        SaCommand::Revoke(args) => revoke(args),
    }
}

fn list(tunnel: Option<&Name>, args: &OperatorArgs) -> Result<(), Failure> {
    let sas = operator::call(&args.load()?, async |mut client| all(&mut client, tunnel).await)?;
    if args.json {
        output::json(&sas)
    } else {
        view::print_list(&sas)
    }
}

fn show(spi: Spi, args: &OperatorArgs) -> Result<(), Failure> {
    let sas = operator::call(&args.load()?, async |mut client| all(&mut client, None).await)?;
    let Some(sa) = sas.iter().find(|sa| names(spi, sa)) else {
        return Err(Failure::new(Kind::NotFound, "the fleet has no SA with this SPI"));
    };
    if args.json {
        output::json(sa)
    } else {
        view::print_one(sa)
    }
}

/// True when the SPI is the IKE SA's or one of its child SAs'.
fn names(spi: Spi, sa: &IkeSaView) -> bool {
    match spi {
        Spi::Ike(spi) => sa.is(spi),
        Spi::Child(spi) => sa.has(spi),
    }
}

async fn all(client: &mut Client, tunnel: Option<&Name>) -> Result<Vec<IkeSaView>, Failure> {
    let request = v1::ListSasRequest {
        tunnel: tunnel.map(ToString::to_string).unwrap_or_default(),
    };
    let mut stream = client.list_sas(request).await?.into_inner();
    let mut sas = Vec::new();
    while let Some(status) = stream.message().await? {
        sas.push(IkeSaView::try_from(status).map_err(|error| Failure::new(Kind::Failed, error))?);
    }
    Ok(sas)
}

fn revoke(args: RevokeArgs) -> Result<(), Failure> {
    use v1::revoke_request::Target;
    let (target, what) = match (args.spi, args.tunnel) {
        (Some(Spi::Ike(spi)), _) => (Target::IkeSa(spi), format!("IKE SA {spi:016x} revoked")),
        (Some(Spi::Child(spi)), _) => (Target::ChildSa(spi), format!("child SA {spi:#010x} revoked")),
        (None, Some(name)) => (
            Target::Tunnel(name.to_string()),
            format!("SAs of tunnel {name} revoked"),
        ),
        (None, None) => return Err(Failure::new(Kind::Usage, "give an SPI or --tunnel")),
    };
    let request = v1::RevokeRequest { target: Some(target) };
    let response = operator::call(&args.operator.load()?, async |mut client| {
        Ok(client.revoke(request).await?.into_inner())
    })?;
    show_revoked(&what, &RevokedView::from(response), args.operator.json)
}

/// Tells how many edges have done it and how long each took.
pub(super) fn show_revoked(what: &str, revoked: &RevokedView, json: bool) -> Result<(), Failure> {
    if json {
        output::json(revoked)?;
    } else {
        let RevokedView {
            ike_sas, child_sas, ..
        } = revoked;
        progress::print(
            &format!("{what}: {ike_sas} IKE SAs and {child_sas} child SAs gone from"),
            &revoked.edges,
        )?;
    }
    progress::check(&revoked.edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_spi_tells_its_kind() {
        assert_eq!("0x00400001".parse(), Ok(Spi::Child(0x0040_0001)));
        assert_eq!("00400001".parse(), Ok(Spi::Child(0x0040_0001)));
        assert_eq!("0123456789abcdef".parse(), Ok(Spi::Ike(0x0123_4567_89ab_cdef)));
        for bad in [
            "",
            "0x",
            "4194305",
            "+0400001",
            "0123456789abcdeg",
            "00123456789abcdef",
        ] {
            assert!(bad.parse::<Spi>().is_err(), "{bad}");
        }
    }
}
