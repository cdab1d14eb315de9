//! What servers ask each other beside the catalog.

use tokio::time::timeout;
use wsus_protocol::rollup::{
    ClientSummary, DownstreamServer, GetOutOfSyncComputers, GetRollupConfiguration,
    OutOfSyncComputers, RollupConfiguration, RollupDownstreamServers,
    RollupDownstreamServersResponse, rollup_cookie,
};
use wsus_protocol::server::*;
use wsus_protocol::{ErrorCode, Filter, GetRevisionIdList, RevisionIdList, WireTime};

use super::protocol::{call_for, cookie};
use super::*;
use crate::downloads;

fn refused<T>(code: ErrorCode, message: &str) -> Result<T, (ErrorCode, String)> {
    Err((code, message.to_owned()))
}

#[tokio::test]
async fn there_are_no_keys_no_drivers_and_no_relations() {
    let (url, _tasks) = Bench::new().await.serve().await;
    let cookie = Some(cookie(&url, "1.20").await.expect("a cookie"));
    let keys = async |count: usize| {
        let (cookie, updates) = (cookie.clone(), vec![wire(1); count]);
        call_for::<_, DecryptionData>(&url, &GetUpdateDecryptionData { cookie, updates }).await
    };
    assert_eq!(keys(100).await, Ok(DecryptionData::default()));
    assert_eq!(keys(101).await, refused(ErrorCode::InvalidParameters, "updateIds"));

    let drivers = async |filter: DriverFilter| {
        let request = GetDriverIdList { cookie: cookie.clone(), filter };
        call_for::<_, DriverIdList>(&url, &request).await
    };
    let none = drivers(DriverFilter::default()).await.expect("an empty list");
    let again = DriverFilter { anchor: Some(none.anchor.clone()), ..DriverFilter::default() };
    assert_eq!(drivers(again).await, Ok(none.clone()));
    assert_eq!(none, DriverIdList { anchor: none.anchor.clone(), ..DriverIdList::default() });
    let devices = vec![HardwareIdAndDelta { id: "pci\\ven_1".to_owned(), delta: false }];
    let wrong = refused(ErrorCode::InvalidParameters, "filter");
    assert_eq!(drivers(DriverFilter { devices, ..DriverFilter::default() }).await, wrong);
    let anchor = Some("garbage".to_owned());
    assert_eq!(drivers(DriverFilter { anchor, ..DriverFilter::default() }).await, wrong);

    let sets = async |driver_sets: Option<Vec<Uuid>>| {
        let request = GetDriverSetData { cookie: cookie.clone(), driver_sets };
        call_for::<_, DriverSetData>(&url, &request).await
    };
    assert_eq!(sets(Some(Vec::new())).await, Ok(DriverSetData::default()));
    assert_eq!(sets(None).await, refused(ErrorCode::InvalidParameters, "driverSets"));
    let many = sets(Some(vec![Uuid::nil()])).await;
    assert_eq!(many, refused(ErrorCode::TooManyIds, "driverSets"));

    let request = GetRelatedRevisionsForUpdates { cookie, updates: vec![Uuid::nil()] };
    assert_eq!(call_for(&url, &request).await, Ok(RelatedRevisions(Vec::new())));
    let request = GetRelatedRevisionsForUpdates { cookie: None, updates: Vec::new() };
    let uninvited = call_for::<_, RelatedRevisions>(&url, &request).await;
    assert_eq!(uninvited, refused(ErrorCode::InvalidCookie, ""));
}

#[tokio::test]
async fn a_replica_learns_of_the_groups_there_always_are() {
    let bench = Bench::new().await;
    let (url, _tasks) = bench.serve().await;
    let cookie = Some(cookie(&url, "1.20").await.expect("a cookie"));
    let filter = Filter::default();
    let request = GetRevisionIdList { cookie: cookie.clone(), filter };
    let list: RevisionIdList = call_for(&url, &request).await.expect("a list");
    let ask = async |since: Option<&str>, until: Option<&str>| {
        let deployment_anchor = since.map(str::to_owned);
        let sync_anchor = until.map(str::to_owned);
        let request = GetDeployments { cookie: cookie.clone(), deployment_anchor, sync_anchor };
        call_for::<_, Deployments>(&url, &request).await
    };
    let told = ask(None, Some(&list.anchor)).await.expect("deployments");
    let names: Vec<&str> = told.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["All Computers", "Unassigned Computers"]);
    assert_eq!(told.groups[1].parent_id, told.groups[0].id);
    let (anchor, groups) = (list.anchor.clone(), told.groups.clone());
    assert_eq!(told, Deployments { anchor, groups, ..Deployments::default() });
    assert_eq!(ask(Some(&told.anchor), Some(&list.anchor)).await, Ok(told.clone()));
    let wrong = |parameter| refused(ErrorCode::InvalidParameters, parameter);
    assert_eq!(ask(None, None).await, wrong("syncAnchor"));
    assert_eq!(ask(None, Some("")).await, wrong("syncAnchor"));
    assert_eq!(ask(None, Some("1")).await, wrong("syncAnchor"));
    assert_eq!(ask(Some("1"), Some(&list.anchor)).await, wrong("deploymentAnchor"));
    let replaced = format!("1,{}", Uuid::nil());
    assert_eq!(ask(None, Some(&replaced)).await, refused(ErrorCode::ServerChanged, ""));
}

#[tokio::test]
async fn files_a_server_misses_are_fetched_from_the_one_above() {
    let (upstream, bench) = (Bench::new().await, Bench::new().await);
    let named = file(&upstream, "a.cab", b"content of a").await;
    let mut owner = update(1, "Anvil");
    owner.files.push(named.clone());
    upstream.import(&[owner]).await;
    let (above, _above) = upstream.serve().await;
    bench.synchronize(&everything(&above)).await.expect("synchronizes");
    let (url, mut tasks) = bench.serve().await;
    let cookie = Some(cookie(&url, "1.20").await.expect("a cookie"));
    let ask = async |sha1: Vec<[u8; 20]>| {
        let request = DownloadFiles { cookie: cookie.clone(), sha1 };
        call_for::<_, DownloadFilesResponse>(&url, &request).await
    };
    let wrong = refused(ErrorCode::InvalidParameters, "fileDigestList");
    assert_eq!(ask(Vec::new()).await, wrong);
    assert_eq!(ask(vec![named.sha1.0; 101]).await, wrong);
    let missing = "AQEBAQEBAQEBAQEBAQEBAQEBAQE=|AgICAgICAgICAgICAgICAgICAgI=";
    let missing = refused(ErrorCode::FileDigestsMissing, missing);
    assert_eq!(ask(vec![[1; 20], named.sha1.0, [2; 20]]).await, missing);
    assert_eq!(ask(vec![named.sha1.0]).await, Ok(DownloadFilesResponse {}));

    let (point, stop) = (bench.point.clone(), CancellationToken::new());
    tasks.spawn(async move { downloads::run(&point, &stop).await.expect("never fails") });
    let arrives = async {
        while bench.point.library.find(&(&named).into()).await.expect("reads").is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(std::time::Duration::from_secs(60), arrives).await.expect("the file arrives");
}

#[tokio::test]
async fn downstream_servers_report_summaries_alone() {
    let bench = Bench::new().await;
    let (url, _tasks) = bench.serve().await;
    let request = GetRollupConfiguration { cookie: Some(rollup_cookie()) };
    let told: RollupConfiguration = call_for(&url, &request).await.expect("a configuration");
    assert_eq!((told.is_detailed, told.server_id), (false, bench.point.server_id));
    assert_eq!((told.downstream_servers_max, told.computers_max), (5_000, 1_500));
    assert_eq!((told.out_of_sync_computers_max, told.computer_statuses_max), (20_000, 500));

    let summary = ClientSummary {
        os_major: 10,
        os_minor: 0,
        os_build: 26_100,
        os_service_pack_major: 0,
        os_service_pack_minor: 0,
        os_locale: "en-US".to_owned(),
        suite_mask: 0,
        old_product_type: 0,
        new_product_type: 0,
        system_metrics: 0,
        processor_architecture: "AMD64".to_owned(),
        count: 3,
        activities: Vec::new(),
    };
    let report = async |summaries: usize| {
        let server = DownstreamServer {
            server_id: Uuid::from_u128(7),
            domain_name: "branch.example.com".to_owned(),
            last_sync: WireTime::from_millis(NOW_MS),
            parent_id: Uuid::nil(),
            version: "10.0.26100.1".to_owned(),
            is_replica: false,
            last_rollup: WireTime::MIN,
            summary: None,
            clients: vec![summary.clone(); summaries],
        };
        let (client_time, servers) = (WireTime::from_millis(NOW_MS), vec![server]);
        let cookie = Some(rollup_cookie());
        let request = RollupDownstreamServers { cookie, client_time, servers };
        call_for::<_, RollupDownstreamServersResponse>(&url, &request).await
    };
    assert_eq!(report(5_000).await, Ok(RollupDownstreamServersResponse {}));
    let many = report(5_001).await;
    assert_eq!(many, refused(ErrorCode::InvalidParameters, "downstreamServers"));
    let (cookie, parent_id) = (Some(rollup_cookie()), Uuid::nil());
    let request = GetOutOfSyncComputers { cookie, parent_id, last_rollups: Vec::new() };
    let detailed = call_for::<_, OutOfSyncComputers>(&url, &request).await;
    assert_eq!(detailed, refused(ErrorCode::InvalidParameters, "DoDetailedRollup"));
}
