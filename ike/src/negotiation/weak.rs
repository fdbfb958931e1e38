//! Algorithms that are not done here because they are too weak, by name, so that a peer's operator learns what to change.

use crate::Weak;
use crate::wire::{Proposal, Protocol, TransformType};

/// The algorithms of one transform type, the weakest first: transform ID, and name as strongSwan writes it.
struct Table {
    kind: TransformType,
    counts: &'static str,
    ike_rule: &'static str,
    esp_rule: &'static str,
    algorithms: &'static [(u16, &'static str)],
}

/// What RFC 8247 and RFC 8221 forbid or advise against; and SHA-1, which they expect to be given up. NULL is here
/// because a child SA has it only where its tunnel names it.
const TABLES: [Table; 4] = [
    Table {
        kind: TransformType::KeyExchange,
        counts: "group",
        ike_rule: "RFC 8247 section 2.4",
        esp_rule: "RFC 8247 section 2.4",
        algorithms: &[
            (1, "modp768"),
            (22, "modp1024s160"),
            (2, "modp1024"),
            (5, "modp1536"),
            (23, "modp2048s224"),
            (24, "modp2048s256"),
        ],
    },
    Table {
        kind: TransformType::Encryption,
        counts: "encryption",
        ike_rule: "RFC 8247 section 2.1",
        esp_rule: "RFC 8221 section 5",
        algorithms: &[
            (11, "null"),
            (1, "des_iv64"),
            (9, "des_iv32"),
            (2, "des"),
            (4, "rc5"),
            (5, "idea"),
            (6, "cast128"),
            (7, "blowfish"),
            (8, "3idea"),
            (3, "3des"),
        ],
    },
    Table {
        kind: TransformType::Integrity,
        counts: "integrity",
        ike_rule: "RFC 8247 section 2.3",
        esp_rule: "RFC 8221 section 6",
        algorithms: &[
            (4, "keyed md5"),
            (3, "des mac"),
            (1, "md5"),
            (6, "md5_128"),
            (2, "sha1"),
            (7, "sha1_160"),
        ],
    },
    Table {
        kind: TransformType::Prf,
        counts: "PRF",
        ike_rule: "RFC 8247 section 2.2",
        esp_rule: "RFC 8247 section 2.2",
        algorithms: &[(1, "prfmd5"), (3, "prftiger"), (2, "prfsha1")],
    },
];

/// For the first transform type of which the proposals offer weak algorithms alone, the best of these.
pub(crate) fn weakness<'p, 'a: 'p>(
    protocol: Protocol,
    proposals: impl Iterator<Item = &'p Proposal<'a>> + Clone,
) -> Option<Weak> {
    TABLES.iter().find_map(|table| {
        let offered = proposals.clone().flat_map(|proposal| &proposal.transforms);
        let places = offered
            .filter(|transform| transform.kind == table.kind)
            .map(|transform| table.algorithms.iter().position(|(id, _)| *id == transform.id));
        // One that is not in the table: what is wrong is something else.
        let best = places.collect::<Option<Vec<usize>>>()?.into_iter().max()?;
        let (id, name) = table.algorithms[best];
        let rule = match protocol {
            Protocol::Esp => table.esp_rule,
            Protocol::None | Protocol::Ike | Protocol::Ah | Protocol::Other(_) => table.ike_rule,
        };
        Some(Weak::new(name, (table.counts, id), rule))
    })
}
