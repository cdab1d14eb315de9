//! Where each operation lives: path, namespace and SOAPAction (MS-WSUSSS 2.1, MS-WUSP 2.1).

use crate::limits::{
    CLIENT_ANSWER_BYTES_MAX, CLIENT_ANSWER_NODES_MAX, CLIENT_REQUEST_BYTES_MAX, MESSAGE_BYTES_MAX,
    MESSAGE_ELEMENTS_MAX,
};

const SERVER_SYNC: &str = "/ServerSyncWebService/ServerSyncWebService.asmx";
const DSS_AUTH: &str = "/DssAuthWebService/DssAuthWebService.asmx";
const SIMPLE_AUTH: &str = "/SimpleAuthWebService/SimpleAuth.asmx";
const CLIENT: &str = "/ClientWebService/Client.asmx";
/// The first is what computers call, the second what the service description says.
const REPORTING: [&str; 2] =
    ["/ReportingWebService/ReportingWebService.asmx", "/ReportingWebService/WebService.asmx"];

/// A web service: its paths, its namespace, and how it frames what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    ServerSync,
    DssAuth,
    SimpleAuth,
    Client,
    Reporting,
    /// The one operation that all services share.
    Monitor,
}

impl Service {
    /// The path to call comes first.
    #[must_use]
    pub fn paths(self) -> &'static [&'static str] {
        match self {
            Service::ServerSync => &[SERVER_SYNC],
            Service::DssAuth => &[DSS_AUTH],
            Service::SimpleAuth => &[SIMPLE_AUTH],
            Service::Client => &[CLIENT],
            Service::Reporting => &REPORTING,
            Service::Monitor => {
                &[SERVER_SYNC, DSS_AUTH, SIMPLE_AUTH, CLIENT, REPORTING[0], REPORTING[1]]
            }
        }
    }

    #[must_use]
    pub fn namespace(self) -> &'static str {
        match self {
            Service::ServerSync | Service::Reporting => {
                "http://www.microsoft.com/SoftwareDistribution"
            }
            Service::DssAuth => {
                "http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService"
            }
            Service::SimpleAuth => {
                "http://www.microsoft.com/SoftwareDistribution/Server/SimpleAuthWebService"
            }
            Service::Client => {
                "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService"
            }
            Service::Monitor => "http://www.microsoft.com/SoftwareDistribution/Server/IMonitorable",
        }
    }

    /// Bytes of a request; computers ask for less than servers.
    pub(crate) const fn request_bytes_max(self) -> u64 {
        match self {
            Service::Client | Service::SimpleAuth | Service::Monitor => CLIENT_REQUEST_BYTES_MAX,
            Service::ServerSync | Service::DssAuth | Service::Reporting => MESSAGE_BYTES_MAX,
        }
    }

    /// Bytes of an answer, and what of it may become one tree.
    pub(crate) const fn answer_max(self) -> (u64, usize) {
        match self {
            Service::Client | Service::SimpleAuth | Service::Monitor => {
                (CLIENT_ANSWER_BYTES_MAX, CLIENT_ANSWER_NODES_MAX)
            }
            Service::ServerSync | Service::DssAuth | Service::Reporting => {
                (MESSAGE_BYTES_MAX, MESSAGE_ELEMENTS_MAX)
            }
        }
    }
}

/// One operation of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    pub service: Service,
    pub name: &'static str,
}

/// The operations of each service.
const OPERATIONS: [(Service, &str); 6] = [
    (
        Service::ServerSync,
        "GetAuthConfig GetCookie GetConfigData GetRevisionIdList GetUpdateData \
         GetUpdateDecryptionData GetDriverIdList GetDriverSetData GetDeployments DownloadFiles \
         GetRelatedRevisionsForUpdates",
    ),
    (Service::DssAuth, "GetAuthorizationCookie"),
    (Service::SimpleAuth, "GetAuthorizationCookie"),
    (
        Service::Client,
        "GetConfig GetConfig2 GetCookie RegisterComputer StartCategoryScan SyncUpdates \
         SyncPrinterCatalog RefreshCache GetExtendedUpdateInfo GetExtendedUpdateInfo2 \
         GetFileLocations",
    ),
    (
        Service::Reporting,
        "ReportEventBatch ReportEventBatch2 GetRequiredInventoryType ReportInventory \
         GetRollupConfiguration RollupDownstreamServers RollupComputers GetOutOfSyncComputers \
         RollupComputerStatus",
    ),
    (Service::Monitor, "Ping"),
];

const fn at(service: Service, name: &'static str) -> Endpoint {
    Endpoint { service, name }
}

impl Endpoint {
    /// Every operation of the service descriptions, and those the specification adds in prose.
    pub fn all() -> impl Iterator<Item = Endpoint> {
        let named = |(service, names): (Service, &'static str)| {
            names.split_whitespace().map(move |name| at(service, name))
        };
        OPERATIONS.into_iter().flat_map(named)
    }

    /// The operation a request asks for, if path and SOAPAction belong to one.
    #[must_use]
    pub fn find(path: &str, soap_action: &str) -> Option<Endpoint> {
        let path = normalize_path(path);
        let action = soap_action.trim().trim_matches('"');
        let (namespace, name) = action.rsplit_once('/')?;
        Endpoint::all().find(|endpoint| {
            endpoint.name.eq_ignore_ascii_case(name)
                && endpoint.service.namespace().eq_ignore_ascii_case(namespace)
                && endpoint.service.paths().iter().any(|known| path.eq_ignore_ascii_case(known))
        })
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    #[must_use]
    pub fn path(self) -> &'static str {
        self.service.paths()[0]
    }

    #[must_use]
    pub fn namespace(self) -> &'static str {
        self.service.namespace()
    }

    /// The value of the SOAPAction header, in its quotes.
    #[must_use]
    pub fn soap_action(self) -> String {
        format!("\"{}/{}\"", self.namespace(), self.name)
    }
}

/// The operations a complete synchronization needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    GetAuthConfig,
    GetAuthorizationCookie,
    GetCookie,
    GetConfigData,
    GetRevisionIdList,
    GetUpdateData,
}

impl From<Operation> for Endpoint {
    fn from(operation: Operation) -> Endpoint {
        operation.endpoint()
    }
}

impl Operation {
    pub const ALL: [Operation; 6] = [
        Operation::GetAuthConfig,
        Operation::GetAuthorizationCookie,
        Operation::GetCookie,
        Operation::GetConfigData,
        Operation::GetRevisionIdList,
        Operation::GetUpdateData,
    ];

    #[must_use]
    pub const fn endpoint(self) -> Endpoint {
        match self {
            Operation::GetAuthConfig => at(Service::ServerSync, "GetAuthConfig"),
            Operation::GetAuthorizationCookie => at(Service::DssAuth, "GetAuthorizationCookie"),
            Operation::GetCookie => at(Service::ServerSync, "GetCookie"),
            Operation::GetConfigData => at(Service::ServerSync, "GetConfigData"),
            Operation::GetRevisionIdList => at(Service::ServerSync, "GetRevisionIdList"),
            Operation::GetUpdateData => at(Service::ServerSync, "GetUpdateData"),
        }
    }

    /// The operation a request asks for, if path and SOAPAction belong to one.
    #[must_use]
    pub fn find(path: &str, soap_action: &str) -> Option<Operation> {
        let endpoint = Endpoint::find(path, soap_action)?;
        Operation::ALL.into_iter().find(|operation| operation.endpoint() == endpoint)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        self.endpoint().name
    }

    #[must_use]
    pub fn path(self) -> &'static str {
        self.endpoint().path()
    }

    #[must_use]
    pub fn namespace(self) -> &'static str {
        self.endpoint().namespace()
    }

    /// The value of the SOAPAction header, in its quotes.
    #[must_use]
    pub fn soap_action(self) -> String {
        self.endpoint().soap_action()
    }
}

/// The form in which paths are compared: lower case and without repeated slashes, which come of
/// joining a base address and a relative service address.
#[must_use]
pub fn normalize_path(path: &str) -> String {
    let mut normal = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !normal.ends_with('/') {
            normal.push(c.to_ascii_lowercase());
        }
    }
    normal
}
