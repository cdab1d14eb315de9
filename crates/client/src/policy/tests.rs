use expect_test::expect;
use model::error_chain;
use rpc::convert::encode_part;

use super::*;
use crate::testing::{HOUR_MS, NOW, World, pr1};

#[test]
fn policy_is_believed_only_as_the_site_signed_it_for_this_client() {
    let world = World::new();
    let parts =
        [Part::Settings(limits::SETTINGS), Part::Servers(model::ServerList { servers: vec![] })];
    let standing = Standing {
        anchor: world.pki().anchor(),
        site: pr1(),
        client: world.client(),
        incarnation: 7,
    };
    let held = |version| Policy { version, key_epoch: 1, ..Policy::default() };
    let good = world.sign(&world.head(7, 5, &parts), &parts);
    let mut said = String::new();
    let mut check = |what: &str, offer: &Offer, standing: &Standing<'_>, held: &Policy| {
        let outcome = match accept(offer, held, standing, NOW) {
            Ok(accepted) => format!("version {}", accepted.head.version),
            Err(refused) => format!("{:?}: {}", refused.class(), error_chain(&refused)),
        };
        said += &format!("{what}: {outcome}\n");
    };
    let before = held(4);
    check("as signed", &good, &standing, &before);
    check("the same again", &good, &standing, &held(5));
    check("an older one", &good, &standing, &held(6));
    check("a key withdrawn", &good, &standing, &Policy { key_epoch: 2, ..held(4) });
    check("another incarnation", &good, &Standing { incarnation: 8, ..standing }, &before);
    let mut altered = good.clone();
    *altered.head.last_mut().expect("long") ^= 1;
    check("altered", &altered, &standing, &before);
    let unstated = Offer { statement: Vec::new(), ..good.clone() };
    check("without a key", &unstated, &standing, &before);
    let bare = Offer { parts: vec![encode_part(&parts[0])], ..good.clone() };
    check("a part short", &bare, &standing, &before);
    let rest = encode_part(&parts[1]);
    let parts_held = Parts::from([(sha256(&rest), rest)]);
    check("a part held", &bare, &standing, &Policy { parts: parts_held.into(), ..held(4) });
    let mut stale = world.head(7, 5, &parts);
    stale.expires = NOW.plus_ms(-HOUR_MS);
    check("expired", &world.sign(&stale, &parts), &standing, &before);
    let mut garbled = world.head(7, 5, &parts);
    let garbage = vec![0xff; 7];
    garbled.parts.push(sha256(&garbage));
    let mut signed = world.sign(&garbled, &parts);
    signed.parts.push(garbage);
    check("with garbage among its parts", &signed, &standing, &before);
    let other = World::new();
    check("another root", &other.sign(&other.head(7, 5, &parts), &parts), &standing, &before);
    let prefix = "00000000-0000-0000-0000-00000000000c";
    let client = "00000000-0000-0000-0000-000000000007/PR1/";
    let said = said.replace(prefix, "CLIENT").replace(client, "");
    expect![[r#"
        as signed: version 5
        the same again: Denied: it is version 5; version 5 is in effect already
        an older one: Denied: it is version 5; version 6 is in effect already
        a key withdrawn: Denied: it is signed with key 1 of the site; key 2 is known already
        another incarnation: Denied: it is for CLIENT incarnation 7, this client is CLIENT incarnation 8
        altered: Denied: its signature is not believed: the signature of the policy head does not match what it signs
        without a key: Invalid: it cannot be read: key: is not 32 bytes
        a part short: Corrupt: part fdbb66f97af044e4b88b0bb0a4789f8f014f98b53f5fe11102bd19f45d53c45b is missing or altered
        a part held: version 5
        expired: Denied: it expired at 2026-11-20T09:00:00.000Z
        with garbage among its parts: Invalid: it cannot be read: policy part: failed to decode Protobuf message: invalid varint
        another root: Denied: its signing key is not believed: foreign hierarchy: the chain of tierline://site/PR1 does not end at the root of 00000000-0000-0000-0000-000000000007
    "#]].assert_eq(&said);
}
