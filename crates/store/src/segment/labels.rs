//! Which calls a segment holds, by model and operation, and in which of its row groups these are.
//!
//! A list of rare calls would otherwise look into every row group: the words of a common model are
//! known to each, and a row group in which all of its calls succeeded does not say so.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::Info;

/// Beyond this many distinct labels a segment does not list them.
const MOST_LABELS: usize = 2_000;
/// Calls that are in more row groups than this are looked for in each.
const MOST_GROUPS: usize = 16;

/// Row groups, in order; `None`: too many to list, or never listed.
type Groups = Option<Vec<usize>>;

/// In which row groups the calls of a label are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Places {
    all: Groups,
    failures: Groups,
}

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// By model, then by operation.
    counts: FxHashMap<Box<str>, FxHashMap<Box<str>, Counts>>,
    distinct: usize,
}

#[derive(Debug)]
struct Counts {
    calls: u64,
    failures: u64,
    places: Places,
}

impl Labels {
    /// Counts a call in a row group, which is the one of the call before or a later one.
    pub(super) fn count(&mut self, model: &str, operation: &str, is_success: bool, group: usize) {
        let known = self.counts.get_mut(model).and_then(|found| found.get_mut(operation));
        if let Some(counts) = known {
            return counts.count(is_success, group);
        }
        if self.distinct <= MOST_LABELS {
            // One more than is listed says that there are too many.
            self.distinct += 1;
            let mut counts = Counts::default();
            counts.count(is_success, group);
            self.counts.entry(model.into()).or_default().insert(operation.into(), counts);
        }
    }

    /// Lists what was counted, unless there were too many labels.
    pub(super) fn list(self, info: &mut Info) {
        if MOST_LABELS < self.distinct {
            return;
        }
        let counts = self.counts.into_iter().flat_map(|(model, operations)| {
            let counts = operations.into_iter();
            counts.map(move |(operation, counts)| ((model.clone(), operation), counts))
        });
        let mut counts: Vec<_> = counts.collect();
        counts.sort_by(|(one, _), (other, _)| one.cmp(other));
        for ((model, operation), Counts { calls, failures, places }) in counts {
            info.labels.push((model.into(), operation.into(), calls, failures));
            info.places.push(places);
        }
    }
}

impl Default for Counts {
    fn default() -> Counts {
        let none = || Some(Vec::new());
        Counts { calls: 0, failures: 0, places: Places { all: none(), failures: none() } }
    }
}

impl Counts {
    fn count(&mut self, is_success: bool, group: usize) {
        self.calls += 1;
        add(&mut self.places.all, group);
        if !is_success {
            self.failures += 1;
            add(&mut self.places.failures, group);
        }
    }
}

fn add(groups: &mut Groups, group: usize) {
    let Some(listed) = groups else { return };
    if listed.last() == Some(&group) {
        return;
    }
    match listed.len() < MOST_GROUPS {
        true => listed.push(group),
        false => *groups = None,
    }
}

impl Info {
    /// The only row groups in which there can be calls of a model and an operation, `None` standing
    /// for each, or such calls without success; `None` if that is not known.
    pub(crate) fn groups_with(
        &self,
        model: Option<&str>,
        operation: Option<&str>,
        failures_only: bool,
    ) -> Option<BTreeSet<usize>> {
        // A file may list no labels, and an older one has no places beside them.
        if self.labels.is_empty() || self.labels.len() != self.places.len() {
            return None;
        }
        let mut groups = BTreeSet::new();
        for ((its_model, its_operation, ..), places) in self.labels.iter().zip(&self.places) {
            let is_it = model.is_none_or(|model| model == its_model)
                && operation.is_none_or(|operation| operation == its_operation);
            if is_it {
                let listed = if failures_only { &places.failures } else { &places.all };
                groups.extend(listed.as_ref()?);
            }
        }
        Some(groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls of one operation in each of 20 row groups, one of them failed in two of these; some of
    /// another operation in the last one.
    fn info() -> Info {
        let mut labels = Labels::default();
        for group in 0..20 {
            labels.count("luna", "chat", true, group);
            labels.count("luna", "chat", ![3, 7].contains(&group), group);
        }
        labels.count("luna", "draft", true, 19);
        let mut info = Info::default();
        labels.list(&mut info);
        info
    }

    #[test]
    fn rare_calls_are_placed_and_common_ones_can_be_anywhere() {
        let info = info();
        let chat = ("luna".to_owned(), "chat".to_owned(), 40, 2);
        assert_eq!(info.labels, [chat, ("luna".to_owned(), "draft".to_owned(), 1, 0)]);
        let groups = |model, operation, failures_only| {
            let groups = info.groups_with(model, operation, failures_only);
            groups.map(|groups| groups.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(groups(Some("luna"), Some("draft"), false), Some(vec![19]));
        assert_eq!(groups(None, Some("draft"), true), Some(vec![]));
        assert_eq!(groups(Some("luna"), None, true), Some(vec![3, 7]));
        assert_eq!(groups(None, None, true), Some(vec![3, 7]));
        assert_eq!(groups(Some("luna"), None, false), None);
        assert_eq!(groups(Some("sol"), None, false), Some(vec![]));
    }

    #[test]
    fn a_file_that_does_not_say_where_its_calls_are_can_have_them_anywhere() {
        let without_places = Info { places: Vec::new(), ..info() };
        assert_eq!(without_places.groups_with(None, Some("draft"), false), None);
        let mut labels = Labels::default();
        for n in 0..=MOST_LABELS {
            labels.count("luna", &n.to_string(), true, 0);
        }
        let mut unlisted = Info::default();
        labels.list(&mut unlisted);
        assert_eq!(unlisted, Info::default());
        assert_eq!(unlisted.groups_with(Some("sol"), None, false), None);
    }
}
