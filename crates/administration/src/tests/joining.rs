//! Joining, its refusals, and renewal.

use expect_test::expect;
use model::{Collection, RoleRecord, SiteRecord};
use rpc::pb::enrolment::RenewRequest;
use trust::verify_chain;

use super::*;

/// A token to be presented at a site that does not listen where the top thinks.
fn at_site(token: &str, site: &Site) -> String {
    let token: JoinToken = token.parse().expect("a token");
    JoinToken { url: site.home.url.clone(), ..token }.encode()
}

fn identity(site: &Site, answer: &EnrolResponse) -> PeerIdentity {
    let found = verify_chain(&chain(answer), &site.anchor, at(0)).expect("a chain under the root");
    assert_eq!(found.to_string(), answer.identity);
    found
}

#[test]
fn a_token_is_good_once_for_one_kind_and_site() {
    run(async {
        let top = Site::top("PR1", SiteKind::Primary).await;
        let (key, other) = (new_key(), new_key());
        let token = role_token(&top, "dp", "").await.expect("made");
        let good = request(&token, &key);

        let wrong = EnrolRequest { kind: "mp".to_owned(), ..good.clone() };
        expect![
            "PermissionDenied: the join token is for a dp, not for a mp; make one of the right kind"
        ]
        .assert_eq(&refusal(enrol(&token, wrong).await));
        let wrong = EnrolRequest { site: "PR2".to_owned(), ..good.clone() };
        expect!["PermissionDenied: the join token is for site PR1, not for PR2; make one for PR2"]
            .assert_eq(&refusal(enrol(&token, wrong).await));
        let wrong = EnrolRequest { secret: vec![9; 16], ..good.clone() };
        expect!["PermissionDenied: the join token is unknown at site PR1: another site gave it, or it is long past; make a new one here with `tierline … token`"]
            .assert_eq(&refusal(enrol(&token, wrong).await));
        let wrong = EnrolRequest { csr: vec![1, 2, 3], ..good.clone() };
        let refused = refusal(enrol(&token, wrong).await);
        assert!(refused.contains("certificate request is damaged"), "{refused}");

        // None of that burned it; and a repeated request gets the same bytes, also much later.
        let first = enrol(&token, good.clone()).await.expect("admitted");
        top.clock.advance_ms(2 * 60 * 60 * 1000);
        assert_eq!(enrol(&token, good).await.expect("repeated"), first);
        expect!["PermissionDenied: the join token was used by another key at 2026-11-20T10:00:00.000Z; a token is good once, make a new one"]
            .assert_eq(&refusal(enrol(&token, request(&token, &other)).await));

        let token = role_token(&top, "dp", "").await.expect("made");
        top.clock.advance_ms(60 * 60 * 1000 + 1);
        expect![
            "PermissionDenied: the join token expired at 2026-11-20T13:00:00.000Z; make a new one"
        ]
        .assert_eq(&refusal(enrol(&token, request(&token, &key)).await));
    });
}

#[test]
fn a_primary_gets_an_intermediate_and_its_code_for_ever() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let token = site_token(&top, "PR1", "primary", "").await.expect("made");
        let late = site_token(&top, "PR1", "primary", "").await.expect("the code is still free");
        let primary = top.join_primary(&token).await.expect("admitted");
        let record: SiteRecord =
            top.db.read(|r| r.require(b"PR1")).await.expect("the top owns its record");
        assert_eq!((record.kind, record.parent), (SiteKind::Primary, Some(code("CAS"))));
        assert_eq!(record.uuid, primary.db.identity().owner.uuid);

        expect!["AlreadyExists: site code PR1 was already given to a site of this hierarchy; codes are never given twice, choose another"]
            .assert_eq(&refusal(top.join_primary(&late).await));
        expect!["AlreadyExists: site code PR1 was already given to a site of this hierarchy; codes are never given twice, choose another"]
            .assert_eq(&refusal(site_token(&top, "PR1", "primary", "").await));
        expect![[r#"InvalidArgument: site code: "AUX" is reserved; choose another code"#]]
            .assert_eq(&refusal(site_token(&top, "AUX", "primary", "").await));
        expect!["InvalidArgument: a secondary site joins no central site: primaries join a central site, secondaries a primary"]
            .assert_eq(&refusal(site_token(&top, "SE1", "secondary", "CAS").await));
        expect!["PermissionDenied: only the top-level site (not known here yet) can do this; call it there with --server"]
            .assert_eq(&refusal(site_token(&primary, "SE1", "secondary", "PR1").await));

        // What it issues is believed, and only for itself.
        let token = role_token(&primary, "mp", "").await.expect("made");
        let answer = enrol(&token, request(&token, &new_key())).await;
        let answer = answer.expect("admitted");
        assert_eq!(identity(&top, &answer).site, code("PR1"));
        assert_eq!((answer.parent.as_str(), answer.parent_kind.as_str()), ("PR1", "primary"));
        expect![
            "PermissionDenied: site PR1 issues nothing for site CAS; ask the primary site of CAS"
        ]
        .assert_eq(&refusal(role_token(&primary, "sup", "CAS").await));
    });
}

#[test]
fn a_secondary_joins_through_its_primary() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let pr1 = site_token(&top, "PR1", "primary", "").await.expect("made");
        let pr1 = top.join_primary(&pr1).await.expect("admitted");
        // The top knows the primary by the address it joined with; the test's is another.
        let token = site_token(&top, "SE1", "secondary", "PR1").await.expect("made");
        let parsed: JoinToken = token.parse().expect("a token");
        assert_eq!(parsed.url, "https://pr1.example:7440");
        let token = at_site(&token, &pr1);

        let key = new_key();
        let mut asked = request_of_site(&token, &key, "secondary");
        let answer = enrol(&token, asked.clone()).await.expect("admitted");
        assert_eq!(enrol(&token, asked.clone()).await.expect("repeated"), answer);
        assert_eq!(identity(&top, &answer).to_string(), answer.identity);
        assert_eq!(answer.authority, None, "its primary holds the issuing key");
        assert!(pr1.kept.lock().expect("whole").contains(&code("SE1")));
        let owned = pr1.db.read(|r| r.get_owned::<SiteRecord>(b"SE1")).await.expect("read");
        let (record_owner, record) = owned.expect("there");
        assert_eq!(record_owner, pr1.db.identity().owner);
        assert_eq!(Owner { code: record.code, uuid: record.uuid }, owner(&answer));

        asked.csr = new_key().request().expect("a request");
        expect!["PermissionDenied: the parent site answers: the join token was used by another key at 2026-11-20T10:00:00.000Z; a token is good once, make a new one"]
            .assert_eq(&refusal(enrol(&token, asked.clone()).await));
        let stolen = site_token(&top, "SE2", "secondary", "PR1").await.expect("made");
        let pr2 = site_token(&top, "PR2", "primary", "").await.expect("made");
        let pr2 = top.join_primary(&pr2).await.expect("admitted");
        let elsewhere = request_of_site(&stolen, &key, "secondary");
        expect!["PermissionDenied: the parent site answers: the join token lets SE2 join below PR1, not below PR2"]
            .assert_eq(&refusal(enrol(&at_site(&stolen, &pr2), elsewhere).await));

        // Roles of the secondary join through it, and are renewed through it.
        let se1 = pr1.secondary(answer, key).await;
        let token = role_token(&pr1, "dp", "SE1").await.expect("made");
        let (token, key) = (at_site(&token, &se1), new_key());
        let answer = enrol(&token, request(&token, &key)).await.expect("relayed");
        assert_eq!((answer.parent.as_str(), answer.parent_kind.as_str()), ("SE1", "secondary"));
        let csr = key.request().expect("a request");
        let mut client = EnrolmentServiceClient::new(se1.channel(&chain(&answer), &key));
        let renewal = RenewRequest { csr: csr.clone(), ..RenewRequest::default() };
        let renewed = client.renew(renewal).await.told();
        let renewed = EnrolResponse { chain: renewed.chain, ..answer.clone() };
        assert_eq!(identity(&top, &renewed).to_string(), answer.identity);

        // Nobody else speaks for others, and a distribution point not even for clients.
        let on_behalf_of = Some(answer.identity.clone());
        let theft = RenewRequest { csr, on_behalf_of, names: Vec::new() };
        let dp = PeerKind::Role(model::RoleKind::DistributionPoint);
        let mut thief = EnrolmentServiceClient::new(pr1.member(dp, "dp-7"));
        let refused = refusal(thief.renew(theft).await);
        assert!(refused.contains("cannot have the certificate of"), "{refused}");
        let site = EnrolRequest { kind: "site".to_owned(), ..request(&token, &key) };
        expect!["InvalidArgument: a secondary site joins no secondary site: primaries join a central site, secondaries a primary"]
            .assert_eq(&refusal(enrol(&token, site).await));
    });
}

#[test]
fn a_stand_alone_primary_is_its_own_top() {
    run(async {
        let top = Site::top("PR1", SiteKind::Primary).await;
        let token = site_token(&top, "SE1", "secondary", "").await.expect("made");
        let asked = request_of_site(&token, &new_key(), "secondary");
        let answer = enrol(&token, asked.clone()).await.expect("admitted");
        assert_eq!(identity(&top, &answer).site, code("SE1"));
        assert_eq!(enrol(&token, asked).await.expect("repeated"), answer);
    });
}

#[test]
fn roles_clients_and_administrators_get_what_is_theirs() {
    run(async {
        let top = Site::top("PR1", SiteKind::Primary).await;
        let token = role_token(&top, "dp", "").await.expect("made");
        let key = new_key();
        let mut asked = request(&token, &key);
        asked.http_url = "http://dp.example:7443".to_owned();
        asked.names = vec!["wsus.example".to_owned()];
        let dp = enrol(&token, asked).await.expect("admitted");
        let roles: Vec<(Owner, RoleRecord)> = top.db.read(|r| r.list()).await.expect("read");
        let [(_, role)] = roles.as_slice() else { panic!("one role, not {roles:?}") };
        assert_eq!(role.id.to_string(), identity(&top, &dp).id);
        assert_eq!((role.http_url.as_str(), role.joined_at), ("http://dp.example:7443", at(0)));
        let name = b"wsus.example";
        let named = dp.chain[0].windows(name.len()).any(|window| window == name);
        assert!(!named, "only an update point may answer to a Windows computer's name");

        let client_token = pb::CreateClientTokenRequest::default;
        let token = top.admin().create_client_token(client_token()).await.told().token;
        let client = enrol(&token, request(&token, &key)).await.expect("admitted");
        assert_eq!(identity(&top, &client).kind, PeerKind::Client);

        let central = Site::top("CAS", SiteKind::Central).await;
        expect!["InvalidArgument: a central site has no mp; name another site"]
            .assert_eq(&refusal(role_token(&central, "mp", "").await));
        expect!["InvalidArgument: a central site has no assigned client; name another site"]
            .assert_eq(&refusal(central.admin().create_client_token(client_token()).await));
    });
}

#[test]
fn the_first_administrator_has_a_token_until_he_comes() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let collections: Vec<(Owner, Collection)> = top.db.read(|r| r.list()).await.expect("read");
        assert_eq!(collections[0].1.code.as_str(), model::ALL_SYSTEMS);
        let again = bootstrap(&top.db, &top.authority, &top.home).await.expect("a second start");
        let (token, expires_at) = again.expect("nobody has logged in");
        assert_eq!(expires_at, at(60 * 60 * 1000));
        let answer = enrol(&token, request(&token, &new_key())).await;
        let admin = identity(&top, &answer.expect("admitted"));
        assert_eq!((admin.kind, admin.id.as_str()), (PeerKind::Administrator, "admin"));
        // Nor later, when old tokens are forgotten.
        top.clock.advance_ms(40 * 24 * 60 * 60 * 1000);
        role_token(&top, "sup", "").await.expect("made");
        let later = bootstrap(&top.db, &top.authority, &top.home).await.expect("a third start");
        assert_eq!(later, None);
    });
}
