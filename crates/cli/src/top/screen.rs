//! The terminal: keys in, pictures out, and left as it was found, however this ends.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ratatui::crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, crossterm};
use scrimp_top::{Key, Look, News, Next, State, draw};
use tokio::signal::unix::{SignalKind, signal};

use super::{Place, watch};
use crate::commands::now;
use crate::ui::Ended;

/// What may happen.
pub(super) enum Event {
    News(News),
    Key(Key),
    /// The terminal has another size.
    Resized,
    /// A signal says to end.
    Signal(u8),
    /// The terminal cannot be read.
    Broken(io::Error),
}

/// News that wait to be drawn; who brings more waits, too.
const MOST_WAITING: usize = 256;
/// Without any event the picture is drawn anew, since ages grow.
const OLDEST: Duration = Duration::from_secs(1);
/// News do not make more pictures than this; keys do.
const AT_MOST_EVERY: Duration = Duration::from_millis(100);

/// Shows the gateway until a person or a signal says to stop.
pub(super) fn show(place: Place, url: String) -> Result<()> {
    let (events, received) = sync_channel(MOST_WAITING);
    listen_to_signals(events.clone())?;
    // Also restores the terminal when something panics.
    let mut terminal = ratatui::try_init().context("the terminal cannot be used")?;
    watch::begin(place, events.clone());
    std::thread::spawn(move || read_keys(&events));
    let ended = follow(&mut terminal, State::new(url), &received);
    ratatui::restore();
    ended
}

fn follow(
    terminal: &mut DefaultTerminal,
    mut state: State,
    events: &Receiver<Event>,
) -> Result<()> {
    let look = match std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        true => Look::Plain,
        false => Look::Colour,
    };
    let mut event = Some(Event::Resized);
    let mut drawn = Instant::now();
    loop {
        let mut is_due = event.is_none();
        match event {
            None => {}
            Some(Event::News(news)) => state.hear(news, now()),
            Some(Event::Resized) => is_due = true,
            Some(Event::Key(key)) => match state.press(key) {
                Next::Quit => return Ok(()),
                Next::Go => is_due = true,
            },
            Some(Event::Signal(number)) => {
                return Err(Ended { code: 128 + number, why: None }.into());
            }
            Some(Event::Broken(error)) => return Err(error).context("the terminal is gone"),
        }
        let since = drawn.elapsed();
        if is_due || AT_MOST_EVERY <= since {
            terminal
                .draw(|frame| draw(&state, now(), look, frame.area(), frame.buffer_mut()))
                .context("the terminal cannot be drawn on")?;
            drawn = Instant::now();
            event = next(events, OLDEST)?;
        } else {
            event = next(events, AT_MOST_EVERY.saturating_sub(since))?;
        }
    }
}

/// The next event, if one comes in time.
fn next(events: &Receiver<Event>, patience: Duration) -> Result<Option<Event>> {
    match events.recv_timeout(patience) {
        Ok(event) => Ok(Some(event)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::from(io::ErrorKind::BrokenPipe))
            .context("nobody watches the gateway any more"),
    }
}

fn read_keys(events: &SyncSender<Event>) {
    loop {
        let event = match event::read() {
            Ok(crossterm::event::Event::Resize(..)) => Event::Resized,
            Ok(crossterm::event::Event::Key(key)) if key.kind != KeyEventKind::Release => {
                match meant(key.code, key.modifiers) {
                    Some(key) => Event::Key(key),
                    None => continue,
                }
            }
            Ok(_) => continue,
            Err(error) => {
                drop(events.send(Event::Broken(error)));
                return;
            }
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// What a key means here.
fn meant(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    Some(match code {
        KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => Key::Leave,
        KeyCode::Char(_) if modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
            return None;
        }
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Tab | KeyCode::Right => Key::Next,
        KeyCode::BackTab | KeyCode::Left => Key::Back,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}

/// Signals come as events, so that the terminal is restored before the end.
fn listen_to_signals(events: SyncSender<Event>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let heard = {
        let _entered = runtime.enter();
        let all = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
        all.map(|kind| signal(kind).map(|heard| (heard, kind.as_raw_value())))
    };
    let [Ok(mut terminate), Ok(mut hang_up), Ok(mut interrupt)] = heard else {
        bail!("signals cannot be heard");
    };
    std::thread::spawn(move || {
        let number = runtime.block_on(async {
            tokio::select! {
                _ = terminate.0.recv() => terminate.1,
                _ = hang_up.0.recv() => hang_up.1,
                _ = interrupt.0.recv() => interrupt.1,
            }
        });
        // Nobody is left to tell where the program ends anyway.
        drop(events.send(Event::Signal(u8::try_from(number).unwrap_or(0))));
    });
    Ok(())
}
