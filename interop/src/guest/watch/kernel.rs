//! What a kernel holds: security associations and policies, as ip(8) shows them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::guest::host::namespace::Namespace;
use crate::guest::host::process;

const LIMIT: Duration = Duration::from_secs(20);

/// A security association in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sa {
    /// Outer source.
    pub source: IpAddr,
    /// Outer destination.
    pub destination: IpAddr,
    /// Security parameters index.
    pub spi: u32,
    /// Of the policies that use it.
    pub reqid: u32,
    /// Of the xfrm interface it belongs to.
    pub if_id: Option<u32>,
    /// Algorithms, as the kernel calls them, encryption before integrity.
    pub cipher: String,
    /// Of all its keys together.
    pub key_bits: usize,
    /// Equal where the keys are. Not the key, since these values get printed.
    pub key_print: u64,
    /// Source and destination port of ESP in UDP.
    pub encapsulation: Option<(u16, u16)>,
    /// Packets it has decrypted or encrypted.
    pub packets: u64,
    /// When it was added, to the second.
    pub added: String,
    /// Seconds after which the kernel removes it, counted from `added`.
    pub lifetime: Option<u64>,
}

/// All SAs of a namespace.
///
/// # Errors
/// ip(8) fails or says what we cannot read.
pub fn sas(namespace: &Namespace) -> Result<Vec<Sa>> {
    let text = process::check(namespace, LIMIT, Command::new("ip").args(["-s", "xfrm", "state"]))?;
    parse_sas(&text)
}

/// The SA towards `destination` with this SPI, when the kernel has it.
///
/// # Errors
/// As [`sas`].
pub fn find(namespace: &Namespace, destination: IpAddr, spi: u32) -> Result<Option<Sa>> {
    Ok(sas(namespace)?
        .into_iter()
        .find(|sa| sa.destination == destination && sa.spi == spi))
}

/// Waits until the namespace has no SA.
///
/// # Errors
/// It still has one after `limit`.
pub fn wait_until_empty(namespace: &Namespace, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        let left = sas(namespace)?;
        if left.is_empty() {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{} still has {left:?}",
            namespace.name()
        );
    }
}

/// How many policies a namespace has for each direction; socket policies are not counted.
///
/// # Errors
/// As [`sas`].
pub fn policies(namespace: &Namespace) -> Result<BTreeMap<String, usize>> {
    let text = process::check(namespace, LIMIT, Command::new("ip").args(["xfrm", "policy"]))?;
    let mut count = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if words.next() == Some("dir") {
            *count
                .entry(words.next().unwrap_or_default().to_owned())
                .or_default() += 1;
        }
    }
    Ok(count)
}

/// An SA starts at a line without indentation.
fn parse_sas(text: &str) -> Result<Vec<Sa>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with(char::is_whitespace) => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    blocks
        .iter()
        .map(|block| parse_sa(block).with_context(|| block[..block.len().min(2)].join("\n")))
        .collect()
}

fn parse_sa(lines: &[&str]) -> Result<Sa> {
    let first = lines.first().copied().unwrap_or_default();
    let second = lines.get(1).copied().unwrap_or_default();
    let spi = value(second, "spi").context("no spi")?;
    // `spi 0x00001234(4660)`
    let spi = spi.split('(').next().unwrap_or(spi);
    let reqid = value(second, "reqid").context("no reqid")?;
    let find = |key: &str| lines.iter().skip(2).find_map(|line| value(line, key));
    let line = |start: &str| {
        lines
            .iter()
            .map(|line| line.trim())
            .find(|line| line.starts_with(start))
    };
    let encapsulation = line("encap ").and_then(|text| {
        Some((
            value(text, "sport")?.parse().ok()?,
            value(text, "dport")?.parse().ok()?,
        ))
    });
    let current = lines.iter().position(|line| line.trim() == "lifetime current:");
    let current: Vec<&str> = current.map(|at| lines[at..].to_vec()).unwrap_or_default();
    let lifetime =
        line("expire add:").and_then(|text| value(text, "hard")?.strip_suffix("(sec)")?.parse().ok());
    let algorithms = ["aead ", "enc ", "auth-trunc "].map(|kind| line(kind).map(algorithm));
    let (ciphers, keys): (Vec<_>, Vec<_>) = algorithms.into_iter().flatten().unzip();
    let keys = keys.concat();
    Ok(Sa {
        source: value(first, "src").context("no src")?.parse()?,
        destination: value(first, "dst").context("no dst")?.parse()?,
        spi: parse_hex(spi)?,
        reqid: reqid.split('(').next().unwrap_or(reqid).parse()?,
        if_id: find("if_id").map(parse_hex).transpose()?,
        cipher: ciphers.join(" "),
        key_bits: keys.len() * 4,
        key_print: fingerprint(&keys),
        encapsulation,
        packets: current
            .get(1)
            .and_then(|text| packets(text))
            .context("no packets")?,
        added: current.get(2).and_then(|text| added(text)).context("no time")?,
        lifetime: lifetime.filter(|seconds| *seconds != 0),
    })
}

/// Name, and hexadecimal digits of the key: `aead rfc4106(gcm(aes)) 0x0102 (16 bits) 128`. NULL has no key.
fn algorithm(line: &str) -> (&str, &str) {
    let mut words = line.split_ascii_whitespace().skip(1);
    let name = words.next().unwrap_or_default();
    let key = words.next().and_then(|word| word.strip_prefix("0x"));
    (name, key.unwrap_or_default())
}

fn fingerprint(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The word after `key`.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut words = line.split_ascii_whitespace();
    words.find(|word| *word == key)?;
    words.next()
}

fn parse_hex(text: &str) -> Result<u32> {
    let digits = text
        .strip_prefix("0x")
        .with_context(|| format!("not hexadecimal: {text}"))?;
    Ok(u32::from_str_radix(digits, 16)?)
}

/// `  84(bytes), 1(packets)`
fn packets(line: &str) -> Option<u64> {
    line.split(", ")
        .nth(1)?
        .trim()
        .strip_suffix("(packets)")?
        .parse()
        .ok()
}

/// `  add 2026-11-21 13:48:22 use -`
fn added(line: &str) -> Option<String> {
    Some(line.trim().strip_prefix("add ")?.split(" use").next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "\
src 198.51.100.2 dst 203.0.113.1
\tproto esp spi 0x00401234(4198964) reqid 7(0x00000007) mode tunnel
\treplay-window 0 seq 0x00000000 flag af-unspec (0x00100000)
\taead rfc4106(gcm(aes)) 0x0102 (16 bits) 128
\tencap type espinudp sport 1024 dport 4500 addr 0.0.0.0
\tif_id 0x53570001
\tlifetime config:
\t  limit: soft (INF)(bytes), hard (INF)(bytes)
\t  limit: soft (INF)(packets), hard 1073741824(packets)
\t  expire add: soft 0(sec), hard 3600(sec)
\t  expire use: soft 0(sec), hard 0(sec)
\tlifetime current:
\t  84(bytes), 1(packets)
\t  add 2026-11-21 13:48:22 use 2026-11-21 13:48:23
\tstats:
\t  replay-window 0 replay 0 failed 0
src 2001:db8::1 dst 2001:db8::2
\tproto esp spi 0x0000beef(48879) reqid 8(0x00000008) mode tunnel
\tauth-trunc hmac(sha256) 0x0304 (16 bits) 128
\tenc cbc(aes) 0x05 (8 bits)
\tlifetime current:
\t  0(bytes), 0(packets)
\t  add 2026-11-21 13:48:22 use -
";

    #[test]
    fn reads_what_ip_writes() {
        let sas = parse_sas(STATE).unwrap();
        assert_eq!(sas.len(), 2);
        assert_eq!(
            (sas[0].spi, sas[0].reqid, sas[0].if_id),
            (0x0040_1234, 7, Some(0x5357_0001))
        );
        assert_eq!(sas[0].encapsulation, Some((1024, 4500)));
        assert_eq!((sas[0].packets, sas[0].lifetime), (1, Some(3600)));
        assert_eq!(sas[0].added, "2026-11-21 13:48:22");
        assert_eq!(sas[1].destination, "2001:db8::2".parse::<IpAddr>().unwrap());
        assert_eq!(
            (sas[1].encapsulation, sas[1].if_id, sas[1].lifetime),
            (None, None, None)
        );
        assert_eq!(
            (sas[0].cipher.as_str(), sas[0].key_bits),
            ("rfc4106(gcm(aes))", 16)
        );
        assert_eq!(
            (sas[1].cipher.as_str(), sas[1].key_bits),
            ("cbc(aes) hmac(sha256)", 24)
        );
        assert_ne!(sas[0].key_print, sas[1].key_print);
    }

    #[test]
    fn an_empty_kernel_has_none() {
        assert_eq!(parse_sas("").unwrap(), vec![]);
        assert!(parse_sas("something else").is_err());
    }

    #[test]
    fn no_key_is_printed() {
        let mut lines: Vec<&str> = STATE.lines().take(14).collect();
        let shown = format!("{:?}", parse_sas(&lines.join("\n")).unwrap());
        lines.truncate(6);
        let refused = format!("{:?}", parse_sas(&lines.join("\n")).unwrap_err());
        assert!(
            !shown.contains("0102") && !refused.contains("0102"),
            "{shown}\n{refused}"
        );
    }
}
