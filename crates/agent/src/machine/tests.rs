use ambient::Ambient;
use client::digest::sha256;
use content_library::{ContentLibrary, Expected};
use model::AssignedFile;
use sqlite_engine::Executor;
use tempfile::TempDir;
use update_metadata::authoring;

use super::*;
use crate::world::software;

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A directory with files that were fetched, and what may be installed with them.
pub(super) struct Bench {
    pub(super) directory: TempDir,
    library: ContentLibrary,
    pub(super) document: Document,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let directory = TempDir::new().expect("a directory");
        let content = directory.path().join("content");
        let library = ContentLibrary::open(Ambient::seeded(1, 0), &content, Executor::Inline);
        Bench { directory, library: library.expect("opens"), document: software(1) }
    }

    /// A file that was fetched, and whose digest policy says is that of `named`.
    pub(super) async fn file(
        &self,
        name: &str,
        content: &[u8],
        named: &[u8],
    ) -> (AssignedFile, FileReader) {
        let expected = Expected { name: name.to_owned(), size: None, sha256: None, sha1: None };
        let content = io::Cursor::new(content.to_vec());
        let record = self.library.import(expected, content).await.expect("is taken");
        let reader = self.library.open_file(record.sha256).await.expect("is there");
        let (name, sha256) = (name.to_owned(), sha256(named));
        (AssignedFile { name, size: record.size, sha256 }, reader)
    }

    /// Runs a command line with one file, `setup`.
    pub(super) async fn run(
        &self,
        machine: &dyn Machine,
        (program, arguments): (&str, &str),
        setup: &[u8],
        limit: Duration,
    ) -> io::Result<Ended> {
        let (file, reader) = self.file("setup", setup, setup).await;
        let installer = authoring::run(program, arguments, [].into());
        let job = self.job(&installer, vec![(&file, reader)], limit);
        machine.install(&job).await
    }

    pub(super) fn job<'a>(
        &'a self,
        installer: &'a Installer,
        files: Vec<(&'a AssignedFile, FileReader)>,
        limit: Duration,
    ) -> Job<'a> {
        Job { document: &self.document, installer, files, limit }
    }
}

#[test]
fn architectures_go_by_many_names() {
    let known = ["x86_64", "arm64", "i386", "armhf", "riscv64"].map(architecture);
    let [amd64, arm64, x86, arm] =
        [Architecture::Amd64, Architecture::Arm64, Architecture::X86, Architecture::Arm];
    assert_eq!(known, [Some(amd64), Some(arm64), Some(x86), Some(arm), None]);
}
