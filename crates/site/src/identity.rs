//! Who this site is: from pki/ to the database's identity, authority and key statement.

use std::sync::Arc;

use administration::{Authority, KeepIntermediate, KeepPublisher, Publishing, Signer};
use ambient::Ambient;
use content_library::ContentLibrary;
use daemon::{Membership, Parent, Pki};
use model::{KeyStatement, Owner, SiteCode, SiteKind};
use rpc::object::ObjectBody as _;
use site_db::{Identity, Neighbor, Recovering, SiteDb};
use trust::{CertificateDer, KeyPair, Publisher, sign_statement};

use crate::{Config, Error};

/// The membership of this site; a top-level site founds its hierarchy at its first start.
pub(crate) fn membership(
    config: &Config,
    ambient: &Ambient,
    pki: &Pki,
) -> Result<Membership, Error> {
    let found = match pki.membership()? {
        Some(found) => found,
        None if config.is_top => pki.found(ambient, config.code, &config.names)?,
        None if config.kind == SiteKind::Primary => {
            return Err(Error::NotJoined {
                hint: ", or set site.top_level = true for a stand-alone primary",
            });
        }
        None => return Err(Error::NotJoined { hint: "" }),
    };
    if found.identity.site != config.code {
        let (path, code) = (config.data.clone(), config.code);
        return Err(Error::OtherSite { path, found: found.identity.site.to_string(), code });
    }
    Ok(found)
}

pub(crate) fn identity(kind: SiteKind, membership: &Membership) -> Result<Identity, Error> {
    let uuid = membership.site_uuid.ok_or(Error::Membership { what: "the site's uuid" })?;
    Ok(Identity {
        hierarchy: membership.identity.hierarchy,
        owner: Owner { code: membership.identity.site, uuid },
        kind,
        parent: membership.parent.as_ref().map(|parent| parent.site),
    })
}

pub(crate) fn parent_of(membership: &Membership) -> Option<(Neighbor, &Parent)> {
    let parent = membership.parent.as_ref()?;
    Some((Neighbor { code: parent.site, kind: parent.kind }, parent))
}

/// The right to issue: the root at the top, intermediates of this site and of its secondaries.
pub(crate) fn authority(pki: &Pki, codes: &[SiteCode]) -> Result<Arc<Authority>, Error> {
    let anchor = pki.anchor()?.ok_or(Error::Membership { what: "the root certificate" })?;
    let found: Result<Vec<_>, daemon::Error> =
        codes.iter().filter_map(|code| pki.intermediate(*code).transpose()).collect();
    let keeper = pki.clone();
    let keep: KeepIntermediate = Arc::new(move |intermediate| {
        keeper.write_intermediate(intermediate.certificate().clone())?;
        Ok(())
    });
    Ok(Arc::new(Authority::new(anchor, pki.root()?, found?, keep)))
}

/// What updates are published with, at the top-level site; its certificate is made at the first
/// start.
pub(crate) fn publishing(
    db: &SiteDb,
    pki: &Pki,
    library: ContentLibrary,
) -> Result<Option<Publishing>, Error> {
    let identity = db.identity();
    if !identity.is_top() {
        return Ok(None);
    }
    let publisher = match pki.publisher()? {
        Some(publisher) => publisher,
        None => {
            let publisher = Publisher::create(db.ambient(), identity.hierarchy)?;
            pki.write_publisher(&publisher)?;
            publisher
        }
    };
    let keeper = pki.clone();
    let keep: KeepPublisher = Arc::new(move |publisher| Ok(keeper.write_publisher(publisher)?));
    let signer = Arc::new(Signer::new(identity.hierarchy, publisher, keep));
    Ok(Some(Publishing { library, signer }))
}

/// States which key signs for this site, once per key. A secondary owns nothing that is signed.
pub(crate) async fn state_key(
    db: &SiteDb,
    holder: &KeyPair,
    chain: &[CertificateDer<'static>],
) -> Result<(), Error> {
    let identity = db.identity().clone();
    if identity.kind == SiteKind::Secondary {
        return Ok(());
    }
    let (code, key) = (identity.code(), db.signer().public_key());
    let known: Option<KeyStatement> = db.read(move |r| r.get(code.as_str().as_bytes())).await?;
    let statement = match known.filter(|k| k.key == key) {
        Some(known) => known,
        None => sign_statement((code, 1, key), holder, chain)?,
    };
    db.write(move |w| {
        w.note_statement(&identity.owner, &statement.encode())?;
        if w.recovering()? == Recovering::No {
            w.put_own(&statement)?;
        }
        Ok::<_, Error>(())
    })
    .await
}

/// Opens the database of a stopped site.
pub(crate) fn open_offline(config: &Config) -> Result<SiteDb, Error> {
    open_backup(config, &crate::server::database_path(&config.data))
}

/// Opens a copy of the site's database.
pub(crate) fn open_backup(config: &Config, file: &std::path::Path) -> Result<SiteDb, Error> {
    let (ambient, pki) = (Ambient::system(), Pki::open(&config.data)?);
    let membership = pki.membership()?.ok_or(Error::NotJoined { hint: "" })?;
    let anchor = pki.anchor()?.ok_or(Error::Membership { what: "the root certificate" })?;
    let trust = (pki.signing_key(&ambient)?, anchor);
    let identity = identity(config.kind, &membership)?;
    Ok(SiteDb::open(file, site_db::Executor::Thread, identity, trust, ambient)?)
}
