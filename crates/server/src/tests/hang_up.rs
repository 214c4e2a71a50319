//! Clients that leave: before the first byte, in the stream, while a hedge is out.

use scrimp_core::{Ending, Fault, UsageState};

use super::rig::{Act, Rig, answer, chat, last_chunk, send, settle_down, stream};

const PLAIN: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;
const STREAM: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;

#[tokio::test(start_paused = true)]
async fn a_hedge_and_a_hang_up_at_the_same_time() {
    for hang_up_ms in [99, 100, 101] {
        let slow = vec![Act::Wait(500), answer("200 OK", "{}")];
        let mut rig = Rig::new("", vec![slow.clone(), slow]).hedge_after_ms(100);
        rig.call_for_ms(&chat(PLAIN), hang_up_ms).await;
        let record = rig.record().await;
        assert_eq!(record.ending, Ending::Abandoned);
        let seen = rig.seen();
        assert_eq!(record.attempts.len(), if hang_up_ms < 100 { 1 } else { seen.len() });
        for (attempt, seen) in record.attempts.iter().zip(&seen) {
            assert_eq!(attempt.fault, Some(Fault::Cancelled));
            assert_eq!(attempt.metering.state, UsageState::Estimated, "unknown is not zero");
            assert!(seen.closed_ms.is_some_and(|at| at <= u128::from(hang_up_ms) + 100));
        }
        settle_down().await;
        assert!(rig.seen().iter().all(|seen| seen.closed_ms.is_some()), "no orphan");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_hedged_and_the_loser_is_cancelled() {
    let slow = vec![Act::Wait(500), answer("200 OK", "{\"slow\":1}")];
    let quick = vec![Act::Wait(50), answer("200 OK", "{\"quick\":1}")];
    let mut rig = Rig::new("", vec![slow, quick]).hedge_after_ms(100);
    let got = rig.call(&chat(PLAIN)).await;
    assert!(got.ends_with(b"{\"quick\":1}"));
    let record = rig.record().await;
    assert_eq!(record.attempts.len(), 2);
    assert_eq!(record.attempts[0].fault, Some(Fault::Cancelled));
    settle_down().await;
    assert!(rig.seen()[0].closed_ms.is_some_and(|at| at <= 250), "{:?}", rig.seen()[0]);
    assert_eq!(rig.seen()[1].closed_ms, None, "the winner's connection is kept");
}

#[tokio::test(start_paused = true)]
async fn a_hang_up_before_the_first_byte_reaches_the_provider() {
    let mut rig = Rig::new("", vec![vec![Act::Wait(60_000)]]);
    rig.call_for_ms(&chat(PLAIN), 30).await;
    let record = rig.record().await;
    assert_eq!(record.ending, Ending::Abandoned);
    assert_eq!(record.metering.state, UsageState::Estimated);
    assert!(0 < record.metering.usage.uncached, "the provider may have read the prompt");
    assert!(rig.now_ms() <= 130);
    settle_down().await;
    assert!(rig.seen()[0].closed_ms.is_some_and(|at| at <= 130));
}

#[tokio::test(start_paused = true)]
async fn a_hang_up_in_the_stream_reaches_the_provider_and_is_charged() {
    let piece = "data: {\"choices\":[{\"delta\":{\"content\":\"some words of it\"}}]}\n\n";
    let mut script = stream(&[piece, piece, piece]);
    script.extend([Act::Wait(60_000), last_chunk()]);
    let mut rig = Rig::new("", vec![script, vec![answer("200 OK", "{}")]]);
    let got = rig.call_for_ms(&chat(STREAM), 50).await;
    assert!(String::from_utf8_lossy(&got).contains("some words"));
    let record = rig.record().await;
    assert_eq!(record.ending, Ending::Abandoned);
    assert!(0 < record.metering.usage.output, "{:?}", record.metering);
    settle_down().await;
    assert!(rig.seen()[0].closed_ms.is_some_and(|at| at <= 150));

    rig.call(&chat(PLAIN)).await;
    assert_eq!(rig.seen()[1].connection, 1, "a cancelled connection is not used again");
}

#[tokio::test(start_paused = true)]
async fn a_hang_up_in_the_request_s_own_body_is_settled() {
    let mut rig = Rig::new("", vec![]);
    let whole = chat(PLAIN);
    rig.call_for_ms(&whole[..whole.len() - 5], 30).await;
    let record = rig.record().await;
    assert_eq!((record.ending, record.attempts.len()), (Ending::Abandoned, 0));
    assert!(rig.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_holds_the_provider_back_and_may_still_leave() {
    let much = "x".repeat(200_000);
    let mut script = vec![send("HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n")];
    script.extend((0..100).map(|_| send(much.as_bytes())));
    let mut rig = Rig::new("", vec![script]);
    let mut client = rig.connect();
    tokio::io::AsyncWriteExt::write_all(&mut client, &chat(PLAIN)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(rig.gateway.counted().in_flight, 1);
    drop(client);
    assert_eq!(rig.record().await.ending, Ending::Abandoned);
}
