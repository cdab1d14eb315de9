//! What clients read: the answers to every operation, and faults.
#![no_main]

use fuzz::check;
use wsus_protocol::client::{self, *};
use wsus_protocol::reporting::*;
use wsus_protocol::rollup::*;
use wsus_protocol::server::*;
use wsus_protocol::{self as wsus, Endpoint, Error, Message};

macro_rules! answers {
    ($($answer:ty),* $(,)?) => {
        const ANSWERS: &[(Endpoint, fn(&[u8]))] =
            &[$((<$answer as Message>::OPERATION, check::<$answer>)),*];
    };
}

answers!(
    wsus::AuthConfig,
    wsus::AuthorizationCookie,
    wsus::Cookie,
    wsus::ConfigData,
    wsus::RevisionIdList,
    wsus::UpdateData,
    DecryptionData,
    DriverIdList,
    DriverSetData,
    Deployments,
    DownloadFilesResponse,
    RelatedRevisions,
    PingResponse,
    GetAuthorizationCookieResponse,
    client::Config,
    GetConfig2Response,
    GetCookieResponse,
    RegisterComputerResponse,
    StartCategoryScanResponse,
    SyncInfo,
    SyncPrinterCatalogResponse,
    RefreshedUpdates,
    ExtendedUpdateInfo,
    ExtendedUpdateInfo2,
    FileLocations,
    ReportEventBatchResponse,
    ReportEventBatch2Response,
    GetRequiredInventoryTypeResponse,
    ReportInventoryResponse,
    RollupConfiguration,
    RollupDownstreamServersResponse,
    ChangedComputers,
    OutOfSyncComputers,
    RollupComputerStatusResponse,
);

fn fault(data: &[u8]) {
    if let Err(Error::Fault(fault)) = wsus::decode::<wsus::AuthConfig>(data) {
        let written = fault.encode("http://localhost/");
        let again = wsus::decode::<wsus::AuthConfig>(written.as_bytes());
        assert!(matches!(again, Err(Error::Fault(_))), "a written fault is read as one");
    }
}

libfuzzer_sys::fuzz_target!(
    init: {
        for endpoint in Endpoint::all() {
            assert!(ANSWERS.iter().any(|(known, _)| *known == endpoint), "{endpoint:?}");
        }
        fuzz::fill(|| {
            let mut seeds = fuzz::reference("captures", "response.xml");
            seeds.extend(fuzz::reference("captures", "fault.xml"));
            seeds.extend(fuzz::reference("spec-examples", ".xml"));
            seeds
        });
    },
    |data: &[u8]| {
        ANSWERS.iter().for_each(|(_, check)| check(data));
        fault(data);
    }
);
