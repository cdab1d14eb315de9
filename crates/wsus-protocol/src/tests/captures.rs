//! What real servers sent, and the examples of the specification.

use super::*;

fn decode_file<M: Message>(folder: &std::path::Path, name: &str) -> Result<M, Error> {
    decode(std::fs::read(folder.join(name)).expect("the capture is readable").as_slice())
}

fn fault_of(answer: Result<impl std::fmt::Debug, Error>) -> Fault {
    match answer {
        Err(Error::Fault(fault)) => *fault,
        other => panic!("a fault was expected: {other:?}"),
    }
}

#[test]
fn captured_answers_decode() {
    let name = "captured_answers_decode";
    let Some(folder) = reference(name, "captures/server-server") else { return };
    let file = |name| folder.join(name);
    let config: AuthConfig =
        decode_file(&folder, "000001-GetAuthConfig.response.xml").expect("decodes");
    assert_eq!(config.last_change.to_string(), "2026-10-04T13:16:35.433Z");
    assert_eq!(config.plug_ins[0].service_url, "DssAuthWebService/DssAuthWebService.asmx");
    let captured = std::fs::read_to_string(file("000001-GetAuthConfig.response.xml"));
    assert_eq!(encode(&config), captured.expect("readable"), "framed as the original server does");

    let request: GetAuthorizationCookie =
        decode_file(&folder, "000002-DssGetAuthorizationCookie.request.xml").expect("decodes");
    assert_eq!(request.account_name, "probe.lab.invalid");
    let cookie: Cookie = decode_file(&folder, "000003-GetCookie.response.xml").expect("decodes");
    assert_eq!(cookie.expires.to_string(), "2026-10-04T20:33:26.65455Z");
    let list: GetRevisionIdList =
        decode_file(&folder, "000009-GetRevisionIdList-product-and-class.request.xml")
            .expect("decodes");
    assert_eq!(list.cookie, Some(cookie));
    assert_eq!(list.filter.categories.map(|list| list.len()), Some(1));
    assert_eq!((list.filter.anchor, list.filter.languages), (None, None));
}

#[test]
fn both_orders_of_configuration_decode() {
    let name = "both_orders_of_configuration_decode";
    let Some(folder) = reference(name, "captures/server-server") else { return };
    let windows: ConfigData =
        decode_file(&folder, "000005-GetConfigData.response.xml").expect("decodes");
    let public: ConfigData =
        decode_file(&folder, "microsoft-update-GetConfigData.response.xml").expect("decodes");
    assert_eq!((windows.updates_max, windows.hardware_ids_max), (100, 0));
    assert_eq!((public.updates_max, public.hardware_ids_max), (100, 450));
    assert_eq!((windows.languages.len(), public.languages.len()), (39, 39));
    assert_eq!((windows.decryption_updates_max, public.decryption_updates_max), (100, 500));
    assert_eq!(windows.anchor, "9438,2026-10-04 16:33:26.670");
    let captured = std::fs::read_to_string(folder.join("000005-GetConfigData.response.xml"));
    assert_eq!(encode(&windows), captured.expect("readable"), "in the order of the WSDL");
}

#[test]
fn the_captured_document_is_unpacked_exactly() {
    let name = "the_captured_document_is_unpacked_exactly";
    let Some(folder) = reference(name, "captures/server-server") else { return };
    let data: UpdateData =
        decode_file(&folder, "000014-GetUpdateData-leaf-with-file.response.xml").expect("decodes");
    let [update] = data.updates.as_slice() else { panic!("one update: {data:?}") };
    let update_id = update.identity.update_id.to_string();
    let document = format!("../documents/{update_id}-r{}.xml", update.identity.revision);
    let document = std::fs::read_to_string(folder.join(document)).expect("readable");
    let cabinet = std::fs::read(folder.join("000014-blob.cab")).expect("readable");
    assert_eq!(update.document, Blob::Compressed(cabinet));
    let unpacked = update.document.unpack().expect("LZX is read");
    assert_eq!(unpacked.encode_utf16().count(), 14_578);
    assert_eq!(unpacked, document);
    assert_eq!(update.file_digests, [data.file_urls[0].sha1]);
    assert!(data.file_urls[0].public_url.starts_with("http://download.windowsupdate.com/"));
}

#[test]
fn captured_faults_decode() {
    let name = "captured_faults_decode";
    let Some(folder) = reference(name, "captures/server-server") else { return };
    let file = "000017-GetUpdateData-unknown-id.fault.xml";
    let fault = fault_of(decode_file::<UpdateData>(&folder, file));
    assert_eq!(
        (fault.code.clone(), fault.method.as_str()),
        (ErrorCode::InternalServerError, ACTION)
    );
    let captured = std::fs::read_to_string(folder.join(file)).expect("readable");
    let actor = "http://127.0.0.1:8530/ServerSyncWebService/ServerSyncWebService.asmx";
    assert_eq!(fault.encode(actor), captured, "framed as the original server does");
    let file = "000018-GetRevisionIdList-bad-anchor.fault.xml";
    let fault = fault_of(decode_file::<RevisionIdList>(&folder, file));
    assert_eq!((fault.code, fault.message.as_str()), (ErrorCode::InvalidParameters, "filter"));
    let file = "000019-GetRevisionIdList-no-cookie.fault.xml";
    let fault = fault_of(decode_file::<RevisionIdList>(&folder, file));
    assert_eq!(fault.code, ErrorCode::InvalidCookie);
}

/// The printed examples hold request and answer in one body, and cookies cut short.
#[test]
fn examples_of_the_specification_decode() {
    let name = "examples_of_the_specification_decode";
    let Some(folder) = reference(name, "spec-examples") else { return };
    let file = "MS-WSUSSS-02-GetAuthConfigResponse.xml";
    let config: AuthConfig = decode_file(&folder, file).expect("decodes");
    assert_eq!(config.plug_ins[0].id, "DssTargeting");
    let file = "MS-WSUSSS-03-GetAuthorizationCookie.xml";
    let request: GetAuthorizationCookie = decode_file(&folder, file).expect("decodes");
    assert_eq!(request.account_name, "HemantTest.redmond.microsoft.com");
    let cut = decode_file::<AuthorizationCookie>(&folder, file).expect_err("65 characters");
    assert!(chain(&cut).starts_with("element CookieData holds \"4VEG"), "{}", chain(&cut));
    let file = "MS-WSUSSS-04-GetCookie.xml";
    let request: GetCookie = decode_file(&folder, file).expect("decodes");
    assert_eq!((request.authorization[0].data.len(), request.old_cookie), (48, None));
    let cookie: Cookie = decode_file(&folder, file).expect("decodes");
    assert_eq!(cookie.data.len(), 168);
}
