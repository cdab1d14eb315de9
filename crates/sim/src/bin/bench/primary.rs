//! A primary site and its management point, in a process of their own.
//!
//! Owns how the two come to be without an operator: the site's own authority lets the point in.
//! The site knows the updates of the sample, as after a synchronization.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambient::Ambient;
use anyhow::{Context, Result};
use axum::Router;
use daemon::{Health, Metrics, Pki};
use management_point::ManagementPoint;
use model::{PeerIdentity, PeerKind, RoleKind, SiteCode, SiteKind};
use site::SiteServer;
use sqlite_engine::{Durability, Executor, Options};
use tokio_util::sync::CancellationToken;
use transport::{Connection, Credentials, Expect, Security, TcpConnect, TcpListen};
use trust::KeyPair;
use update_catalog::{Batch, Catalog};
use uuid::Uuid;

use crate::child;
use crate::import::take_items;

pub(crate) const SERVE: &str = "primary-serve";

const ADDRESS: &str = "127.0.0.1";

/// The first version of a catalog.
const CATALOG: u64 = 1;

/// Where the keys of the site lie below the directory of both.
pub(crate) fn site_directory(data: &Path) -> PathBuf {
    data.join("PR1")
}

pub(crate) fn point_directory(data: &Path) -> PathBuf {
    data.join("mp")
}

pub(crate) fn code() -> Result<SiteCode> {
    Ok(SiteCode::new("PR1")?)
}

/// Both, until they are killed.
pub(crate) async fn serve(data: &str) -> Result<()> {
    let (ambient, shutdown) = (Ambient::system(), CancellationToken::new());
    let data = PathBuf::from(data);
    for directory in [site_directory(&data), point_directory(&data)] {
        std::fs::create_dir(directory)?;
    }
    let (listener, point) = (bind().await?, bind().await?);
    let url = format!("https://{}", listener.local_address());
    let metrics = Metrics::install()?;
    let server = open(&ambient, &data, (url.clone(), metrics.clone())).await?;
    let serving = server.run(Box::new(listener), shutdown.clone());
    let address = point.local_address().to_string();
    let role = role(&ambient, &data, &url)?;
    let operations: Router = daemon::routes(Health::default(), metrics);
    let revoked = Arc::new(|_: &PeerIdentity| false);
    let ports = management_point::Ports { listener: Box::new(point), operations, revoked };
    child::tell_address(&address)?;
    let both = async {
        tokio::try_join!(async { anyhow::Ok(serving.await?) }, async {
            anyhow::Ok(role.run(ports, shutdown).await?)
        })
    };
    both.await.map(drop)
}

async fn bind() -> Result<TcpListen> {
    Ok(TcpListen::bind(&format!("{ADDRESS}:0")).await?)
}

async fn open(
    ambient: &Ambient,
    data: &Path,
    (url, metrics): (String, Metrics),
) -> Result<SiteServer> {
    let directory = site_directory(data);
    let pki = Pki::open(&directory)?;
    let config = site::Config {
        code: code()?,
        kind: SiteKind::Primary,
        name: "PR1".to_owned(),
        data: directory,
        url,
        names: vec![ADDRESS.to_owned()],
        is_top: true,
        policy: Default::default(),
    };
    let deps = site::Deps {
        ambient: ambient.clone(),
        pki,
        health: Health::default(),
        metrics,
        connect: Arc::new(TcpConnect),
    };
    let server = SiteServer::open(config, deps).await?;
    let options = Options { executor: Executor::Thread, durability: Durability::Normal };
    let catalog = Catalog::open(&data.join("catalog.db"), Uuid::from_u128(1), options)?;
    let documents = testkit::sample::sample(Path::new("/nowhere")).documents;
    let documents = documents.iter().map(|document| document.to_xml()).collect();
    catalog.import(Batch { documents, ..Batch::default() }).await?;
    take_items(&catalog, server.db()).await?;
    // As its update point would say.
    server.db().write(|w| w.set_complete_version(CATALOG)).await?;
    Ok(server)
}

fn role(ambient: &Ambient, data: &Path, url: &str) -> Result<ManagementPoint> {
    let pki = Pki::open(&site_directory(data))?;
    let authority = pki.intermediate(code()?)?.context("a primary site has an authority")?;
    let anchor = pki.anchor()?.context("a site has the root certificate")?;
    let (kind, key) = (PeerKind::Role(RoleKind::ManagementPoint), KeyPair::generate()?);
    let (hierarchy, id) = (anchor.hierarchy(), ambient.random_id().to_string());
    let identity = PeerIdentity { hierarchy, site: code()?, kind, id };
    let leaf = authority.issue(ambient, &key.public_key(), &identity, &[])?;
    let chain = [leaf, authority.certificate().clone()];
    let credentials = Credentials::new(ambient.clone(), anchor, &chain, &key)?;
    let expect = Expect { kind: PeerKind::Site, site: code()?, id: None };
    let security = Security::Mutual { credentials: credentials.clone(), expect };
    let site = Connection::new(Arc::new(TcpConnect), url, security)?;
    let config =
        management_point::Config { data: point_directory(data), executor: Executor::Thread };
    let (ambient, credentials) = (ambient.clone(), Some(credentials));
    Ok(ManagementPoint::new(config, management_point::Deps { ambient, credentials, site })?)
}
