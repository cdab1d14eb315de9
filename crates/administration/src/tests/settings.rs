//! Profiles of client settings: what is refused, who wins, and what is left when one is deleted.

use expect_test::{Expect, expect};
use model::{ClientRecord, Group, RoleId, RoleKind, RoleRecord};
use site_db::Own;
use testkit::objects;
use uuid::Uuid;

use super::*;

fn values(values: &[(&str, &str)]) -> Vec<pb::SettingValue> {
    let value = |(name, value): &(&str, &str)| pb::SettingValue {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    values.iter().map(value).collect()
}

fn id(number: u128) -> String {
    ClientId(Uuid::from_u128(number)).to_string()
}

/// A stand-alone primary with clients 8 and 9, an update point, and a collection of client 8.
async fn site() -> (Site, String) {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let written = site.db.write(|w| {
        let roles = [(5, "SUP"), (6, "SPARE")].map(|(number, name)| {
            Own::put(&RoleRecord {
                id: RoleId(Uuid::from_u128(number)),
                site: code("PR1"),
                kind: RoleKind::SoftwareUpdatePoint,
                name: name.to_owned(),
                url: format!("https://{}", name.to_lowercase()),
                http_url: String::new(),
                joined_at: Timestamp(0),
            })
        });
        w.write_own(Group::Topology, roles.to_vec())?;
        let address = Some("10.2.0.8".parse().expect("an address"));
        let clients =
            [8, 9].map(|n| Own::put(&ClientRecord { address, ..objects::client(n, "PR1") }));
        w.write_own(Group::Clients, clients.to_vec())
    });
    written.await.expect("written");
    let collection = site.collection("Servers", &[8]).await;
    (site, collection)
}

impl Site {
    async fn collection(&self, name: &str, clients: &[u128]) -> String {
        let (name, clients) = (name.to_owned(), clients.iter().map(|client| id(*client)).collect());
        let request = pb::CreateCollectionRequest { name, clients, ..Default::default() };
        self.admin().create_collection(request).await.told().code
    }

    async fn profile(
        &self,
        name: &str,
        order: u32,
        set: &[(&str, &str)],
    ) -> Result<String, Status> {
        let (name, values) = (name.to_owned(), values(set));
        let request = pb::CreateSettingsProfileRequest { name, order, values };
        Ok(self.admin().create_settings_profile(request).await?.into_inner().code)
    }

    async fn set(&self, code: &str, set: &[(&str, &str)]) -> Result<String, Status> {
        let (code, set) = (code.to_owned(), values(set));
        let request = pb::SetSettingsRequest { code, set, ..Default::default() };
        let values = self.admin().set_settings(request).await?.into_inner().values;
        let shown = values.iter().map(|value| format!("{}={}", value.name, value.value));
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    async fn reach(&self, code: &str, collection: &str) -> Result<(), Status> {
        let (code, add) = (code.to_owned(), vec![collection.to_owned()]);
        let request = pb::DeploySettingsProfileRequest { code, add, remove: Vec::new() };
        self.admin().deploy_settings_profile(request).await.map(drop)
    }

    async fn resultant(&self, client: u128) -> pb::GetResultantSettingsResponse {
        let request = pb::GetResultantSettingsRequest { client: id(client) };
        self.admin().get_resultant_settings(request).await.told()
    }

    /// What is not as the table says.
    async fn differing(&self, client: u128) -> String {
        let rows = self.resultant(client).await.rows.into_iter();
        let rows = rows.filter(|row| row.profile != "default");
        rows.map(|row| {
            let pb::ResultantSetting { name, value, profile, profile_name, default } = row;
            format!("{name} = {value} by {profile} ({profile_name}), else {default}\n")
        })
        .collect()
    }
}

#[test]
fn a_fresh_site_has_the_recommended_values() {
    run(async {
        let (site, _) = site().await;
        let shown = site.resultant(8).await;
        assert_eq!(shown.rows.len(), model::SETTINGS.len());
        for row in &shown.rows {
            assert_eq!((&row.value, row.profile.as_str()), (&row.default, "default"));
        }
        let all = site.admin().list_settings(pb::ListSettingsRequest {}).await.told().rows;
        let some = all.iter().filter(|row| row.id == "CSET-16" || row.id == "INT-05");
        let some = some.map(|row| format!("{} {} [{}]\n", row.name, row.takes, row.default));
        expect![[r#"
            detection.hours 8 to 22 hours [8]
            restart.countdown 1 to 20160 minutes [15]
            restart.delay 1 to 20160 minutes [90]
            restart.remind 1 to 20160 minutes [240]
        "#]]
        .assert_eq(&some.collect::<String>());
    });
}

#[test]
fn the_lowest_order_wins_and_what_is_deleted_falls_back() {
    run(async {
        let (site, servers) = site().await;
        let low = site.profile("Servers", 10, &[("grace.hours", "24"), ("metered", "limit")]).await;
        let high = site.profile("Slow", 0, &[("grace.hours", "48"), ("scan.every", "23h")]).await;
        let (low, high) = (low.expect("made"), high.expect("made"));
        site.set("SMS00005", &[("grace.hours", "2"), ("third_party", "yes")]).await.expect("set");
        assert_eq!(
            site.differing(8).await,
            site.differing(9).await,
            "profiles reach nobody before they are deployed"
        );
        for code in [&low, &high] {
            site.reach(code, &servers).await.expect("deployed");
        }
        expect![[r#"
            grace.hours = 24 by PR100001 (Servers), else 0
            metered = limit by PR100001 (Servers), else block
            scan.every = 1d by PR100002 (Slow), else 7d
            third_party = yes by SMS00005 (Default Client Settings), else no
        "#]]
        .assert_eq(&site.differing(8).await);
        site.admin()
            .delete_settings_profile(pb::DeleteSettingsProfileRequest { code: low })
            .await
            .told();
        expect![[r#"
            grace.hours = 48 by PR100002 (Slow), else 0
            scan.every = 1d by PR100002 (Slow), else 7d
            third_party = yes by SMS00005 (Default Client Settings), else no
        "#]]
        .assert_eq(&site.differing(8).await);
        expect![[r#"
            grace.hours = 2 by SMS00005 (Default Client Settings), else 0
            third_party = yes by SMS00005 (Default Client Settings), else no
        "#]]
        .assert_eq(&site.differing(9).await);
        let rows = site.admin().list_settings_profiles(pb::ListSettingsProfilesRequest {}).await;
        let rows = rows.told().rows.into_iter();
        let rows = rows.map(|row| format!("{} {} {:?}\n", row.code, row.order, row.collections));
        expect![[r#"
            SMS00005 0 ["SMS00001"]
            PR100002 11 ["PR100001"]
        "#]]
        .assert_eq(&rows.collect::<String>());
    });
}

fn check<T>(result: Result<T, Status>, expected: Expect) {
    expected.assert_eq(&refusal(result));
}

#[test]
fn settings_that_make_no_sense_are_refused_and_nothing_is_written() {
    run(async {
        let (site, servers) = site().await;
        check(
            site.profile("Servers", 1, &[("detection.hours", "23")]).await,
            expect![[r#"InvalidArgument: setting: detection.hours takes 8 to 22 hours, not "23""#]],
        );
        check(
            site.profile("Servers", 1, &[("agent.schedule", "0 2 * *")]).await,
            expect![[
                r#"InvalidArgument: setting: agent.schedule: a recurrence has five fields (minute, hour, day, month, weekday), then perhaps "plus N days" and "in ZONE", and this has 4; write it like "0 2 * * TUE#2 plus 3 days in Europe/Berlin""#
            ]],
        );
        check(
            site.profile("Servers", 1, &[("restart.delay", "15")]).await,
            expect![
                "InvalidArgument: setting: restart.countdown of 15 minutes is the last part of restart.delay, which is 15; make it shorter"
            ],
        );
        check(
            site.profile("Servers", 10_000, &[]).await,
            expect!["InvalidArgument: order: is 1 to 9999, not 10000"],
        );
        check(
            site.profile(&"x".repeat(257), 1, &[]).await,
            expect!["InvalidArgument: name: has 1 to 256 characters, not 257"],
        );
        check(
            site.set("SMS00005", &[("no.such", "1")]).await,
            expect![
                "InvalidArgument: setting: there is no no.such; see `tierline client-settings options`"
            ],
        );
        let rows = site.admin().list_settings_profiles(pb::ListSettingsProfilesRequest {}).await;
        assert_eq!(rows.told().rows.len(), 1, "only the defaults");

        let profile = site.profile("Servers", 1, &[]).await.expect("made");
        check(
            site.profile("Others", 1, &[]).await,
            expect![
                "AlreadyExists: order 1 is used by client settings PR100001 (Servers); give another order"
            ],
        );
        check(
            site.profile("Servers", 2, &[]).await,
            expect![
                "AlreadyExists: the name Servers is used by client settings PR100001 (Servers); give another name"
            ],
        );
        check(
            site.reach(&profile, "PR100009").await,
            expect!["NotFound: there is no collection PR100009; see `tierline collection list`"],
        );
        check(
            site.reach("SMS00005", &servers).await,
            expect![
                "InvalidArgument: profile: SMS00005 are the defaults of all clients; they are not deployed"
            ],
        );
    });
}

#[test]
fn a_restart_is_never_put_off_beyond_a_window() {
    run(async {
        let (site, servers) = site().await;
        let profile = site.profile("Servers", 1, &[("restart.delay", "180")]).await.expect("made");
        let request = pb::CreateWindowRequest {
            name: "Nights".to_owned(),
            collection: servers.clone(),
            ..Default::default()
        };
        site.admin().create_window(request).await.told();
        check(
            site.reach(&profile, &servers).await,
            expect![
                "InvalidArgument: setting: restart.delay of 180 minutes in PR100001 does not fit window \"Nights\" of collection PR100001, which is open for 180; make one shorter or the other longer"
            ],
        );
        site.set(&profile, &[("restart.delay", "179")]).await.expect("set");
        site.reach(&profile, &servers).await.expect("deployed");
        check(
            site.set(&profile, &[("restart.delay", "181")]).await,
            expect![
                "InvalidArgument: setting: restart.delay of 181 minutes in PR100001 does not fit window \"Nights\" of collection PR100001, which is open for 180; make one shorter or the other longer"
            ],
        );
        let short = pb::CreateWindowRequest {
            name: "Lunch".to_owned(),
            collection: servers,
            minutes: 120,
            ..Default::default()
        };
        check(
            site.admin().create_window(short).await,
            expect![[
                r#"InvalidArgument: setting: restart.delay of 179 minutes in PR100001 does not fit window "Lunch" of collection PR100001, which is open for 120; make one shorter or the other longer"#
            ]],
        );
    });
}

#[test]
fn a_collection_that_cannot_be_told_is_waited_for() {
    run(async {
        let (site, servers) = site().await;
        let profile = site.profile("Servers", 1, &[("grace.hours", "24")]).await.expect("made");
        site.reach(&profile, &servers).await.expect("deployed");
        assert!(site.resultant(8).await.waiting.is_empty());
        // As if replication had brought a collection before what it includes.
        let object = |code: &str| model::ObjectCode::new(code).expect("a code");
        let rules = vec![model::CollectionRule::Include(object("CAS00007"))];
        let half = model::Collection::plain(object(&servers), "Servers".to_owned(), rules);
        site.db.write(move |w| w.put_own(&half)).await.expect("written");
        let shown = site.resultant(8).await;
        assert_eq!(shown.waiting, ["who is in collection PR100001"]);
        let next = pb::NextWindowsRequest { client: id(8), ..Default::default() };
        let next = site.admin().next_windows(next).await.told();
        assert_eq!(next.waiting, shown.waiting);
    });
}

#[test]
fn each_client_is_shown_when_it_really_turns_to_an_update_point() {
    run(async {
        let (site, _) = site().await;
        let scopes = vec!["10.2.0.0/24".to_owned()];
        let boundaries = pb::CreateBoundariesRequest { scopes, ..Default::default() };
        let boundary = site.admin().create_boundaries(boundaries).await.told().rows.remove(0).code;
        let mut groups = Vec::new();
        for (boundaries, system) in [(vec![boundary], "SUP"), (Vec::new(), "SPARE")] {
            let (name, systems) = (format!("with {system}"), vec![system.to_owned()]);
            let assigned_site = String::new();
            let group = pb::CreateBoundaryGroupRequest { name, boundaries, systems, assigned_site };
            groups.push(site.admin().create_boundary_group(group).await.told().code);
        }
        let to = groups.remove(1);
        let link = pb::BoundaryLink { to, sup: "30".to_owned(), ..Default::default() };
        let (code, relate) = (groups.remove(0), vec![link]);
        let change = pb::ChangeBoundaryGroupRequest { code, relate, ..Default::default() };
        site.admin().change_boundary_group(change).await.told();
        let shown = async || {
            let servers = site.resultant(8).await.servers.into_iter().map(|server| {
                let pb::EffectiveServer { url, site, after_minutes, configured_minutes } = server;
                format!("{url} of {site}: {configured_minutes}, in effect {after_minutes}\n")
            });
            servers.collect::<String>()
        };
        expect![[r#"
            https://sup of PR1: 0, in effect 0
            https://spare of PR1: 30, in effect 122
        "#]]
        .assert_eq(&shown().await);
        // What is configured is what happens, however short.
        let hasty = [("update_point.retries", "1"), ("update_point.retry", "5")];
        site.set("SMS00005", &hasty).await.expect("set");
        expect![[r#"
            https://sup of PR1: 0, in effect 0
            https://spare of PR1: 30, in effect 30
        "#]]
        .assert_eq(&shown().await);
    });
}

#[test]
fn the_defaults_are_changed_at_the_top_only_and_profiles_at_their_owner_only() {
    run(async {
        let central = Site::top("CAS", SiteKind::Central).await;
        let token = site_token(&central, "PR1", "primary", "CAS").await.expect("a token");
        let primary = central.join_primary(&token).await.expect("joined");
        check(
            primary.set("SMS00005", &[("grace.hours", "1")]).await,
            expect![
                "PermissionDenied: only the top-level site (not known here yet) can do this; call it there with --server"
            ],
        );
        let own = primary.profile("Servers", 5, &[("grace.hours", "1")]).await.expect("made");
        assert_eq!(own, "PR100001");
        central.set("SMS00005", &[("grace.hours", "1")]).await.expect("set");
    });
}
