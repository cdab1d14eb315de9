//! Collections and the query language, as administrators use them.

use compliance::Board;
use expect_test::expect;
use model::{ClientRecord, Group, Item, ObjectCode, Vector};
use site_db::Own;
use testkit::objects::{self, item};

use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn client(number: u128) -> ClientId {
    ClientId(uuid::Uuid::from_u128(number))
}

fn record(number: u128) -> ClientRecord {
    let (name, os) = match number {
        1 => ("pc1.corp.example", "windows 10.0.19045"),
        2 => ("pc2.lab.example", "windows 10.0.26100"),
        _ => ("srv3", "linux debian 12"),
    };
    ClientRecord {
        name: name.to_owned(),
        os: os.to_owned(),
        seen_on: at(-DAY_MS * i64::try_from(number).expect("small")),
        ..objects::client(number, "PR1")
    }
}

/// Client 1 has the update of KB5034441, client 2 lacks it, client 3 never reported.
fn vectors() -> [Vector; 2] {
    let vector = |number, required: &[u32], installed: &[u32]| Vector {
        client: client(number),
        incarnation: 1,
        serial: 1,
        covered: 1,
        scanned_at: at(0),
        scan_error: None,
        gap: false,
        required: required.to_vec(),
        installed: installed.to_vec(),
        unjudged: Vec::new(),
        deployments: Vec::new(),
        scan: None,
        detail: Vec::new(),
    };
    [vector(1, &[], &[1]), vector(2, &[1], &[])]
}

/// A stand-alone primary with three clients and one update.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let written = site.db.write(|w| {
        let update = Item { kb_articles: vec!["5034441".to_owned()], ..item(1) };
        w.write_own(Group::Catalog, vec![Own::put(&update)])?;
        let clients = [1, 2, 3].map(|number| Own::put(&record(number)));
        w.write_own(Group::Clients, clients.to_vec())
    });
    written.await.expect("written");
    site
}

fn named(name: &str) -> pb::CreateCollectionRequest {
    pb::CreateCollectionRequest { name: name.to_owned(), ..Default::default() }
}

fn query(text: &str) -> Vec<pb::CollectionQuery> {
    vec![pb::CollectionQuery { name: String::new(), text: text.to_owned() }]
}

fn asking(name: &str, text: &str) -> pb::CreateCollectionRequest {
    pb::CreateCollectionRequest { queries: query(text), ..named(name) }
}

fn changed(code: &str) -> pb::ChangeCollectionRequest {
    pb::ChangeCollectionRequest { code: code.to_owned(), ..Default::default() }
}

impl Site {
    async fn make_collection(
        &self,
        request: pb::CreateCollectionRequest,
    ) -> Result<String, Status> {
        Ok(self.admin().create_collection(request).await?.into_inner().code)
    }

    async fn change_collection(&self, request: pb::ChangeCollectionRequest) -> Result<u64, Status> {
        let answer = self.admin().change_collection(request).await?.into_inner();
        Ok(answer.row.expect("a row").members)
    }

    /// The numbers of the members.
    async fn collection_members(&self, code: &str) -> Vec<u128> {
        let request = pb::ListCollectionMembersRequest { code: code.to_owned() };
        let mut answer = self.admin().list_collection_members(request).await.told();
        let mut rows = Vec::new();
        while let Some(page) = answer.message().await.expect("read") {
            rows.extend(page.rows);
        }
        numbers(&rows)
    }

    async fn preview_query(
        &self,
        request: pb::PreviewQueryRequest,
    ) -> Result<(Vec<u128>, u64), Status> {
        let mut answer = self.admin().preview_query(request).await?.into_inner();
        let page = answer.message().await?.expect("there is one");
        Ok((numbers(&page.rows), page.matching))
    }
}

fn numbers(rows: &[pb::Client]) -> Vec<u128> {
    let id = |row: &pb::Client| row.id.parse::<ClientId>().expect("an id").0.as_u128();
    rows.iter().map(id).collect()
}

fn previewed(text: &str) -> pb::PreviewQueryRequest {
    pb::PreviewQueryRequest { text: text.to_owned(), ..Default::default() }
}

#[test]
fn members_follow_rules_and_records_at_once() {
    run(async {
        let site = site().await;
        let windows = site.make_collection(asking("Windows", "os like \"windows%\"")).await;
        let windows = windows.expect("made");
        let request = pb::CreateCollectionRequest {
            clients: vec![client(1).to_string(), client(3).to_string()],
            queries: query("os.build > 20000"),
            limiting: windows.clone(),
            comment: "first of all".to_owned(),
            ..named("Pilots")
        };
        let pilots = site.make_collection(request).await.expect("made");
        assert_eq!(site.collection_members(&pilots).await, [1, 2]);
        assert_eq!(site.collection_members("SMS00002").await, [1, 2, 3]);
        assert_eq!(site.collection_members("SMS00003").await, [0; 0]);
        // It becomes a Windows computer.
        let reborn = ClientRecord { os: "windows 10.0.26100".to_owned(), ..record(3) };
        site.db.write(move |w| w.put_own(&reborn)).await.expect("written");
        assert_eq!(site.collection_members(&pilots).await, [1, 2, 3]);

        let lab =
            site.make_collection(asking("Lab", "domain = \"lab.example\"")).await.expect("made");
        let request = pb::ChangeCollectionRequest {
            name: Some("Pioneers".to_owned()),
            add_excludes: vec![lab.clone()],
            remove_clients: vec![client(3).to_string()],
            add_queries: vec![pb::CollectionQuery {
                name: "query 1".to_owned(),
                text: "os.build = 26100".to_owned(),
            }],
            ..changed(&pilots)
        };
        assert_eq!(site.change_collection(request).await.expect("changed"), 2);
        assert_eq!(site.collection_members(&pilots).await, [1, 3]);
        let request = pb::GetCollectionRequest { code: pilots };
        let shown = site.admin().get_collection(request).await.told();
        let row = shown.row.expect("a row");
        let row = [row.code, row.name, row.owner, row.comment, row.limiting].join(", ");
        let rules =
            shown.rules.into_iter().map(|rule| [rule.kind, rule.name, rule.value].join(", "));
        let lines: Vec<String> = std::iter::once(row).chain(rules).collect();
        expect![[r#"
            PR100002, Pioneers, PR1, first of all, PR100001
            query, query 1, os.build = 26100
            exclude, Lab, PR100003
            direct, pc1.corp.example, 00000000-0000-0000-0000-000000000001"#]]
        .assert_eq(&lines.join("\n"));
    });
}

#[test]
fn queries_ask_what_clients_said_of_updates() {
    run(async {
        let site = site().await;
        let has = "installed(\"KB5034441\")";
        let warming = site.preview_query(previewed(has)).await;
        expect!["Unavailable: what the query means cannot be told yet: it waits for compliance of PR1; ask again when that is here"].assert_eq(&refusal(warming));
        let all = [1, 2, 3].map(client);
        site.board.replace(Board::rebuild(all, vectors()));
        for (text, members) in [
            (has, vec![1]),
            ("not installed(\"kb5034441\")", vec![2]),
            ("required(\"00000000-0000-0000-0000-000000000001\")", vec![2]),
            ("not installed(\"KB1\")", Vec::new()),
            ("installed(\"KB5034441\") or seen.days >= 3", vec![1, 3]),
        ] {
            let (found, matching) = site.preview_query(previewed(text)).await.expect("told");
            assert_eq!((found, matching), (members.clone(), members.len() as u64), "{text}");
        }
        let lacking = site.make_collection(asking("Lacking", "not installed(\"KB5034441\")")).await;
        assert_eq!(site.collection_members(&lacking.expect("made")).await, [2]);
        let name = "pc".to_owned();
        let r#where = "seen.days < 2".to_owned();
        let listed = site.admin().list_clients(pb::ListClientsRequest { name, r#where }).await;
        let page = listed.told().message().await.expect("read").expect("a page");
        assert_eq!(numbers(&page.rows), [1]);
    });
}

#[test]
fn a_preview_shows_as_much_as_is_asked_for() {
    run(async {
        let site = site().await;
        let some = |limit| pb::PreviewQueryRequest { limit, ..previewed("name like \"%\"") };
        assert_eq!(site.preview_query(some(Some(2))).await.expect("told"), (vec![1, 2], 3));
        assert_eq!(site.preview_query(some(None)).await.expect("told"), (vec![1, 2, 3], 3));
        assert_eq!(site.preview_query(some(Some(10_000))).await.expect("told").1, 3);
        let refused = [0, 10_001].map(|limit| site.preview_query(some(Some(limit))));
        let [none, many] = refused;
        expect![[r#"
            InvalidArgument: preview: 0 rows cannot be shown; ask for 1 to 10000
            InvalidArgument: preview: 10001 rows cannot be shown; ask for 1 to 10000"#]]
        .assert_eq(&[refusal(none.await), refusal(many.await)].join("\n"));
        let lab =
            site.make_collection(asking("Lab", "domain = \"lab.example\"")).await.expect("made");
        let limited = pb::PreviewQueryRequest { limiting: lab, ..previewed("os.build > 1") };
        assert_eq!(site.preview_query(limited).await.expect("told").0, [2]);
    });
}

#[test]
fn what_cannot_be_a_collection_is_refused_with_a_remedy() {
    run(async {
        let site = site().await;
        let first = site.make_collection(named("First")).await.expect("made");
        let includes = vec![first.clone()];
        let second = pb::CreateCollectionRequest { includes, ..named("Second") };
        site.make_collection(second).await.expect("made");
        let other = || vec!["PR1000FF".to_owned()];
        let mut refusals = Vec::new();
        for request in [
            named(&"x".repeat(257)),
            named(" "),
            named("a\nb"),
            named("First"),
            named("All Systems"),
            pb::CreateCollectionRequest { limiting: other().remove(0), ..named("Third") },
            pb::CreateCollectionRequest { includes: other(), ..named("Third") },
            pb::CreateCollectionRequest { excludes: other(), ..named("Third") },
            pb::CreateCollectionRequest { clients: vec![client(9).to_string()], ..named("Third") },
            asking("Third", "name = \"x\" and os.bild > 3"),
            asking("Third", "member(\"PR1000FF\")"),
            asking("Third", "not member(\"pilots\")"),
            pb::CreateCollectionRequest { full_at: "never".to_owned(), ..named("Third") },
            pb::CreateCollectionRequest { full_only: true, ..named("Third") },
        ] {
            refusals.push(refusal(site.make_collection(request).await));
        }
        expect![[r#"
            InvalidArgument: collection name: it has 257 characters, and at most 256 are allowed; shorten it
            InvalidArgument: collection name: it is empty; give one
            InvalidArgument: collection name: it has a line break or another control character; leave it out
            AlreadyExists: there is a collection "First" already; see `tierline collection list`
            AlreadyExists: there is a collection "All Systems" already; see `tierline collection list`
            NotFound: there is no collection PR1000FF; see `tierline collection list`
            NotFound: there is no collection PR1000FF; see `tierline collection list`
            NotFound: there is no collection PR1000FF; see `tierline collection list`
            NotFound: there is no client 00000000-0000-0000-0000-000000000009; see `tierline client list`
            InvalidArgument: column 16: there is no field "os.bild"; there are name, domain, site, kind, os, os.version, os.build, os.edition, kernel, form, architecture, agent.version, manufacturer, model, serial, firmware, cpu, cpu.count, memory, disk.size, disk.free, mac, address, last_boot, installed_on, pending_restart, time_zone, seen.days
              name = "x" and os.bild > 3
                             ^
            NotFound: there is no collection PR1000FF; see `tierline collection list`
            InvalidArgument: object code: "pilots" is not a site code followed by five hex digits
            InvalidArgument: schedule: a recurrence has five fields (minute, hour, day, month, weekday), then perhaps "plus N days" and "in ZONE", and this has 1; write it like "0 2 * * TUE#2 plus 3 days in Europe/Berlin"
            InvalidArgument: collection: its members would never change; give it a schedule, or let them follow"#]]
        .assert_eq(&refusals.join("\n"));
        // Nothing was made or changed.
        let rows = site.admin().list_collections(pb::ListCollectionsRequest {}).await.told().rows;
        let rows: Vec<_> = rows.iter().map(|row| format!("{} {}", row.code, row.rules)).collect();
        expect![[r#"
            SMS00001 1
            SMS00002 1
            SMS00003 0
            SMS00004 0
            PR100001 0
            PR100002 1"#]]
        .assert_eq(&rows.join("\n"));
    });
}

#[test]
fn a_collection_refers_to_itself_in_no_way_and_stays_while_it_is_used() {
    run(async {
        let site = site().await;
        let first = site.make_collection(named("First")).await.expect("made");
        let includes = vec![first.clone()];
        let second = pb::CreateCollectionRequest { includes, ..named("Second") };
        let second = site.make_collection(second).await.expect("made");
        let mut refusals = Vec::new();
        let second_in_first =
            pb::ChangeCollectionRequest { add_includes: vec![second.clone()], ..changed(&first) };
        let limited =
            pb::ChangeCollectionRequest { limiting: Some(first.clone()), ..changed(&first) };
        let asked = pb::ChangeCollectionRequest {
            add_queries: query(&format!("not member(\"{second}\")")),
            ..changed(&first)
        };
        let gone =
            pb::ChangeCollectionRequest { remove_queries: vec!["x".to_owned()], ..changed(&first) };
        let built_in =
            pb::ChangeCollectionRequest { name: Some("x".to_owned()), ..changed("SMS00001") };
        for request in [second_in_first, limited, asked, gone, built_in] {
            refusals.push(refusal(site.change_collection(request).await));
        }
        for code in [first.as_str(), "SMS00004"] {
            let request = pb::DeleteCollectionRequest { code: code.to_owned() };
            refusals.push(refusal(site.admin().delete_collection(request).await));
        }
        expect![[r#"
            AlreadyExists: the collection would refer to itself: PR100001 → PR100002 → PR100001; take one of these references away
            AlreadyExists: the collection would refer to itself: PR100001 → PR100001; take one of these references away
            AlreadyExists: the collection would refer to itself: PR100001 → PR100002 → PR100001; take one of these references away
            NotFound: there is no query of the collection x; see `tierline collection show`
            PermissionDenied: collection SMS00001 is built in and stays as it is; make one that is limited to it
            AlreadyExists: collection PR100001 is used by collection PR100002; take it out there first, or delete that
            PermissionDenied: collection SMS00004 is built in and stays as it is; make one that is limited to it"#]]
        .assert_eq(&refusals.join("\n"));
        for code in [second, first] {
            let request = pb::DeleteCollectionRequest { code };
            site.admin().delete_collection(request).await.told();
        }
    });
}

#[test]
fn a_collection_of_another_site_that_is_not_here_is_waited_for() {
    run(async {
        let site = site().await;
        let code = ObjectCode::new("PR1000AA").expect("a good code");
        let elsewhere = ObjectCode::new("CAS00001").expect("a good code");
        let rules = vec![model::CollectionRule::All, model::CollectionRule::Exclude(elsewhere)];
        let waits = model::Collection::plain(code, "Waits".to_owned(), rules);
        site.db.write(move |w| w.put_own(&waits)).await.expect("written");
        let request = pb::ListCollectionMembersRequest { code: "PR1000AA".to_owned() };
        let refused = site.admin().list_collection_members(request).await;
        expect!["Unavailable: the members of collection PR1000AA cannot be told yet: it waits for CAS00001 of CAS; ask again when that is here"].assert_eq(&refusal(refused));
        let rows = site.admin().list_collections(pb::ListCollectionsRequest {}).await.told().rows;
        let row = rows.iter().find(|row| row.code == "PR1000AA").expect("listed");
        assert_eq!((row.members, row.problem.as_str()), (0, "waits for CAS00001 of CAS"));
    });
}

#[test]
fn a_collection_without_increments_keeps_its_members_until_it_is_evaluated() {
    run(async {
        let site = site().await;
        let request = pb::CreateCollectionRequest {
            full_at: "0 3 * * SUN".to_owned(),
            full_only: true,
            ..asking("Seen lately", "seen.days < 2")
        };
        let code = site.make_collection(request).await.expect("made");
        let evaluate = async || {
            let request = pb::EvaluateCollectionRequest { code: code.clone() };
            let row = site.admin().evaluate_collection(request).await.told().row.expect("a row");
            (row.members, row.full_at, row.evaluated_at)
        };
        let shown = |ms| Some(rpc::convert::wire_time(at(ms)));
        assert_eq!(evaluate().await, (1, "0 3 * * SUN in UTC".to_owned(), shown(0)));
        site.clock.advance_ms(2 * DAY_MS);
        assert_eq!(site.collection_members(&code).await, [1]);
        assert_eq!(evaluate().await.0, 0);
        assert_eq!(site.collection_members(&code).await, [0; 0]);
        // A change is an evaluation.
        let request =
            pb::ChangeCollectionRequest { add_queries: query("seen.days > 4"), ..changed(&code) };
        assert_eq!(site.change_collection(request).await.expect("changed"), 1);
    });
}
