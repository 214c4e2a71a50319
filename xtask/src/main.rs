//! The project's own chores. `cargo xtask` lists them.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "chores print what they measured"
)]

mod bench;
mod claude_code;
mod clients;
mod codex;
mod documents;
mod oracle;
mod pictures;
mod prices;
mod process;
mod reference;
mod release;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

/// A chore: its name, what it does, and the function that does it.
struct Chore {
    name: &'static str,
    does: &'static str,
    run: fn(&[String]) -> anyhow::Result<()>,
}

/// Every chore. A new one is a new file and a line here.
const CHORES: &[Chore] = &[
    Chore {
        name: "test",
        does: "everything that must hold, installing what it needs",
        run: test::run,
    },
    Chore {
        name: "tidy",
        does: "arrows between crates, sizes, module docs, links",
        run: tidy::run,
    },
    Chore { name: "pictures", does: "photograph the dashboard for the README", run: pictures::run },
    Chore { name: "prices", does: "make the price snapshot from LiteLLM's map", run: prices::run },
    Chore {
        name: "reference",
        does: "write the pages of docs/reference from what the program prints of itself",
        run: reference::run,
    },
    Chore {
        name: "release",
        does: "the static binary, its archive, checksums and bill of materials, in target/dist",
        run: release::run,
    },
    Chore {
        name: "oracle",
        does: "compare costs with two independent calculators, or `tokens` with tiktoken",
        run: oracle::run,
    },
    Chore {
        name: "days",
        does: "live equals replay over whole days of N seeds (default 5), with every fault",
        run: |arguments| steps::example("scrimp-server", "live_equals_replay", arguments),
    },
    Chore {
        name: "bench",
        does: "benchmarks, each by its name; without one they are listed",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let chore = arguments.first().and_then(|name| CHORES.iter().find(|chore| chore.name == name));
    let Some(chore) = chore else {
        for chore in CHORES {
            eprintln!("cargo xtask {:9} {}", chore.name, chore.does);
        }
        return ExitCode::from(2);
    };
    match (chore.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
