use expect_test::{Expect, expect};
use model::SiteCode;
use prost::Message;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use super::*;
use crate::desk::Answer;

fn answer(name: &str, message: &impl Message) -> DynamicMessage {
    let pool = prost_reflect::DescriptorPool::decode(rpc::DESCRIPTORS).expect("descriptors");
    let descriptor = pool.get_message_by_name(&format!("tierline.admin.v1.{name}"));
    let mut answer = Answer::new(descriptor.expect("a message"));
    answer.merge(message.encode_to_vec().into()).expect("its own bytes");
    answer.0
}

fn check(message: &DynamicMessage, format: Format, part: Part, expected: Expect) {
    expected.assert_eq(&render(message, format, part));
}

fn sites() -> DynamicMessage {
    let at = Timestamp(1_795_168_800_000);
    let row = |code: &str, last_contact: Option<Timestamp>, problem: &str| pb::SiteStatus {
        code: code.to_owned(),
        kind: "primary".to_owned(),
        link: "active".to_owned(),
        lag_changes: 9_007_199_254_740_993,
        last_contact: last_contact.map(wire_time),
        problem: problem.to_owned(),
        ..Default::default()
    };
    let rows = vec![row("PR1", Some(at), ""), row("PR2", None, "says \"no\",\nthen leaves")];
    answer("GetSiteStatusResponse", &pb::GetSiteStatusResponse { rows })
}

#[test]
fn rows_are_a_list_in_every_format() {
    check(
        &sites(),
        Format::Table,
        Part::Whole,
        expect![[r#"
            CODE  KIND     PARENT  NAME  LINK    LAG CHANGES       LAST CONTACT              PROBLEM
            PR1   primary  -       -     active  9007199254740993  2026-11-20T10:00:00.000Z  -
            PR2   primary  -       -     active  9007199254740993  -                         says "no", then leaves
        "#]],
    );
    check(
        &sites(),
        Format::Csv,
        Part::Whole,
        expect![[r#"
            code,kind,parent,name,link,lag_changes,last_contact,problem
            PR1,primary,,,active,9007199254740993,2026-11-20T10:00:00.000Z,
            PR2,primary,,,active,9007199254740993,,"says ""no"",
            then leaves"
        "#]],
    );
    check(
        &sites(),
        Format::Json,
        Part::More,
        expect![[r#"
            {"code":"PR1","kind":"primary","parent":"","name":"","link":"active","lag_changes":9007199254740993,"last_contact":"2026-11-20T10:00:00.000Z","problem":""}
            {"code":"PR2","kind":"primary","parent":"","name":"","link":"active","lag_changes":9007199254740993,"last_contact":null,"problem":"says \"no\",\nthen leaves"}
        "#]],
    );
}

#[test]
fn an_empty_list_is_a_list() {
    let none = answer("ListSitesResponse", &pb::ListSitesResponse { rows: Vec::new() });
    check(&none, Format::Json, Part::Whole, expect!["[]\n"]);
    check(&none, Format::Csv, Part::Whole, expect!["code,kind,parent,name,url,uuid\n"]);
    check(&none, Format::Table, Part::More, expect![""]);
}

#[test]
fn one_thing_is_shown_with_what_belongs_to_it() {
    let code = SiteCode::new("SE1").expect("a good code").to_string();
    let site = pb::Site { code, kind: "secondary".to_owned(), ..Default::default() };
    let role = pb::Role { id: "1".to_owned(), kind: "dp".to_owned(), ..Default::default() };
    let show = pb::GetSiteResponse { row: Some(site), owner: "PR1".to_owned(), roles: vec![role] };
    let show = answer("GetSiteResponse", &show);
    check(
        &show,
        Format::Table,
        Part::Whole,
        expect![[r#"
            code    SE1
            kind    secondary
            parent  -
            name    -
            url     -
            uuid    -
            owner   PR1

            roles
            ID  SITE  KIND  NAME  URL  HTTP URL  JOINED AT
            1   -     dp    -     -    -         -
        "#]],
    );
    check(
        &show,
        Format::Csv,
        Part::Whole,
        expect![[r#"
            code,kind,parent,name,url,uuid,owner
            SE1,secondary,,,,,PR1
        "#]],
    );
    check(
        &show,
        Format::Json,
        Part::Whole,
        expect![[r#"
            {
              "code": "SE1",
              "kind": "secondary",
              "parent": "",
              "name": "",
              "url": "",
              "uuid": "",
              "owner": "PR1",
              "roles": [
                {
                  "id": "1",
                  "site": "",
                  "kind": "dp",
                  "name": "",
                  "url": "",
                  "http_url": "",
                  "joined_at": null
                }
              ]
            }
        "#]],
    );
}
