//! Those who issue certificates: the root and the intermediates, one per site code.
//!
//! Owns what stands in a certificate. Refuses to know who may ask for one. An intermediate issues
//! for its own site only, and its path length forbids further intermediates below it.

use std::net::IpAddr;
use std::time::Duration;

use ambient::Ambient;
use model::{HierarchyId, PeerIdentity, PeerKind, SiteCode, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;

use crate::chain::{Anchor, Validity, authority_name, intermediate_site, spki_of};
use crate::{Error, KeyPair, PublicKey};

pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const ROOT_MS: i64 = 20 * 365 * DAY_MS;
const INTERMEDIATE_MS: i64 = 10 * 365 * DAY_MS;
const SITE_MS: i64 = 2 * 365 * DAY_MS;
const LEAF_MS: i64 = 365 * DAY_MS;

/// Certificates are valid from a little before their making, because clocks of machines differ.
const BACKDATE_MS: i64 = 60 * 60 * 1000;

/// The last moment X.509 can write, in seconds.
const LAST_SECOND: i64 = 253_402_300_799;

/// The root of a hierarchy, with its key. Only the top-level site holds it.
#[derive(Debug)]
pub struct Root {
    anchor: Anchor,
    key: KeyPair,
}

impl Root {
    pub fn create(ambient: &Ambient, hierarchy: HierarchyId) -> Result<Root, Error> {
        let key = KeyPair::generate()?;
        let name = authority_name(hierarchy, None);
        let fail = |source| issue_error(&name, source);
        let mut params = authority_params(&name, hierarchy, "Tierline root").map_err(fail)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        stamp(&mut params, ambient, ROOT_MS, None)?;
        let issued = params.self_signed(&key.0).map_err(fail)?;
        Root::load(issued.into(), key)
    }

    /// Puts a stored root and its key together again.
    pub fn load(certificate: CertificateDer<'static>, key: KeyPair) -> Result<Root, Error> {
        check_key(&certificate, &key, "root certificate")?;
        Ok(Root { anchor: Anchor::new(certificate)?, key })
    }

    /// What everybody else knows of this root.
    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    #[must_use]
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// Issues an intermediate that names `site`. `key` may be another site's: a primary holds the
    /// intermediates of its secondaries under its own key.
    pub fn issue_intermediate(
        &self,
        ambient: &Ambient,
        site: SiteCode,
        key: &PublicKey,
    ) -> Result<CertificateDer<'static>, Error> {
        let hierarchy = self.anchor.hierarchy();
        let name = authority_name(hierarchy, Some(site));
        let mut params = authority_params(&name, hierarchy, &format!("Tierline site {site}"))
            .map_err(|source| issue_error(&name, source))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        stamp(&mut params, ambient, INTERMEDIATE_MS, Some(self.anchor.root()))?;
        sign(&params, key, self.anchor.root(), &self.key).map_err(|e| issue_error(&name, e))
    }
}

/// The right to issue for one site code.
#[derive(Debug)]
pub struct Intermediate {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    hierarchy: HierarchyId,
    pub(crate) site: SiteCode,
}

impl Intermediate {
    pub fn load(certificate: CertificateDer<'static>, key: KeyPair) -> Result<Intermediate, Error> {
        check_key(&certificate, &key, "intermediate certificate")?;
        let (hierarchy, site) = intermediate_site(&certificate).map_err(|reason| {
            Error::ReadCertificate { what: "intermediate certificate", reason }
        })?;
        Ok(Intermediate { certificate, key, hierarchy, site })
    }

    #[must_use]
    pub fn site(&self) -> SiteCode {
        self.site
    }

    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    #[must_use]
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// Issues a leaf. `names` are the DNS names and IP addresses it answers to, for those who
    /// know no other way to check a server (Windows computers at a software update point).
    pub fn issue(
        &self,
        ambient: &Ambient,
        key: &PublicKey,
        identity: &PeerIdentity,
        names: &[String],
    ) -> Result<CertificateDer<'static>, Error> {
        if identity.site != self.site || identity.hierarchy != self.hierarchy {
            let identity = identity.clone();
            return Err(Error::IssueForOther { issuer: self.site, identity });
        }
        let name = identity.to_string();
        if name.parse().as_ref() != Ok(identity) || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::UnusableName { identity: identity.clone() });
        }
        let fail = |source| issue_error(&name, source);
        let mut params = leaf_params(identity, names).map_err(fail)?;
        let lifetime_ms = if identity.kind == PeerKind::Site { SITE_MS } else { LEAF_MS };
        stamp(&mut params, ambient, lifetime_ms, Some(&self.certificate))?;
        sign(&params, key, &self.certificate, &self.key).map_err(fail)
    }
}

fn leaf_params(
    identity: &PeerIdentity,
    names: &[String],
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(identity.hierarchy, &identity.id);
    params.subject_alt_names = vec![SanType::URI(identity.to_string().try_into()?)];
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match identity.kind {
        PeerKind::Site | PeerKind::Role(_) => {
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]
        }
        PeerKind::Client | PeerKind::Administrator => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    Ok(params)
}

fn authority_params(
    name: &str,
    hierarchy: HierarchyId,
    common_name: &str,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(hierarchy, common_name);
    params.subject_alt_names = vec![SanType::URI(name.try_into()?)];
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

pub(crate) fn distinguished_name(hierarchy: HierarchyId, common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, hierarchy.to_string());
    name.push(DnType::CommonName, common_name);
    name
}

fn sign(
    params: &CertificateParams,
    key: &PublicKey,
    issuer: &CertificateDer<'static>,
    issuer_key: &KeyPair,
) -> Result<CertificateDer<'static>, rcgen::Error> {
    let issuer = Issuer::from_ca_cert_der(issuer, &issuer_key.0)?;
    Ok(params.signed_by(&key.0, &issuer)?.into())
}

/// Serial number and times; a certificate never outlives the one that signs it.
pub(crate) fn stamp(
    params: &mut CertificateParams,
    ambient: &Ambient,
    lifetime_ms: i64,
    issuer: Option<&CertificateDer<'_>>,
) -> Result<(), Error> {
    let now = Timestamp(ambient.now_ms());
    let end = issuer.map(Validity::of).transpose()?.map_or(i64::MAX, |v| v.not_after.0);
    let date = |ms: i64| {
        let second = u64::try_from((ms / 1000).clamp(0, LAST_SECOND)).unwrap_or(0);
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(second)
    };
    params.not_before = date(now.plus_ms(-BACKDATE_MS).0);
    params.not_after = date(now.plus_ms(lifetime_ms).0.min(end));
    params.serial_number = Some(SerialNumber::from_slice(&ambient.bytes::<16>()));
    params.use_authority_key_identifier_extension = true;
    Ok(())
}

pub(crate) fn check_key(
    certificate: &CertificateDer<'_>,
    key: &KeyPair,
    what: &'static str,
) -> Result<(), Error> {
    let spki = spki_of(certificate).map_err(|reason| Error::ReadCertificate { what, reason })?;
    if spki != key.public_key().spki() {
        return Err(Error::ForeignKey { what });
    }
    Ok(())
}

pub(crate) fn issue_error(subject: &str, source: rcgen::Error) -> Error {
    Error::Issue { subject: subject.to_owned(), source }
}
