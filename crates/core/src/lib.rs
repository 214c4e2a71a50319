//! What a call, a price and a record *are*, and every policy's decision about them.
//!
//! Nothing here reads a clock, a file, a socket, the environment or a random source: time is an
//! argument, randomness is a hash of the call's recorded seed. So the code that decides live is the
//! code that replays, and both can be tested to the last decision.

pub mod aggregate;
pub mod audit;
pub mod call;
pub mod experiment;
pub mod flight;
pub mod glob;
pub mod hash;
pub mod histogram;
pub mod money;
pub mod policy;
pub mod prefix;
pub mod price;
pub mod record;
pub mod time;
pub mod usage;
pub mod virtual_key;

pub use aggregate::{Aggregate, Parts};
pub use audit::AuditEntry;
pub use call::{
    Block, Call, CallId, Caller, Delivery, Dialect, Digest, Family, Parameters, Role, Ttl,
};
pub use experiment::{JournalEntry, UnitTotals};
pub use flight::{Command, Event, Flight, Op};
pub use histogram::Histogram;
pub use money::{Rate, Usd};
pub use policy::{Memory, Policies, Share, State};
pub use prefix::{NodeId, PrefixTree};
pub use price::{CacheRules, Catalog, PriceRow, Tier};
pub use record::{Attempt, Ending, Entry, Fault, Record, Refusal, Trail};
pub use time::{Span, Time};
pub use usage::{Metering, Usage, UsageState};
pub use virtual_key::{KeyHash, KeyRing, VirtualKey};
