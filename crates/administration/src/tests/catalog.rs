//! Synchronization, updates and packages, as administrators see them.

use expect_test::expect;
use model::{
    Category, CategoryKind, ContentState, DistributionState, Item, ItemFile, LocalizedText,
    MsrcSeverity, RoleId, RoleKind, RoleRecord, Severity, Sha1, Sha256, StatusMessage, UpdateId,
    UpdateRef,
};
use site_db::{Found, ImportReport, SyncRequest, SyncStep};

use testkit::objects;

use super::*;

fn id(number: u128) -> UpdateId {
    UpdateId(uuid::Uuid::from_u128(number))
}

fn texts(title: &str) -> Vec<LocalizedText> {
    let (language, title) = ("en".to_owned(), title.to_owned());
    vec![LocalizedText { language, title, description: "Repairs it.".to_owned() }]
}

fn category(number: u128, kind: CategoryKind, title: &str) -> Category {
    let update = UpdateRef { id: id(number), revision: 1 };
    Category { update, kind, parent: None, texts: texts(title), subscribed: false, since: 1 }
}

/// Update `number`, with one file.
fn item(number: u8, title: &str) -> Item {
    let (name, sha1) = (format!("setup{number}.exe"), Sha1([number; 20]));
    Item {
        texts: texts(title),
        products: vec![id(101)],
        files: vec![ItemFile { name, size: 10, sha1, sha256: None }],
        ..objects::item(number.into())
    }
}

fn role(name: &str, kind: RoleKind, site: SiteCode) -> RoleRecord {
    let (id, url, http_url) = (RoleId(uuid::Uuid::from_u128(9)), String::new(), String::new());
    RoleRecord { id, site, kind, name: name.to_owned(), url, http_url, joined_at: at(0) }
}

/// A bundle of two hidden updates, one of which nothing classifies, and an older update.
async fn with_catalog(top: &Site) {
    let part = UpdateRef { id: id(2), revision: 1 };
    let bundle = Item {
        classification: Some(id(102)),
        severity: Some(MsrcSeverity::Critical),
        kb_articles: vec!["9000001".to_owned()],
        supersedes: vec![id(3), id(99)],
        bundles: vec![part],
        files: Vec::new(),
        ..item(1, "Cumulative update")
    };
    let child = Item { hidden: true, ..item(2, "Part of it") };
    let driver = UpdateRef { id: id(5), revision: 1 };
    let lone = Item { bundles: vec![driver], ..item(4, "Driver pack") };
    let fifth = Item { hidden: true, ..item(5, "A driver") };
    let write = move |w: &site_db::Writer<'_>| {
        w.put_own(&category(101, CategoryKind::Product, "Windows 11"))?;
        w.put_own(&category(102, CategoryKind::Classification, "Updates"))?;
        for item in [bundle, child, item(3, "Old update"), lone, fifth] {
            w.put_own(&item)?;
        }
        Ok::<_, site_db::Error>(())
    };
    top.db.write(write).await.expect("written");
}

async fn listed(top: &Site, filter: pb::ListUpdatesRequest) -> Vec<String> {
    let mut answers = top.admin().list_updates(filter).await.told();
    let mut rows = Vec::new();
    while let Some(answer) = answers.message().await.expect("whole") {
        rows.extend(answer.rows);
    }
    rows.iter().map(|r| format!("{} | {} | {}", r.title, r.classification, r.superseded)).collect()
}

#[test]
fn updates_are_filtered_and_shown_with_files_and_classification() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        with_catalog(&top).await;
        let all = pb::ListUpdatesRequest::default;
        expect![[r#"
            [
                "Cumulative update | Updates | false",
                "Old update | none | true",
                "Driver pack | none | false",
            ]
        "#]]
        .assert_debug_eq(&listed(&top, all()).await);
        let filters = [
            pb::ListUpdatesRequest { title: "CUMUL".to_owned(), ..all() },
            pb::ListUpdatesRequest { kb: "KB9000001".to_owned(), ..all() },
            pb::ListUpdatesRequest { classification: "updates".to_owned(), ..all() },
            pb::ListUpdatesRequest { severity: "critical".to_owned(), ..all() },
        ];
        for filter in filters {
            assert_eq!(listed(&top, filter).await, ["Cumulative update | Updates | false"]);
        }
        let (product, superseded) = ("Windows 11".to_owned(), Some(true));
        let product = pb::ListUpdatesRequest { product, superseded, ..all() };
        assert_eq!(listed(&top, product).await, ["Old update | none | true"]);
        let severity = pb::ListUpdatesRequest { severity: "grave".to_owned(), ..all() };
        assert!(top.admin().list_updates(severity).await.is_err());

        let show = async |number| {
            let request = pb::GetUpdateRequest { id: id(number).to_string() };
            top.admin().get_update(request).await.told()
        };
        assert_eq!(show(2).await.row.expect("a row").classification, "Updates");
        assert_eq!(show(5).await.row.expect("a row").classification, "none (part of a bundle)");
        let shown = show(2).await;
        assert_eq!((shown.files[0].name.as_str(), shown.files[0].size_bytes), ("setup2.exe", 10));
        assert_eq!(shown.files[0].sha1, "02".repeat(20));
        let related: Vec<_> = show(1).await.related;
        let related = related.iter().map(|r| format!("{} {}", r.relation, r.title));
        assert_eq!(
            related.collect::<Vec<_>>(),
            ["supersedes Old update", "supersedes ", "bundles Part of it"]
        );
    });
}

#[test]
fn products_are_subscribed_by_title_at_the_top() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        with_catalog(&top).await;
        let subscribe = async |name: &str| {
            let (categories, subscribed) = (vec![name.to_owned()], true);
            let r#type = String::new();
            let request = pb::SetSubscriptionRequest { categories, subscribed, r#type };
            top.admin().set_subscription(request).await
        };
        assert!(subscribe("windows 11").await.told().rows[0].subscribed);
        expect!["NotFound: there is no category Windows 12; see `tierline category list`"]
            .assert_eq(&refusal(subscribe("Windows 12").await));
        let request = pb::ListCategoriesRequest { r#type: "product".to_owned() };
        let rows = top.admin().list_categories(request).await.told().rows;
        assert_eq!((rows.len(), rows[0].subscribed), (1, true));
    });
}

#[test]
fn synchronization_is_asked_for_and_seen() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let mut client = top.admin();
        let started = client.start_sync(pb::StartSyncRequest { full: true }).await.told();
        assert_eq!(started.after, 0);
        let wanted = SyncRequest { is_full: true, reason: "ada".to_owned() };
        assert_eq!(top.db.read(|r| r.sync_request()).await.expect("read"), Some(wanted.clone()));
        let play = move |w: &site_db::Writer<'_>| {
            let mut run = w.begin_sync(&wanted)?;
            (run.step, run.ended_at, run.version) = (SyncStep::Succeeded, Some(at(5)), 34);
            w.save_sync(&run)?;
            let site = w.identity().code();
            w.put_own(&role("SUP1", RoleKind::SoftwareUpdatePoint, site))?;
            let said =
                [(6701, "ada|full|http://up"), (6702, "34|5|0d00h00m01s"), (6703, "no route")];
            for (id, strings) in said {
                w.append_status(&StatusMessage {
                    id,
                    severity: Severity::Information,
                    component: "SMS_WSUS_SYNC_MANAGER".to_owned(),
                    site,
                    machine: "SUP1".to_owned(),
                    at: at(i64::from(id)),
                    strings: strings.split('|').map(str::to_owned).collect(),
                })?;
            }
            Ok::<_, site_db::Error>(())
        };
        top.db.write(play).await.expect("written");
        let status = client.get_sync_status(pb::GetSyncStatusRequest {}).await.told();
        let row = status.row.expect("a run");
        assert_eq!((row.step.as_str(), row.catalog_version), ("succeeded", 34));
        let point = &status.update_points[0];
        assert_eq!((point.last_state, point.catalog_version), (6703, 34));
        assert_eq!((point.source.as_str(), point.last_error.as_str()), ("http://up", "no route"));
        expect!["NotFound: there is no synchronization under way"]
            .assert_eq(&refusal(client.cancel_sync(pb::CancelSyncRequest {}).await));
        let hourly = pb::SetSyncScheduleRequest { every_seconds: 3_600, ..Default::default() };
        let set = client.set_sync_schedule(hourly).await.told();
        assert_eq!(set.row.expect("a row").every_seconds, 3_600);
        let recurrence = "0 2 * * tue#2 plus 1 day in Europe/Berlin".to_owned();
        let monthly =
            pb::SetSyncScheduleRequest { recurrence, preview: true, ..Default::default() };
        let shown = client.set_sync_schedule(monthly.clone()).await.told().row.expect("a row");
        assert_eq!(shown.recurrence, "0 2 * * TUE#2 plus 1 day in Europe/Berlin");
        assert_eq!(shown.next.len(), 5);
        assert!(shown.next.iter().all(|at| at.starts_with("Wed ") && at.contains(" 02:00 CE")));
        let held = client.get_sync_schedule(pb::GetSyncScheduleRequest {}).await.told();
        assert_eq!(held.row.expect("a row").every_seconds, 3_600);
        let set = pb::SetSyncScheduleRequest { preview: false, ..monthly.clone() };
        assert_eq!(client.set_sync_schedule(set).await.told().row, Some(shown));
        let both = pb::SetSyncScheduleRequest { every_seconds: 60, ..monthly };
        expect!["InvalidArgument: schedule: is an interval or a recurrence, not both"]
            .assert_eq(&refusal(client.set_sync_schedule(both).await));
        let rule = |months| pb::SetSupersedenceRuleRequest {
            rule: Some(pb::SupersedenceRule { months: Some(months), feature_months: None }),
        };
        let set = client.set_supersedence_rule(rule(3)).await.told();
        assert_eq!(set.row, rule(3).rule);
        expect!["InvalidArgument: months: is at most 99; leave it out for never"]
            .assert_eq(&refusal(client.set_supersedence_rule(rule(100)).await));
        let source = pb::SetSyncSourceRequest { url: "ftp://up".to_owned(), ..Default::default() };
        expect![[
            r#"InvalidArgument: source: "ftp://up" is not of the form http://host:8530; none: """#
        ]]
        .assert_eq(&refusal(client.set_sync_source(source).await));
    });
}

#[test]
fn a_source_over_tls_is_set_with_what_it_is_believed_by() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let mut client = top.admin();
        let mut set = async |url: &str, pin: &str, roots: &str| {
            let [url, pin, roots] = [url, pin, roots].map(str::to_owned);
            client.set_sync_source(pb::SetSyncSourceRequest { url, pin, roots }).await
        };
        let url = "https://wsus:8531";
        let colons = vec!["AB"; 32].join(":");
        let row = set(url, &colons, "").await.told().row.expect("it stands");
        assert_eq!((row.url.as_str(), row.pin), (url, "ab".repeat(32)));
        let pem = "-----BEGIN CERTIFICATE-----\n";
        assert_eq!(set(url, "", pem).await.told().row.expect("it stands").roots, pem);
        expect!["InvalidArgument: source: only an https address has a pin or roots"]
            .assert_eq(&refusal(set("http://wsus:8530", "", pem).await));
        expect!["InvalidArgument: source: give a pin or roots, not both"]
            .assert_eq(&refusal(set(url, &colons, pem).await));
        expect!["InvalidArgument: source: the roots are no certificates as PEM"]
            .assert_eq(&refusal(set(url, "", "ca").await));
    });
}

#[test]
fn languages_are_chosen_at_the_top_and_shown() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let mut client = top.admin();
        let choice = |tags: &[&str]| {
            let languages = tags.iter().map(ToString::to_string).collect();
            Some(pb::LanguageChoice { languages })
        };
        let summary = |tags: &[&str]| pb::SetSyncLanguagesRequest {
            summary: choice(tags),
            ..Default::default()
        };
        client.set_sync_languages(summary(&["de", "pt-BR"])).await.told();
        let shown = client.get_sync_languages(pb::GetSyncLanguagesRequest {}).await.told();
        assert_eq!(shown.summary, choice(&["de", "en", "pt-br"]));
        assert_eq!(client.set_sync_languages(summary(&[])).await.told().summary, choice(&[]));
        let unknown = refusal(client.set_sync_languages(summary(&["tlh"])).await);
        assert!(unknown.starts_with("InvalidArgument: language: \"tlh\" is none of ar, bg,"));
        let files = pb::SetSyncLanguagesRequest {
            files: choice(&["de"]),
            update_point: "SUP9".to_owned(),
            ..Default::default()
        };
        expect!["NotFound: there is no update point of this site SUP9; see `tierline role list`"]
            .assert_eq(&refusal(client.set_sync_languages(files).await));
    });
}

#[test]
fn a_catalog_file_comes_in_parts() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let mut client = top.admin();
        let name = "vendor.cab".to_owned();
        let first = pb::ImportCatalogRequest { name, data: vec![1; 9], ..Default::default() };
        let id = client.import_catalog(first.clone()).await.told().id;
        let last = pb::ImportCatalogRequest { id, part: 1, last: true, ..first };
        client.import_catalog(last).await.expect("kept");
        let pending = top.db.read(|r| r.pending_import()).await.expect("read").expect("whole");
        assert_eq!((pending.id, pending.parts), (id, 2));
        let rejected = vec!["bad.sdp".to_owned()];
        let report = ImportReport { imported: 7, rejected, ..Default::default() };
        top.db.write(move |w| w.finish_import(&pending, &report, None)).await.expect("written");
        let report = client.get_catalog_import(pb::GetCatalogImportRequest { id }).await.told();
        assert_eq!((report.done, report.imported, report.rejected.len()), (true, 7, 1));
    });
}

#[test]
fn bundles_come_in_at_the_top_alone_and_leave_a_part_at_a_time() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let token = site_token(&top, "PR1", "primary", "").await.expect("a token");
        let child = top.join_primary(&token).await.expect("joined");
        let (name, trust) = ("may.tlbundle".to_owned(), "09".repeat(32));
        let first = pb::ImportCatalogRequest { name, trust, last: true, ..Default::default() };
        expect!["PermissionDenied: only the top-level site (not known here yet) can do this; call it there with --server"]
            .assert_eq(&refusal(child.admin().import_catalog(first.clone()).await));
        let bad = pb::ImportCatalogRequest { trust: "3f1c".to_owned(), ..first.clone() };
        expect![[r#"InvalidArgument: sha256: "3f1c" is not 64 hex digits"#]]
            .assert_eq(&refusal(top.admin().import_catalog(bad).await));
        top.admin().import_catalog(first).await.expect("kept");
        let pending = top.db.read(|r| r.pending_import()).await.expect("read").expect("whole");
        assert_eq!(pending.consent.trust, Some(Sha256([9; 32])));
        assert!(!pending.consent.is_unsigned);

        let mut client = child.admin();
        let asked = pb::ExportCatalogRequest { since: 7, content: true };
        let far = pb::ExportCatalogRequest { since: u64::MAX, content: true };
        let far = refusal(client.export_catalog(far).await);
        assert!(far.starts_with("InvalidArgument: since: 18446744073709551615 is no"), "{far}");
        let id = client.export_catalog(asked).await.told().id;
        let pending = child.db.read(|r| r.pending_export()).await.expect("read").expect("asked");
        assert_eq!((pending.since, pending.has_content), (7, true));
        let part = |part| pb::GetCatalogExportRequest { id, part };
        assert_eq!(client.get_catalog_export(part(0)).await.told().data, b"");
        let made = move |w: &site_db::Writer<'_>| {
            w.add_export_part(id, b"one")?;
            w.add_export_part(id, b"two")?;
            w.end_export(id, &["eula.txt".to_owned()])
        };
        child.db.write(made).await.expect("written");
        let taken = [0, 0, 1].map(part);
        let mut seen = Vec::new();
        for part in taken {
            let taken = client.get_catalog_export(part).await.told();
            seen.push((taken.data, taken.last, taken.missing.len()));
        }
        let expected = [(b"one", false, 0), (b"one", false, 0), (b"two", true, 1)];
        assert_eq!(seen, expected.map(|(data, last, missing)| (data.to_vec(), last, missing)));
        let gone = client.get_catalog_export(part(0)).await.told();
        assert_eq!((gone.data, gone.failure), (Vec::new(), String::new()), "it was taken");
        let unknown = pb::GetCatalogExportRequest { id: 99, part: 0 };
        expect!["there is no such export"]
            .assert_eq(&client.get_catalog_export(unknown).await.told().failure);
        let distrust = pb::DistrustHierarchyRequest { fingerprint: "09".repeat(32) };
        expect!["NotFound: there is no trusted root 0909090909090909090909090909090909090909090909090909090909090909; see `tierline catalog trusted`"]
            .assert_eq(&refusal(top.admin().distrust_hierarchy(distrust).await));
    });
}

#[test]
fn packages_want_the_files_of_bundled_updates_and_go_to_points() {
    run(async {
        let top = Site::top("PR1", SiteKind::Primary).await;
        with_catalog(&top).await;
        let mut client = top.admin();
        let name = "Patches".to_owned();
        let request = pb::CreatePackageRequest { name, ..Default::default() };
        let made = client.create_package(request).await.told();
        let code = made.row.expect("a row").code;
        assert_eq!(code, "PR100001");
        let updates = vec![id(1).to_string()];
        let request =
            pb::DownloadPackageRequest { code: code.clone(), updates, ..Default::default() };
        assert_eq!(client.download_package(request).await.told().wanted, 1);
        let show = || pb::GetPackageRequest { code: code.clone() };
        let shown = client.get_package(show()).await.told();
        assert_eq!(shown.missing_files[0].name, "setup2.exe");
        let stored = code.clone();
        let play = move |w: &site_db::Writer<'_>| {
            let found = Found::Stored { sha256: Sha256([7; 32]), is_weak: true };
            w.note_found(&item(2, "").files[0], found)?;
            let package = model::ObjectCode::new(&stored)?;
            w.finish_download(&package)?;
            let site = w.identity().code();
            let point = role("PR1-DP", RoleKind::DistributionPoint, site);
            w.put_own(&point)?;
            w.save_content_states(&[DistributionState {
                package,
                version: 2,
                point: point.id,
                site,
                state: ContentState::Installed,
                files: 1,
                bytes: 10,
                reason: String::new(),
                at: at(1),
            }])
        };
        top.db.write(play).await.expect("written");
        let to = |point: &str| {
            let (code, points) = (code.clone(), vec![point.to_owned()]);
            pb::DistributePackageRequest { code, points }
        };
        let row = client.distribute_package(to("PR1-DP")).await.told().rows.remove(0);
        assert_eq!((row.dp.as_str(), row.version, row.verified), ("PR1-DP", 2, true));
        expect!["NotFound: there is no distribution point PR2-DP; see `tierline dp list`"]
            .assert_eq(&refusal(client.distribute_package(to("PR2-DP")).await));
        let shown = client.get_package(show()).await.told();
        assert_eq!((shown.row.expect("a row").version, shown.files[0].weak), (2, true));
        let dp = pb::GetDistributionPointRequest { point: "PR1-DP".to_owned() };
        let dp = client.get_distribution_point(dp).await.told();
        let row = dp.row.expect("a row");
        assert_eq!((row.packages, row.installed, dp.packages.len()), (1, 1, 1));
    });
}
