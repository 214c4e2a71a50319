//! The machine and the build: clock, limits, prices, dashboard.

use rustix::process::{Resource, getrlimit};
use scrimp_core::{Span, Time};

use super::Check;
use crate::config::{Config, Limits};

/// Every call takes a connection of a client's and one to a provider.
const FOR_EACH_CALL: u64 = 2;
/// Below it an application of some size finds calls refused.
const FEW: u64 = 4_096;
/// Below it a handful of calls do.
const TOO_FEW: u64 = 128;
/// Vendors change their prices about this often.
const OLD: Span = Span::from_hours(60 * 24);

/// A clock that is before the prices that were built in was never set.
pub(super) fn clock(now: Time) -> Check {
    let name = "clock";
    let built = scrimp_wire::prices::snapshot().taken;
    match built {
        Some(built) if now < built => Check::problem(
            name,
            format!("it is {} here, before this program was built", day(now)),
            "set the machine's clock: calls would be counted and priced on the wrong day",
        ),
        _ => Check::fine(name, "later than this build".to_owned()),
    }
}

pub(super) fn open_files(config: Option<&Config>) -> Check {
    limit(
        getrlimit(Resource::Nofile).current,
        config.map_or(Limits::USUAL.calls, |c| c.limits.calls),
    )
}

/// `None` is no limit.
fn limit(files: Option<u64>, calls: usize) -> Check {
    let name = "open files";
    let Some(files) = files else { return Check::fine(name, "no limit".to_owned()) };
    let at_once = (files.saturating_sub(64) / FOR_EACH_CALL).min(calls as u64);
    let found = format!("{files} in this shell, enough for {at_once} calls at the same time");
    let way_out = "ulimit -n 65536 before it starts, or LimitNOFILE=65536 in its systemd unit";
    match files {
        ..TOO_FEW => Check::problem(name, found, way_out),
        TOO_FEW..FEW if at_once < calls as u64 => Check::warning(name, found, way_out),
        _ => Check::fine(name, found),
    }
}

pub(super) fn prices(taken: Result<Option<Time>, String>, now: Time) -> Check {
    let name = "prices";
    let way_out = "`scrimp prices update FILE|URL` takes a newer list; see docs/prices.md";
    match taken {
        Err(error) => Check::problem(name, error, way_out),
        Ok(None) => Check::warning(name, "of an unknown day".to_owned(), way_out),
        Ok(Some(taken)) if taken + OLD < now => {
            Check::warning(name, format!("of {}, more than 60 days ago", day(taken)), way_out)
        }
        Ok(Some(taken)) => Check::fine(name, format!("of {}", day(taken))),
    }
}

fn day(time: Time) -> String {
    scrimp_analysis::report::day(time)
}

pub(super) fn dashboard() -> Check {
    match scrimp_dashboard::BUILT {
        true => Check::fine("dashboard", "embedded".to_owned()),
        false => Check::warning(
            "dashboard",
            "not in this build; everything else works".to_owned(),
            "build again on a machine with Node.js 20 or newer, without SCRIMP_SKIP_WEB",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn few_files_are_a_warning_unless_so_few_calls_are_taken() {
        let state = |files, calls| limit(files, calls).state;
        assert_eq!(state(Some(64), 16_384), State::Problem);
        assert_eq!(state(Some(1_024), 16_384), State::Warning);
        assert_eq!(state(Some(1_024), 100), State::Fine);
        assert_eq!(state(Some(65_536), 16_384), State::Fine);
        assert_eq!(state(None, 16_384), State::Fine);
        assert!(limit(Some(1_024), 16_384).found.contains("480 calls"));
    }

    #[test]
    fn a_clock_before_the_build_and_an_old_list_are_told() {
        let built = scrimp_wire::prices::snapshot().taken.unwrap();
        assert_eq!(clock(Time::EPOCH).state, State::Problem);
        assert_eq!(clock(built).state, State::Fine);
        assert_eq!(prices(Ok(Some(built)), built).state, State::Fine);
        assert_eq!(
            prices(Ok(Some(built)), built + OLD + Span::from_hours(1)).state,
            State::Warning
        );
        assert_eq!(prices(Err("no list".to_owned()), built).state, State::Problem);
    }
}
