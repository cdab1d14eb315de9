//! Updates of Office, which administrators look for by themselves (DEP-14).

use model::{Category, CategoryKind, Group, Item, LocalizedText, UpdateId, UpdateRef};
use site_db::Own;
use testkit::objects;
use uuid::Uuid;

use super::deploying::{item, update};
use super::*;

fn product(number: u128, title: &str) -> Category {
    let (language, description) = ("en".to_owned(), String::new());
    let text = LocalizedText { language, title: title.to_owned(), description };
    Category {
        update: UpdateRef { id: UpdateId(Uuid::from_u128(number)), revision: 1 },
        kind: CategoryKind::Product,
        parent: None,
        texts: vec![text],
        subscribed: true,
        since: 1,
    }
}

/// The built-in search names the updates of that product and no others; what it names goes into a
/// group, and that is deployed by hand.
#[test]
fn office_updates_are_found_by_a_search_of_their_own_and_deployed_by_hand() {
    run(async {
        let site = Site::top("PR1", SiteKind::Primary).await;
        let of = |number: u8, product: u128| Item {
            products: vec![UpdateId(Uuid::from_u128(product))],
            created_at: at(-1_000),
            ..item(number)
        };
        let mut objects = vec![
            Own::put(&product(101, "Microsoft 365 Apps/Office 2019/Office LTSC")),
            Own::put(&product(102, "Windows 11")),
        ];
        let items = [of(1, 101), of(2, 102), of(3, 101)];
        objects.extend(items.iter().map(Own::put));
        let clients = vec![Own::put(&objects::client(9, "PR1"))];
        let written = site.db.write(move |w| {
            w.write_own(Group::Catalog, objects)?;
            w.write_own(Group::Clients, clients)
        });
        written.await.expect("written");

        let templates =
            site.admin().list_rule_templates(pb::ListRuleTemplatesRequest {}).await.told();
        let search = templates.rows.into_iter().find(|row| row.name == "office-365");
        let r#where = search.expect("it is built in").filter;
        let request = pb::ListUpdatesRequest { r#where, ..Default::default() };
        let mut stream = site.admin().list_updates(request).await.expect("a query").into_inner();
        let mut found = Vec::new();
        while let Some(message) = stream.message().await.expect("rows") {
            found.extend(message.rows.into_iter().map(|row| row.id));
        }
        assert_eq!(found, [update(1), update(3)]);

        let (name, updates) = ("Office".to_owned(), found.clone());
        let group = pb::CreateGroupRequest { name, updates, ..Default::default() };
        let group = site.admin().create_group(group).await.told().code;
        let order = pb::CreateDeploymentRequest {
            name: "Office".to_owned(),
            group,
            intent: "required".to_owned(),
            new_package: "Office".to_owned(),
            ..Default::default()
        };
        let made = site.admin().create_deployment(order).await.told();
        let request = pb::GetDeploymentRequest { id: made.id };
        let deployed = site.admin().get_deployment(request).await.told();
        assert_eq!(deployed.row.expect("a row").name, "Office");
        let listed =
            pb::ListUpdatesRequest { r#where: "deployed".to_owned(), ..Default::default() };
        let mut stream = site.admin().list_updates(listed).await.expect("a query").into_inner();
        let message = stream.message().await.expect("rows").expect("some");
        let deployed: Vec<String> = message.rows.into_iter().map(|row| row.id).collect();
        assert_eq!(deployed, found);
    });
}
