//! How much processor time a process has had, with those of its children that it has waited for.

use std::fs;
use std::time::Duration;

/// Of this process: fields 14 to 17 of `/proc/ID/stat` (proc_pid_stat(5)), also where it has ended and nobody has waited for it.
/// None at all, if it is not there.
pub fn of(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    ticks(&stat).map_or(Duration::ZERO, |ticks| {
        Duration::from_millis(ticks * 1000 / TICKS_A_SECOND)
    })
}

/// USER_HZ, which is 100 on every architecture that Debian has (time(7)).
const TICKS_A_SECOND: u64 = 100;

fn ticks(stat: &str) -> Option<u64> {
    // The name before may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(") ")?;
    let of_user_and_kernel = fields.split(' ').skip(11).take(4);
    of_user_and_kernel.map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_time_and_that_of_children_add_up() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 100 200 0 0 1 20 300 4000 20 0 1 0 10 100 5 1";
        assert_eq!(ticks(stat), Some(4321));
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn work_takes_time() {
        let begun = of(std::process::id());
        let mut number = 1_u64;
        while of(std::process::id()) == begun {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
    }
}
