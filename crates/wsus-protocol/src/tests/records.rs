//! Every message made of records comes back as it was sent, whatever its values.

use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::record::Record;
use crate::{client, reporting, rollup, server};

/// Values for the fields of records, drawn from a seed.
pub(crate) struct Samples {
    state: u64,
}

impl Samples {
    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ mixed >> 27
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.draw() % limit
    }

    pub(crate) fn text(&mut self) -> String {
        let words = ["", "x", " & <b> ", "\r\n\t", "]]>", "\"é\u{1F600}'", "&amp;"];
        (0..self.below(3)).map(|_| words[self.below(7) as usize]).collect()
    }
}

fn check<M: Message + Record + PartialEq + Debug>(samples: &mut Samples) {
    let message = M::sample(samples);
    let text = encode(&message);
    let decoded: M = decode(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {text}"));
    assert_eq!(decoded, message);
    let endpoint = M::OPERATION;
    for path in endpoint.service.paths() {
        assert_eq!(Endpoint::find(path, &endpoint.soap_action()), Some(endpoint));
    }
}

macro_rules! check_all {
    ($samples:ident: $($message:ty),* $(,)?) => { $(check::<$message>(&mut $samples);)* };
}

proptest! {
    #[test]
    fn records_come_back(seed: u64) {
        use client::*;
        let mut samples = Samples { state: seed };
        check_all!(samples: client::GetConfig, Config, GetConfig2, GetConfig2Response,
            client::GetAuthorizationCookie, GetAuthorizationCookieResponse, client::GetCookie,
            GetCookieResponse, RegisterComputer, RegisterComputerResponse, StartCategoryScan,
            StartCategoryScanResponse, SyncUpdates, SyncInfo, SyncPrinterCatalog,
            SyncPrinterCatalogResponse, GetExtendedUpdateInfo, ExtendedUpdateInfo,
            GetExtendedUpdateInfo2, ExtendedUpdateInfo2, GetFileLocations, FileLocations,
            RefreshCache, RefreshedUpdates);
        use reporting::*;
        check_all!(samples: ReportEventBatch, ReportEventBatchResponse, ReportEventBatch2,
            ReportEventBatch2Response, GetRequiredInventoryType, GetRequiredInventoryTypeResponse,
            ReportInventory, ReportInventoryResponse);
        use rollup::*;
        check_all!(samples: GetRollupConfiguration, RollupConfiguration, RollupDownstreamServers,
            RollupDownstreamServersResponse, RollupComputers, ChangedComputers,
            GetOutOfSyncComputers, OutOfSyncComputers, RollupComputerStatus,
            RollupComputerStatusResponse);
        use server::*;
        check_all!(samples: GetUpdateDecryptionData, DecryptionData, GetDriverIdList, DriverIdList,
            GetDriverSetData, DriverSetData, GetDeployments, Deployments, DownloadFiles,
            DownloadFilesResponse, GetRelatedRevisionsForUpdates, RelatedRevisions, Ping,
            PingResponse);
    }
}

/// The service descriptions are the judge of names and order of elements; the captures extend
/// them where the native client does.
#[test]
fn every_operation_of_the_service_descriptions_is_known() {
    let name = "every_operation_of_the_service_descriptions_is_known";
    let Some(folder) = reference(name, "wsdl") else { return };
    let mut known = 0;
    for file in std::fs::read_dir(folder).expect("a folder") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        let address = text.split("address location=\"http://localhost").nth(1).expect("an address");
        let path = address.split('"').next().expect("ends").to_owned();
        for part in text.split("<soap:operation soapAction=\"").skip(1) {
            let action = part.split('"').next().expect("ends");
            // The description of this service names an address that answers nowhere.
            let path = path.replace("ServerSyncProxy", "ServerSyncWebService");
            assert!(Endpoint::find(&path, action).is_some(), "{path} {action}");
            known += 1;
        }
    }
    assert_eq!(known, 10 + 10 + 10 + 9 + 2 + 1, "operations of six descriptions");
}

#[test]
fn examples_between_servers_decode() {
    use rollup::*;
    let Some(folder) = reference("examples_between_servers_decode", "spec-examples") else {
        return;
    };
    let read = |name: &str| std::fs::read(folder.join(name)).expect("readable");
    let example = read("MS-WSUSSS-09-RollupComputers.xml");
    let computers: RollupComputers = decode(example.as_slice()).expect("decodes");
    assert_eq!(computers.cookie, Some(rollup_cookie()));
    let [computer] = computers.computers.as_slice() else { panic!("{computers:?}") };
    assert_eq!((computer.last_sync_result, computer.last_reboot), (1, WireTime::MIN));
    let details = computer.details.as_ref().expect("details");
    assert_eq!((details.suite_mask, details.client_version.as_str()), (272, "7.0.6000.354"));
    assert_eq!(details.requested_groups, ["Windows Server 2003", "Servers"]);
    let example = read("MS-WSUSSS-11-GetOutOfSyncComputers.xml");
    let asked: GetOutOfSyncComputers = decode(example.as_slice()).expect("decodes");
    assert_eq!(asked.last_rollups[0].number, 2);
    let text = |name: &str| String::from_utf8(read(name)).expect("text").replace('\n', "");
    let declared = |xml: String| format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{xml}");
    for (name, made) in [
        ("08-RollupDownstreamServers", encode(&RollupDownstreamServersResponse {})),
        ("10-RollupComputers", encode(&ChangedComputers(Vec::new()))),
        ("12-GetOutOfSyncComputers", encode(&OutOfSyncComputers(Vec::new()))),
        ("14-RollupComputerStatus", encode(&RollupComputerStatusResponse { is_accepted: true })),
    ] {
        assert_eq!(made, declared(text(&format!("MS-WSUSSS-{name}Response.xml"))));
    }
}

#[test]
fn a_server_without_drivers_answers_empty_lists() {
    let answer = encode(&server::DriverIdList { anchor: "1".into(), ..Default::default() });
    let lists = "<Anchor>1</Anchor><NewRevisions /><NewDriverSets /><RemovedDriverSets />";
    assert!(answer.contains(lists), "{answer}");
    assert!(encode(&server::DriverSetData::default()).contains("<DriverSets />"));
    let asked: server::GetDriverSetData = decode(
        envelope("<GetDriverSetData xmlns='http://www.microsoft.com/SoftwareDistribution'/>")
            .as_bytes(),
    )
    .expect("decodes");
    assert_eq!(asked.driver_sets, None);
}
