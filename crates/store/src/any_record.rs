//! Any record from a seed: every variant of every part turns up over enough seeds.

use std::sync::Arc;

use scrimp_core::call::{Content, Features, Look, Outline, Varying};
use scrimp_core::policy::Arm;
use scrimp_core::policy::prompt_cache::{Because, Edit, Mark, Placement, Reason, StoodDown};
use scrimp_core::policy::shaping::{Shaped, ShapedBlock, Transform, Transforms};
use scrimp_core::policy::token_budget::{Budgeted, Cut, Strategy, Trim};
use scrimp_core::price::{Region, Terms, Tier};
use scrimp_core::record::Timing;
use scrimp_core::{
    Attempt, Block, Call, CallId, Caller, Delivery, Dialect, Digest, Ending, Fault, Metering,
    Parameters, Record, Refusal, Role, Span, State, Time, Ttl, Usage, UsageState, Usd, hash,
};

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = hash::mix(self.0);
        self.0 % end
    }

    fn any(&mut self) -> u64 {
        self.below(u64::MAX)
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        let at = self.below(choices.len() as u64);
        choices[usize::try_from(at).expect("short")].clone()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
        self.flip().then(|| make(self))
    }

    fn digest(&mut self) -> Digest {
        Digest((u128::from(self.any()) << 64 | u128::from(self.any())).to_be_bytes())
    }

    fn span(&mut self) -> Span {
        Span::from_nanos(self.below(1 << 45).cast_signed() - (1 << 20))
    }

    fn text(&mut self) -> Arc<str> {
        self.of(&["", "a", "gpt-6-luna", "naïve — ✓", "claude-haiku-5-5"]).into()
    }

    fn usd(&mut self) -> Usd {
        Usd::from_pico(i128::from(self.any()) * 77 - (1 << 63))
    }
}

/// Any record: every variant of every part turns up over enough seeds.
pub(crate) fn any_record(seed: u64) -> Record {
    let mut dice = Dice(seed);
    let dice = &mut dice;
    let prompt = (0..dice.below(6)).map(|_| any_block(dice)).collect();
    let call = Call {
        id: CallId(u128::from(dice.any()) << 64 | u128::from(dice.any())),
        seed: dice.any(),
        // From 1933 to 2006: what is older than a century the tests' stores may drop at any moment.
        arrived: Time::from_nanos(dice.any().cast_signed() / 8),
        dialect: dice.of(&[
            Dialect::OpenaiChat,
            Dialect::AnthropicMessages,
            Dialect::AnthropicCountTokens,
            Dialect::Other,
        ]),
        provider: dice.text(),
        model: dice.text(),
        operation: dice.text(),
        caller: Caller {
            key: dice.digest(),
            session: dice.maybe(Dice::digest),
            tags: (0..dice.below(3)).map(|_| (dice.text(), dice.text())).collect(),
        },
        delivery: dice.of(&[Delivery::Whole, Delivery::Stream]),
        parameters: Parameters {
            max_output_tokens: dice.maybe(Dice::any),
            temperature_permille: dice.maybe(|dice| dice.below(2_000) as u32),
            answers: dice.below(9) as u32,
            usage_in_stream: dice.flip(),
            client_cache_options: dice.flip(),
            digest: dice.digest(),
            rendered: dice.maybe(Dice::any),
        },
        prompt,
        body_bytes: dice.any(),
    };
    let record = Record {
        call: Arc::new(call),
        shaped: None,
        budgeted: None,
        placement: dice.maybe(any_placement),
        attempts: (0..dice.below(3)).map(|_| any_attempt(dice)).collect(),
        ending: any_ending(dice),
        metering: any_metering(dice),
        cost: dice.maybe(Dice::usd),
        cost_uncached: dice.maybe(Dice::usd),
        timing: Timing {
            head: dice.maybe(Dice::span),
            first_content: dice.maybe(Dice::span),
            last_content: dice.maybe(Dice::span),
            hung_up: dice.maybe(Dice::span),
            ended: dice.maybe(Dice::span),
            overhead: dice.maybe(Dice::span),
        },
    };
    // Drawn last, so that a seed gives what it gave before there were these.
    let shaped = dice.maybe(|dice| Box::new(any_shaped(dice)));
    let budgeted = dice.maybe(|dice| Box::new(any_budgeted(dice)));
    let ending = match record.ending {
        Ending::Refused(_) if budgeted.is_some() => {
            let (tokens, needed, limit) = (dice.any(), dice.any(), dice.any());
            Ending::Refused(Refusal::InputTooLong { tokens, needed, limit })
        }
        ending => ending,
    };
    Record { shaped, budgeted, ending, ..record }
}

fn any_transforms(dice: &mut Dice) -> Transforms {
    Transform::ALL.into_iter().filter(|_| dice.flip()).collect()
}

fn any_shaped(dice: &mut Dice) -> Shaped {
    let mut blocks = || {
        let count = dice.below(3);
        let block = |dice: &mut Dice| ShapedBlock {
            block: dice.any() as u32,
            by: any_transforms(dice),
            characters: dice.any() as u32,
            tokens: dice.any() as u32,
            digest: dice.maybe(Dice::digest),
        };
        (0..count).map(|_| block(dice)).collect()
    };
    let (blocks, would) = (blocks(), blocks());
    Shaped {
        experiment: dice.below(4),
        arm: dice.of(&[Arm::Treated, Arm::HeldOut]),
        unit: dice.any(),
        made: any_transforms(dice),
        counted: any_transforms(dice),
        blocks,
        would,
    }
}

fn any_budgeted(dice: &mut Dice) -> Budgeted {
    let strategies =
        [Strategy::Refuse, Strategy::DropTurns, Strategy::CutResults, Strategy::RankChunks];
    Budgeted {
        state: dice.of(&[State::Observe, State::On]),
        strategy: dice.of(&strategies),
        max_input: dice.maybe(Dice::any),
        tokens: dice.any(),
        tokens_after: dice.any(),
        scores: (0..dice.below(3)).map(|_| dice.any() as u32).collect(),
        trim: Trim {
            dropped: (0..dice.below(3)).map(|at| (at as u32, dice.any() as u32)).collect(),
            cut: (0..dice.below(3))
                .map(|at| Cut { block: at as u32, tokens: dice.any() as u32 })
                .collect(),
            max_output: dice.maybe(Dice::any),
        },
        too_much: dice.maybe(Dice::any),
    }
}

fn any_block(dice: &mut Dice) -> Block {
    let roles = [Role::Tool, Role::System, Role::User, Role::Assistant, Role::ToolResult];
    Block {
        role: dice.of(&roles),
        content: dice.of(&[
            Content::Text,
            Content::Image,
            Content::Audio,
            Content::Document,
            Content::Tool,
            Content::Reasoning,
            Content::Other,
        ]),
        digest: dice.digest(),
        chunks: (0..dice.below(4)).map(|_| dice.any()).collect(),
        characters: dice.any() as u32,
        tokens: dice.any() as u32,
        features: dice.maybe(|dice| {
            Box::new(Features {
                numbers: (0..dice.below(3)).map(|_| dice.any()).collect(),
                names: (0..dice.below(3)).map(|_| dice.any()).collect(),
                negations: dice.any() as u16,
                order: dice.any(),
                bag: dice.any(),
            })
        }),
        outline: dice.maybe(|dice| Arc::new(any_outline(dice))),
        mark: dice.maybe(|dice| dice.of(&[Ttl::Short, Ttl::Long])),
        markable: dice.flip(),
    }
}

fn any_outline(dice: &mut Dice) -> Outline {
    let varying = |dice: &mut Dice| Varying {
        look: dice.of(&[Look::Time, Look::Date, Look::Id, Look::Random, Look::Number]),
        hash: dice.any() as u32,
        start: dice.any() as u32,
        length: dice.any() as u16,
    };
    Outline {
        bag: dice.any(),
        spans: (0..dice.below(4)).map(|_| varying(dice)).collect(),
        tools: (0..dice.below(3)).map(|_| dice.any()).collect(),
    }
}

fn any_placement(dice: &mut Dice) -> Placement {
    let mark = Mark { block: dice.any() as u32, ttl: Ttl::Long };
    let edits = [
        Edit::SetMark(mark),
        Edit::RemoveMark { block: 7 },
        Edit::RemoveCacheOptions,
        Edit::ExplicitOnly,
        Edit::ImplicitTtl(Ttl::Short),
    ];
    Placement {
        experiment: dice.below(4),
        state: dice.of(&[State::Off, State::Observe, State::On]),
        arm: dice.of(&[Arm::Treated, Arm::HeldOut]),
        unit: dice.any(),
        edits: (0..dice.below(3)).map(|_| dice.of(&edits)).collect(),
        stood_down: dice.maybe(|dice| dice.of(&[StoodDown::NoCache, StoodDown::Bypassed])),
        reasons: (0..dice.below(3)).map(|_| any_reason(dice)).collect(),
    }
}

fn any_reason(dice: &mut Dice) -> Reason {
    Reason {
        block: dice.any() as u32,
        because: dice.of(&[Because::SentAgain, Because::SomeLeave]),
        chance_permille: dice.any() as u16,
        read_tokens: dice.any(),
    }
}

fn any_attempt(dice: &mut Dice) -> Attempt {
    Attempt {
        provider: dice.text(),
        model: dice.text(),
        sent: dice.span(),
        ended: dice.span(),
        status: dice.maybe(|dice| dice.below(600) as u16),
        fault: dice.maybe(|dice| dice.of(&[Fault::Connect, Fault::Redirect, Fault::Cancelled])),
        metering: any_metering(dice),
        terms: Terms {
            tier: dice.of(&[Tier::Standard, Tier::Batch, Tier::Ultrafast]),
            fast: dice.flip(),
            region: dice.of(&[Region::Global, Region::Us, Region::Eu]),
        },
        cost: dice.maybe(Dice::usd),
        priced_as: dice.maybe(Dice::text),
    }
}

fn any_metering(dice: &mut Dice) -> Metering {
    let usage = Usage {
        uncached: dice.below(1 << 20),
        cache_read: dice.below(1 << 20),
        cache_write_short: dice.below(1 << 20),
        cache_write_long: dice.below(1 << 20),
        audio_input: dice.below(1 << 20),
        image_input: dice.below(1 << 20),
        output: dice.below(1 << 20),
        reasoning: dice.below(1 << 20),
        audio_output: dice.below(1 << 20),
    };
    let states =
        [UsageState::Measured, UsageState::Partial, UsageState::Estimated, UsageState::Unknown];
    let state = dice.of(&states);
    let usage = if state == UsageState::Unknown { Usage::ZERO } else { usage };
    Metering { usage, state, suspect: dice.flip() }
}

fn any_ending(dice: &mut Dice) -> Ending {
    let status = dice.of(&[200, 201, 400, 429, 529]);
    let refusals = [
        Refusal::Malformed { why: "at byte 7".into() },
        Refusal::TooLarge { limit: 1 << 25 },
        Refusal::BodyTimeout,
        Refusal::NoRoute { what: "x".into() },
        Refusal::NoKey,
        Refusal::Stopping,
        Refusal::Overloaded,
        Refusal::NoVirtualKey,
        Refusal::UnknownKey,
        Refusal::KeyRevoked { key: "4f9a1c2e7b30".into() },
        Refusal::KeyExpired { key: "4f9a1c2e7b30".into(), at: Time::from_secs(9) },
        Refusal::ModelNotAllowed { key: "4f9a1c2e7b30".into(), model: "m".into() },
        Refusal::RouteNotAllowed { provider: "p".into(), route: "GET /v1/files".into() },
        Refusal::NoWebSocket { provider: "p".into() },
        Refusal::ForeignPage,
    ];
    match dice.below(6) {
        0 | 1 => Ending::Answered { status, finish: dice.maybe(Dice::text) },
        2 => Ending::Truncated { status },
        3 => Ending::Failed { fault: dice.of(&[Fault::Reset, Fault::BrokenBody, Fault::Tls]) },
        4 => Ending::Abandoned,
        _ => Ending::Refused(dice.of(&refusals)),
    }
}
