//! Logs of gateways and observability tools.

use expect_test::expect;
use scrimp_wire::import;

use crate::{check_told, read, sample};

#[test]
fn litellm_payloads_and_spend_logs() {
    check_told(
        &sample("litellm"),
        &expect![[r#"
        1772442000250 acompletion claude-sonnet-4-5-20250929: in 500+2000r+500s+0l out 100; took 3.5s; trail none; Answered { status: 200, finish: None }
          anthropic; cost 0.0123; first 750.0ms; session named; tags team=search
        1772442010500 acompletion gpt-4o: in 176+1024r+0s+0l out 40; took 1.5s; trail none; Answered { status: 200, finish: None }
          openai; cost 0.000225; session named; tags team=support user=u1
        1772442020000 acompletion gpt-4o: in 0+0r+0s+0l out 0; took 4.0ms; trail none; Answered { status: 200, finish: None }
          openai; not sent
        1772442030000 acompletion gpt-4o: in 0+0r+0s+0l out 0; took 1.0s; trail none; Answered { status: 429, finish: None }
          openai; cost 0
        1772442040000 acompletion gpt-4o: suspect; took ?; trail none; Answered { status: 200, finish: None }
          openai; suspect
        1772442050000 acompletion in-house/tiny: unknown; took 1.0s; trail none; Answered { status: 200, finish: None }
          openai
        skipped line 7: its time is no time
        skipped line 8: it breaks off after 38 bytes
    "#]],
    );
}

#[test]
fn litellm_rows_are_the_same_as_a_table_and_as_a_list() {
    let table = "request_id,call_type,spend,total_tokens,prompt_tokens,completion_tokens,startTime,endTime,model,custom_llm_provider,metadata,cache_hit,status\n\
        chatcmpl-a2,acompletion,0.000225,1240.0,1200,40,2026-03-02 09:00:10.5,2026-03-02 09:00:12,gpt-4o,openai,\"{\"\"usage_object\"\": {\"\"prompt_tokens\"\": 1200, \"\"completion_tokens\"\": 40, \"\"prompt_tokens_details\"\": {\"\"cached_tokens\"\": 1024}}}\",None,success\n\
        short,row\n";
    check_told(
        table.as_bytes(),
        &expect![[r#"
        1772442010500 acompletion gpt-4o: in 176+1024r+0s+0l out 40; took 1.5s; trail none; Answered { status: 200, finish: None }
          openai; cost 0.000225
        skipped line 3: it has 2 cells where the header has 13
    "#]],
    );
    let lines = sample("litellm");
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').take(6).collect();
    let list = [b"[\n", lines.join(&b",\n"[..]).as_slice(), b"\n]"].concat();
    let page = [b"{\"page\": 1, \"data\": ", list.as_slice(), b"}"].concat();
    let expected: Vec<_> = read(&lines.join(&b'\n')).entries;
    for bytes in [&list, &page] {
        let found = read(bytes).entries;
        assert_eq!(found.len(), 6);
        assert!(found.iter().zip(&expected).all(|(a, b)| a.record == b.record));
    }
}

#[test]
fn a_list_that_breaks_off_keeps_what_came_before() {
    let lines = sample("litellm");
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').take(3).collect();
    let mut list = [b"[", lines.join(&b",\n"[..]).as_slice()].concat();
    list.truncate(list.len() - 20);
    let reading = read(&list);
    assert_eq!((reading.entries.len(), reading.skipped_lines), (2, 1));
    assert_eq!(reading.skipped[0].line, 3);
}

#[test]
fn codex_sessions() {
    check_told(
        &sample("codex"),
        &expect![[r#"
        1772442001000 codex gpt-5.1-codex: in 9000+0r+0s+0l out 200; took 4.5s; trail 8973@1 9000@2; Answered { status: 200, finish: None }
          openai (reasoning 120); session named; tags project=shop
        1772442007000 codex gpt-5.1-codex: in 340+8960r+0s+0l out 80; took 2.5s; trail 8973@1 9300@4; Answered { status: 200, finish: None }
          openai; session named; tags project=shop
        1772442060000 codex gpt-5.1-codex: in 460+9040r+0s+0l out 20; took 4.0s; trail 8973@1 9500@6; Answered { status: 200, finish: None }
          openai; session named; tags project=shop
        1772442060000 codex gpt-5.1-codex: suspect; took 64.0s; trail none; Answered { status: 200, finish: None }
          openai; session named; tags project=shop; suspect
        skipped line 14: it breaks off after 64 bytes
    "#]],
    );
}

#[test]
fn langfuse_observations_without_spans_and_wrappers() {
    check_told(
        &sample("langfuse"),
        &expect![[r#"
        1772442000000 answer gpt-4o: in 176+1024r+0s+0l out 150; took 2.5s; trail none; Answered { status: 200, finish: None }
          openai (reasoning 40); cost 0.00282; first 650.0ms; session named; tags environment=production
        1772442000000 ai.streamText.doStream gpt-4o: in 300+0r+0s+0l out 20; took 2.5s; trail none; Answered { status: 200, finish: None }
          openai; cost 0.00095; session named; tags environment=production
        1772442000000 answer gpt-4o: in 176+1024r+0s+0l out 50; took 2.5s; trail none; Answered { status: 200, finish: None }
          openai (reasoning 10); session named; tags environment=production
        1772442000000 answer gpt-4o: unknown; took 200.0ms; trail none; Answered { status: 500, finish: None }
          openai; session named; tags environment=production
        1772442000000 answer gpt-4o: unknown; took 2.5s; trail none; Answered { status: 200, finish: None }
          openai; session named; tags environment=production
        1772442000000 answer gpt-4o: suspect; took 2.5s; trail none; Answered { status: 200, finish: None }
          openai; session named; tags environment=production; suspect
        skipped line 10: its time is no time
        skipped line 11: it breaks off after 36 bytes
    "#]],
    );
}

#[test]
fn helicone_requests() {
    check_told(
        &sample("helicone"),
        &expect![[r#"
            1772442000000 chat gpt-4o: in 1200+0r+0s+0l out 40; took 2.0s; trail none; Answered { status: 200, finish: None }
              openai; cost 0.0034; tags user=u1
            1772442011000 chat claude-sonnet-4-5-20250929: in 90+0r+0s+0l out 30; took 1.5s; trail none; Answered { status: 200, finish: None }
              anthropic; tags user=u2
            1772442020000 chat gpt-4o: unknown; took 100.0ms; trail none; Answered { status: 429, finish: None }
              openai; cost 0; tags user=u2
            1772442030000 chat gpt-4o: suspect; took 1.0s; trail none; Answered { status: 200, finish: None }
              openai; tags user=u2; suspect
            1772442040000 chat gpt-4o: unknown; took 900.0ms; trail none; Answered { status: 200, finish: None }
              openai; tags user=u2
            skipped line 7: a quote is opened and not closed
        "#]],
    );
}

#[test]
fn bedrock_invocation_logs() {
    check_told(
        &sample("bedrock"),
        &expect![[r#"
            1772442000000 Converse us.anthropic.claude-sonnet-4-5-20250929-v1:0: in 300+2000r+400s+0l out 120; took 1.9s; trail none; Answered { status: 200, finish: None }
              bedrock; tags account=111122223333
            1772442060000 InvokeModelWithResponseStream us.anthropic.claude-sonnet-4-5-20250929-v1:0: in 1500+0r+0s+0l out 500; took 6.0s; trail none; Answered { status: 200, finish: None }
              bedrock; first 700.0ms; tags account=111122223333
            1772442120000 Converse us.anthropic.claude-sonnet-4-5-20250929-v1:0: unknown; took ?; trail none; Answered { status: 429, finish: None }
              bedrock; tags account=111122223333
            1772442180000 Converse us.anthropic.claude-sonnet-4-5-20250929-v1:0: suspect; took ?; trail none; Answered { status: 200, finish: None }
              bedrock; tags account=111122223333; suspect
            1772442240000 Converse meta.llama3-1-8b-instruct-v1:0: unknown; took ?; trail none; Answered { status: 200, finish: None }
              bedrock; tags account=111122223333
            skipped line 6: it breaks off after 42 bytes
        "#]],
    );
}

#[test]
fn har_files_pass_over_what_is_no_call() {
    check_told(
        &sample("har"),
        &expect![[r#"
            1772442000000 chat gpt-4o-mini-2024-07-18: in 184+1024r+0s+0l out 2; took 1.8s; trail none; Answered { status: 200, finish: Some("stop") }
              openai
            1772442060000 messages claude-sonnet-4-5-20250929: in 12+3000r+0s+0l out 4; took 1.8s; trail none; Answered { status: 200, finish: Some("end_turn") }
              anthropic
            1772442120000 chat tiny: unknown; took 1.8s; trail none; Answered { status: 503, finish: None }
              unknown
            1772442180000 embeddings text-embedding-3-small: suspect; took 1.8s; trail none; Answered { status: 200, finish: None }
              openai; suspect
            skipped line 1: entry 6: 7 where a text should be, at column 13
        "#]],
    );
}

#[test]
fn vllm_answers_with_metrics() {
    check_told(
        &sample("vllm"),
        &expect![[r#"
        1772442000000 chat meta-llama/Llama-3.1-8B-Instruct: in 42+0r+0s+0l out 128; took 1.3s; trail none; Answered { status: 200, finish: None }
          vllm; first 85.2ms; tags queued_ms=12
        1772442010000 chat meta-llama/Llama-3.1-8B-Instruct: suspect; took ?; trail none; Answered { status: 200, finish: None }
          vllm; suspect
        skipped line 3: it breaks off after 25 bytes
    "#]],
    );
}

#[test]
fn two_tools_logs_of_one_answer_name_the_same_call() {
    let litellm = br#"{"request_id":"x","call_type":"acompletion","spend":1,"startTime":"2026-03-02 09:00:00","model":"gpt-4o","prompt_tokens":9,"completion_tokens":1,"response":{"id":"chatcmpl-1"}}"#;
    let same = |bytes: &[u8]| import::same_call(read(bytes).entries[0].record.call.id);
    assert_eq!(same(litellm), same(&sample("har")));
}

#[test]
fn portkeys_export_by_its_columns() {
    check_told(
        &sample("portkey"),
        &expect![[r#"
        1772442000250 chat gpt-4o: in 176+1024r+0s+0l out 40; took 1.3s; trail none; Answered { status: 200, finish: None }
          openai; cost 0.00212; session named
        1772442005000 chat claude-sonnet-4-5: in 12+2048r+0s+0l out 9; took 900.0ms; trail none; Answered { status: 200, finish: None }
          anthropic; cost 0.0007854; session named
        1772442060000 chat gpt-4o: in 0+0r+0s+0l out 0; took 4.0ms; trail none; Answered { status: 200, finish: None }
          openai; session named; not sent
        1772442120000 chat gpt-4o: unknown; took 210.0ms; trail none; Answered { status: 429, finish: None }
          azure; cost 0; session named
    "#]],
    );
}
