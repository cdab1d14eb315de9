//! Who answers for a bundle: this site for those it sends, and whom it believes of those it is
//! given.
//!
//! Owns the judgment over a seal: a site of this hierarchy, or of one whose root an administrator
//! named by its fingerprint. Refuses to know what is in a bundle: the update point checks every
//! part against the manifest that is believed here. A seal that is not believed is no error: it is
//! refused with the reason and a remedy.

use catalog_bundle::{Bundle, Manifest, Seal, is_bundle, trailer_length};
use model::{KeyStatement, PeerIdentity, PeerKind, Revocation, Sha256, error_chain};
use rpc::object::ObjectBody as _;
use site_db::{PendingImport, Reader, Signer, TrustedRoot};
use trust::{Anchor, CertificateDer, Purpose, verify_signature, verify_statement};

use crate::Error;

/// Whether a file may go to the update point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The update point finds out what it is.
    NoBundle,
    Believed {
        signer: Signer,
        /// SHA-256 of the manifest that was signed.
        manifest: Sha256,
        /// What an administrator named with it and is believed from now on.
        named: Option<TrustedRoot>,
    },
    Refused {
        reason: String,
    },
}

/// Signs a manifest of the catalog that this site knows.
pub(crate) fn sign(
    r: &Reader<'_>,
    manifest: &Manifest,
    bytes: &[u8],
) -> Result<(Seal, Signer), Error> {
    let identity = r.identity();
    let site = identity.code();
    let known = r.catalog_version()?.map_or((0, None), |v| (v.version, Some(v.set_digest)));
    if known != (manifest.version, Some(manifest.set_digest)) {
        return Err(Error::OtherCatalog { found: manifest.version, recorded: known.0 });
    }
    let anchor = r.anchor();
    let statement = r.require::<KeyStatement>(site.as_str().as_bytes())?.encode();
    let root = anchor.root().to_vec();
    let signature =
        r.signer().sign(Purpose::CatalogBundle, &Seal::message(bytes, &statement, &root));
    let signer = Signer { hierarchy: identity.hierarchy, site, pin: anchor.pin().0 };
    Ok((Seal { statement, root, signature }, signer))
}

/// Judges a file that is here whole. Only reads, because it can have a manifest of many megabytes.
pub(crate) fn judge(r: &Reader<'_>, import: &PendingImport) -> Result<Verdict, Error> {
    let beginning = r.import_part(import.id, 0)?;
    if !is_bundle(&beginning) {
        return Ok(Verdict::NoBundle);
    }
    let refused = |reason: String| {
        Ok(Verdict::Refused { reason: format!("{} is not taken: {reason}", import.name) })
    };
    let bundle = match read(r, import, &beginning)? {
        Ok(bundle) => bundle,
        Err(error) => return refused(error_chain(&error)),
    };
    match believe(r, import, &bundle)? {
        Ok((signer, named)) => Ok(Verdict::Believed { signer, manifest: bundle.digest(), named }),
        Err(reason) => refused(reason),
    }
}

/// The end of a file that came in parts.
fn read(
    r: &Reader<'_>,
    import: &PendingImport,
    beginning: &[u8],
) -> Result<Result<Bundle, catalog_bundle::Error>, Error> {
    let total = r.import_bytes(import.id)?;
    let (mut trailer, mut before) = (Vec::new(), import.parts);
    let mut wanted = 1;
    while trailer.len() < wanted && before > 0 {
        before -= 1;
        trailer.splice(0..0, r.import_part(import.id, before)?);
        match trailer_length(&trailer, total) {
            Ok(length) => wanted = length,
            Err(_) if trailer.len() < FOOTER_SURELY && before > 0 => wanted = FOOTER_SURELY,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Bundle::read(beginning, &trailer, total))
}

/// More than the footer of a bundle has; the last part of a file may be shorter.
const FOOTER_SURELY: usize = 64;

/// Who signed a bundle, and what is to be believed from now on, if an administrator named it with
/// the bundle; or why nobody is believed.
fn believe(
    r: &Reader<'_>,
    import: &PendingImport,
    bundle: &Bundle,
) -> Result<Result<(Signer, Option<TrustedRoot>), String>, Error> {
    let Seal { statement, root, signature } = &bundle.seal;
    let Ok(statement_read) = KeyStatement::decode(statement) else {
        return Ok(Err("its key statement cannot be read; export it again".to_owned()));
    };
    let anchor = match Anchor::new(CertificateDer::from(root.clone())) {
        Ok(anchor) => anchor,
        Err(error) => return Ok(Err(format!("its root: {}", error_chain(&error)))),
    };
    let (pin, hierarchy) = (anchor.pin().0, anchor.hierarchy());
    let is_own = pin == r.anchor().pin().0;
    let is_known = is_own || r.trusted_roots()?.iter().any(|root| root.pin == pin);
    let is_named = import.consent.trust == Some(pin);
    if !is_known && !is_named {
        return Ok(Err(stranger(import, &anchor)));
    }
    let message = Seal::message(&bundle.manifest_bytes, statement, root);
    let verified = verify_statement(&statement_read, &anchor, r.now()).and_then(|()| {
        verify_signature(Purpose::CatalogBundle, &statement_read.key, &message, signature)
    });
    if let Err(refused) = verified {
        let remedy = "copy it again, or export it again";
        return Ok(Err(format!("{}; {remedy}", error_chain(&refused))));
    }
    let site = statement_read.site;
    if is_own && is_revoked(r, site)? {
        return Ok(Err(format!("site {site}, which signed it, has left the hierarchy")));
    }
    let account = import.consent.account.clone();
    let named = TrustedRoot { pin, hierarchy, at: r.now(), account };
    let named = Some(named).filter(|_| is_named && !is_known);
    Ok(Ok((Signer { hierarchy, site, pin }, named)))
}

fn stranger(import: &PendingImport, anchor: &Anchor) -> String {
    let (pin, hierarchy) = (anchor.pin(), anchor.hierarchy());
    match import.consent.trust {
        Some(named) => format!(
            "it was signed in hierarchy {hierarchy} under the root {pin}, not under {named}; \
             compare the fingerprints"
        ),
        None => format!(
            "it was signed in hierarchy {hierarchy} under the root {pin}, which is not trusted \
             here; compare this fingerprint with what the export printed there, and add --trust \
             {pin}"
        ),
    }
}

fn is_revoked(r: &Reader<'_>, site: model::SiteCode) -> Result<bool, Error> {
    let (hierarchy, kind, id) = (r.identity().hierarchy, PeerKind::Site, site.to_string());
    let identity = PeerIdentity { hierarchy, site, kind, id }.to_string();
    Ok(r.list::<Revocation>()?.iter().any(|(_, revocation)| revocation.identity == identity))
}
