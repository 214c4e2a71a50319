//! The directory: its files, its lock, its key.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{OpenError, StoreError, io_error, open_io};
use crate::inspect::Holder;

/// What the name of a file ends with that is not whole yet.
const UNFINISHED: &str = ".new";

/// What is put between the name of a broken file and a number when it is set aside.
const ASIDE: &str = ".corrupt-";

/// The files of a store.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(crate) fn new(root: &Path) -> Directory {
        Directory { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("scrimp.db")
    }

    pub(crate) fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    pub(crate) fn segment(&self, name: &str) -> PathBuf {
        self.segments().join(name)
    }

    /// Makes what is missing. Records say who asked what and how much, so a new directory is its
    /// owner's only; one that is there already has the permissions that somebody gave it.
    pub(crate) fn make(&self) -> Result<(), OpenError> {
        let root = &self.root;
        if let Some(above) = root.parent() {
            // With the usual permissions. Where that fails, so does what follows, and says why.
            drop(fs::create_dir_all(above));
        }
        let mut private = fs::DirBuilder::new();
        private.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
        private.create(root).map_err(open_io(root))?;
        let segments = self.segments();
        fs::create_dir_all(&segments).map_err(open_io(&segments))
    }

    /// Removes segments that an earlier run did not finish. Only for a start: later they are
    /// somebody's work.
    pub(crate) fn remove_unfinished(&self) -> Result<(), OpenError> {
        let folder = self.segments();
        for entry in fs::read_dir(&folder).map_err(open_io(&folder))? {
            let path = entry.map_err(open_io(&folder))?.path();
            if path.to_str().is_some_and(|name| name.ends_with(".parquet.new")) {
                fs::remove_file(&path).map_err(open_io(&path))?;
            }
        }
        Ok(())
    }

    /// What was set aside and nobody has removed yet, in order of names. A log that went with its
    /// database is not named beside it.
    pub(crate) fn set_aside(&self) -> Result<Vec<PathBuf>, OpenError> {
        let mut found = Vec::new();
        for folder in [self.root.clone(), self.segments()] {
            for entry in fs::read_dir(&folder).map_err(open_io(&folder))? {
                let path = entry.map_err(open_io(&folder))?.path();
                found.extend(is_set_aside(&path).then_some(path));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Keeps every other process out for as long as the file is open. The operating system lets go
    /// of the lock when the process ends, however it ends.
    pub(crate) fn lock(&self) -> Result<File, OpenError> {
        let path = self.root.join("lock");
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(open_io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid =
                    file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(OpenError::Locked { dir: self.root.clone(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(OpenError::Io { path, source }),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        written.map_err(open_io(&path))?;
        Ok(file)
    }

    /// Who has the directory open.
    pub(crate) fn holder(&self) -> Holder {
        let Ok(mut file) = File::open(self.root.join("lock")) else { return Holder::Nobody };
        // The operating system takes a lock back with the file, at the end of this.
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid =
                    file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                pid.map_or(Holder::Unknown, Holder::Process)
            }
            Ok(()) | Err(TryLockError::Error(_)) => Holder::Nobody,
        }
    }

    /// The digest key: drawn once unless it is `known`, readable by its owner only, never inside a
    /// file that is shared.
    pub(crate) fn key(&self, known: Option<[u8; 32]>) -> Result<[u8; 32], OpenError> {
        self.secret("key", known)
    }

    /// Names the store in its segments, so that a segment of another one is not taken for its own.
    pub(crate) fn name(&self) -> Result<String, OpenError> {
        let drawn: [u8; 16] = self.secret("id", None)?;
        Ok(format!("{:032x}", u128::from_be_bytes(drawn)))
    }

    /// What the file `name` holds; where there is none, `known` or random bytes from now on.
    fn secret<const N: usize>(
        &self,
        name: &str,
        known: Option<[u8; N]>,
    ) -> Result<[u8; N], OpenError> {
        let path = self.root.join(name);
        match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|bytes: Vec<u8>| {
                let why = format!(
                    "has {} bytes instead of {N}; put the backup back, or remove it to begin \
                     with new digests that do not compare with the old ones",
                    bytes.len()
                );
                open_io(&path)(io::Error::new(io::ErrorKind::InvalidData, why))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = known.map_or_else(|| draw(&path), Ok)?;
                keep(&path, bytes)
            }
            Err(error) => Err(open_io(&path)(error)),
        }
    }
}

/// Random bytes for `path`.
fn draw<const N: usize>(path: &Path) -> Result<[u8; N], OpenError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| open_io(path)(io::Error::other(error.to_string())))?;
    Ok(bytes)
}

/// Writes `bytes` to `path`; whole or not at all.
fn keep<const N: usize>(path: &Path, bytes: [u8; N]) -> Result<[u8; N], OpenError> {
    let unfinished = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || -> io::Result<()> {
        let mut file = options.open(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        sync_directory(path)
    };
    write().map_err(open_io(path))?;
    Ok(bytes)
}

/// Makes a rename in the directory of `path` last.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// A file that is being made, under another name until it is whole. Unless it is kept it goes with
/// this value, so that failed attempts on a full disk do not make it fuller.
#[derive(Debug)]
pub(crate) struct Unfinished {
    whole: PathBuf,
    at: PathBuf,
}

impl Unfinished {
    pub(crate) fn new(whole: PathBuf) -> Unfinished {
        let at = appended(&whole, UNFINISHED);
        Unfinished { whole, at }
    }

    /// Where it is now.
    pub(crate) fn path(&self) -> &Path {
        &self.at
    }

    /// Gives it its name, which lasts from then on.
    pub(crate) fn rename(&mut self) -> Result<(), StoreError> {
        fs::rename(&self.at, &self.whole).map_err(io_error(&self.whole))?;
        self.at.clone_from(&self.whole);
        sync_directory(&self.whole).map_err(io_error(&self.whole))
    }

    /// Lets it stay where it is.
    pub(crate) fn keep(mut self) {
        self.at.clear();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Whoever could not write it has an error already, and the next start removes it too.
        drop(fs::remove_file(&self.at));
    }
}

/// Renames a broken file so that it is out of the way and not lost. Returns its new path.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let names = (1..=u32::MAX).map(|n| appended(path, &format!("{ASIDE}{n}")));
    let to = { names }.find(|to| !to.exists()).expect("some number is free");
    fs::rename(path, &to)?;
    Ok(to)
}

fn is_set_aside(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let number = name.and_then(|name| name.rsplit_once(ASIDE)).map(|(_, number)| number);
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// `path` with `suffix` after its last character.
pub(crate) fn appended(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The bytes that the store's files have together. Files that vanish meanwhile count nothing.
pub(crate) fn bytes_in(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}
