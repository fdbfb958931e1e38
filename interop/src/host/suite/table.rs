//! Where the time went.

use std::cmp::Reverse;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

/// Kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Setup,
    Build,
    Checks,
    Tests,
    Fuzzing,
    Lab,
}

impl Group {
    const ALL: [Self; 6] = [
        Self::Setup,
        Self::Build,
        Self::Checks,
        Self::Tests,
        Self::Fuzzing,
        Self::Lab,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Build => "build",
            Self::Checks => "checks",
            Self::Tests => "tests",
            Self::Fuzzing => "fuzzing",
            Self::Lab => "lab",
        }
    }
}

/// A step's time.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) group: Group,
    pub(super) name: String,
    pub(super) wall: Duration,
    pub(super) processor: Duration,
}

/// Steps shorter than this are in the sums only.
const SHOWN: Duration = Duration::from_secs(1);

/// The sums of each group and the steps, the longest first. Steps run at once, so their times add up to more than `whole`.
pub(super) fn of(rows: &[Row], whole: Duration) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["where the time went", "seconds", "of processors"]);
    let mut groups: Vec<(&str, Duration, Duration)> = Group::ALL
        .into_iter()
        .map(|group| {
            let of_group = || rows.iter().filter(|row| row.group == group);
            (
                group.name(),
                of_group().map(|row| row.wall).sum::<Duration>(),
                of_group().map(|row| row.processor).sum::<Duration>(),
            )
        })
        .filter(|(_, wall, processor)| !(wall.is_zero() && processor.is_zero()))
        .collect();
    groups.sort_by_key(|(_, wall, processor)| Reverse((*processor, *wall)));
    let processors = rows.iter().map(|row| row.processor).sum();
    table.add_row(cells("the whole run", whole, processors));
    for (name, wall, processor) in groups {
        table.add_row(cells(&format!("all of {name}"), wall, processor));
    }
    let mut steps: Vec<&Row> = rows
        .iter()
        .filter(|row| row.wall.max(row.processor) >= SHOWN)
        .collect();
    steps.sort_by_key(|row| Reverse(row.wall.max(row.processor)));
    for row in steps {
        table.add_row(cells(&row.name, row.wall, row.processor));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

fn cells(name: &str, wall: Duration, processor: Duration) -> [String; 3] {
    let seconds = |time: Duration| match time {
        Duration::ZERO => "-".to_owned(),
        time => format!("{:.1}", time.as_secs_f64()),
    };
    [name.to_owned(), seconds(wall), seconds(processor)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_first_and_then_the_longest() {
        let row = |group, name: &str, wall, processor| Row {
            group,
            name: name.to_owned(),
            wall: Duration::from_millis(wall),
            processor: Duration::from_millis(processor),
        };
        let rows = [
            row(Group::Lab, "lab: a", 2000, 0),
            row(Group::Lab, "lab: b", 5000, 0),
            row(Group::Lab, "lab: short", 10, 0),
            row(Group::Build, "build", 4000, 7500),
        ];
        let text = of(&rows, Duration::from_secs(9));
        let names: Vec<&str> = text
            .lines()
            .map(|line| line.trim_start().split("  ").next().unwrap_or_default())
            .collect();
        let order = [
            "where the time went",
            "the whole run",
            "all of build",
            "all of lab",
            "build",
            "lab: b",
            "lab: a",
        ];
        assert_eq!(names, order, "{text}");
        assert!(text.contains("7.0"), "the sum of the lab's:\n{text}");
    }
}
