//! Approvals: decided, inherited, shown before, taken back.

use compliance::Board;
use expect_test::expect;
use model::{Collection, CollectionRule, Group, Item, ObjectCode, Origin, UpdateId, Vector};
use site_db::Own;
use testkit::objects::{self, item};

use super::*;

fn update(number: u128) -> String {
    UpdateId(uuid::Uuid::from_u128(number)).to_string()
}

fn object(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a code")
}

/// A stand-alone primary with updates 1 to 4, of which 1 may restart, 3 is expired and 4 comes only
/// with a bundle; collection PR100020 and, in it, PR100021.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let collection = |code: &str, limiting: Option<&str>| {
        let plain = Collection::plain(object(code), code.to_owned(), vec![CollectionRule::All]);
        Own::put(&Collection { limiting: limiting.map(object), ..plain })
    };
    let collections = vec![collection("PR100020", None), collection("PR100021", Some("PR100020"))];
    let written = site.db.write(|w| {
        let items = [1, 2, 3, 4].map(|n| {
            let (may_restart, expired, hidden) = (n == 1, n == 3, n == 4);
            Own::put(&Item { may_restart, expired, hidden, ..item(n) })
        });
        w.write_own(Group::Catalog, items.to_vec())?;
        w.write_own(Group::Control, collections)?;
        w.write_own(Group::Clients, vec![Own::put(&objects::client(8, "PR1"))])
    });
    written.await.expect("written");
    site
}

fn set(action: &str, updates: &[u128], collections: &[&str]) -> pb::SetApprovalsRequest {
    pb::SetApprovalsRequest {
        updates: updates.iter().map(|number| update(*number)).collect(),
        collections: collections.iter().map(|&code| code.to_owned()).collect(),
        action: action.to_owned(),
        ..Default::default()
    }
}

fn lines(rows: &[pb::Approval]) -> String {
    let line = |row: &pb::Approval| {
        let pb::Approval { update, collection, action, inherited_from, owner, .. } = row;
        let deadline = row.deadline.map(|time| rpc::convert::read_time(time).expect("a time"));
        let deadline = deadline.map_or("-".to_owned(), |time| time.to_string());
        let number = &update[35..];
        let from = if inherited_from.is_empty() { "itself" } else { inherited_from };
        format!("{number} for {collection} of {owner}: {action} by {deadline}, from {from}\n")
    };
    rows.iter().map(line).collect()
}

impl Site {
    async fn approve(&self, request: pb::SetApprovalsRequest) -> pb::SetApprovalsResponse {
        self.admin().set_approvals(request).await.told()
    }

    async fn approvals(&self, collection: &str) -> String {
        let request =
            pb::ListApprovalsRequest { collection: collection.to_owned(), ..Default::default() };
        lines(&self.admin().list_approvals(request).await.told().rows)
    }

    /// Every deployment there is, as the planner sees it.
    async fn made(&self) -> String {
        let read = self.db.read(|r| {
            Ok::<_, site_db::Error>((
                r.list::<model::Deployment>()?,
                r.list::<model::UpdateGroup>()?,
            ))
        });
        let (deployments, groups) = read.await.expect("read");
        let mut lines: Vec<String> = deployments
            .into_iter()
            .map(|(_, made)| {
                assert_eq!(made.origin, Origin::Approval);
                let group = groups.iter().find(|(_, group)| group.code == made.group);
                let updates = group.expect("its group").1.updates.len();
                let except: Vec<_> = made.except.iter().map(ObjectCode::as_str).collect();
                format!(
                    "{} {} of {updates} for {} but {except:?}, enabled {}, notify {}, {:?}\n",
                    made.effect.as_str(),
                    made.intent.as_str(),
                    made.collection,
                    made.enabled,
                    made.experience.notify.as_str(),
                    made.deadline.map(|deadline| (deadline.0 - NOW_MS) / 3_600_000),
                )
            })
            .collect();
        assert_eq!(lines.len(), groups.len(), "no group is left over");
        lines.sort_unstable();
        lines.concat()
    }
}

#[test]
fn one_call_approves_updates_for_collections_and_lower_ones_inherit() {
    run(async {
        let site = site().await;
        let week = pb::SetApprovalsRequest {
            deadline: "1-week".to_owned(),
            ..set("required", &[1, 2], &["SMS00001"])
        };
        let preview = pb::SetApprovalsRequest { preview: true, ..week.clone() };
        let shown = site.approve(preview).await;
        assert_eq!(site.made().await, "", "a preview changes nothing");
        let told = site.approve(week.clone()).await;
        assert_eq!((told.made, told.changed, told.deleted), (1, 0, 0));
        assert_eq!(lines(&told.rows), lines(&shown.rows));
        expect!["1 of 2 updates may restart computers, once or more often, after the deadline"]
            .assert_eq(&told.reminders.join("\n"));
        site.approve(set("available", &[1], &["PR100020"])).await;
        site.approve(set("not_applicable", &[2], &["PR100021"])).await;
        expect![[r#"
            1 for PR100020 of PR1: available by -, from itself
            1 for SMS00001 of PR1: required by 2026-11-27T10:00:00.000Z, from itself
            2 for PR100021 of PR1: not_applicable by -, from itself
            2 for SMS00001 of PR1: required by 2026-11-27T10:00:00.000Z, from itself
        "#]]
        .assert_eq(&site.approvals("").await);
        expect![[r#"
            1 for PR100021 of PR1: available by -, from PR100020
            2 for PR100021 of PR1: not_applicable by -, from itself
        "#]]
        .assert_eq(&site.approvals("PR100021").await);
        expect![[r#"
            install available of 1 for PR100020 but [], enabled true, notify center, None
            install required of 1 for PR100021 but [], enabled false, notify all, None
            install required of 1 for SMS00001 but ["PR100020"], enabled true, notify all, Some(168)
            install required of 1 for SMS00001 but ["PR100021"], enabled true, notify all, Some(168)
        "#]]
        .assert_eq(&site.made().await);
        let again = site.approve(week).await;
        assert_eq!((again.made, again.changed, again.deleted), (0, 0, 0));
        let remove = pb::RemoveApprovalsRequest {
            updates: vec![update(1), update(2)],
            collections: Vec::new(),
        };
        assert_eq!(site.admin().remove_approvals(remove).await.told().removed, 4);
        assert_eq!(site.made().await, "");
    });
}

#[test]
fn every_action_and_deadline_makes_its_deployment() {
    run(async {
        let site = site().await;
        let mut made = String::new();
        let date = rpc::convert::wire_time(Timestamp(NOW_MS + 5 * 3_600_000));
        for (action, deadline, date) in [
            ("required", "", None),
            ("required", "none", None),
            ("required", "asap", None),
            ("required", "1-week", None),
            ("required", "2-weeks", None),
            ("required", "1-month", None),
            ("required", "date", Some(date)),
            ("available", "", None),
            ("do_not_install", "", None),
            ("uninstall", "", None),
            ("not_applicable", "", None),
        ] {
            let request = pb::SetApprovalsRequest {
                deadline: deadline.to_owned(),
                date,
                ..set(action, &[1], &[])
            };
            let reminders = site.approve(request).await.reminders.into_iter();
            let reminders: String = reminders.map(|text| format!("  {text}\n")).collect();
            made.push_str(&format!("{action} {deadline}: {}{reminders}", site.made().await));
        }
        expect![[r#"
            required : install required of 1 for SMS00001 but [], enabled true, notify all, Some(0)
              1 of 1 updates may restart computers, once or more often, after the deadline
            required none: install available of 1 for SMS00001 but [], enabled true, notify all, None
              without a deadline users may put it off for ever
            required asap: install required of 1 for SMS00001 but [], enabled true, notify all, Some(0)
              1 of 1 updates may restart computers, once or more often, after the deadline
            required 1-week: install required of 1 for SMS00001 but [], enabled true, notify all, Some(168)
              1 of 1 updates may restart computers, once or more often, after the deadline
            required 2-weeks: install required of 1 for SMS00001 but [], enabled true, notify all, Some(336)
              1 of 1 updates may restart computers, once or more often, after the deadline
            required 1-month: install required of 1 for SMS00001 but [], enabled true, notify all, Some(720)
              1 of 1 updates may restart computers, once or more often, after the deadline
            required date: install required of 1 for SMS00001 but [], enabled true, notify all, Some(5)
              1 of 1 updates may restart computers, once or more often, after the deadline
            available : install available of 1 for SMS00001 but [], enabled true, notify center, None
            do_not_install : report required of 1 for SMS00001 but [], enabled true, notify all, None
              nobody gets it; who requires it is still reported
            uninstall : install uninstall of 1 for SMS00001 but [], enabled true, notify all, Some(0)
              it is removed even where something else installed it; agents pass it over, the Windows update client carries it out if the update can be removed
            not_applicable : install required of 1 for SMS00001 but [], enabled false, notify all, None
        "#]].assert_eq(&made);
    });
}

#[test]
fn what_cannot_be_approved_is_refused() {
    run(async {
        let site = site().await;
        let late = Some(rpc::convert::wire_time(Timestamp(NOW_MS - 1)));
        let by = |deadline: &str, request| pb::SetApprovalsRequest {
            deadline: deadline.to_owned(),
            ..request
        };
        let one = || set("required", &[1], &[]);
        let requests = [
            set("perhaps", &[1], &[]),
            set("required", &[], &[]),
            set("required", &[9], &[]),
            set("required", &[3], &[]),
            set("uninstall", &[3], &[]),
            set("required", &[4], &[]),
            set("required", &[1], &["PR100009"]),
            by("soon", one()),
            by("date", one()),
            by("asap", pb::SetApprovalsRequest { date: late, ..one() }),
            by("date", pb::SetApprovalsRequest { date: late, ..one() }),
            by("1-week", set("available", &[1], &[])),
            by("none", set("uninstall", &[1], &[])),
        ];
        let mut refused = String::new();
        for request in requests {
            refused.push_str(&refusal(site.admin().set_approvals(request).await));
            refused.push('\n');
        }
        expect![[r#"
            InvalidArgument: action: "perhaps" is none of required, available, do_not_install, uninstall, not_applicable
            InvalidArgument: updates: are none; name some
            NotFound: there is no update 00000000-0000-0000-0000-000000000009; see `tierline update list`
            AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000003 (expired); leave them out
            AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000003 (expired); leave them out
            InvalidArgument: updates: 00000000-0000-0000-0000-000000000004 comes only with its bundle; approve that
            NotFound: there is no collection PR100009; see `tierline collection list`
            InvalidArgument: deadline: is none of none, asap, 1-week, 2-weeks, 1-month and date
            InvalidArgument: deadline: is a date, but none was given
            InvalidArgument: deadline: has a date besides; leave one of them out
            InvalidArgument: deadline: is over; choose a later time, or asap
            InvalidArgument: deadline: is only for what is required or uninstalled
            InvalidArgument: deadline: is none; an uninstall needs one, such as asap
        "#]].assert_eq(&refused);
        assert_eq!(site.made().await, "");
    });
}

#[test]
fn updates_wait_for_a_decision_only_while_a_computer_requires_them() {
    run(async {
        let site = site().await;
        let needed = async || {
            let told = site
                .admin()
                .list_updates_to_approve(pb::ListUpdatesToApproveRequest {})
                .await
                .told();
            told.rows.iter().map(|row| (row.id.clone(), row.required)).collect::<Vec<_>>()
        };
        let warming =
            site.admin().list_updates_to_approve(pb::ListUpdatesToApproveRequest {}).await;
        expect![
            "Unavailable: compliance is being read since the server started; ask again in a moment"
        ]
        .assert_eq(&refusal(warming));
        let client = ClientId(uuid::Uuid::from_u128(8));
        let vector = Vector {
            client,
            incarnation: 1,
            serial: 1,
            covered: 1,
            scanned_at: at(0),
            scan_error: None,
            gap: false,
            required: vec![1, 3, 4],
            installed: vec![2],
            unjudged: Vec::new(),
            deployments: Vec::new(),
            scan: None,
            detail: Vec::new(),
        };
        site.board.replace(Board::rebuild([client], [vector]));
        assert_eq!(needed().await, [(update(1), 1)]);
        site.approve(set("do_not_install", &[1], &["PR100021"])).await;
        assert_eq!(needed().await, []);
    });
}

#[test]
fn a_decline_takes_approvals_back() {
    run(async {
        let site = site().await;
        site.approve(set("required", &[1, 2], &[])).await;
        let decline = pb::DeclineUpdatesRequest { ids: vec![update(1)], ..Default::default() };
        site.admin().decline_updates(decline).await.told();
        let approvals = site.approvals("").await;
        assert!(approvals.starts_with('2') && approvals.lines().count() == 1, "{approvals}");
        let refused = refusal(site.admin().set_approvals(set("required", &[1], &[])).await);
        expect!["AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000001 (declined); leave them out"].assert_eq(&refused);
    });
}

/// Symptom: a collection that was moved into another got what that was to get, though it had a
/// decision of its own. Cause: how far decisions reach was only worked out when one was made.
#[test]
fn decisions_reach_as_far_as_collections_say_after_they_were_moved() {
    run(async {
        let site = site().await;
        let moved = async |into: &str| {
            let request = pb::ChangeCollectionRequest {
                code: "PR100021".to_owned(),
                limiting: Some(into.to_owned()),
                ..Default::default()
            };
            site.admin().change_collection(request).await.told();
            site.made().await
        };
        moved("SMS00001").await;
        site.approve(set("available", &[1], &["PR100020"])).await;
        site.approve(set("not_applicable", &[1], &["PR100021"])).await;
        let outside = site.made().await;
        let inside = moved("PR100020").await;
        assert_eq!(outside.replace("PR100020 but []", "PR100020 but [\"PR100021\"]"), inside);
        expect![[r#"
            install available of 1 for PR100020 but ["PR100021"], enabled true, notify center, None
            install required of 1 for PR100021 but [], enabled false, notify all, None
        "#]]
        .assert_eq(&inside);
        assert_eq!(moved("SMS00001").await, outside);
    });
}
