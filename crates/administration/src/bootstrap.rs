//! The first objects of a hierarchy.

use std::sync::Arc;

use model::{ALL_SYSTEMS, Collection, ObjectCode, PeerKind, SiteRecord, Timestamp};
use site_db::{Recovering, SiteDb};

use crate::token::{Order, mint};
use crate::{Authority, Error, Home};

/// The account of the first administrator.
const FIRST_ACCOUNT: &str = "admin";

/// Writes what a top-level site owns from its first start on, as far as it is not there, and makes
/// a token for the first administrator, with its expiry. As long as no administrator has logged in,
/// every start makes a fresh token: the last one may have expired or been lost. At other sites, and
/// while the site recovers from a restore, there is nothing to do.
pub async fn bootstrap(
    db: &SiteDb,
    authority: &Arc<Authority>,
    home: &Home,
) -> Result<Option<(String, Timestamp)>, Error> {
    let (ambient, authority, home) = (db.ambient().clone(), Arc::clone(authority), home.clone());
    db.write(move |w| {
        let me = w.identity();
        if !me.is_top() || w.recovering()? != Recovering::No {
            return Ok(None);
        }
        if w.site_code(me.code())?.is_none() {
            w.give_site_code(me.owner)?;
        }
        let (code, url) = (me.code(), home.url.clone());
        let (kind, uuid) = (me.kind, me.owner.uuid);
        w.put_own(&SiteRecord { code, uuid, kind, parent: None, name: home.name, url: home.url })?;
        if w.get::<Collection>(ALL_SYSTEMS.as_bytes())?.is_none() {
            w.put_own(&all_systems())?;
        }
        if w.has_joined(PeerKind::Administrator)? {
            return Ok(None);
        }
        let kind = PeerKind::Administrator;
        let order = Order { kind, site: code, joins: None, url, valid_seconds: 0 };
        mint(w, (&ambient, authority.anchor()), FIRST_ACCOUNT, order).map(Some)
    })
    .await
}

/// The built-in collection.
pub(crate) fn all_systems() -> Collection {
    let code = ObjectCode::new(ALL_SYSTEMS).expect("the built-in code is well-formed");
    Collection::built_in(&code).expect("it is built in")
}
