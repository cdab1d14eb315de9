use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use model::{
    AssignedFile, ClientId, ClientSettings, Collection, CollectionRule, Deployment, DeploymentId,
    HierarchyId, Item, ItemFile, ObjectCode, Package, PackageFile, PolicyHead, RoleKind,
    ServerList, ServerRef, Sha1, Sha256, SiteCode, Timestamp, UpdateGroup, UpdateId, UpdateRef,
};
use uuid::Uuid;

use super::*;

mod planning;

fn site(code: &str) -> SiteCode {
    SiteCode::new(code).expect("a good code")
}

fn code(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a good code")
}

fn id(number: u8) -> Uuid {
    Uuid::from_u128(u128::from(number))
}

/// An update with one file, named after it.
fn item(number: u8) -> Item {
    Item {
        number: u32::from(number),
        update: UpdateRef { id: UpdateId(id(number)), revision: 2 },
        since: 1,
        document: Sha256([number; 32]),
        texts: Vec::new(),
        classification: None,
        products: Vec::new(),
        company: None,
        severity: None,
        kb_articles: Vec::new(),
        bulletins: Vec::new(),
        cves: Vec::new(),
        created_at: Timestamp(0),
        expired: false,
        expired_at: None,
        withdrawn: false,
        hidden: false,
        linux_only: false,
        may_restart: false,
        languages: Vec::new(),
        has_license: false,
        supersedes: Vec::new(),
        prerequisites: Vec::new(),
        bundles: Vec::new(),
        files: vec![ItemFile {
            name: format!("{number}.msu"),
            size: 10,
            sha1: Sha1([number; 20]),
            sha256: None,
        }],
    }
}

fn bundle(number: u8, children: &[u8]) -> Item {
    let child = |number: &u8| UpdateRef { id: UpdateId(id(*number)), revision: 1 };
    Item { files: Vec::new(), bundles: children.iter().map(child).collect(), ..item(number) }
}

fn package(text: &str, files: &[u8]) -> (ObjectCode, Package) {
    let file = |number: &u8| PackageFile {
        update: UpdateId(id(*number)),
        name: format!("{number}.msu"),
        size: 10,
        sha1: Sha1([*number; 20]),
        sha256: Sha256([*number; 32]),
        weak: true,
    };
    let files = files.iter().map(file).collect();
    (
        code(text),
        Package {
            code: code(text),
            name: String::new(),
            description: String::new(),
            site: site("CAS"),
            version: 1,
            files,
        },
    )
}

fn deployment(number: u8, owner: &str, group: &str, collection: &str) -> OwnedDeployment {
    let id = DeploymentId(id(number));
    let deployment = Deployment {
        name: format!("deployment {number}"),
        available_at: Timestamp(100),
        deadline: Some(Timestamp(200)),
        ..Deployment::plain(id, code(group), code(collection), Timestamp(0))
    };
    OwnedDeployment { owner: site(owner), deployment }
}

fn direct(text: &str, clients: &[u8]) -> Collection {
    let rule = |number: &u8| CollectionRule::Direct(ClientId(id(*number)));
    Collection::plain(code(text), String::new(), clients.iter().map(rule).collect())
}

fn neighborhood(code: &str, clients: &[u8]) -> Neighborhood {
    let url = format!("https://mp.{code}");
    let server = ServerRef {
        kind: RoleKind::ManagementPoint,
        site: site(code),
        url,
        http_url: String::new(),
        after_minutes: 0,
    };
    let clients = clients.iter().map(|number| ClientId(id(*number))).collect();
    Neighborhood { servers: ServerList { servers: vec![server] }, clients }
}

/// The clients of neighborhoods, in collections of direct members.
fn audience(neighborhoods: Vec<Neighborhood>, collections: &[Collection]) -> Audience {
    let roster = Neighborhood::roster(&neighborhoods);
    let named = |collection: &Collection| (collection.code.clone(), collection.clone());
    let population = Population {
        roster: &roster,
        clients: &BTreeMap::new(),
        inventories: &crate::Inventories::default(),
        board: None,
        items: &BTreeMap::new(),
        kept: &BTreeMap::new(),
        now: Timestamp(0),
        site: site("PR1"),
    };
    let memberships =
        Memberships::evaluate(&Rulebook::new(collections.iter().map(named).collect()), &population);
    Audience { roster, memberships, neighborhoods }
}

/// The same clients, in other collections.
fn with_collections(audience: &Audience, collections: &[Collection]) -> Audience {
    crate::tests::audience(audience.neighborhoods.clone(), collections)
}

/// Three clients; group 10 is update 1 and bundle 5 of the hidden 6 and 7; collection 20 is
/// client 2 and a client that is elsewhere.
fn world() -> World {
    let collection = direct("PR100020", &[2, 99]);
    let updates = [1, 5].map(|number| UpdateId(id(number))).to_vec();
    let group = UpdateGroup::plain(code("CAS00010"), String::new(), updates);
    let hidden = |number| Item { hidden: true, ..item(number) };
    let items = [item(1), item(2), bundle(5, &[6, 7]), hidden(6), hidden(7)];
    let neighborhoods = vec![neighborhood("PR1", &[1, 3]), neighborhood("SE1", &[2])];
    World {
        site: site("PR1"),
        top: site("CAS"),
        now: Timestamp(0),
        audience: audience(neighborhoods, &[collection]),
        holds: Vec::new(),
        update_settings: BTreeMap::new(),
        profiles: Vec::new(),
        windows: Vec::new(),
        groups: BTreeMap::from([(group.code.clone(), group)]),
        deployments: vec![
            deployment(2, "PR1", "CAS00010", "PR100020"),
            deployment(1, "CAS", "CAS00010", model::ALL_SYSTEMS),
        ],
        packages: BTreeMap::from([package("CAS00030", &[1]), package("CAS00031", &[1, 6, 7])]),
        items: items.into_iter().map(|item| (item.update.id, item)).collect(),
        declined: BTreeSet::new(),
        settings: ClientSettings {
            policy_poll_ms: 1,
            state_batch_ms: 1,
            scan_interval_ms: 1,
            catalog_version: 12,
        },
    }
}

type Edit<'a> = &'a dyn Fn(&mut World);

/// The outcomes of the first deployment after each of these changes to the world.
fn outcomes(edits: &[Edit<'_>]) -> String {
    let outcome = |edit: &Edit<'_>| {
        let mut world = world();
        world.deployments.truncate(1);
        edit(&mut world);
        let plan = plan_assignments(&world);
        let (_, outcome) = plan.deployments.first_key_value().expect("one deployment");
        let has_part = plan.parts.iter().any(|part| matches!(part, Part::Assignment(_)));
        let planned = matches!(outcome, Outcome::Planned { clients: 1.., updates: 1.., .. });
        assert_eq!(has_part, planned);
        format!("{outcome}\n")
    };
    edits.iter().map(outcome).collect()
}

fn edit_item(world: &mut World, number: u8, edit: impl Fn(&mut Item)) {
    edit(world.items.get_mut(&UpdateId(id(number))).expect("an item of the world"));
}

#[test]
fn a_plan() {
    expect![[r#"
        part 0: settings, catalog 12
        part 1: servers PR1/mp https://mp.PR1
        part 2: servers SE1/mp https://mp.SE1
        part 3: assignment 00000000-0000-0000-0000-000000000001 "deployment 1" required
          00000000-0000-0000-0000-000000000001/2 1.msu
          00000000-0000-0000-0000-000000000005/2
          00000000-0000-0000-0000-000000000006/2 6.msu
          00000000-0000-0000-0000-000000000007/2 7.msu
        part 4: assignment 00000000-0000-0000-0000-000000000002 "deployment 2" required
          00000000-0000-0000-0000-000000000001/2 1.msu
          00000000-0000-0000-0000-000000000005/2
          00000000-0000-0000-0000-000000000006/2 6.msu
          00000000-0000-0000-0000-000000000007/2 7.msu
        client 00000000-0000-0000-0000-000000000001: parts [0, 1, 3]
        client 00000000-0000-0000-0000-000000000002: parts [0, 2, 3, 4]
        client 00000000-0000-0000-0000-000000000003: parts [0, 1, 3]
        deployment 00000000-0000-0000-0000-000000000001: 4 updates for 3 clients
        deployment 00000000-0000-0000-0000-000000000002: 4 updates for 1 clients
    "#]]
    .assert_eq(&plan_assignments(&world()).to_string());
    let mut shuffled = world();
    shuffled.deployments.reverse();
    assert_eq!(plan_assignments(&shuffled), plan_assignments(&world()));
}

#[test]
fn missing_never_means_empty() {
    let text = outcomes(&[
        &|world| world.groups.clear(),
        &|world| world.audience = with_collections(&world.audience, &[]),
        &|world| drop(world.items.remove(&UpdateId(id(1)))),
        &|world| edit_item(world, 7, |item| item.update.revision = 0),
    ]);
    expect![[r#"
        waiting for CAS00010 of CAS
        waiting for PR100020 of PR1
        waiting for 00000000-0000-0000-0000-000000000001 of CAS
        waiting for 00000000-0000-0000-0000-000000000007 of CAS
    "#]]
    .assert_eq(&text);
}

#[test]
fn what_is_left_out_is_noted() {
    let text = outcomes(&[
        &|world| edit_item(world, 1, |item| item.expired = true),
        &|world| world.declined = BTreeSet::from([UpdateId(id(1))]),
        &|world| edit_item(world, 1, |item| item.hidden = true),
        &|world| world.packages.clear(),
        &|world| edit_item(world, 1, |item| item.files[0].sha256 = Some(Sha256([0; 32]))),
        &|world| edit_item(world, 6, |item| item.files[0].size = 11),
        &|world| world.deployments[0].deployment.enabled = false,
        &|world| world.deployments[0].owner = site("PR2"),
        &|world| {
            let near = world.audience.neighborhoods[..1].to_vec();
            world.audience = audience(near, &[direct("PR100020", &[2])]);
        },
    ]);
    expect![[r#"
        3 updates for 1 clients; 00000000-0000-0000-0000-000000000001 is expired and left out
        3 updates for 1 clients; 00000000-0000-0000-0000-000000000001 is declined and left out
        3 updates for 1 clients; 00000000-0000-0000-0000-000000000001 comes only with its bundle and is left out
        4 updates for 1 clients; 00000000-0000-0000-0000-000000000001 waits for content; 00000000-0000-0000-0000-000000000006 waits for content; 00000000-0000-0000-0000-000000000007 waits for content
        4 updates for 1 clients; 00000000-0000-0000-0000-000000000001 waits for content
        4 updates for 1 clients; 00000000-0000-0000-0000-000000000006 waits for content
        disabled
        acts on clients of PR2 only
        4 updates for 0 clients
    "#]].assert_eq(&text);
}

/// PKG-03, PKG-10: what counts is the content, wherever packages have it.
#[test]
fn packages_hold_an_update_together() {
    let second = |world: &mut World| {
        let other =
            ItemFile { sha1: Sha1([9; 20]), ..world.items[&UpdateId(id(1))].files[0].clone() };
        edit_item(world, 1, |item| item.files.push(other.clone()));
    };
    let text = outcomes(&[
        &|world| second(world),
        &|world| {
            second(world);
            world.packages.extend([package("CAS00032", &[9])]);
        },
        &|world| drop(world.packages.remove(&code("CAS00030"))),
        &|world| drop(world.packages.remove(&code("CAS00031"))),
    ]);
    expect![[r#"
        4 updates for 1 clients; 00000000-0000-0000-0000-000000000001 waits for content
        4 updates for 1 clients
        4 updates for 1 clients
        4 updates for 1 clients; 00000000-0000-0000-0000-000000000006 waits for content; 00000000-0000-0000-0000-000000000007 waits for content
    "#]]
    .assert_eq(&text);
}

/// DEPX-15: there is nothing but what documents say, and what gives no SHA-256 is not believed.
#[test]
fn without_a_package_files_are_as_their_documents_say() {
    let described = |world: &mut World| {
        world.packages.clear();
        world.deployments[0].deployment.download.has_packages = false;
        for number in [1, 6] {
            edit_item(world, number, |item| item.files[0].sha256 = Some(Sha256([number; 32])));
        }
    };
    let text = outcomes(&[&described, &|world| {
        described(world);
        world.deployments[0].deployment.download.has_packages = true;
    }]);
    expect![[r#"
        4 updates for 1 clients; 00000000-0000-0000-0000-000000000007 waits for content
        4 updates for 1 clients; 00000000-0000-0000-0000-000000000001 waits for content; 00000000-0000-0000-0000-000000000006 waits for content; 00000000-0000-0000-0000-000000000007 waits for content
    "#]].assert_eq(&text);
    let mut world = world();
    world.deployments.truncate(1);
    described(&mut world);
    let plan = plan_assignments(&world);
    let assigned = plan.parts.iter().find_map(|part| match part {
        Part::Assignment(assignment) => Some(assignment),
        _ => None,
    });
    let updates = &assigned.expect("it is planned").updates;
    let assigned = updates.iter().find(|assigned| assigned.update.id == UpdateId(id(6)));
    let sha256 = Sha256([6; 32]);
    let expected = AssignedFile { name: "6.msu".to_owned(), size: 10, sha256 };
    assert_eq!(assigned.expect("it is assigned").files, [expected]);
}

#[test]
fn bundles_that_name_each_other_end() {
    let child = UpdateRef { id: UpdateId(id(5)), revision: 1 };
    let text = outcomes(&[&|world| edit_item(world, 6, |item| item.bundles = vec![child; 2])]);
    expect!["4 updates for 1 clients\n"].assert_eq(&text);
}

#[test]
fn a_waiting_deployment_keeps_what_clients_have() {
    let mut world = world();
    world.audience = with_collections(&world.audience, &[]);
    let plan = plan_assignments(&world);
    let names: Vec<Sha256> = (0..).map(|name| Sha256([name; 32])).take(plan.parts.len()).collect();
    let named = |name, deployment: Option<u8>| NamedPart {
        sha256: Sha256([name; 32]),
        deployment: deployment.map(|number| DeploymentId(id(number))),
    };
    let old = [named(70, None), named(71, Some(1)), named(72, Some(2)), named(73, Some(9))];
    let parts = head_parts(&plan, &plan.clients[1], &names, &old);
    let servers = NamedPart { sha256: Sha256([2; 32]), deployment: Some(SERVERS) };
    let expected = [named(0, None), servers, named(3, Some(1)), named(72, Some(2))];
    assert_eq!(parts, expected);
}

#[test]
fn a_head_is_made_anew_for_a_reason() {
    let parts = [Sha256([1; 32])];
    let head = PolicyHead {
        hierarchy: HierarchyId(id(1)),
        site: site("PR1"),
        client: ClientId(id(1)),
        incarnation: 4,
        version: 7,
        signed_at: Timestamp(1_000),
        expires: Timestamp(2_000),
        parts: parts.to_vec(),
    };
    let change = |incarnation, parts: &[Sha256], now| {
        head_change(Some(&head), incarnation, parts, Timestamp(now))
    };
    assert_eq!(change(4, &parts, 1_499), HeadChange::None);
    assert_eq!(change(4, &parts, 10), HeadChange::None);
    assert_eq!(change(4, &parts, 1_500), HeadChange::Renewal);
    assert_eq!(change(4, &[], 1_001), HeadChange::Content);
    assert_eq!(change(5, &parts, 1_001), HeadChange::Content);
    assert_eq!(head_change(None, 4, &parts, Timestamp(0)), HeadChange::Content);
}
