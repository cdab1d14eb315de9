//! The update points that are connected, and the orders under way with them.
//!
//! Owns who waits for which answer, and whose turn it is: an update point does one order at a time.
//! An order is answered over the session it was sent on; when that ends, whoever waits learns it
//! and asks again. Refuses to know why something is ordered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{ItemFile, Languages, RoleId, RoleRecord, Sha1, Sha256, SiteCode, UpdateId};
use site_db::{ImportReport, Subscription, SyncSource};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;

use crate::Error;
use crate::items::Page;
use crate::limits::{ANSWERS_WAITING, CONNECT_WAIT, ORDERS_WAITING};
use crate::rulings::RulingRange;

/// What an update point is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Synchronize(Target),
    Cancel {
        order: u64,
    },
    GetChanges {
        anchor: u64,
        extractor: u32,
    },
    CompleteVersion {
        version: u64,
        set_digest: Sha256,
    },
    /// Those for other languages alone are left where they are.
    FetchFiles(Vec<(UpdateId, ItemFile)>, Languages),
    Publish {
        name: String,
        package: Vec<u8>,
    },
    RefreshCatalog(Subscription),
    SetRulings(RulingRange),
    PublishContent {
        update: UpdateId,
    },
    ImportPart {
        name: String,
        data: Vec<u8>,
        is_last: bool,
        warrant: Warrant,
    },
    Export {
        since: u64,
        has_content: bool,
    },
}

/// Why a file that is another server's catalog may be taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Warrant {
    /// SHA-256 of the manifest whose signature is believed.
    pub(crate) manifest: Option<Sha256>,
    /// An administrator answers for it.
    pub(crate) is_unsigned: bool,
}

/// What to synchronize with, and what to reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) source: SyncSource,
    /// Of the hierarchy's own server; none: a foreign one.
    pub(crate) site: Option<SiteCode>,
    pub(crate) is_full: bool,
    pub(crate) products: Vec<UpdateId>,
    pub(crate) classifications: Vec<UpdateId>,
    /// In which texts are kept and offered.
    pub(crate) languages: Languages,
    /// Version and digest of the set, except at the top.
    pub(crate) wanted: Option<(u64, Sha256)>,
}

/// What an update point says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Progress { phase: String, done: u64, total: u64 },
    Synchronized(Synchronized),
    Changes(Page),
    Imported(ImportReport),
    Fetched { failures: Vec<(Sha1, String)> },
    ExportPart(Vec<u8>),
    Exported { manifest: Vec<u8>, missing: Vec<String> },
    Failure { reason: String, is_transient: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Synchronized {
    pub(crate) updates: u64,
    pub(crate) set_digest: Sha256,
}

#[derive(Debug)]
struct Live {
    serial: u64,
    /// By its own configuration.
    is_replica: bool,
    orders: mpsc::Sender<(u64, Order)>,
    waiting: BTreeMap<u64, mpsc::Sender<Answer>>,
    turn: Arc<Semaphore>,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    live: Mutex<BTreeMap<RoleId, Live>>,
    /// Sessions opened and closed so far.
    changes: watch::Sender<u64>,
}

impl Sessions {
    /// A panic while the lock was held cannot leave a map in a state that matters.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoleId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn is_connected(&self, role: RoleId) -> bool {
        self.lock().contains_key(&role)
    }

    pub(crate) fn is_replica(&self, role: RoleId) -> bool {
        self.lock().get(&role).is_some_and(|live| live.is_replica)
    }

    /// A session begins; an older one of the same update point ends.
    pub(crate) fn open(
        &self,
        role: RoleId,
        is_replica: bool,
    ) -> (u64, mpsc::Receiver<(u64, Order)>) {
        let (orders, receiver) = mpsc::channel(ORDERS_WAITING);
        let mut live = self.lock();
        self.changes.send_modify(|changes| *changes += 1);
        let serial = *self.changes.borrow();
        let turn = Arc::new(Semaphore::new(1));
        let session = Live { serial, is_replica, orders, waiting: BTreeMap::new(), turn };
        if let Some(older) = live.insert(role, session) {
            older.turn.close();
        }
        (serial, receiver)
    }

    pub(crate) fn close(&self, role: RoleId, serial: u64) {
        let mut live = self.lock();
        if live.get(&role).is_some_and(|session| session.serial == serial)
            && let Some(ended) = live.remove(&role)
        {
            ended.turn.close();
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Hands an answer to whoever waits for it; nobody may, after a cancellation.
    pub(crate) async fn deliver(&self, role: RoleId, order: u64, answer: Answer) {
        let waiting = self.lock().get(&role).and_then(|live| live.waiting.get(&order).cloned());
        let Some(waiting) = waiting else {
            tracing::debug!(role.id = %role, order, ?answer, "nobody waited for this answer");
            return;
        };
        if waiting.send(answer).await.is_err()
            && let Some(live) = self.lock().get_mut(&role)
        {
            live.waiting.remove(&order);
        }
    }

    /// Waits a while for an update point to connect.
    pub(crate) async fn ready(&self, point: &RoleRecord) -> Result<(), Error> {
        let connected = timeout(CONNECT_WAIT, self.connected(point.id)).await;
        connected.map(drop).map_err(|_| Error::NotConnected { name: point.name.clone() })
    }

    /// Sends an order, waiting a while for its update point to connect and then for its turn.
    pub(crate) async fn send(
        &self,
        point: &RoleRecord,
        number: u64,
        order: Order,
    ) -> Result<Answers, Error> {
        let turn = self.turn(point).await?;
        self.order(turn, number, order).await
    }

    /// Waits a while for an update point to connect, and then until it has nothing else to do.
    pub(crate) async fn turn(&self, point: &RoleRecord) -> Result<Turn, Error> {
        let connected = timeout(CONNECT_WAIT, self.connected(point.id)).await;
        let lost = |_| Error::NotConnected { name: point.name.clone() };
        let (orders, turn) = connected.map_err(lost)?;
        let permit = turn.acquire_owned().await.map_err(|_| Error::PointLost)?;
        Ok(Turn { role: point.id, orders, _permit: permit })
    }

    /// Sends an order in a turn; the answers end it, unless it is taken from them.
    pub(crate) async fn order(
        &self,
        turn: Turn,
        number: u64,
        order: Order,
    ) -> Result<Answers, Error> {
        let (sender, receiver) = mpsc::channel(ANSWERS_WAITING);
        let is_same = |live: &&mut Live| live.orders.same_channel(&turn.orders);
        // If another session has begun meanwhile, this one's orders go nowhere.
        if let Some(live) = self.lock().get_mut(&turn.role).filter(is_same) {
            live.waiting.insert(number, sender);
        }
        turn.orders.send((number, order)).await.map_err(|_| Error::PointLost)?;
        Ok(Answers { receiver, turn })
    }

    /// Sends what belongs to an order that is under way.
    pub(crate) async fn send_more(
        &self,
        role: RoleId,
        number: u64,
        order: Order,
    ) -> Result<(), Error> {
        let orders = self.lock().get(&role).map(|live| live.orders.clone());
        let orders = orders.ok_or(Error::PointLost)?;
        orders.send((number, order)).await.map_err(|_| Error::PointLost)
    }

    async fn connected(&self, role: RoleId) -> (mpsc::Sender<(u64, Order)>, Arc<Semaphore>) {
        let mut changes = self.watch();
        loop {
            if let Some(live) = self.lock().get(&role) {
                return (live.orders.clone(), Arc::clone(&live.turn));
            }
            // The sender is in `self`, so this cannot fail.
            let _ = changes.changed().await;
        }
    }
}

/// The right to order something of an update point. Others wait until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    role: RoleId,
    orders: mpsc::Sender<(u64, Order)>,
    _permit: OwnedSemaphorePermit,
}

/// The answers to one order. The next order waits until this is dropped.
#[derive(Debug)]
pub(crate) struct Answers {
    receiver: mpsc::Receiver<Answer>,
    turn: Turn,
}

impl Answers {
    /// The order is done, and another one follows before anybody else's.
    pub(crate) fn into_turn(self) -> Turn {
        self.turn
    }

    pub(crate) async fn next(&mut self) -> Result<Answer, Error> {
        match self.receiver.recv().await {
            Some(Answer::Failure { reason, is_transient }) => {
                Err(Error::PointFailed { reason, is_transient })
            }
            Some(answer) => Ok(answer),
            None => Err(Error::PointLost),
        }
    }
}
