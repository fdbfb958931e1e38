//! Every algorithm, with strongSwan as the customer.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::network::{Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::connection::Connection;
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::stage::{LIMIT, Stage};
use crate::guest::watch::kernel;
use crate::report::Reporter;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "algorithms",
    claim: "each cipher, PRF and group of IKE and each suite of ESP sets a tunnel up, and carries packets",
    limit: Duration::from_secs(1200),
    run,
};

/// As strongSwan's configuration says it, and as its list of SAs does.
type Words = (&'static str, &'static str);

const CIPHERS: [Words; 9] = [
    ("aes256gcm16", "AES_GCM_16-256"),
    ("aes128gcm16", "AES_GCM_16-128"),
    ("chacha20poly1305", "CHACHA20_POLY1305"),
    ("aes256-sha256", "AES_CBC-256/HMAC_SHA2_256_128"),
    ("aes256-sha384", "AES_CBC-256/HMAC_SHA2_384_192"),
    ("aes256-sha512", "AES_CBC-256/HMAC_SHA2_512_256"),
    ("aes128-sha256", "AES_CBC-128/HMAC_SHA2_256_128"),
    ("aes128-sha384", "AES_CBC-128/HMAC_SHA2_384_192"),
    ("aes128-sha512", "AES_CBC-128/HMAC_SHA2_512_256"),
];

const PRFS: [Words; 3] = [
    ("prfsha256", "PRF_HMAC_SHA2_256"),
    ("prfsha384", "PRF_HMAC_SHA2_384"),
    ("prfsha512", "PRF_HMAC_SHA2_512"),
];

const GROUPS: [Words; 6] = [
    ("x25519", "CURVE_25519"),
    ("ecp256", "ECP_256"),
    ("ecp384", "ECP_384"),
    ("modp2048", "MODP_2048"),
    ("modp3072", "MODP_3072"),
    ("modp4096", "MODP_4096"),
];

/// Suites of ESP, the kernel's algorithms, and the bits of an SA's keys with their salt.
const ESP: [(&str, &str, usize); 12] = [
    ("aes256gcm16", "rfc4106(gcm(aes))", 256 + 32),
    ("aes128gcm16", "rfc4106(gcm(aes))", 128 + 32),
    ("chacha20poly1305", "rfc7539esp(chacha20,poly1305)", 256 + 32),
    ("aes256-sha256", "cbc(aes) hmac(sha256)", 256 + 256),
    ("aes256-sha384", "cbc(aes) hmac(sha384)", 256 + 384),
    ("aes256-sha512", "cbc(aes) hmac(sha512)", 256 + 512),
    ("aes128-sha256", "cbc(aes) hmac(sha256)", 128 + 256),
    ("aes128-sha384", "cbc(aes) hmac(sha384)", 128 + 384),
    ("aes128-sha512", "cbc(aes) hmac(sha512)", 128 + 512),
    ("null-sha256", "ecb(cipher_null) hmac(sha256)", 256),
    ("null-sha384", "ecb(cipher_null) hmac(sha384)", 384),
    ("null-sha512", "ecb(cipher_null) hmac(sha512)", 512),
];

/// One tunnel's algorithms.
struct Case {
    name: String,
    ike: String,
    /// How charon lists the IKE SA's algorithms.
    listed: String,
    esp: &'static str,
    kernel: &'static str,
    key_bits: usize,
}

/// As many as the longest of the lists: in them each algorithm occurs, and no two of a kind always together.
fn cases() -> Vec<Case> {
    let of_ike = CIPHERS
        .iter()
        .cycle()
        .zip(PRFS.iter().cycle())
        .zip(GROUPS.iter().cycle());
    let cases = ESP.iter().zip(of_ike).enumerate();
    cases
        .map(
            |(number, ((esp, kernel, key_bits), ((cipher, prf), group)))| Case {
                name: format!("case{number}"),
                ike: format!("{}-{}-{}", cipher.0, prf.0, group.0),
                listed: format!("{}/{}/{}", cipher.1, prf.1, group.1),
                esp,
                kernel,
                key_bits: *key_bits,
            },
        )
        .collect()
}

fn run(reporter: &mut Reporter) -> Result<()> {
    let stage = Stage::set(Plan::default())?;
    let customer = &stage.network.customers[0];
    let tunnel = Tunnel {
        esp: ESP.map(|(name, ..)| name.to_owned()).to_vec(),
        ..Tunnel::of(customer)
    };
    stage.fleet.add(&tunnel)?;
    let cases = cases();
    let connections: Vec<_> = cases
        .iter()
        .map(|case| Connection {
            name: case.name.clone(),
            ike: case.ike.clone(),
            esp: case.esp.to_owned(),
            ..tunnel.connection(customer.outer(Outer::V4), Outer::V4)
        })
        .collect();
    let charon = Charon::start(&customer.namespace, &connections, "")?;
    for case in &cases {
        try_out(case, &stage, &charon)?;
        reporter.measured(format!("{} with ESP {}", case.ike, case.esp));
    }
    Ok(())
}

/// Sets the tunnel up, looks into every kernel, sends pings through, and takes it down.
fn try_out(case: &Case, stage: &Stage, charon: &Charon) -> Result<()> {
    let anycast = Outer::V4.anycast();
    charon.initiate(&case.name, LIMIT)?;
    let listed = charon.list_sas()?;
    ensure!(listed.contains(&case.listed), "no {} in {listed}", case.listed);
    let spi = stage.shared_spi(anycast)?;
    for edge in &stage.network.edges {
        for sa in kernel::sas(edge)? {
            ensure!(
                (sa.cipher.as_str(), sa.key_bits) == (case.kernel, case.key_bits),
                "{} has {sa:?}",
                edge.name()
            );
        }
    }
    traffic::some_gets_through(&stage.network.customers[0]).context(case.esp)?;
    charon.terminate(&case.name, LIMIT)?;
    stage.gone(anycast, spi).map(drop)
}
