//! `scrimp top`: a running gateway, live in the terminal. What is known and drawn is `scrimp-top`'s; here
//! are the gateway, the clock and the terminal.

mod screen;
mod watch;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::{Context, Result};
use scrimp_top::{News, State, text};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::args::{DataDir, Top};
use crate::commands::{Running, data_dir, now};
use crate::ui::{self, Hint, OrHint};

const HOUR: &str = "summary?window=1h";
const DAY: &str = "summary?window=24h";
const RECENT: &str = "calls?limit=100";
const NO_TERMINAL: &str = "`--once` prints the figures as text, `--json` for scripts";

/// `scrimp top`
pub(crate) fn run(arguments: &Top) -> Result<()> {
    let place = Place::of(arguments);
    if arguments.once || arguments.json.json {
        return once(&place, arguments);
    }
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !is_terminal || std::env::var("TERM").is_ok_and(|term| term == "dumb") {
        return Err(anyhow::anyhow!("there is no terminal to draw on")).or_hint(NO_TERMINAL);
    }
    // Whoever mistyped an address is told so, and does not watch it being tried.
    let running = place.find()?;
    running.get(HOUR)?;
    screen::show(place, running.url())
}

/// Where the gateway is to be found. One on a data directory may have another address each time.
#[derive(Clone)]
enum Place {
    Url(String),
    Data(DataDir),
}

impl Place {
    fn of(Top { url, data, .. }: &Top) -> Place {
        match url {
            Some(url) => Place::Url(url.clone()),
            None => Place::Data(data.clone()),
        }
    }

    fn find(&self) -> Result<Running> {
        let data = match self {
            Place::Url(url) => return Running::at(url),
            Place::Data(data) => data_dir(data)?,
        };
        let missing = format!("no gateway runs on {}", data.display());
        let hint = Hint("one elsewhere is named with --url or --data".to_owned());
        Running::on(&data).context(missing).context(hint)
    }
}

/// What the gateway says, as it is shown.
fn told<T: DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(value).context("the gateway answers otherwise than this version understands")
}

/// The figures, without a terminal.
fn once(place: &Place, arguments: &Top) -> Result<()> {
    let running = place.find()?;
    let mut state = State::new(running.url());
    state.hear(News::Hour(told(&running.get(HOUR)?)?), now());
    std::thread::sleep(Duration::from_secs(1));
    let (hour, day, recent) = (running.get(HOUR)?, running.get(DAY)?, running.get(RECENT)?);
    let at = now();
    state.hear(News::Hour(told(&hour)?), at);
    state.hear(News::Day(told(&day)?), at);
    state.hear(News::Recent(told(&recent["calls"])?), at);
    if arguments.json.json {
        return ui::print_json(&json!({
            "gateway": running.url(),
            "at_ms": at.millis(),
            "calls_per_second": state.calls_per_second(),
            "usd_today": state.usd_today(),
            "last_hour": hour["totals"],
            "models": hour["models"],
            "operations": hour["operations"],
            "health": hour["health"],
            "calls": recent["calls"],
        }));
    }
    let width = u16::try_from(ui::width()).expect("no wider than 140");
    ui::print(&text(&state, at, width))
}
