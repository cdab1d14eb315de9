//! What the top-level site publishes updates with: room for files, and the certificate that signs
//! them.
//!
//! Owns the certificate while the process runs. Refuses to know files: a new one is handed to a
//! function before it is used.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use ambient::Ambient;
use content_library::ContentLibrary;
use model::{HierarchyId, Sha1, Sha256, Timestamp};
use publishing::authenticode;
use trust::{Publisher, Validity, certificates_to_pem};

use crate::Error;

/// Makes a publisher's certificate and key durable.
pub type KeepPublisher =
    Arc<dyn Fn(&Publisher) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + Sync>;

#[derive(Clone, Debug)]
pub struct Publishing {
    /// Of the site: what is uploaded lies here until it is published, and stays.
    pub library: ContentLibrary,
    pub signer: Arc<Signer>,
}

/// The certificate in use.
pub struct Signer {
    hierarchy: HierarchyId,
    publisher: RwLock<Arc<Publisher>>,
    keep: KeepPublisher,
}

/// A certificate as administrators see it.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) subject: String,
    pub(crate) thumbprint: Sha1,
    pub(crate) fingerprint: Sha256,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) pem: String,
}

impl Signer {
    #[must_use]
    pub fn new(hierarchy: HierarchyId, publisher: Publisher, keep: KeepPublisher) -> Signer {
        Signer { hierarchy, publisher: RwLock::new(Arc::new(publisher)), keep }
    }

    fn publisher(&self) -> Arc<Publisher> {
        Arc::clone(&self.publisher.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The signature of a cabinet with this digest.
    pub(crate) fn sign(&self, digest: Sha256) -> Result<Vec<u8>, Error> {
        Ok(authenticode::sign(digest, &self.publisher())?)
    }

    pub(crate) fn describe(&self) -> Result<Described, Error> {
        let publisher = self.publisher();
        let validity = Validity::of(publisher.certificate())?;
        Ok(Described {
            subject: publisher.subject().to_owned(),
            thumbprint: publisher.thumbprint(),
            fingerprint: publisher.fingerprint(),
            not_before: validity.not_before,
            not_after: validity.not_after,
            pem: certificates_to_pem(std::slice::from_ref(publisher.certificate())),
        })
    }

    /// A new key and certificate. Takes a moment, and belongs on a thread that may.
    pub(crate) fn create(&self, ambient: &Ambient) -> Result<Publisher, Error> {
        Ok(Publisher::create(ambient, self.hierarchy)?)
    }

    /// Takes a new key and certificate into use, once they are durable.
    pub(crate) fn rotate(&self, publisher: Publisher) -> Result<(), Error> {
        (self.keep)(&publisher).map_err(|source| Error::KeepPublisher { source })?;
        *self.publisher.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(publisher);
        Ok(())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("certificate", &self.publisher().fingerprint()).finish()
    }
}
