//! What a provider says that it charged for a call, where it says so.
//!
//! `xAI`: `cost_in_usd_ticks`, ten billion to the dollar, the amount billed (docs.x.ai, cost tracking).
//! `OpenRouter`: `cost`, in credits, which are dollars; with a key of the caller's own at the provider
//! behind it that is the fee alone, and `cost_details.upstream_inference_cost` is what the other
//! charges (openrouter.ai, usage accounting). A `cost` that stands alone may be in any currency, and
//! is passed over.

use scrimp_core::Usd;

use crate::scan::{Kind, Scanner, Wrong};

/// A call that costs more than this is a mistake.
const MOST: Usd = Usd::from_pico(1_000_000 * 1_000_000_000_000);
/// Pico-dollars of a tick.
const TICK: i128 = 100;

/// What was read of a charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charge {
    /// In dollars if `is_in_dollars`.
    cost: Option<Usd>,
    is_in_dollars: bool,
    /// What the provider behind this one charges whose key the caller has.
    upstream: Option<Usd>,
    is_by_own_key: bool,
    /// The amount billed, told in ticks.
    billed: Option<Usd>,
    is_bad: bool,
}

impl Charge {
    /// Reads a member of a report of usage, or passes it over.
    pub(super) fn member(&mut self, key: &[u8], scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        match key {
            b"cost" => self.cost = self.amount(scanner)?,
            b"cost_in_usd_ticks" => {
                self.billed = self.number(scanner, |text| {
                    text.parse().ok().map(|ticks: u64| Usd::from_pico(TICK * i128::from(ticks)))
                })?;
            }
            b"is_byok" if scanner.kind()? == Kind::Bool => {
                self.is_in_dollars = true;
                self.is_by_own_key = *scanner.scalar()? == *b"true";
            }
            b"cost_details" if scanner.kind()? == Kind::Object => {
                self.is_in_dollars = true;
                let mut members = scanner.enter_object()?;
                while let Some(member) = scanner.member(&mut members)? {
                    match member.key.is(b"upstream_inference_cost") {
                        true => self.upstream = self.amount(scanner)?,
                        false => drop(scanner.skip()?),
                    }
                }
            }
            _ => drop(scanner.skip()?),
        }
        Ok(())
    }

    /// What is known after a later report.
    pub(super) fn then(&self, later: &Charge) -> Charge {
        Charge {
            cost: later.cost.or(self.cost),
            is_in_dollars: later.is_in_dollars || self.is_in_dollars,
            upstream: later.upstream.or(self.upstream),
            is_by_own_key: later.is_by_own_key || self.is_by_own_key,
            billed: later.billed.or(self.billed),
            is_bad: later.is_bad || self.is_bad,
        }
    }

    /// All of it, in dollars. With the caller's own key it is known only with both parts.
    pub(crate) fn dollars(&self) -> Option<Usd> {
        let cost = self.cost.filter(|_| self.is_in_dollars);
        let both = || Some(cost? + self.upstream?);
        self.billed.or_else(|| if self.is_by_own_key { both() } else { cost })
    }

    /// Whether an amount was no credible one, and was left out.
    pub(super) fn is_bad(&self) -> bool {
        self.is_bad
    }

    fn amount(&mut self, scanner: &mut Scanner<'_>) -> Result<Option<Usd>, Wrong> {
        self.number(scanner, |text| text.parse().ok())
    }

    /// A number; anything else is passed over.
    fn number(
        &mut self,
        scanner: &mut Scanner<'_>,
        read: impl FnOnce(&str) -> Option<Usd>,
    ) -> Result<Option<Usd>, Wrong> {
        if scanner.kind()? != Kind::Number {
            scanner.skip()?;
            return Ok(None);
        }
        let amount = std::str::from_utf8(scanner.number()?).ok().and_then(read);
        let amount = amount.filter(|amount| (Usd::ZERO..=MOST).contains(amount));
        self.is_bad |= amount.is_none();
        Ok(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::*;

    /// In dollars, and whether something was not credible.
    fn told(report: &str) -> (Option<String>, bool) {
        let report = Report::read(&mut Scanner::new(report.as_bytes())).unwrap();
        (report.charge.dollars().map(|usd| usd.to_string()), report.metering().suspect)
    }

    #[test]
    fn charges_are_read_where_their_unit_is_known() {
        for (members, expected) in [
            (r#""cost": 0.00079, "is_byok": false"#, Some("0.00079")),
            (
                r#""cost": 1.25e-05, "cost_details": {"upstream_inference_cost": null}"#,
                Some("0.0000125"),
            ),
            // The fee for a call by the caller's own key, and what the call itself costs.
            (
                r#""is_byok": true, "cost": 0.95, "cost_details": {"upstream_inference_cost": 19}"#,
                Some("19.95"),
            ),
            (r#""is_byok": true, "cost": 0.95"#, None),
            (r#""cost": 0, "is_byok": false"#, Some("0")),
            // Finer than is counted here.
            (r#""cost": 0.0000000000005000001, "is_byok": false"#, Some("0.000000000001")),
            (r#""cost_in_usd_ticks": 37756000"#, Some("0.0037756")),
            // Whose currency?
            (r#""cost": 0.5"#, None),
            (r#""cost": {"total_cost": 0.5}"#, None),
            (r#""cost": null, "is_byok": false, "cost_details": null"#, None),
        ] {
            let report = format!(r#"{{"prompt_tokens": 3, "completion_tokens": 1, {members}}}"#);
            assert_eq!(told(&report), (expected.map(str::to_owned), false), "{members}");
        }
    }

    #[test]
    fn what_cannot_be_a_charge_is_flagged_and_left_out() {
        for members in [
            r#""cost": -0.1, "is_byok": false"#,
            r#""cost": 1e30, "is_byok": false"#,
            r#""cost_in_usd_ticks": 1.5"#,
            r#""cost_in_usd_ticks": -1"#,
            r#""cost_in_usd_ticks": 99999999999999999999"#,
        ] {
            let report = format!(r#"{{"prompt_tokens": 3, "completion_tokens": 1, {members}}}"#);
            assert_eq!(told(&report), (None, true), "{members}");
        }
    }

    #[test]
    fn a_later_report_replaces_an_earlier_one() {
        let read = |text: &str| Report::read(&mut Scanner::new(text.as_bytes())).unwrap();
        let first = read(r#"{"cost": 1, "is_byok": false}"#);
        assert_eq!(first.then(&read(r#"{"cost": 2}"#)).charge.dollars(), "2".parse().ok());
        assert_eq!(first.then(&read("{}")).charge.dollars(), "1".parse().ok());
    }
}
