//! What the site server says is ruled of updates, into the catalog, and out of it to replicas.
//!
//! Owns the reading of the order. What a ruling does to scans, to agents and to what a
//! synchronization fetches is the catalog's knowledge.

use model::{Invalid, UpdateId};
use rpc::pb::update_point as wire;
use update_catalog::{Changed, IdRange, Ruling};

use crate::Error;
use crate::point::Point;

impl Point {
    /// Takes over what is ruled of the updates of a range.
    pub(crate) async fn set_rulings(&self, order: wire::SetRulings) -> Result<(), Error> {
        let wire::SetRulings { order: _, from, to, rulings } = order;
        let range = IdRange { from: bound(&from)?, to: bound(&to)? };
        let rulings = rulings.into_iter().map(ruling).collect::<Result<Vec<_>, Invalid>>()?;
        let is_inside = |ruling: &Ruling| {
            range.from.is_none_or(|from| from <= ruling.update)
                && range.to.is_none_or(|to| ruling.update < to)
        };
        if !rulings.iter().all(is_inside) {
            return Err(Invalid::new("rulings", "are of updates outside of their range").into());
        }
        let changed = self.catalog.set_rulings(range, rulings).await?;
        if changed != Changed::default() {
            let Changed { declined, reinstated, dropped, awaited } = changed;
            tracing::info!(declined, reinstated, dropped, awaited, "the site ruled on updates");
        }
        Ok(())
    }
}

fn bound(id: &[u8]) -> Result<Option<UpdateId>, Invalid> {
    if id.is_empty() { Ok(None) } else { UpdateId::from_slice(id).map(Some) }
}

fn ruling(ruling: wire::Ruling) -> Result<Ruling, Invalid> {
    let wire::Ruling { update, declined, dropped } = ruling;
    Ok(Ruling { update: UpdateId::from_slice(&update)?, is_declined: declined, dropped })
}
