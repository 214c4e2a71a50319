//! Numbers as people read them, and foreign text as a terminal may show it.

use scrimp_core::{Span, Time, Usd};

/// A number of things: exact below ten thousand, then with three digits.
#[expect(clippy::cast_precision_loss, reason = "rounded for people")]
pub fn count(number: u64) -> String {
    let with = |unit: f64, suffix: &str| {
        let scaled = number as f64 / unit;
        let places = usize::from(scaled < 99.95) + usize::from(scaled < 9.995);
        format!("{scaled:.places$}{suffix}")
    };
    match number {
        0..10_000 => grouped(&number.to_string()),
        10_000..999_500 => with(1e3, "k"),
        999_500..999_500_000 => with(1e6, "M"),
        999_500_000..999_500_000_000 => with(1e9, "G"),
        _ => with(1e12, "T"),
    }
}

/// An amount of money, without the sign of the currency, with as many digits as mean something.
pub fn money(usd: Usd) -> String {
    let dollars = usd.as_f64().abs();
    let thousandth = Usd::from_pico(usd.pico() / 1_000);
    match dollars {
        0.0 => "0".to_owned(),
        _ if 99_950.0 <= dollars => grouped(&format!("{thousandth:.0}")) + "k",
        _ if 9_999.5 <= dollars => format!("{thousandth:.1}k"),
        _ if 999.5 <= dollars => grouped(&format!("{usd:.0}")),
        _ if 0.995 <= dollars => format!("{usd:.2}"),
        _ if 0.000_001 <= dollars => significant(usd, dollars),
        _ if usd.pico() < 0 => ">-0.000001".to_owned(),
        _ => "<0.000001".to_owned(),
    }
}

/// Two significant digits of an amount below a dollar, never fewer than cents.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 2 and 7")]
fn significant(usd: Usd, dollars: f64) -> String {
    let places = ((-dollars.log10()).floor() as usize + 2).clamp(2, 7);
    format!("{usd:.places$}")
}

/// A length of time: `410ms`, `3.1s`, `12m`, `2.5h`.
pub fn span(span: Span) -> String {
    let seconds = span.as_secs_f64();
    match seconds {
        _ if seconds < 0.001 => format!("{:.2}ms", seconds * 1e3),
        _ if seconds < 0.01 => format!("{:.1}ms", seconds * 1e3),
        _ if seconds < 0.9995 => format!("{:.0}ms", seconds * 1e3),
        _ if seconds < 99.95 => format!("{seconds:.1}s"),
        _ if seconds < 600.0 => format!("{seconds:.0}s"),
        _ if seconds < 5_400.0 => format!("{:.0}m", seconds / 60.0),
        _ => format!("{:.1}h", seconds / 3_600.0),
    }
}

/// `1 call`, `2 calls`.
pub fn plural(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{} {what}s", count(number)),
    }
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0%".to_owned(),
        percent if percent < 0.1 => "<0.1%".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1}%"),
        percent => format!("{percent:.0}%"),
    }
}

/// Days, with a digit below ten.
pub(super) fn days(days: f64) -> String {
    match days {
        _ if days < 9.95 => format!("{days:.1} days"),
        _ => format!("{days:.0} days"),
    }
}

/// `2026-03-02 09:00`, by the civil-from-days algorithm (Hinnant, public domain description).
pub(super) fn date(at: Time) -> String {
    let days = at.secs().div_euclid(86_400);
    let seconds = at.secs().rem_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", seconds / 3_600, seconds % 3_600 / 60)
}

/// `2026-03-02`
pub fn day(at: Time) -> String {
    date(at).split(' ').next().unwrap_or_default().to_owned()
}

/// `text` on one line, without anything that a terminal obeys.
pub fn one_line(text: &str) -> String {
    let visible = |c: char| {
        let hides = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if hides { '\u{fffd}' } else { c }
    };
    text.chars().map(visible).collect()
}

/// `text` broken between words into lines of `width`. `first` and `rest` begin the lines.
pub fn wrap(first: &str, rest: &str, text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in one_line(text).split_whitespace() {
        let needed = line.chars().count() + 1 + word.chars().count();
        if !is_empty && width < needed {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

/// `text` in at most `width` characters; what is cut leaves an ellipsis.
pub(super) fn fit(text: &str, width: usize) -> String {
    let text = one_line(text);
    if text.chars().count() <= width {
        return text;
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut grouped = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_that_mean_something() {
        for (usd, shown) in [
            ("0", "0"),
            ("0.0000004", "<0.000001"),
            ("0.0000234", "0.000023"),
            ("0.0123", "0.012"),
            ("0.5", "0.50"),
            ("1.875", "1.88"),
            ("-1.875", "-1.88"),
            ("999.4", "999.40"),
            ("1234.5", "1,234"),
            ("12345.6", "12.3k"),
            ("1234567.8", "1,235k"),
        ] {
            assert_eq!(money(usd.parse().unwrap()), shown, "{usd}");
        }
    }

    #[test]
    fn counts_and_times_keep_three_digits() {
        let counts: Vec<_> =
            [0, 999, 9_999, 10_000, 312_345, 999_600, 2_104_000, 5_000_000_000].map(count).into();
        assert_eq!(counts, ["0", "999", "9,999", "10.0k", "312k", "1.00M", "2.10M", "5.00G"]);
        let spans: Vec<_> =
            [50, 4_000, 410_000, 3_140_000, 120_000_000, 720_000_000, 9_000_000_000]
                .map(|micros| span(Span::from_micros(micros)))
                .into();
        assert_eq!(spans, ["0.05ms", "4.0ms", "410ms", "3.1s", "120s", "12m", "2.5h"]);
    }

    #[test]
    fn dates_are_civil() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00"),
            (951_782_400, "2000-02-29 00:00"),
            (1_772_442_000, "2026-03-02 09:00"),
            (-1, "1969-12-31 23:59"),
        ] {
            assert_eq!(date(Time::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc\u{202e}"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(fit("support-answer", 8), "support…");
    }
}
