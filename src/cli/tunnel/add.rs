//! `anyswan tunnel add`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use clap::{Args, value_parser};
use proto::{
    EspSuite, Identity, InterfaceName, Name, NetnsName, Sealed, Tunnel, TunnelId, TunnelSelector, limits, v1,
};
use sealing::FleetKey;
use tonic::Code;
use views::{TunnelChangeView, TunnelView};

use super::super::failure::{Failure, Kind};
use super::super::operator::{self, Client, OperatorArgs};
use super::all;
use super::credentials::{CredentialArgs, Credentials};

/// Others may take the same free number at the same moment; so often in a row nobody is that unlucky.
const TRIES: usize = 16;

/// A customer's configuration.
#[derive(Args, Debug)]
pub(in crate::cli) struct AddArgs {
    /// The operator's name for the tunnel.
    name: Name,
    /// Whom the customer's router must prove to be: an address, a domain name, user@domain, or keyid: (or key-id:)
    /// with hexadecimal digits, or a distinguished name like "C=CH, O=Acme, CN=cpe".
    #[arg(long, value_name = "ID")]
    remote_id: Identity,
    /// Whom the fleet proves to be; by default the address that the customer reached, and with certificates the subject of
    /// the fleet's own.
    #[arg(long, value_name = "ID")]
    local_id: Option<Identity>,
    #[command(flatten)]
    credentials: CredentialArgs,
    /// What lies behind the fleet: a prefix, or with a protocol and ports `10.0.0.0/8[tcp/443]`, `10.0.0.0/8[gre]`.
    #[arg(long, value_name = "SELECTOR", num_args = 1.., value_delimiter = ',', required = true)]
    local_ts: Vec<String>,
    /// What lies behind the customer, said in the same way. Its prefixes are routed into the tunnel.
    #[arg(long, value_name = "SELECTOR", num_args = 1.., value_delimiter = ',', required = true)]
    remote_ts: Vec<String>,
    /// Given to the customer if it asks for an address of its own (a virtual IP); within `--remote-ts`.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    address: Vec<IpAddr>,
    /// ESP suites the customer may use, most wanted first. One that does not encrypt (null-sha256 and so on) is used only
    /// if it is named here.
    #[arg(long, value_name = "SUITE", value_delimiter = ',', default_values_t = EspSuite::DEFAULT)]
    esp: Vec<EspSuite>,
    /// Network namespace, on every edge, of the tunnel's inner side; by default the edge's own.
    #[arg(long, value_name = "NAME")]
    netns: Option<NetnsName>,
    /// Name of the tunnel's interface on every edge; by default `swan` and the tunnel's number.
    #[arg(long, value_name = "NAME")]
    interface: Option<InterfaceName>,
    /// Of the interface, in octets; by default the kernel's.
    #[arg(long, value_name = "OCTETS", value_parser = value_parser!(u32).range(1..))]
    mtu: Option<u32>,
    /// The fleet rekeys a child SA when an edge has sent about as many octets on it; by default only by its age and the limit
    /// of packets.
    #[arg(long, value_name = "OCTETS", value_parser = value_parser!(u64).range(limits::REKEY_BYTES_LEAST..))]
    rekey_bytes: Option<u64>,
    /// Put this in the place of a tunnel of this name. Options that are not given have their defaults again; only its number
    /// and its redirect stay.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(super) fn run(args: AddArgs) -> Result<(), Failure> {
    // What can be wrong without the distributor is told before it is asked.
    let credentials = args.credentials.read(&args.remote_id, args.local_id.as_ref())?;
    tunnel(&args, &credentials, &[])?;
    let config = args.operator.load()?;
    let fleet_key = FleetKey::load(&config.fleet_key)?;

    let added = operator::call(&config, async |mut client| {
        put(&mut client, &args, &fleet_key, &credentials).await
    })?;
    let TunnelView {
        name, id, interface, ..
    } = &added.tunnel;
    let done = format!("tunnel {name} (number {id}, interface {interface})");
    super::show(&added, &done, args.operator.json)
}

/// Asks the distributor until the tunnel has a number that nobody took meanwhile.
async fn put(
    client: &mut Client,
    args: &AddArgs,
    key: &FleetKey,
    credentials: &Credentials,
) -> Result<TunnelChangeView, Failure> {
    let mut known = all(client).await?;
    for _ in 0..TRIES {
        let tunnel = tunnel(args, credentials, &known)?;
        let view = TunnelView::from(&tunnel);
        let sealed: Sealed<Tunnel> = sealing::seal_record(key, tunnel, &credentials.secret)
            .map_err(|error| Failure::new(Kind::Failed, error))?;
        let request = v1::PutTunnelRequest {
            tunnel: Some((&sealed).into()),
            replace: args.replace,
            replaced_revision: 0,
        };
        let refusal = match client.put_tunnel(request).await {
            Ok(response) => return Ok(TunnelChangeView::new(view, response.into_inner())),
            Err(status) => status,
        };
        known = all(client).await?;
        let lost_race = known
            .iter()
            .any(|other| other.id.get() == view.id && other.name != args.name);
        if refusal.code() != Code::AlreadyExists || !lost_race {
            return Err(refusal.into());
        }
    }
    Err(Failure::new(
        Kind::Failed,
        format_args!("{TRIES} times in a row somebody else took the number; try again"),
    ))
}

/// The lowest number that none of these has.
fn free_number(tunnels: &[Tunnel]) -> Result<TunnelId, Failure> {
    let used: BTreeSet<u16> = tunnels.iter().map(|tunnel| tunnel.id.get()).collect();
    (1..=u16::MAX)
        .filter(|number| !used.contains(number))
        .find_map(TunnelId::new)
        .ok_or_else(|| Failure::new(Kind::Failed, "all 65535 tunnel numbers are in use"))
}

/// The arguments as a tunnel; `proto` knows what may stand in one. Its number and its redirect it keeps, if it is `known`.
fn tunnel(args: &AddArgs, credentials: &Credentials, known: &[Tunnel]) -> Result<Tunnel, Failure> {
    let old = known.iter().find(|tunnel| tunnel.name == args.name);
    let id = old.map_or_else(|| free_number(known), |old| Ok(old.id))?;
    let interface = args
        .interface
        .as_ref()
        .map_or_else(|| format!("swan{id}"), ToString::to_string);
    let wire = v1::Tunnel {
        name: args.name.to_string(),
        id: id.get().into(),
        remote_id: Some((&args.remote_id).into()),
        local_id: credentials.local_id.as_ref().map(v1::Identity::from),
        esp: args.esp.iter().map(ToString::to_string).collect(),
        local_ts: args.local_ts.clone(),
        remote_ts: args.remote_ts.clone(),
        netns: args.netns.as_ref().map(ToString::to_string).unwrap_or_default(),
        interface,
        mtu: args.mtu.unwrap_or_default(),
        auth: v1::AuthMethod::from(credentials.auth).into(),
        addresses: args.address.iter().copied().map(proto::address_octets).collect(),
        redirect: old
            .and_then(|old| old.redirect.as_ref())
            .map(ToString::to_string)
            .unwrap_or_default(),
        rekey_bytes: args.rekey_bytes.unwrap_or_default(),
        ppk: credentials.ppk.as_ref().map(v1::Ppk::from),
    };
    let tunnel = Tunnel::try_from(wire).map_err(|error| Failure::new(Kind::Usage, error))?;
    check_selectors(&tunnel)?;
    Ok(tunnel)
}

/// Edges could not have more of them in their kernels: a range of ports becomes several.
fn check_selectors(tunnel: &Tunnel) -> Result<(), Failure> {
    let of_side = |side: &[TunnelSelector]| side.iter().map(proto::TrafficSelector::from).collect::<Vec<_>>();
    let pairs = selectors::pairs(&of_side(&tunnel.local_ts), &of_side(&tunnel.remote_ts));
    pairs
        .map(drop)
        .map_err(|error| Failure::new(Kind::Usage, format_args!("local_ts and remote_ts: {error}")))
}
