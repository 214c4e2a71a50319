//! The real binary, in a home of its own: started, waited for, and what it said.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// A home and a working directory that nobody else uses.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a finished command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        Place { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders that it lies in.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The command, in an environment that is the same everywhere.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scrimp"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.folder.path())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.said(&self.command(arguments).output().unwrap())
    }

    /// Runs a command that reads `input`.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        self.said(&child.wait_with_output().unwrap())
    }

    /// Starts a server and waits until it says where it listens.
    pub(crate) fn start(&self, arguments: &[&str]) -> Server {
        Place::started(&mut self.command(arguments))
    }

    /// The same, of a command that was changed.
    pub(crate) fn started(command: &mut Command) -> Server {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let url = line.split_whitespace().next().expect("it says where it listens").to_owned();
        Server { child, out, url, greeting: line }
    }

    /// Texts with this place's own path taken out of them.
    pub(crate) fn said(&self, output: &std::process::Output) -> Said {
        let folder = self.folder.path().display().to_string();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace(&folder, "…");
        Said { exit: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Said {
    /// What it printed, if it ended well.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.exit, Some(0), "{self:?}");
        self.out
    }

    /// The complaint of a command that failed.
    #[track_caller]
    pub(crate) fn failed(self) -> String {
        assert_eq!((self.exit, self.out.as_str()), (Some(1), ""), "{self:?}");
        self.err
    }

    /// The complaint about a command that was not understood.
    #[track_caller]
    pub(crate) fn misused(self) -> String {
        assert_eq!((self.exit, self.out.as_str()), (Some(2), ""), "{self:?}");
        self.err
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.done()).unwrap()
    }
}

/// A process that serves until it is told to stop.
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    pub(crate) url: String,
    pub(crate) greeting: String,
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Without `http://`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Sends a signal, waits for the end; the exit code and what was printed after the first line.
    pub(crate) fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let exit = self.child.wait().unwrap().code();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (exit, rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A file beside the tests.
pub(crate) fn sample(name: &str) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/binary/samples");
    samples.join(name).display().to_string()
}

/// The names of an object's fields, in order.
pub(crate) fn fields(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}
