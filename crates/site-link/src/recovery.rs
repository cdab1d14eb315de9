//! Recovery after an announced restore: taking back what neighbors know, then a new epoch.

use std::collections::BTreeMap;

use model::{Position, StreamId};
use replication::{Frame, LocalStream, ReconcileReason, Recovery, plan_recovery};
use site_db::{Reader, Recovering, SiteDb, Writer};

use crate::exchange::Exchange;
use crate::{Error, LinkBoard};

/// Ends the recovery of a site that has no neighbor to ask.
pub async fn recover_alone(db: &SiteDb, board: std::sync::Arc<LinkBoard>) -> Result<(), Error> {
    db.write(move |w| {
        let Recovering::Yes(losses) = w.recovering()? else { return Ok(()) };
        let neighbors = board.neighbors();
        if let Recovery::Finish { lost } = plan_recovery(&known(w, &board)?, &neighbors, losses) {
            finish(w, &board, lost)?;
        }
        Ok(())
    })
    .await
}

impl Exchange {
    /// One step of a recovery, as far as this link has part in it.
    pub(crate) fn step_recovery(
        &mut self,
        w: &Writer<'_>,
        out: &mut Vec<Frame>,
    ) -> Result<(), Error> {
        let Recovering::Yes(losses) = w.recovering()? else { return Ok(()) };
        let board = self.board();
        match plan_recovery(&known(w, &board)?, &board.neighbors(), losses) {
            Recovery::Wait(why) => {
                board.update(self.neighbor().code, |view| view.problem = why);
            }
            Recovery::Walk(walks) => {
                let here = walks.into_iter().find(|(_, site)| *site == self.neighbor().code);
                if let Some((stream, _)) = here {
                    self.start_walk(stream, ReconcileReason::Resume, out);
                }
            }
            Recovery::Finish { lost } => finish(w, &board, lost)?,
        }
        Ok(())
    }
}

/// Every object stream of the groups this site subscribes to, held or not.
fn known(r: &Reader<'_>, board: &LinkBoard) -> Result<BTreeMap<StreamId, LocalStream>, Error> {
    let me = r.identity().clone();
    let mut known: BTreeMap<StreamId, LocalStream> =
        r.streams()?.into_iter().map(|(id, stream)| (id, stream.local)).collect();
    for neighbor in board.neighbors().into_values() {
        for id in neighbor.heads.unwrap_or_default().into_keys() {
            if id.group.subscribes(me.kind) || id.owner == me.owner {
                known.entry(id).or_default();
            }
        }
    }
    known.retain(|id, _| !id.group.is_events());
    Ok(known)
}

fn finish(w: &Writer<'_>, board: &LinkBoard, lost: Vec<StreamId>) -> Result<(), Error> {
    for id in lost {
        w.forget_stream(id)?;
    }
    let mut seen: BTreeMap<StreamId, Position> = BTreeMap::new();
    for neighbor in board.neighbors().into_values() {
        for (id, head) in neighbor.heads.unwrap_or_default() {
            let highest = seen.entry(id).or_default();
            *highest = head.seen.max(head.position).max(*highest);
        }
    }
    let me = w.identity().owner;
    for group in w.tree()?.own_groups() {
        let id = StreamId { group, owner: me };
        // Also of streams nobody remembers: a half copy somewhere is replaced by the new epoch.
        w.begin_stream(id, model::Epoch { number: 1, id: 0 })?;
        if let Some(position) = seen.get(&id) {
            w.note_seen(id, *position)?;
        }
        w.begin_epoch(id)?;
    }
    w.set_recovering(Recovering::No)?;
    tracing::info!("recovery ended; a new epoch began");
    Ok(())
}
