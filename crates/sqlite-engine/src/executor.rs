//! Where closures run: on a writer thread and reader threads, or on the caller.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use tokio::sync::{mpsc, watch};

use crate::error::Error;
use crate::group::{Job, run_group};
use crate::limits;
use crate::transaction::{ReadTx, WriteTx};

type WriteJob = Box<dyn Job>;
type ReadJob = Box<dyn FnOnce(&ReadTx) + Send>;

pub(crate) enum Message<J> {
    Run(J),
    /// Refuse new jobs and end once those queued are done.
    Close,
}

pub(crate) enum Runner {
    /// Each side behind a bounded queue. The threads end by themselves when the last handle of
    /// the database is dropped.
    Threads {
        writer: mpsc::Sender<Message<WriteJob>>,
        readers: mpsc::Sender<Message<ReadJob>>,
        /// The writer holds the receiver until every connection is closed.
        alive: watch::Sender<()>,
    },
    /// One closure at a time; empty once closed.
    Inline(Mutex<Option<WriteTx>>),
}

impl Runner {
    pub(crate) fn inline(tx: WriteTx) -> Runner {
        Runner::Inline(Mutex::new(Some(tx)))
    }

    pub(crate) fn threads(
        schema: &'static str,
        tx: WriteTx,
        snapshots: Vec<ReadTx>,
    ) -> Result<Runner, Error> {
        let (readers, queue) = mpsc::channel(limits::READ_QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let mut reading = Vec::new();
        for tx in snapshots {
            let queue = Arc::clone(&queue);
            reading.push(start_thread(schema, "reader", move || read_loop(&tx, &queue))?);
        }
        let (writer, queue) = mpsc::channel(limits::WRITE_QUEUE_MAX);
        let (alive, running) = watch::channel(());
        let write = move || {
            write_loop(&tx, queue);
            // The last connection to close folds the log into the file: it has to be this one.
            for reader in reading {
                // A reader catches the panics of its jobs, and there is nobody to tell.
                let _ = reader.join();
            }
            tx.close();
            drop(running);
        };
        start_thread(schema, "writer", write)?;
        Ok(Runner::Threads { writer, readers, alive })
    }

    pub(crate) async fn write(&self, job: WriteJob) -> Result<(), Error> {
        match self {
            Runner::Threads { writer, .. } => {
                writer.send(Message::Run(job)).await.map_err(|_| Error::Closed)
            }
            Runner::Inline(tx) => {
                let tx = lock(tx);
                let tx = tx.as_ref().ok_or(Error::Closed)?;
                run_group(tx, vec![job]);
                tx.checkpoint_if_due(true);
                Ok(())
            }
        }
    }

    pub(crate) async fn read(&self, job: ReadJob) -> Result<(), Error> {
        match self {
            Runner::Threads { readers, .. } => {
                readers.send(Message::Run(job)).await.map_err(|_| Error::Closed)
            }
            Runner::Inline(tx) => {
                job(lock(tx).as_ref().ok_or(Error::Closed)?);
                Ok(())
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Runner::Threads { writer, readers, alive } => {
                // An error means that the threads are gone, which is what was asked for.
                let _ = readers.send(Message::Close).await;
                let _ = writer.send(Message::Close).await;
                alive.closed().await;
            }
            Runner::Inline(tx) => drop(lock(tx).take().map(WriteTx::close)),
        }
    }
}

fn start_thread(
    schema: &'static str,
    role: &str,
    body: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, Error> {
    let thread = thread::Builder::new().name(format!("{schema} {role}"));
    thread.spawn(body).map_err(|source| Error::StartThread { schema, source })
}

fn write_loop(tx: &WriteTx, mut queue: mpsc::Receiver<Message<WriteJob>>) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Run(job) => group.push(job),
                Message::Close => queue.close(),
            }
            next = if group.len() < limits::GROUP_MAX { queue.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            run_group(tx, group);
        }
        tx.checkpoint_if_due(queue.is_empty());
    }
}

fn read_loop(tx: &ReadTx, queue: &Mutex<mpsc::Receiver<Message<ReadJob>>>) {
    loop {
        // One reader waits inside the lock, the other for the lock; nobody runs a job holding it.
        let mut queue = lock(queue);
        match queue.blocking_recv() {
            Some(Message::Run(job)) => {
                drop(queue);
                job(tx);
            }
            Some(Message::Close) => queue.close(),
            None => return,
        }
    }
}

/// Panics of closures are caught before they reach a lock, so a poisoned one holds sound data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for `future` on the calling thread, inside or outside of any runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}
