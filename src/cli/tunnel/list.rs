//! `anyswan tunnel list`.

use proto::EspSuite;
use views::TunnelView;

use super::super::failure::Failure;
use super::super::operator::{self, OperatorArgs};
use super::super::output;
use super::all;

pub(super) fn run(args: &OperatorArgs) -> Result<(), Failure> {
    let mut tunnels = operator::call(&args.load()?, async |mut client| all(&mut client).await)?;
    tunnels.sort_by(|a, b| a.name.cmp(&b.name));
    let views: Vec<_> = tunnels.iter().map(TunnelView::from).collect();
    if args.json {
        return output::json(&views);
    }
    print(&views)
}

/// A column's head, and what a tunnel has in it; `None` where it has nothing, or what the fleet does by itself.
type Column = (&'static str, fn(&TunnelView) -> Option<String>);

/// All that `tunnel add` and `tunnel redirect` take.
const COLUMNS: [Column; 14] = [
    ("NAME", |tunnel| Some(tunnel.name.clone())),
    ("ID", |tunnel| Some(tunnel.id.to_string())),
    ("REMOTE ID", |tunnel| Some(tunnel.remote_id.clone())),
    ("LOCAL ID", |tunnel| tunnel.local_id.clone()),
    ("AUTH", |tunnel| Some(auth(tunnel))),
    ("LOCAL TS", |tunnel| lines(&tunnel.local_ts)),
    ("REMOTE TS", |tunnel| lines(&tunnel.remote_ts)),
    ("ADDRESS", |tunnel| lines(&tunnel.addresses)),
    ("ESP", |tunnel| Some(esp(tunnel))),
    ("REKEY BYTES", |tunnel| {
        tunnel.rekey_bytes.as_ref().map(u64::to_string)
    }),
    ("INTERFACE", |tunnel| Some(tunnel.interface.clone())),
    ("MTU", |tunnel| tunnel.mtu.as_ref().map(u32::to_string)),
    ("NETNS", |tunnel| tunnel.netns.clone()),
    ("REDIRECT", |tunnel| tunnel.redirect.clone()),
];

/// A column in which no tunnel has anything is left out: most fleets use few of them.
fn print(tunnels: &[TunnelView]) -> Result<(), Failure> {
    let is_used =
        |(_, cell): &Column| tunnels.is_empty() || tunnels.iter().any(|tunnel| cell(tunnel).is_some());
    let columns: Vec<Column> = COLUMNS.into_iter().filter(is_used).collect();
    let head: Vec<_> = columns.iter().map(|(head, _)| *head).collect();
    let row = |tunnel: &TunnelView| -> Vec<String> {
        let cells = columns.iter().map(|(_, cell)| cell(tunnel));
        cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned())).collect()
    };
    output::table(&head, tunnels.iter().map(row))
}

fn auth(tunnel: &TunnelView) -> String {
    match &tunnel.ppk {
        None => tunnel.auth.clone(),
        Some(ppk) if ppk.required => format!("{}\nPPK {}, required", tunnel.auth, ppk.id),
        Some(ppk) => format!("{}\nPPK {}", tunnel.auth, ppk.id),
    }
}

/// The nine suites that are the default would make a table of nine lines for each tunnel.
fn esp(tunnel: &TunnelView) -> String {
    match tunnel.esp == EspSuite::DEFAULT.map(|suite| suite.to_string()) {
        true => "default".to_owned(),
        false => tunnel.esp.join("\n"),
    }
}

fn lines(items: &[impl ToString]) -> Option<String> {
    let texts: Vec<_> = items.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}
