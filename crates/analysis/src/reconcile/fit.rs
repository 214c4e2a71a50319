//! The factor that most of a bill has beside the list price.

use scrimp_core::Usd;

/// Millionths: no factor.
pub(super) const ONE: u64 = 1_000_000;
/// Parts of a bill have the same factor if they differ by less than this share.
const ALIKE: f64 = 0.000_5;
/// A factor is believed if so much of the bill has it.
const LEAST_SUPPORT: f64 = 0.3;

/// A digit of a factor has to bring the bill nearer by so much of it.
const DIGIT: f64 = 0.01;

/// How far a part is from a factor that is as far off as its list price may be.
const WITHIN: f64 = 0.035;

/// A part counts half if its list price may be off by so much of it.
const LOOSE: f64 = 0.01;

/// Of the largest parts, so many are asked for their factor.
const MOST_CANDIDATES: usize = 100;

/// A part of a bill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) list: Usd,
    pub(super) paid: Usd,
    /// How far the list price may be off.
    pub(super) loose: Usd,
}

/// The factor that carries most dollars, in millionths, as short a decimal as fits; `None`: no
/// factor carries enough of them, or there is nothing to be charged.
pub(super) fn factor(parts: &[Part]) -> Option<u64> {
    let mut parts: Vec<&Part> = parts.iter().filter(|part| is_usual(part)).collect();
    if parts.is_empty() {
        return None;
    }
    parts.sort_by_key(|part| std::cmp::Reverse((part.list, part.paid)));
    let total: f64 = parts.iter().map(|part| part.list.as_f64()).sum();
    let weights: f64 = parts.iter().map(|part| weight(part)).sum();
    let alike = |ratio: f64| parts.iter().filter(move |part| is_alike(part, ratio));
    let support = |ratio: f64| alike(ratio).map(|part| part.list.as_f64()).sum::<f64>();
    let closeness = |ratio: f64| {
        let close = |part: &&Part| weight(part) * (1.0 - 0.9 * apart(part, ratio));
        alike(ratio).map(close).sum::<f64>()
    };
    // Discounts are round numbers: each further digit has to bring parts nearer.
    let largest = &parts[..parts.len().min(MOST_CANDIDATES)];
    let rounded = |digits: u32| largest.iter().map(move |part| (round(of(part), digits), digits));
    let score = |(ratio, digits): (f64, u32)| {
        (closeness(ratio) - DIGIT * f64::from(digits) * weights, ratio)
    };
    // No factor at all needs no digits.
    let candidates = (1..=6).flat_map(rounded).filter(|(ratio, _)| 0.0 < *ratio);
    let candidates = candidates.chain([(1.0, 0)]);
    // Of two that fit alike the lower: what is charged beside raises a factor.
    let (_, best) = candidates
        .map(score)
        .max_by(|one, other| one.0.total_cmp(&other.0).then(other.1.total_cmp(&one.1)))?;
    if support(best) < LEAST_SUPPORT * total || (alike(best).count() == 1 && 1 < parts.len()) {
        // Every part is like itself.
        return None;
    }
    Some(millionths(best))
}

/// Whether a part of a bill has this factor.
pub(super) fn has(part: &Part, millionths: u64) -> bool {
    is_usual(part) && is_alike(part, ratio(millionths))
}

/// How much speaks against a factor that all parts of a bill have: how far they are from it, and
/// each of its digits.
#[expect(clippy::cast_precision_loss, reason = "a few")]
pub(super) fn doubt(parts: &[Part], millionths: u64) -> f64 {
    let ratio = ratio(millionths);
    let apart = |part: &Part| {
        let (list, paid) = (part.list.as_f64(), part.paid.as_f64());
        (paid - ratio * list).abs() / (ratio * (ALIKE * list + part.loose.as_f64()))
    };
    let apart: f64 = parts.iter().map(apart).sum();
    apart / parts.len() as f64 + DIGIT * shown(millionths).len() as f64
}

/// The roundest factor in a range, of several the one nearest to its middle.
pub(super) fn roundest(low: f64, high: f64) -> Option<u64> {
    let (low, high) = (low * (1.0 - ALIKE), high * (1.0 + ALIKE));
    let middle = f64::midpoint(low, high);
    let of = |digits: u32| Some(round(middle, digits)).filter(|it| (low..=high).contains(it));
    if (low..=high).contains(&1.0) {
        return Some(ONE);
    }
    (1..=3).find_map(of).map(millionths)
}

/// A factor for a person: `0.85`.
pub(super) fn shown(millionths: u64) -> String {
    let text = format!("{}.{:06}", millionths / ONE, millionths % ONE);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn is_usual(part: &Part) -> bool {
    Usd::ZERO < part.list && Usd::ZERO < part.paid
}

/// A part whose list price is not known to the digit tells less of the factor.
fn weight(part: &Part) -> f64 {
    let list = part.list.as_f64();
    list / (1.0 + part.loose.as_f64() / (LOOSE * list))
}

fn of(part: &Part) -> f64 {
    part.paid.as_f64() / part.list.as_f64()
}

fn is_alike(part: &Part, ratio: f64) -> bool {
    apart(part, ratio) <= 1.0
}

/// How far a part is from a factor, by what it may be.
fn apart(part: &Part, ratio: f64) -> f64 {
    let apart = (part.paid.as_f64() - ratio * part.list.as_f64()).abs();
    let loose = ratio * part.loose.as_f64();
    // Within what the list price may be off, a factor is hardly nearer than another.
    let within = if loose <= 0.0 { 0.0 } else { WITHIN * (apart / loose).min(1.0) };
    within + (apart - loose).max(0.0) / (ratio * ALIKE * part.list.as_f64())
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn ratio(millionths: u64) -> f64 {
    millionths as f64 / ONE as f64
}

#[expect(clippy::cast_possible_wrap, reason = "a few digits")]
fn round(ratio: f64, digits: u32) -> f64 {
    let unit = 10_f64.powi(digits as i32);
    (ratio * unit).round() / unit
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small factor")]
fn millionths(ratio: f64) -> u64 {
    (ratio * 1e6).round().clamp(1.0, 1e12) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(of: &[(&str, &str)]) -> Vec<Part> {
        let usd = |text: &str| text.parse().unwrap();
        of.iter()
            .map(|(list, paid)| Part { list: usd(list), paid: usd(paid), loose: Usd::ZERO })
            .collect()
    }

    #[test]
    fn the_factor_of_most_dollars_is_found_and_is_round() {
        for (of, found) in [
            (&[("10", "8.5"), ("3", "2.55"), ("1", "1")][..], Some("0.85")),
            (&[("10", "10"), ("3", "3"), ("5", "7")], Some("1")),
            (&[("10.01", "9.3494")], Some("0.934")),
            (&[("10", "9"), ("10", "8"), ("10", "7"), ("10", "6")], None),
            (&[("10", "9"), ("3", "2")], None),
            (&[("0", "3")], None),
            (&[("-1", "3")], None),
        ] {
            let factor = factor(&parts(of)).map(shown);
            assert_eq!(factor.as_deref(), found, "{of:?}");
        }
    }
}
