//! Which clients share a list of servers: those near the same site and in the same boundary groups.
//!
//! The list is a part of policy, and parts are shared, so that it may depend on where clients are,
//! but not on which of them asks: how near a single server is does not count here.

use std::collections::{BTreeMap, BTreeSet};

use deployment::Neighborhood;
use model::{
    Asker, BoundaryGroup, BoundaryMap, ClientId, ClientRecord, Kind, ObjectCode, Offer, RoleKind,
    ServerList, ServerRef, SiteCode, SiteKind,
};
use rpc::object::ObjectBody as _;
use site_db::{Error, Reader};

/// Distribution points are looked up for each file.
const LISTED: [RoleKind; 2] = [RoleKind::SoftwareUpdatePoint, RoleKind::ManagementPoint];

/// The site that a client is near, and the boundary groups it was seen in.
type Place = (SiteCode, Vec<ObjectCode>);

/// The places of this site's clients, and the servers used from each: by boundary groups; where
/// there are none, those of the site that is near first, then this site's. Clients never use the
/// servers of a central site.
pub(crate) fn neighborhoods(r: &Reader<'_>, map: &BoundaryMap) -> Result<Vec<Neighborhood>, Error> {
    let (own, mut places) = (r.identity(), Places::new(r, map)?);
    r.visit(Kind::Client, |owner, body| {
        // A record of a later release that cannot be read keeps its client's old policy.
        if let Some(record) = ClientRecord::decode(&body).ok().filter(|_| owner == own.owner) {
            places.add(&record);
        }
        Ok(())
    })?;
    Ok(places.neighborhoods())
}

/// The same for a few clients, and the records of those that are this site's.
pub(crate) fn neighborhoods_of(
    r: &Reader<'_>,
    map: &BoundaryMap,
    clients: &BTreeSet<ClientId>,
) -> Result<(Vec<Neighborhood>, BTreeMap<ClientId, ClientRecord>), Error> {
    let (own, mut places) = (r.identity(), Places::new(r, map)?);
    let mut records = BTreeMap::new();
    for client in clients {
        let found = r.get_owned::<ClientRecord>(client.as_bytes())?;
        if let Some((_, record)) = found.filter(|(owner, _)| *owner == own.owner) {
            places.add(&record);
            records.insert(*client, record);
        }
    }
    Ok((places.neighborhoods(), records))
}

struct Places<'a> {
    map: &'a BoundaryMap,
    own: SiteCode,
    sites: Vec<SiteCode>,
    clients: BTreeMap<Place, Vec<ClientId>>,
}

impl<'a> Places<'a> {
    fn new(r: &Reader<'_>, map: &'a BoundaryMap) -> Result<Places<'a>, Error> {
        let own = r.identity().code();
        let below = r.tree()?.children().into_iter().filter(|c| c.kind == SiteKind::Secondary);
        let sites = std::iter::once(own).chain(below.map(|c| c.code)).collect();
        Ok(Places { map, own, sites, clients: BTreeMap::new() })
    }

    fn add(&mut self, record: &ClientRecord) {
        let near = if self.sites.contains(&record.site) { record.site } else { self.own };
        let groups = record.address.map(|address| self.map.groups_of(address)).unwrap_or_default();
        let groups = groups.into_iter().map(|group| group.code.clone()).collect();
        self.clients.entry((near, groups)).or_default().push(record.id);
    }

    fn neighborhoods(self) -> Vec<Neighborhood> {
        let Places { map, own, sites: _, clients } = self;
        let neighborhood = |((near, codes), clients): (Place, Vec<ClientId>)| {
            let groups: Vec<&BoundaryGroup> =
                codes.iter().filter_map(|code| map.group(code)).collect();
            let asker = Asker { address: None, assigned: own, near };
            let offers = LISTED.into_iter().flat_map(|kind| map.offers_in(kind, &groups, &asker));
            let servers = offers.map(server).collect();
            Neighborhood { servers: ServerList { servers }, clients }
        };
        clients.into_iter().map(neighborhood).collect()
    }
}

fn server(offer: Offer) -> ServerRef {
    let Offer { role, after_minutes, .. } = offer;
    ServerRef {
        kind: role.kind,
        site: role.site,
        url: role.url,
        http_url: role.http_url,
        after_minutes,
    }
}
