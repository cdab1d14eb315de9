//! The role itself: what it is made of, its port and its tasks.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ambient::Ambient;
use axum::Router;
use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::client::client_service_server::ClientServiceServer;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::enrolment::enrolment_service_server::EnrolmentServiceServer;
use rpc::pb::management::management_service_client::ManagementServiceClient;
use sqlite_engine::spool::Spool;
use sqlite_engine::{Durability, Executor, Options};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use transport::{Connection, Credentials, Limits, Listen, Revoked, Server, TaskGroup};

use crate::Error;
use crate::cache::Cache;
use crate::grpc::{Clients, Enrolment};
use crate::intake::Intake;
use crate::limits::SPOOL;
use crate::policy::Policy;
use crate::wake::WakeUps;

const CACHE_FILE: &str = "policy.db";

/// The site server, as a management point calls it.
pub(crate) type Site = ManagementServiceClient<Channel>;

#[derive(Clone, Debug)]
pub struct Config {
    pub data: PathBuf,
    pub executor: Executor,
}

#[derive(Debug)]
pub struct Deps {
    pub ambient: Ambient,
    /// None where the link itself knows its peers.
    pub credentials: Option<Credentials>,
    /// To the site server.
    pub site: Connection,
}

/// Where the role answers.
pub struct Ports {
    pub listener: Box<dyn Listen>,
    /// Health and the like.
    pub operations: Router,
    pub revoked: Revoked,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// A management point.
#[derive(Debug)]
pub struct ManagementPoint {
    point: Arc<Point>,
    credentials: Option<Credentials>,
}

/// What the parts of the role share.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) policy: Policy,
    pub(crate) intake: Intake,
    pub(crate) wake_ups: WakeUps,
    pub(crate) enrolment: EnrolmentServiceClient<Channel>,
}

impl ManagementPoint {
    /// Opens the stores below `config.data`, which must be there.
    pub fn new(config: Config, deps: Deps) -> Result<ManagementPoint, Error> {
        let Config { data, executor } = config;
        let Deps { ambient, credentials, site } = deps;
        let channel = site.channel();
        let site = ManagementServiceClient::new(channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let options = Options { executor, durability: Durability::Normal };
        let cache = Cache::open(&data.join(CACHE_FILE), options)?;
        let spool = Spool::open(&data.join("spool.db"), executor, SPOOL)?;
        let point = Point {
            intake: Intake::new(ambient.clone(), spool),
            policy: Policy { ambient, site, cache, locations: Mutex::default() },
            wake_ups: WakeUps::default(),
            enrolment: EnrolmentServiceClient::new(channel),
        };
        Ok(ManagementPoint { point: Arc::new(point), credentials })
    }

    /// Serves clients and forwards to the site server until `shutdown`.
    pub async fn run(self, ports: Ports, shutdown: CancellationToken) -> Result<(), Error> {
        let mut tasks = TaskGroup::new(&shutdown);
        tasks.spawn(|stop| {
            let server = self.server(&ports, &stop);
            async move { Ok(server.run(ports.listener, stop).await?) }
        });
        let point = self.point.clone();
        tasks.spawn(|stop| async move {
            let Point { policy, intake, wake_ups, .. } = &*point;
            intake.run(&policy.site, wake_ups, &stop).await
        });
        let point = self.point;
        tasks.spawn(|stop| async move {
            let Point { policy: Policy { ambient, site, .. }, intake, wake_ups, .. } = &*point;
            wake_ups.run(ambient, site, intake, &stop).await
        });
        tasks.join().await
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> Arc<Point> {
        self.point.clone()
    }

    fn server(&self, ports: &Ports, stop: &CancellationToken) -> Server {
        let clients = Clients { point: self.point.clone(), shutdown: stop.clone() };
        let clients = ClientServiceServer::new(clients)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let enrolment = EnrolmentServiceServer::new(Enrolment(self.point.clone()));
        let mut grpc = tonic::service::Routes::builder();
        grpc.add_service(clients).add_service(enrolment);
        let router = grpc.routes().into_axum_router().reset_fallback();
        Server {
            router: ports.operations.clone().reset_fallback().merge(router),
            credentials: self.credentials.clone(),
            limits: Limits::default(),
            revoked: ports.revoked.clone(),
        }
    }
}

/// Problems of the cache below `data`; empty if it is sound.
pub(crate) async fn check(data: &Path) -> Result<Vec<String>, Error> {
    let options = Options { executor: Executor::Inline, durability: Durability::Normal };
    Ok(Cache::open(&data.join(CACHE_FILE), options)?.check().await?)
}
