//! What fuzzing (`interop/fuzz`) has found is in `ike/fuzz/found`, a folder for each target, and is played again here.

use std::fs;
use std::path::Path;

#[test]
fn what_fuzzing_has_found_stays_mended() {
    play_all("decode", crate::wire::exercise);
    play_all("exchange", crate::testkit::exercise::exercise);
}

/// A target that nothing was found with has no folder.
fn play_all(target: &str, play: impl Fn(&[u8])) {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/found")
        .join(target);
    for case in fs::read_dir(found).into_iter().flatten() {
        let path = case.unwrap().path();
        println!("{}", path.display());
        play(&fs::read(path).unwrap());
    }
}
