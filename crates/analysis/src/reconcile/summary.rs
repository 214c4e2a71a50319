//! What a reconciliation found, summed as asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::{Time, Usd};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::report::Account;
use super::{Cause, Confidence, Line};
use crate::report::day;

/// What totals rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What the provider says it charged.
    Paid,
    /// That for some days; for the others the provider's tokens at list price.
    PartlyPaid,
    /// The provider's tokens at list price.
    Listed,
}

/// What to sum by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Days as the report has them.
    Day,
    /// Models without their dates.
    Model,
    /// The provider's keys.
    Key,
    /// Projects or workspaces.
    Project,
}

/// All providers.
#[derive(Clone, Debug)]
pub struct Reconciliation {
    /// Each with a report, by name.
    pub providers: Vec<Reconciled>,
}

/// One provider's reports against the books.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// The provider, as its report names it.
    pub provider: Arc<str>,
    /// When the first day begins.
    pub from: Option<Time>,
    /// When the last day ends.
    pub until: Option<Time>,
    /// Days that reports cover.
    pub days: u64,
    /// How far the report's days turned out to be from those of UTC; to the east is positive.
    pub zone_minutes: i64,
    /// What `paid` rests on.
    pub basis: Basis,
    /// What was paid; where no report tells it, the list price of what was used.
    pub paid: Usd,
    /// What was computed here for the days from the first to the last.
    pub computed: Usd,
    /// `paid` less `computed`: the sum of the lines.
    pub gap: Usd,
    /// Calls here.
    pub calls: u64,
    /// Days between that no report covers.
    pub missing_days: Vec<String>,
    /// Every part of the gap.
    pub lines: Vec<Line>,
    /// What limits the figures, in sentences.
    pub notes: Vec<String>,
    pub(super) money_days: Vec<Time>,
    pub(super) charged: Vec<Paid>,
    pub(super) rows: Vec<Row>,
}

/// A cell's sums, for tables.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) day: Time,
    pub(super) model: Option<Arc<str>>,
    pub(super) project: Option<Arc<str>>,
    pub(super) key: Option<Arc<str>>,
    pub(super) calls: u64,
    pub(super) computed: Usd,
    pub(super) listed: Usd,
}

impl Default for Row {
    fn default() -> Row {
        Row {
            day: Time::EPOCH,
            model: None,
            project: None,
            key: None,
            calls: 0,
            computed: Usd::ZERO,
            listed: Usd::ZERO,
        }
    }
}

/// A line of the bill, for tables.
#[derive(Clone, Debug)]
pub(super) struct Paid {
    pub(super) day: Time,
    pub(super) model: Option<Arc<str>>,
    pub(super) account: Account,
    pub(super) usd: Usd,
}

impl Paid {
    fn name(&self, by: By) -> Option<Arc<str>> {
        match by {
            By::Day => Some(day(self.day).into()),
            By::Model => self.model.clone(),
            By::Key => self.account.key.clone(),
            By::Project => self.account.project.clone(),
        }
    }
}

/// All of one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseSum {
    /// Why.
    pub cause: Cause,
    /// How much more was paid than computed for it.
    pub usd: Usd,
    /// Input tokens beyond ours.
    pub input_tokens: i64,
    /// Output tokens beyond ours.
    pub output_tokens: i64,
    /// Calls, where all its lines know them.
    pub calls: Option<u64>,
    /// How sure most of its dollars are.
    pub confidence: Confidence,
    /// What its lines say of it, each once.
    pub why: Vec<Arc<str>>,
}

/// One day, model, key or project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Its name; `None`: the report does not divide it.
    pub name: Option<Arc<str>>,
    /// Calls here.
    pub calls: u64,
    /// What was computed here.
    pub computed: Usd,
    /// What it cost: paid where a report tells it, else the list price of what was used.
    pub total: Usd,
    /// Which of the two.
    pub basis: Basis,
    /// `total` less `computed`.
    pub gap: Usd,
}

impl Reconciled {
    /// The causes that there are, in the order of a table.
    pub fn causes(&self) -> Vec<CauseSum> {
        let of = |cause: &Cause| {
            let lines: Vec<&Line> = self.lines.iter().filter(|line| line.cause == *cause).collect();
            (!lines.is_empty()).then(|| sum(*cause, &lines))
        };
        Cause::ALL.iter().filter_map(of).collect()
    }

    /// The share of what was paid that is computed here or has a cause.
    pub fn explained_share(&self) -> Option<f64> {
        let unexplained = self.lines.iter().filter(|line| line.cause == Cause::Unexplained);
        let unexplained: f64 = unexplained.map(|line| line.usd.as_f64().abs()).sum();
        let paid = self.paid.as_f64().abs();
        (0.0 < paid).then(|| (1.0 - unexplained / paid).max(0.0))
    }

    /// The sums of each day, model, key or project.
    pub fn shares(&self, by: By) -> Vec<Share> {
        let is_paid = self.charged.iter().any(|paid| paid.name(by).is_some());
        let mut shares: BTreeMap<Option<Arc<str>>, (u64, Usd, Usd, Usd)> = BTreeMap::new();
        for row in &self.rows {
            let name = match by {
                By::Day => Some(day(row.day).into()),
                By::Model => row.model.clone(),
                By::Key => row.key.clone(),
                By::Project => row.project.clone(),
            };
            let (calls, computed, listed, _) = shares.entry(name).or_default();
            *calls += row.calls;
            *computed += row.computed;
            if !is_paid || !self.money_days.contains(&row.day) {
                *listed += row.listed;
            }
        }
        for paid in self.charged.iter().filter(|_| is_paid) {
            shares.entry(paid.name(by)).or_default().3 += paid.usd;
        }
        let share = |(name, (calls, computed, listed, paid))| Share {
            name,
            calls,
            computed,
            total: listed + paid,
            basis: match (is_paid, listed == Usd::ZERO) {
                (true, true) => Basis::Paid,
                (true, false) => Basis::PartlyPaid,
                (false, _) => Basis::Listed,
            },
            gap: listed + paid - computed,
        };
        shares.into_iter().map(share).collect()
    }
}

fn sum(cause: Cause, lines: &[&Line]) -> CauseSum {
    let mut why: Vec<Arc<str>> = lines.iter().filter_map(|line| line.why.clone()).collect();
    why.sort();
    why.dedup();
    let weight = |confidence: Confidence| {
        let alike = lines.iter().filter(|line| line.confidence == confidence);
        alike.map(|line| line.usd.pico().abs()).sum::<i128>()
    };
    let all = [Confidence::Low, Confidence::Medium, Confidence::High];
    CauseSum {
        cause,
        usd: lines.iter().map(|line| line.usd).sum(),
        input_tokens: lines.iter().map(|line| line.input_tokens).fold(0, i64::saturating_add),
        output_tokens: lines.iter().map(|line| line.output_tokens).fold(0, i64::saturating_add),
        calls: lines.iter().map(|line| line.calls).sum(),
        confidence: all.into_iter().max_by_key(|c| weight(*c)).unwrap_or(Confidence::Low),
        why,
    }
}

impl Reconciliation {
    /// What was paid to all.
    pub fn paid(&self) -> Usd {
        self.providers.iter().map(|provider| provider.paid).sum()
    }

    /// What was computed for all.
    pub fn computed(&self) -> Usd {
        self.providers.iter().map(|provider| provider.computed).sum()
    }

    /// For scripts; `by` adds the sums of each day, model, key or project.
    pub fn view(&self, by: Option<By>) -> impl Serialize + '_ {
        let view = |reconciled| View { reconciled, by };
        let providers: Vec<View<'_>> = self.providers.iter().map(view).collect();
        let (paid, computed) = (self.paid(), self.computed());
        All { paid, computed, gap: paid - computed, providers }
    }
}

#[derive(Serialize)]
struct All<'a> {
    paid: Usd,
    computed: Usd,
    gap: Usd,
    providers: Vec<View<'a>>,
}

struct View<'a> {
    reconciled: &'a Reconciled,
    by: Option<By>,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = self.reconciled;
        let mut fields = serializer.serialize_struct("Reconciled", 15)?;
        fields.serialize_field("provider", &of.provider)?;
        fields.serialize_field("from_ms", &of.from.map(Time::millis))?;
        fields.serialize_field("until_ms", &of.until.map(Time::millis))?;
        fields.serialize_field("days", &of.days)?;
        fields.serialize_field("missing_days", &of.missing_days)?;
        fields.serialize_field("zone_minutes", &of.zone_minutes)?;
        fields.serialize_field("basis", &of.basis)?;
        fields.serialize_field("paid", &of.paid)?;
        fields.serialize_field("computed", &of.computed)?;
        fields.serialize_field("gap", &of.gap)?;
        fields.serialize_field("explained_share", &of.explained_share())?;
        fields.serialize_field("calls", &of.calls)?;
        fields.serialize_field("causes", &of.causes())?;
        fields.serialize_field("shares", &self.by.map(|by| of.shares(by)))?;
        fields.serialize_field("notes", &of.notes)?;
        fields.end()
    }
}
