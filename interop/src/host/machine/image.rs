//! The guest's root file systems, kernel and initramfs: made once, then kept under `target/lab` by what went into them.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::initramfs::Archive;
use crate::host::command::{read, run};

/// A Debian system: the release, and what it has beyond the essential packages.
#[derive(Hash)]
pub(in crate::host) struct System {
    pub(in crate::host) suite: &'static str,
    pub(in crate::host) packages: &'static [&'static str],
}

/// The guest's own.
pub(super) const GUEST: System = System {
    suite: "trixie",
    packages: &[
        "linux-image-cloud-amd64",
        "busybox-static",
        "curl",
        "iproute2",
        "iputils-ping",
        "kmod",
        "libcharon-extra-plugins",
        "libstrongswan-extra-plugins",
        "libstrongswan-standard-plugins",
        "nftables",
        "openssh-client",
        "openssh-server",
        "procps",
        "strongswan-charon",
        "strongswan-pki",
        "strongswan-swanctl",
        "sudo",
        "systemd-container",
        "tcpdump",
    ],
};

/// One beside it with a strongSwan that knows ML-KEM (6.1; trixie's 6.0 does not), to be entered by chroot.
const NEWER: System = System {
    suite: "unstable",
    packages: &[
        "libstrongswan-extra-plugins",
        "strongswan-charon",
        "strongswan-swanctl",
    ],
};

/// What the kernel needs to reach its root file system, in the order of loading; none depends on another.
const BOOT_MODULES: &[&str] = &["virtio_blk", "squashfs", "overlay"];

const ROOT: &str = "root.squashfs";
const NEWER_ROOT: &str = "newer.squashfs";

const INIT: &str = include_str!("../../../boot/init");

/// Files that a machine boots from.
#[derive(Clone, Debug)]
pub struct Image {
    /// The kernel.
    pub kernel: PathBuf,
    /// The first file system.
    pub initramfs: PathBuf,
    /// The root file system, squashfs, read-only.
    pub root: PathBuf,
    /// A second root file system, with the newer strongSwan.
    pub newer: PathBuf,
}

/// A directory below `target/lab` that is made once for what its fingerprint stands for.
pub(super) struct Cache {
    dir: PathBuf,
    lock: PathBuf,
}

impl Cache {
    /// The one of this kind and fingerprint.
    pub(super) fn new(lab_dir: &Path, kind: &str, fingerprint: u64) -> Self {
        Self {
            dir: lab_dir.join(format!("{kind}-{fingerprint:016x}")),
            lock: lab_dir.join(format!("{kind}.lock")),
        }
    }

    /// The directory, filled by `make` if it is not there.
    pub(super) fn get(&self, what: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<&Path> {
        let lab_dir = self.dir.parent().context("no directory to be in")?;
        fs::create_dir_all(lab_dir).with_context(|| format!("cannot make {}", lab_dir.display()))?;
        // Two runs at once: the second waits and finds it made.
        let lock = File::create(&self.lock)?;
        lock.lock()?;
        if !self.dir.is_dir() {
            let unfinished = self.dir.with_extension("unfinished");
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished)?;
            }
            fs::create_dir_all(&unfinished)?;
            eprintln!("lab: {what} (once)");
            make(&unfinished)?;
            fs::rename(&unfinished, &self.dir)?;
        }
        Ok(&self.dir)
    }
}

/// The image for this version of the lab, made if it is not there.
///
/// # Errors
/// A tool is missing or fails; the error carries its output.
pub fn get(lab_dir: &Path) -> Result<Image> {
    let mut hasher = DefaultHasher::new();
    (GUEST, NEWER, BOOT_MODULES, INIT).hash(&mut hasher);
    let cache = Cache::new(lab_dir, "image", hasher.finish());
    let dir = cache.get("making the guest's image", make)?;
    Ok(Image {
        kernel: dir.join("kernel"),
        initramfs: dir.join("initramfs"),
        root: dir.join(ROOT),
        newer: dir.join(NEWER_ROOT),
    })
}

fn make(dir: &Path) -> Result<()> {
    let boot = dir.join("boot");
    fs::create_dir(&boot)?;
    let hooks = [
        format!(
            "copy-out /boot /usr/lib/modules /usr/bin/busybox {}",
            boot.display()
        ),
        // The image's own initramfs is not used; ours is a hundredth of it.
        "rm -f \"$1\"/boot/initrd.img-*".to_owned(),
    ];
    make_root(&GUEST, &hooks, &dir.join(ROOT))?;
    make_root(&NEWER, &[], &dir.join(NEWER_ROOT))?;
    fs::copy(find(&boot.join("boot"), "vmlinuz-")?, dir.join("kernel"))?;
    fs::write(dir.join("initramfs"), initramfs(&boot)?)?;
    fs::remove_dir_all(&boot)?;
    Ok(())
}

/// A tar archive between the two tools, so that neither needs to be root.
fn make_root(system: &System, hooks: &[String], squashfs: &Path) -> Result<()> {
    let tar = squashfs.with_extension("tar");
    make_tar(system, hooks, &tar)?;
    run(Command::new("mksquashfs")
        .arg("-")
        .arg(squashfs)
        .args([
            "-tar",
            "-comp",
            "zstd",
            "-Xcompression-level",
            "3",
            "-quiet",
            "-no-progress",
            "-no-xattrs",
        ])
        .stdin(File::open(&tar)?))?;
    fs::remove_file(&tar)?;
    Ok(())
}

/// A tar archive of the system's root file system, made with these hooks of mmdebstrap(1).
pub(in crate::host) fn make_tar(system: &System, hooks: &[String], tar: &Path) -> Result<()> {
    let mut mmdebstrap = mmdebstrap()?;
    mmdebstrap
        .arg("--variant=apt")
        .arg(format!("--include={}", system.packages.join(",")));
    for unused in ["doc", "man", "locale"] {
        mmdebstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{unused}/*"));
    }
    // The index of unstable is good for days only, and a mirror may be behind.
    mmdebstrap.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
    for hook in hooks {
        mmdebstrap.arg(format!("--customize-hook={hook}"));
    }
    run(mmdebstrap.arg(system.suite).arg(tar).arg(mirror()?)).map(drop)
}

/// The files of a package and of what it depends on, without installing anything.
pub(super) fn extract(suite: &str, package: &str, dir: &Path) -> Result<()> {
    let mut mmdebstrap = mmdebstrap()?;
    mmdebstrap
        .arg("--variant=extract")
        .arg(format!("--include={package}"));
    run(mmdebstrap.arg(suite).arg(dir).arg(mirror()?)).map(drop)
}

fn mmdebstrap() -> Result<Command> {
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.arg("--quiet");
    if let Some(proxy) = proxy()? {
        mmdebstrap.arg(format!("--aptopt=Acquire::http::Proxy \"{proxy}\""));
    }
    Ok(mmdebstrap)
}

fn initramfs(boot: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for dir in ["bin", "dev", "proc", "modules", "image", "layer", "root"] {
        archive.directory(dir);
    }
    archive.executable("bin/busybox", &fs::read(boot.join("busybox"))?);
    archive.executable("init", INIT.as_bytes());
    for (order, module) in BOOT_MODULES.iter().enumerate() {
        let packed = find(&boot.join("modules"), &format!("{module}.ko"))?;
        let plain = run(Command::new("xz").args(["--decompress", "--stdout"]).arg(packed))?.stdout;
        archive.executable(&format!("modules/{order}-{module}.ko"), &plain);
    }
    Ok(archive.finish())
}

/// The first file below `dir` whose name starts with `prefix`.
fn find(dir: &Path, prefix: &str) -> Result<PathBuf> {
    fn search(dir: &Path, prefix: &str) -> std::io::Result<Option<PathBuf>> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                if let Some(found) = search(&entry.path(), prefix)? {
                    return Ok(Some(found));
                }
            } else if entry.file_name().to_string_lossy().starts_with(prefix) {
                return Ok(Some(entry.path()));
            }
        }
        Ok(None)
    }
    search(dir, prefix)?.with_context(|| format!("no {prefix}* in the image"))
}

/// The machine's own Debian mirror.
fn mirror() -> Result<String> {
    let targets = read(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(LABEL) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    pick_mirror(&targets).context("apt knows no Debian mirror; has `apt-get update` been run?")
}

/// From lines of label, component and URI. The label of Debian's security and backports archives differs.
fn pick_mirror(targets: &str) -> Option<String> {
    targets
        .lines()
        .find_map(|line| line.strip_prefix("Debian main "))
        .map(str::to_owned)
}

/// The proxy that the machine's apt uses, which mmdebstrap does not take over by itself.
fn proxy() -> Result<Option<String>> {
    let dump = read(Command::new("apt-config").args(["dump", "--format", "%v%n", "Acquire::http::Proxy"]))?;
    Ok(dump
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_the_mirror() {
        let targets = "Debian-Security main http://mirror.example/debian-security/\n\
                       Other main http://elsewhere.example/\n\
                       Debian contrib http://mirror.example/debian/\n\
                       Debian main http://mirror.example/debian/\n";
        assert_eq!(
            pick_mirror(targets).as_deref(),
            Some("http://mirror.example/debian/")
        );
        assert_eq!(pick_mirror("Ubuntu main http://mirror.example/ubuntu/\n"), None);
    }
}
