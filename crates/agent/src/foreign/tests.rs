//! Against a server made from the specification alone, over real sockets.

use std::sync::Arc;

use ambient::Ambient;
use client::scan::{Judged, Scan, Scanning};
use model::{UpdateId, error_chain};
use testkit::wsus::{FakeWsus, Reply, Told};
use transport::TcpConnect;
use update_catalog::Catalog;
use update_metadata::{Applicability, Document, Facts, evaluate};
use uuid::Uuid;

use super::*;

mod captured;
mod hostile;
mod remedies;

const NOW_MS: i64 = 1_795_168_800_000;
const CLIENT: Uuid = Uuid::from_u128(0x11);

/// A computer with one old part and one that is current, and a setting that is not made.
const FACTS: &str = r#"
architecture = "amd64"
[files]
"c:\\program files\\sample\\old.dll" = { version = "1.0.0.0" }
"c:\\program files\\sample\\new.dll" = { version = "2.0.0.0" }
[system.windows]
major = 10
build = 26200
product_type = 1
[system.windows.registry]
"SOFTWARE\\Sample" = { Level = 1 }
"#;

/// The rules of an update that brings version 2 of a part.
fn part(name: &str) -> String {
    let path = format!(r"C:\Program Files\Sample\{name}.dll");
    let test = |comparison: &str| {
        format!("<b.FileVersion Path=\"{path}\" Comparison=\"{comparison}\" Version=\"2.0.0.0\" />")
    };
    format!(
        "<IsInstalled>{}</IsInstalled><IsInstallable><And><b.WindowsVersion \
         Comparison=\"GreaterThanOrEqualTo\" MajorVersion=\"10\" MinorVersion=\"0\" />{}</And>\
         </IsInstallable>",
        test("GreaterThanOrEqualTo"),
        test("LessThan")
    )
}

fn setting() -> String {
    let test = |comparison: &str| {
        format!(
            "<b.RegDword Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"SOFTWARE\\Sample\" Value=\"Level\" \
             Comparison=\"{comparison}\" Data=\"2\" />"
        )
    };
    format!(
        "<IsInstalled>{}</IsInstalled><IsInstallable>{}</IsInstallable>",
        test("GreaterThanOrEqualTo"),
        test("LessThan")
    )
}

const TRUE: &str = "<IsInstalled><True /></IsInstalled>";
const SERVER_ONLY: &str = "<IsInstalled><b.WindowsVersion Comparison=\"EqualTo\" \
                           MajorVersion=\"10\" MinorVersion=\"0\" ProductType=\"3\" />\
                           </IsInstalled>";

/// What a small server tells: products for workstations and for servers, and updates of both.
fn offers() -> Vec<Told> {
    let mut bundle = Told::update(20, "bundle", "").needing(&["workstation"]);
    let mut member = Told::update(21, "member", &setting()).needing(&["workstation"]);
    (member.is_deployable, member.action) = (false, "Bundle");
    bundle.bundled = vec![(member.update, member.revision)];
    let mut hidden = Told::update(22, "evaluated", &part("old")).needing(&["workstation"]);
    hidden.action = "Evaluate";
    vec![
        Told::base(1, "Category", "company", TRUE),
        Told::base(2, "Category", "product", TRUE).needing(&["company"]),
        Told::base(3, "Detectoid", "workstation", &{
            SERVER_ONLY.replace("ProductType=\"3\"", "ProductType=\"1\"")
        })
        .needing(&["product", "no such"]),
        Told::base(4, "Detectoid", "server", SERVER_ONLY).needing(&["product"]),
        Told::update(10, "old part", &part("old")).needing(&["workstation"]).needing(&["product"]),
        Told::update(11, "new part", &part("new")).needing(&["workstation"]),
        Told::update(12, "absent part", &part("absent")).needing(&["workstation"]),
        Told::update(13, "server part", &part("old")).needing(&["server"]),
        bundle,
        member,
        hidden,
    ]
}

/// A computer, what it remembers and what it is scanned against.
struct Pc {
    foreign: Foreign,
    catalog: Catalog,
    facts: Facts,
}

impl Pc {
    fn new(url: &str) -> Pc {
        Pc::with(url, None)
    }

    fn with(url: &str, roots: Option<Arc<str>>) -> Pc {
        let foreign = foreign(url, roots).expect("an address");
        let catalog = Catalog::open_in_memory(foreign.id()).expect("opens");
        let mut facts: Facts = toml::from_str(FACTS).expect("facts");
        facts.files.insert(r"c:\program files\sample\absent.dll".to_owned(), None);
        Pc { foreign, catalog, facts }
    }

    async fn follow(&mut self) -> Result<Followed, Error> {
        let facts = &self.facts;
        let mut judge = |document: &Document| evaluate(document, facts);
        self.foreign.follow(&self.catalog, facts, &mut judge).await
    }

    /// The verdicts on what is to be reported, by title.
    async fn scan(&mut self) -> (Followed, Scan) {
        let followed =
            self.follow().await.unwrap_or_else(|error| panic!("{}", error_chain(&error)));
        let mut scanning = Scanning::default();
        for document in documents(&self.catalog).await {
            scanning.add(&document, model::Sha256([0; 32]), &self.facts);
        }
        let mut scan = scanning.finish();
        followed.restrict(&mut scan);
        (followed, scan)
    }

    async fn report(&mut self, followed: &Followed, scan: &Scan) -> usize {
        self.foreign.report(&self.catalog, followed, scan).await.expect("reports")
    }
}

fn foreign(url: &str, roots: Option<Arc<str>>) -> Result<Foreign, Error> {
    let server = ForeignServer::new(url, roots)?;
    let (name, ambient) = ("pc1.example.com".to_owned(), Ambient::seeded(1, NOW_MS));
    Foreign::new(server, CLIENT, name, ambient, Arc::new(TcpConnect))
}

async fn documents(catalog: &Catalog) -> Vec<Document> {
    let (mut documents, mut since) = (Vec::new(), 0);
    loop {
        let page = catalog.changed_documents(since).await.expect("reads");
        for change in page.changes {
            since = change.number;
            let content = change.content.into_iter();
            let read = content.map(|c| Document::parse(c.xml.as_bytes()).expect("was read"));
            documents.extend(read);
        }
        if page.is_last {
            return documents;
        }
    }
}

async fn serving() -> FakeWsus {
    let fake = FakeWsus::start().await;
    offers().into_iter().for_each(|told| fake.script().tell(told));
    fake
}

fn id(title: &str) -> UpdateId {
    UpdateId(Told::id_of(title))
}

fn verdicts(scan: &Scan) -> Vec<(UpdateId, Applicability)> {
    let mut visible: Vec<_> = scan.visible().map(|j| (j.update.id, j.verdict.clone())).collect();
    visible.sort_by_key(|(id, _)| *id);
    visible
}

fn expected(list: &[(&str, Applicability)]) -> Vec<(UpdateId, Applicability)> {
    let mut list: Vec<_> = list.iter().map(|(title, v)| (id(title), v.clone())).collect();
    list.sort_by_key(|(id, _)| *id);
    list
}

fn judged<'a>(scan: &'a Scan, title: &str) -> &'a Judged {
    scan.updates.get(&id(title)).expect("is told")
}

fn first_verdicts() -> Vec<(UpdateId, Applicability)> {
    expected(&[
        ("old part", Applicability::Applicable),
        ("new part", Applicability::Installed),
        ("absent part", Applicability::NotApplicable),
        ("bundle", Applicability::Applicable),
    ])
}

#[tokio::test]
async fn a_windows_shaped_computer_is_scanned() {
    let fake = serving().await;
    let mut pc = Pc::new(&fake.url);
    let (followed, scan) = pc.scan().await;
    assert_eq!(verdicts(&scan), first_verdicts());
    assert_eq!(followed.version, 1);
    assert!(!followed.actions.contains_key(&id("server part")), "it was never told");
    let documents = documents(&pc.catalog).await;
    let old = documents.iter().find(|d| d.update.id == id("old part")).expect("is there");
    assert_eq!((old.texts[0].title.as_str(), old.files.len()), ("old part", 1));
    assert_eq!(old.properties.kb_articles, ["4711"]);
    let registered = fake.script().registered.take().expect("registered");
    let said = |name: &str| registered.child(name).expect("is said").text.clone();
    assert_eq!([said("DnsName"), said("OSBuildNumber")], ["pc1.example.com", "26200"]);
}

/// The second scan of the same process asks once, that of another process as the first one began.
#[tokio::test]
async fn a_second_scan_is_cheap() {
    let fake = serving().await;
    let mut pc = Pc::new(&fake.url);
    let (first, _) = pc.scan().await;
    assert_eq!((first.cost.new, first.cost.rounds), (10, 4));
    fake.script().take_asked();
    let (second, scan) = pc.scan().await;
    assert_eq!(fake.script().take_asked(), ["SyncUpdates"]);
    assert_eq!((second.version, second.cost.new, second.cost.requests), (first.version, 0, 1));
    assert_eq!(verdicts(&scan), first_verdicts());
    let remembered = pc.foreign.remembered(&pc.catalog).await.expect("reads");
    assert_eq!((remembered.version, remembered.actions), (second.version, second.actions));
    pc.foreign = foreign(&fake.url, None).expect("an address");
    let (third, scan) = pc.scan().await;
    assert_eq!((third.version, third.cost.new), (first.version, 0));
    assert_eq!(verdicts(&scan), first_verdicts());
    let handshake =
        ["GetConfig", "GetAuthorizationCookie", "GetCookie", "RegisterComputer", "SyncUpdates"];
    assert_eq!(fake.script().take_asked(), handshake);
}

#[tokio::test]
async fn what_changes_is_followed() {
    let fake = serving().await;
    let mut pc = Pc::new(&fake.url);
    pc.scan().await;
    fake.script().withdraw(12);
    fake.script().deploy(22, "PreDeploymentCheck");
    fake.script().deploy(10, "Block");
    let (followed, scan) = pc.scan().await;
    let now = [
        ("new part", Applicability::Installed),
        ("bundle", Applicability::Applicable),
        ("evaluated", Applicability::Applicable),
    ];
    assert_eq!(verdicts(&scan), expected(&now));
    assert_eq!((followed.version, followed.cost.changed, followed.cost.dropped), (2, 2, 1));
    // A later revision takes the place of the one before; and the one before, should it come back.
    let newer = Told { revision: 201, ..Told::update(30, "new part", &part("old")) };
    fake.script().withdraw(11);
    fake.script().tell(newer.needing(&["workstation"]));
    let (followed, scan) = pc.scan().await;
    assert_eq!(judged(&scan, "new part").update.revision, 201);
    assert_eq!(judged(&scan, "new part").verdict, Applicability::Applicable);
    assert_eq!(followed.version, 3);
    fake.script().withdraw(30);
    fake.script().tell(Told::update(11, "new part", &part("new")).needing(&["workstation"]));
    let (_, scan) = pc.scan().await;
    assert_eq!(judged(&scan, "new part").update.revision, 200);
    assert_eq!(judged(&scan, "new part").verdict, Applicability::Installed);
}

/// A computer that is something else now is told of other updates.
#[tokio::test]
async fn facts_decide_what_is_told() {
    let fake = serving().await;
    let mut pc = Pc::new(&fake.url);
    pc.scan().await;
    let text = FACTS.replace("product_type = 1", "product_type = 3");
    pc.facts = toml::from_str(&text).expect("facts");
    let (_, scan) = pc.scan().await;
    assert_eq!(verdicts(&scan), expected(&[("server part", Applicability::Applicable)]));
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let fake = serving().await;
    fake.script().page = 7;
    for number in 100..300 {
        let told = Told::update(number, &format!("update {number}"), &part("new"));
        fake.script().tell(told.needing(&["workstation"]));
    }
    let mut pc = Pc::new(&fake.url);
    let (followed, scan) = pc.scan().await;
    assert_eq!(scan.visible().count(), 204);
    assert_eq!(followed.cost.new, 210);
    let (again, _) = pc.scan().await;
    assert_eq!(again.cost.requests, 1);
}

#[tokio::test]
async fn what_a_scan_found_is_reported() {
    let fake = serving().await;
    let mut pc = Pc::new(&fake.url);
    let (followed, scan) = pc.scan().await;
    assert_eq!(pc.report(&followed, &scan).await, 2);
    let events = std::mem::take(&mut fake.script().events);
    assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), [147, 156]);
    assert!(events.iter().all(|e| e.computer == CLIENT.to_string() && e.update.is_nil()));
    assert_eq!(
        (&events[0].strings[..], &events[0].misc[..]),
        (&["2".into()][..], &["D=2".into()][..])
    );
    let list = |tag: &str| {
        let found = events[1].misc.iter().find_map(|misc| misc.strip_prefix(tag)).expect("a list");
        let mut ids: Vec<UpdateId> = found.split(';').filter_map(|id| id.parse().ok()).collect();
        ids.sort();
        ids
    };
    let mut needed = vec![id("old part"), id("bundle")];
    needed.sort();
    assert_eq!((list("U="), list("V=")), (needed, vec![id("new part")]));
    // Somebody installs one, and removes the other.
    for (name, version) in [("old", "2.0.0.0"), ("new", "1.0.0.0")] {
        let path = format!(r"c:\program files\sample\{name}.dll");
        let file = pc.facts.files.get_mut(&path).expect("is known").as_mut().expect("is there");
        file.version = version.parse().ok();
    }
    // A new process tells it once, whatever became of the first attempt.
    pc.foreign = foreign(&fake.url, None).expect("an address");
    let (followed, scan) = pc.scan().await;
    fake.script().reply_once("ReportEventBatch", Reply::Fault("ServerBusy"));
    pc.foreign.report(&pc.catalog, &followed, &scan).await.expect_err("is busy");
    pc.report(&followed, &scan).await;
    let events = std::mem::take(&mut fake.script().events);
    let told = events.iter().filter(|event| !event.update.is_nil());
    let mut told: Vec<_> = told.map(|event| (event.number, UpdateId(event.update))).collect();
    told.sort();
    assert_eq!(told, [(183, id("old part")), (222, id("new part"))]);
}
