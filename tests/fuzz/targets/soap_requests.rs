//! What servers read: the requests of every operation.
#![no_main]

use fuzz::check;
use wsus_protocol::client::{self, *};
use wsus_protocol::reporting::*;
use wsus_protocol::rollup::*;
use wsus_protocol::server::*;
use wsus_protocol::{self as wsus, Endpoint, Message};

macro_rules! requests {
    ($($request:ty),* $(,)?) => {
        const REQUESTS: &[(Endpoint, fn(&[u8]))] =
            &[$((<$request as Message>::OPERATION, check::<$request>)),*];
    };
}

requests!(
    wsus::GetAuthConfig,
    wsus::GetAuthorizationCookie,
    wsus::GetCookie,
    wsus::GetConfigData,
    wsus::GetRevisionIdList,
    wsus::GetUpdateData,
    GetUpdateDecryptionData,
    GetDriverIdList,
    GetDriverSetData,
    GetDeployments,
    DownloadFiles,
    GetRelatedRevisionsForUpdates,
    Ping,
    client::GetAuthorizationCookie,
    GetConfig,
    GetConfig2,
    client::GetCookie,
    RegisterComputer,
    StartCategoryScan,
    SyncUpdates,
    SyncPrinterCatalog,
    RefreshCache,
    GetExtendedUpdateInfo,
    GetExtendedUpdateInfo2,
    GetFileLocations,
    ReportEventBatch,
    ReportEventBatch2,
    GetRequiredInventoryType,
    ReportInventory,
    GetRollupConfiguration,
    RollupDownstreamServers,
    RollupComputers,
    GetOutOfSyncComputers,
    RollupComputerStatus,
);

/// For operations of which no real message is there: the bare element.
fn bare(endpoint: Endpoint) -> Vec<u8> {
    let (name, space) = (endpoint.name(), endpoint.namespace());
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    format!(
        "<s:Envelope xmlns:s=\"{soap}\"><s:Body><{name} xmlns=\"{space}\"><cookie><Expiration>\
         2026-01-01</Expiration><EncryptedData>AA==</EncryptedData></cookie></{name}></s:Body>\
         </s:Envelope>"
    )
    .into_bytes()
}

libfuzzer_sys::fuzz_target!(
    init: {
        for endpoint in Endpoint::all() {
            assert!(REQUESTS.iter().any(|(known, _)| *known == endpoint), "{endpoint:?}");
        }
        fuzz::fill(|| {
            let mut seeds = fuzz::reference("captures", "request.xml");
            seeds.extend(fuzz::reference("soap-templates", ".xml"));
            seeds.extend(fuzz::reference("spec-examples", ".xml"));
            seeds.extend(Endpoint::all().map(bare));
            seeds
        });
    },
    |data: &[u8]| REQUESTS.iter().for_each(|(_, check)| check(data))
);
