//! Verification of presented certificates.
//!
//! Owns the answer to "who is this peer". Refuses to know whether that peer may do anything, and
//! whether it was revoked. Path building is webpki's; on top of it a leaf's site must be the site
//! its intermediate names, because webpki would let any site mint a certificate of any other.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{ErrorClass, HierarchyId, PeerIdentity, PeerKind, SiteCode, Timestamp};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::Error;
use crate::key::RootPin;

/// Leaf, intermediate and root, and one to spare; path building is bounded by it.
const CHAIN_MAX: usize = 4;

/// Why a presented certificate or statement is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("no certificate was presented")]
    Nothing,
    #[error("{count} certificates were presented; a chain has at most {CHAIN_MAX}")]
    TooMany { count: usize },
    #[error("the certificate is malformed: {reason}")]
    Malformed { reason: String },
    #[error("foreign hierarchy: the chain of {peer} does not end at the root of {hierarchy}")]
    ForeignHierarchy { peer: String, hierarchy: HierarchyId },
    #[error("no presented certificate matches the root pinned in the join token ({pin})")]
    PinMismatch { pin: RootPin },
    #[error("the certificate of {peer}, or its issuer's, expired at {not_after}")]
    Expired { peer: String, not_after: Timestamp },
    #[error(
        "the certificate of {peer}, or its issuer's, is valid only from {not_before}; \
         check the clocks"
    )]
    NotYetValid { peer: String, not_before: Timestamp },
    #[error("the certificate of {peer} was issued by site {issuer}, which issues only for itself")]
    ForeignIssuer { peer: PeerIdentity, issuer: SiteCode },
    #[error("the certificate of {peer} has no valid path to the root")]
    Path {
        peer: String,
        #[source]
        source: webpki::Error,
    },
    #[error("{peer} cannot state the signing key of site {site}")]
    ForeignStatement { peer: PeerIdentity, site: SiteCode },
    #[error("the signature of the {what} does not match what it signs")]
    BadSignature { what: &'static str },
}

impl Refused {
    /// Whatever the reason, the peer is denied.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Denied
    }
}

/// The root certificate of a hierarchy: what verification starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    root: CertificateDer<'static>,
    hierarchy: HierarchyId,
    pin: RootPin,
}

impl Anchor {
    /// Trusts `root`. The caller knows why: it made the root, stored it or compared its pin.
    pub fn new(root: CertificateDer<'static>) -> Result<Anchor, Error> {
        let read = |root: &CertificateDer<'_>| {
            anchor_from_trusted_cert(root).map_err(|e| e.to_string())?;
            match parse_authority_name(&only_uri(root)?)? {
                (hierarchy, None) => Ok((hierarchy, RootPin::of(&spki_of(root)?))),
                (_, Some(site)) => Err(format!("it is the intermediate of site {site}")),
            }
        };
        let (hierarchy, pin) = read(&root)
            .map_err(|reason| Error::ReadCertificate { what: "root certificate", reason })?;
        Ok(Anchor { root, hierarchy, pin })
    }

    #[must_use]
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    #[must_use]
    pub fn hierarchy(&self) -> HierarchyId {
        self.hierarchy
    }

    #[must_use]
    pub fn pin(&self) -> RootPin {
        self.pin
    }
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

impl Validity {
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Validity, Error> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
            .map_err(|e| Error::ReadCertificate { what: "certificate", reason: e.to_string() })?;
        let moment = |seconds: i64| Timestamp(seconds.saturating_mul(1000));
        let validity = parsed.validity();
        Ok(Validity {
            not_before: moment(validity.not_before.timestamp()),
            not_after: moment(validity.not_after.timestamp()),
        })
    }

    /// Certificates are renewed when half of their life is over.
    #[must_use]
    pub fn renew_at(&self) -> Timestamp {
        Timestamp(self.not_before.0 + (self.not_after.0 - self.not_before.0) / 2)
    }
}

/// Verifies a chain (leaf first) and says who presented it.
pub fn verify_chain(
    presented: &[CertificateDer<'_>],
    anchor: &Anchor,
    now: Timestamp,
) -> Result<PeerIdentity, Refused> {
    let Some((leaf_der, others)) = presented.split_first() else { return Err(Refused::Nothing) };
    if presented.len() > CHAIN_MAX {
        return Err(Refused::TooMany { count: presented.len() });
    }
    let malformed = |reason| Refused::Malformed { reason };
    let identity: PeerIdentity = only_uri(leaf_der)
        .map_err(malformed)?
        .parse()
        .map_err(|e: model::Invalid| malformed(e.to_string()))?;
    if identity.hierarchy != anchor.hierarchy {
        let peer = identity.to_string();
        return Err(Refused::ForeignHierarchy { peer, hierarchy: anchor.hierarchy });
    }
    let issuer = issuing_site(leaf_der, others, anchor, now)
        .map_err(|e| path_refused(e, &identity, anchor))?;
    let (hierarchy, issuer) = issuer.map_err(malformed)?;
    // A site's id is its code, so that no handler can be misled by reading one for the other.
    let own_id = identity.kind != PeerKind::Site || identity.id == identity.site.as_str();
    if issuer != identity.site || hierarchy != anchor.hierarchy || !own_id {
        return Err(Refused::ForeignIssuer { peer: identity, issuer });
    }
    Ok(identity)
}

/// As [`verify_chain`], knowing only a pin: the root must be among what is presented. For joining.
pub fn verify_pinned(
    presented: &[CertificateDer<'_>],
    pin: RootPin,
    hierarchy: HierarchyId,
    now: Timestamp,
) -> Result<(PeerIdentity, Anchor), Refused> {
    if presented.len() > CHAIN_MAX {
        return Err(Refused::TooMany { count: presented.len() });
    }
    let root = presented
        .iter()
        .find(|certificate| spki_of(certificate).is_ok_and(|spki| RootPin::of(&spki) == pin))
        .ok_or(Refused::PinMismatch { pin })?;
    let anchor = Anchor::new(root.clone().into_owned())
        .map_err(|e| Refused::Malformed { reason: e.to_string() })?;
    if anchor.hierarchy != hierarchy {
        return Err(Refused::ForeignHierarchy { peer: anchor.hierarchy.to_string(), hierarchy });
    }
    let identity = verify_chain(presented, &anchor, now)?;
    Ok((identity, anchor))
}

type NamedSite = Result<(HierarchyId, SiteCode), String>;

/// Builds the path and reads what the one intermediate on it names.
fn issuing_site(
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    anchor: &Anchor,
    now: Timestamp,
) -> Result<NamedSite, webpki::Error> {
    let leaf = EndEntityCert::try_from(leaf)?;
    let anchors = [anchor_from_trusted_cert(&anchor.root)?];
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now.0.try_into().unwrap_or(0)));
    let path = leaf.verify_for_usage(
        &[webpki::ring::ECDSA_P256_SHA256],
        &anchors,
        others,
        now,
        KeyUsage::client_auth(),
        None,
        None,
    )?;
    let mut intermediates = path.intermediate_certificates();
    Ok(match (intermediates.next(), intermediates.next()) {
        (Some(only), None) => intermediate_site(&only.der()),
        _ => Err("its path does not hold exactly one intermediate".to_owned()),
    })
}

fn path_refused(error: webpki::Error, peer: &PeerIdentity, anchor: &Anchor) -> Refused {
    let peer = peer.to_string();
    let moment = |time: UnixTime| {
        Timestamp(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1000))
    };
    match error {
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
            Refused::ForeignHierarchy { peer, hierarchy: anchor.hierarchy }
        }
        webpki::Error::CertExpired { not_after, .. } => {
            Refused::Expired { peer, not_after: moment(not_after) }
        }
        webpki::Error::CertNotValidYet { not_before, .. } => {
            Refused::NotYetValid { peer, not_before: moment(not_before) }
        }
        source => Refused::Path { peer, source },
    }
}

/// The URI name of a root (no site) or of an intermediate.
pub(crate) fn authority_name(hierarchy: HierarchyId, site: Option<SiteCode>) -> String {
    match site {
        None => format!("tierline://{hierarchy}"),
        Some(site) => format!("tierline://{hierarchy}/{site}"),
    }
}

fn parse_authority_name(name: &str) -> Result<(HierarchyId, Option<SiteCode>), String> {
    let rest = name.strip_prefix("tierline://").ok_or("its name is not a tierline URI")?;
    let (hierarchy, site) = match rest.split_once('/') {
        None => (rest, None),
        Some((hierarchy, site)) => (hierarchy, Some(site)),
    };
    let site = site.map(SiteCode::new).transpose().map_err(|e| e.to_string())?;
    Ok((hierarchy.parse().map_err(|e: model::Invalid| e.to_string())?, site))
}

pub(crate) fn intermediate_site(certificate: &CertificateDer<'_>) -> NamedSite {
    match parse_authority_name(&only_uri(certificate)?)? {
        (hierarchy, Some(site)) => Ok((hierarchy, site)),
        (_, None) => Err("its issuer names no site".to_owned()),
    }
}

pub(crate) fn spki_of(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, String> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|e| e.to_string())?;
    Ok(parsed.subject_public_key_info().to_vec())
}

fn only_uri(certificate: &CertificateDer<'_>) -> Result<String, String> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|e| e.to_string())?;
    let mut names = parsed.valid_uri_names();
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name.to_owned()),
        _ => Err("it has not exactly one URI name".to_owned()),
    }
}

/// PEM text of certificates, in the given order.
#[must_use]
pub fn certificates_to_pem(certificates: &[CertificateDer<'_>]) -> String {
    let mut pem = String::new();
    for certificate in certificates {
        let text = STANDARD.encode(certificate);
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        for start in (0..text.len()).step_by(64) {
            pem.push_str(&text[start..text.len().min(start + 64)]);
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

/// The certificates in PEM text; at least one.
pub fn certificates_from_pem(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bad = |reason: String| Error::ReadCertificate { what: "PEM text", reason };
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| bad(e.to_string()))?;
    if found.is_empty() {
        return Err(bad("it holds no certificate".to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
