//! What is different from seed to seed.

use scrimp_core::hash;

/// Which reports the provider gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reports {
    UsageAndCosts,
    Usage,
    Costs,
}

impl Reports {
    pub(super) const ALL: [Reports; 3] = [Reports::UsageAndCosts, Reports::Usage, Reports::Costs];
}

/// One seed's terms and reports.
#[expect(clippy::struct_excessive_bools, reason = "each is a draw of its own")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) seed: u64,
    pub(super) days: u64,
    /// In thousandths of the list price.
    pub(super) charged_permille: u64,
    pub(super) has_credit: bool,
    pub(super) has_service: bool,
    /// The zone whose days the reports have, although they say UTC.
    pub(super) zone_hours: i64,
    /// A day that is in no report.
    pub(super) missing: Option<u64>,
    pub(super) reports: Reports,
    pub(super) by_key: bool,
    pub(super) by_tier: bool,
    pub(super) by_item: bool,
    /// What passes by has a key of its own.
    pub(super) own_key: bool,
    /// The provider generates on for a while after a client has left, and bills it.
    pub(super) goes_on: bool,
}

impl Scenario {
    pub(super) fn of(seed: u64) -> Scenario {
        let draw = |about: u64, of: u64| hash::mix(hash::mix(seed) ^ about) % of;
        let one_in = |about: u64, of: u64| draw(about, of) == 0;
        Scenario {
            seed,
            days: 3 + draw(1, 3),
            charged_permille: [1_000, 1_000, 850, 930][usize::try_from(draw(2, 4)).expect("four")],
            has_credit: one_in(3, 3),
            has_service: one_in(4, 3),
            zone_hours: if one_in(5, 3) {
                [-8, 8, 9][usize::try_from(draw(6, 3)).expect("3")]
            } else {
                0
            },
            missing: one_in(7, 4).then_some(1),
            reports: match draw(8, 10) {
                0 => Reports::Usage,
                1 => Reports::Costs,
                _ => Reports::UsageAndCosts,
            },
            by_key: one_in(9, 2),
            by_tier: !one_in(10, 3),
            by_item: !one_in(11, 4),
            own_key: one_in(12, 2),
            goes_on: one_in(13, 2),
        }
    }
}
