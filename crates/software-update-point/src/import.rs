//! Catalog files into the catalog (SYNC-33): publishers' packages and plain update documents.
//!
//! Owns the order: unpack, read every document through once, and only then store any of it; so an
//! ill-formed one-file catalog is refused whole, and of an archive of many only the ill-formed
//! ones are left out, each by name. Refuses to know who gave the file. Bad input ends up in the
//! report; an error is ours.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use content_library::Expected;
use model::{ItemFile, UpdateRef, error_chain};
use update_catalog::Batch;
use update_metadata::Document;
use update_metadata::sdp::{Entry, Package, PackageReader, Placed, Revisions};

use crate::archive::{Member, unpack};
use crate::point::Point;
use crate::{Error, limits};

/// What an import did; packages and plain documents are counted, not what they bring along.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ImportReport {
    pub(crate) imported: u64,
    /// Here already, with the same content.
    pub(crate) unchanged: u64,
    /// Here already with other content: the next revision.
    pub(crate) revised: Vec<String>,
    /// Left out, with the place and the reason.
    pub(crate) rejected: Vec<String>,
    /// Why nothing of the file was taken.
    pub(crate) refused: Option<String>,
}

/// What a document of a catalog file turned out to be.
enum Form {
    Packages,
    Update,
}

impl Point {
    /// Takes in the file at `path`, called `name`. Files that its updates name and that lie in
    /// `content` go into the content library.
    pub(crate) async fn import_file(
        &self,
        path: &Path,
        name: &str,
        content: Option<&Path>,
    ) -> Result<ImportReport, Error> {
        let work = self.work_path(&self.ambient.random_id().to_string());
        fs::create_dir_all(&work).map_err(Error::files("make", &work))?;
        let unpacked = unpack(path, name, &work);
        let outcome = match unpacked {
            Ok(members) => self.import_members(members, content).await,
            Err(error) => Err(error),
        };
        fs::remove_dir_all(&work).map_err(Error::files("remove", &work))?;
        match outcome {
            Err(error @ (Error::Archive { .. } | Error::ReadCatalog { .. })) => {
                let refused = Some(error_chain(&error));
                Ok(ImportReport { refused, ..ImportReport::default() })
            }
            outcome => outcome,
        }
    }

    /// A path for what is being worked on; all of it is dropped at the next start.
    pub(crate) fn work_path(&self, name: &str) -> PathBuf {
        self.config.data.join("import").join(name)
    }

    async fn import_members(
        &self,
        members: Vec<Member>,
        content: Option<&Path>,
    ) -> Result<ImportReport, Error> {
        let mut taking = Taking {
            point: self,
            revisions: Revisions::default(),
            report: ImportReport::default(),
            content,
        };
        let mut sound = Vec::new();
        let is_alone = members.len() == 1;
        for member in members {
            match inspect(&member).await {
                Ok(form) => sound.push((member, form)),
                Err(error @ Error::ReadCatalog { .. }) if !is_alone => {
                    taking.report.rejected.push(error_chain(&error));
                }
                Err(error) => return Err(error),
            }
        }
        for (member, form) in sound {
            match form {
                Form::Packages => taking.packages(&member).await?,
                Form::Update => taking.update(&member).await?,
            }
        }
        Ok(taking.report)
    }
}

/// An import under way, and what goes on from document to document of it.
struct Taking<'a> {
    point: &'a Point,
    revisions: Revisions,
    report: ImportReport,
    content: Option<&'a Path>,
}

impl Taking<'_> {
    async fn packages(&mut self, member: &Member) -> Result<(), Error> {
        let mut reader = open(member)?;
        loop {
            let mut packages = Vec::new();
            while packages.len() < limits::PACKAGES_PER_BATCH {
                match reader.next_entry().map_err(|source| unreadable(member, source))? {
                    Some(Entry::Package(package)) => packages.push(*package),
                    Some(Entry::Rejected(r)) => self.reject(member, &r.place, &r.reason),
                    None => break,
                }
                tokio::task::yield_now().await;
            }
            if packages.is_empty() {
                return Ok(());
            }
            self.batch(member, packages).await?;
        }
    }

    async fn batch(&mut self, member: &Member, packages: Vec<Package>) -> Result<(), Error> {
        let catalog = &self.point.catalog;
        let ids: BTreeSet<_> = packages.iter().flat_map(Package::ids).collect();
        let ids = Vec::from_iter(ids);
        for ids in ids.chunks(update_catalog::limits::IDS_MAX) {
            for (update, digest) in catalog.digests(ids.to_vec()).await? {
                self.revisions.learn(update, digest);
            }
        }
        let (mut documents, mut sources) = (Vec::new(), Vec::new());
        for package in &packages {
            self.place(member, package, &mut documents);
            sources.extend(package.sources.iter().cloned());
        }
        // The sources first: a file may be asked for as soon as its update is here.
        catalog.import(Batch { sources, ..Batch::default() }).await?;
        for documents in documents.chunks(update_catalog::limits::BATCH_DOCUMENTS_MAX) {
            let batch = Batch { documents: documents.to_vec(), ..Batch::default() };
            for rejected in catalog.import(batch).await?.rejected {
                self.reject(member, &rejected.place, &rejected.reason);
            }
        }
        let named = packages.into_iter().flat_map(|p| p.members.into_iter().chain([p.update]));
        self.files(named.flat_map(|d| d.files).collect(), member).await
    }

    async fn update(&mut self, member: &Member) -> Result<(), Error> {
        let bytes = fs::read(&member.path).map_err(Error::files("read", &member.path))?;
        let document = Document::parse(&bytes).map_err(|source| unreadable(member, source))?;
        let Ok(xml) = String::from_utf8(bytes) else {
            self.reject(member, "document", "it is not UTF-8; save it as UTF-8");
            return Ok(());
        };
        let batch = Batch { documents: vec![xml], ..Batch::default() };
        let imported = self.point.catalog.import(batch).await?;
        self.report.imported += imported.imported.len() as u64;
        self.report.unchanged += imported.unchanged as u64;
        for rejected in imported.rejected {
            self.reject(member, &rejected.place, &rejected.reason);
        }
        self.files(document.files, member).await
    }

    /// Takes the files that lie beside the catalog.
    async fn files(&mut self, files: Vec<ItemFile>, member: &Member) -> Result<(), Error> {
        let (Some(directory), library) = (self.content, &self.point.library) else {
            return Ok(());
        };
        for file in files {
            let is_name = Path::new(&file.name).file_name() == Some(file.name.as_ref());
            let (path, expected) = (directory.join(&file.name), Expected::from(&file));
            if !is_name || !path.is_file() || library.find(&expected).await?.is_some() {
                continue;
            }
            let source = File::open(&path).map_err(Error::files("open", &path))?;
            if let Err(error) = library.import(expected, source).await {
                self.reject(member, "content", &error_chain(&error));
            }
        }
        Ok(())
    }

    fn reject(&mut self, member: &Member, place: &str, reason: &str) {
        self.report.rejected.push(format!("{}: {place}: {reason}", member.name));
    }

    fn place(&mut self, member: &Member, package: &Package, documents: &mut Vec<String>) {
        match self.revisions.place(package) {
            Placed::Known(_) => self.report.unchanged += 1,
            Placed::New { update: UpdateRef { id, revision }, documents: written } => {
                self.report.imported += 1;
                if revision > 1 {
                    self.report.revised.push(format!("update {id} is revision {revision} now"));
                }
                documents.extend(written.into_iter().map(|written| written.xml));
            }
        }
        for rejected in &package.rejected {
            self.reject(member, &rejected.place, &rejected.reason);
        }
    }
}

/// Reads a document through, so that nothing of it is stored if any of it is ill-formed.
async fn inspect(member: &Member) -> Result<Form, Error> {
    let mut reader = open(member)?;
    loop {
        match reader.next_entry() {
            Ok(Some(_)) => tokio::task::yield_now().await,
            Ok(None) => return Ok(Form::Packages),
            Err(update_metadata::Error::ReadCatalog { root }) if root == "Update" => break,
            Err(source) => return Err(unreadable(member, source)),
        }
    }
    let size = fs::metadata(&member.path).map_err(Error::files("inspect", &member.path))?.len();
    if size > limits::DOCUMENT_BYTES_MAX {
        let reason = format!("it is larger than {} bytes", limits::DOCUMENT_BYTES_MAX);
        return Err(Error::Archive { name: member.name.clone(), reason });
    }
    let bytes = fs::read(&member.path).map_err(Error::files("read", &member.path))?;
    Document::parse(&bytes).map(|_| Form::Update).map_err(|source| unreadable(member, source))
}

fn open(member: &Member) -> Result<PackageReader<BufReader<File>>, Error> {
    let file = File::open(&member.path).map_err(Error::files("open", &member.path))?;
    Ok(PackageReader::new(BufReader::new(file)))
}

fn unreadable(member: &Member, source: update_metadata::Error) -> Error {
    Error::ReadCatalog { name: member.name.clone(), source }
}
