//! Catalog files into the catalog (SYNC-33): publishers' packages, plain update documents, and
//! other servers' whole catalogs.
//!
//! Owns telling them apart by what they hold, never by their names, and the order: unpack, read
//! every document through once, and only then store any of it; so an ill-formed one-file catalog is
//! refused whole, and of an archive of many only the ill-formed ones are left out, each by name.
//! Refuses to know who gave the file. Bad input ends up in the report; an error is ours.

mod report;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use catalog_bundle::is_bundle;
use content_library::Expected;
use model::{ItemFile, UpdateRef, error_chain};
use update_catalog::Batch;
use update_metadata::Document;
use update_metadata::sdp::{Entry, Package, PackageReader, Placed, Revisions};
use wsus_protocol::content_path;

pub(crate) use self::report::{Fate, Foreign, Given, ImportReport, Warrant};
use crate::archive::{Member, unpack};
use crate::bundle::beginning;
use crate::point::Point;
use crate::wsus_package::recognize;
use crate::{Error, limits};

/// What a document of a catalog file turned out to be.
enum Form {
    Packages,
    Update,
}

impl Point {
    /// Takes in the file at `path`, called `name`. Files that its updates name and that lie in
    /// `content` go into the content library. Another server's catalog is refused.
    pub(crate) async fn import_file(
        &self,
        path: &Path,
        name: &str,
        content: Option<&Path>,
    ) -> Result<ImportReport, Error> {
        self.import_given((path, name), content, Warrant::default()).await
    }

    /// The same, and with a warrant another server's catalog, too.
    pub(crate) async fn import_given(
        &self,
        (path, name): (&Path, &str),
        content: Option<&Path>,
        warrant: Warrant,
    ) -> Result<ImportReport, Error> {
        let work = self.work_directory(&self.ambient.random_id().to_string())?;
        or_refused(self.import_form((path, name), &work, content, warrant).await)
    }

    /// Takes in what the packages of a catalog say, without anything to install.
    pub(crate) async fn import_metadata(
        &self,
        path: &Path,
        name: &str,
    ) -> Result<ImportReport, Error> {
        let work = self.work_directory(&self.ambient.random_id().to_string())?;
        or_refused(match unpack(path, name, &work) {
            Ok(members) => self.import_members(members, None, Reading::MetadataOnly).await,
            Err(error) => Err(error),
        })
    }

    /// Takes in one package, whose files are here.
    pub(crate) async fn import_package(
        &self,
        name: String,
        package: Package,
    ) -> Result<ImportReport, Error> {
        let mut taking = Taking::new(self, None, Reading::Whole);
        taking.batch(&Member { name, path: PathBuf::new() }, vec![package]).await?;
        Ok(taking.report)
    }

    async fn import_form(
        &self,
        (path, name): (&Path, &str),
        work: &Path,
        content: Option<&Path>,
        warrant: Warrant,
    ) -> Result<ImportReport, Error> {
        let beginning = beginning(path)?;
        if is_bundle(&beginning) {
            return self.import_bundle((path, name), warrant.manifest).await;
        }
        match recognize(path, &beginning) {
            Some(packing) if warrant.is_unsigned => {
                self.import_wsus((path, name, packing), work, content).await
            }
            Some(_) => {
                let reason = "it is the catalog of a WSUS, which nobody signed; if you know where \
                              it comes from, hand it to the top-level site with --unsigned";
                Err(Error::Archive { name: name.to_owned(), reason: reason.to_owned() })
            }
            None => {
                let members = unpack(path, name, work)?;
                self.import_members(members, content, Reading::Whole).await
            }
        }
    }

    /// Takes files that lie in a directory, by their names or as the content directory of a WSUS
    /// has them. Says how many, and what was refused.
    pub(crate) async fn take_files(
        &self,
        directory: &Path,
        files: Vec<ItemFile>,
    ) -> Result<(u64, Vec<String>), Error> {
        let (mut taken, mut refused) = (0, Vec::new());
        for file in files {
            let is_name = Path::new(&file.name).file_name() == Some(file.name.as_ref());
            let by_digest = content_path(&file.sha1.0, &file.name);
            let by_digest = by_digest.trim_start_matches("/Content/").to_owned();
            let names = [is_name.then(|| file.name.clone()), Some(by_digest)];
            let paths = names.into_iter().flatten().map(|name| directory.join(name));
            let expected = Expected::from(&file);
            let Some(path) = paths.into_iter().find(|path| path.is_file()) else { continue };
            if self.library.find(&expected).await?.is_some() {
                continue;
            }
            let source = File::open(&path).map_err(Error::files("open", &path))?;
            match self.library.import(expected, source).await {
                Ok(_) => taken += 1,
                Err(error) => refused.push(error_chain(&error)),
            }
        }
        Ok((taken, refused))
    }

    async fn import_members(
        &self,
        members: Vec<Member>,
        content: Option<&Path>,
        reading: Reading,
    ) -> Result<ImportReport, Error> {
        let mut taking = Taking::new(self, content, reading);
        let mut sound = Vec::new();
        let is_alone = members.len() == 1;
        for member in members {
            match inspect(&member).await {
                Ok(form) => sound.push((member, form)),
                Err(error @ Error::ReadCatalog { .. }) if !is_alone => {
                    let (update, reason) = (None, error_chain(&error));
                    taking.report.rejected.push(reason.clone());
                    taking.given(&member, update, Fate::Refused, reason);
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

/// Bad input is no failure of ours.
fn or_refused(outcome: Result<ImportReport, Error>) -> Result<ImportReport, Error> {
    match outcome {
        Err(error @ (Error::Archive { .. } | Error::ReadCatalog { .. })) => {
            let refused = Some(error_chain(&error));
            Ok(ImportReport { refused, ..ImportReport::default() })
        }
        outcome => outcome,
    }
}

/// An import under way, and what goes on from document to document of it.
struct Taking<'a> {
    point: &'a Point,
    revisions: Revisions,
    report: ImportReport,
    content: Option<&'a Path>,
    reading: Reading,
}

/// How much of a package is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Whole,
    /// Nothing that could be installed.
    MetadataOnly,
}

impl<'a> Taking<'a> {
    fn new(point: &'a Point, content: Option<&'a Path>, reading: Reading) -> Taking<'a> {
        let (revisions, report) = Default::default();
        Taking { point, revisions, report, content, reading }
    }

    async fn packages(&mut self, member: &Member) -> Result<(), Error> {
        let mut reader = open(member)?;
        loop {
            let mut packages = Vec::new();
            while packages.len() < limits::PACKAGES_PER_BATCH {
                match reader.next_entry().map_err(|source| unreadable(member, source))? {
                    Some(Entry::Package(package)) => packages.push(match self.reading {
                        Reading::Whole => *package,
                        Reading::MetadataOnly => package.metadata_only(),
                    }),
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
        let mut imported = self.point.catalog.import(batch).await?;
        self.report.imported += imported.imported.len() as u64;
        self.report.unchanged += imported.unchanged as u64;
        let (fate, reason) = match imported.rejected.pop() {
            None if imported.unchanged > 0 => (Fate::Unchanged, String::new()),
            None => (Fate::Imported, String::new()),
            Some(rejected) => {
                self.reject(member, &rejected.place, &rejected.reason);
                (Fate::Refused, rejected.reason)
            }
        };
        self.given(member, Some(document.update), fate, reason);
        self.files(document.files, member).await
    }

    /// Takes the files that lie beside the catalog.
    async fn files(&mut self, files: Vec<ItemFile>, member: &Member) -> Result<(), Error> {
        let Some(directory) = self.content else { return Ok(()) };
        for refused in self.point.take_files(directory, files).await?.1 {
            self.reject(member, "content", &refused);
        }
        Ok(())
    }

    fn given(&mut self, member: &Member, update: Option<UpdateRef>, fate: Fate, reason: String) {
        let name = member.name.clone();
        self.report.documents.push(Given { name, update, fate, reason });
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
