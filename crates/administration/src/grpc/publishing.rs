//! Third-party updates: files handed in, updates published from them, catalogs that are looked at
//! regularly, and the certificate that signs what is published.

use std::sync::Arc;

use content_library::{Begun, ContentLibrary, Expected};
use model::{ErrorClass, Invalid, Sha1, Sha256, UpdateId};
use rpc::convert::wire_time;
use rpc::limits::{CONTENT_PART_BYTES, PACKAGE_BYTES_MAX};
use rpc::pb::admin as pb;
use site_db::{ErrandKind, ErrandReport, Subscription};

use super::noun::UPDATE;
use super::{Answer, given};
use crate::admin::{Change, View, check_top};
use crate::audit::{Deed, audit};
use crate::publisher::Described;
use crate::{Admin, Error, Publishing};

/// A catalog is looked at no more often: publishers change theirs once a day at most.
const EVERY_SECONDS_MIN: u64 = 60 * 60;

impl Admin {
    /// Files and the certificate, which only the top-level site has.
    async fn publishing(&self) -> Answer<&Publishing> {
        self.db.read(check_top).await?;
        self.publishing.as_ref().ok_or(Error::NoPublishing)
    }
}

/// Stateless: a file is known by its digest, and what is here of it stays for a day.
pub(super) async fn upload(
    admin: &Admin,
    (_, asked): (String, pb::UploadContentRequest),
) -> Answer<pb::UploadContentResponse> {
    let library = &admin.publishing().await?.library;
    let pb::UploadContentRequest { name, size_bytes, sha1, sha256, offset, data } = asked;
    if data.len() > CONTENT_PART_BYTES {
        let reason = format!("{} bytes, at most {CONTENT_PART_BYTES}", data.len());
        return Err(Invalid::new("data", reason).into());
    }
    let (sha256, sha1) = (Sha256::from_slice(&sha256)?, Sha1::from_slice(&sha1)?);
    let expected = Expected {
        name: name.clone(),
        size: Some(size_bytes),
        sha256: Some(sha256),
        sha1: Some(sha1),
    };
    let received_bytes = take_in(library, expected, (offset, data)).await;
    let received_bytes = received_bytes.map_err(|source| match source.class() {
        ErrorClass::Exhausted => Error::NoRoom { name, source: Box::new(source) },
        _ => Error::Content(source),
    })?;
    Ok(pb::UploadContentResponse { received_bytes, complete: received_bytes == size_bytes })
}

/// How many bytes are here; a file that is here whole was verified.
async fn take_in(
    library: &ContentLibrary,
    expected: Expected,
    (offset, data): (u64, Vec<u8>),
) -> Result<u64, content_library::Error> {
    let size = expected.size.unwrap_or_default();
    let Begun::Receiving(mut receipt) = library.begin(expected).await? else { return Ok(size) };
    receipt.write(offset, data.into()).await?;
    let received = receipt.offset();
    if received >= size {
        receipt.finish().await?;
    }
    Ok(received)
}

pub(super) async fn sign(
    admin: &Admin,
    (account, asked): (String, pb::SignContentRequest),
) -> Answer<Vec<u8>> {
    let publishing = admin.publishing().await?;
    let digest = Sha256::from_slice(&asked.digest)?;
    let signature = publishing.signer.sign(digest)?;
    let what = format!("signature of {} ({digest})", asked.name);
    admin.db.write(move |w| audit(w, &account, Deed::Ran, what)).await?;
    Ok(signature)
}

pub(super) async fn publish(
    admin: &Admin,
    (account, asked): (String, pb::PublishUpdateRequest),
) -> Answer<i64> {
    let library = &admin.publishing().await?.library;
    let pb::PublishUpdateRequest { name, package, files, update } = asked;
    let update: UpdateId = update.parse()?;
    if package.len() > PACKAGE_BYTES_MAX {
        let reason = format!("{} bytes, at most {PACKAGE_BYTES_MAX}", package.len());
        return Err(Invalid::new("package", reason).into());
    }
    let files = files.iter().map(|sha256| Sha256::from_slice(sha256));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    if let Some(sha256) = library.missing(files.iter().copied().collect()).await?.first() {
        let (what, see) = ("uploaded file", "tierline update publish");
        return Err(Error::Unknown { what, name: sha256.to_string(), see });
    }
    let publish = move |w: &site_db::Writer<'_>| {
        let what = format!("publication of {name}");
        let id = w.add_errand(&ErrandKind::Publish { name, package })?;
        w.note_publication(id, update, &files)?;
        audit(w, &account, Deed::Ran, what)?;
        Ok::<_, Error>(id)
    };
    admin.db.write(publish).await
}

pub(super) fn publish_content(c: &Change<'_>, asked: pb::PublishContentRequest) -> Answer<i64> {
    check_top(c)?;
    let update: UpdateId = asked.update.parse()?;
    UPDATE.found(c, &asked.update)?;
    let id = c.add_errand(&ErrandKind::Content { update })?;
    c.audit(Deed::Ran, format!("publication of the content of update {update}"))?;
    Ok(id)
}

pub(super) fn errand(
    v: &View<'_>,
    asked: pb::GetCatalogErrandRequest,
) -> Answer<pb::GetCatalogErrandResponse> {
    let Some(report) = v.errand_report(asked.id)? else {
        let begun = v.is_errand_begun(asked.id)?;
        return Ok(pb::GetCatalogErrandResponse { begun, ..Default::default() });
    };
    let ErrandReport { imported, unchanged, rejected, revised, refused } = report;
    let (done, begun) = (true, true);
    Ok(pb::GetCatalogErrandResponse {
        done,
        imported,
        unchanged,
        rejected,
        revised,
        refused,
        begun,
    })
}

pub(super) fn subscriptions(
    v: &View<'_>,
    _: pb::ListCatalogSubscriptionsRequest,
) -> Answer<Vec<pb::CatalogSubscription>> {
    let row = |subscription: Subscription| pb::CatalogSubscription {
        fingerprint: subscription.fingerprint.map_or_else(String::new, |f| f.to_string()),
        every_seconds: u64::try_from(subscription.every_ms / 1_000).unwrap_or(0),
        last_at: subscription.last_at.map(wire_time),
        next_due: subscription.due().filter(|_| subscription.last_at.is_some()).map(wire_time),
        imported: subscription.imported,
        name: subscription.name,
        url: subscription.url,
        failure: subscription.failure,
    };
    Ok(v.subscriptions()?.into_iter().map(row).collect())
}

pub(super) fn subscribe(c: &Change<'_>, asked: pb::SubscribeCatalogRequest) -> Answer<i64> {
    check_top(c)?;
    let pb::SubscribeCatalogRequest { name, url, fingerprint, every_seconds } = asked;
    let name_is_short = !name.is_empty() && name.len() <= 100;
    if !name_is_short || name.chars().any(char::is_control) {
        return Err(Invalid::new("name", "has to be 1 to 100 bytes of one line").into());
    }
    let fingerprint = given(fingerprint).map(|text| text.parse::<Sha256>()).transpose()?;
    check_address(&url, fingerprint)?;
    if (1..EVERY_SECONDS_MIN).contains(&every_seconds) {
        let reason = format!("is at least {EVERY_SECONDS_MIN} seconds, or 0 for only by hand");
        return Err(Invalid::new("every", reason).into());
    }
    let every_ms = i64::try_from(every_seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
    let what = format!("subscription to catalog {name} at {url}");
    let subscription = name.clone();
    c.save_subscription(&Subscription {
        name,
        url,
        fingerprint,
        every_ms,
        ..Subscription::default()
    })?;
    c.audit(Deed::Changed, what)?;
    Ok(c.add_errand(&ErrandKind::Refresh { subscription })?)
}

/// A catalog says what runs on computers: nobody on its way may change it.
fn check_address(url: &str, fingerprint: Option<Sha256>) -> Answer<()> {
    let is_safe = ["https://", "file:///"].iter().any(|scheme| url.starts_with(scheme));
    match (is_safe, url.starts_with("http://"), fingerprint) {
        (true, ..) | (_, true, Some(_)) => Ok(()),
        (_, true, None) => {
            let reason = "is not protected on its way; use https, or approve its signer with --pin";
            Err(Invalid::new("url", reason).into())
        }
        _ => {
            let reason = format!("\"{url}\" begins with neither https:// nor file:///");
            Err(Invalid::new("url", reason).into())
        }
    }
}

pub(super) fn unsubscribe(c: &Change<'_>, asked: pb::UnsubscribeCatalogRequest) -> Answer<String> {
    check_top(c)?;
    if !c.delete_subscription(&asked.name)? {
        return Err(unknown_catalog(asked.name));
    }
    c.audit(Deed::Removed, format!("subscription to catalog {}", asked.name))?;
    Ok(asked.name)
}

pub(super) fn refresh(c: &Change<'_>, asked: pb::RefreshCatalogRequest) -> Answer<i64> {
    check_top(c)?;
    let Some(subscription) = c.subscription(&asked.name)? else {
        return Err(unknown_catalog(asked.name));
    };
    c.audit(Deed::Ran, format!("look at catalog {}", asked.name))?;
    Ok(c.add_errand(&ErrandKind::Refresh { subscription: subscription.name })?)
}

fn unknown_catalog(name: String) -> Error {
    Error::Unknown { what: "subscribed catalog", name, see: "tierline catalog subscriptions" }
}

fn certificate_row(described: &Described) -> pb::SigningCertificate {
    pb::SigningCertificate {
        subject: described.subject.clone(),
        thumbprint: described.thumbprint.to_string(),
        fingerprint: described.fingerprint.to_string(),
        not_before: Some(wire_time(described.not_before)),
        not_after: Some(wire_time(described.not_after)),
    }
}

pub(super) async fn certificate(
    admin: &Admin,
    (_, _): (String, pb::GetSigningCertificateRequest),
) -> Answer<pb::GetSigningCertificateResponse> {
    let described = admin.publishing().await?.signer.describe()?;
    let row = Some(certificate_row(&described));
    Ok(pb::GetSigningCertificateResponse { row, pem: described.pem })
}

pub(super) async fn rotate(
    admin: &Admin,
    (account, _): (String, pb::RotateSigningCertificateRequest),
) -> Answer<pb::SigningCertificate> {
    let signer = Arc::clone(&admin.publishing().await?.signer);
    let (maker, ambient) = (Arc::clone(&signer), admin.db.ambient().clone());
    // The threads of the database may take the time that a key takes.
    let publisher = admin.db.read(move |_| maker.create(&ambient)).await?;
    let what = format!("publisher's certificate to {}", publisher.fingerprint());
    let taker = Arc::clone(&signer);
    let rotate = move |w: &site_db::Writer<'_>| {
        audit(w, &account, Deed::Changed, what)?;
        taker.rotate(publisher)
    };
    admin.db.write(rotate).await?;
    Ok(certificate_row(&signer.describe()?))
}
