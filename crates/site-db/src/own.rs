//! Writing one's own objects: whole, signed transactions of the owner.

use model::{DeploymentId, Epoch, Group, Kind, ObjectCode, StatusMessage, StreamId};
use replication::{StreamState, TransactionEnd};
use rpc::limits::{BODY_BYTES_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_OBJECTS_MAX};
use rpc::object::ObjectBody;
use trust::Purpose;

use crate::put::Change;
use crate::streams::{Stream, head_message};
use crate::{Error, Recovering, Writer};

/// One change of an owner's transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    kind: Kind,
    id: Vec<u8>,
    body: Option<Vec<u8>>,
}

impl Own {
    #[must_use]
    pub fn put<T: ObjectBody>(value: &T) -> Own {
        Own { kind: T::KIND, id: value.object_id(), body: Some(value.encode()) }
    }

    /// For bodies whose encoding is another crate's.
    #[must_use]
    pub fn put_bytes(kind: Kind, id: Vec<u8>, body: Vec<u8>) -> Own {
        Own { kind, id, body: Some(body) }
    }

    #[must_use]
    pub fn delete(kind: Kind, id: Vec<u8>) -> Own {
        Own { kind, id, body: None }
    }
}

impl Writer<'_> {
    /// Writes objects of one group in as few owner's transactions as the limits allow. Bodies that
    /// are already live write nothing.
    pub fn write_own(&self, group: Group, changes: Vec<Own>) -> Result<(), Error> {
        let mut news = Vec::with_capacity(changes.len());
        for change in changes {
            if let Some(size) = change.body.as_ref().map(Vec::len).filter(|s| *s > BODY_BYTES_MAX) {
                let what = format!("an object of kind {}", change.kind.as_str());
                return Err(Error::BodySize { what, size, limit: BODY_BYTES_MAX });
            }
            let old = if group.is_events() {
                None
            } else {
                self.live(change.kind as u32, &change.id)?.and_then(|live| live.body)
            };
            if group.is_events() || old != change.body {
                news.push(change);
            }
        }
        if news.is_empty() {
            return Ok(());
        }
        let mut stream = self.own_stream(group)?;
        let mut rest = news.as_slice();
        while !rest.is_empty() {
            let (transaction, later) = rest.split_at(transaction_length(rest));
            self.write_transaction(&mut stream, transaction)?;
            rest = later;
        }
        self.save_stream(&stream)
    }

    /// Writes one object of its own group.
    pub fn put_own<T: ObjectBody>(&self, value: &T) -> Result<(), Error> {
        self.write_own(T::KIND.group(), vec![Own::put(value)])
    }

    /// A code of this site that was never given to such an object; after a restore the counter may
    /// lag behind.
    pub fn new_code<T: ObjectBody>(&self, counter: &str) -> Result<ObjectCode, Error> {
        loop {
            let number = u32::try_from(self.next(counter)?).unwrap_or(u32::MAX);
            let code = ObjectCode::numbered(self.identity().code(), number)?;
            if self.get::<T>(code.as_str().as_bytes())?.is_none() {
                return Ok(code);
            }
        }
    }

    /// An id that nothing has yet.
    #[must_use]
    pub fn new_deployment_id(&self) -> DeploymentId {
        DeploymentId(self.context.ambient.ordered_id())
    }

    /// Appends to this site's status messages.
    pub fn append_status(&self, message: &StatusMessage) -> Result<(), Error> {
        self.put_own(message)
    }

    /// The stream of one's own, if it may be written now.
    fn own_stream(&self, group: Group) -> Result<Stream, Error> {
        let id = StreamId { group, owner: self.identity().owner };
        let refuse = |why| Err(Error::NotWritable { stream: id, why });
        if self.recovering()? != Recovering::No {
            return refuse("the site is recovering from a restore; see `replication status`");
        }
        let Some(stream) = self.stream(id)? else {
            let epoch = Epoch { number: 1, id: self.context.ambient.random_u64() };
            return Ok(Stream::new(id, epoch));
        };
        match stream.local.state {
            StreamState::Sound => Ok(stream),
            StreamState::Forked => refuse("it is forked; see `replication resolve`"),
            StreamState::Damaged => refuse("its copy here is damaged; see `replication status`"),
        }
    }

    fn write_transaction(&self, stream: &mut Stream, changes: &[Own]) -> Result<(), Error> {
        let (last, before) = changes.split_last().expect("a transaction has at least one change");
        for change in before {
            let change = self.change(stream, change);
            self.put(stream, &change)?;
        }
        let change = self.change(stream, last);
        self.put(stream, &change)?;
        let signature = self.sign_head(stream);
        let end = TransactionEnd { digest: stream.local.digest, signature: signature.clone() };
        stream.signature = signature;
        self.write.execute(
            "UPDATE entry SET digest_after = ?1, signature_after = ?2 WHERE lsn =
               (SELECT max(lsn) FROM entry WHERE grp = ?3 AND owner = ?4 AND seq = ?5)",
            sqlite_engine::params![
                end.digest.0,
                end.signature,
                stream.id.group as u8,
                stream.id.owner.to_bytes(),
                stream.local.position.seq
            ],
        )?;
        Ok(())
    }

    fn change<'c>(&self, stream: &Stream, own: &'c Own) -> Change<'c> {
        Change {
            seq: stream.local.position.seq + 1,
            kind: own.kind as u32,
            id: &own.id,
            body: own.body.as_deref(),
            end: None,
        }
    }

    pub(crate) fn sign_head(&self, stream: &Stream) -> Option<Vec<u8>> {
        let message = head_message(stream.id, stream.local.position, stream.local.digest);
        let signer = &self.context.signer;
        stream.id.group.is_signed().then(|| signer.sign(Purpose::StreamHead, &message))
    }
}

fn transaction_length(changes: &[Own]) -> usize {
    let mut bytes = 0;
    let fits = |change: &&Own| {
        bytes += change.id.len() + change.body.as_ref().map_or(0, Vec::len);
        bytes <= TRANSACTION_BYTES_MAX
    };
    changes.iter().take(TRANSACTION_OBJECTS_MAX).take_while(fits).count().max(1)
}
