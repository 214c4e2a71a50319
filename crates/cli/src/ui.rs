//! What people see beside a command's own output: errors with hints, widths, questions.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use scrimp_analysis::report::{money, wrap};
use scrimp_core::Usd;

/// A way out, printed below the error that it is attached to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Hint(pub(crate) String);

/// The user ended a command before it was done: no error, but not done either.
#[derive(Debug, thiserror::Error)]
#[error("stopped; nothing was kept")]
pub(crate) struct Stopped;

/// A command that was run for the user ended otherwise than well; its code is ours.
#[derive(Debug, thiserror::Error)]
#[error("the command ended with {code}")]
pub(crate) struct Ended {
    pub(crate) code: u8,
    /// What is not the command's own to say.
    pub(crate) why: Option<String>,
}

/// What a shell reports of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Attaches a way out to an error.
pub(crate) trait OrHint<T> {
    /// The hint is shown below the chain of causes.
    fn or_hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrHint<T> for Result<T, E> {
    fn or_hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Hint(hint.into())))
    }
}

/// Prints an error with its causes, then the way out where one is known.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    if let Some(stopped) = error.downcast_ref::<Stopped>() {
        eprintln!("{stopped}");
        return ExitCode::from(INTERRUPTED);
    }
    if let Some(Ended { code, why }) = error.downcast_ref::<Ended>() {
        if let Some(why) = why {
            eprintln!("error: {why}");
        }
        return ExitCode::from(*code);
    }
    let is_hint = |cause: &(dyn std::error::Error + 'static)| cause.to_string();
    let hint = error.downcast_ref::<Hint>().map(ToString::to_string);
    let mut causes: Vec<String> =
        error.chain().map(is_hint).filter(|c| Some(c) != hint.as_ref()).collect();
    // Some errors say their cause themselves.
    causes.dedup_by(|cause, error| error.ends_with(cause.as_str()));
    eprintln!("error: {}", causes.join(": "));
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
    ExitCode::FAILURE
}

/// A reader such as `head` went away: not an error of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut io = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    io.any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stdout.write_all(b"\n")?;
    }
    Ok(stdout.flush()?)
}

/// Prints a value as JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// An amount with the sign of its currency: `$686`, `−$0.12`.
pub(crate) fn dollars(usd: Usd) -> String {
    let sign = if usd < Usd::ZERO { "−" } else { "" };
    format!("{sign}${}", money(usd).trim_start_matches('-'))
}

/// A change with its sign: `−12.9%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:+.1}%", share * 100.0).replace('-', "−")
}

/// Notes below a table, no wider than the terminal.
pub(crate) fn notes(notes: &[String]) -> String {
    let mut text = String::new();
    for note in notes {
        let mut first = "note: ";
        for part in note.lines() {
            for line in wrap(first, "      ", part, width()) {
                text.push_str(&line);
                text.push('\n');
            }
            first = "      ";
        }
    }
    text
}

/// Lines beside a label, with as many blanks before all but the first. One that is wider than the
/// terminal is wrapped between words; one that is not keeps its own spaces.
pub(crate) fn beside(label: &str, text: &str, width: usize) -> String {
    let blanks = " ".repeat(label.chars().count());
    let mut before = label;
    let mut lines = Vec::new();
    for line in text.lines() {
        match before.chars().count() + line.chars().count() <= width {
            true => lines.push(format!("{before}{line}")),
            false => lines.extend(wrap(before, &blanks, line, width)),
        }
        before = &blanks;
    }
    lines.join("\n")
}

/// How wide a table may be.
pub(crate) fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    columns.or_else(terminal).unwrap_or(100).clamp(40, 140)
}

/// Asks a question that a word beginning with `y` answers with yes; without a terminal: no.
pub(crate) fn confirm(question: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("{question} ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().to_lowercase().starts_with('y'))
}
