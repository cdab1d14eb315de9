//! What is encoded is decoded to the same values.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    "[ -~é€\u{1F600}\r\n\t]{0,12}"
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn time() -> impl Strategy<Value = WireTime> {
    any::<i64>().prop_map(WireTime::from_ticks)
}

fn cookie() -> impl Strategy<Value = Cookie> {
    (time(), bytes()).prop_map(|(expires, data)| Cookie { expires, data })
}

fn authorization() -> impl Strategy<Value = AuthorizationCookie> {
    (text(), bytes()).prop_map(|(plug_in, data)| AuthorizationCookie { plug_in, data })
}

fn identity() -> impl Strategy<Value = UpdateIdentity> {
    (id(), any::<u32>()).prop_map(|(update_id, revision)| UpdateIdentity { update_id, revision })
}

fn selected<T: std::fmt::Debug>(
    id: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Vec<Selected<T>>>> {
    option::of(vec((id, any::<bool>()).prop_map(|(id, delta)| Selected { id, delta }), 0..4))
}

fn filter() -> impl Strategy<Value = Filter> {
    let flags = any::<(bool, bool)>();
    let lists = (selected(id()), selected(id()), selected(any::<u32>()));
    (option::of(text()), flags, lists).prop_map(|(anchor, flags, lists)| Filter {
        anchor,
        get_config: flags.0,
        get_63_languages_only: flags.1,
        categories: lists.0,
        classifications: lists.1,
        languages: lists.2,
    })
}

fn config_data() -> impl Strategy<Value = ConfigData> {
    let language = (any::<u32>(), text(), text(), any::<bool>())
        .prop_map(|(id, short, long, enabled)| Language { id, short, long, enabled });
    let numbers = (any::<[u32; 4]>(), 1..=u32::MAX);
    let parts = (any::<[bool; 3]>(), numbers, text(), text(), vec(language, 0..4));
    parts.prop_map(|(flags, (numbers, updates_max), anchor, version, languages)| ConfigData {
        catalog_only_sync: flags[0],
        lazy_sync: flags[1],
        server_hosts_psf_files: flags[2],
        computer_ids_max: numbers[0],
        driver_sets_max: numbers[1],
        hardware_ids_max: numbers[2],
        updates_max,
        anchor,
        protocol_version: version,
        languages,
        decryption_updates_max: numbers[3],
    })
}

fn update_data() -> impl Strategy<Value = UpdateData> {
    let plain = "<[ -~é\r\n]{0,20}".prop_map(Blob::Plain);
    let document = prop_oneof![plain, bytes().prop_map(Blob::Compressed)];
    let update = (identity(), document, vec(any::<[u8; 20]>(), 0..3)).prop_map(
        |(identity, document, file_digests)| UpdateRecord { identity, document, file_digests },
    );
    let file = (any::<[u8; 20]>(), text(), text())
        .prop_map(|(sha1, public_url, server_url)| FileUrl { sha1, public_url, server_url });
    (vec(update, 0..4), vec(file, 0..4))
        .prop_map(|(updates, file_urls)| UpdateData { updates, file_urls })
}

fn auth_config() -> impl Strategy<Value = AuthConfig> {
    let plug_in = (text(), text(), text()).prop_map(|(id, service_url, parameter)| AuthPlugIn {
        id,
        service_url,
        parameter,
    });
    (time(), vec(plug_in, 0..3))
        .prop_map(|(last_change, plug_ins)| AuthConfig { last_change, plug_ins })
}

fn check<M: Message + PartialEq + std::fmt::Debug>(message: &M) -> Result<(), TestCaseError> {
    let decoded = decode::<M>(encode(message).as_bytes());
    prop_assert_eq!(&decoded.expect("own messages decode"), message);
    Ok(())
}

proptest! {
    #[test]
    fn authorization_messages(
        config in auth_config(), name in text(), guid in text(), auth in vec(authorization(), 0..3),
        old_cookie in option::of(cookie()), version in text(), cookie in cookie(),
    ) {
        check(&GetAuthConfig)?;
        check(&config)?;
        check(&GetAuthorizationCookie { account_name: name, account_guid: guid })?;
        for cookie in &auth {
            check(cookie)?;
        }
        check(&GetCookie { authorization: auth, old_cookie, protocol_version: version })?;
        check(&cookie)?;
    }

    #[test]
    fn catalog_messages(
        cookie in option::of(cookie()), anchor in option::of(text()), data in config_data(),
        filter in filter(), updates in vec(identity(), 0..4), documents in update_data(),
    ) {
        check(&GetConfigData { cookie: cookie.clone(), anchor: anchor.clone() })?;
        check(&data)?;
        check(&GetRevisionIdList { cookie: cookie.clone(), filter })?;
        let anchor = anchor.unwrap_or_default();
        check(&RevisionIdList { anchor, revisions: updates.clone() })?;
        check(&GetUpdateData { cookie, updates })?;
        check(&documents)?;
    }

    #[test]
    fn documents(text in "[<>a-zé\u{1F600}\r\n]{2500,2700}") {
        prop_assert_eq!(Blob::pack(&text).expect("packs").unpack().expect("unpacks"), text);
    }

    /// Bytes altered anywhere in a cabinet give an error or a text, never a panic.
    #[test]
    fn altered_cabinets(at in 0_usize..200, value in any::<u8>(), second in any::<[u8; 2]>()) {
        let content: Vec<u8> = (0..9_000_u32).flat_map(|i| (i.pow(2) as u16).to_le_bytes()).collect();
        let mut cabinet = blob::write_cabinet(&content).expect("a cabinet");
        cabinet[at] = value;
        cabinet[usize::from(second[0])] = second[1];
        let _outcome = Blob::Compressed(cabinet).unpack();
    }
}
