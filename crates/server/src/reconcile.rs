//! What was counted here, for setting a provider's reports against it.

use scrimp_analysis::reconcile::{Books, DayCount};
use scrimp_core::{Aggregate, Span, Time};
use scrimp_store::{LedgerRow, Reader, ScanError, StoreError};

/// What was counted on the days of some sums, with a day on either side for other time zones; and
/// what of the records could not be read.
///
/// # Errors
/// If the store cannot be read.
pub fn books(records: &Reader, sums: &[Aggregate]) -> Result<(Books, Vec<ScanError>), StoreError> {
    let day = Span::from_hours(24);
    let from = sums.iter().map(|sum| sum.from).min().unwrap_or(Time::EPOCH).floor(day) - day;
    let until =
        sums.iter().map(|sum| sum.until).max().unwrap_or(Time::EPOCH).floor(day) + day + day;
    let mut books = Books::new();
    let mut unread = Vec::new();
    for record in records.scan(from, until) {
        match record {
            Ok(record) => books.see(&record),
            Err(error) => unread.push(error),
        }
    }
    let counted: Vec<DayCount> = records.ledger(from, until)?.into_iter().map(count).collect();
    books.fill(&counted);
    Ok((books, unread))
}

fn count(row: LedgerRow) -> DayCount {
    let LedgerRow { day, provider, model, key, calls, usage, cost, .. } = row;
    DayCount { day, provider, model, key, calls, usage, cost }
}
