//! What is wanted of the catalog and what is not any more, as administrators say and see it.

use expect_test::expect;
use model::{
    Category, CategoryKind, CategoryTree, Cleaned, Group, Item, LocalizedText, Ruling, SiteRecord,
    StatusMessage, UpdateId, UpdateRef, Verdict,
};
use site_db::{Own, StatusFilter};
use testkit::objects;
use testkit::reference::reference;
use uuid::Uuid;

use super::*;

fn id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

fn name(number: u128) -> String {
    id(number).to_string()
}

fn category(
    number: u128,
    kind: CategoryKind,
    title: &str,
    (parent, since): (Option<u128>, u64),
) -> Category {
    let text =
        LocalizedText { language: "en".to_owned(), title: title.to_owned(), ..Default::default() };
    let update = UpdateRef { id: id(number), revision: 1 };
    let parent = parent.map(id);
    Category { update, kind, parent, texts: vec![text], subscribed: false, since }
}

/// Two families with a product of one name each, one of which came later; two updates of one
/// product, one of them of the other, too.
async fn with_products(top: &Site) {
    use CategoryKind::{Classification, Company, Product, ProductFamily};
    let categories = [
        category(101, Company, "Maker", (None, 1)),
        category(102, ProductFamily, "Desktop", (Some(101), 1)),
        category(103, ProductFamily, "Server", (Some(101), 1)),
        category(104, Product, "Eleven", (Some(102), 1)),
        category(105, Product, "Tools", (Some(102), 1)),
        category(106, Product, "Tools", (Some(103), 3)),
        category(107, Classification, "Tools", (None, 1)),
    ];
    let one = Item { products: vec![id(104)], classification: Some(id(107)), ..objects::item(1) };
    let both = Item { products: vec![id(104), id(106)], ..objects::item(2) };
    let part = Item { hidden: true, products: vec![id(105)], ..objects::item(3) };
    let write = move |w: &site_db::Writer<'_>| {
        let items = [one, both, part].map(|item| Own::put(&item)).into_iter();
        let all = categories.iter().map(Own::put).chain(items).collect();
        w.write_own(Group::Catalog, all)
    };
    top.db.write(write).await.expect("written");
}

fn lines(rows: &[pb::Category]) -> String {
    let line = |r: &pb::Category| {
        let by = if r.selected_by.is_empty() { "-" } else { &r.selected_by };
        let news = if r.new { " new" } else { "" };
        format!("{} | {} | {} | {} since {}{news}\n", r.path, r.r#type, by, r.updates, r.since)
    };
    rows.iter().map(line).collect()
}

#[test]
fn products_are_chosen_as_a_tree() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        with_products(&top).await;
        let list = async |kind: &str| {
            let request = pb::ListCategoriesRequest { r#type: kind.to_owned() };
            lines(&top.admin().list_categories(request).await.told().rows)
        };
        let choose = async |name: &str, subscribed: bool, kind: &str| {
            let (categories, r#type) = (vec![name.to_owned()], kind.to_owned());
            let request = pb::SetSubscriptionRequest { categories, subscribed, r#type };
            let chosen = top.admin().set_subscription(request).await;
            chosen.map(|answer| lines(&answer.into_inner().rows))
        };
        expect![[r#"
            Maker | company | - | 2 since 1
            Maker > Desktop | family | - | 2 since 1
            Maker > Desktop > Eleven | product | - | 2 since 1
            Maker > Desktop > Tools | product | - | 0 since 1
            Maker > Server | family | - | 1 since 1
            Maker > Server > Tools | product | - | 1 since 3 new
        "#]]
        .assert_eq(&list("products").await);
        let refusals = [
            refusal(choose("tools", true, "").await),
            refusal(choose("tools", true, "products").await),
            refusal(choose("Nine", true, "products").await),
        ];
        expect![[r#"
            InvalidArgument: "tools" is more than one category; name one of them by its id: Maker > Desktop > Tools (product 00000000-0000-0000-0000-000000000069), Maker > Server > Tools (product 00000000-0000-0000-0000-00000000006a), Tools (classification 00000000-0000-0000-0000-00000000006b)
            InvalidArgument: "tools" is more than one category; name one of them by its id: Maker > Desktop > Tools (product 00000000-0000-0000-0000-000000000069), Maker > Server > Tools (product 00000000-0000-0000-0000-00000000006a)
            NotFound: there is no category Nine; see `tierline category list`"#]].assert_eq(&refusals.join("\n"));
        choose("tools", true, "classification").await.expect("there is one of that type");
        choose("Maker > Server > Tools", true, "products").await.expect("by its path");
        choose("Desktop", true, "products").await.expect("a family");
        expect![[r#"
            Maker | company | - | 2 since 1
            Maker > Desktop | family | Desktop | 2 since 1
            Maker > Desktop > Eleven | product | Desktop | 2 since 1
            Maker > Desktop > Tools | product | Desktop | 0 since 1
            Maker > Server | family | - | 1 since 1
            Maker > Server > Tools | product | Tools | 1 since 3 new
            Tools | classification | Tools | 1 since 1
        "#]]
        .assert_eq(&list("").await);
        expect!["AlreadyExists: Eleven is selected with Desktop; unsubscribe Desktop, and subscribe to parts of it"].assert_eq(&refusal(choose("Eleven", false, "products").await));
        choose("Desktop", false, "products").await.expect("the family");
        let seen = top.admin().acknowledge_categories(pb::AcknowledgeCategoriesRequest {}).await;
        assert_eq!(seen.told().rows.len(), 1);
        let said = top.db.read(|r| r.status_messages(&StatusFilter::default(), 100)).await;
        let seen = "new products and classifications, which are seen";
        let is_it = |(_, message): &(i64, StatusMessage)| message.strings[2..] == [seen];
        assert_eq!(said.expect("read").iter().filter(|message| is_it(message)).count(), 1);
        expect![[r#"
            Maker | company | - | 2 since 1
            Maker > Desktop | family | - | 2 since 1
            Maker > Desktop > Eleven | product | - | 2 since 1
            Maker > Desktop > Tools | product | - | 0 since 1
            Maker > Server | family | - | 1 since 1
            Maker > Server > Tools | product | Tools | 1 since 3
        "#]]
        .assert_eq(&list("products").await);
        let kind = pb::ListCategoriesRequest { r#type: "thing".to_owned() };
        expect![[r#"InvalidArgument: category type: there is no type "thing""#]]
            .assert_eq(&refusal(top.admin().list_categories(kind).await));
    });
}

#[test]
fn only_the_top_level_site_rules_and_chooses() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let token = site_token(&top, "PR1", "primary", "").await.expect("made");
        let child = top.join_primary(&token).await.expect("admitted");
        let record: SiteRecord = top.db.read(|r| r.require(b"CAS")).await.expect("its own");
        child.db.write(move |w| w.put_own(&record)).await.expect("as if it were replicated");
        let mut admin = child.admin();
        let refusals = [
            refusal(admin.set_subscription(pb::SetSubscriptionRequest::default()).await),
            refusal(admin.acknowledge_categories(pb::AcknowledgeCategoriesRequest {}).await),
            refusal(admin.decline_updates(pb::DeclineUpdatesRequest::default()).await),
            refusal(admin.reinstate_updates(pb::ReinstateUpdatesRequest::default()).await),
            refusal(admin.run_cleanup(pb::RunCleanupRequest {}).await),
            refusal(admin.set_cleanup(pb::SetCleanupRequest { age_days: 3 }).await),
        ];
        expect![[r#"
            AlreadyExists: products and classifications are chosen at the top-level site CAS, not here
            AlreadyExists: new products and classifications are acknowledged at the top-level site CAS, not here
            AlreadyExists: updates are declined at the top-level site CAS, not here
            AlreadyExists: updates are reinstated at the top-level site CAS, not here
            AlreadyExists: cleanup runs at the top-level site CAS, not here
            AlreadyExists: the age at cleanup is set at the top-level site CAS, not here"#]].assert_eq(&refusals.join("\n"));
    });
}

/// Update 1 supersedes 2, 3 is expired, 4 is a part of 1, 5 was expired by the rule.
async fn with_updates(top: &Site) {
    let first = Item {
        supersedes: vec![id(2)],
        bundles: vec![UpdateRef { id: id(4), revision: 1 }],
        ..objects::item(1)
    };
    let third = Item { expired: true, expired_at: Some(at(7)), ..objects::item(3) };
    let part = Item { hidden: true, ..objects::item(4) };
    let fifth = Item { expired: true, expired_at: Some(at(8)), ..objects::item(5) };
    let by_rule = Ruling::new(id(5), Verdict::Superseded, "", at(8));
    let write = move |w: &site_db::Writer<'_>| {
        let items = [first, objects::item(2), third, part, fifth, objects::item(6)];
        let items = items.iter().map(Own::put).chain([Own::put(&by_rule)]).collect();
        w.write_own(Group::Catalog, items)
    };
    top.db.write(write).await.expect("written");
}

fn decline(numbers: &[u128]) -> pb::DeclineUpdatesRequest {
    let ids = numbers.iter().copied().map(name).collect();
    pb::DeclineUpdatesRequest { ids, ..Default::default() }
}

#[test]
fn what_is_declined_is_in_no_new_deployment_and_marks_old_ones() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        with_updates(&top).await;
        let mut admin = top.admin();
        let group = |numbers: &[u128]| pb::CreateGroupRequest {
            name: "Monthly".to_owned(),
            updates: numbers.iter().copied().map(name).collect(),
            allow_superseded: true,
            ..Default::default()
        };
        let code = admin.create_group(group(&[1, 2, 6])).await.told().code;
        let deployment = pb::CreateDeploymentRequest {
            name: "Monthly".to_owned(),
            group: code.clone(),
            intent: "required".to_owned(),
            allow_superseded: true,
            ..Default::default()
        };
        admin.create_deployment(deployment.clone()).await.told();
        let declined = admin.decline_updates(decline(&[2, 6])).await.told();
        assert_eq!(
            (declined.declined, declined.unchanged, declined.groups),
            (2, 0, vec![code.clone()])
        );
        let again = admin.decline_updates(decline(&[1, 2])).await.told();
        assert_eq!((again.declined, again.unchanged, again.left), (1, 1, 0));

        let row =
            admin.list_groups(pb::ListGroupsRequest { all: false }).await.told().rows.remove(0);
        assert_eq!((row.updates, row.expired, row.declined), (3, 0, 3));
        let shown = admin.get_group(pb::GetGroupRequest { code: code.clone() }).await.told();
        assert!(shown.members.iter().all(|member| member.declined));
        let rows =
            admin.list_deployments(pb::ListDeploymentsRequest { all: false }).await.told().rows;
        assert_eq!((rows[0].expired, rows[0].declined), (0, 3));
        let refusals = [
            refusal(admin.create_deployment(deployment).await),
            refusal(admin.create_group(group(&[3, 6])).await),
            refusal(admin.decline_updates(decline(&[4])).await),
            refusal(admin.decline_updates(decline(&[99])).await),
            refusal(admin.decline_updates(decline(&[])).await),
        ];
        expect![[r#"
            AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000001 (declined), 00000000-0000-0000-0000-000000000002 (declined), 00000000-0000-0000-0000-000000000006 (declined); take them out first: `tierline group remove CAS00001 ID...`
            AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000003 (expired), 00000000-0000-0000-0000-000000000006 (declined); leave them out
            InvalidArgument: ids: 00000000-0000-0000-0000-000000000004 comes only with its bundle; decline that
            NotFound: there is no update 00000000-0000-0000-0000-000000000063; see `tierline update list`
            InvalidArgument: ids: name updates, or all superseded or expired ones"#]].assert_eq(&refusals.join("\n"));

        let ids = [1, 2, 6].map(name).to_vec();
        let back = admin.reinstate_updates(pb::ReinstateUpdatesRequest { ids }).await.told();
        assert_eq!((back.reinstated, back.unchanged, back.awaited), (3, 0, 0));
        let rulings = top.db.read(|r| r.list::<Ruling>()).await.expect("read");
        assert_eq!(rulings.len(), 1, "everything is as it was");
        admin.create_group(group(&[1, 2, 6])).await.told();
    });
}

#[test]
fn all_of_a_kind_are_declined_at_once_and_the_rule_is_overruled() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        with_updates(&top).await;
        let mut admin = top.admin();
        let all =
            pb::DeclineUpdatesRequest { superseded: true, expired: true, ..Default::default() };
        let declined = admin.decline_updates(all.clone()).await.told();
        assert_eq!((declined.declined, declined.unchanged), (2, 0), "2 and 3; the rule has 5");
        assert_eq!(admin.decline_updates(all).await.told().declined, 0);
        let list = async |declined: Option<bool>| {
            let request = pb::ListUpdatesRequest { declined, ..Default::default() };
            let mut answers = top.admin().list_updates(request).await.told();
            let mut text = String::new();
            while let Some(page) = answers.message().await.expect("whole") {
                for row in page.rows {
                    let at = row.expired_at.map_or(0, |at| at.nanos / 1_000_000);
                    text +=
                        &format!("{} {} {} {at}\n", &row.id[35..], row.declined, row.declined_by);
                }
            }
            text
        };
        expect![[r#"
            1 false  0
            2 true ada 0
            3 true ada 7
            5 true superseded 8
            6 false  0
        "#]]
        .assert_eq(&list(None).await);
        expect![[r#"
            1 false  0
            6 false  0
        "#]]
        .assert_eq(&list(Some(false)).await);
        let ids = vec![name(5)];
        let back = admin.reinstate_updates(pb::ReinstateUpdatesRequest { ids }).await.told();
        assert_eq!((back.reinstated, back.awaited), (1, 0));
        let (item, ruling) = top
            .db
            .read(|r| {
                let item: Option<Item> = r.get(id(5).as_bytes())?;
                Ok::<_, site_db::Error>((item, r.get::<Ruling>(id(5).as_bytes())?))
            })
            .await
            .expect("read");
        assert!(!item.expect("it is here").expired);
        assert_eq!(ruling.map(|ruling| ruling.verdict), Some(Verdict::Kept));
        expect![[r#"
            1 false  0
            5 false  0
            6 false  0
        "#]]
        .assert_eq(&list(Some(false)).await);
    });
}

/// Symptom: `decline --superseded --expired` declined updates that somebody had decided to keep.
/// Cause: nothing looked at that decision. Repair: it takes the id of an update to overrule it.
#[test]
fn what_is_kept_is_declined_by_its_id_alone() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        with_updates(&top).await;
        let kept = [2, 3].map(|n| Own::put(&Ruling::new(id(n), Verdict::Kept, "bob", at(0))));
        let kept = kept.to_vec();
        top.db.write(|w| w.write_own(Group::Catalog, kept)).await.expect("written");
        let mut admin = top.admin();
        let all =
            pb::DeclineUpdatesRequest { superseded: true, expired: true, ..Default::default() };
        let declined = admin.decline_updates(all.clone()).await.told();
        assert_eq!((declined.declined, declined.kept), (0, 2));
        let named = pb::DeclineUpdatesRequest { ids: vec![name(2)], ..all };
        let declined = admin.decline_updates(named).await.told();
        assert_eq!((declined.declined, declined.kept), (1, 1));
    });
}

/// Symptom: an update that the rule had expired, and that its source does not have any more, was
/// deployable again after it was reinstated, and no computer could get it. Cause: that it had gone
/// was not looked at. Repair: it stays expired, and the answer says so. What an administrator
/// declined besides the rule is restored whole, too.
#[test]
fn what_is_gone_at_its_source_stays_expired_when_it_is_reinstated() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        with_updates(&top).await;
        let mut admin = top.admin();
        let find = async || {
            let item: Item = top.db.read(|r| r.require(id(5).as_bytes())).await.expect("read");
            let ruling: Option<Ruling> =
                top.db.read(|r| r.get(id(5).as_bytes())).await.expect("read");
            (item, ruling)
        };
        assert_eq!(admin.decline_updates(decline(&[5])).await.told().declined, 1);
        let (item, ruling) = find().await;
        let ruling = ruling.expect("it is ruled");
        assert_eq!((ruling.verdict, ruling.is_superseded), (Verdict::Declined, true));
        let withdrawn = Item { withdrawn: true, ..item.clone() };
        top.db.write(move |w| w.put_own(&withdrawn)).await.expect("written");
        let reinstate = || pb::ReinstateUpdatesRequest { ids: vec![name(5)] };
        let back = admin.reinstate_updates(reinstate()).await.told();
        assert_eq!((back.reinstated, back.gone), (1, 1));
        assert!(find().await.0.expired);

        let own = vec![Own::put(&item), Own::put(&ruling)];
        top.db.write(|w| w.write_own(Group::Catalog, own)).await.expect("written");
        let back = admin.reinstate_updates(reinstate()).await.told();
        assert_eq!((back.reinstated, back.gone), (1, 0));
        let (item, ruling) = find().await;
        assert!(!item.expired, "it is as it was before the rule");
        assert_eq!(ruling.map(|ruling| ruling.verdict), Some(Verdict::Kept));
    });
}

#[test]
fn what_was_cleaned_up_is_awaited_when_it_is_reinstated() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let gone = Cleaned { revision: 1, number: 9, version: 1 };
        let ruling = Ruling::new(id(9), Verdict::Expired, "", at(0));
        let ruling = Ruling { cleaned: Some(gone), ..ruling };
        top.db.write(move |w| w.put_own(&ruling)).await.expect("written");
        let ids = vec![name(9)];
        let back = top.admin().reinstate_updates(pb::ReinstateUpdatesRequest { ids }).await.told();
        assert_eq!((back.reinstated, back.awaited), (1, 1));
        assert_eq!(top.db.read(|r| r.catalog_rulings(5)).await.expect("read"), []);
        let ids = vec![name(8)];
        let unknown = top.admin().reinstate_updates(pb::ReinstateUpdatesRequest { ids }).await;
        expect!["NotFound: there is no update 00000000-0000-0000-0000-000000000008; see `tierline update list`"].assert_eq(&refusal(unknown));
    });
}

#[test]
fn cleanup_is_seen_asked_for_and_set() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        with_updates(&top).await;
        let mut admin = top.admin();
        let shown = admin.get_cleanup(pb::GetCleanupRequest {}).await.told();
        assert_eq!((shown.age_days, shown.expired, shown.next_due), (7, 2, None));
        assert_eq!(admin.run_cleanup(pb::RunCleanupRequest {}).await.told().after, 0);
        let asked = top.db.read(|r| r.cleanup_request()).await.expect("read");
        assert_eq!(asked.as_deref(), Some("ada"));
        assert_eq!(
            admin.set_cleanup(pb::SetCleanupRequest { age_days: 0 }).await.told().age_days,
            0
        );
        let far = admin.set_cleanup(pb::SetCleanupRequest { age_days: 4_000 }).await;
        expect!["InvalidArgument: age_days: is 4000; at most 3650"].assert_eq(&refusal(far));
        top.db.write(|w| w.begin_cleanup("ada", 2)).await.expect("written");
        let row = admin.get_cleanup(pb::GetCleanupRequest {}).await.told().row.expect("a row");
        assert_eq!((row.number, row.reason.as_str(), row.total), (1, "ada", 2));
    });
}

/// The list of products of a real server, of which only the titles are known.
#[test]
fn a_real_list_of_products_is_chosen_from() {
    let name = "a_real_list_of_products_is_chosen_from";
    let Some(data) = reference(name, "products.json") else { return };
    let text = std::fs::read_to_string(data).expect("text");
    let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let of = |field: &str, kind, parent: Option<UpdateId>| {
        let all = read[field].as_object().expect("an object").clone().into_iter();
        all.map(move |(id, title)| {
            let update = UpdateRef { id: id.parse().expect("an id"), revision: 1 };
            let named = category(0, kind, title.as_str().expect("a title"), (None, 1));
            Category { update, parent, ..named }
        })
    };
    let maker: UpdateId = "56309036-4c77-4dd9-951a-99ee9c246a94".parse().expect("an id");
    let products = of("families_products", CategoryKind::ProductFamily, Some(maker));
    let all: Vec<Category> = of("company", CategoryKind::Company, None)
        .chain(products)
        .chain(of("classifications", CategoryKind::Classification, None))
        .collect();
    let (families, total) = (read["families_products"].as_object().expect("one").len(), all.len());
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let own = all.iter().map(Own::put).collect();
        top.db.write(|w| w.write_own(Group::Catalog, own)).await.expect("written");
        let choose = async |name: &str, kind: &str| {
            let (categories, r#type) = (vec![name.to_owned()], kind.to_owned());
            let request = pb::SetSubscriptionRequest { categories, subscribed: true, r#type };
            top.admin().set_subscription(request).await.told().rows.len()
        };
        assert_eq!(choose("Microsoft", "products").await, 1);
        assert_eq!(choose("SecurityUpdates", "classification").await, 1);
        let held = top.db.read(|r| r.list::<Category>()).await.expect("read");
        assert_eq!(held.len(), total);
        let tree: CategoryTree = held.into_iter().map(|(_, category)| category).collect();
        let (products, classifications) = tree.selection();
        assert_eq!((products.len(), classifications.len()), (families, 1));
        let list = pb::ListCategoriesRequest { r#type: "products".to_owned() };
        let rows = top.admin().list_categories(list).await.told().rows;
        assert!(rows.iter().any(|row| row.path == "Microsoft > Windows"), "{rows:#?}");
    });
}
