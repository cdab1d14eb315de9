//! `<data>/pki`: the process's place in the hierarchy, on disk.
//!
//! Owns names, modes and the order of writing: every file is written aside, synced and renamed,
//! and `membership.toml` comes last, so that a process either has joined or has not. Keys come
//! first and are never made twice, which makes joining repeatable. Refuses to know who may have a
//! certificate. A file that others can read is an error that names the remedy.
//!
//! | file | holds |
//! | --- | --- |
//! | `root.crt`, `root.key` | the hierarchy's root; its key at the top-level site only |
//! | `authority.key`, `authority-CODE.crt` | the issuing key, and one intermediate per site code |
//! | `process.key`, `chain.pem` | the process's own key, its certificate and the issuing one |
//! | `signing.key` | the seed of the Ed25519 key that signs policy and streams |
//! | `publisher.pem` | the key and certificate that sign published files; at the top-level site |
//! | `admin.token` | the first administrator's token |
//! | `membership.toml` | who the process is and whom it joined |

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ambient::Ambient;
use model::{HierarchyId, PeerIdentity, PeerKind, SiteCode, SiteKind};
use serde::{Deserialize, Serialize};
use transport::Credentials;
use trust::{
    Anchor, CertificateDer, Intermediate, KeyPair, Publisher, Root, SigningKey,
    certificates_from_pem, certificates_to_pem,
};
use uuid::Uuid;

use crate::Error;

/// The site server a process joined, or a site's parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub site: SiteCode,
    pub kind: SiteKind,
    pub url: String,
}

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub identity: PeerIdentity,
    /// Of a site.
    pub site_uuid: Option<Uuid>,
    /// None at the top-level site.
    pub parent: Option<Parent>,
}

#[derive(Serialize, Deserialize)]
struct MembershipFile {
    identity: String,
    site_uuid: Option<String>,
    parent: Option<ParentFile>,
}

#[derive(Serialize, Deserialize)]
struct ParentFile {
    site: String,
    kind: String,
    url: String,
}

/// An open `<data>/pki`.
#[derive(Clone, Debug)]
pub struct Pki {
    directory: PathBuf,
}

impl Pki {
    /// Makes the directory if it is not there; refuses one that others can read.
    pub fn open(data: &Path) -> Result<Pki, Error> {
        let directory = data.join("pki");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(files("make", &directory))?;
        check_mode(&directory, 0o700)?;
        let entries = fs::read_dir(&directory).map_err(files("list", &directory))?;
        for entry in entries {
            check_mode(&entry.map_err(files("list", &directory))?.path(), 0o600)?;
        }
        Ok(Pki { directory })
    }

    pub fn membership(&self) -> Result<Option<Membership>, Error> {
        let Some(text) = self.read("membership.toml")? else { return Ok(None) };
        let parse = || -> Result<Membership, String> {
            let file: MembershipFile = toml::from_str(&text).map_err(|e| e.to_string())?;
            let invalid = |e: model::Invalid| e.to_string();
            let parent = |ParentFile { site, kind, url }: ParentFile| {
                Ok(Parent { site: site.parse()?, kind: kind.parse()?, url })
            };
            Ok(Membership {
                identity: file.identity.parse().map_err(invalid)?,
                site_uuid: match file.site_uuid {
                    Some(text) => Some(text.parse().map_err(|_| "site_uuid is no UUID")?),
                    None => None,
                },
                parent: file.parent.map(parent).transpose().map_err(invalid)?,
            })
        };
        parse().map(Some).map_err(|reason| self.damaged("membership.toml", reason))
    }

    pub(crate) fn write_membership(&self, membership: &Membership) -> Result<(), Error> {
        let Membership { identity, site_uuid, parent } = membership;
        let file = MembershipFile {
            identity: identity.to_string(),
            site_uuid: site_uuid.map(|uuid| uuid.to_string()),
            parent: parent.as_ref().map(|Parent { site, kind, url }| ParentFile {
                site: site.to_string(),
                kind: kind.as_str().to_owned(),
                url: url.clone(),
            }),
        };
        let text = toml::to_string(&file).expect("three plain fields are TOML");
        self.write("membership.toml", &text)
    }

    /// The process's own key, made now if it is not there.
    pub fn own_key(&self) -> Result<KeyPair, Error> {
        self.key("process.key")
    }

    /// The key of every intermediate this site holds, made now if it is not there.
    pub fn authority_key(&self) -> Result<KeyPair, Error> {
        self.key("authority.key")
    }

    fn key(&self, name: &str) -> Result<KeyPair, Error> {
        if let Some(pem) = self.read(name)? {
            return KeyPair::from_pem(&pem).map_err(self.unusable(name));
        }
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        self.write(name, &key.to_pem())?;
        Ok(key)
    }

    /// The Ed25519 key of the site, made now if it is not there.
    pub fn signing_key(&self, ambient: &Ambient) -> Result<SigningKey, Error> {
        const NAME: &str = "signing.key";
        if let Some(text) = self.read(NAME)? {
            let seed: model::Sha256 = text
                .trim()
                .parse()
                .map_err(|_| self.damaged(NAME, "it is not 64 hex digits".to_owned()))?;
            return Ok(SigningKey::from_seed(seed.0));
        }
        let key = SigningKey::generate(ambient);
        self.write(NAME, &format!("{}\n", model::Sha256(*key.seed())))?;
        Ok(key)
    }

    pub fn anchor(&self) -> Result<Option<Anchor>, Error> {
        let Some(mut found) = self.certificates("root.crt")? else { return Ok(None) };
        Anchor::new(found.swap_remove(0)).map(Some).map_err(self.unusable("root.crt"))
    }

    pub(crate) fn write_anchor(&self, anchor: &Anchor) -> Result<(), Error> {
        self.write("root.crt", &certificates_to_pem(std::slice::from_ref(anchor.root())))
    }

    /// The root with its key; only at the top-level site.
    pub fn root(&self) -> Result<Option<Root>, Error> {
        let (Some(anchor), Some(pem)) = (self.anchor()?, self.read("root.key")?) else {
            return Ok(None);
        };
        let key = KeyPair::from_pem(&pem).map_err(self.unusable("root.key"))?;
        Root::load(anchor.root().clone(), key).map(Some).map_err(self.unusable("root.crt"))
    }

    /// The right to issue for `site`, if this site holds it.
    pub fn intermediate(&self, site: SiteCode) -> Result<Option<Intermediate>, Error> {
        let name = format!("authority-{site}.crt");
        let Some(mut found) = self.certificates(&name)? else { return Ok(None) };
        let loaded = Intermediate::load(found.swap_remove(0), self.authority_key()?);
        loaded.map(Some).map_err(self.unusable(&name))
    }

    /// Keeps an intermediate under [`Pki::authority_key`].
    pub fn write_intermediate(
        &self,
        certificate: CertificateDer<'static>,
    ) -> Result<Intermediate, Error> {
        let pem = certificates_to_pem(std::slice::from_ref(&certificate));
        let loaded =
            Intermediate::load(certificate, self.authority_key()?).map_err(Error::Certificate)?;
        self.write(&format!("authority-{}.crt", loaded.site()), &pem)?;
        Ok(loaded)
    }

    /// The certificate that signs what the hierarchy publishes, with its key; only at the top-level
    /// site.
    pub fn publisher(&self) -> Result<Option<Publisher>, Error> {
        const NAME: &str = "publisher.pem";
        let (Some(mut found), Some(pem)) = (self.certificates(NAME)?, self.read(NAME)?) else {
            return Ok(None);
        };
        let key = KeyPair::from_pem(&pem).map_err(self.unusable(NAME))?;
        let loaded = Publisher::load(found.swap_remove(0), key);
        loaded.map(Some).map_err(self.unusable(NAME))
    }

    /// Both in one file, so that one never lies there without the other.
    pub fn write_publisher(&self, publisher: &Publisher) -> Result<(), Error> {
        let certificate = certificates_to_pem(std::slice::from_ref(publisher.certificate()));
        self.write("publisher.pem", &(publisher.key().to_pem() + &certificate))
    }

    pub(crate) fn write_chain(&self, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        self.write("chain.pem", &certificates_to_pem(chain))
    }

    /// The process's leaf and intermediate.
    pub fn chain(&self) -> Result<Option<Vec<CertificateDer<'static>>>, Error> {
        self.certificates("chain.pem")
    }

    /// What to present to peers, once the process has joined.
    pub fn credentials(&self, ambient: &Ambient) -> Result<Option<Credentials>, Error> {
        let (Some(anchor), Some(chain)) = (self.anchor()?, self.chain()?) else { return Ok(None) };
        Ok(Some(Credentials::new(ambient.clone(), anchor, &chain, &self.own_key()?)?))
    }

    /// Leaves the first administrator's token for `tierline login`.
    pub fn write_admin_token(&self, token: &str) -> Result<(), Error> {
        self.write("admin.token", &format!("{token}\n"))
    }

    /// The identities that the site server revoked, as far as it was heard.
    pub fn revoked(&self) -> Result<BTreeSet<String>, Error> {
        let text = self.read("revoked")?.unwrap_or_default();
        Ok(text.lines().map(str::to_owned).collect())
    }

    pub(crate) fn write_revoked(&self, list: &BTreeSet<String>) -> Result<(), Error> {
        let lines = list.iter().flat_map(|identity| [identity.as_str(), "\n"]);
        self.write("revoked", &lines.collect::<String>())
    }

    /// Whether this process has ever had a database: one that is gone is to be recovered, not made.
    pub fn had_database(&self) -> Result<bool, Error> {
        Ok(self.read("database")?.is_some())
    }

    /// Remembers that there is a database now.
    pub fn note_database(&self) -> Result<(), Error> {
        self.write("database", "made\n")
    }

    /// Makes a hierarchy whose top-level site this process is. Does what is not done yet, so that a
    /// crash in between is harmless.
    pub fn found(
        &self,
        ambient: &Ambient,
        site: SiteCode,
        names: &[String],
    ) -> Result<Membership, Error> {
        if let Some(membership) = self.membership()? {
            return Ok(membership);
        }
        let root = match self.root()? {
            Some(root) => root,
            None => {
                let hierarchy = HierarchyId(ambient.ordered_id());
                let root = Root::create(ambient, hierarchy).map_err(Error::Found)?;
                self.write("root.key", &root.key().to_pem())?;
                self.write_anchor(root.anchor())?;
                root
            }
        };
        let key = self.authority_key()?.public_key();
        let issued = root.issue_intermediate(ambient, site, &key).map_err(Error::Found)?;
        let issuer = self.write_intermediate(issued)?;
        let identity = PeerIdentity {
            hierarchy: root.anchor().hierarchy(),
            site,
            kind: PeerKind::Site,
            id: site.to_string(),
        };
        let own = self.own_key()?.public_key();
        let leaf = issuer.issue(ambient, &own, &identity, names).map_err(Error::Found)?;
        self.write_chain(&[leaf, issuer.certificate().clone()])?;
        let membership =
            Membership { identity, site_uuid: Some(ambient.ordered_id()), parent: None };
        self.write_membership(&membership)?;
        Ok(membership)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn certificates(&self, name: &str) -> Result<Option<Vec<CertificateDer<'static>>>, Error> {
        let Some(pem) = self.read(name)? else { return Ok(None) };
        certificates_from_pem(&pem).map(Some).map_err(self.unusable(name))
    }

    fn read(&self, name: &str) -> Result<Option<String>, Error> {
        let path = self.directory.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(files("read", &path)(source)),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let (path, aside) =
            (self.directory.join(name), self.directory.join(format!(".{name}.new")));
        let write = || {
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(files("write", &path))
    }

    fn damaged(&self, name: &str, reason: String) -> Error {
        Error::Damaged { path: self.directory.join(name), reason }
    }

    fn unusable(&self, name: &str) -> impl FnOnce(trust::Error) -> Error {
        let path = self.directory.join(name);
        move |source| Error::Unusable { path, source }
    }
}

fn check_mode(path: &Path, wanted: u32) -> Result<(), Error> {
    let mode = fs::metadata(path).map_err(files("inspect", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::OpenToOthers { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

fn files(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Files { operation, path, source }
}

#[cfg(test)]
mod tests;
