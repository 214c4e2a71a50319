//! The tables: sums of models and operations, and the newest calls. Narrow terminals lose the columns
//! that say least.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row, StatefulWidget as _, Table, TableState};
use scrimp_analysis::report::{count, one_line, span};
use scrimp_core::Time;

use crate::draw::Look;
use crate::figures::{UNKNOWN, dollars, milliseconds, percent};
use crate::state::{State, View};
use crate::told::{Call, Group};

/// A column: its head, its width, and the narrowest terminal that has it.
struct Column<T> {
    head: &'static str,
    width: u16,
    from: u16,
    /// Whether something is wrong with the row's value.
    is_bad: fn(&T) -> bool,
    value: fn(&T) -> String,
}

const fn column<T>(
    head: &'static str,
    width: u16,
    from: u16,
    value: fn(&T) -> String,
) -> Column<T> {
    Column { head, width, from, is_bad: |_| false, value }
}

/// Beside the name.
const GROUP: &[Column<Group>] = &[
    column("calls", 7, 0, |group| count(group.sums.calls)),
    Column {
        head: "errors",
        width: 6,
        from: 48,
        is_bad: |group| 0 < group.sums.errors,
        value: |group| group.sums.error_share().map_or_else(|| UNKNOWN.to_owned(), percent),
    },
    column("spend/h", 9, 0, |group| dollars(group.sums.usd)),
    column("input", 7, 92, |group| tokens(group, |tokens| count(tokens.input()))),
    column("output", 7, 92, |group| {
        tokens(group, |tokens| count(tokens.output + tokens.reasoning))
    }),
    column("cached", 6, 60, |group| {
        tokens(group, |tokens| tokens.cached().map_or_else(|| UNKNOWN.to_owned(), percent))
    }),
    column("p50", 7, 70, |group| milliseconds(group.sums.latency_ms.and_then(|ms| ms.p50))),
    column("p95", 7, 55, |group| milliseconds(group.sums.latency_ms.and_then(|ms| ms.p95))),
    column("first", 7, 104, |group| milliseconds(group.sums.ttft_ms.and_then(|ms| ms.p50))),
];

/// Beside operation and model.
const CALL: &[Column<Call>] = &[
    Column {
        head: "status",
        width: 6,
        from: 0,
        is_bad: |call| 400 <= call.status,
        value: |call| call.status.to_string(),
    },
    column("input", 7, 92, |call| call_tokens(call, |tokens| count(tokens.input()))),
    column("output", 7, 80, |call| {
        call_tokens(call, |tokens| count(tokens.output + tokens.reasoning))
    }),
    column("spend", 9, 0, |call| dollars(call.usd)),
    column("latency", 7, 60, |call| milliseconds(call.latency_ms)),
    column("first", 7, 104, |call| milliseconds(call.ttft_ms)),
];

fn tokens(group: &Group, value: fn(&crate::told::Tokens) -> String) -> String {
    group.sums.tokens.as_ref().map_or_else(|| UNKNOWN.to_owned(), value)
}

fn call_tokens(call: &Call, value: fn(&crate::told::Tokens) -> String) -> String {
    call.tokens.as_ref().map_or_else(|| UNKNOWN.to_owned(), value)
}

/// Draws a table. Only the one that is looked at shows a row as selected.
pub(crate) fn draw(
    state: &State,
    view: View,
    now: Time,
    look: Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    let table = match view {
        View::Calls => calls(state, now, look, area.width),
        _ => groups(state, view, look, area.width),
    };
    let selected = (view == state.view && look != Look::Text).then_some(state.selected);
    let table = table.column_spacing(1).row_highlight_style(look.selected());
    table.render(area, buffer, &mut TableState::default().with_selected(selected));
}

fn groups(state: &State, view: View, look: Look, width: u16) -> Table<'static> {
    let columns: Vec<_> = GROUP.iter().filter(|column| column.from <= width).collect();
    let name = if view == View::Operations { "operation" } else { "model" };
    let rows = state.groups(view).into_iter().map(|group| {
        let cells = columns.iter().map(|column| cell(column, group, look));
        Row::new(std::iter::once(Cell::new(one_line(&group.full_name()))).chain(cells))
    });
    let widths = columns.iter().map(|column| Constraint::Length(column.width));
    Table::new(rows.collect::<Vec<_>>(), std::iter::once(Constraint::Fill(1)).chain(widths))
        .header(head(vec![name], &columns, look))
}

fn calls(state: &State, now: Time, look: Look, width: u16) -> Table<'static> {
    let columns: Vec<_> = CALL.iter().filter(|column| column.from <= width).collect();
    let has_operation = 48 <= width;
    let rows = state.calls().map(|call| {
        let age = now.since(Time::from_millis(call.at_ms));
        let mut cells = vec![Cell::new(right(span(age.max(scrimp_core::Span::ZERO))))];
        if has_operation {
            cells.push(Cell::new(one_line(&call.operation)));
        }
        cells.push(Cell::new(one_line(&format!("{}/{}", call.provider, call.model))));
        cells.extend(columns.iter().map(|column| cell(column, call, look)));
        Row::new(cells)
    });
    let mut names = vec!["age"];
    let mut widths = vec![Constraint::Length(6)];
    if has_operation {
        names.push("operation");
        widths.push(Constraint::Fill(2));
    }
    names.push("model");
    widths.push(Constraint::Fill(3));
    widths.extend(columns.iter().map(|column| Constraint::Length(column.width)));
    Table::new(rows.collect::<Vec<_>>(), widths).header(head(names, &columns, look))
}

fn head<T>(names: Vec<&'static str>, columns: &[&Column<T>], look: Look) -> Row<'static> {
    let names = names.into_iter().map(|name| match name {
        "age" => Cell::new(right(name.to_owned())),
        name => Cell::new(name),
    });
    let columns = columns.iter().map(|column| Cell::new(right(column.head.to_owned())));
    Row::new(names.chain(columns)).style(look.faint())
}

fn cell<T>(column: &Column<T>, row: &T, look: Look) -> Cell<'static> {
    let cell = Cell::new(right((column.value)(row)));
    match (column.is_bad)(row) {
        true => cell.style(look.bad()),
        false => cell,
    }
}

fn right(text: String) -> Text<'static> {
    Text::from(Line::from(text).alignment(Alignment::Right))
}
