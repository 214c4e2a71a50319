//! Whole days in virtual time: believable in shape, the same for the same seed, and with books
//! that agree with what the clients saw.

mod common;

use scrimp_sim::workload::{End, Played, Workload, day, drive};
use scrimp_sim::{Bill, Provider, Settings};
use std::sync::Arc;

async fn play(
    kind: Workload,
    seed: u64,
    scale: f64,
    settings: Settings,
) -> (Vec<Played>, Vec<Bill>) {
    let provider = Provider::new(settings);
    let far = provider.clone();
    let connect = move || {
        let (near, end) = tokio::io::duplex(64 * 1024);
        tokio::spawn(Arc::clone(&far).serve(end));
        std::future::ready(Ok(near))
    };
    let played = drive(day(kind, seed, scale), connect).await;
    (played, provider.bills())
}

fn sum(bills: &[Bill], of: impl Fn(&Bill) -> u64) -> u64 {
    bills.iter().map(of).sum()
}

struct Shape {
    calls: std::ops::Range<usize>,
    mean_prompt: std::ops::Range<u64>,
    mean_output: std::ops::Range<u64>,
}

async fn check(kind: Workload, scale: f64, shape: Shape) {
    let (played, bills) = play(kind, 3, scale, Settings::usual(3)).await;
    let calls = played.len();
    assert!(shape.calls.contains(&calls), "{kind:?}: {calls} calls");
    let prompt = sum(&bills, |bill| bill.usage.prompt()) / bills.len() as u64;
    assert!(shape.mean_prompt.contains(&prompt), "{kind:?}: {prompt} tokens of prompt");
    let output = sum(&bills, |bill| bill.usage.generated()) / bills.len() as u64;
    assert!(shape.mean_output.contains(&output), "{kind:?}: {output} tokens of output");
    let odd: Vec<_> =
        played.iter().filter(|call| !matches!(call.end, End::Answered | End::HungUp)).collect();
    assert!(odd.is_empty(), "{odd:#?}");
}

#[tokio::test(start_paused = true)]
async fn support_chats_are_short_with_one_long_system_prompt() {
    let shape = Shape { calls: 60..160, mean_prompt: 2_800..4_500, mean_output: 100..350 };
    check(Workload::SupportChat, 0.05, shape).await;
}

#[tokio::test(start_paused = true)]
async fn searches_are_mostly_one_call_with_passages() {
    let shape = Shape { calls: 85..120, mean_prompt: 1_500..3_500, mean_output: 100..350 };
    check(Workload::Rag, 0.05, shape).await;
}

#[tokio::test(start_paused = true)]
async fn agents_hold_long_conversations() {
    let shape = Shape { calls: 40..260, mean_prompt: 7_000..40_000, mean_output: 40..400 };
    check(Workload::CodingAgent, 0.05, shape).await;
}

#[tokio::test(start_paused = true)]
async fn extractions_come_in_bursts() {
    let shape = Shape { calls: 95..115, mean_prompt: 4_500..7_000, mean_output: 10..60 };
    check(Workload::BatchExtraction, 0.05, shape).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_is_the_same_day() {
    let (first, bills) = play(Workload::SupportChat, 5, 0.03, Settings::usual(5)).await;
    let (again, again_bills) = play(Workload::SupportChat, 5, 0.03, Settings::usual(5)).await;
    assert_eq!(first, again);
    assert_eq!(bills, again_bills);
    let (other, _) = play(Workload::SupportChat, 6, 0.03, Settings::usual(6)).await;
    assert_ne!(first[0].answer_digest, other[0].answer_digest);
}

#[tokio::test(start_paused = true)]
async fn bills_agree_with_what_clients_saw() {
    for kind in Workload::ALL {
        let (played, bills) = play(kind, 7, 0.015, Settings::usual(7)).await;
        assert_eq!(played.len(), bills.len(), "{kind:?}");
        for call in
            played.iter().filter(|call| call.usage.prompt.is_some() && call.end == End::Answered)
        {
            let id = call.request_id.as_ref().expect("an id");
            let bill = bills.iter().find(|bill| bill.request_id == *id).expect("a bill");
            assert_eq!(call.usage.prompt, Some(bill.usage.prompt()), "{kind:?} {id}");
            assert_eq!(call.usage.cache_read, Some(bill.usage.cache_read), "{kind:?} {id}");
            assert_eq!(call.usage.output, Some(bill.usage.generated()), "{kind:?} {id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn callers_who_hang_up_are_billed_for_what_was_generated() {
    let (played, bills) = play(Workload::SupportChat, 11, 0.15, Settings::usual(11)).await;
    let hung_up = played.iter().filter(|call| call.end == End::HungUp).count();
    let broken: Vec<_> = bills.iter().filter(|bill| bill.broken.is_some()).collect();
    assert!(0 < hung_up, "somebody leaves on such a day");
    assert_eq!(broken.len(), hung_up);
    for bill in broken {
        assert_eq!(bill.broken.map(|broken| broken.at_token), Some(bill.usage.generated()));
        assert!(0 < bill.pico_usd);
    }
}
