//! What the native client sent and the original server answered.

use std::path::Path;

use super::*;
use crate::client::*;
use crate::fragments::Fragments;
use crate::reporting::{ReportEventBatch, ReportEventBatchResponse};

const SCHEMA: &str = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                      xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"";

fn captures(test: &str) -> Option<PathBuf> {
    reference(test, "captures/client-server")
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).expect("the capture is readable")
}

fn read<M: Message>(text: &str) -> M {
    decode(text.as_bytes()).expect("decodes")
}

/// The element in the body, without the frame, which the native client writes in its own way.
fn content(message: &str) -> String {
    let body = message.split_once("Body").expect("a body").1.split_once('>').expect("ends").1;
    let content = body.rsplit_once("</").and_then(|(rest, _)| rest.rsplit_once("</"));
    content.expect("two end tags").0.replace(" />", "/>")
}

/// Encoding what was decoded gives the captured text, so nothing of it was lost.
#[test]
fn native_requests_decode_whole() {
    let Some(folder) = captures("native_requests_decode_whole") else { return };
    fn check<M: Message>(folder: &Path, name: &str) -> M {
        let captured = text(folder, name);
        let message: M = read(&captured);
        let again = content(&encode(&message)).replace("<EncryptedData/>", "");
        assert_eq!(again, content(&captured), "{name}");
        message
    }
    let cookie: client::GetCookie = check(&folder, "scan-000003-GetCookie.request.xml");
    assert_eq!(
        (cookie.authorization[0].data.len(), cookie.protocol_version.as_str()),
        (496, "2.90")
    );
    assert_eq!(cookie.old_cookie.map(|old| old.data.len()), Some(0));
    assert_eq!(cookie.last_change.to_string(), "2026-10-04T13:17:07.59Z");
    let asked: RegisterComputer = check(&folder, "scan-000004-RegisterComputer.request.xml");
    let computer = asked.computer;
    assert_eq!((computer.os_build, computer.client_build), (26_200, 30_012));
    assert_eq!(
        (computer.os_description.as_str(), computer.oem.as_str()),
        ("Windows 10 Pro", "QEMU")
    );
    let scan: StartCategoryScan = check(&folder, "scan-000005-StartCategoryScan.request.xml");
    let category: Uuid = "dd78b8a1-0b20-45c1-add6-4da72e9364cf".parse().expect("a GUID");
    assert_eq!(scan.requested, [CategoryRelationship { and_group: 0, category }]);
    let sync: SyncUpdates = check(&folder, "scan-000006-SyncUpdates-first.request.xml");
    let parameters = sync.parameters;
    assert_eq!(parameters.filter_categories, [CategoryId { id: category }]);
    assert!(parameters.need_two_groups && !parameters.also_regular && !parameters.skip_software);
    assert_eq!((parameters.devices, parameters.computer), (None, Some(ComputerSpec::default())));
    let more: GetExtendedUpdateInfo =
        check(&folder, "scan-000010-GetExtendedUpdateInfo.request.xml");
    assert_eq!(more.revisions, [72_571, 108_226, 108_231]);
    assert_eq!(more.fragments, [FragmentType::Extended, FragmentType::LocalizedProperties]);
    assert_eq!(
        (more.locales.join(" ").as_str(), more.geo_id.as_deref()),
        ("en-US en", Some("USA"))
    );
    let batch: ReportEventBatch = check(&folder, "flow-000018-ReportEventBatch.request.xml");
    let event = &batch.events[1];
    assert_eq!((event.basic.event, event.basic.hresult), (182, -2_145_099_769));
    let extended = event.extended.as_ref().expect("extended data");
    assert_eq!((extended.misc("G"), extended.misc("g")), (Some("1507.2601.30012.0"), None));
    assert_eq!(extended.replacement_strings[0], "0x80246007");
}

#[test]
fn original_answers_are_made_again_byte_for_byte() {
    let Some(folder) = captures("original_answers_are_made_again_byte_for_byte") else { return };
    let captured = text(&folder, "m0-000001-GetConfig.response.xml");
    let config: Config = read(&captured);
    assert_eq!(config.properties[2].value, "3.2");
    assert_eq!(encode(&config), captured);
    let captured = text(&folder, "scan-000010-GetExtendedUpdateInfo.response.xml");
    let information: ExtendedUpdateInfo = read(&captured);
    assert_eq!(information.updates.len(), 6);
    assert_eq!(encode(&information), captured);

    let captured = text(&folder, "scan-000006-SyncUpdates-first.response.xml");
    let document = folder.join("../documents/56309036-4c77-4dd9-951a-99ee9c246a94-r101.xml");
    let document = std::fs::read(document).expect("readable");
    let fragments = Fragments::derive(&document).expect("derives");
    let new_cookie = read::<SyncInfo>(&captured).new_cookie.expect("a cookie");
    let deployment = Deployment {
        id: 8_059,
        action: DeploymentAction::Evaluate,
        deadline: None,
        is_assigned: true,
        last_change: "2026-10-04T23:59:59Z".parse::<WireTime>().expect("a time").date(),
        download_priority: None,
        hardware_ids: Vec::new(),
        auto_select: Some(0),
        auto_download: Some(0),
        supersedence_behavior: Some(0),
        flag_bitmask: None,
    };
    let xml = Some(Escaped::new(&fragments.core));
    let new = UpdateInfo { id: 108_226, deployment: Some(deployment), is_leaf: false, xml };
    let made = SyncInfo {
        new: vec![new],
        new_cookie: Some(new_cookie),
        driver_sync_not_needed: Some(true),
        ..SyncInfo::default()
    };
    assert_eq!(encode(&made), captured, "with the Core fragment of the document");
}

#[test]
fn examples_of_the_client_protocol_decode() {
    let name = "examples_of_the_client_protocol_decode";
    let Some(folder) = reference(name, "spec-examples") else { return };
    let config: client::GetConfig = read(&text(&folder, "MS-WUSP-01-GetConfig.xml"));
    assert!(config.protocol_version.is_some());
    let asked: client::GetAuthorizationCookie =
        read(&text(&folder, "MS-WUSP-03-GetAuthorizationCookie.xml"));
    assert!(asked.client_id.parse::<Uuid>().is_ok() && !asked.dns_name.is_empty(), "{asked:?}");
    let refresh: RefreshCache = read(&text(&folder, "MS-WUSP-10-RefreshCache.xml"));
    assert_eq!((refresh.updates.len(), refresh.updates[1].revision), (7, 51));
    let files: GetFileLocations = read(&text(&folder, "MS-WUSP-11-GetFileLocations.xml"));
    assert_eq!(files.sha1, [[0; 20]]);
    let first: SyncUpdates = read(&text(&folder, "MS-WUSP-12-SyncUpdates.xml"));
    assert_eq!((first.parameters.devices, first.parameters.other_cached.len()), (None, 0));
    let second: SyncUpdates = read(&text(&folder, "MS-WUSP-14-SyncUpdates.xml"));
    assert_eq!(second.parameters.installed_non_leaf, [109, 191]);
    assert_eq!(second.parameters.other_cached.len(), 58);
    let answer: ReportEventBatchResponse =
        read(&text(&folder, "MS-WUSP-19-ReportEventBatchResponse.xml"));
    assert!(answer.is_accepted);
    for (name, code) in [("07", ErrorCode::ConfigChanged), ("08", ErrorCode::InvalidCookie)] {
        let fault = text(&folder, &format!("MS-WUSP-{name}-Fault.xml"));
        match decode::<GetCookieResponse>(fault.as_bytes()) {
            Err(Error::Fault(fault)) => assert_eq!(fault.code, code),
            other => panic!("a fault was expected: {other:?}"),
        }
    }
}

#[test]
fn faults_of_the_client_service_are_framed_as_it_frames_answers() {
    let id = Uuid::from_u128(9);
    let fault = Fault::new(ErrorCode::RegistrationRequired, "", id, SyncUpdates::OPERATION);
    let expected = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body{SCHEMA}>\
         <s:Fault><faultcode>s:Client</faultcode><faultstring>Fault occurred</faultstring>\
         <detail><ErrorCode>RegistrationRequired</ErrorCode><Message></Message><ID>{id}</ID>\
         <Method>\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService/\
         SyncUpdates\"</Method></detail></s:Fault></s:Body></s:Envelope>"
    );
    assert_eq!(fault.encode("http://localhost"), expected);
    match decode::<SyncInfo>(expected.as_bytes()) {
        Err(Error::Fault(read)) => assert_eq!(*read, fault),
        other => panic!("a fault was expected: {other:?}"),
    }
}

#[test]
fn order_strangers_and_nil_do_not_matter() {
    let text = envelope(&format!(
        "<SyncUpdates xmlns='{}' xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><parameters>\
         <SystemSpec><Device><Later/><CompatibleIDs><string>c</string></CompatibleIDs>\
         <HardwareIDs i:nil='true'/></Device></SystemSpec><PendingUpdateIDs><int>x</int>\
         </PendingUpdateIDs><SkipSoftwareSync> 1 </SkipSoftwareSync><CachedDriverIDs><int>-7</int>\
         <int i:nil='1'/><other/><int>8</int></CachedDriverIDs></parameters>\
         <cookie><EncryptedData>AA==</EncryptedData></cookie></SyncUpdates>",
        Service::Client.namespace()
    ));
    let SyncUpdates { cookie, parameters } = read(&text);
    assert_eq!(cookie, None, "a cookie without an expiry is none");
    assert_eq!((parameters.skip_software, parameters.is_express), (true, false));
    assert_eq!(parameters.cached_drivers, [-7, 8]);
    let devices = parameters.devices.expect("devices");
    assert_eq!((devices[0].compatible_ids.len(), devices[0].hardware_ids.len()), (1, 0));
}

#[test]
fn requests_are_refused_by_the_parameter_to_blame() {
    let refused = |operation: &str, content: &str| {
        let namespace = Service::Client.namespace();
        let text = envelope(&format!("<{operation} xmlns='{namespace}'>{content}</{operation}>"));
        let error = match operation {
            "StartCategoryScan" => decode::<StartCategoryScan>(text.as_bytes()).err(),
            _ => decode::<SyncUpdates>(text.as_bytes()).err(),
        };
        chain(&error.expect("must be refused"))
    };
    assert_eq!(refused("SyncUpdates", ""), "the message has no element parameters");
    let many = "<CategoryRelationship/>".repeat(limits::SCAN_CATEGORIES_MAX + 1);
    let many = format!("<requestedCategories>{many}</requestedCategories>");
    let list = "list requestedCategories has more than 199 items";
    assert_eq!(refused("StartCategoryScan", &many), list);
    let word = "<parameters><CachedDriverIDs><int>one</int></CachedDriverIDs></parameters>";
    assert_eq!(refused("SyncUpdates", word), "element int holds \"one\", which is not a number");
    let large = format!("<x>{}</x>", "x".repeat(5 << 20));
    assert!(refused("SyncUpdates", &large).ends_with("larger than 4194304 bytes"));
}

#[test]
fn cookies_of_computers_are_damaged_foreign_old_or_good() {
    let (key, now) = (CookieKey::new(&[7; 32]), WireTime::from_millis(1_000));
    let content = ClientCredential {
        client: Uuid::from_u128(1),
        server_id: Uuid::from_u128(2),
        expires: WireTime::from_millis(2_000),
        config_changed: WireTime::from_millis(500),
        deployments_seen: u64::MAX,
        scanned: 12,
        scan_ended: WireTime::from_millis(900),
        audience: 3,
        told_through: 1 << 40,
        protocol_version: ProtocolVersion { major: 2, minor: 90 },
    };
    let admit = |data: &[u8], server: u128, now: i64, changed: i64| {
        let cookie = Cookie { expires: WireTime::NEVER, data: data.to_vec() };
        let (now, changed) = (WireTime::from_millis(now), WireTime::from_millis(changed));
        key.admit_client(Some(&cookie), Uuid::from_u128(server), now, changed)
    };
    let sealed = key.seal_client(ClientCookieKind::Session, &content, [3; 12]);
    assert_eq!(sealed.len(), 122);
    assert_eq!(admit(&sealed, 2, 1_000, 500), Ok(content));
    assert_eq!(admit(&sealed, 3, 9_000, 900), Err(ErrorCode::ServerChanged));
    assert_eq!(admit(&sealed, 2, 2_000, 900), Err(ErrorCode::CookieExpired));
    assert_eq!(admit(&sealed, 2, 1_999, 501), Err(ErrorCode::ConfigChanged));
    let of_server = Credential {
        account: content.client,
        server_id: content.server_id,
        expires: content.expires,
        protocol_version: ProtocolVersion::CURRENT,
    };
    let mut damaged = vec![
        key.seal_client(ClientCookieKind::Authorization, &content, [4; 12]),
        key.seal(CookieKind::Session, &of_server, [5; 12]),
        CookieKey::new(&[8; 32]).seal_client(ClientCookieKind::Session, &content, [6; 12]),
        sealed.repeat(9),
    ];
    for at in 0..sealed.len() {
        damaged.push(sealed[..at].to_vec());
        damaged.push(sealed.clone());
        damaged.last_mut().expect("one")[at] ^= 1;
    }
    for cookie in damaged {
        assert_eq!(admit(&cookie, 2, 1_000, 500), Err(ErrorCode::InvalidCookie));
    }
    assert_eq!(key.open(CookieKind::Session, &sealed, now), None);
}

#[test]
fn lists_of_events_are_read_and_garbage_passed_over() {
    let misc = ["U=", "V=5; 6DA3F05A-3B0F-4E0A-8B7C-5C2B6E1F3A01 ;x", "noise"];
    let text = misc.map(|pair| format!("<string>{pair}</string>")).concat();
    let event = format!(
        "<BasicData><TimeAtTarget>2026-10-04</TimeAtTarget><EventInstanceID>{}</EventInstanceID>\
         </BasicData><ExtendedData><MiscData>{text}</MiscData></ExtendedData>",
        Uuid::nil()
    );
    let batch: ReportEventBatch = read(&envelope(&format!(
        "<ReportEventBatch xmlns='{}'><clientTime>2026-10-04</clientTime><eventBatch>\
         <ReportingEvent>{event}</ReportingEvent></eventBatch></ReportEventBatch>",
        Service::Reporting.namespace()
    )));
    let extended = batch.events[0].extended.as_ref().expect("extended data");
    let listed: Vec<Uuid> = extended.listed_updates("V").collect();
    assert_eq!(listed, ["6da3f05a-3b0f-4e0a-8b7c-5c2b6e1f3a01".parse::<Uuid>().expect("a GUID")]);
    assert_eq!((extended.misc("U"), extended.listed_updates("U").count()), (Some(""), 0));
}
