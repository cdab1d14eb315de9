//! `tierline update publish`, `update publish-content`, `signing`, and subscriptions to catalogs:
//! third-party updates.

mod upload;

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use model::{Invalid, MsrcSeverity, Sha256, Timestamp, UpdateId};
use publishing::{
    Answers, Architecture, Condition, Draft, Kind, OperatingSystem, Platform, Prerequisite, plan,
};
use rpc::pb::admin as pb;

use self::upload::{Source, upload, uploaded_cabinet};
use crate::Outcome;
use crate::arguments::{fingerprint, seconds, unreadable};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::waiting::{Look, until};

/// Enough to tell installers apart.
const HEAD_BYTES: u64 = 16;

#[derive(Debug, Subcommand)]
pub(crate) enum Publishing {
    Publish(Box<Publish>),
    /// Fetches the content of an update of a subscribed catalog and makes it deployable; at the
    /// top-level site
    #[command(after_help = "Example:\n  \
        tierline update publish-content 01939c3e-7f00-7000-8000-000000000001")]
    PublishContent {
        id: String,
    },
}

/// Publishes an update of your own: .msi, .msp or .exe for Windows, .deb, .rpm or a script for
/// Linux; at the top-level site
///
/// What an .msi, .msp or .deb says of itself need not be said: title, vendor, product, and how to
/// see that it is installed. Files for Windows go into one cabinet, which the site signs; computers
/// have to trust its certificate (`tierline signing export`).
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  tierline update publish editor-2.1.msi \
    --classification \"Security Updates\" --severity important\n  \
    tierline update publish setup.exe --title \"Editor 2.1\" --arguments \"/quiet\" \
    --detect 'file=%ProgramFiles%\\Editor\\editor.exe@2.1.0.0'")]
pub(crate) struct Publish {
    #[arg(value_name = "FILE")]
    installer: PathBuf,
    /// Another file the installer needs beside it; may be given several times
    #[arg(long = "file", value_name = "FILE")]
    extra: Vec<PathBuf>,
    #[arg(long, default_value = "", hide_default_value = true)]
    title: String,
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    #[arg(long, default_value = "", hide_default_value = true)]
    vendor: String,
    #[arg(long, default_value = "", hide_default_value = true)]
    product: String,
    /// Updates, Critical Updates, Security Updates, Update Rollups or Service Packs
    #[arg(long, default_value = "Updates")]
    classification: String,
    /// low, moderate, important or critical
    #[arg(long, value_parser = severity)]
    severity: Option<MsrcSeverity>,
    /// x86, x64 or both [default: as the file says]
    #[arg(long)]
    architecture: Option<Architecture>,
    /// A system it is for, as in windows-11, windows-server-2022 or debian-12; may be given several
    /// times [default: all]
    #[arg(long = "os", value_name = "SYSTEM")]
    systems: Vec<String>,
    /// What makes the installer silent; an .exe needs it
    #[arg(long, allow_hyphen_values = true)]
    arguments: Option<String>,
    /// What shows that it is installed: file=PATH[@VERSION], msi=GUID, registry=KEY[@VALUE] or
    /// package=NAME[@VERSION]; all of them [default: as the file says, else it installs once]
    #[arg(long, value_name = "RULE")]
    detect: Vec<String>,
    /// What has to be there before: none, update=ID, or a rule as for --detect; all of them
    #[arg(long = "prerequisite", value_name = "RULE")]
    prerequisites: Vec<String>,
    /// What an exit code means: CODE=success, CODE=restart or CODE=failure [default: 0=success,
    /// 3010=restart, all others failure]
    #[arg(long = "return-code", value_name = "CODE=MEANING", value_parser = publishing::return_code,
        allow_hyphen_values = true)]
    return_codes: Vec<(i32, publishing::Outcome)>,
    /// The update published before that this is the next revision of
    #[arg(long, value_name = "ID")]
    revises: Option<UpdateId>,
}

fn severity(text: &str) -> Result<MsrcSeverity, String> {
    let found = MsrcSeverity::from_name(text);
    found.ok_or_else(|| "choose low, moderate, important or critical".to_owned())
}

impl Publishing {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Publishing::Publish(publish) => publish.run(desk).await,
            Publishing::PublishContent { id } => {
                let answer = desk.call(&pb::PublishContentRequest { update: id.clone() }).await?;
                let errand = answer.read::<pb::PublishContentResponse>().id;
                finish(desk, errand, id).await
            }
        }
    }
}

impl Publish {
    async fn run(self, desk: &Desk) -> Outcome {
        let paths = [std::slice::from_ref(&self.installer), &self.extra].concat();
        let mut sources = paths.iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
        let draft = self.draft(desk, &mut sources[0])?;
        let bytes = sources.iter().map(|source| source.size).sum::<u64>();
        desk.tell(&format!("to upload: {bytes} bytes, files: {}", sources.len()))?;
        let sources = match draft.platform() {
            Platform::Windows => vec![uploaded_cabinet(desk, &draft, sources).await?],
            Platform::Linux => sources,
        };
        let mut files = Vec::new();
        for source in sources {
            files.push(upload(desk, source).await?);
        }
        let name = draft.title().to_owned();
        let digests = files.iter().filter_map(|file| file.sha256).map(|d| d.0.to_vec()).collect();
        let package = draft.to_sdp(files).map_err(|error| self.failure(&error))?;
        let package = package.into_bytes();
        let update = draft.id().to_string();
        let request = pb::PublishUpdateRequest { name, package, files: digests, update };
        let errand = desk.call(&request).await?.read::<pb::PublishUpdateResponse>().id;
        finish(desk, errand, draft.id().to_string()).await
    }

    fn failure(&self, error: &publishing::Error) -> Failure {
        Failure::of(error, self.installer.display().to_string(), "")
    }

    /// Whatever can be refused is refused before anything is sent.
    fn draft(&self, desk: &Desk, source: &mut Source) -> Result<Draft, Failure> {
        let refuse = |error: publishing::Error| self.failure(&error);
        let failed = |error| unreadable(&error, self.installer.display().to_string());
        let mut head = Vec::new();
        source.file.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(failed)?;
        source.file.rewind().map_err(failed)?;
        let kind = Kind::of(&source.name, &head).map_err(refuse)?;
        let found = publishing::read(kind, &source.name, &source.file).map_err(refuse)?;
        source.file.rewind().map_err(failed)?;
        plan(self.answers(desk)?, kind, &source.name, &found).map_err(refuse)
    }

    fn answers(&self, desk: &Desk) -> Result<Answers, Failure> {
        let condition = |option, text: &String| Condition::written(option, text);
        let prerequisites = self.prerequisites.iter().filter(|text| *text != "none");
        let prerequisites = prerequisites.map(|text| match text.strip_prefix("update=") {
            Some(id) => Ok(Prerequisite::Update(id.parse()?)),
            None => Ok(Prerequisite::Found(condition("--prerequisite", text))),
        });
        let prerequisites = prerequisites.collect::<Result<_, Invalid>>();
        let remedy = "write the id that `tierline update list` shows";
        let new = || UpdateId(desk.ambient.random_id());
        Ok(Answers {
            update: self.revises.unwrap_or_else(new),
            created_at: Timestamp(desk.ambient.now_ms()),
            title: self.title.clone(),
            description: self.description.clone(),
            vendor: self.vendor.clone(),
            product: self.product.clone(),
            classification: self.classification.clone(),
            severity: self.severity,
            architecture: self.architecture,
            systems: self.systems.iter().map(|name| OperatingSystem::named(name)).collect(),
            arguments: self.arguments.clone(),
            detect: self.detect.iter().map(|text| condition("--detect", text)).collect(),
            prerequisites: prerequisites
                .map_err(|error| Failure::of(&error, "--prerequisite", remedy))?,
            return_codes: BTreeMap::from_iter(self.return_codes.iter().copied()),
        })
    }
}

/// Waits for the update point, has its news synchronized, and shows the update.
async fn finish(desk: &Desk, errand: i64, update: String) -> Outcome {
    let report = report(desk, errand).await?;
    if let Some(reason) = trouble(&report) {
        let remedy = "repair that, and publish it again";
        return Err(Failure::new(reason, "the first update point", remedy));
    }
    let started = desk.call(&pb::StartSyncRequest { full: false }).await?;
    let after = started.read::<pb::StartSyncResponse>().after;
    let look = |status: &pb::GetSyncStatusResponse| {
        let run = status.row.clone().unwrap_or_default();
        match run.number > after && run.ended_at.is_some() {
            true => Look::Done,
            false => Look::Going("the update is on its way into the site database".to_owned()),
        }
    };
    let (_, ended) = until(desk, &pb::GetSyncStatusRequest {}, look).await?;
    if let Some(run) = ended.row.filter(|run| run.step != "succeeded") {
        let what = format!("update {update} is published; the synchronization {}", run.step);
        let remedy = "see `tierline sync status`; the next synchronization shows it";
        return Err(Failure::new(format!("{what}: {}", run.cause), "the site server", remedy));
    }
    desk.show(pb::GetUpdateRequest { id: update }).await
}

async fn report(desk: &Desk, id: i64) -> Result<pb::GetCatalogErrandResponse, Failure> {
    let look = |errand: &pb::GetCatalogErrandResponse| match errand.done {
        true => Look::Done,
        false if errand.begun => Look::Going("the first update point is at it".to_owned()),
        false => Look::Going(
            "the first update point has to be connected, and done with what came before; see \
             `tierline sync status` and its service (Ctrl-C does not take it back)"
                .to_owned(),
        ),
    };
    Ok(until(desk, &pb::GetCatalogErrandRequest { id }, look).await?.1)
}

fn trouble(report: &pb::GetCatalogErrandResponse) -> Option<&str> {
    let refused = Some(report.refused.as_str()).filter(|refused| !refused.is_empty());
    refused.or(report.rejected.first().map(String::as_str))
}

/// Catalogs of packages that are looked at regularly.
#[derive(Debug, Subcommand)]
pub(crate) enum Subscribing {
    Subscribe(Subscribe),
    /// Catalogs that are looked at regularly
    #[command(after_help = "Example:\n  tierline catalog subscriptions")]
    Subscriptions,
    /// Looks at a catalog no more; its updates stay
    #[command(after_help = "Example:\n  tierline catalog unsubscribe vendor")]
    Unsubscribe {
        name: String,
    },
    /// Looks at a catalog now
    #[command(after_help = "Example:\n  tierline catalog refresh vendor")]
    Refresh {
        name: String,
    },
}

/// Looks at a publisher's catalog (cab, zip, xml or xml.gz) now and from then on; at the top-level
/// site
///
/// Its updates can be scanned for; what installs them is fetched when `update publish-content` asks
/// for it. A signed catalog is taken once its signer's certificate is approved with --pin.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  \
    tierline catalog subscribe https://vendor.example/Catalog.cab --name vendor")]
pub(crate) struct Subscribe {
    /// https://…, or a file of the update point's machine
    #[arg(value_name = "URL|FILE")]
    from: String,
    /// [default: the last part of the address]
    #[arg(long)]
    name: Option<String>,
    /// How often it is looked at, as in 12h or 7d; 0s: only by hand
    #[arg(long, value_parser = seconds, value_name = "TIME", default_value = "7d")]
    every: u64,
    /// SHA-256 of the certificate that signs it
    #[arg(long, value_name = "FINGERPRINT", value_parser = fingerprint)]
    pin: Option<Sha256>,
}

impl Subscribing {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Subscribing::Subscriptions => desk.show(pb::ListCatalogSubscriptionsRequest {}).await,
            Subscribing::Unsubscribe { name } => {
                desk.show(pb::UnsubscribeCatalogRequest { name }).await
            }
            Subscribing::Refresh { name } => {
                let answer = desk.call(&pb::RefreshCatalogRequest { name }).await?;
                looked(desk, answer.read::<pb::RefreshCatalogResponse>().id).await
            }
            Subscribing::Subscribe(subscribe) => {
                let answer = desk.call(&subscribe.request()?).await?;
                looked(desk, answer.read::<pb::SubscribeCatalogResponse>().id).await
            }
        }
    }
}

impl Subscribe {
    fn request(self) -> Result<pb::SubscribeCatalogRequest, Failure> {
        let url = match self.from.contains("://") {
            true => self.from,
            false => {
                let path = PathBuf::from(&self.from).canonicalize();
                let path = path.map_err(|error| unreadable(&error, self.from))?;
                format!("file://{}", path.display())
            }
        };
        let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Ok(pb::SubscribeCatalogRequest {
            name: self.name.unwrap_or_else(|| last.to_owned()),
            fingerprint: self.pin.map(|pin| pin.to_string()).unwrap_or_default(),
            every_seconds: self.every,
            url,
        })
    }
}

/// What a look at a catalog brought.
async fn looked(desk: &Desk, errand: i64) -> Outcome {
    let report = report(desk, errand).await?;
    desk.show(pb::GetCatalogErrandRequest { id: errand }).await?;
    Ok(match (report.refused.is_empty(), report.rejected.is_empty()) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(crate::PARTLY),
        (false, _) => ExitCode::FAILURE,
    })
}

/// The certificate that signs published files.
#[derive(Debug, Subcommand)]
pub(crate) enum Signing {
    /// Which one it is
    #[command(after_help = "Example:\n  tierline signing show")]
    Show,
    /// Writes it to a file (PEM), to be placed among the trusted root certificates and the trusted
    /// publishers of Windows computers
    #[command(after_help = "Example:\n  tierline signing export publisher.cer")]
    Export { file: PathBuf },
    /// Makes a new key and certificate; what was published before keeps its signature
    #[command(after_help = "Example:\n  tierline signing rotate")]
    Rotate,
}

impl Signing {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let show = pb::GetSigningCertificateRequest {};
        match self {
            Signing::Show => {
                let answer = desk.call(&show).await?.without("pem");
                desk.print(&answer, crate::output::Part::Whole)?;
            }
            Signing::Export { file } => {
                let answer = desk.call(&show).await?;
                let pem = answer.read::<pb::GetSigningCertificateResponse>().pem;
                let written = std::fs::write(&file, pem);
                let (at, remedy) = (file.display().to_string(), "name a file that can be written");
                written.map_err(|error| Failure::new(error.to_string(), at, remedy))?;
                desk.print(&answer.without("pem"), crate::output::Part::Whole)?;
            }
            Signing::Rotate => return desk.show(pb::RotateSigningCertificateRequest {}).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}
