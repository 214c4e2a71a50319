//! Public traces of production traffic.

use expect_test::expect;

use crate::{check_told, sample};

#[test]
fn azure_traces() {
    check_told(
        &sample("azure"),
        &expect![[r#"
        1700158546680 azure unknown: in 374+0r+0s+0l out 44; took ?; trail none; Answered { status: 200, finish: None }
          unknown
        1700158550995 azure unknown: in 396+0r+0s+0l out 109; took ?; trail none; Answered { status: 200, finish: None }
          unknown
        1700158551222 azure unknown: suspect; took ?; trail none; Answered { status: 200, finish: None }
          unknown; suspect
        skipped line 5: its time is no time
        skipped line 6: it has 1 cells where the header has 3
    "#]],
    );
}

#[test]
fn burstgpt_traces_and_their_failures() {
    check_told(
        &sample("burstgpt"),
        &expect![[r#"
            1790000005000 Conversation log gpt-3.5-turbo: in 472+0r+0s+0l out 18; took ?; trail none; Answered { status: 200, finish: None }
              openai
            1790000045000 API log gpt-4: in 1087+0r+0s+0l out 230; took ?; trail none; Answered { status: 200, finish: None }
              openai
            1790000118000 Conversation log gpt-3.5-turbo: unknown; took ?; trail none; Answered { status: 500, finish: None }
              openai
            1790000120000 API log gpt-3.5-turbo: suspect; took ?; trail none; Answered { status: 200, finish: None }
              openai; suspect
            skipped line 6: it has 1 cells where the header has 6
        "#]],
    );
}

#[test]
fn bailian_traces_keep_chats_and_blocks() {
    check_told(
        &sample("qwen-bailian"),
        &expect![[r#"
        1790000000500 text unknown: in 40+0r+0s+0l out 12; took ?; trail 32@2 40@2; Answered { status: 200, finish: None }
          unknown; session named
        1790000009250 text unknown: in 70+0r+0s+0l out 30; took ?; trail 64@4 70@4; Answered { status: 200, finish: None }
          unknown; session named
        1790000010000 search unknown: suspect; took ?; trail 0@0 0@0; Answered { status: 200, finish: None }
          unknown; session named; suspect
        skipped line 4: it breaks off after 40 bytes
    "#]],
    );
}
