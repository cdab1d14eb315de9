//! Third-party updates: those published at the top-level site, and those of subscribed catalogs.
//!
//! Owns what a subscribed catalog is to this update point: a file that was fetched from its
//! address, whose signature was checked, and whose updates are in the catalog *without anything to
//! install* until somebody publishes their content (SUPX-21). The file is kept, because it says
//! where the content is. Refuses to know when a catalog is looked at, and to whom its updates go.
//! What cannot be taken ends up in the report; an error is ours.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use content_library::Begun;
use futures_util::StreamExt as _;
use model::{Invalid, ItemFile, Sha256, UpdateId};
use publishing::authenticode::{self, Signer};
use rpc::pb::content::FetchFileRequest;
use rpc::pb::content::content_service_client::ContentServiceClient;
use rpc::pb::update_point::{Publish, PublishContent, RefreshCatalog};
use transport::Connection;
use update_metadata::Document;
use update_metadata::sdp::{Entry, Package, PackageReader, Revisions};

use crate::archive::{Member, unpack};
use crate::import::ImportReport;
use crate::point::Point;
use crate::{Error, limits};

/// A catalog on the update point's own machine.
const LOCAL: &str = "file://";

impl Point {
    /// Takes in an update whose files the site has. The files first: whoever sees the update can
    /// have them.
    pub(crate) async fn publish(
        &self,
        publish: Publish,
        site: &Connection,
    ) -> Result<ImportReport, Error> {
        let Publish { order, name, package } = publish;
        let packages = read_packages(&name, package.as_slice())?;
        let [package] = &*packages else {
            let reason = format!("it has {} packages; publish one at a time", packages.len());
            return Err(Error::Archive { name, reason });
        };
        for file in files(package) {
            self.fetch_from_site(file, site).await?;
        }
        tracing::info!(order, name, "the files of a published update are here");
        self.import_package(name, package.clone()).await
    }

    async fn fetch_from_site(&self, file: &ItemFile, site: &Connection) -> Result<(), Error> {
        let Some(sha256) = file.sha256 else {
            return Err(Invalid::new("published file", "has no SHA-256").into());
        };
        let Begun::Receiving(mut receipt) = self.library.begin(file.into()).await? else {
            return Ok(());
        };
        let (sha256, offset) = (sha256.0.to_vec().into(), receipt.offset());
        let client = ContentServiceClient::new(site.channel());
        let mut client = client.max_decoding_message_size(rpc::limits::MESSAGE_BYTES_MAX);
        let ended = |status| Error::Site(Box::new(status));
        let pieces = client.fetch_file(FetchFileRequest { sha256, offset }).await.map_err(ended)?;
        let pieces = pieces.into_inner().map(|piece| Ok::<_, Error>(piece.map_err(ended)?.data));
        receipt.receive(offset, pieces).await?;
        receipt.finish().await?;
        Ok(())
    }

    /// Looks at a subscribed catalog, and takes in what its updates say.
    pub(crate) async fn refresh_catalog(
        &self,
        refresh: RefreshCatalog,
    ) -> Result<ImportReport, Error> {
        let RefreshCatalog { order, name, url, fingerprint } = refresh;
        let pin = fingerprint.map(|digest| Sha256::from_slice(&digest)).transpose()?;
        let fetched = self.work(&format!("catalog-{order}"));
        match url.strip_prefix(LOCAL) {
            Some(path) => copy(Path::new(path), &fetched)?,
            None => drop(self.download(&url, &fetched, limits::CATALOG_BYTES_MAX).await?),
        }
        check_signature(&name, &fetched, pin)?;
        let report = self.import_metadata(&fetched, &url).await?;
        if report.refused.is_none() {
            let kept = self.kept_catalogs()?.join(file_name(&name));
            fs::rename(&fetched, &kept).map_err(Error::files("keep", &kept))?;
        }
        Ok(report)
    }

    /// Fetches the files of an update of a kept catalog, and takes it in with what installs it.
    pub(crate) async fn publish_content(
        &self,
        publish: PublishContent,
    ) -> Result<ImportReport, Error> {
        let PublishContent { order, update } = publish;
        let update = UpdateId::from_slice(&update)?;
        let work = self.work_directory(&format!("content-{order}"))?;
        let name = format!("update {update}");
        let Some(package) = self.find_package(update, &work).await? else {
            let reason = "no subscribed catalog has it; subscribe to one that does, or import it";
            return Err(Error::Archive { name, reason: reason.to_owned() });
        };
        for file in files(&package) {
            let offered = package.sources.iter().filter(|source| source.sha1 == file.sha1);
            self.fetch_offered(file, offered.map(|source| source.url.clone()).collect()).await?;
        }
        self.import_package(name, package).await
    }

    /// The package whose update is the one in the catalog: what another publisher says of an
    /// update of the same id is another update.
    async fn find_package(&self, id: UpdateId, work: &Path) -> Result<Option<Package>, Error> {
        let mut revisions = Revisions::default();
        let digests = self.catalog.digests(vec![id]).await?;
        let Some(latest) = digests.iter().map(|(update, _)| update.revision).max() else {
            return Ok(None);
        };
        digests.into_iter().for_each(|(update, digest)| revisions.learn(update, digest));
        let kept = self.kept_catalogs()?;
        let entries = fs::read_dir(&kept).map_err(Error::files("list", &kept))?;
        for entry in entries {
            let path = entry.map_err(Error::files("list", &kept))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let members = match unpack(&path, &name, work) {
                Ok(members) => members,
                // The others may have it.
                Err(error) => {
                    let error = model::error_chain(&error);
                    tracing::warn!(catalog = name, error, "a kept catalog cannot be read");
                    continue;
                }
            };
            for member in members {
                let Some(package) = find_in(&member, id).await? else { continue };
                if revisions.is_revision(&package.clone().metadata_only(), latest)
                    || revisions.is_revision(&package, latest)
                {
                    return Ok(Some(package));
                }
            }
        }
        Ok(None)
    }

    fn kept_catalogs(&self) -> Result<PathBuf, Error> {
        let path = self.config.data.join("catalogs");
        fs::create_dir_all(&path).map_err(Error::files("make", &path))?;
        Ok(path)
    }
}

fn files(package: &Package) -> impl Iterator<Item = &ItemFile> {
    let documents = package.members.iter().chain([&package.update]);
    documents.flat_map(|document: &Document| &document.files)
}

/// Whatever a subscription is called.
fn file_name(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let refuse = |reason: String| Error::Archive { name: from.display().to_string(), reason };
    let is_file = fs::metadata(from).map_err(Error::files("open", from))?.is_file();
    if !is_file {
        return Err(refuse("it is no regular file".to_owned()));
    }
    let source = File::open(from).map_err(Error::files("open", from))?;
    let mut target = File::create(to).map_err(Error::files("make", to))?;
    let copied = io::copy(&mut source.take(limits::CATALOG_BYTES_MAX + 1), &mut target);
    match copied.map_err(Error::files("copy", from))? {
        0..=limits::CATALOG_BYTES_MAX => Ok(()),
        _ => Err(refuse(format!("it is larger than {} bytes", limits::CATALOG_BYTES_MAX))),
    }
}

fn read_packages(name: &str, xml: &[u8]) -> Result<Vec<Package>, Error> {
    let unusable = |source| Error::ReadCatalog { name: name.to_owned(), source };
    let (mut reader, mut packages) = (PackageReader::new(xml), Vec::new());
    while let Some(entry) = reader.next_entry().map_err(unusable)? {
        match entry {
            Entry::Package(package) => packages.push(*package),
            Entry::Rejected(rejected) => {
                let reason = format!("{}: {}", rejected.place, rejected.reason);
                return Err(Error::Archive { name: name.to_owned(), reason });
            }
        }
    }
    Ok(packages)
}

async fn find_in(member: &Member, id: UpdateId) -> Result<Option<Package>, Error> {
    let file = File::open(&member.path).map_err(Error::files("open", &member.path))?;
    let mut reader = PackageReader::new(BufReader::new(file));
    // What of the catalog is ill-formed was left out when it came.
    while let Ok(Some(entry)) = reader.next_entry() {
        tokio::task::yield_now().await;
        match entry {
            Entry::Package(package) if package.update.update.id == id => return Ok(Some(*package)),
            Entry::Package(_) | Entry::Rejected(_) => {}
        }
    }
    Ok(None)
}

/// A signed catalog is believed once somebody approved its signer's certificate; one that shall be
/// signed by a certain one is not believed without that signature.
fn check_signature(name: &str, path: &Path, pin: Option<Sha256>) -> Result<(), Error> {
    let refuse = |reason: String| Err(Error::Archive { name: name.to_owned(), reason });
    let mut file = File::open(path).map_err(Error::files("open", path))?;
    let signer = match authenticode::verify(&mut file) {
        Ok(signer) => signer,
        Err(error) => return refuse(model::error_chain(&error)),
    };
    match (signer, pin) {
        (None, None) => Ok(()),
        (Some(Signer { fingerprint, .. }), Some(pin)) if fingerprint == pin => Ok(()),
        (Some(Signer { fingerprint, subject }), None) => refuse(format!(
            "it is signed by {subject}; if that is the publisher, approve the certificate: \
             subscribe again with --pin {fingerprint}"
        )),
        (Some(Signer { fingerprint, subject }), Some(_)) => refuse(format!(
            "it is signed by {subject} with another certificate than the one approved; its SHA-256 \
             is {fingerprint}"
        )),
        (None, Some(_)) => refuse("it is not signed, and was approved as signed".to_owned()),
    }
}
