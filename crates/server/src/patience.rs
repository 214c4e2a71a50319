//! How long somebody else may take.
//!
//! The timer is never moved to an earlier time, which would wake the thread by a system call, and so
//! need not be made anew for each thing that is waited for: it rings at the latest when patience can
//! be over, and looks back.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A length of time that somebody is given, again and again.
pub(crate) struct Patience {
    timer: Pin<Box<Sleep>>,
    since: Instant,
    length: Duration,
    /// The shortest that is ever given.
    shortest: Duration,
}

impl Patience {
    /// Gives `length` from now on. No length that is given later may be below `shortest`.
    pub(crate) fn new(length: Duration, shortest: Duration) -> Patience {
        let now = Instant::now();
        let timer = Box::pin(sleep_until(now + length.min(shortest)));
        Patience { timer, since: now, length, shortest }
    }

    /// Gives `length` from now on.
    pub(crate) fn give(&mut self, length: Duration) {
        self.since = Instant::now();
        self.length = length;
    }

    /// Ready when the time is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let (now, end) = (Instant::now(), self.since + self.length);
            if end <= now {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end.min(now + self.shortest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// After how many whole seconds it is over.
    async fn is_over(patience: &mut Patience) -> u64 {
        let from = Instant::now();
        std::future::poll_fn(|cx| patience.poll(cx)).await;
        from.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_it_was_given_for_so_long() {
        let mut patience = Patience::new(5 * SECOND, 3 * SECOND);
        assert_eq!(is_over(&mut patience).await, 5);
        patience.give(3 * SECOND);
        assert_eq!(is_over(&mut patience).await, 3);
        patience.give(10 * SECOND);
        tokio::time::sleep(9 * SECOND).await;
        patience.give(4 * SECOND);
        assert_eq!(is_over(&mut patience).await, 4);
    }
}
