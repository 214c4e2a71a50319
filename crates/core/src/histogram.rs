//! A mergeable histogram with bounded relative error.
//!
//! Buckets grow by 2^(1/32) (the base-2 exponential histogram of OpenTelemetry at scale 5), so a
//! quantile is within 1.1 % of the value it stands for, whatever the range, and merging two
//! histograms adds their counts.

use serde::{Deserialize, Serialize};

use crate::time::Span;

const BUCKETS_PER_DOUBLING: f64 = 32.0;
/// No length that can be said in nanoseconds has a bucket beyond this one.
const LAST_BUCKET: i32 = 64 * 32;

/// Lengths of time, counted by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Lengths of less than a nanosecond.
    zero: u64,
    buckets: Buckets,
    count: u64,
    /// Exact, so that means are exact.
    sum_nanos: i128,
}

/// Counts side by side. Bucket `i` holds lengths in (2^(i/32), 2^((i+1)/32)] nanoseconds. Lengths of
/// one kind lie close together, so the row is short and counting touches one word of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Buckets {
    /// The bucket of the first count.
    first: i32,
    /// Neither begins nor ends with a zero, so that equal counts are equal values.
    counts: Vec<u64>,
}

impl Buckets {
    /// Adds to a bucket; `count` is not zero.
    fn add(&mut self, bucket: i32, count: u64) {
        let at = self.make_room(bucket, bucket);
        self.counts[at] += count;
    }

    fn merge(&mut self, other: &Buckets) {
        let Some(last) = other.last() else { return };
        let at = self.make_room(other.first, last);
        for (mine, theirs) in self.counts[at..].iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// Every bucket with a count, in rising order.
    fn iter(&self) -> impl Iterator<Item = (i32, u64)> {
        let all = (self.first..).zip(self.counts.iter().copied());
        all.filter(|(_, count)| *count != 0)
    }

    fn last(&self) -> Option<i32> {
        let behind = i32::try_from(self.counts.len()).expect("bounded by the last bucket");
        (behind != 0).then_some(self.first + behind - 1)
    }

    /// Widens the row to hold the buckets `from` to `to`. Returns where `from` stands in it.
    fn make_room(&mut self, from: i32, to: i32) -> usize {
        let length = |first: i32, last: i32| usize::try_from(last - first).unwrap_or(0);
        if self.counts.is_empty() {
            self.first = from;
        }
        let last = self.last().unwrap_or(from - 1);
        if last < to {
            self.counts.resize(self.counts.len() + length(last, to), 0);
        }
        if from < self.first {
            let before = length(from, self.first);
            self.counts.splice(..0, std::iter::repeat_n(0, before));
            self.first = from;
        }
        length(self.first, from)
    }
}

impl Histogram {
    /// Counts one length. A negative one counts as zero.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "log2 < 64")]
    pub fn add(&mut self, length: Span) {
        self.count += 1;
        self.sum_nanos += i128::from(length.nanos().max(0));
        match length.nanos() {
            ..=0 => self.zero += 1,
            nanos => {
                let bucket = ((nanos as f64).log2() * BUCKETS_PER_DOUBLING).ceil() as i32 - 1;
                self.buckets.add(bucket, 1);
            }
        }
    }

    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &Histogram) {
        let Histogram { zero, buckets, count, sum_nanos } = other;
        self.zero += zero;
        self.count += count;
        self.sum_nanos += sum_nanos;
        self.buckets.merge(buckets);
    }

    /// How many lengths were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their exact mean; `None` without any.
    pub fn mean(&self) -> Option<Span> {
        let mean = self.sum_nanos.checked_div(i128::from(self.count))?;
        Some(Span::from_nanos(i64::try_from(mean).unwrap_or(i64::MAX)))
    }

    /// The length that a share of `q` (0 to 1) do not exceed, within 1.1 %; `None` without any.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rank lies between 1 and count"
    )]
    pub fn quantile(&self, q: f64) -> Option<Span> {
        let rank = ((self.count as f64 * q).ceil() as u64).clamp(1, self.count.max(1));
        if self.count == 0 {
            return None;
        }
        let mut seen = self.zero;
        if rank <= seen {
            return Some(Span::ZERO);
        }
        for (bucket, count) in self.buckets.iter() {
            seen += count;
            if rank <= seen {
                // The middle of the bucket on a logarithmic scale.
                let nanos = 2_f64.powf((f64::from(bucket) + 0.5) / BUCKETS_PER_DOUBLING);
                return Some(Span::from_nanos(nanos.round() as i64));
            }
        }
        None
    }

    /// Counts by the upper end of their bucket, for charts, in rising order.
    pub fn bars(&self) -> impl Iterator<Item = (Span, u64)> {
        let zero = (self.zero > 0).then_some((Span::ZERO, self.zero));
        zero.into_iter().chain(self.buckets.iter().map(|(bucket, count)| {
            let nanos = 2_f64.powf(f64::from(bucket + 1) / BUCKETS_PER_DOUBLING);
            (Span::from_secs_f64(nanos / 1e9), count)
        }))
    }

    /// Counts by coarser buckets, in rising order: `parts` of each doubling, which divides 32. Band
    /// `i` holds lengths in (2^(i/parts), 2^((i+1)/parts)] nanoseconds; band 0 those of less, too.
    pub fn bands(&self, parts: u32) -> impl Iterator<Item = (i32, u64)> {
        let zero = (self.zero > 0).then_some((0, self.zero));
        let width = 32 / parts.clamp(1, 32).cast_signed();
        let fine = self.buckets.iter().map(move |(bucket, n)| (bucket.div_euclid(width).max(0), n));
        zero.into_iter().chain(fine)
    }

    /// Where band `band` of [`Histogram::bands`] begins.
    pub fn band_begin(band: i32, parts: u32) -> Span {
        Span::from_secs_f64(2_f64.powf(f64::from(band) / f64::from(parts)) / 1e9)
    }

    /// A compact form: varints of zero, sum, then (gap of bucket, count) pairs.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + 3 * self.buckets.counts.len());
        write_varint(&mut out, u128::from(self.zero));
        write_varint(&mut out, self.sum_nanos.unsigned_abs());
        let mut last = -1;
        for (bucket, count) in self.buckets.iter() {
            write_varint(&mut out, u128::try_from(bucket - last).unwrap_or(0));
            write_varint(&mut out, u128::from(count));
            last = bucket;
        }
        out
    }

    /// Reads what [`Histogram::to_bytes`] wrote; `None` if it is not that.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Histogram> {
        let mut histogram = Histogram {
            zero: u64::try_from(read_varint(&mut bytes)?).ok()?,
            sum_nanos: i128::try_from(read_varint(&mut bytes)?).ok()?,
            ..Histogram::default()
        };
        histogram.count = histogram.zero;
        let mut last = -1_i32;
        while !bytes.is_empty() {
            let gap = i32::try_from(read_varint(&mut bytes)?).ok()?;
            let count = u64::try_from(read_varint(&mut bytes)?).ok()?;
            last = last.checked_add(gap).filter(|bucket| *bucket <= LAST_BUCKET)?;
            if count != 0 {
                histogram.buckets.add(last, count);
            }
            histogram.count = histogram.count.checked_add(count)?;
        }
        Some(histogram)
    }
}

fn write_varint(out: &mut Vec<u8>, mut value: u128) {
    while 0x80 <= value {
        out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("seven bits"));
}

fn read_varint(bytes: &mut &[u8]) -> Option<u128> {
    let mut value = 0_u128;
    for shift in (0..126).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u128::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "ranks and lengths of a test are small"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
            #[test]
            fn a_quantile_is_within_its_error_of_the_exact_one(
                mut nanos in prop::collection::vec(1_i64..100_000_000_000, 1..300), q in 0.0_f64..1.0
            ) {
                let mut histogram = Histogram::default();
                for n in &nanos {
     histogram.add(Span::from_nanos(*n));
    }
                nanos.sort_unstable();
                let rank = ((nanos.len() as f64 * q).ceil() as usize).clamp(1, nanos.len());
                let (exact, got) = (nanos[rank - 1] as f64, histogram.quantile(q).unwrap().nanos() as f64);
                prop_assert!((got / exact - 1.0).abs() <= 0.0111 || (got - exact).abs() <= 1.0, "{} {}", got, exact);
            }

            #[test]
            fn merging_is_counting_together_and_bytes_keep_everything(
                a in prop::collection::vec(-5_i64..1_000_000_000, 0..50),
                b in prop::collection::vec(0_i64..1_000_000_000, 0..50),
            ) {
                let of = |values: &[i64]| {
                    let mut histogram = Histogram::default();
                    for n in values {
     histogram.add(Span::from_nanos(*n));
    }
                    histogram
                };
                let mut merged = of(&a);
                merged.merge(&of(&b));
                let together = of(&a.iter().chain(&b).copied().collect::<Vec<_>>());
                prop_assert_eq!(&merged, &together);
                prop_assert_eq!(Histogram::from_bytes(&together.to_bytes()), Some(together));
            }
        }

    #[test]
    fn bands_are_coarser_buckets_that_lose_nothing() {
        let mut histogram = Histogram::default();
        let lengths = [0, 1, 2, 3, 1_000, 1_001, 1_024, 1_025, 30_000_000_000];
        for nanos in lengths {
            histogram.add(Span::from_nanos(nanos));
        }
        for parts in [1, 2, 4, 8] {
            let bands: Vec<_> = histogram.bands(parts).collect();
            assert_eq!(bands.iter().map(|(_, count)| count).sum::<u64>(), histogram.count());
            assert!(bands.is_sorted_by_key(|(band, _)| *band), "{bands:?}");
            for (band, begin) in bands.iter().map(|(b, _)| (*b, Histogram::band_begin(*b, parts))) {
                let end = Histogram::band_begin(band + 1, parts);
                assert!(
                    lengths.iter().any(|nanos| {
                        // Ends are told in whole nanoseconds.
                        begin.nanos() - 1 <= *nanos && *nanos <= end.nanos() + 1
                    }),
                    "{band} of {parts}"
                );
            }
        }
    }

    #[test]
    fn bytes_that_name_an_impossible_length_are_refused() {
        assert_eq!(Histogram::from_bytes(&[0, 0, 0xff, 0xff, 0xff, 0x07, 1]), None);
    }

    #[test]
    fn nothing_counted_is_nothing_known() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(Histogram::default().mean(), None);
    }
}
