//! Decimals as text: exact, without an exponent when they are written, with one or without when they
//! are read.

use std::fmt;

/// The most digits that a value has, its sign and its point.
const LONGEST: usize = 41;

/// `value` × 10^−`scale`, to be written without trailing zeros. The scale is smaller than 39.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    pub(super) value: i128,
    pub(super) scale: u32,
}

impl Decimal {
    /// Gives the digits to `take`. They are made from the last to the first, without a formatter:
    /// every call writes its cost down, in its answer and in the log.
    pub(super) fn spell<T>(&self, take: impl FnOnce(&str) -> T) -> T {
        let mut text = [0; LONGEST];
        let mut start = LONGEST;
        let mut push = |byte| {
            start -= 1;
            text[start] = byte;
        };
        let mut rest = self.value.unsigned_abs();
        let mut has_fraction = false;
        for _ in 0..self.scale {
            let digit = last_digit(&mut rest);
            has_fraction |= digit != b'0';
            if has_fraction {
                push(digit);
            }
        }
        if has_fraction {
            push(b'.');
        }
        push(last_digit(&mut rest));
        while rest != 0 {
            push(last_digit(&mut rest));
        }
        if self.value < 0 {
            push(b'-');
        }
        take(std::str::from_utf8(&text[start..]).expect("ASCII"))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spell(|digits| f.write_str(digits))
    }
}

/// Takes the last digit away.
fn last_digit(rest: &mut u128) -> u8 {
    // A division of 128 bits costs more than all the rest.
    let (others, digit) = match u64::try_from(*rest) {
        Ok(short) => (u128::from(short / 10), (short % 10) as u8),
        Err(_) => (*rest / 10, (*rest % 10) as u8),
    };
    *rest = others;
    b'0' + digit
}

/// Reads a decimal, with an exponent or without, as (negative, mantissa, scale).
pub(super) fn parse_decimal(text: &str) -> Option<(bool, u128, i32)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 36 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = i32::try_from(fraction.len()).ok()? - exponent;
    (-40..=40).contains(&scale).then_some((negative, digits.parse().ok()?, scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the standard library writes it, with the point set and the zeros taken off.
    fn spelled(value: i128, scale: usize) -> String {
        let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let text = match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        };
        if value < 0 { format!("-{text}") } else { text }
    }

    proptest! {
        #[test]
        fn decimals_are_written_as_they_are_spelled(
            value: i128, shift in 0..127, scale in 0_u32..39
        ) {
            for value in [value >> shift, i128::MIN, i128::MAX, 0, 1, -1] {
                let written = Decimal { value, scale }.to_string();
                prop_assert_eq!(written, spelled(value, scale as usize), "{} {}", value, scale);
            }
        }
    }
}
