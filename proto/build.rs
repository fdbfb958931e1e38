//! Compiles the schema with protox, so that a build needs no protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schema = "proto/anyswan/v1/fleet.proto";
    println!("cargo::rerun-if-changed={schema}");
    let descriptors = protox::compile([schema], ["proto"])?;
    tonic_prost_build::configure()
        // Shared memory, so that one encoding of a record serves every stream that sends it.
        .bytes(".anyswan.v1.Sealed")
        .bytes(".anyswan.v1.Delta")
        // The derived Debug would print the keys.
        .skip_debug(
            ["ChildSaKeys", "TunnelCertificates", "TunnelSecrets"].map(|name| format!(".anyswan.v1.{name}")),
        )
        .compile_fds(descriptors)?;
    Ok(())
}
