//! What an original server was seen to answer.

use testkit::reference::reference;

use super::*;

fn soap(text: String) -> Reply {
    Reply::Soap(200, text)
}

#[tokio::test]
async fn captured_answers_make_a_scan() {
    let test = "captured_answers_make_a_scan";
    let Some(folder) = reference(test, "captures/client-server") else { return };
    let Some(examples) = reference(test, "spec-examples") else { return };
    let captured = |name: &str| std::fs::read_to_string(folder.join(name)).expect("is readable");
    let example = |name: &str| std::fs::read_to_string(examples.join(name)).expect("is readable");
    let fake = FakeWsus::start().await;
    let replay = |operation: &str, text: String| fake.script().replay(operation, soap(text));
    replay("GetConfig", captured("m0-000001-GetConfig.response.xml"));
    let name = "MS-WUSP-04-GetAuthorizationCookieResponse.xml";
    replay("GetAuthorizationCookie", example(name));
    replay("GetCookie", example("MS-WUSP-06-GetCookieResponse.xml"));
    replay("ReportEventBatch", example("MS-WUSP-19-ReportEventBatchResponse.xml"));
    let namespace = "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService";
    let envelope = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>";
    let registered = format!(
        "{envelope}<RegisterComputerResponse xmlns=\"{namespace}\" /></s:Body></s:Envelope>"
    );
    replay("RegisterComputer", registered);
    let first = captured("scan-000006-SyncUpdates-first.response.xml");
    let (before, rest) = first.split_once("<NewUpdates>").expect("it brings something");
    let (_, after) = rest.split_once("</NewUpdates>").expect("it ends");
    replay("SyncUpdates", format!("{before}{after}"));
    fake.script().reply_once("SyncUpdates", soap(first.clone()));
    let mut pc = Pc::new(&fake.url);
    let (followed, scan) = pc.scan().await;
    assert_eq!((followed.cost.rounds, followed.cost.new), (2, 1));
    let company: UpdateId = "56309036-4c77-4dd9-951a-99ee9c246a94".parse().expect("an id");
    assert_eq!(followed.actions.get(&company), Some(&DeploymentAction::Evaluate));
    assert_eq!(verdicts(&scan), []);
    let held = pc.foreign.memory.held();
    assert_eq!((held.installed_non_leaf, held.other_cached), (vec![108_226], vec![]));
    assert_eq!(pc.report(&followed, &scan).await, 2);
    let (again, _) = pc.scan().await;
    assert_eq!((again.cost.requests, again.version), (1, followed.version));
}

/// Core fragments of an original server, told one after the other; one of them brings the metadata
/// of a package of servicing.
#[tokio::test]
async fn captured_fragments_become_documents() {
    let test = "captured_fragments_become_documents";
    let Some(folder) = reference(test, "captures/client-server") else { return };
    let captured = |name: &str| std::fs::read_to_string(folder.join(name)).expect("is readable");
    let core = captured("cbs-dotnet-core-reduced.fragment.txt");
    let extended = captured("266f6222-r200.extended.fragment.txt");
    let xml = wsus_protocol::fragments::join(core.trim(), extended.trim(), &[]).expect("joins");
    let document = Document::parse(xml.as_bytes()).expect("is a document");
    assert_eq!(document.rules.metadata.len(), 1);
    assert_eq!((document.files.len(), document.relations.prerequisites.len()), (1, 4));
    assert!(document.installer.is_some());
    let facts: Facts = toml::from_str(FACTS).expect("facts");
    assert!(matches!(evaluate(&document, &facts), Applicability::Unknown(_)));
}
