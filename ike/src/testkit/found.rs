//! What fuzzing (`interop/fuzz`) has found is in `ike/fuzz/found`, a folder for each target, and is played again here, after the
//! samples that fuzzing begins with.

use std::fs;
use std::path::Path;

#[test]
fn what_fuzzing_has_found_stays_fixed() {
    for (target, play) in [
        ("decode", crate::wire::exercise as fn(&[u8])),
        ("exchange", crate::testkit::exercise::exercise),
    ] {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        assert!(
            play_all(&fuzz.join("corpus").join(target), play) >= 5,
            "{target}: samples"
        );
        play_all(&fuzz.join("found").join(target), play);
    }
}

/// Plays what is in the folder, and counts it.
fn play_all(folder: &Path, play: impl Fn(&[u8])) -> usize {
    let cases = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths: Vec<_> = cases.map(|case| case.unwrap().path()).collect();
    for path in &paths {
        println!("{}", path.display());
        play(&fs::read(path).unwrap());
    }
    paths.len()
}
