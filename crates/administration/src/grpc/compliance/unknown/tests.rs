use model::Timestamp;
use uuid::Uuid;

use super::*;

fn client(number: u128) -> ClientId {
    ClientId(Uuid::from_u128(number))
}

fn code(text: &str) -> SiteCode {
    SiteCode::new(text).expect("a good code")
}

fn link(state: LinkState, lag_changes: u64) -> LinkStatus {
    LinkStatus {
        neighbor: code("PR1"),
        state,
        failed_attempts: 0,
        last_contact: Some(Timestamp(0)),
        lag_changes,
        problem: String::new(),
        heads: Vec::new(),
    }
}

/// Computers 1 and 2 belong to PR1, which has not been heard for long; 3 belongs to PR2.
#[test]
fn what_a_child_site_has_not_sent_is_named() {
    assert_eq!(lateness(&link(LinkState::Active, 0)), None);
    let why = lateness(&link(LinkState::Failed, 40)).expect("it is late");
    assert_eq!(
        why,
        "not received from site PR1: its link is failed and 40 changes behind, last contact \
         1970-01-01T00:00:00.000Z"
    );
    let silence = Silence {
        children: BTreeMap::from([(code("PR1"), why.clone())]),
        clients: BTreeMap::from([
            (code("PR1"), vec![client(1), client(2)]),
            (code("PR2"), vec![client(3)]),
        ]),
        backlogs: Vec::new(),
    };
    let board = Board::rebuild([1, 2, 3].map(client), []);
    let rows = silence.rows(&board, board.unassured());
    let rows: Vec<_> = rows.into_iter().map(|row| (row.reason, row.clients)).collect();
    let apart = format!("no report received; {why}");
    assert_eq!(rows, [(apart.clone(), 2), ("no report received".to_owned(), 1)]);
    let owner = |site| Owner { code: code(site), uuid: Uuid::nil() };
    let says = |reason, site| silence.says(reason, owner(site), code("CAS"));
    assert_eq!(says(UnknownReason::NoReport, "PR1"), apart);
    assert_eq!(says(UnknownReason::NoReport, "PR2"), "no report received");
    // That came all the way.
    assert_eq!(says(UnknownReason::NotJudged, "PR1"), "the client could not judge it");
}
