//! The command itself: started with everything that is ours, told of every signal once.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Signals that are passed on, and whether a terminal sends them to the command as well.
const SIGNALS: &[(Signal, bool)] = &[
    (Signal::INT, true),
    (Signal::QUIT, true),
    (Signal::HUP, true),
    (Signal::TERM, false),
    (Signal::USR1, false),
    (Signal::USR2, false),
];

/// Runs a command to its end, with these variables in its environment beside ours.
pub(super) fn run(
    command: &[OsString],
    environment: Vec<(OsString, OsString)>,
) -> io::Result<ExitStatus> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before it starts, so that no signal ends us and leaves it alone.
        let mut signals = listen()?;
        let (program, arguments) = command.split_first().expect("clap asks for a command");
        let mut child = Command::new(program).args(arguments).envs(environment).spawn()?;
        loop {
            tokio::select! {
                ended = child.wait() => return ended,
                Some((signal, is_sent_by_terminal)) = signals.recv() => {
                    // Everybody before the terminal hears of Ctrl-C by themselves.
                    if !is_sent_by_terminal || !is_in_foreground() {
                        pass_on(&child, signal);
                    }
                }
            }
        }
    })
}

/// The code that a shell would give.
pub(super) fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

fn listen() -> io::Result<mpsc::UnboundedReceiver<(Signal, bool)>> {
    let (told, signals) = mpsc::unbounded_channel();
    for (kind, is_sent_by_terminal) in SIGNALS {
        let mut heard = signal(SignalKind::from_raw(kind.as_raw()))?;
        let told = told.clone();
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                if told.send((*kind, *is_sent_by_terminal)).is_err() {
                    return;
                }
            }
        });
    }
    Ok(signals)
}

/// Whether we, and so the command, belong to those that the terminal sends its signals to.
fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}

/// It may have ended meanwhile; then nobody has its number yet, since it was not waited for.
fn pass_on(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        kill_process(pid, signal).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_a_shell() {
        for (raw, expected) in [(0, 0), (3 << 8, 3), (255 << 8, 255), (15, 143), (2, 130)] {
            assert_eq!(code(ExitStatus::from_raw(raw)), expected, "{raw}");
        }
    }
}
