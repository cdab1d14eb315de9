//! Enrolment by approval: asked without a token, decided by an administrator.

use expect_test::expect;
use trust::verify_chain;

use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn invitation(site: &Site) -> String {
    let request = pb::GetClientInvitationRequest::default();
    site.admin().get_client_invitation(request).await.told().invitation
}

async fn ask(invitation: &str, key: &KeyPair) -> Result<EnrolResponse, Status> {
    enrol(invitation, request(invitation, key)).await
}

async fn pending(site: &Site) -> Vec<pb::PendingClient> {
    site.admin().list_pending_clients(pb::ListPendingClientsRequest {}).await.told().rows
}

fn states(rows: &[pb::PendingClient]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row.fingerprint.as_str(), row.state.as_str())).collect()
}

#[test]
fn a_computer_waits_until_somebody_approves_its_key() {
    run(async {
        let top = Site::top("PR1", SiteKind::Primary).await;
        let (invitation, key, other) = (invitation(&top).await, new_key(), new_key());
        let waits = "Unavailable: the computer waits for approval until 2026-11-27T10:00:00.000Z; \
                     an administrator compares the fingerprint of its key in `tierline client \
                     pending` and approves it";
        for _ in 0..3 {
            assert_eq!(refusal(ask(&invitation, &key).await), waits);
        }
        let (print, wrong) = (key.public_key().fingerprint(), other.public_key().fingerprint());
        let rows = pending(&top).await;
        assert_eq!(states(&rows), [(print.as_str(), "waiting")]);
        assert_eq!((rows[0].name.as_str(), rows[0].site.as_str()), ("host-PR1", "PR1"));

        let asked =
            |fingerprint: &str| pb::ApproveClientRequest { fingerprint: fingerprint.into() };
        let refused = refusal(top.admin().approve_client(asked(&wrong)).await);
        assert!(refused.contains("see `tierline client pending`"), "{refused}");
        let row = top.admin().approve_client(asked(&print)).await.told().row.expect("a row");
        assert_eq!((row.state.as_str(), row.decided_by.as_str()), ("approved", "ada"));

        // The same certificate each time, for this key and no other.
        let answer = ask(&invitation, &key).await.expect("admitted");
        assert_eq!(ask(&invitation, &key).await.expect("repeated"), answer);
        let leaf: Vec<CertificateDer<'static>> = chain(&answer);
        let identity = verify_chain(&leaf, &top.anchor, at(0)).expect("under the root");
        assert_eq!((identity.kind, identity.to_string()), (PeerKind::Client, row.identity));
        assert!(refusal(ask(&invitation, &other).await).contains("waits for approval"));
        expect!["AlreadyExists: ada approved it at 2026-11-20T10:00:00.000Z; take it back with `tierline client remove`"]
            .assert_eq(&refusal(top.admin().approve_client(asked(&print)).await));
        // Whoever approved stands in the audit, and who came first is told once.
        let messages = pb::ListStatusMessagesRequest { limit: 100, ..Default::default() };
        let messages = top.admin().list_status_messages(messages).await.told().rows;
        let count = |id| messages.iter().filter(|message| message.id == id).count();
        assert_eq!((count(60_170), count(30_003)), (2, 1));
    });
}

#[test]
fn a_refused_and_a_lapsed_request_say_so() {
    run(async {
        let top = Site::top("PR1", SiteKind::Primary).await;
        let (invitation, key, late) = (invitation(&top).await, new_key(), new_key());
        let _waits = ask(&invitation, &key).await.expect_err("nobody has approved");
        let fingerprint = key.public_key().fingerprint();
        let asked = pb::RefuseClientRequest { fingerprint: fingerprint.clone() };
        let row = top.admin().refuse_client(asked).await.told().row.expect("a row");
        assert_eq!(row.state, "refused");
        expect!["PermissionDenied: ada refused to enrol this computer at 2026-11-20T10:00:00.000Z; ask there, or join with a token"]
            .assert_eq(&refusal(ask(&invitation, &key).await));
        // A refusal can be taken back.
        let asked = pb::ApproveClientRequest { fingerprint };
        top.admin().approve_client(asked).await.told();
        ask(&invitation, &key).await.expect("admitted");

        let _waits = ask(&invitation, &late).await.expect_err("nobody has approved");
        top.clock.advance_ms(7 * DAY_MS + 1);
        assert_eq!(states(&pending(&top).await).len(), 1, "what is too late cannot be approved");
        let fingerprint = late.public_key().fingerprint();
        let asked = pb::ApproveClientRequest { fingerprint };
        assert!(refusal(top.admin().approve_client(asked).await).starts_with("NotFound"));
        expect!["Unavailable: nobody decided about the request of 2026-11-20T10:00:00.000Z in time, and it expired; the computer waits for approval anew, until 2026-12-04T10:00:00.001Z"]
            .assert_eq(&refusal(ask(&invitation, &late).await));
    });
}

#[test]
fn strangers_fill_nothing_and_only_clients_may_ask() {
    run(async {
        let top = Site::top("PR1", SiteKind::Primary).await;
        let invitation = invitation(&top).await;
        for _ in 0..60 {
            let refused = refusal(ask(&invitation, &new_key()).await);
            assert!(refused.contains("waits for approval"), "{refused}");
        }
        expect!["ResourceExhausted: too many computers ask to be enrolled, 60 wait for approval; ask again later, or join with a token"]
            .assert_eq(&refusal(ask(&invitation, &new_key()).await));
        assert_eq!(pending(&top).await.len(), 60);
        top.clock.advance_ms(60_001);
        assert!(refusal(ask(&invitation, &new_key()).await).contains("waits for approval"));

        let role = EnrolRequest { kind: "dp".to_owned(), ..request(&invitation, &new_key()) };
        expect!["PermissionDenied: a dp joins with a token and not by approval; make one"]
            .assert_eq(&refusal(enrol(&invitation, role).await));
        let elsewhere = EnrolRequest { site: "PR2".to_owned(), ..request(&invitation, &new_key()) };
        let refused = refusal(enrol(&invitation, elsewhere).await);
        assert!(refused.contains("issues nothing for site PR2"), "{refused}");

        let central = Site::top("CAS", SiteKind::Central).await;
        let asked = pb::GetClientInvitationRequest::default();
        expect!["InvalidArgument: a central site has no assigned client; name another site"]
            .assert_eq(&refusal(central.admin().get_client_invitation(asked).await));
    });
}
