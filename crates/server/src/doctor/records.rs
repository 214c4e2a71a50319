//! The data directory: whether it can be written, what is in it, what is broken.

use std::path::Path;

use rustix::fs::{Access, access, statvfs};
use scrimp_store::{Holder, Inspection, KeyFile, OpenError, inspect};

use super::Check;

const DIRECTORY: &str = "data directory";
const ELSEWHERE: &str = "name another directory with --data DIR, or by SCRIMP_DATA";
/// A busy gateway writes this much in minutes.
const FULL: u64 = 100 << 20;
const NEARLY_FULL: u64 = 1 << 30;

pub(super) fn checks(data: &Path) -> Vec<Check> {
    let shown = data.display();
    if !data.exists() {
        // The nearest folder that is there decides whether it can be made.
        let above = data.ancestors().find(|above| above.is_dir());
        let above = above.unwrap_or(Path::new("."));
        return match access(above, Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => {
                let found = format!("{shown} is not there yet; `scrimp serve` makes it");
                vec![Check::fine(DIRECTORY, found), room(above)]
            }
            Err(error) => {
                let found = format!("{shown} cannot be made in {}: {error}", above.display());
                vec![Check::problem(DIRECTORY, found, ELSEWHERE)]
            }
        };
    }
    if !data.is_dir() {
        return vec![Check::problem(DIRECTORY, format!("{shown} is no directory"), ELSEWHERE)];
    }
    if let Err(error) = access(data, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        let found = format!("{shown} cannot be read and written: {error}");
        return vec![Check::problem(DIRECTORY, found, ELSEWHERE)];
    }
    match inspect(data) {
        Err(error) => vec![Check::problem(DIRECTORY, error.to_string(), ELSEWHERE)],
        Ok(inspection) => inspected(data, &inspection),
    }
}

fn inspected(data: &Path, inspection: &Inspection) -> Vec<Check> {
    let Inspection { holder, key, schema, newest_schema, set_aside, damaged, bytes } = inspection;
    let by = match holder {
        Holder::Nobody => "in use by nobody".to_owned(),
        Holder::Unknown => "in use by a process that left no number".to_owned(),
        Holder::Process(pid) => format!("in use by process {pid}"),
    };
    let found = format!("{}: writable, {}, {by}", data.display(), size(*bytes));
    let mut checks = vec![
        Check::fine(DIRECTORY, found),
        key_file(&data.join("key"), *key),
        database(schema, *newest_schema),
    ];
    let mended = "it is set aside by itself when it is read; what can be read of it is kept";
    checks.extend(
        damaged.iter().map(|error| Check::problem("sealed file", error.to_string(), mended)),
    );
    let remove = "what could be read of it was kept, the rest is missing; remove it when you do not \
                  need it";
    checks.extend(set_aside.iter().map(|path| {
        let found = format!("{} was broken, and set aside", path.display());
        Check::warning("broken file", found, remove)
    }));
    checks.push(room(data));
    checks
}

fn key_file(path: &Path, key: KeyFile) -> Check {
    let (name, shown) = ("digest key", path.display());
    match key {
        KeyFile::Missing => Check::fine(name, "none yet; drawn at the first start".to_owned()),
        KeyFile::Private => Check::fine(name, "readable by its owner only".to_owned()),
        KeyFile::Open(mode) => {
            let found = format!("others may read it (mode {mode:o})");
            Check::problem(name, found, format!("chmod 600 {shown}"))
        }
        KeyFile::Damaged(length) => {
            let way_out = "put the backup back, or remove it to begin with new digests that do not \
                           compare with the old ones";
            Check::problem(name, format!("{shown} has {length} bytes instead of 32"), way_out)
        }
    }
}

fn database(schema: &Result<Option<i64>, OpenError>, newest: i64) -> Check {
    let name = "records";
    match schema {
        Ok(None) => Check::fine(name, "none yet".to_owned()),
        Ok(Some(schema)) if *schema == newest => {
            Check::fine(name, format!("schema {schema}, whole"))
        }
        Ok(Some(schema)) => {
            let found = format!("schema {schema}, whole; taken up to {newest} at the next start");
            Check::fine(name, found)
        }
        Err(error @ OpenError::Newer { .. }) => {
            let way_out = "use the newer Scrimp, or another directory with --data DIR";
            Check::problem(name, error.to_string(), way_out)
        }
        Err(error) => {
            let way_out = "a start sets it aside and keeps what can be read of it";
            Check::problem(name, error.to_string(), way_out)
        }
    }
}

fn room(folder: &Path) -> Check {
    let name = "free disk";
    let free = match statvfs(folder) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => {
            return Check::warning(name, format!("not known: {error}"), "look with `df`");
        }
    };
    let way_out = "make room, or keep less: `retention` in [store]";
    match free {
        ..FULL => Check::problem(name, size(free), way_out),
        FULL..NEARLY_FULL => Check::warning(name, size(free), way_out),
        NEARLY_FULL.. => Check::fine(name, size(free)),
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut rest = bytes;
    let mut unit = "B";
    for next in UNITS {
        if rest < 10_000 {
            break;
        }
        (rest, unit) = (rest / 1_000, next);
    }
    format!("{rest} {unit}")
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_key_that_others_may_read_is_a_problem_with_its_way_out() {
        let check = key_file(Path::new("data/key"), KeyFile::Open(0o644));
        assert_eq!(check.state, State::Problem);
        assert_eq!(check.found, "others may read it (mode 644)");
        assert_eq!(check.way_out.as_deref(), Some("chmod 600 data/key"));
    }

    #[test]
    fn a_newer_program_s_records_are_a_problem_and_older_ones_are_not() {
        let newer = OpenError::Newer { dir: "data".into(), found: 9, known: 4 };
        assert_eq!(database(&Err(newer), 4).state, State::Problem);
        assert_eq!(database(&Ok(Some(3)), 4).state, State::Fine);
        assert_eq!(database(&Ok(None), 4).found, "none yet");
    }

    #[test]
    fn sizes_are_told_in_four_digits_at_most() {
        let told = [9_999, 10_000, 123_456_789, 5_000_000_000_000_000].map(size);
        assert_eq!(told, ["9999 B", "10 kB", "123 MB", "5000 TB"]);
    }
}
