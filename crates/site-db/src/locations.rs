//! Where clients are, and which servers they use from there.
//!
//! Owns the map of boundaries that is kept ready: made anew when the topology changed, not for each
//! question. Refuses to know what the order of servers is: the model decides that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Asker, BoundaryMap, Group, Offer, RoleKind, RoleRecord, Sha256, SiteCode, SiteKind};

use crate::db::slot;
use crate::{Error, Reader, SiteDb};

/// The map, and how many commits had changed the topology when it was begun. What was committed
/// while it was read makes it anew with the next question.
pub(crate) type KeptMap = Mutex<Option<(u64, Arc<BoundaryMap>)>>;

impl Reader<'_> {
    /// The boundaries, groups, servers and sites of this snapshot.
    pub fn boundary_map(&self) -> Result<BoundaryMap, Error> {
        let boundaries = self.list()?.into_iter().map(|(_, boundary)| boundary).collect();
        let groups = self.list()?.into_iter().map(|(_, group)| group).collect();
        let roles = self.list::<RoleRecord>()?.into_iter().map(|(_, role)| role).collect();
        let sites: Vec<_> = self.list()?.into_iter().map(|(_, site)| site).collect();
        Ok(BoundaryMap::new(boundaries, groups, roles, &sites))
    }
}

impl SiteDb {
    /// The boundaries, groups, servers and sites of now.
    pub async fn boundary_map(&self) -> Result<Arc<BoundaryMap>, Error> {
        let now = self.context.changes.borrow()[slot(Some(Group::Topology))];
        let kept = self.kept_map().clone();
        if let Some((_, map)) = kept.filter(|(at, _)| *at == now) {
            return Ok(map);
        }
        let map = Arc::new(self.read(|r| r.boundary_map()).await?);
        *self.kept_map() = Some((now, map.clone()));
        Ok(map)
    }

    fn kept_map(&self) -> std::sync::MutexGuard<'_, Option<(u64, Arc<BoundaryMap>)>> {
        self.context.boundaries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The distribution points that have each file, whatever the package (PKG-09), best first for
    /// a client at this address that asks through `near`.
    pub async fn locate(
        &self,
        (near, address): (SiteCode, Option<IpAddr>),
        files: BTreeSet<Sha256>,
    ) -> Result<BTreeMap<Sha256, Vec<Offer>>, Error> {
        let asker = Asker { address, assigned: self.assigning_site(), near };
        let map = self.boundary_map().await?;
        let offers = map.offers(RoleKind::DistributionPoint, &asker);
        let found = self.read(move |r| r.content_locations(&files)).await?;
        let choose = |(sha256, points): (Sha256, Vec<RoleRecord>)| {
            let holders: BTreeSet<_> = points.iter().map(|point| point.id).collect();
            let usable = offers.iter().filter(|offer| holders.contains(&offer.role.id));
            (sha256, usable.cloned().collect())
        };
        Ok(found.into_iter().map(choose).collect())
    }

    /// The primary site of the clients that ask here.
    fn assigning_site(&self) -> SiteCode {
        let own = self.identity();
        match (own.kind, own.parent) {
            (SiteKind::Secondary, Some(parent)) => parent,
            _ => own.code(),
        }
    }
}
