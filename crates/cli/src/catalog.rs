//! `tierline catalog`: catalogs of publishers and of other servers, as files.

mod basket;
mod export;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use model::Sha256;
use rpc::limits::IMPORT_PART_BYTES;
use rpc::pb::admin as pb;

use self::basket::{Given, given};
use self::export::export;
use crate::arguments::{fingerprint, unreadable};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::publishing::Subscribing;
use crate::waiting::{Events, Look, wait};
use crate::{Outcome, PARTLY};

#[derive(Debug, Subcommand)]
pub(crate) enum Catalog {
    /// Hands files to the first update point of the top-level site; the next synchronization brings
    /// their updates
    ///
    /// They are told apart by what they hold: publishers' catalogs (SDP, or SCUP as cab, zip or
    /// xml), bundles that `catalog export` wrote, the export package of a WSUS, and update
    /// documents, several of which go together.
    #[command(after_help = "Examples:\n  tierline catalog import VendorCatalog.cab\n  \
        tierline catalog import may.tlbundle --trust 3f1c…\n  \
        tierline catalog import first.xml second.xml")]
    Import(Import),
    /// Writes the catalog of the first update point of the server's site to a file, signed by the
    /// site
    #[command(after_help = "Example:\n  tierline catalog export may.tlbundle --since 104200")]
    Export {
        file: PathBuf,
        /// Only what changed after this anchor, which an earlier export printed
        #[arg(long, value_name = "ANCHOR", default_value_t = 0, hide_default_value = true)]
        since: u64,
        /// With the files of updates, as far as the update point has them
        #[arg(long)]
        content: bool,
    },
    /// Catalogs that were exported and imported here, newest first
    #[command(after_help = "Example:\n  tierline catalog bundles -o json")]
    Bundles {
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Other hierarchies whose bundles are believed
    #[command(after_help = "Example:\n  tierline catalog trusted")]
    Trusted,
    /// Does not believe bundles of another hierarchy any more
    #[command(after_help = "Example:\n  tierline catalog distrust 3f1c…")]
    Distrust {
        #[arg(value_parser = fingerprint)]
        fingerprint: Sha256,
    },
    #[command(flatten)]
    Subscribing(Subscribing),
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Believes bundles of another hierarchy from now on: the fingerprint of its root, which the
    /// export printed and somebody you trust told you
    #[arg(long, value_name = "FINGERPRINT", value_parser = fingerprint)]
    trust: Option<Sha256>,
    /// Takes the export package of a WSUS, which nobody signed; you answer for where it comes from
    #[arg(long)]
    unsigned: bool,
}

impl Catalog {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Catalog::Subscribing(subscribing) => subscribing.run(desk).await,
            Catalog::Import(import) => import.run(desk).await,
            Catalog::Export { file, since, content } => {
                export(desk, &file, pb::ExportCatalogRequest { since, content }).await
            }
            Catalog::Bundles { limit } => desk.show(pb::ListCatalogBundlesRequest { limit }).await,
            Catalog::Trusted => desk.show(pb::ListTrustedHierarchiesRequest {}).await,
            Catalog::Distrust { fingerprint } => {
                let fingerprint = fingerprint.to_string();
                desk.show(pb::DistrustHierarchyRequest { fingerprint }).await
            }
        }
    }
}

impl Import {
    async fn run(self, desk: &Desk) -> Outcome {
        let (mut taken, mut left_out) = (0, 0);
        for given in given(&self.files)? {
            let report = match &given {
                Given::File(path) => {
                    let file = File::open(path);
                    let file = file.map_err(|e| unreadable(&e, path.display().to_string()))?;
                    self.import(desk, &name_of(path), file).await?
                }
                Given::Basket { name, archive } => {
                    self.import(desk, name, Cursor::new(archive.as_slice())).await?
                }
            };
            taken += usize::from(report.refused.is_empty());
            left_out += usize::from(!report.refused.is_empty()) + report.rejected.len();
        }
        Ok(match (taken, left_out) {
            (_, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::FAILURE,
            _ => ExitCode::from(PARTLY),
        })
    }

    /// Sends a file in parts, waits for what became of it and prints that.
    async fn import(
        &self,
        desk: &Desk,
        name: &str,
        mut file: impl Read,
    ) -> Result<pb::GetCatalogImportResponse, Failure> {
        let failed = |error| unreadable(&error, name.to_owned());
        let trust = self.trust.map(|pin| pin.to_string()).unwrap_or_default();
        let (mut id, mut part) = (0, 0);
        let mut data = read_part(&mut file).map_err(failed)?;
        loop {
            let next = read_part(&mut file).map_err(failed)?;
            let last = next.is_empty();
            let request = pb::ImportCatalogRequest {
                id,
                name: name.to_owned(),
                part,
                data,
                last,
                trust: trust.clone(),
                unsigned: self.unsigned,
            };
            let answer = desk.call(&request).await?;
            id = answer.read::<pb::ImportCatalogResponse>().id;
            if last {
                break;
            }
            (data, part) = (next, part + 1);
        }
        let look = |import: &pb::GetCatalogImportResponse| match import.done {
            true => Look::Done,
            false => Look::Going(format!("{name} is with the update point")),
        };
        wait(desk, Events::Texts, &pb::GetCatalogImportRequest { id }, look).await
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read_part(file: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    file.take(IMPORT_PART_BYTES as u64).read_to_end(&mut data)?;
    Ok(data)
}
