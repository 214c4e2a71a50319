//! What goes wrong with the gateway itself while calls go on: a line in the log when it begins, and
//! one when it ends, however often anybody looks.

use scrimp_store::Health;

/// Something that can be wrong with the store.
struct Trouble {
    begins: &'static str,
    /// What to do about it.
    advice: &'static str,
    ends: &'static str,
    relief: &'static str,
    found: fn(&Health) -> Option<&str>,
}

const TROUBLES: [Trouble; 2] = [
    Trouble {
        begins: "records_not_written",
        advice: "calls go on and are counted, but their details are kept in memory and only so \
                 many: make room on the disk of the data directory, or make it writable",
        ends: "records_written_again",
        relief: "what was kept in memory is on the disk",
        found: |health| health.last_flush_error.as_deref(),
    },
    Trouble {
        begins: "maintenance_failed",
        advice: "no record is lost, but the data directory grows: make room on its disk, or make \
                 it writable; it is tried again by itself",
        ends: "maintenance_works_again",
        relief: "sealing and retention went well again",
        found: |health| health.last_maintenance_error.as_deref(),
    },
];

/// What was wrong at the last look.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    lasts: [bool; TROUBLES.len()],
    /// How many files were damaged; they are named in the order in which they were found.
    damaged: usize,
}

impl Watch {
    /// What began and ended since the last look: events, and a sentence about each.
    pub(crate) fn look(&mut self, health: &Health) -> Vec<(&'static str, String)> {
        let mut news = Vec::new();
        for (Trouble { begins, advice, ends, relief, found }, lasts) in
            TROUBLES.iter().zip(&mut self.lasts)
        {
            match (found(health), std::mem::replace(lasts, found(health).is_some())) {
                (Some(error), false) => news.push((*begins, format!("{error}; {advice}"))),
                (None, true) => news.push((*ends, (*relief).to_owned())),
                (Some(_), true) | (None, false) => {}
            }
        }
        for file in health.corrupt_files.iter().skip(self.damaged) {
            let advice = "what could be read of it is kept, the rest is missing; remove it when you \
                          do not need it, and it is not named at the next start";
            news.push(("damaged_and_set_aside", format!("{file}: {advice}")));
        }
        self.damaged = health.corrupt_files.len();
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(watch: &mut Watch, health: &Health) -> Vec<&'static str> {
        watch.look(health).into_iter().map(|(event, _)| event).collect()
    }

    #[test]
    fn each_trouble_is_told_when_it_begins_and_when_it_ends_and_not_in_between() {
        let mut watch = Watch::default();
        let well = Health::default();
        let full = |why: &str| Health { last_flush_error: Some(why.into()), ..well.clone() };
        assert_eq!(events(&mut watch, &well), [""; 0]);
        let told = watch.look(&full("disk is full"));
        assert_eq!((told.len(), told[0].0), (1, "records_not_written"));
        assert!(told[0].1.starts_with("disk is full; "), "{}", told[0].1);
        assert_eq!(events(&mut watch, &full("disk is full")), [""; 0]);
        assert_eq!(events(&mut watch, &full("in other words")), [""; 0]);
        let both = Health { last_maintenance_error: Some("no".into()), ..full("disk is full") };
        assert_eq!(events(&mut watch, &both), ["maintenance_failed"]);
        let ended = ["records_written_again", "maintenance_works_again"];
        assert_eq!(events(&mut watch, &well), ended);
        assert_eq!(events(&mut watch, &well), [""; 0]);
    }

    #[test]
    fn each_damaged_file_is_told_once() {
        let mut watch = Watch::default();
        let damaged = |files: &[&str]| Health {
            corrupt_files: files.iter().map(|file| (*file).to_owned()).collect(),
            ..Health::default()
        };
        assert_eq!(watch.look(&damaged(&["a", "b"])).len(), 2);
        let told = watch.look(&damaged(&["a", "b", "c"]));
        assert_eq!((told.len(), told[0].0), (1, "damaged_and_set_aside"));
        assert!(told[0].1.starts_with("c: "), "{}", told[0].1);
        assert_eq!(watch.look(&damaged(&["a", "b", "c"])), []);
    }
}
