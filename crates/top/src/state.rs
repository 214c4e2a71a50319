//! What is known and what is looked at. News and keys change it; nothing here reads a clock.

use std::collections::VecDeque;

use scrimp_analysis::report::one_line;
use scrimp_core::{Span, Time, Usd};

use crate::told::{Call, Group, Summary};

/// The newest calls kept.
const MOST_CALLS: usize = 500;
/// Calls a second are those of this long.
const PACE: Span = Span::from_secs(10);
const DAY: Span = Span::from_hours(24);
/// As many rows as a page key moves.
const PAGE: usize = 10;

/// Something that was heard.
#[derive(Clone, Debug)]
pub enum News {
    /// The summary of the last hour.
    Hour(Box<Summary>),
    /// The summary of the last 24 hours.
    Day(Box<Summary>),
    /// The newest calls, the newest first.
    Recent(Vec<Call>),
    /// A call ended.
    Call(Box<Call>),
    /// More calls ended than could be told.
    Missed,
    /// The gateway does not answer, and why.
    Lost(String),
}

/// What a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A letter or sign.
    Char(char),
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first row.
    Home,
    /// To the last row.
    End,
    /// To the next view; an arrow to the right does the same.
    Next,
    /// To the view before.
    Back,
    /// Yes.
    Enter,
    /// Out of what was begun.
    Escape,
    /// One letter back.
    Backspace,
    /// To the end, wherever one is.
    Leave,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// On.
    Go,
    /// The person wants to leave.
    Quit,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Models,
    Operations,
    Calls,
}

impl View {
    pub(crate) const ALL: [View; 3] = [View::Models, View::Operations, View::Calls];

    pub(crate) fn name(self) -> &'static str {
        match self {
            View::Models => "Models",
            View::Operations => "Operations",
            View::Calls => "Calls",
        }
    }
}

/// What comes first in a table of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Spend,
    Calls,
    Errors,
    Latency,
    Name,
}

impl Order {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Order::Spend => "spend",
            Order::Calls => "calls",
            Order::Errors => "errors",
            Order::Latency => "p95",
            Order::Name => "name",
        }
    }

    fn next(self) -> Order {
        match self {
            Order::Spend => Order::Calls,
            Order::Calls => Order::Errors,
            Order::Errors => Order::Latency,
            Order::Latency => Order::Name,
            Order::Name => Order::Spend,
        }
    }
}

/// What was spent since midnight in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Today {
    /// `None` where no call has a known price.
    pub(crate) usd: Option<Usd>,
    pub(crate) unpriced: u64,
}

/// What was heard of the gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) hour: Option<Box<Summary>>,
    pub(crate) today: Option<Today>,
    /// The newest first.
    pub(crate) calls: VecDeque<Call>,
    /// Calls settled, and when that was so; the oldest first.
    settled: VecDeque<(Time, u64)>,
    /// Some calls are not among those listed.
    pub(crate) has_missed: bool,
    /// Since when it does not answer, and why.
    pub(crate) lost: Option<(Time, String)>,
}

/// Everything that is shown.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) gateway: String,
    heard: Heard,
    /// What was known when the picture was stopped.
    stopped: Option<Box<Heard>>,
    pub(crate) view: View,
    pub(crate) order: Order,
    pub(crate) filter: String,
    pub(crate) is_typing: bool,
    pub(crate) is_helping: bool,
    pub(crate) selected: usize,
}

impl State {
    /// Nothing is known yet of the gateway at this address.
    pub fn new(gateway: impl Into<String>) -> State {
        State {
            gateway: gateway.into(),
            heard: Heard::default(),
            stopped: None,
            view: View::Models,
            order: Order::Spend,
            filter: String::new(),
            is_typing: false,
            is_helping: false,
            selected: 0,
        }
    }

    /// Takes note of what was heard at `now`.
    pub fn hear(&mut self, news: News, now: Time) {
        self.heard.take(news, now);
    }

    /// Does what the key asks for.
    pub fn press(&mut self, key: Key) -> Next {
        match key {
            Key::Leave => return Next::Quit,
            key if self.is_typing => self.type_in(key),
            _ if self.is_helping => self.is_helping = false,
            Key::Char('q') => return Next::Quit,
            Key::Char('?' | 'h') => self.is_helping = true,
            Key::Char('s') => self.order = self.order.next(),
            Key::Char('/') => self.is_typing = true,
            Key::Char('p' | ' ') => self.stop_or_go(),
            Key::Escape => self.filter.clear(),
            Key::Next => self.turn(1),
            Key::Back => self.turn(View::ALL.len() - 1),
            Key::Up => self.selected = self.at().saturating_sub(1),
            Key::Down => self.selected = (self.selected + 1).min(self.last()),
            Key::PageUp => self.selected = self.at().saturating_sub(PAGE),
            Key::PageDown => self.selected = (self.selected + PAGE).min(self.last()),
            Key::Home => self.selected = 0,
            Key::End => self.selected = self.last(),
            Key::Char(_) | Key::Enter | Key::Backspace => {}
        }
        Next::Go
    }

    /// Calls that ended in a second, lately; `None` until two counts are known.
    pub fn calls_per_second(&self) -> Option<f64> {
        self.shown().calls_per_second()
    }

    /// What was spent since midnight in UTC; `None` where no call has a known price.
    pub fn usd_today(&self) -> Option<Usd> {
        self.shown().today.and_then(|today| today.usd)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// What is shown: what is known, or was when the picture was stopped.
    pub(crate) fn shown(&self) -> &Heard {
        self.stopped.as_deref().unwrap_or(&self.heard)
    }

    /// Whether the gateway answers is never stopped.
    pub(crate) fn lost(&self) -> Option<&(Time, String)> {
        self.heard.lost.as_ref()
    }

    /// The rows of models or of operations, in their order.
    pub(crate) fn groups(&self, view: View) -> Vec<&Group> {
        let Some(hour) = &self.shown().hour else { return Vec::new() };
        let groups = if view == View::Operations { &hour.operations } else { &hour.models };
        let mut groups: Vec<_> =
            groups.iter().filter(|group| self.is_wanted(&[&group.full_name()])).collect();
        let p95 = |group: &Group| group.sums.latency_ms.and_then(|latency| latency.p95);
        groups.sort_by(|a, b| {
            let (x, y) = (&a.sums, &b.sums);
            let order = match self.order {
                Order::Spend => y.usd.cmp(&x.usd),
                Order::Calls => y.calls.cmp(&x.calls),
                Order::Errors => y.errors.cmp(&x.errors),
                Order::Latency => p95(b).unwrap_or(-1.0).total_cmp(&p95(a).unwrap_or(-1.0)),
                Order::Name => std::cmp::Ordering::Equal,
            };
            order.then_with(|| a.full_name().cmp(&b.full_name()))
        });
        groups
    }

    /// The newest calls that are wanted.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.shown().calls.iter().filter(|call| {
            let Call { operation, provider, model, status, .. } = call;
            self.is_wanted(&[operation, &format!("{provider}/{model}"), &status.to_string()])
        })
    }

    fn is_wanted(&self, texts: &[&str]) -> bool {
        let wanted = self.filter.to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    }

    fn type_in(&mut self, key: Key) {
        match key {
            Key::Char(letter) => self.filter.push(letter),
            Key::Backspace => drop(self.filter.pop()),
            Key::Enter => self.is_typing = false,
            Key::Escape => {
                self.filter.clear();
                self.is_typing = false;
            }
            _ => {}
        }
        self.selected = 0;
    }

    fn stop_or_go(&mut self) {
        self.stopped = match self.stopped {
            None => Some(Box::new(self.heard.clone())),
            Some(_) => None,
        };
    }

    fn turn(&mut self, by: usize) {
        let at = View::ALL.iter().position(|view| *view == self.view).unwrap_or(0);
        self.view = View::ALL[(at + by) % View::ALL.len()];
        self.selected = 0;
    }

    /// The selected row. Rows may have gone since it was chosen, and the last is shown in its place.
    fn at(&self) -> usize {
        self.selected.min(self.last())
    }

    fn last(&self) -> usize {
        let rows = match self.view {
            View::Calls => self.calls().count(),
            view => self.groups(view).len(),
        };
        rows.saturating_sub(1)
    }
}

impl Heard {
    fn take(&mut self, news: News, now: Time) {
        match news {
            News::Hour(summary) => {
                self.count(summary.health.settled, now);
                self.hour = Some(summary);
                self.lost = None;
            }
            News::Day(summary) => self.today = Some(today(&summary)),
            News::Recent(calls) => {
                self.calls = calls.into();
                self.has_missed = false;
            }
            News::Call(call) => {
                // It may have been among the newest that were asked for when the stream began.
                if self.calls.iter().take(MOST_CALLS).any(|known| known.id == call.id) {
                    return;
                }
                self.calls.push_front(*call);
                self.calls.truncate(MOST_CALLS);
            }
            News::Missed => self.has_missed = true,
            News::Lost(why) => {
                let since = self.lost.take().map_or(now, |(since, _)| since);
                self.lost = Some((since, one_line(&why)));
                self.settled.clear();
            }
        }
    }

    fn count(&mut self, settled: u64, now: Time) {
        // It was started anew, and counts from nothing.
        if self.settled.back().is_some_and(|(_, before)| settled < *before) {
            self.settled.clear();
        }
        self.settled.push_back((now, settled));
        while self.settled.get(1).is_some_and(|(at, _)| PACE <= now.since(*at)) {
            self.settled.pop_front();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(crate) fn calls_per_second(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.settled.front()?, self.settled.back()?);
        let seconds = to.since(*from).as_secs_f64();
        (0.0 < seconds).then(|| (after - before) as f64 / seconds)
    }
}

/// What the hours since midnight in UTC cost, of a summary by the hour.
fn today(day: &Summary) -> Today {
    let midnight = Time::from_millis(day.window.to_ms).floor(DAY).millis();
    let hours = || day.series.iter().filter(|point| midnight <= point.at_ms);
    let calls: u64 = hours().map(|point| point.sums.calls).sum();
    let priced = || hours().filter_map(|point| point.sums.usd);
    Today {
        usd: (calls == 0 || priced().next().is_some())
            .then(|| priced().fold(Usd::ZERO, |sum, usd| sum + usd)),
        unpriced: hours()
            .map(|point| point.sums.unpriced_calls + point.sums.unknown_usage_calls)
            .sum(),
    }
}
