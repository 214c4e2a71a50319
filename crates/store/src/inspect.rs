//! A look at a store from outside: nothing is made, mended or written, and whoever has it open keeps
//! it.

use std::path::{Path, PathBuf};

use crate::directory::{Directory, bytes_in};
use crate::error::{OpenError, ScanError, open_db, open_io};
use crate::schema;
use crate::segment::SegmentFile;

/// How a store is.
#[derive(Debug)]
pub struct Inspection {
    /// Who has it open.
    pub holder: Holder,
    /// Its digest key.
    pub key: KeyFile,
    /// The schema of its database; `None` if there is none yet. An error if a newer program wrote it, or
    /// if it is broken.
    pub schema: Result<Option<i64>, OpenError>,
    /// The newest schema that this program knows.
    pub newest_schema: i64,
    /// Files that were broken and set aside, by their new names.
    pub set_aside: Vec<PathBuf>,
    /// Sealed files that cannot be opened now.
    pub damaged: Vec<ScanError>,
    /// What all of it takes on the disk.
    pub bytes: u64,
}

/// Who has a store open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// The process of this number.
    Process(u32),
    /// A process that did not leave its number.
    Unknown,
}

/// The digest key's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// There is none yet.
    Missing,
    /// It is whole, and its owner's only.
    Private,
    /// Others may read it: its permissions.
    Open(u32),
    /// It has another length than a key.
    Damaged(u64),
}

/// Looks at the store in `dir`, which must be there.
///
/// # Errors
/// If the directory cannot be read.
pub fn inspect(dir: &Path) -> Result<Inspection, OpenError> {
    std::fs::read_dir(dir).map_err(open_io(dir))?;
    let directory = Directory::new(dir);
    let is_empty = !directory.segments().exists();
    Ok(Inspection {
        holder: directory.holder(),
        key: key_file(&dir.join("key")),
        schema: schema_of(&directory),
        newest_schema: schema::newest(),
        set_aside: if is_empty { Vec::new() } else { directory.set_aside()? },
        damaged: if is_empty { Vec::new() } else { damaged(&directory)? },
        bytes: bytes_in(dir),
    })
}

fn key_file(path: &Path) -> KeyFile {
    let Ok(metadata) = std::fs::metadata(path) else { return KeyFile::Missing };
    #[cfg(unix)]
    let others = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    #[cfg(not(unix))]
    let others = 0o600;
    match (metadata.len(), others & 0o077) {
        (32, 0) => KeyFile::Private,
        (32, _) => KeyFile::Open(others),
        (length, _) => KeyFile::Damaged(length),
    }
}

fn schema_of(directory: &Directory) -> Result<Option<i64>, OpenError> {
    let path = directory.database();
    if !path.exists() {
        return Ok(None);
    }
    let db = schema::open_to_read(directory)?;
    schema::check(&db).map_err(open_db(&path))?;
    schema::version(&db).map(Some).map_err(open_db(&path))
}

fn damaged(directory: &Directory) -> Result<Vec<ScanError>, OpenError> {
    let folder = directory.segments();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(open_io(&folder))? {
        let path = entry.map_err(open_io(&folder))?.path();
        if path.extension().is_some_and(|extension| extension == "parquet")
            && let Err(error) = SegmentFile::open(&path)
        {
            found.push(ScanError { file: path.display().to_string(), why: error.to_string() });
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Store};

    #[test]
    fn a_store_in_use_is_looked_at_and_left_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path(), Options::STANDARD).unwrap();
        let found = inspect(place.path()).unwrap();
        assert_eq!(found.holder, Holder::Process(std::process::id()));
        assert_eq!(found.key, KeyFile::Private);
        assert_eq!(found.schema.unwrap(), Some(found.newest_schema));
        assert!(found.set_aside.is_empty() && found.damaged.is_empty());
        store.close().unwrap();
        assert_eq!(inspect(place.path()).unwrap().holder, Holder::Nobody);
        drop(Store::open(place.path(), Options::STANDARD).unwrap());
    }

    #[test]
    fn what_is_broken_is_named_and_not_touched() {
        let place = tempfile::tempdir().unwrap();
        drop(Store::open(place.path(), Options::STANDARD).unwrap());
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(place.path().join(name), bytes).unwrap();
        write("segments/9.parquet", b"PAR1 and then nothing");
        write("segments/8.parquet.corrupt-1", b"");
        write("key", b"short");
        write("scrimp.db", &[7; 4096]);
        let found = inspect(place.path()).unwrap();
        assert_eq!(found.key, KeyFile::Damaged(5));
        assert!(matches!(found.schema, Err(OpenError::Database { .. })), "{found:?}");
        assert!(found.damaged.len() == 1 && found.damaged[0].file.ends_with("9.parquet"));
        assert!(found.set_aside.len() == 1 && place.path().join("segments/9.parquet").exists());
    }

    #[test]
    fn an_empty_folder_holds_nothing_and_stays_empty() {
        let place = tempfile::tempdir().unwrap();
        let found = inspect(place.path()).unwrap();
        assert_eq!((found.holder, found.key), (Holder::Nobody, KeyFile::Missing));
        assert_eq!(found.schema.unwrap(), None);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        assert!(inspect(&place.path().join("none")).is_err());
    }
}
