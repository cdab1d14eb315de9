//! Where an address is, and which servers are used from there.
//!
//! Owns the order of CONT-10 and the pools of BG-02 to BG-07. A server in no group belongs to the
//! default group of its site, so that a hierarchy without groups works (DIST-11); a software update
//! point must be put into a group (BG-07), but who reaches none by groups uses those of its site,
//! unless a group says never. A client waits for the distribution points of its own groups, but
//! never for a management point or a software update point that nobody gave them: then the nearest
//! others are used at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use super::index::{Span, SpanIndex};
use super::{Boundary, BoundaryGroup, BoundaryOptions, Fallback, Neighbor};
use crate::{ClientId, ObjectCode, RoleId, RoleKind, RoleRecord, SiteCode, SiteKind, SiteRecord};

/// Whoever looks for servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Not known: in no group.
    pub address: Option<IpAddr>,
    /// The site it is assigned to.
    pub assigned: SiteCode,
    /// The site whose servers it uses before others of the same group: the assigned one, or a
    /// secondary site.
    pub near: SiteCode,
}

/// How a client comes to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// It is in a group of the client.
    Current,
    /// In a group that one of those has a link to.
    Neighbor,
    /// In the default group of the client's site.
    Default,
    /// At the client's site, and no group leads to any.
    LastResort,
}

impl Relation {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::Current => "current",
            Relation::Neighbor => "neighbor",
            Relation::Default => "default",
            Relation::LastResort => "last_resort",
        }
    }
}

/// How near a server is, as far as its address is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proximity {
    Computer,
    /// One subnet or prefix covers both.
    Subnet,
    Elsewhere,
}

impl Proximity {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Proximity::Computer => "computer",
            Proximity::Subnet => "subnet",
            Proximity::Elsewhere => "",
        }
    }
}

/// A server that may be used, and from when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub role: RoleRecord,
    /// Minutes since the client began to look.
    pub after_minutes: u32,
    pub relation: Relation,
    /// The group that it is found in.
    pub through: Neighbor,
    pub proximity: Proximity,
}

/// A boundary, as far as it is looked up.
#[derive(Debug)]
struct Place {
    code: ObjectCode,
    is_subnet: bool,
    /// Indices of the groups it is in.
    groups: Vec<usize>,
}

/// Every boundary, group, server and site, made ready for questions.
#[derive(Debug, Default)]
pub struct BoundaryMap {
    index: SpanIndex,
    places: Vec<Place>,
    groups: Vec<BoundaryGroup>,
    by_code: BTreeMap<ObjectCode, usize>,
    roles: BTreeMap<RoleId, RoleRecord>,
    /// Those that are in a group.
    grouped: BTreeSet<RoleId>,
    parents: BTreeMap<SiteCode, SiteCode>,
}

/// The first minute at which a server is reached, and how.
type Way = (u32, Relation, Neighbor);

impl BoundaryMap {
    /// Whatever is named and not among them is left out.
    #[must_use]
    pub fn new(
        boundaries: Vec<Boundary>,
        groups: Vec<BoundaryGroup>,
        roles: Vec<RoleRecord>,
        sites: &[SiteRecord],
    ) -> BoundaryMap {
        let mut members: BTreeMap<&ObjectCode, Vec<usize>> = BTreeMap::new();
        for (number, group) in groups.iter().enumerate() {
            for code in &group.boundaries {
                members.entry(code).or_default().push(number);
            }
        }
        let (mut spans, mut places) = (Vec::new(), Vec::new());
        for Boundary { code, scope, description: _ } in boundaries {
            let Some((first, last)) = scope.span() else { continue };
            spans.push(Span { first, last, boundary: places.len() });
            let groups = members.get(&code).cloned().unwrap_or_default();
            places.push(Place { code, is_subnet: scope.is_subnet(), groups });
        }
        let secondary = |site: &&SiteRecord| site.kind == SiteKind::Secondary;
        let parents = sites.iter().filter(secondary);
        BoundaryMap {
            index: SpanIndex::new(spans),
            places,
            by_code: groups.iter().enumerate().map(|(n, group)| (group.code.clone(), n)).collect(),
            grouped: groups.iter().flat_map(|group| group.systems.iter().copied()).collect(),
            groups,
            roles: roles.into_iter().map(|role| (role.id, role)).collect(),
            parents: parents.filter_map(|site| Some((site.code, site.parent?))).collect(),
        }
    }

    #[must_use]
    pub fn group(&self, code: &ObjectCode) -> Option<&BoundaryGroup> {
        self.by_code.get(code).map(|number| &self.groups[*number])
    }

    fn places_of(&self, address: IpAddr) -> Vec<&Place> {
        let address = address.to_canonical();
        let mut spans = self.index.covering(address);
        if is_teredo(address) {
            // Tunnels end anywhere: only a boundary of nothing else means them (BG-08).
            spans.retain(|span| is_teredo(span.first) && is_teredo(span.last));
        }
        spans.iter().map(|span| &self.places[span.boundary]).collect()
    }

    /// The codes of the boundaries that cover an address, in order.
    #[must_use]
    pub fn boundaries_of(&self, address: IpAddr) -> Vec<&ObjectCode> {
        let mut codes: Vec<_> = self.places_of(address).iter().map(|place| &place.code).collect();
        codes.sort_unstable();
        codes
    }

    /// The groups that an address is in (BG-01), in order of code. None: the default group of
    /// whatever site the client is assigned to (BG-04).
    #[must_use]
    pub fn groups_of(&self, address: IpAddr) -> Vec<&BoundaryGroup> {
        let places = self.places_of(address);
        let numbers: BTreeSet<usize> = places.iter().flat_map(|p| &p.groups).copied().collect();
        let mut groups: Vec<_> = numbers.into_iter().map(|number| &self.groups[number]).collect();
        groups.sort_by(|a, b| a.code.cmp(&b.code));
        groups
    }

    /// The options of a computer there.
    #[must_use]
    pub fn options_of(&self, address: IpAddr) -> BoundaryOptions {
        let options = self.groups_of(address).into_iter().map(|group| group.options);
        options.reduce(BoundaryOptions::union).unwrap_or_default()
    }

    /// The sites that a new computer there can be assigned to.
    #[must_use]
    pub fn assigned_sites(&self, address: IpAddr) -> BTreeSet<SiteCode> {
        self.groups_of(address).iter().filter_map(|group| group.assigned_site).collect()
    }

    /// The site of a new computer. Of several, each gets its share, and a computer always the same
    /// (BG-05).
    #[must_use]
    pub fn assigned_site(&self, address: IpAddr, client: ClientId) -> Option<SiteCode> {
        let sites = self.assigned_sites(address);
        let count = u128::try_from(sites.len()).ok().filter(|count| *count > 0)?;
        let share = client.0.as_u128() % count;
        sites.into_iter().nth(usize::try_from(share).ok()?)
    }

    /// The servers of a kind in a site's default group: those of the site and of its secondary
    /// sites that are in no other group.
    pub fn default_members(
        &self,
        site: SiteCode,
        kind: RoleKind,
    ) -> impl Iterator<Item = &RoleRecord> {
        self.roles.values().filter(move |role| {
            let home = self.parents.get(&role.site).copied().unwrap_or(role.site);
            role.kind == kind && home == site && !self.grouped.contains(&role.id)
        })
    }

    /// The servers of a kind that `asker` uses, best first.
    #[must_use]
    pub fn offers(&self, kind: RoleKind, asker: &Asker) -> Vec<Offer> {
        let groups = asker.address.map(|address| self.groups_of(address)).unwrap_or_default();
        self.offers_in(kind, &groups, asker)
    }

    /// As [`BoundaryMap::offers`], for whoever is in these groups.
    #[must_use]
    pub fn offers_in(
        &self,
        kind: RoleKind,
        groups: &[&BoundaryGroup],
        asker: &Asker,
    ) -> Vec<Offer> {
        let mut ways = self.ways((kind, asker), groups);
        if ways.is_empty() && kind != RoleKind::DistributionPoint {
            let way = (0, Relation::LastResort, Neighbor::Default(asker.assigned));
            let left = self.last_resort((kind, asker), groups);
            ways.extend(left.into_iter().map(|id| (id, way.clone())));
        }
        let soonest = ways.values().map(|(minutes, ..)| *minutes).min().unwrap_or(0);
        let earlier = if kind == RoleKind::DistributionPoint { 0 } else { soonest };
        let offer = |(id, (minutes, relation, through)): (RoleId, Way)| {
            let role = self.roles.get(&id)?.clone();
            let proximity = self.proximity(asker.address, &role);
            Some(Offer { role, after_minutes: minutes - earlier, relation, through, proximity })
        };
        let mut offers: Vec<Offer> = ways.into_iter().filter_map(offer).collect();
        offers.sort_by_key(|Offer { role, after_minutes, relation, proximity, .. }| {
            let farther = (role.site != asker.near, role.site != asker.assigned);
            (*after_minutes, *proximity, *relation, farther, role.joined_at, role.id)
        });
        offers
    }

    /// The servers of a kind at the client's site, where no group leads to any: those in no group
    /// or, if all are in one, all. None where a group says never.
    fn last_resort(
        &self,
        (kind, asker): (RoleKind, &Asker),
        groups: &[&BoundaryGroup],
    ) -> Vec<RoleId> {
        let home = Neighbor::Default(asker.assigned);
        let mut links = groups.iter().flat_map(|group| &group.links);
        if links.any(|link| link.to == home && link.fallback.of(kind).is_none()) {
            return Vec::new();
        }
        let all = self.roles.values().filter(|role| role.kind == kind && is_near(asker, role));
        let (grouped, free): (Vec<RoleId>, _) =
            all.map(|role| role.id).partition(|id| self.grouped.contains(id));
        if free.is_empty() { grouped } else { free }
    }

    /// How each server is reached first.
    fn ways(
        &self,
        (kind, asker): (RoleKind, &Asker),
        groups: &[&BoundaryGroup],
    ) -> BTreeMap<RoleId, Way> {
        let mut ways = BTreeMap::new();
        let mut reach = |minutes, relation, through: Neighbor| {
            let way = (minutes, relation, through);
            for role in self.members(&way.2, kind).into_iter().filter(|role| {
                // Clients near one secondary site are strangers to another.
                relation != Relation::Default
                    || kind == RoleKind::DistributionPoint
                    || is_near(asker, role)
            }) {
                let known = ways.entry(role.id).or_insert_with(|| way.clone());
                if way < *known {
                    known.clone_from(&way);
                }
            }
        };
        let home = Neighbor::Default(asker.assigned);
        if groups.is_empty() {
            reach(0, Relation::Default, home.clone());
        }
        for group in groups {
            reach(0, Relation::Current, Neighbor::Group(group.code.clone()));
            let explicit = group.links.iter().map(|link| (link.to.clone(), link.fallback));
            let is_explicit = group.links.iter().any(|link| link.to == home);
            let implied = (!is_explicit).then(|| (home.clone(), Fallback::default()));
            for (to, fallback) in explicit.chain(implied) {
                let Some(minutes) = fallback.of(kind) else { continue };
                let relation = match to {
                    Neighbor::Group(_) => Relation::Neighbor,
                    Neighbor::Default(_) => Relation::Default,
                };
                reach(minutes, relation, to);
            }
        }
        ways
    }

    /// The servers of a kind in a group. A software update point is in no default group (BG-07).
    fn members(&self, group: &Neighbor, kind: RoleKind) -> Vec<&RoleRecord> {
        match group {
            Neighbor::Group(code) => {
                let systems = self.group(code).into_iter().flat_map(|group| &group.systems);
                let roles = systems.filter_map(|id| self.roles.get(id));
                roles.filter(|role| role.kind == kind).collect()
            }
            Neighbor::Default(_) if kind == RoleKind::SoftwareUpdatePoint => Vec::new(),
            Neighbor::Default(site) => self.default_members(*site, kind).collect(),
        }
    }

    fn proximity(&self, client: Option<IpAddr>, role: &RoleRecord) -> Proximity {
        let urls = [&role.url, &role.http_url];
        let Some((client, server)) = client.zip(urls.into_iter().find_map(|url| host(url))) else {
            return Proximity::Elsewhere;
        };
        if client.to_canonical() == server {
            return Proximity::Computer;
        }
        let subnets = |address| {
            let places = self.places_of(address).into_iter().filter(|place| place.is_subnet);
            places.map(|place| &place.code).collect::<BTreeSet<_>>()
        };
        if subnets(client).is_disjoint(&subnets(server)) {
            Proximity::Elsewhere
        } else {
            Proximity::Subnet
        }
    }
}

fn is_near(asker: &Asker, role: &RoleRecord) -> bool {
    [asker.near, asker.assigned].contains(&role.site)
}

/// Teredo tunnels have addresses of 2001::/32.
fn is_teredo(address: IpAddr) -> bool {
    let prefix = |address: Ipv6Addr| address.segments()[..2] == [0x2001, 0];
    matches!(address, IpAddr::V6(address) if prefix(address))
}

/// The host of a URL, if it is written as an address.
fn host(url: &str) -> Option<IpAddr> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    host.parse().ok().map(|address: IpAddr| address.to_canonical())
}
