//! `interop/demo`: the main story as it happens, and its figures at the end.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{Table, presets};

use super::lab::{self, Event, On};
use super::{build, show};
use crate::report::{Count, Figures, Said};
use crate::scenarios::docs::story;

/// Plays the story, shows its figures, writes them to `json`, and returns how many scenarios failed: none or one.
///
/// # Errors
/// The program does not compile, the machine fails, or `json` cannot be written.
pub fn run(json: Option<&Path>) -> Result<usize> {
    let product = build::product()?;
    println!(
        "Booting a virtual machine with Debian's stock kernel, a fleet, and a stock strongSwan as the customer."
    );
    let mut figures = None;
    let names = [story::SCENARIO.name.to_owned()];
    let failed = lab::play(product, &names, On::Stock, |event| {
        show::event(&event, false);
        if let Event::Said {
            said: Said::Figures(measured),
            ..
        } = event
        {
            figures = Some(measured);
        }
    })?;
    if let Some(figures) = figures {
        println!("\n{}", summary(&figures));
        if let Some(file) = json {
            write(&figures, file)?;
        }
    }
    Ok(failed)
}

fn write(figures: &Figures, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(figures)?;
    fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
}

/// One row an edge, then what is true of them all.
fn summary(figures: &Figures) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["edge", "SA installed after", "pings answered", "SA revoked after"]);
    for edge in &figures.edges {
        let mark = if *edge == figures.owner { " (owner)" } else { "" };
        table.add_row([
            format!("{edge}{mark}"),
            milliseconds(figures.installed_ms.get(edge)),
            figures.ping.get(edge).map_or_else(unknown, answered),
            milliseconds(figures.revoke_ms.get(edge)),
        ]);
    }
    let flip = &figures.flip;
    let flow = Count {
        sent: flip.sent,
        received: flip.received,
    };
    format!(
        "{table}\n\n\
         handshake:  {:.1} ms; the reply left {} every edge had the SA\n\
         switching:  {} packets answered, {:.0} a second for {:.0} s, while the network changed the edge {} times",
        figures.handshake_ms,
        if figures.barrier_held { "after" } else { "BEFORE" },
        answered(&flow),
        flip.packets_per_second,
        flip.seconds,
        flip.switches,
    )
}

fn milliseconds(figure: Option<&f64>) -> String {
    figure.map_or_else(unknown, |value| format!("{value:.1} ms"))
}

fn answered(count: &Count) -> String {
    format!("{} of {}", count.received, count.sent)
}

fn unknown() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Flip;

    fn figures() -> Figures {
        let both = |first, second| [("e1".to_owned(), first), ("e2".to_owned(), second)].into();
        let count = |received| Count { sent: 10, received };
        Figures {
            edges: vec!["e1".into(), "e2".into()],
            owner: "e2".into(),
            handshake_ms: 41.26,
            installed_ms: both(20.0, 22.5),
            ping: [("e1".to_owned(), count(10)), ("e2".to_owned(), count(9))].into(),
            flip: Flip {
                sent: 2000,
                received: 1999,
                switches: 6,
                packets_per_second: 99.8,
                seconds: 20.04,
            },
            revoke_ms: [("e1".to_owned(), 80.0)].into(),
            barrier_held: false,
        }
    }

    #[test]
    fn the_summary_hides_no_loss() {
        let text = summary(&figures());
        let row = |edge: &str| {
            text.lines()
                .find(|line| line.trim_start().starts_with(edge))
                .unwrap()
                .to_owned()
        };
        assert!(row("e2 (owner)").contains("9 of 10"), "{text}");
        assert!(row("e1").contains("80.0 ms"), "{text}");
        assert!(row("e2").trim_end().ends_with('-'), "not revoked there: {text}");
        assert!(text.contains("1999 of 2000"), "{text}");
        assert!(text.contains("left BEFORE every edge"), "{text}");
    }

    #[test]
    fn the_file_has_the_names_that_scripts_read() {
        let value = serde_json::to_value(figures()).unwrap();
        let names: Vec<&String> = value.as_object().unwrap().keys().collect();
        let promised = [
            "barrier_held",
            "edges",
            "flip",
            "handshake_ms",
            "installed_ms",
            "owner",
            "ping",
            "revoke_ms",
        ];
        assert_eq!(names, promised);
        assert_eq!(value["flip"]["sent"], 2000);
        assert_eq!(value["ping"]["e2"]["received"], 9);
    }
}
