//! What administrators read and change.

use expect_test::expect;
use model::{Collection, Group, LinkState, Position, StreamId};
use site_db::StreamState;

use super::*;

async fn audit_lines(site: &Site) -> Vec<String> {
    let severity = "audit".to_owned();
    let request = pb::ListStatusMessagesRequest { severity, ..Default::default() };
    let answer = site.admin().list_status_messages(request).await.told();
    answer.rows.iter().map(|row| format!("{} {}", row.id, row.strings.join(" "))).collect()
}

/// CAS with the record of a child PR1.
async fn with_child() -> Site {
    let top = Site::top("CAS", SiteKind::Central).await;
    let token = site_token(&top, "PR1", "primary", "").await.expect("made");
    top.join_primary(&token).await.expect("admitted");
    top
}

fn stream(site: &Site, group: Group) -> StreamId {
    StreamId { group, owner: site.db.identity().owner }
}

#[test]
fn changes_are_audited_and_removal_revokes() {
    run(async {
        let top = Site::top("PR1", SiteKind::Primary).await;
        let token = role_token(&top, "dp", "").await.expect("made");
        let identity = enrol(&token, request(&token, &new_key())).await.expect("admitted").identity;
        let id = top.admin().list_roles(pb::ListRolesRequest {}).await.told().rows.remove(0).id;
        let remove = pb::RemoveRoleRequest { id: id.clone(), reason: "sold".to_owned() };
        let removed = top.admin().remove_role(remove.clone()).await.told();
        assert_eq!(removed.identity, identity);
        let revoked = identity.clone().into_bytes();
        let revocation = top.db.read(move |r| r.get::<model::Revocation>(&revoked)).await;
        assert_eq!(revocation.expect("read").expect("there").reason, "sold");
        let gone = refusal(top.admin().remove_role(remove).await);
        assert_eq!(gone, format!("NotFound: there is no role {id}; see `tierline role list`"));
        let lines = audit_lines(&top).await.join("\n").replace(&id, "ID");
        expect![[r#"
            30000 admin created join token of admin for PR1
            30000 ada created join token of dp for PR1
            30003 ada let join tierline://00000000-0000-0000-0000-000000000001/PR1/dp/ID
            30002 ada removed tierline://00000000-0000-0000-0000-000000000001/PR1/dp/ID"#]]
        .assert_eq(&lines);
    });
}

#[test]
fn sites_and_links_are_told_as_they_are() {
    run(async {
        let top = with_child().await;
        let read = async || {
            let mut client = top.admin();
            let sites = client.get_site_status(pb::GetSiteStatusRequest {}).await.told().rows;
            let sites = sites.into_iter();
            let sites = sites.map(|r| format!("{} {} {} {}", r.code, r.kind, r.link, r.problem));
            let links = client.get_replication_status(pb::GetReplicationStatusRequest {}).await;
            let links = links.told().rows.into_iter();
            let links =
                links.map(|r| format!("{} {} {} {}", r.neighbor, r.side, r.state, r.lag_changes));
            sites.chain(links).collect::<Vec<_>>()
        };
        expect![[r#"
            [
                "CAS central self ",
                "PR1 primary degraded no contact since this server started",
                "PR1 child degraded 0",
            ]
        "#]]
        .assert_debug_eq(&read().await);
        top.links.lock().expect("whole").push(told(&top, None));
        expect![[r#"
            [
                "CAS central self ",
                "PR1 primary active ",
                "PR1 child active 3",
            ]
        "#]]
        .assert_debug_eq(&read().await);

        let show = pb::GetReplicationLinkRequest { neighbor: "PR1".to_owned() };
        let rows = top.admin().get_replication_link(show).await.told().rows;
        let rows = rows.iter().map(|r| format!("{} {} {}", r.stream, r.direction, r.state));
        expect![[r#"
            [
                "control/CAS out sound",
                "topology/CAS out sound",
            ]
        "#]]
        .assert_debug_eq(&rows.collect::<Vec<_>>());
        let show = pb::GetReplicationLinkRequest { neighbor: "XYZ".to_owned() };
        expect![
            "NotFound: there is no link between CAS and XYZ; see `tierline replication status`"
        ]
        .assert_eq(&refusal(top.admin().get_replication_link(show).await));

        let show = pb::GetSiteRequest { code: "PR1".to_owned() };
        let site = top.admin().get_site(show).await.told();
        assert_eq!((site.owner.as_str(), site.row.expect("a row").parent.as_str()), ("CAS", "CAS"));
    });
}

/// A live link to PR1, which holds the control stream at `head`.
fn told(top: &Site, head: Option<(Position, model::StreamDigest)>) -> LinkStatus {
    let stream = stream(top, Group::Control);
    let heads = head.map(|(position, digest)| KnownHead { stream, position, digest: Some(digest) });
    LinkStatus {
        neighbor: code("PR1"),
        state: LinkState::Active,
        failed_attempts: 0,
        last_contact: Some(at(5)),
        lag_changes: 3,
        problem: String::new(),
        heads: heads.into_iter().collect(),
    }
}

#[test]
fn verification_compares_equal_positions_only() {
    run(async {
        let top = with_child().await;
        let control = stream(&top, Group::Control);
        let held = top.db.read(move |r| r.stream(control)).await.expect("read").expect("held");
        let (position, digest) = (held.local.position, held.local.digest);
        let verify = async |head| {
            *top.links.lock().expect("whole") = vec![told(&top, Some(head))];
            let told = top.admin().verify_replication(pb::VerifyReplicationRequest {}).await.told();
            let row =
                told.rows.into_iter().find(|row| row.stream == "control/CAS").expect("it is there");
            (row.result, row.equal_at, row.differs_at)
        };
        let pr1 = || vec!["PR1".to_owned()];
        assert_eq!(verify((position, digest)).await, ("ok".to_owned(), pr1(), vec![]));
        let ahead = Position { seq: position.seq + 1, ..position };
        let other = model::StreamDigest([7; 32]);
        assert_eq!(verify((ahead, other)).await, ("ok".to_owned(), vec![], vec![]));
        assert_eq!(verify((position, other)).await, ("differs".to_owned(), vec![], pr1()));
    });
}

#[test]
fn a_fork_is_resolved_at_its_owner() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let resolve = async |stream: &str, keep: &str| {
            let (stream, keep) = (stream.to_owned(), keep.to_owned());
            top.admin().resolve_stream(pb::ResolveStreamRequest { stream, keep }).await
        };
        let refused = async |stream, keep| refusal(resolve(stream, keep).await);
        expect!["AlreadyExists: control/CAS is not forked; there is nothing to resolve"]
            .assert_eq(&refused("control/CAS", "owner").await);
        expect!["PermissionDenied: stream control/PR1 belongs to site PR1, and only its owner changes it; call PR1 with --server"]
            .assert_eq(&refused("control/PR1", "owner").await);
        expect![[r#"InvalidArgument: keep: is "owner" or "replica""#]]
            .assert_eq(&refused("control/CAS", "mine").await);
        let control = stream(&top, Group::Control);
        let fork = || top.db.write(move |w| w.set_state(control, StreamState::Forked));
        let held = || top.db.read(move |r| r.stream(control));
        fork().await.expect("forked");
        resolve("control/CAS", "owner").await.expect("resolved");
        let local = held().await.expect("read").expect("held").local;
        assert_eq!((local.state, local.position.epoch.number), (StreamState::Sound, 2));
        fork().await.expect("forked");
        resolve("control/CAS", "replica").await.expect("resolved");
        assert!(held().await.expect("read").expect("held").local.walking, "to be taken again");
        let all = crate::bootstrap::all_systems();
        let renamed = Collection { name: "One".to_owned(), ..all };
        let lost = top.db.write(move |w| w.put_own(&renamed)).await.expect_err("it recovers");
        assert!(lost.to_string().contains("recovering"), "{lost}");
    });
}

#[test]
fn status_messages_are_followed_as_they_arrive() {
    run(async {
        let top = Site::top("PR1", SiteKind::Primary).await;
        let filter = pb::ListStatusMessagesRequest {
            severity: "audit".to_owned(),
            since: Some(rpc::convert::wire_time(at(1))),
            ..Default::default()
        };
        let request = pb::FollowStatusMessagesRequest { filter: Some(filter.clone()) };
        let mut client = top.admin();
        let mut following = client.follow_status_messages(request).await.told();
        top.clock.advance_ms(10);
        role_token(&top, "dp", "").await.expect("made");
        let first = following.message().await.expect("open").expect("a message");
        assert_eq!(first.rows[0].strings, ["ada", "created", "join token of dp for PR1"]);
        role_token(&top, "dp", "").await.expect("made");
        assert_eq!(following.message().await.expect("open").expect("a message").rows.len(), 1);
        let wrong = pb::ListStatusMessagesRequest { severity: "loud".to_owned(), ..filter };
        expect![[r#"InvalidArgument: severity: there is no severity "loud""#]]
            .assert_eq(&refusal(client.list_status_messages(wrong).await));
    });
}

#[test]
fn the_database_is_checked_and_backed_up() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let mut client = top.admin();
        let checked = client.check_database(pb::CheckDatabaseRequest {}).await.told();
        assert_eq!(checked.rows, []);
        let back_up = |file: &str| pb::BackUpDatabaseRequest { file: file.to_owned() };
        expect!["InvalidArgument: site.bak is not an absolute path on the server's machine"]
            .assert_eq(&refusal(client.back_up_database(back_up("site.bak")).await));
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("site.bak");
        let path = file.to_str().expect("text");
        client.back_up_database(back_up(path)).await.expect("written");
        let secrets = (SigningKey::generate(&top.ambient), top.anchor.clone());
        let identity = top.db.identity().clone();
        SiteDb::open(&file, Executor::Inline, identity, secrets, top.ambient.clone())
            .expect("a whole database");
        assert!(audit_lines(&top).await[1].starts_with("30004 ada ran backup to "));
    });
}
