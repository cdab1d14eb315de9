use super::*;

fn shape(entries: &[Vec<u8>]) -> String {
    let entries = (1..).zip(entries.iter().cloned()).collect();
    match next(entries) {
        None => "nothing".to_owned(),
        Some(Next::Register { id, request }) => format!("register {id} {}", request.incarnation),
        Some(Next::Submit { ids, request }) => {
            format!("submit {ids:?} {:?} {:?}", request.voice(), request.reports)
        }
        Some(Next::SubmitInventories { ids, request }) => {
            format!("inventories {ids:?} {:?} {:?}", request.voice(), request.reports)
        }
        Some(Next::Unreadable { id, reason }) => format!("unreadable {id}: {reason}"),
    }
}

#[test]
fn entries_become_requests_in_their_order() {
    let request = RegisterClientRequest { incarnation: 7, ..RegisterClientRequest::default() };
    let (registered, said) = (registration(&request), report(Voice::Agents, &[8]));
    assert_eq!(shape(&[]), "nothing");
    assert_eq!(shape(&[registered.clone(), said.clone()]), "register 1 7");
    let windows = report(Voice::Windows, &[8]);
    assert_eq!(shape(&[said.clone(), windows, said.clone()]), "submit [1] Agents [[8]]");
    let said_again = said.clone();
    assert_eq!(shape(&[said.clone(), said, registered]), "submit [1, 2] Agents [[8], [8]]");
    let described = inventory(Voice::Agents, &[9]);
    let both = [described.clone(), described.clone(), said_again];
    assert_eq!(shape(&both), "inventories [1, 2] Agents [[9], [9]]");
    let many = vec![described; INVENTORIES_MAX + 1];
    assert!(matches!(next((1..).zip(many).collect()),
        Some(Next::SubmitInventories { ids, .. }) if ids.len() == INVENTORIES_MAX));
    assert_eq!(shape(&[vec![REPORT]]), "unreadable 1: spool entry: is of an unknown kind");
    assert_eq!(shape(&[vec![9]]), "unreadable 1: spool entry: is of an unknown kind");
    assert_eq!(shape(&[Vec::new()]), "unreadable 1: spool entry: is of an unknown kind");
}

#[test]
fn a_submission_fits_a_message() {
    let large = report(Voice::Agents, &vec![0; SUBMISSION_BYTES_MAX / 2]);
    let Some(Next::Submit { ids, .. }) = next((1..).zip(vec![large; 3]).collect()) else {
        panic!("reports become a submission");
    };
    assert_eq!(ids, [1]);
    let Some(Next::Submit { ids, .. }) =
        next((1..).zip(vec![report(Voice::Agents, &[]); 300]).collect())
    else {
        panic!("reports become a submission");
    };
    assert_eq!(ids.len(), REPORTS_MAX);
}

#[test]
fn answers_say_what_to_keep() {
    let client = ClientId::from_slice(&[1; 16]).expect("sixteen bytes");
    let said = encode_report(&StateReport { client: vec![1; 16], ..StateReport::default() });
    let submit = |count| {
        next((1..=count).map(|id| (id, report(Voice::Agents, &said))).collect()).expect("one")
    };
    let register = next(vec![(7, registration(&RegisterClientRequest::default()))]).expect("one");
    let outcomes = |outcomes: &[Outcome]| Ok(outcomes.iter().map(|o| (*o).into()).collect());
    let fail = |class| Err(status::refuse(class, "no"));
    let show = |next: &Next, answer| {
        let show = |verdict| match verdict {
            Verdict::Acknowledge(id) => format!("acknowledge {id}"),
            Verdict::SetAside(id, _) => format!("set aside {id}"),
            Verdict::SendFull(who) => format!("send full {}", who == client),
            Verdict::SendInventory(who) => format!("send inventory {}", who == client),
            Verdict::OneByOne => "one by one".to_owned(),
            Verdict::Later(status) => format!("later: {:?}", status.code()),
        };
        next.settle(answer).into_iter().map(show).collect::<Vec<_>>().join(", ")
    };
    let three = [Outcome::Rejected, Outcome::SendFull, Outcome::Known];
    assert_eq!(show(&submit(3), outcomes(&three)), "set aside 1, send full true, acknowledge 3");
    assert_eq!(show(&submit(2), outcomes(&three)), "later: Internal");
    assert_eq!(show(&submit(2), fail(ErrorClass::Invalid)), "one by one");
    assert_eq!(show(&submit(1), fail(ErrorClass::Conflict)), "set aside 1");
    assert_eq!(show(&submit(1), fail(ErrorClass::Internal)), "later: Internal");
    assert_eq!(show(&register, Ok(Vec::new())), "acknowledge 7");
    assert_eq!(show(&register, fail(ErrorClass::Conflict)), "set aside 7");
    assert_eq!(show(&register, fail(ErrorClass::Denied)), "later: PermissionDenied");
}
