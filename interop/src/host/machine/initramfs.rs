//! The archive that the kernel starts from: cpio in the "newc" format (cpio(5)).

/// An archive in the making.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

/// File type bits of `st_mode` (inode(7)).
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

impl Archive {
    /// Adds a directory, without a leading slash.
    pub fn directory(&mut self, name: &str) {
        self.entry(name, DIRECTORY | 0o755, &[]);
    }

    /// Adds an executable file, without a leading slash.
    pub fn executable(&mut self, name: &str, content: &[u8]) {
        self.entry(name, REGULAR | 0o755, content);
    }

    /// The whole archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    /// A header of thirteen eight-digit hexadecimal numbers, the name, the content; each padded to four octets.
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let inode = self.entries;
        let links = 1;
        let size = content.len();
        let name_size = name.len() + 1;
        let header = format!(
            "070701{inode:08x}{mode:08x}{owner:08x}{group:08x}{links:08x}{time:08x}{size:08x}\
             {device_major:08x}{device_minor:08x}{special_major:08x}{special_minor:08x}{name_size:08x}{checksum:08x}",
            owner = 0,
            group = 0,
            time = 0,
            device_major = 0,
            device_minor = 0,
            special_major = 0,
            special_minor = 0,
            checksum = 0,
        );
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn entries_start_on_multiples_of_four() {
        let mut archive = Archive::default();
        archive.directory("bin");
        archive.executable("bin/x", b"12345");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let magics = bytes.chunks(4).filter(|four| four == b"0707").count();
        assert_eq!(magics, 3, "two entries and the trailer");
    }

    #[test]
    fn busybox_can_list_it() {
        let mut archive = Archive::default();
        archive.directory("bin");
        archive.executable("bin/x", b"12345");
        let started = Command::new("busybox")
            .args(["cpio", "-t"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = started else { return };
        child.stdin.take().unwrap().write_all(&archive.finish()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "bin\nbin/x\n");
    }
}
