//! A flight that the client's connection carries until the head of its answer has come.
//!
//! A whole answer comes together with its head, so that nearly every flight ends in its client's own
//! task: no task is made for it, and nobody has to wake anybody. What is left of the others, streams
//! and calls whose client hung up, goes on in a task of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;

use crate::reply::{AnswerBody, Awaiting};

/// The head of a call's answer, while it is waited for.
pub(crate) struct Carried {
    /// `None` once it is over or on its own.
    flight: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    awaiting: Awaiting,
}

impl Carried {
    pub(super) fn new(
        flight: impl Future<Output = ()> + Send + 'static,
        awaiting: Awaiting,
    ) -> Carried {
        Carried { flight: Some(Box::pin(flight)), awaiting }
    }
}

impl Future for Carried {
    type Output = Response<AnswerBody>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        if let Some(flight) = &mut self.flight {
            // A flight that falls over must not take its client's connection down with it.
            let polled = catch_unwind(AssertUnwindSafe(|| flight.as_mut().poll(cx)));
            if !matches!(polled, Ok(Poll::Pending)) {
                self.flight = None;
            }
        }
        let answer = ready!(Pin::new(&mut self.awaiting).poll(cx));
        if let Some(flight) = self.flight.take() {
            tokio::spawn(flight);
        }
        Poll::Ready(answer)
    }
}

impl Drop for Carried {
    /// The client hung up before the head came.
    fn drop(&mut self) {
        let Some(flight) = self.flight.take() else { return };
        // Without a runtime the flight settles as it is dropped.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(flight);
        }
    }
}
