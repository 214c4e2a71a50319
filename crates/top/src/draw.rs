//! The picture: what is known, laid out for the room that there is.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::{Clear, Widget as _};
use scrimp_analysis::report::{count, one_line, plural, span};
use scrimp_core::{Span, Time};

use crate::state::{State, View};
use crate::{figures, table};

/// Title, head, two rows and the last line. Where there is less there are only figures.
const SMALLEST_TABLE: u16 = 5;
/// The weightiest figures, where lines are short.
const FEW_FIGURES: u16 = 4;
/// From here on the newest calls have a place beside the other tables.
const TWO_TABLES: u16 = 14;

/// What cells may look like. Colours are the terminal's own sixteen, and letters and ground are left as
/// they are, so that they fit on dark and on light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// With colours.
    Colour,
    /// Without: bold, faint and reversed letters only.
    Plain,
    /// For a file or a pipe: letters alone.
    Text,
}

impl Look {
    pub(crate) fn strong(self) -> Style {
        self.with(Modifier::BOLD, None)
    }

    pub(crate) fn faint(self) -> Style {
        self.with(Modifier::DIM, None)
    }

    pub(crate) fn bad(self) -> Style {
        self.with(Modifier::BOLD, Some(Color::Red))
    }

    pub(crate) fn selected(self) -> Style {
        self.with(Modifier::REVERSED, None)
    }

    fn accent(self) -> Style {
        self.with(Modifier::BOLD, Some(Color::Cyan))
    }

    fn with(self, modifier: Modifier, colour: Option<Color>) -> Style {
        match (self, colour) {
            (Look::Text, _) => Style::new(),
            (Look::Colour, Some(colour)) => Style::new().add_modifier(modifier).fg(colour),
            (Look::Colour | Look::Plain, _) => Style::new().add_modifier(modifier),
        }
    }
}

/// Draws everything as it is at `now`.
pub fn draw(state: &State, now: Time, look: Look, area: Rect, buffer: &mut Buffer) {
    let (figures, table) = shares(area);
    let [head, above, body] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(figures),
        Constraint::Length(table),
    ])
    .areas(area);
    first_line(state, now, look, head, buffer);
    figures::draw(state.shown(), look, above, buffer);
    if 0 < body.height {
        let [tables, foot] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(body);
        draw_tables(state, now, look, tables, buffer);
        last_line(state, look, foot, buffer);
    }
    if state.is_helping {
        help(look, area, buffer);
    }
}

/// How many lines the figures have, and how many the table with its title and the last line. Where not
/// all fits, a table of some lines is worth more than the last figures.
fn shares(area: Rect) -> (u16, u16) {
    let all = figures::lines(area.width);
    let rest = area.height.saturating_sub(1);
    match [all, all.min(FEW_FIGURES)].into_iter().find(|few| few + SMALLEST_TABLE <= rest) {
        Some(figures) => (figures, rest - figures),
        None => (rest, 0),
    }
}

fn draw_tables(state: &State, now: Time, look: Look, area: Rect, buffer: &mut Buffer) {
    let has_two = state.view != View::Calls && TWO_TABLES <= area.height;
    let lower = if has_two { Constraint::Fill(1) } else { Constraint::Length(0) };
    let [upper, lower] = Layout::vertical([Constraint::Fill(1), lower]).areas(area);
    let below = |area: Rect| Rect { y: area.y + 1, height: area.height - 1, ..area };
    title(state, look, upper, buffer);
    table::draw(state, state.view, now, look, below(upper), buffer);
    if has_two {
        put(buffer, lower.x, lower.y, lower.width, "Newest calls", look.strong());
        table::draw(state, View::Calls, now, look, below(lower), buffer);
    }
}

/// Where from, and how it is with the gateway. What is wrong comes first.
fn first_line(state: &State, now: Time, look: Look, area: Rect, buffer: &mut Buffer) {
    let mut parts: Vec<(String, Style)> = Vec::new();
    if let Some((since, why)) = state.lost() {
        let gone = span(now.since(*since).max(Span::ZERO));
        parts.push((format!("gone for {gone}, trying again: {why}"), look.bad()));
    }
    if state.is_stopped() {
        parts.push(("paused".to_owned(), look.accent()));
    }
    parts.push((format!("scrimp top  {}", one_line(&state.gateway)), look.strong()));
    match &state.shown().hour {
        None => parts.push(("waiting for the first figures".to_owned(), look.faint())),
        Some(hour) => {
            let health = &hour.health;
            let troubles = [
                (health.bypass, "bypass is on"),
                (health.last_flush_error.is_some(), "records cannot be written"),
                (health.refused_config.is_some(), "changed configuration refused"),
            ];
            let troubles = troubles.into_iter().filter(|(is_so, _)| *is_so);
            parts.extend(troubles.map(|(_, told)| (told.to_owned(), look.bad())));
            let acts = if health.observing { "observing" } else { "rules act" };
            let up = span(Span::from_secs(health.uptime_s));
            parts.push((format!("{acts}  up {up}  {}", health.version), look.faint()));
        }
    }
    let mut x = area.x;
    for (text, style) in parts {
        if area.right() <= x {
            return;
        }
        x = put(buffer, x, area.y, area.right() - x, &text, style) + 2;
    }
}

/// The views, and what the sums are of.
fn title(state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let mut x = area.x;
    for view in View::ALL {
        if area.right() <= x {
            return;
        }
        let style = if view == state.view { look.accent() } else { look.faint() };
        let name = match (view == state.view, look) {
            (true, Look::Plain | Look::Text) => format!("[{}]", view.name()),
            _ => view.name().to_owned(),
        };
        x = put(buffer, x, area.y, area.right() - x, &name, style) + 2;
    }
    let mut told = String::new();
    if state.shown().has_missed {
        told.push_str("some calls came too fast to be listed  ");
    }
    if !state.filter.is_empty() {
        told.extend(["only “", &one_line(&state.filter), "”  "]);
    }
    told.push_str(&basis(state));
    if x < area.right() {
        put(buffer, x, area.y, area.right() - x, &told, look.faint());
    }
}

/// `last hour: 1,730 calls, 3 unpriced`
pub(crate) fn basis(state: &State) -> String {
    let Some(hour) = &state.shown().hour else { return String::new() };
    let sums = &hour.totals;
    let mut told = format!("last hour: {}", plural(sums.calls, "call"));
    for (number, what) in
        [(sums.unpriced_calls, "unpriced"), (sums.unknown_usage_calls, "of unknown usage")]
    {
        if 0 < number {
            told.extend([", ", &count(number), " ", what]);
        }
    }
    told
}

fn last_line(state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let order = match state.view {
        View::Calls => String::new(),
        _ => format!("  s sort: {}", state.order.name()),
    };
    let pause = if state.is_stopped() { "go on" } else { "pause" };
    let (told, style) = match state.is_typing {
        true => (format!("/{}▏ Enter keeps, Esc clears", one_line(&state.filter)), look.strong()),
        false => (format!("q quit  Tab view{order}  / filter  p {pause}  ? help"), look.faint()),
    };
    put(buffer, area.x, area.y, area.width, &told, style);
}

const HELP: &[&str] = &[
    "q, Ctrl-C        leave",
    "Tab, ← →         models, operations, calls",
    "↑ ↓ PgUp PgDn    another row; Home, End",
    "s                sort the tables by spend, calls,",
    "                 errors, p95 or name",
    "/                only rows with a text in them;",
    "                 Esc shows all again",
    "p, Space         hold the picture; go on",
    "",
    "Sums are of the last hour, by all calls.",
    "today: since midnight in UTC.",
    "$1.20+: some calls had no known price or usage",
    "and are in no sum.   –: not known",
    "overhead: what the gateway adds to a call",
];

fn help(look: Look, area: Rect, buffer: &mut Buffer) {
    let lines = u16::try_from(HELP.len()).expect("a short list");
    let (width, height) = (52.min(area.width), (lines + 2).min(area.height));
    let middle = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(middle, buffer);
    ratatui::widgets::Block::bordered().title(" any key closes ").render(middle, buffer);
    for (line, y) in HELP.iter().zip(middle.y + 1..middle.bottom().saturating_sub(1)) {
        put(
            buffer,
            middle.x + 2,
            y,
            width.saturating_sub(4),
            line,
            look.with(Modifier::empty(), None),
        );
    }
}

/// Writes a text, cut where the room ends; where it ended.
pub(crate) fn put(
    buffer: &mut Buffer,
    x: u16,
    y: u16,
    width: u16,
    text: &str,
    style: Style,
) -> u16 {
    if width == 0 || buffer.area.bottom() <= y || buffer.area.right() <= x {
        return x;
    }
    buffer.set_stringn(x, y, text, usize::from(width), style).0
}
