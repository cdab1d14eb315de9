use super::*;

fn shape(entries: &[Vec<u8>]) -> String {
    let entries = (1..).zip(entries.iter().cloned()).collect();
    match next(entries) {
        None => "nothing".to_owned(),
        Some(Next::Register { id, request }) => format!("register {id} {}", request.incarnation),
        Some(Next::Submit { ids, request }) => format!("submit {ids:?} {:?}", request.reports),
        Some(Next::Unreadable { id, reason }) => format!("unreadable {id}: {reason}"),
    }
}

#[test]
fn entries_become_requests_in_their_order() {
    let request = RegisterClientRequest { incarnation: 7, ..RegisterClientRequest::default() };
    let (registered, said) = (registration(&request), report(&[8]));
    assert_eq!(shape(&[]), "nothing");
    assert_eq!(shape(&[registered.clone(), said.clone()]), "register 1 7");
    assert_eq!(shape(&[said.clone(), said, registered]), "submit [1, 2] [[8], [8]]");
    assert_eq!(shape(&[vec![9]]), "unreadable 1: spool entry: is of an unknown kind");
    assert_eq!(shape(&[Vec::new()]), "unreadable 1: spool entry: is of an unknown kind");
}

#[test]
fn a_submission_fits_a_message() {
    let large = report(&vec![0; SUBMISSION_BYTES_MAX / 2]);
    let Some(Next::Submit { ids, .. }) = next((1..).zip(vec![large; 3]).collect()) else {
        panic!("reports become a submission");
    };
    assert_eq!(ids, [1]);
    let Some(Next::Submit { ids, .. }) = next((1..).zip(vec![report(&[]); 300]).collect()) else {
        panic!("reports become a submission");
    };
    assert_eq!(ids.len(), REPORTS_MAX);
}
