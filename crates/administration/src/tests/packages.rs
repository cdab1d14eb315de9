//! Packages from their making to their end: versions, last copies, distribution points.

use expect_test::expect;
use model::{
    ContentManifest, Group, Item, ItemFile, ObjectCode, Package, RoleId, RoleKind, RoleRecord,
    Sha256, UpdateGroup, UpdateId,
};
use site_db::{Found, Own};
use uuid::Uuid;

use super::deploying::{item, update};
use super::*;

/// Updates 1 to 3 with a file each, all in one group, and a distribution point.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let written = site.db.write(|w| {
        w.write_own(Group::Catalog, [1, 2, 3].map(|n| Own::put(&item(n))).to_vec())?;
        let updates = [1, 2, 3].map(|n| UpdateId(Uuid::from_u128(n))).to_vec();
        let code = ObjectCode::new("PR100001")?;
        w.put_own(&UpdateGroup::plain(code, "May".to_owned(), updates))?;
        let site = w.identity().code();
        let (id, url, http_url) = (RoleId(Uuid::from_u128(9)), String::new(), String::new());
        let (kind, name) = (RoleKind::DistributionPoint, "PR1-DP".to_owned());
        w.put_own(&RoleRecord { id, site, kind, name, url, http_url, joined_at: at(0) })
    });
    written.await.expect("written");
    site
}

impl Site {
    async fn package(&self, name: &str) -> String {
        let request = pb::CreatePackageRequest { name: name.to_owned(), ..Default::default() };
        self.admin().create_package(request).await.told().row.expect("a row").code
    }

    /// Says how many files it wanted, and has them arrive.
    async fn downloaded(&self, code: &str, updates: &[u128]) -> u32 {
        let updates = updates.iter().map(|n| update(*n)).collect();
        let code = code.to_owned();
        let request =
            pb::DownloadPackageRequest { code: code.clone(), updates, ..Default::default() };
        let wanted = self.admin().download_package(request).await.told().wanted;
        if wanted > 0 {
            self.arrived(&code).await;
        }
        wanted
    }

    /// The content library has what is wanted.
    async fn arrived(&self, code: &str) {
        let code = ObjectCode::new(code).expect("a code");
        let written = self.db.write(move |w| {
            for demand in w.demands()? {
                let ItemFile { sha1, .. } = demand.file;
                let sha256 = Sha256([sha1.0[0]; 32]);
                w.note_found(&demand.file, Found::Stored { sha256, is_weak: true })?;
            }
            w.finish_download(&code)
        });
        written.await.expect("written");
    }

    async fn seen(&self, code: &str) -> (u32, Vec<String>) {
        let request = pb::GetPackageRequest { code: code.to_owned() };
        let shown = self.admin().get_package(request).await.told();
        let names = shown.files.into_iter().map(|file| file.name).collect();
        (shown.row.expect("a row").version, names)
    }

    async fn deploy_may(&self, request: pb::CreateDeploymentRequest) -> Result<String, Status> {
        let group = "PR100001".to_owned();
        let intent = "required".to_owned();
        let request = pb::CreateDeploymentRequest { group, intent, ..request };
        Ok(self.admin().create_deployment(request).await?.into_inner().id)
    }
}

fn remove(code: &str, number: u128) -> pb::RemoveFromPackageRequest {
    let updates = vec![update(number)];
    pb::RemoveFromPackageRequest { code: code.to_owned(), updates, ..Default::default() }
}

#[test]
fn each_change_of_content_is_a_version() {
    run(async {
        let site = site().await;
        let create = |name: &str, description: &str| pb::CreatePackageRequest {
            name: name.to_owned(),
            description: description.to_owned(),
        };
        let refusals = [
            refusal(site.admin().create_package(create("", "")).await),
            refusal(site.admin().create_package(create(&"x".repeat(51), "")).await),
            refusal(site.admin().create_package(create("May", &"x".repeat(128))).await),
        ];
        expect![[r#"
            InvalidArgument: name: is empty
            InvalidArgument: name: has 51 characters; at most 50 are possible
            InvalidArgument: description: has 128 characters; at most 127 are possible"#]]
        .assert_eq(&refusals.join("\n"));
        let made = site.admin().create_package(create("May", "of 2026")).await.told().row;
        let made = made.expect("a row");
        assert_eq!((made.version, made.description.as_str()), (1, "of 2026"));
        let code = made.code;
        assert_eq!((site.downloaded(&code, &[1, 2]).await, site.seen(&code).await.0), (2, 2));
        assert_eq!((site.downloaded(&code, &[2, 3]).await, site.seen(&code).await.0), (1, 3));
        let removed = site.admin().remove_from_package(remove(&code, 3)).await.told();
        assert_eq!((removed.row.expect("a row").version, removed.lost), (4, vec![]));
        let files = ["1.exe", "2.exe"].map(str::to_owned).to_vec();
        assert_eq!(site.seen(&code).await, (4, files.clone()));
        // What it does not hold changes nothing.
        site.admin().remove_from_package(remove(&code, 3)).await.told();
        assert_eq!(site.seen(&code).await.0, 4);
        let send = pb::DistributePackageRequest { code: code.clone(), points: Vec::new() };
        site.admin().distribute_package(send).await.told();
        let again = pb::RedistributePackageRequest { code: code.clone() };
        let rows = site.admin().redistribute_package(again).await.told().rows;
        assert_eq!((rows[0].version, rows[0].state.as_str()), (5, "pending"));
        assert_eq!(site.seen(&code).await, (5, files));
    });
}

#[test]
fn a_package_goes_unless_it_holds_the_last_copy_that_a_deployment_needs() {
    run(async {
        let site = site().await;
        let (first, second) = (site.package("First").await, site.package("Second").await);
        site.downloaded(&first, &[1, 2, 3]).await;
        let id = site.deploy_may(Default::default()).await.expect("all of it is in a package");
        let delete = |code: &str, force| pb::DeletePackageRequest { code: code.to_owned(), force };
        let mark = async || {
            let request = pb::GetDeploymentRequest { id: id.clone() };
            let row = site.admin().get_deployment(request).await.told().row.expect("a row");
            format!("{} {}", row.mark, row.missing)
        };
        assert_eq!(mark().await, "normal 0");
        let refusals = [
            refusal(site.admin().delete_package(delete(&first, false)).await),
            refusal(site.admin().remove_from_package(remove(&first, 2)).await),
            refusal(site.admin().delete_package(delete("PR100099", true)).await),
        ];
        expect![[r#"
            AlreadyExists: package PR100001 holds the last copy of files that deployments need: 00000000-0000-0000-0000-000000000001 (Update 1) for ID; 00000000-0000-0000-0000-000000000002 (Update 2) for ID; 00000000-0000-0000-0000-000000000003 (Update 3) for ID; with --force they go all the same, and computers get them only after they are downloaded again
            AlreadyExists: package PR100001 holds the last copy of files that deployments need: 00000000-0000-0000-0000-000000000002 (Update 2) for ID; with --force they go all the same, and computers get them only after they are downloaded again
            NotFound: there is no package PR100099; see `tierline package list`"#]].assert_eq(&refusals.join("\n").replace(&id, "ID"));
        // Halves in two packages are as good as one.
        site.downloaded(&second, &[2, 3]).await;
        site.admin().remove_from_package(remove(&first, 2)).await.told();
        assert_eq!(mark().await, "normal 0");
        let lost = site.admin().delete_package(delete(&first, true)).await.told().lost;
        assert_eq!((lost.len(), lost[0].update.clone()), (1, update(1)));
        assert_eq!(lost[0].deployments, std::slice::from_ref(&id));
        assert_eq!(mark().await, "missing 1");
        let (package, manifest) = site
            .db
            .read(|r| {
                let package = r.get::<Package>(b"PR100001")?;
                Ok::<_, site_db::Error>((package, r.get::<ContentManifest>(b"PR100001")?))
            })
            .await
            .expect("read");
        assert_eq!((package, manifest), (None, None));
        // A code is never given again.
        assert_eq!(site.package("Third").await, "PR100003");
    });
}

#[test]
fn a_deployment_fetches_what_no_package_holds_and_only_that() {
    run(async {
        let site = site().await;
        let first = site.package("First").await;
        site.downloaded(&first, &[1]).await;
        let refused = site.deploy_may(Default::default()).await;
        expect!["AlreadyExists: no package holds the files of these updates: 00000000-0000-0000-0000-000000000002, 00000000-0000-0000-0000-000000000003; name a package that fetches them with --package CODE or --new-package NAME, or let computers load from Microsoft Update with --no-package"].assert_eq(&refusal(refused));
        let new =
            || pb::CreateDeploymentRequest { new_package: "May".to_owned(), ..Default::default() };
        let request = pb::CreateDeploymentRequest { name: "One".to_owned(), ..new() };
        site.deploy_may(request).await.expect("made");
        let rows = site.admin().list_packages(pb::ListPackagesRequest {}).await.told().rows;
        let rows =
            rows.iter().map(|p| format!("{} {} {} {}\n", p.code, p.name, p.files, p.missing));
        expect![[r#"
            PR100001 First 1 0
            PR100002 May 0 2
        "#]]
        .assert_eq(&rows.collect::<String>());
        // Somebody fetches it already: a second deployment wants nothing.
        let request = pb::CreateDeploymentRequest { name: "Two".to_owned(), ..Default::default() };
        site.deploy_may(request).await.expect("made");
        let request = pb::CreateDeploymentRequest { name: "Three".to_owned(), ..new() };
        site.deploy_may(request).await.expect("made");
        let packages = pb::ListPackagesRequest {};
        assert_eq!(site.admin().list_packages(packages).await.told().rows.len(), 2);
        site.arrived("PR100002").await;
        let send = pb::GetContentStatusRequest { package: "PR100002".to_owned() };
        let rows = site.admin().get_content_status(send).await.told().rows;
        assert_eq!((rows[0].dp.as_str(), rows[0].version, rows[0].files), ("PR1-DP", 2, 2));
    });
}

#[test]
fn a_package_that_still_fetches_what_a_deployment_needs_goes_only_by_force() {
    run(async {
        let site = site().await;
        let new_package = "May".to_owned();
        let request = pb::CreateDeploymentRequest { new_package, ..Default::default() };
        let id = site.deploy_may(request).await.expect("it fetches all of it");
        let delete = |force| pb::DeletePackageRequest { code: "PR100001".to_owned(), force };
        let refusals = [
            refusal(site.admin().delete_package(delete(false)).await),
            refusal(site.admin().remove_from_package(remove("PR100001", 2)).await),
        ];
        expect![[r#"
            AlreadyExists: package PR100001 holds the last copy of files that deployments need: 00000000-0000-0000-0000-000000000001 (Update 1) for ID; 00000000-0000-0000-0000-000000000002 (Update 2) for ID; 00000000-0000-0000-0000-000000000003 (Update 3) for ID; with --force they go all the same, and computers get them only after they are downloaded again
            AlreadyExists: package PR100001 holds the last copy of files that deployments need: 00000000-0000-0000-0000-000000000002 (Update 2) for ID; with --force they go all the same, and computers get them only after they are downloaded again"#]].assert_eq(&refusals.join("\n").replace(&id, "ID"));
        let waiting = site.db.read(|r| r.demands()).await.expect("read");
        assert_eq!(waiting.len(), 3, "what is refused drops nothing");
        let lost = site.admin().delete_package(delete(true)).await.told().lost;
        assert_eq!(lost.len(), 3);
    });
}

/// Updates 11 and 12 bundle 13; 14 has the same file as 11 has.
#[test]
fn what_another_update_of_a_package_needs_stays() {
    run(async {
        let site = site().await;
        let bundle = |number| Item { bundles: vec![item(13).update], ..item(number) };
        let same = Item { files: item(11).files, ..item(14) };
        let items = [bundle(11), bundle(12), item(13), same];
        let items = items.iter().map(Own::put).collect();
        site.db.write(move |w| w.write_own(Group::Catalog, items)).await.expect("written");
        let code = site.package("Bundles").await;
        site.downloaded(&code, &[11, 12, 14]).await;
        let all = site.seen(&code).await.1.join(" ");
        assert_eq!(all.split(' ').count(), 3, "one of them is held once for two");
        let left = async |numbers: &[u128]| {
            let updates = numbers.iter().map(|number| update(*number)).collect();
            let request = pb::RemoveFromPackageRequest { updates, ..remove(&code, 0) };
            site.admin().remove_from_package(request).await.told();
            site.seen(&code).await.1.join(" ")
        };
        assert_eq!(left(&[11]).await, all, "12 and 14 need all of it");
        assert_eq!(left(&[11, 14]).await, "12.exe 13.exe");
        assert_eq!(left(&[12]).await, "");
    });
}
