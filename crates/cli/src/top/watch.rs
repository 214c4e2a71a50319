//! Watching the gateway: threads that ask and listen, and look for it again when it is gone.

use std::io::BufRead as _;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anyhow::{Result, bail};
use scrimp_top::News;
use serde_json::Value;

use super::screen::Event;
use super::{DAY, HOUR, Place, RECENT, told};

/// How often sums are asked for. A summary reads some thousand cells.
const EVERY: Duration = Duration::from_secs(2);
/// Sums of the day change slowly, and are asked for once in so many times.
const DAY_EVERY: usize = 5;
/// Before the gateway is looked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// Nobody listens any more.
struct Left;

/// Begins to watch.
pub(super) fn begin(place: Place, events: SyncSender<Event>) {
    let (summed, told) = (place.clone(), events.clone());
    std::thread::spawn(move || sum(&summed, &told));
    std::thread::spawn(move || listen(&place, &events));
}

fn tell(events: &SyncSender<Event>, news: News) -> Result<(), Left> {
    events.send(Event::News(news)).map_err(|_| Left)
}

/// Asks for sums, again and again.
fn sum(place: &Place, events: &SyncSender<Event>) {
    for round in 0.. {
        let (news, wait) = match sums(place, round % DAY_EVERY == 0) {
            Ok(news) => (news, EVERY),
            Err(error) => (vec![News::Lost(format!("{:#}", error.root_cause()))], AGAIN),
        };
        if news.into_iter().any(|news| tell(events, news).is_err()) {
            return;
        }
        std::thread::sleep(wait);
    }
}

fn sums(place: &Place, has_day: bool) -> Result<Vec<News>> {
    let running = place.find()?;
    let mut news = Vec::new();
    if has_day {
        news.push(News::Day(told(&running.get(DAY)?)?));
    }
    news.push(News::Hour(told(&running.get(HOUR)?)?));
    Ok(news)
}

/// Listens to calls as they end. That the gateway is gone is told by the sums.
fn listen(place: &Place, events: &SyncSender<Event>) {
    while let Ok(()) | Err(Broken::Gateway) = stream(place, events) {
        std::thread::sleep(AGAIN);
    }
}

/// Why a stream ended.
enum Broken {
    Gateway,
    Left,
}

impl From<Left> for Broken {
    fn from(_: Left) -> Broken {
        Broken::Left
    }
}

impl From<anyhow::Error> for Broken {
    fn from(_: anyhow::Error) -> Broken {
        Broken::Gateway
    }
}

fn stream(place: &Place, events: &SyncSender<Event>) -> Result<(), Broken> {
    let running = place.find()?;
    // Listened first and asked then, so that no call falls between.
    let lines = running.live()?.lines();
    tell(events, News::Recent(told(&running.get(RECENT)?["calls"])?))?;
    for line in lines {
        let line = line.map_err(anyhow::Error::from)?;
        if let Some(news) = read(&line)? {
            tell(events, news)?;
        }
    }
    Ok(())
}

/// What a line of the stream says, if anything. A call's data says by itself that it is one.
fn read(line: &str) -> Result<Option<News>> {
    match line.split_once(": ") {
        Some(("event", "missed")) => Ok(Some(News::Missed)),
        Some(("data", "{}")) => Ok(None),
        Some(("data", call)) => match serde_json::from_str::<Value>(call) {
            Ok(call) => Ok(Some(News::Call(told(&call)?))),
            Err(error) => bail!("an event that is no JSON: {error}"),
        },
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_stream_are_calls_or_nothing() {
        let call = r#"data: {"id":"a","at_ms":1,"operation":"o","provider":"p","model":"m","status":200,"usd":null,"tokens":null,"latency_ms":null,"ttft_ms":null}"#;
        assert!(matches!(read(call), Ok(Some(News::Call(call))) if call.id == "a"));
        assert!(matches!(read("event: missed"), Ok(Some(News::Missed))));
        for nothing in ["", ": still here", "event: call", "data: {}"] {
            assert!(matches!(read(nothing), Ok(None)), "{nothing}");
        }
        assert!(read("data: {\"id\"").is_err() && read("data: {\"id\":1}").is_err());
    }
}
