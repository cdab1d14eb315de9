use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn token(url: &str, kind: PeerKind, secret: [u8; 16]) -> JoinToken {
    JoinToken {
        url: url.to_owned(),
        hierarchy: HierarchyId::from_slice(&[1; 16]).expect("sixteen bytes"),
        pin: RootPin(Sha256([2; 32])),
        kind,
        site: SiteCode::new("PR1").expect("a good code"),
        secret: TokenSecret(secret),
    }
}

fn refused(text: &str) -> String {
    text.parse::<JoinToken>().expect_err("refused").to_string()
}

#[test]
fn damaged_tokens_are_refused() {
    let text = token("https://cas.example:7440", PeerKind::Site, [3; 16]).encode();
    for end in 0..text.len() {
        refused(&text[..end]);
    }
    expect!["the join token is damaged or cut off; copy it again, whole"]
        .assert_eq(&refused(&text[..text.len() - 1]));
    expect![[r#"the join token does not start with "tierline1."; is it a join token?"#]]
        .assert_eq(&refused("hello"));
    let at = text.len() / 2;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    refused(&format!("{}{other}{}", &text[..at], &text[at + 1..]));
}

#[test]
fn an_invitation_survives_its_text_and_is_no_token() {
    let invitation = token("https://pr1.example:7440", PeerKind::Client, [0; 16]);
    let read: JoinToken = invitation.encode().parse().expect("readable");
    assert!(read.is_invitation() && read == invitation);
    assert!(!token("https://pr1.example:7440", PeerKind::Client, [1; 16]).is_invitation());
}

#[test]
fn a_fingerprint_is_half_a_digest_in_groups() {
    let key = crate::KeyPair::generate().expect("a key").public_key();
    let print = key.fingerprint();
    assert_eq!((print.len(), print.split('-').count()), (39, 8));
    assert!(key.digest().to_string().starts_with(&print.replace('-', "")), "{print}");
}

#[test]
fn secrets_are_not_shown() {
    let token = token("https://cas.example:7440", PeerKind::Site, [0xab; 16]);
    let shown = format!("{token:?}");
    assert!(shown.contains("TokenSecret(hidden)") && !shown.contains("171"), "{shown}");
    assert_ne!(token.hash().0[..16], [0xab; 16]);
}

proptest! {
    #[test]
    fn tokens_survive_their_text(url in "https://[a-z0-9.:-]{1,60}", secret: [u8; 16], kind in 0..6_usize) {
        let kinds = ["site", "client", "admin", "sup", "mp", "dp"];
        let token = token(&url, kinds[kind].parse().expect("a kind"), secret);
        let text = token.encode();
        let wrapped = format!(" {}\n{} ", &text[..40], &text[40..]);
        prop_assert_eq!(wrapped.parse::<JoinToken>().expect("readable"), token);
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
    }
}
