use std::io::{BufReader, Read};
use std::path::PathBuf;

use uuid::Uuid;

use super::*;

mod bombs;
mod captures;
mod compression;
mod derivation;
mod joining;
mod records;
mod round_trips;
mod scans;

pub(crate) use records::Samples;

const ACTION: &str = "\"http://www.microsoft.com/SoftwareDistribution/GetUpdateData\"";

fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>{body}</s:Body>\
         </s:Envelope>"
    )
}

fn update_data(content: &str) -> String {
    envelope(&format!(
        "<GetUpdateDataResponse xmlns='http://www.microsoft.com/SoftwareDistribution'>\
         <GetUpdateDataResult>{content}</GetUpdateDataResult></GetUpdateDataResponse>"
    ))
}

/// The whole chain of an error, as a log shows it.
fn chain(error: &Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

#[test]
fn operations_are_found_however_the_path_is_written() {
    let find = Operation::find;
    let path = "//SERVERSYNCWebService//serversyncwebservice.ASMX";
    assert_eq!(find(path, ACTION), Some(Operation::GetUpdateData));
    assert_eq!(find(path, ACTION.trim_matches('"')), Some(Operation::GetUpdateData));
    assert_eq!(find("/DssAuthWebService/DssAuthWebService.asmx", ACTION), None);
    for operation in Operation::ALL {
        assert_eq!(find(operation.path(), &operation.soap_action()), Some(operation));
    }
}

#[test]
fn content_paths_are_two_upper_digits_and_back() {
    let mut sha1 = [0xAB; 20];
    sha1[19] = 0x05;
    let path = content_path(&sha1, "Some.Update.cab");
    assert_eq!(path, format!("/Content/05/{}05.cab", "AB".repeat(19)));
    assert_eq!(parse_content_path(&path), Some(sha1));
    assert_eq!(parse_content_path(&format!("/{}", path.to_lowercase())), Some(sha1));
    assert_eq!(parse_content_path(&path.replace("/05/", "/06/")), None);
    assert_eq!(parse_content_path("/Content/05/é.cab"), None);
    assert_eq!(content_path(&sha1, "name./../x"), format!("/Content/05/{}05", "AB".repeat(19)));
}

#[test]
fn times_come_in_all_forms_and_leave_in_one() {
    let check = |text: &str, written: &str| {
        let time: WireTime = text.parse().expect("a time");
        assert_eq!(time.to_string(), written);
        assert_eq!(written.parse::<WireTime>().expect("a time"), time);
    };
    check("2026-10-04T20:33:26.65455Z", "2026-10-04T20:33:26.65455Z");
    check("2026-10-04T20:33:26", "2026-10-04T20:33:26Z");
    check("2026-10-04T20:33:26.123456789", "2026-10-04T20:33:26.1234567Z");
    check("2026-10-04T22:33:26+02:00", "2026-10-04T20:33:26Z");
    check("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.9999999Z");
    check("2026-10-04", "2026-10-04T00:00:00Z");
    check("9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59.9999999Z");
    assert_eq!(WireTime::NEVER.to_string(), "9999-12-31T23:59:59.9999999Z");
    assert_eq!(WireTime::MIN.to_string(), "0001-01-01T00:00:00Z");
    assert_eq!(WireTime::from_millis(1_500).as_millis(), 1_500);
    for text in ["", "Z", "yesterday", "2026-13-01T00:00:00Z", "2026-10-04T20:33:26+ü:00"] {
        assert!(text.parse::<WireTime>().is_err(), "{text:?}");
    }
}

#[test]
fn cookies_are_opened_only_by_their_key_kind_and_time() {
    let (key, now) = (CookieKey::new(&[7; 32]), WireTime::from_millis(1_000));
    let (account, server_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let expires = WireTime::from_millis(2_000);
    let protocol_version = ProtocolVersion::CURRENT;
    let content = Credential { account, server_id, expires, protocol_version };
    let sealed = key.seal(CookieKind::Session, &content, [3; 12]);
    assert_eq!(sealed.len(), 74);
    assert_eq!(key.open(CookieKind::Session, &sealed, now), Some(content));
    assert_eq!(key.open(CookieKind::Authorization, &sealed, now), None);
    assert_eq!(key.open(CookieKind::Session, &sealed, expires), None);
    assert_eq!(CookieKey::new(&[8; 32]).open(CookieKind::Session, &sealed, now), None);
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert_eq!(key.open(CookieKind::Session, &altered, now), None, "byte {at}");
        assert_eq!(key.open(CookieKind::Session, &sealed[..at], now), None, "cut at {at}");
    }
    let admit = |version: &str, server_id| {
        let protocol_version = version.parse()?;
        let content = Credential { protocol_version, ..content };
        let cookie = Cookie { expires, data: key.seal(CookieKind::Session, &content, [4; 12]) };
        key.admit(Some(&cookie), server_id, now).map(|content| content.account)
    };
    assert_eq!(key.admit(None, server_id, now), Err(ErrorCode::InvalidCookie));
    assert_eq!(admit("1.8", server_id), Ok(account));
    assert_eq!(admit("one", server_id), Err(ErrorCode::InvalidParameters));
    assert_eq!(admit("1.+8", server_id), Err(ErrorCode::InvalidParameters));
    assert_eq!(admit("2.0", Uuid::nil()), Err(ErrorCode::IncompatibleProtocolVersion));
    assert_eq!(admit("1.20", Uuid::nil()), Err(ErrorCode::ServerChanged));
}

#[test]
fn faults_go_both_ways_in_both_spellings() {
    let id = Uuid::from_u128(9);
    let missing = decode::<GetUpdateData>(
        envelope("<GetUpdateData xmlns='http://www.microsoft.com/SoftwareDistribution'/>")
            .as_bytes(),
    );
    let missing = missing.expect_err("updateIds is required");
    let fault = Fault::of_request(&missing, id, Operation::GetUpdateData);
    let encoded = fault.encode("http://localhost/x.asmx");
    assert!(encoded.contains("<faultcode>soap:Client</faultcode>"), "{encoded}");
    assert!(encoded.contains("<detail><ErrorCode>InvalidParameters</ErrorCode>"), "{encoded}");
    for text in [encoded.clone(), encoded.replace("detail>", "Detail>")] {
        match decode::<UpdateData>(text.as_bytes()) {
            Err(Error::Fault(read)) => assert_eq!(*read, fault),
            other => panic!("a fault was expected: {other:?}"),
        }
    }
    assert_eq!(fault.message, "updateIds");
    assert_eq!(fault.method, ACTION);
}

#[test]
fn a_peer_may_speak_the_later_soap() {
    let version = SoapVersion::of("Application/SOAP+xml; charset=utf-8");
    assert_eq!((version, SoapVersion::of("text/xml")), (SoapVersion::V12, SoapVersion::V11));
    let framed = version.frame(encode(&GetUpdateData { cookie: None, updates: Vec::new() }));
    assert!(framed.contains("xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\""), "{framed}");
    decode::<GetUpdateData>(framed.as_bytes()).expect("is read");
    let endpoint = Some(GetUpdateData::OPERATION);
    let path = GetUpdateData::OPERATION.path();
    let named = format!("application/soap+xml; action={ACTION}; charset=utf-8");
    assert_eq!(version.endpoint(path, "", &named, b""), endpoint);
    assert_eq!(version.endpoint(path, "", "", framed.as_bytes()), endpoint);
    assert_eq!(version.endpoint(path, "", "", b"<a/>"), None);
    assert_eq!(SoapVersion::V11.endpoint(path, ACTION, &named, b""), endpoint);
    assert_eq!(SoapVersion::V11.endpoint(path, "", &named, framed.as_bytes()), None);
    let id = Uuid::from_u128(9);
    let fault = Fault::new(ErrorCode::ServerBusy, "", id, GetUpdateData::OPERATION);
    let encoded = fault.encode_12();
    assert!(encoded.contains("<soap:Value>soap:Receiver</soap:Value>"), "{encoded}");
    assert!(encoded.contains("<Detail><ErrorCode>ServerBusy</ErrorCode><Message>"), "{encoded}");
    match decode::<UpdateData>(encoded.as_bytes()) {
        Err(Error::Fault(read)) => assert_eq!(*read, fault),
        other => panic!("a fault was expected: {other:?}"),
    }
}

#[test]
fn decoding_is_blind_to_order_and_strangers() {
    let text = envelope(
        "<GetConfigDataResponse xmlns='http://www.microsoft.com/SoftwareDistribution'>\
         <x/><GetConfigDataResult xmlns:i='http://www.w3.org/2001/XMLSchema-instance'>\
         <Stranger><MaxNumberOfUpdatesPerRequest>x</MaxNumberOfUpdatesPerRequest></Stranger>\
         <ProtocolVersion i:nil='true'>9</ProtocolVersion>\
         <MaxNumberOfUpdatesPerRequest> 7 </MaxNumberOfUpdatesPerRequest>\
         <LazySync>1</LazySync></GetConfigDataResult></GetConfigDataResponse>",
    );
    let data: ConfigData = decode(text.as_bytes()).expect("decodes");
    assert_eq!((data.updates_max, data.lazy_sync, data.catalog_only_sync), (7, true, false));
    assert_eq!(data.protocol_version, "");
    let zero = decode::<ConfigData>(text.replace(" 7 ", "0").as_bytes()).expect_err("0 updates");
    assert_eq!(
        chain(&zero),
        "element MaxNumberOfUpdatesPerRequest holds \"0\", which is not at least 1"
    );
}

#[test]
fn hostile_messages_get_clear_errors() {
    let good = update_data("<updates/>");
    decode::<UpdateData>(good.as_bytes()).expect("the frame itself is good");
    for at in (0..good.len()).filter(|at| good.is_char_boundary(*at)) {
        decode::<UpdateData>(&good.as_bytes()[..at]).expect_err("truncated");
    }
    let refused = |text: &str| chain(&decode::<UpdateData>(text.as_bytes()).expect_err("hostile"));
    let acceptable = "the message is not acceptable XML: line 1, column 1: document type";
    assert!(refused(&format!("<!DOCTYPE a>{good}")).starts_with(acceptable));
    assert!(refused(&update_data("&lol;")).contains("entity \"lol\" is not accepted"));
    assert!(refused(&update_data(&"<a>".repeat(10_000))).contains("more than 32 deep"));
    assert!(refused(&update_data(&"<a/>".repeat(250_001))).contains("more than 250000 elements"));
    assert_eq!(refused(&good.replace("Envelope", "E")), "the message has no element Envelope");
    let item = "<updates><ServerSyncUpdateData><Id><UpdateID>?</UpdateID></Id><XmlUpdateBlob/>\
                </ServerSyncUpdateData></updates>";
    assert_eq!(refused(&update_data(item)), "element UpdateID holds \"?\", which is not a GUID");
}

/// A body of one gigabyte in one text, refused after the budget for a text has been read.
#[test]
fn a_gigabyte_of_text_is_not_buffered() {
    let start = update_data("<updates><ServerSyncUpdateData><XmlUpdateBlob>@");
    let start = start.split('@').next().expect("has a start").to_owned();
    let endless = std::io::Cursor::new(start).chain(std::io::repeat(b'x').take(1 << 30));
    let mut input = BufReader::new(endless);
    let error = decode::<UpdateData>(&mut input).expect_err("too large");
    assert!(chain(&error).contains("larger than 8388608 bytes"), "{}", chain(&error));
    assert!(input.get_ref().get_ref().1.limit() > (1 << 30) - (9 << 20), "read past the budget");
}

#[test]
fn documents_are_compressed_beyond_the_threshold_and_equal_ones_alike() {
    let at = "x".repeat(limits::PLAIN_DOCUMENT_BYTES_MAX / 2);
    assert_eq!(Blob::pack(&at).expect("packs"), Blob::Plain(at.clone()));
    let above = format!("<\u{1F600}{at}>");
    let packed = Blob::pack(&above).expect("packs");
    let Blob::Compressed(cabinet) = &packed else { panic!("{packed:?} is not compressed") };
    assert_eq!(cabinet[54..58], [0x21, 0, 0, 0], "date and time are fixed");
    assert_eq!(packed.unpack().expect("unpacks"), above);
    let monotonous = "x".repeat(1 << 20);
    assert_eq!(Blob::pack(&monotonous).expect("packs"), Blob::Plain(monotonous));
}

#[test]
fn cabinets_that_swell_or_lie_are_refused() {
    let blob = |content: &[u8]| blob::write_cabinet(content).expect("a cabinet");
    let refused =
        |cabinet: Vec<u8>| chain(&Blob::Compressed(cabinet).unpack().expect_err("must be refused"));
    let bomb = "the compressed document cannot be unpacked: it is too large, or too large for its \
                compressed size";
    assert_eq!(refused(blob(&vec![0; 4 << 20])), bomb);
    let honest = blob(b"x\0y\0");
    let with = |at: usize, value: &[u8]| {
        let mut cabinet = honest.clone();
        cabinet[at..at + value.len()].copy_from_slice(value);
        cabinet
    };
    assert_eq!(Blob::Compressed(honest.clone()).unpack().expect("unpacks"), "xy");
    let outside = "a file lies outside of its folder";
    assert!(refused(with(44, &(33_u32 << 20).to_le_bytes())).ends_with(outside));
    assert!(refused(with(44, &5_u32.to_le_bytes())).ends_with(outside));
    assert!(refused(with(48, &[1])).ends_with(outside));
    assert!(refused(with(48, &u32::MAX.to_le_bytes())).ends_with(outside));
    assert!(refused(with(52, &[1])).ends_with(outside));
    assert!(refused(with(44, &3_u32.to_le_bytes())).ends_with("one file and nothing else"));
    assert!(refused(with(60, b"glob")).ends_with("not named \"blob\""));
    assert!(refused(with(72, &[0x90])).ends_with("lies about its size"));
    assert!(refused(with(42, &[0])).ends_with("lies about its size"));
    assert!(refused(with(42, &[3, 25])).ends_with("wants too much memory"));
    assert!(refused(with(30, &[1])).ends_with("one of several cabinets"));
    assert!(refused(blob(b"odd")).ends_with("not UTF-16"));
    for at in 0..honest.len() {
        refused(honest[..at].to_vec());
    }
}

/// The reference data, or nothing and a note for the test run's summary.
fn reference(test: &str, path: &str) -> Option<PathBuf> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::env::var_os("TIERLINE_REFERENCE_DATA")
        .map_or_else(|| workspace.join("../shared/data"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    let skipped = workspace.join("target/skipped");
    std::fs::create_dir_all(&skipped).expect("the target directory is writable");
    let reason = format!("{} is missing", found.display());
    std::fs::write(skipped.join(test), reason).expect("the target directory is writable");
    None
}
