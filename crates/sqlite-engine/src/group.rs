//! Group commit: many writes, one transaction, each write on its own savepoint.
//!
//! A write that fails or panics is undone alone. If SQLite gives up the whole transaction (disk
//! full, I/O error), every write of the group is answered with an error and nothing is kept.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::ffi;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::transaction::{ReadTx, RowResult, WriteTx};

/// What becomes of a write's savepoint.
#[derive(PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Undo,
}

/// A write waiting for its turn, with the types of its closure hidden.
pub(crate) trait Job: Send {
    fn run(&mut self, tx: &WriteTx) -> Verdict;
    /// Tells the caller what became of the write, given what became of its group.
    fn answer(self: Box<Self>, group: Result<(), Error>);
}

/// A closure and the way back to its caller.
pub(crate) struct Work<F, T, E> {
    closure: Option<F>,
    outcome: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Work<F, T, E>
where
    F: FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    pub(crate) fn boxed(closure: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>) {
        let (caller, answer) = oneshot::channel();
        (Box::new(Work { closure: Some(closure), outcome: None, caller }), answer)
    }
}

impl<F, T, E> Job for Work<F, T, E>
where
    F: FnOnce(&WriteTx) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, tx: &WriteTx) -> Verdict {
        let Some(closure) = self.closure.take() else { return Verdict::Undo };
        let outcome = guarded(|| closure(tx));
        let verdict = if outcome.is_ok() { Verdict::Keep } else { Verdict::Undo };
        self.outcome = Some(outcome);
        verdict
    }

    fn answer(self: Box<Self>, group: Result<(), Error>) {
        // The closure's own error tells more than the failure of the group it caused.
        let answer = match (self.outcome, group) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(Error::Closed.into()),
        };
        // A caller that went away does not undo what was committed.
        let _ = self.caller.send(answer);
    }
}

/// Runs and commits the writes as one transaction, then answers all of them.
pub(crate) fn run_group(tx: &WriteTx, mut jobs: Vec<Box<dyn Job>>) {
    let group = commit_group(tx, &mut jobs).map_err(Arc::new);
    for hook in tx.take_hooks(0) {
        if group.is_ok() {
            // A hook only wakes somebody; its panic must not take the writer down.
            let _ = catch_unwind(AssertUnwindSafe(hook));
        }
    }
    for job in jobs {
        job.answer(match &group {
            Ok(()) => Ok(()),
            Err(source) => Err(Error::Commit { source: Arc::clone(source) }),
        });
    }
}

fn commit_group(tx: &WriteTx, jobs: &mut [Box<dyn Job>]) -> RowResult<()> {
    tx.control("BEGIN IMMEDIATE")?;
    let result = match jobs {
        [only] => run_alone(tx, only.as_mut()),
        _ => jobs
            .iter_mut()
            .try_for_each(|job| run_isolated(tx, job.as_mut()))
            .and_then(|()| tx.control("COMMIT")),
    };
    if result.is_err() && !tx.connection().is_autocommit() {
        tx.control("ROLLBACK")?;
    }
    result
}

/// Without others to protect from it a write needs no savepoint, which would copy every page that
/// a large one changes.
fn run_alone(tx: &WriteTx, job: &mut dyn Job) -> RowResult<()> {
    let verdict = job.run(tx);
    check_open(tx)?;
    if verdict == Verdict::Undo {
        tx.take_hooks(0);
        return tx.control("ROLLBACK");
    }
    tx.control("COMMIT")
}

fn run_isolated(tx: &WriteTx, job: &mut dyn Job) -> RowResult<()> {
    let hooks = tx.hook_count();
    tx.control("SAVEPOINT job")?;
    let verdict = job.run(tx);
    check_open(tx)?;
    if verdict == Verdict::Undo {
        tx.take_hooks(hooks);
        tx.control("ROLLBACK TO job")?;
    }
    tx.control("RELEASE job")
}

fn check_open(tx: &WriteTx) -> RowResult<()> {
    if !tx.connection().is_autocommit() {
        return Ok(());
    }
    let lost = "the transaction was given up because of another write in its group";
    let code = ffi::Error::new(ffi::SQLITE_ABORT_ROLLBACK);
    Err(rusqlite::Error::SqliteFailure(code, Some(lost.to_owned())))
}

/// Runs a closure on one snapshot and leaves nothing behind, whatever it does.
pub(crate) fn run_snapshot<T, E: From<Error>>(
    tx: &ReadTx,
    closure: impl FnOnce(&ReadTx) -> Result<T, E>,
) -> Result<T, E> {
    tx.control("BEGIN").map_err(|source| Error::Begin { source })?;
    let outcome = guarded(|| closure(tx));
    if !tx.connection().is_autocommit() {
        tx.control("ROLLBACK").map_err(|source| Error::Commit { source: Arc::new(source) })?;
    }
    outcome
}

fn guarded<T, E: From<Error>>(closure: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(closure))
        .unwrap_or_else(|payload| Err(Error::Panicked { message: panic_message(&*payload) }.into()))
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}
