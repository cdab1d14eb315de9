use expect_test::expect;
use prost::{Message, Name};
use prost_reflect::DescriptorPool;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use super::*;

fn answer<M: Message + Name>(message: &M) -> DynamicMessage {
    let pool = DescriptorPool::decode(rpc::DESCRIPTORS).expect("descriptors");
    let descriptor = pool.get_message_by_name(&M::full_name()).expect("a message");
    let mut answer = DynamicMessage::new(descriptor);
    answer.transcode_from(message).expect("its own bytes");
    answer
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
    answer(&pb::GetSiteStatusResponse { rows })
}

#[test]
fn rows_are_a_list_in_every_format() {
    let text = render(&sites(), Format::Table, Part::Whole);
    expect![[r#"
        CODE  KIND     PARENT  NAME  LINK    LAG CHANGES       LAST CONTACT              PROBLEM
        PR1   primary  -       -     active  9007199254740993  2026-11-20T10:00:00.000Z  -
        PR2   primary  -       -     active  9007199254740993  -                         says "no", then leaves
    "#]]
    .assert_eq(&text);
    let text = render(&sites(), Format::Csv, Part::Whole);
    expect![[r#"
        code,kind,parent,name,link,lag_changes,last_contact,problem
        PR1,primary,,,active,9007199254740993,2026-11-20T10:00:00.000Z,
        PR2,primary,,,active,9007199254740993,,"says ""no"",
        then leaves"
    "#]]
    .assert_eq(&text);
    let text = render(&sites(), Format::Json, Part::More);
    expect![[r#"
        {"code":"PR1","kind":"primary","parent":"","name":"","link":"active","lag_changes":9007199254740993,"last_contact":"2026-11-20T10:00:00.000Z","problem":""}
        {"code":"PR2","kind":"primary","parent":"","name":"","link":"active","lag_changes":9007199254740993,"last_contact":null,"problem":"says \"no\",\nthen leaves"}
    "#]]
    .assert_eq(&text);
}

#[test]
fn an_empty_list_is_a_list() {
    let none = answer(&pb::ListSitesResponse { rows: Vec::new() });
    expect!["[]\n"].assert_eq(&render(&none, Format::Json, Part::Whole));
    expect!["code,kind,parent,name,url,uuid\n"].assert_eq(&render(&none, Format::Csv, Part::Whole));
    expect![""].assert_eq(&render(&none, Format::Table, Part::More));
}

#[test]
fn one_thing_is_shown_with_what_belongs_to_it() {
    let site =
        pb::Site { code: "SE1".to_owned(), kind: "secondary".to_owned(), ..Default::default() };
    let role = pb::Role { id: "1".to_owned(), kind: "dp".to_owned(), ..Default::default() };
    let show = pb::GetSiteResponse { row: Some(site), owner: "PR1".to_owned(), roles: vec![role] };
    let show = answer(&show);
    let text = render(&show, Format::Table, Part::Whole);
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
    "#]]
    .assert_eq(&text);
    let text = render(&show, Format::Csv, Part::Whole);
    expect![[r#"
        code,kind,parent,name,url,uuid,owner
        SE1,secondary,,,,,PR1
    "#]]
    .assert_eq(&text);
    let text = render(&show, Format::Json, Part::Whole);
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
    "#]]
    .assert_eq(&text);
}

/// Symptom: how many files a package has was not told beside its files. Cause: the list took the
/// place of the count, which has the same name in the row.
#[test]
fn a_count_stands_beside_the_list_that_it_counts() {
    let (row, files) = (pb::Package { files: 2, ..Default::default() }, Vec::new());
    let show = answer(&pb::GetPackageResponse { row: Some(row), files, ..Default::default() });
    let json: Json = render(&show, Format::Json, Part::Whole).parse().expect("JSON");
    assert_eq!((&json["files"], &json["files_count"]), (&serde_json::json!([]), &2.into()));
}
