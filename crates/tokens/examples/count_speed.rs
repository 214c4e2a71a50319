//! Counts a file as often as asked with one vocabulary, and says how much processor time it took.
//!
//! `count_speed FILE ENCODING TIMES`: one line of JSON, with the time of every round.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it reads what it measures and prints the result"
)]

use scrimp_tokens::Vocabulary;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, encoding, times] = &arguments[..] else {
        panic!("usage: count_speed FILE ENCODING TIMES");
    };
    let text = std::fs::read_to_string(file).expect("the file can be read");
    let vocabulary = Vocabulary::of_encoding(encoding).expect("a vocabulary that is carried");
    let begun = processor_seconds();
    vocabulary.count("unpacked before it is timed");
    let unpacked = processor_seconds() - begun;
    let mut rounds = Vec::new();
    let mut tokens = 0;
    for _ in 0..times.parse::<usize>().expect("a number of rounds") {
        let begun = processor_seconds();
        tokens = vocabulary.count(&text).tokens;
        rounds.push(processor_seconds() - begun);
    }
    println!(r#"{{"tokens": {tokens}, "unpacked": {unpacked}, "seconds": {rounds:?}}}"#);
}

/// What this thread has used of a processor: `schedstat`, in nanoseconds.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos: f64 = stat.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    nanos / 1e9
}
