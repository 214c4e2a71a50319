//! The `date` header.

use std::cell::Cell;
use std::time::{Duration, UNIX_EPOCH};

use scrimp_core::Time;

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const LENGTH: usize = 29;

thread_local! {
    /// The second that was spelt last. Spelling one costs as much as all the rest of a head.
    static LAST: Cell<(u64, [u8; LENGTH])> = const { Cell::new((u64::MAX, [0; LENGTH])) };
}

/// A date as HTTP spells it.
pub(super) fn spell(now: Time) -> [u8; LENGTH] {
    let seconds = u64::try_from(now.secs()).unwrap_or(0);
    let (last, text) = LAST.get();
    if last == seconds {
        return text;
    }
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    let text = text.as_bytes().try_into().unwrap_or([b' '; LENGTH]);
    LAST.set((seconds, text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_spelt_as_http_wants_them() {
        for (seconds, expected) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_778, "Sun, 06 Nov 1994 08:49:38 GMT"),
            (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            assert_eq!(spell(Time::from_secs(seconds)), expected.as_bytes(), "{seconds}");
        }
    }
}
