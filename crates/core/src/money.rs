//! Money as integers.
//!
//! An amount is a whole number of pico-dollars. A rate is kept as the decimal that was published,
//! because some published rates are no whole number of pico-dollars; each line of a bill is
//! multiplied out exactly and rounded once, half to even.

mod decimal;

use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use decimal::{Decimal, parse_decimal};

const PICO_DIGITS: u32 = 12;
/// No published rate has more decimal places than this many; one that has is a mistake.
const FINEST_RATE: u8 = 30;
const PICO_PER_USD: i128 = 1_000_000_000_000;

/// Powers of ten, as many as fit: looked up for every class of every call.
const TENS: [i128; 39] = {
    let mut tens = [1; 39];
    let mut n = 1;
    while n < tens.len() {
        tens[n] = tens[n - 1] * 10;
        n += 1;
    }
    tens
};

/// An amount of money in pico-dollars (10⁻¹² US dollars). May be negative: a saving, a refund.
///
/// In JSON it is a decimal string in dollars, exact: `"0.00000123"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd {
    pico: i128,
}

/// Dollars per token, as published: `mantissa` × 10^−`scale`, normalised without trailing zeros.
///
/// In JSON it is a decimal string in dollars per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    mantissa: u64,
    scale: u8,
}

/// A text that is no decimal amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decimal amount of dollars")]
pub struct NotAnAmount(pub String);

impl Usd {
    /// No money.
    pub const ZERO: Usd = Usd { pico: 0 };

    /// From pico-dollars.
    pub const fn from_pico(pico: i128) -> Usd {
        Usd { pico }
    }

    /// In pico-dollars.
    pub const fn pico(self) -> i128 {
        self.pico
    }

    /// In dollars, for charts and statistics. Never sum these.
    #[expect(clippy::cast_precision_loss, reason = "shown to people, never summed")]
    pub fn as_f64(self) -> f64 {
        self.pico as f64 / PICO_PER_USD as f64
    }

    /// The nearest amount to a float, for statistics that end as an amount again.
    /// Not finite becomes zero.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "saturates")]
    pub fn from_f64_estimate(dollars: f64) -> Usd {
        Usd { pico: (dollars * PICO_PER_USD as f64).round() as i128 }
    }

    #[must_use]
    /// This amount scaled by `numerator / denominator`, rounded half to even.
    pub fn scaled(self, numerator: u64, denominator: u64) -> Usd {
        let product = self.pico.saturating_mul(i128::from(numerator));
        Usd { pico: div_half_even(product, i128::from(denominator.max(1))) }
    }
}

impl Rate {
    /// Free of charge.
    pub const ZERO: Rate = Rate { mantissa: 0, scale: 0 };

    /// `mantissa` × 10^−`scale` dollars per token.
    pub const fn new(mantissa: u64, scale: u8) -> Rate {
        let mut rate = Rate { mantissa, scale };
        if mantissa == 0 {
            return Rate::ZERO;
        }
        while rate.scale > 0 && rate.mantissa.is_multiple_of(10) {
            rate.mantissa /= 10;
            rate.scale -= 1;
        }
        rate
    }

    /// What `tokens` cost: exact, then rounded once to pico-dollars, half to even.
    pub fn times(self, tokens: u64) -> Usd {
        // Most classes of most calls are empty.
        if tokens == 0 {
            return Usd::ZERO;
        }
        let product = i128::from(self.mantissa).saturating_mul(i128::from(tokens));
        let scale = u32::from(self.scale);
        let power = TENS[scale.abs_diff(PICO_DIGITS) as usize];
        Usd {
            pico: match scale <= PICO_DIGITS {
                true => product.saturating_mul(power),
                false => div_half_even(product, power),
            },
        }
    }

    /// This rate times `permille` / 1000 (a multiplier such as 1.1 for a region). Exact as long as
    /// the product has at most 19 digits; a longer one is rounded half to even.
    #[must_use]
    pub fn times_permille(self, permille: u32) -> Rate {
        let mut mantissa = i128::from(self.mantissa) * i128::from(permille);
        let mut scale = self.scale + 3;
        while i128::from(u64::MAX) < mantissa {
            mantissa = div_half_even(mantissa, 10);
            scale = scale.saturating_sub(1);
        }
        Rate::new(u64::try_from(mantissa).expect("just made to fit"), scale)
    }

    /// This rate with at most `digits` significant digits, rounded half to even.
    #[must_use]
    pub fn rounded_to_digits(self, digits: u32) -> Rate {
        let surplus =
            (self.mantissa.checked_ilog10().map_or(1, |log| log + 1)).saturating_sub(digits);
        let surplus = surplus.min(u32::from(self.scale));
        let mantissa = div_half_even(i128::from(self.mantissa), 10_i128.pow(surplus));
        let scale = self.scale - u8::try_from(surplus).expect("at most 19 digits");
        Rate::new(u64::try_from(mantissa).expect("smaller than it was"), scale)
    }

    /// This rate times `numerator` / `denominator`, where that is a decimal that fits; otherwise
    /// `None`: a rate is never rounded.
    pub fn times_ratio(self, numerator: Rate, denominator: Rate) -> Option<Rate> {
        let divisor = u128::from(denominator.mantissa);
        let mut product = u128::from(self.mantissa) * u128::from(numerator.mantissa);
        let mut scale = i32::from(self.scale) + i32::from(numerator.scale);
        scale -= i32::from(denominator.scale);
        while product.checked_rem(divisor)? != 0 || scale < 0 {
            product = product.checked_mul(10)?;
            scale += 1;
        }
        let mut quotient = product / divisor;
        while 0 < scale && quotient % 10 == 0 {
            quotient /= 10;
            scale -= 1;
        }
        let scale = u8::try_from(scale).ok().filter(|scale| *scale <= FINEST_RATE)?;
        Some(Rate::new(u64::try_from(quotient).ok()?, scale))
    }

    /// Dollars per token, for statistics and ratios.
    #[expect(clippy::cast_precision_loss, reason = "shown to people, never summed")]
    pub fn as_f64(self) -> f64 {
        self.mantissa as f64 / 10_f64.powi(i32::from(self.scale))
    }

    /// Dollars per million tokens as an exact decimal, the way price lists print it.
    pub fn per_million(self) -> String {
        let scale = u32::from(self.scale);
        let mantissa = i128::from(self.mantissa);
        match scale.checked_sub(6) {
            Some(scale) => Decimal { value: mantissa, scale }.to_string(),
            None => (mantissa * 10_i128.pow(6 - scale)).to_string(),
        }
    }
}

/// Divides, rounding half to even. `divisor` is positive.
fn div_half_even(dividend: i128, divisor: i128) -> i128 {
    let quotient = dividend.div_euclid(divisor);
    let remainder = dividend.rem_euclid(divisor);
    match (remainder * 2).cmp(&divisor) {
        Ordering::Less => quotient,
        Ordering::Greater => quotient + 1,
        Ordering::Equal => quotient + (quotient & 1),
    }
}

impl Ord for Rate {
    fn cmp(&self, other: &Rate) -> Ordering {
        // Both in units of the finer one. A product too large for 128 bits is the larger rate.
        let scale = self.scale.max(other.scale);
        let units = |rate: &Rate| {
            let shift = 10_u128.checked_pow(u32::from(scale - rate.scale));
            shift.and_then(|shift| shift.checked_mul(u128::from(rate.mantissa)))
        };
        units(self).unwrap_or(u128::MAX).cmp(&units(other).unwrap_or(u128::MAX))
    }
}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Rate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Rate {
    type Err = NotAnAmount;
    fn from_str(text: &str) -> Result<Rate, NotAnAmount> {
        let refuse = || NotAnAmount(text.to_owned());
        let (negative, mut mantissa, mut scale) = parse_decimal(text).ok_or_else(refuse)?;
        if negative && mantissa != 0 {
            return Err(refuse());
        }
        while scale < 0 {
            mantissa = mantissa.checked_mul(10).ok_or_else(refuse)?;
            scale += 1;
        }
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        let mantissa = u64::try_from(mantissa).map_err(|_| refuse())?;
        let scale = u8::try_from(scale).ok().filter(|scale| *scale <= FINEST_RATE);
        Ok(Rate::new(mantissa, scale.ok_or_else(refuse)?))
    }
}

impl FromStr for Usd {
    type Err = NotAnAmount;
    fn from_str(text: &str) -> Result<Usd, NotAnAmount> {
        let refuse = || NotAnAmount(text.to_owned());
        let (negative, mantissa, scale) = parse_decimal(text).ok_or_else(refuse)?;
        let mantissa = i128::try_from(mantissa).map_err(|_| refuse())?;
        let shift = i32::try_from(PICO_DIGITS).expect("12 fits") - scale;
        let power = 10_i128.checked_pow(shift.unsigned_abs()).ok_or_else(refuse)?;
        let pico = match shift {
            0.. => mantissa.checked_mul(power).ok_or_else(refuse)?,
            _ => div_half_even(mantissa, power),
        };
        Ok(Usd { pico: if negative { -pico } else { pico } })
    }
}

impl Usd {
    /// Gives the exact amount in dollars, as text, to `take`.
    pub fn spell<T>(self, take: impl FnOnce(&str) -> T) -> T {
        Decimal { value: self.pico, scale: PICO_DIGITS }.spell(take)
    }
}

impl fmt::Display for Usd {
    /// Exact, in dollars: `-0.00000123`. With a precision it is rounded half to even: `{:.2}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().map_or(PICO_DIGITS, |p| u32::try_from(p).unwrap_or(PICO_DIGITS));
        if f.precision().is_none() || PICO_DIGITS <= places {
            return Decimal { value: self.pico, scale: PICO_DIGITS }.fmt(f);
        }
        let rounded = div_half_even(self.pico, 10_i128.pow(PICO_DIGITS - places));
        let sign = if rounded < 0 { "-" } else { "" };
        let unit = 10_u128.pow(places);
        let (whole, fraction) = (rounded.unsigned_abs() / unit, rounded.unsigned_abs() % unit);
        match places {
            0 => write!(f, "{sign}{whole}"),
            _ => write!(f, "{sign}{whole}.{fraction:0width$}", width = places as usize),
        }
    }
}

impl fmt::Display for Rate {
    /// Exact, in dollars per token: `0.00000125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal { value: i128::from(self.mantissa), scale: u32::from(self.scale) }.fmt(f)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => self.pico.serialize(serializer),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Usd, D::Error> {
        if !deserializer.is_human_readable() {
            return i128::deserialize(deserializer).map(Usd::from_pico);
        }
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Add for Usd {
    type Output = Usd;
    fn add(self, other: Usd) -> Usd {
        Usd { pico: self.pico.saturating_add(other.pico) }
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Usd) {
        *self = *self + other;
    }
}

impl Sub for Usd {
    type Output = Usd;
    fn sub(self, other: Usd) -> Usd {
        Usd { pico: self.pico.saturating_sub(other.pico) }
    }
}

impl SubAssign for Usd {
    fn sub_assign(&mut self, other: Usd) {
        *self = *self - other;
    }
}

impl Neg for Usd {
    type Output = Usd;
    fn neg(self) -> Usd {
        Usd { pico: -self.pico }
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Usd>>(amounts: I) -> Usd {
        amounts.fold(Usd::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rate_finer_than_a_pico_dollar_is_kept_and_its_line_rounds_half_to_even() {
        let rate: Rate = "1.5e-12".parse().unwrap();
        assert_eq!(rate.times(1), Usd::from_pico(2), "1.5 rounds to the even 2");
        assert_eq!(rate.times(3), Usd::from_pico(4), "4.5 rounds to the even 4");
        assert_eq!(rate.times(1_000_000), Usd::from_pico(1_500_000), "no rounding is repeated");
    }

    #[test]
    fn published_prices_read_the_same_in_every_spelling() {
        for text in ["2.5e-06", "0.0000025", "25e-7", "2.50E-6"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), "0.0000025", "{text}");
        }
        assert_eq!("2.5e-06".parse::<Rate>().unwrap().per_million(), "2.5");
        assert_eq!("3e-7".parse::<Rate>().unwrap().per_million(), "0.3");
        assert_eq!("0.002".parse::<Rate>().unwrap().per_million(), "2000");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-", ".", "1e999", "NaN", "inf", "1_000", "0x1", "1e", "--1", "１"] {
            assert!(text.parse::<Usd>().is_err(), "{text}");
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert!("-1e-6".parse::<Rate>().is_err(), "nobody is paid for sending tokens");
    }

    #[test]
    fn a_rate_too_fine_to_print_is_refused_and_a_product_too_long_is_rounded() {
        assert!("1e-31".parse::<Rate>().is_err());
        let longest = Rate::new(u64::MAX, 30);
        assert_eq!(longest.times_permille(2_000).to_string(), "0.00000000003689348814741910323");
        assert_eq!(longest.times(u64::MAX).pico(), i128::MAX / 10_i128.pow(18) + 1, "saturates");
    }

    #[test]
    fn a_ratio_of_rates_is_exact_or_refused() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        let half = |text| rate(text).times_ratio(rate("1.5e-6"), rate("3e-6"));
        assert_eq!(half("6e-6"), Some(rate("3e-6")));
        assert_eq!(half("3.75e-6"), Some(rate("1.875e-6")));
        assert_eq!(rate("1e-6").times_ratio(rate("1e-6"), rate("3e-6")), None, "a third");
        assert_eq!(rate("1e-6").times_ratio(rate("1e-6"), Rate::ZERO), None);
        assert_eq!(Rate::ZERO.times_ratio(rate("1e-6"), rate("3e-6")), Some(Rate::ZERO));
    }

    #[test]
    fn noise_beyond_the_digits_asked_for_goes_and_nothing_else_does() {
        let rounded = |text: &str| text.parse::<Rate>().unwrap().rounded_to_digits(15).to_string();
        assert_eq!(rounded("2.9999900000000002e-06"), "0.00000299999");
        assert_eq!(rounded("1.0000000000000001e-07"), "0.0000001");
        assert_eq!(rounded("9.99999e-06"), "0.00000999999");
        assert_eq!(rounded("0"), "0");
        assert_eq!(rounded("1234567890123456789"), "1234567890123456789", "no places to drop");
    }

    #[test]
    fn rates_compare_by_value_at_any_scale() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        assert!(rate("2.5e-7") < rate("1e-6"));
        assert!(rate("1e-30") < rate("1000000000"));
        assert_eq!(rate("1.0e-6").cmp(&rate("0.000001")), Ordering::Equal);
    }

    #[test]
    fn amounts_print_exactly_or_rounded_to_what_is_asked() {
        let amount: Usd = "-1.235".parse().unwrap();
        assert_eq!(amount.to_string(), "-1.235");
        assert_eq!(format!("{amount:.2}"), "-1.24");
        assert_eq!(format!("{:.2}", Usd::from_pico(5_000_000_000)), "0.00");
        assert_eq!(format!("{:.0}", Usd::from_pico(1_500_000_000_000)), "2");
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_text(pico in -(1_i128 << 100)..(1_i128 << 100)) {
            let amount = Usd::from_pico(pico);
            prop_assert_eq!(amount.to_string().parse::<Usd>().unwrap(), amount);
        }

        #[test]
        fn a_rate_survives_its_text(mantissa in 0_u64..1 << 50, scale in 0_u8..20) {
            let rate = Rate::new(mantissa, scale);
            prop_assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        }

        #[test]
        fn rounding_is_never_off_by_more_than_half(mantissa in 0_u64..1 << 40, tokens in 0_u64..1 << 40) {
            let rate = Rate::new(mantissa, 18);
            let exact_micro_pico = i128::from(mantissa) * i128::from(tokens);
            prop_assert!((rate.times(tokens).pico() * 1_000_000 - exact_micro_pico).abs() <= 500_000
                || rate.times(tokens).pico() * 1_000_000 == exact_micro_pico);
        }
    }
}
