//! `anyswan tunnel redirect`.

use clap::Args;
use proto::{Body, Gateway, Name, Record, Sealed, Tunnel, v1};
use sealing::FleetKey;
use views::{TunnelChangeView, TunnelView};

use super::super::failure::{Failure, Kind};
use super::super::operator::{self, Client, OperatorArgs};

/// Where a customer goes.
#[derive(Args, Debug)]
pub(in crate::cli) struct RedirectArgs {
    /// The tunnel's name.
    name: Name,
    /// The other gateway: an address, or a name that the customer's router can resolve. Nobody is sent on who has come to that
    /// address, so it may be another one of the fleet. A name has to be that of a gateway elsewhere.
    #[arg(long, value_name = "ADDRESS|NAME", required_unless_present = "off")]
    to: Option<Gateway>,
    /// Send the customer nowhere any more.
    #[arg(long, conflicts_with = "to")]
    off: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(super) fn run(args: &RedirectArgs) -> Result<(), Failure> {
    let config = args.operator.load()?;
    let fleet_key = FleetKey::load(&config.fleet_key)?;
    let taken = operator::call(&config, async |mut client| {
        put(&mut client, args, &fleet_key).await
    })?;
    let done = match &args.to {
        Some(to) => format!("redirect of {} to {to}", args.name),
        None => format!("end of the redirect of {}", args.name),
    };
    super::show(&taken, &done, args.operator.json)
}

/// Puts the tunnel back as it is but for its redirect. It is sealed anew, since its header is a part of the seal.
async fn put(client: &mut Client, args: &RedirectArgs, key: &FleetKey) -> Result<TunnelChangeView, Failure> {
    let request = v1::GetTunnelRequest {
        name: args.name.to_string(),
    };
    let record = client.get_tunnel(request).await?.into_inner();
    let Record {
        revision,
        body: Body::Tunnel(old),
    } = Record::try_from(record).map_err(|error| Failure::new(Kind::Failed, error))?
    else {
        return Err(Failure::new(
            Kind::Failed,
            "the distributor's answer is no tunnel",
        ));
    };
    let secret = sealing::open_record(key, &old).map_err(|error| Failure::new(Kind::Failed, error))?;
    let tunnel = Tunnel {
        redirect: args.to.clone(),
        ..old.header().clone()
    };
    let view = TunnelView::from(&tunnel);
    let sealed: Sealed<Tunnel> =
        sealing::seal_record(key, tunnel, &secret).map_err(|error| Failure::new(Kind::Failed, error))?;
    let request = v1::PutTunnelRequest {
        tunnel: Some((&sealed).into()),
        replace: true,
        replaced_revision: revision,
    };
    Ok(TunnelChangeView::new(
        view,
        client.put_tunnel(request).await?.into_inner(),
    ))
}
