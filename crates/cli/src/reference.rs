//! The reference of every command as Markdown, made of the definition that parses them.

use std::fmt::Write as _;

use clap::{Arg, Command};

const OPENING: &str = "\
# Commands

Made by `cargo xtask reference` from the definition that the command line is parsed by. `scrimp COMMAND \
--help` says the same, `scrimp man` prints it as a manual page, and `scrimp completions SHELL` has a \
shell complete it.

A command ends with 0 when it is done, with 1 when it failed, with 2 when it was not understood.
";

/// Every command that is shown, in the order of the help, each before its own subcommands. None of
/// them lists `help`, which clap adds to each.
pub(crate) fn commands(root: Command) -> Vec<Command> {
    let mut root = root.disable_help_subcommand(true);
    root.build();
    let mut found = Vec::new();
    add(&root, &mut found);
    found
}

fn add(command: &Command, found: &mut Vec<Command>) {
    found.push(command.clone());
    command.get_subcommands().filter(|below| !below.is_hide_set()).for_each(|c| add(c, found));
}

/// One page of all of them.
pub(crate) fn markdown(root: Command) -> String {
    let mut text = OPENING.to_owned();
    for command in commands(root) {
        page(&mut text, command).expect("a text takes everything");
    }
    text
}

fn page(text: &mut String, mut command: Command) -> std::fmt::Result {
    let name = command.get_bin_name().unwrap_or("scrimp").to_owned();
    let usage = command.render_usage().to_string();
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string);
    let usage = usage.trim_start_matches("Usage:").trim();
    write!(
        text,
        "\n## `{name}`\n\n{}\n\n```text\n{usage}\n```\n",
        ended(&about.unwrap_or_default())
    )?;
    let is_own =
        |arg: &&Arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    let rows: Vec<&Arg> = command.get_arguments().filter(is_own).collect();
    if rows.is_empty() {
        return Ok(());
    }
    text.push_str("\n| | |\n|---|---|\n");
    for arg in rows {
        writeln!(text, "| `{}` | {} |", written(arg), meaning(arg))?;
    }
    Ok(())
}

/// `-y, --yes`, `--data <DIR>`, `[PATHS]...`
fn written(arg: &Arg) -> String {
    let shown = arg.to_string().replace('|', "\\|");
    match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(_)) => format!("-{short}, {shown}"),
        _ => shown,
    }
}

fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let values: Vec<_> =
        arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        let words = values.iter().map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({help})", value.get_name()),
            None => format!("`{}`", value.get_name()),
        });
        write!(text, ". One of {}", words.collect::<Vec<_>>().join(", "))
            .expect("a text takes everything");
    }
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        write!(text, " [default: {}]", defaults.join(", ")).expect("a text takes everything");
    }
    text.replace('|', "\\|")
}

/// The first line is a sentence here, which it is not in a list of commands.
fn ended(about: &str) -> String {
    match about.ends_with('.') || about.is_empty() {
        true => about.to_owned(),
        false => format!("{about}."),
    }
}
