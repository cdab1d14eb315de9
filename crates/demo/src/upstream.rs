//! The upstream server's catalogs, put where a stand-alone update point takes them from: its inbox.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::sample::Sample;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::Error;
use crate::operator::{Look, until};
use crate::progress::line;

/// The largest public catalogs take a minute in a debug build.
const IMPORT_MAX: Duration = Duration::from_secs(600);

/// Catalogs on their way into the upstream server.
#[derive(Debug)]
pub(crate) struct Deliveries {
    inbox: PathBuf,
    waiting: Vec<(String, PathBuf)>,
}

/// Lays out the sample, its files and the catalogs at `paths` below the server's `data`.
pub(crate) fn deliver(
    data: &Path,
    sample: &Sample,
    paths: &[PathBuf],
) -> Result<Deliveries, Error> {
    let inbox = data.join("inbox");
    let content = inbox.join("content");
    fs::create_dir_all(&content).map_err(Error::files("make", &content))?;
    for (name, bytes) in &sample.files {
        let path = content.join(name);
        fs::write(&path, bytes).map_err(Error::files("write", &path))?;
    }
    let name = "0-sample.zip".to_owned();
    let path = inbox.join(&name);
    pack(&path, sample).map_err(|error| Error::files("write", &path)(error.into()))?;
    let mut waiting = vec![(name, path)];
    for (number, path) in (1..).zip(paths) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{number}-{name}");
        fs::copy(path, inbox.join(&name)).map_err(Error::files("copy", path))?;
        waiting.push((name, path.clone()));
    }
    Ok(Deliveries { inbox, waiting })
}

fn pack(path: &Path, sample: &Sample) -> zip::result::ZipResult<()> {
    let mut archive = ZipWriter::new(File::create(path)?);
    for (number, document) in sample.documents.iter().enumerate() {
        archive.start_file(format!("{number}.xml"), SimpleFileOptions::default())?;
        archive.write_all(document.to_xml().as_bytes())?;
    }
    archive.finish().map(drop)
}

impl Deliveries {
    /// Waits until the server has taken everything; what it left out of a catalog is told.
    pub(crate) async fn taken(self) -> Result<(), Error> {
        let done = self.inbox.join("done");
        for (name, path) in self.waiting {
            until("the catalog in the upstream server", IMPORT_MAX, async || {
                let refused = self.inbox.join("refused").join(format!("{name}.reason"));
                if let Ok(reason) = fs::read_to_string(refused) {
                    return Err(Error::Catalog { path: path.clone(), reason });
                }
                match done.join(&name).exists() {
                    true => Ok(Look::There(())),
                    false => Ok(Look::NotYet(format!("{name} still waits in its inbox"))),
                }
            })
            .await?;
            if let Ok(report) = fs::read_to_string(done.join(format!("{name}.report"))) {
                line(&format!("! {}: {}", path.display(), report.trim_end().replace('\n', "; ")));
            }
        }
        Ok(())
    }
}
