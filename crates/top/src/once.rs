//! The same as lines of text, for a pipe or a file.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use scrimp_core::Time;

use crate::draw::{Look, basis};
use crate::state::{State, View};
use crate::{figures, table};

/// The newest calls that are printed.
const MOST_CALLS: usize = 20;

/// All figures, models and operations, and the newest calls, `width` wide.
pub fn text(state: &State, now: Time, width: u16) -> String {
    let mut told = format!("{}\n", basis(state));
    let shown = state.shown();
    told.push_str(&lines(width, figures::lines(width), |area, buffer| {
        figures::draw(shown, Look::Text, area, buffer);
    }));
    for view in View::ALL {
        let rows = match view {
            View::Calls => state.calls().take(MOST_CALLS).count(),
            view => state.groups(view).len(),
        };
        let height = u16::try_from(rows).unwrap_or(u16::MAX - 1).saturating_add(1);
        told.push('\n');
        told.push_str(&lines(width, height, |area, buffer| {
            table::draw(state, view, now, Look::Text, area, buffer);
        }));
    }
    told
}

fn lines(width: u16, height: u16, draw: impl FnOnce(Rect, &mut Buffer)) -> String {
    let area = Rect { x: 0, y: 0, width, height };
    let mut buffer = Buffer::empty(area);
    draw(area, &mut buffer);
    rows(&buffer)
}

/// What stands in the cells, a line for each row.
pub(crate) fn rows(buffer: &Buffer) -> String {
    let Rect { width, height, .. } = buffer.area;
    let mut text = String::new();
    for y in 0..height {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
