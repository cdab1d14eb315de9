//! The nouns that name objects: finding them, changing them at their owner only, new codes.

use std::fmt;
use std::marker::PhantomData;

use model::{
    Boundary, BoundaryGroup, ClientId, ClientRecord, Collection, Deployment, DeploymentId, Invalid,
    Item, ObjectCode, Owner, Package, Phased, RoleId, RoleRecord, Rule, SettingsProfile, SiteCode,
    SiteKind, SiteRecord, UpdateGroup, UpdateId, Window,
};
use rpc::object::ObjectBody;
use site_db::{Reader, Writer};

use crate::Error;

/// How people speak of a kind of object, and where they see them all.
pub(super) struct Noun<T> {
    what: &'static str,
    see: &'static str,
    id: fn(&str) -> Id,
    of: PhantomData<fn() -> T>,
}

/// The object's id, from the name that people write.
type Id = Result<Vec<u8>, Invalid>;

pub(super) const SITE: Noun<SiteRecord> =
    Noun::new("site", "tierline site list", |code| Ok(SiteCode::new(code)?.as_str().into()));
pub(super) const ROLE: Noun<RoleRecord> =
    Noun::new("role", "tierline role list", |id| Ok(id.parse::<RoleId>()?.as_bytes().into()));
pub(super) const CLIENT: Noun<ClientRecord> =
    Noun::new("client", "tierline client list", |id| Ok(id.parse::<ClientId>()?.as_bytes().into()));
pub(super) const UPDATE: Noun<Item> =
    Noun::new("update", "tierline update list", |id| Ok(id.parse::<UpdateId>()?.as_bytes().into()));
pub(super) const PACKAGE: Noun<Package> =
    Noun::new("package", "tierline package list", object_code);
pub(super) const BOUNDARY: Noun<Boundary> =
    Noun::new("boundary", "tierline boundary list", object_code);
pub(super) const BOUNDARY_GROUP: Noun<BoundaryGroup> =
    Noun::new("boundary group", "tierline boundary-group list", object_code);
pub(super) const GROUP: Noun<UpdateGroup> =
    Noun::new("update group", "tierline group list", object_code);
pub(super) const COLLECTION: Noun<Collection> =
    Noun::new("collection", "tierline collection list", object_code);
pub(super) const DEPLOYMENT: Noun<Deployment> =
    Noun::new("deployment", "tierline deployment list", |id| {
        Ok(id.parse::<DeploymentId>()?.as_bytes().into())
    });

pub(super) const RULE: Noun<Rule> = Noun::new("rule", "tierline rule list", object_code);
pub(super) const PHASED: Noun<Phased> =
    Noun::new("phased deployment", "tierline phased list", object_code);
pub(super) const SETTINGS_PROFILE: Noun<SettingsProfile> =
    Noun::new("settings profile", "tierline client-settings list", object_code);
pub(super) const WINDOW: Noun<Window> =
    Noun::new("maintenance window", "tierline window list", object_code);

fn object_code(code: &str) -> Id {
    Ok(ObjectCode::new(code)?.as_str().into())
}

impl<T: ObjectBody> Noun<T> {
    const fn new(what: &'static str, see: &'static str, id: fn(&str) -> Id) -> Noun<T> {
        Noun { what, see, id, of: PhantomData }
    }

    pub(super) fn unknown(&self, name: impl fmt::Display) -> Error {
        Error::Unknown { what: self.what, name: name.to_string(), see: self.see }
    }

    pub(super) fn found(&self, r: &Reader<'_>, name: &str) -> Result<(Owner, T), Error> {
        r.get_owned(&(self.id)(name)?)?.ok_or_else(|| self.unknown(name))
    }

    /// To be changed, which only its owner may.
    pub(super) fn owned(&self, r: &Reader<'_>, name: &str) -> Result<T, Error> {
        let (owner, value) = self.found(r, name)?;
        if owner != r.identity().owner {
            let what = format!("{} {name}", self.what);
            return Err(Error::ForeignOwner { what, owner: owner.code });
        }
        Ok(value)
    }

    /// Secondary sites own no such objects.
    pub(super) fn check_place(&self, r: &Reader<'_>) -> Result<(), Error> {
        match r.identity().kind {
            kind @ SiteKind::Secondary => Err(Error::NoPlace { what: self.what, kind }),
            SiteKind::Central | SiteKind::Primary => Ok(()),
        }
    }

    /// A code of this site that was never given.
    pub(super) fn new_code(&self, w: &Writer<'_>) -> Result<ObjectCode, Error> {
        self.check_place(w)?;
        Ok(w.new_code::<T>(self.what)?)
    }
}
