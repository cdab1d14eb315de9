//! Questions on their way to servers.

use std::sync::Arc;

use client::{Answered, Asking, Outcome};
use model::{StateReport, Timestamp, error_chain};
use rpc::pb::metadata::{FollowDocumentsRequest, FollowDocumentsResponse};
use tokio::time::Instant;

use super::{Fleet, Link};
use crate::Error;
use crate::tally::Kind;
use crate::wire::{Asker, Wire};

/// What a client wants to hear.
#[derive(Debug)]
pub(super) enum Question {
    Policy(Asking),
    Report(Arc<StateReport>),
    Documents(FollowDocumentsRequest),
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) number: u32,
    pub(super) told: Told,
    /// How long each part of it took, in milliseconds, and whether it was answered.
    pub(super) times: Vec<(Kind, bool, f32)>,
    pub(super) trouble: Option<String>,
}

#[derive(Debug)]
pub(super) enum Told {
    Outcome(Outcome),
    Pages(Option<Vec<FollowDocumentsResponse>>),
}

impl Fleet {
    pub(super) fn ask(&mut self, number: u32, question: Question) {
        let Link::Wire(wire) = &self.link else { return };
        let seat = &self.seats[number as usize];
        let model = &self.config.models[seat.computer.model];
        let asker = Asker {
            number,
            client: seat.id,
            name: format!("{}-{number}", self.config.name),
            os: model.os.clone(),
            architecture: model.architecture.clone(),
            servers: seat.client.policy().servers.clone(),
        };
        let (wire, now) = (wire.clone(), self.now);
        self.asked.spawn(async move { carry_over(&wire, &asker, question, now).await });
    }
}

async fn carry_over(wire: &Wire, asker: &Asker, question: Question, now: Timestamp) -> Asked {
    let mut stopwatch = Stopwatch::start();
    let _turn = wire.turn().await;
    let told = match question {
        Question::Policy(asking) => {
            let answered = policy(wire, asker, &asking, (now, &mut stopwatch)).await;
            Told::Outcome(Outcome::Policy(answered))
        }
        Question::Report(report) => {
            let taken = stopwatch.stop(Kind::Report, wire.report(asker, &report).await);
            Told::Outcome(Outcome::Sent(report.serial_to, taken))
        }
        Question::Documents(at) => {
            Told::Pages(stopwatch.stop(Kind::Catalog, wire.follow(asker, at).await))
        }
    };
    let Stopwatch { times, trouble, .. } = stopwatch;
    Asked { number: asker.number, told, times, trouble }
}

async fn policy(
    wire: &Wire,
    asker: &Asker,
    asking: &Asking,
    (now, stopwatch): (Timestamp, &mut Stopwatch),
) -> Option<Answered> {
    if asking.is_introduced {
        stopwatch.stop(Kind::Registration, wire.register(asker, asking).await)?;
    }
    let answer = stopwatch.stop(Kind::Poll, wire.policy(asker, asking, now).await)?;
    Some(Answered { has_introduced: asking.is_introduced, answer })
}

struct Stopwatch {
    since: Instant,
    times: Vec<(Kind, bool, f32)>,
    trouble: Option<String>,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        Stopwatch { since: Instant::now(), times: Vec::new(), trouble: None }
    }

    /// Notes how long it took since the last stop, and why there is no answer.
    fn stop<T>(&mut self, kind: Kind, answer: Result<T, Error>) -> Option<T> {
        let now = Instant::now();
        let took = now.duration_since(self.since).as_secs_f32() * 1_000.0;
        self.since = now;
        self.times.push((kind, answer.is_ok(), took));
        answer.map_err(|error| self.trouble = Some(error_chain(&error))).ok()
    }
}
