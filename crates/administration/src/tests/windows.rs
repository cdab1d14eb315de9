//! Maintenance windows: what is refused, when they come, and how long installations may take.

use expect_test::{Expect, expect};
use model::{Group, Item, LocalizedText, UpdateId};
use site_db::Own;
use testkit::objects::{self, item};
use uuid::Uuid;

use super::*;

fn id(number: u128) -> String {
    ClientId(Uuid::from_u128(number)).to_string()
}

fn check<T>(result: Result<T, Status>, expected: Expect) {
    expected.assert_eq(&refusal(result));
}

/// A stand-alone primary with updates 1 and 2, client 8, and a collection of it.
async fn site() -> (Site, String) {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let written = site.db.write(|w| {
        let items = [1, 2].map(|number| {
            let title = format!("Update {number}");
            let text = LocalizedText { language: "en".to_owned(), title, ..Default::default() };
            Own::put(&Item { texts: vec![text], ..item(number) })
        });
        w.write_own(Group::Catalog, items.to_vec())?;
        w.write_own(Group::Clients, vec![Own::put(&objects::client(8, "PR1"))])
    });
    written.await.expect("written");
    let (name, clients) = ("Servers".to_owned(), vec![id(8)]);
    let request = pb::CreateCollectionRequest { name, clients, ..Default::default() };
    let collection = site.admin().create_collection(request).await.told().code;
    (site, collection)
}

fn nights(collection: &str) -> pb::CreateWindowRequest {
    let (name, collection) = ("Nights".to_owned(), collection.to_owned());
    pb::CreateWindowRequest { name, collection, ..Default::default() }
}

impl Site {
    async fn window(
        &self,
        request: pb::CreateWindowRequest,
    ) -> Result<pb::CreateWindowResponse, Status> {
        Ok(self.admin().create_window(request).await?.into_inner())
    }

    async fn next(&self, request: pb::NextWindowsRequest) -> String {
        let rows = self.admin().next_windows(request).await.told().rows.into_iter();
        let row = |row: pb::WindowSpan| {
            format!("{} ({} min) {}\n", row.shown, row.minutes, row.windows.join(" "))
        };
        rows.map(row).collect()
    }
}

#[test]
fn a_window_says_when_it_comes_before_it_is_made_and_afterwards() {
    run(async {
        let (site, servers) = site().await;
        let preview = site.window(pb::CreateWindowRequest { preview: true, ..nights(&servers) });
        let preview = preview.await.expect("shown");
        let row = preview.row.expect("a row");
        expect![[r#"
            "" 0 1 * * SAT in client 180 all
            Sat 2026-11-21 01:00 client to Sat 2026-11-21 04:00 client
            Sat 2026-11-28 01:00 client to Sat 2026-11-28 04:00 client
            Sat 2026-12-05 01:00 client to Sat 2026-12-05 04:00 client
            Sat 2026-12-12 01:00 client to Sat 2026-12-12 04:00 client
            Sat 2026-12-19 01:00 client to Sat 2026-12-19 04:00 client"#]]
        .assert_eq(&format!(
            "{:?} {} {} {}\n{}",
            row.code,
            row.at,
            row.minutes,
            row.kind,
            preview.next.join("\n")
        ));
        let listed = site.admin().list_windows(pb::ListWindowsRequest::default()).await.told();
        assert!(listed.rows.is_empty(), "a preview makes nothing");

        // Days after the second Tuesday, beyond the month's end: none is moved, none is dropped.
        let at = "0 22 * * tue#2 plus 20 days in Europe/Berlin".to_owned();
        let made = site.window(pb::CreateWindowRequest { at, minutes: 240, ..nights(&servers) });
        let code = made.await.expect("made").row.expect("a row").code;
        let shown =
            site.admin().get_window(pb::GetWindowRequest { code: code.clone() }).await.told();
        expect![[r#"
            0 22 * * TUE#2 plus 20 days in Europe/Berlin
            Mon 2026-11-30 22:00 CET to Tue 2026-12-01 02:00 CET
            Mon 2026-12-28 22:00 CET to Tue 2026-12-29 02:00 CET
            Mon 2027-02-01 22:00 CET to Tue 2027-02-02 02:00 CET
            Mon 2027-03-01 22:00 CET to Tue 2027-03-02 02:00 CET
            Mon 2027-03-29 22:00 CEST to Tue 2027-03-30 02:00 CEST"#]]
        .assert_eq(&format!("{}\n{}", shown.row.expect("a row").at, shown.next.join("\n")));
        let disable = pb::SetWindowEnabledRequest { code: code.clone(), enabled: false };
        site.admin().set_window_enabled(disable).await.told();
        let of_servers = pb::ListWindowsRequest { collection: servers };
        let listed = site.admin().list_windows(of_servers).await.told().rows;
        assert_eq!((listed.len(), listed[0].enabled), (1, false));
        site.admin().delete_window(pb::DeleteWindowRequest { code: code.clone() }).await.told();
        check(
            site.admin().get_window(pb::GetWindowRequest { code }).await,
            expect![
                "NotFound: there is no maintenance window PR100001; see `tierline window list`"
            ],
        );
    });
}

/// Symptom: a window that could not be made could still be enabled. Cause: only making one looked at
/// what is deployed to its collection.
#[test]
fn a_window_is_enabled_only_if_it_could_be_made_now() {
    run(async {
        let (site, servers) = site().await;
        let made = site.window(nights(&servers)).await.expect("made");
        let code = made.row.expect("a row").code;
        let enable = async |enabled| {
            let request = pb::SetWindowEnabledRequest { code: code.clone(), enabled };
            site.admin().set_window_enabled(request).await
        };
        enable(false).await.told();
        let updates = vec![UpdateId(Uuid::from_u128(1)).to_string()];
        let (name, run_minutes) = ("Monthly".to_owned(), 240);
        let group = pb::CreateGroupRequest { name, updates: updates.clone(), ..Default::default() };
        let group = site.admin().create_group(group).await.told().code;
        let deploy = pb::CreateDeploymentRequest {
            group,
            collection: servers.clone(),
            intent: "required".to_owned(),
            ..Default::default()
        };
        site.admin().create_deployment(deploy).await.told();
        let long = pb::SetUpdateSettingsRequest { updates, run_minutes, ..Default::default() };
        site.admin().set_update_settings(long).await.told();
        check(
            enable(true).await,
            expect![
                "AlreadyExists: update 00000000-0000-0000-0000-000000000001 (Update 1) may take 240 minutes, and no window of the collection ever has room for that; make it longer, say that the installation takes less with `tierline update-settings set`, or pass --force"
            ],
        );
        let listed = site.admin().list_windows(pb::ListWindowsRequest::default()).await.told();
        assert!(!listed.rows[0].enabled);
    });
}

#[test]
fn windows_that_make_no_sense_are_refused() {
    run(async {
        let (site, servers) = site().await;
        let with = |at: &str, minutes| {
            site.window(pb::CreateWindowRequest { at: at.to_owned(), minutes, ..nights(&servers) })
        };
        check(
            with("", 4).await,
            expect!["InvalidArgument: window: a window is open for 5 to 1440 minutes, not for 4"],
        );
        check(
            with("", 1_441).await,
            expect![
                "InvalidArgument: window: a window is open for 5 to 1440 minutes, not for 1441"
            ],
        );
        check(
            with("0 1 30 2 *", 60).await,
            expect![[r#"InvalidArgument: window: "0 1 30 2 *" never comes; there is no such day"#]],
        );
        check(
            with("0 1 * * SAT in Europe/Berln", 60).await,
            expect![[
                r#"InvalidArgument: window: there is no time zone "Europe/Berln" here; write it like Europe/Berlin or UTC: failed to find time zone `Europe/Berln` in time zone database"#
            ]],
        );
        check(
            site.window(nights("SMS00001")).await,
            expect![
                "InvalidArgument: collection: SMS00001 is built in and has no windows of its own; make one with the same members: `tierline collection create`"
            ],
        );
        check(
            site.window(nights("PR100009")).await,
            expect!["NotFound: there is no collection PR100009; see `tierline collection list`"],
        );
        check(
            site.window(pb::CreateWindowRequest { kind: "mine".to_owned(), ..nights(&servers) })
                .await,
            expect![[
                r#"InvalidArgument: window kind: there is no "mine"; it is one of all, updates, task-sequences"#
            ]],
        );
        check(
            site.window(pb::CreateWindowRequest { name: "x".repeat(257), ..nights(&servers) })
                .await,
            expect!["InvalidArgument: name: has 1 to 256 characters, not 257"],
        );
    });
}

#[test]
fn windows_of_a_client_are_those_of_its_collections_put_together() {
    run(async {
        let (site, servers) = site().await;
        for (at, minutes, kind) in [
            ("0 1 * * SAT in UTC", 120, "all"),
            ("0 2 * * SAT in UTC", 120, "all"),
            ("0 0 * * * in UTC", 30, "task-sequences"),
        ] {
            let (at, kind) = (at.to_owned(), kind.to_owned());
            let request = pb::CreateWindowRequest { at, minutes, kind, ..nights(&servers) };
            site.window(request).await.expect("made");
        }
        let of_client = pb::NextWindowsRequest { client: id(8), limit: 2, ..Default::default() };
        let merged = expect![[r#"
            Sat 2026-11-21 01:00 UTC to Sat 2026-11-21 04:00 UTC (180 min) PR100001 PR100002
            Sat 2026-11-28 01:00 UTC to Sat 2026-11-28 04:00 UTC (180 min) PR100001 PR100002
        "#]];
        merged.assert_eq(&site.next(of_client.clone()).await);
        let of_collection =
            pb::NextWindowsRequest { collection: servers.clone(), limit: 2, ..Default::default() };
        merged.assert_eq(&site.next(of_collection).await);
        let long = pb::NextWindowsRequest { minutes: 181, ..of_client.clone() };
        assert_eq!(site.next(long).await, "");

        // A window for updates makes the others count no more (CSET-07).
        let (at, kind) = ("0 3 * * SUN".to_owned(), "updates".to_owned());
        site.window(pb::CreateWindowRequest { at, kind, ..nights(&servers) }).await.expect("made");
        let tokyo = pb::NextWindowsRequest { zone: "Asia/Tokyo".to_owned(), ..of_client.clone() };
        expect![[r#"
            Sun 2026-11-22 03:00 JST to Sun 2026-11-22 06:00 JST (180 min) PR100004
            Sun 2026-11-29 03:00 JST to Sun 2026-11-29 06:00 JST (180 min) PR100004
        "#]]
        .assert_eq(&site.next(tokyo.clone()).await);
        let set = vec![pb::SettingValue { name: "windows.in_all".into(), value: "yes".into() }];
        let code = "SMS00005".to_owned();
        let set = pb::SetSettingsRequest { code, set, ..Default::default() };
        site.admin().set_settings(set).await.told();
        expect![[r#"
            Sat 2026-11-21 10:00 JST to Sat 2026-11-21 13:00 JST (180 min) PR100001 PR100002
            Sun 2026-11-22 03:00 JST to Sun 2026-11-22 06:00 JST (180 min) PR100004
        "#]]
        .assert_eq(&site.next(tokyo).await);
        check(
            site.admin().next_windows(pb::NextWindowsRequest::default()).await,
            expect!["InvalidArgument: windows: are asked of a client or of a collection"],
        );
    });
}

#[test]
fn a_window_must_have_room_for_what_is_deployed_and_run_times_are_the_top_s_to_say() {
    run(async {
        let (site, servers) = site().await;
        let updates: Vec<String> =
            [1, 2].map(|number| UpdateId(Uuid::from_u128(number)).to_string()).to_vec();
        let (name, members) = ("Monthly".to_owned(), updates.clone());
        let group = pb::CreateGroupRequest { name, updates: members, ..Default::default() };
        let group = site.admin().create_group(group).await.told().code;
        let deploy = pb::CreateDeploymentRequest {
            name: "Monthly".to_owned(),
            group,
            collection: servers.clone(),
            intent: "required".to_owned(),
            ..Default::default()
        };
        site.admin().create_deployment(deploy).await.told();
        let takes = |run_minutes, reset| pb::SetUpdateSettingsRequest {
            updates: vec![updates[1].clone()],
            run_minutes,
            reset,
            ..Default::default()
        };
        for minutes in [4, 10_000] {
            let refused = site.admin().set_update_settings(takes(minutes, false)).await;
            let refused = refusal(refused);
            assert!(refused.contains("is 5 to 9999 minutes"), "{refused}");
        }
        let set = site.admin().set_update_settings(takes(90, false)).await.told().rows;
        assert_eq!((set[0].run_minutes, set[0].run_minutes_from.as_str()), (90, "administrator"));

        let short = pb::CreateWindowRequest { minutes: 60, ..nights(&servers) };
        check(
            site.window(short.clone()).await,
            expect![
                "AlreadyExists: update 00000000-0000-0000-0000-000000000002 (Update 2) may take 90 minutes, and no window of the collection ever has room for that; make it longer, say that the installation takes less with `tierline update-settings set`, or pass --force"
            ],
        );
        let forced = site.window(pb::CreateWindowRequest { force: true, ..short.clone() }).await;
        expect![[
            r#"["update 00000000-0000-0000-0000-000000000002 (Update 2) may take 90 minutes"]"#
        ]]
        .assert_eq(&format!("{:?}", forced.expect("made").warnings));
        // Beside it there is one now that is long enough.
        site.window(nights(&servers)).await.expect("made");
        site.window(short).await.expect("made");

        let reset = site.admin().set_update_settings(takes(0, true)).await.told().rows;
        assert_eq!((reset[0].run_minutes, reset[0].run_minutes_from.as_str()), (60, "default"));
        let all = site.admin().get_update_settings(pb::GetUpdateSettingsRequest::default()).await;
        assert!(all.told().rows.is_empty(), "nothing differs from the defaults");
    });
}
