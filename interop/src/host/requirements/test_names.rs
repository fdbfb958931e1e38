//! The names of all tests, by reading: nothing has to be compiled.

use std::collections::BTreeMap;

use super::sources::Sources;

/// Where the tests of a name are.
pub(super) struct TestNames<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> TestNames<'a> {
    pub(super) fn find(sources: &'a Sources) -> Self {
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for file in sources.ending(".rs") {
            for name in of_file(&file.text) {
                names.entry(name).or_default().push(&file.path);
            }
        }
        Self(names)
    }

    /// Checks that there is one test of this name, `name` or `module::name` with any module on its way.
    pub(super) fn check(&self, asked: &str) -> Result<(), String> {
        let (modules, name) = asked.rsplit_once("::").unwrap_or(("", asked));
        let modules: Vec<&str> = modules.split("::").filter(|module| !module.is_empty()).collect();
        let places = self.0.get(name).map_or(&[][..], Vec::as_slice);
        let is_on_the_way = |path: &str, module: &&str| {
            let mut parts = path.trim_end_matches(".rs").split('/');
            parts.any(|part| part == *module)
        };
        let fits = |path: &&&str| modules.iter().all(|module| is_on_the_way(path, module));
        match places.iter().filter(fits).count() {
            0 => Err(format!("there is no test {asked}")),
            1 => Ok(()),
            _ => Err(format!("there are several tests {asked}: write MODULE::{name}")),
        }
    }
}

/// Functions with an attribute that ends in `test`, perhaps with arguments.
fn of_file(text: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(attribute) = line.strip_prefix("#[") {
            let path = attribute.split([']', '(']).next().unwrap_or_default();
            is_test |= path.rsplit("::").next() == Some("test");
            return None;
        }
        if line.is_empty() || line.starts_with("//") {
            return None;
        }
        let was_test = std::mem::take(&mut is_test);
        let rest = line.trim_start_matches("async ").strip_prefix("fn ")?;
        let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()?;
        was_test.then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::requirements::sources::Source;

    const FILE: &str = "#[test]\nfn one() {}\nfn none() {}\n#[tokio::test(start_paused = true)]\n/// Text.\n#[cfg(unix)]\n\
        async fn two() {}\nproptest! {\n    #[test]\n    fn three(a in 0..1) {}\n}\n";

    fn sources() -> Sources {
        let file = |path: &str, text: &str| Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        Sources {
            root: ".".into(),
            files: vec![
                file("a/src/x/tests.rs", FILE),
                file("a/src/y.rs", "#[test]\nfn one() {}\n"),
            ],
        }
    }

    #[test]
    fn tests_of_every_kind_are_known() {
        let sources = sources();
        let names = TestNames::find(&sources);
        assert_eq!(names.check("two"), Ok(()));
        assert_eq!(names.check("three"), Ok(()));
        assert_eq!(names.check("none"), Err("there is no test none".to_owned()));
    }

    #[test]
    fn two_of_one_name_are_told_apart_by_a_module() {
        let sources = sources();
        let names = TestNames::find(&sources);
        assert!(names.check("one").unwrap_err().contains("several"));
        assert_eq!(names.check("x::one"), Ok(()));
        assert_eq!(names.check("y::one"), Ok(()));
        assert_eq!(names.check("z::one"), Err("there is no test z::one".to_owned()));
    }
}
