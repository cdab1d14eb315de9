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
    let outcomes = |outcomes: &[Outcome]| {
        let outcomes = outcomes.iter().map(|o| (*o).into()).collect();
        Ok(Answer { outcomes, known_serials: vec![0, 0, 7] })
    };
    let fail = |class| Err(status::refuse(class, "no"));
    let show = |next: &Next, answer| {
        let show = |verdict| match verdict {
            Verdict::Acknowledge(id) => format!("acknowledge {id}"),
            Verdict::SetAside(id, _) => format!("set aside {id}"),
            Verdict::SendFull(who, wanted) => format!("send full {} {wanted:?}", who == client),
            Verdict::SendInventory(who) => format!("send inventory {}", who == client),
            Verdict::OneByOne => "one by one".to_owned(),
            Verdict::Later(status) => format!("later: {:?}", status.code()),
        };
        next.settle(answer).into_iter().map(show).collect::<Vec<_>>().join(", ")
    };
    let three = [Outcome::Rejected, Outcome::SendFull, Outcome::Known];
    let verdicts = "set aside 1, send full true Anyhow, acknowledge 3";
    assert_eq!(show(&submit(3), outcomes(&three)), verdicts);
    let behind = [Outcome::Known, Outcome::Applied, Outcome::Behind];
    let verdicts = "send full true IfBehind { incarnation: 0, known: 7 }, acknowledge 3";
    assert_eq!(show(&submit(3), outcomes(&behind)), verdicts);
    assert_eq!(show(&submit(2), outcomes(&three)), "later: Internal");
    assert_eq!(show(&submit(2), fail(ErrorClass::Invalid)), "one by one");
    assert_eq!(show(&submit(1), fail(ErrorClass::Conflict)), "set aside 1");
    assert_eq!(show(&submit(1), fail(ErrorClass::Internal)), "later: Internal");
    assert_eq!(show(&register, Ok(Answer::default())), "acknowledge 7");
    assert_eq!(show(&register, fail(ErrorClass::Conflict)), "set aside 7");
    assert_eq!(show(&register, fail(ErrorClass::Denied)), "later: PermissionDenied");
}

#[test]
fn only_a_client_that_was_put_back_hears_that_it_is_behind() {
    let client = ClientId::from_slice(&[1; 16]).expect("sixteen bytes");
    let said = |incarnation, serial_to| StateReport {
        incarnation,
        serial_to,
        full: true,
        ..StateReport::default()
    };
    let mut incomplete = Incomplete::default();
    let mut word = |wanted, report| {
        incomplete.want(client, wanted, Timestamp(0));
        let words = [(); 2].map(|()| incomplete.first_word(client, &report));
        assert_eq!(words[1], (Outcome::Unspecified, 0), "it hears it once");
        words[0]
    };
    let behind = Wanted::IfBehind { incarnation: 2, known: 7 };
    assert_eq!(word(behind, said(2, 7)), (Outcome::Behind, 7));
    for report in [said(2, 8), said(3, 1)] {
        assert_eq!(word(behind, report), (Outcome::Unspecified, 0));
    }
    assert_eq!(word(Wanted::Anyhow, said(2, 7)), (Outcome::Unspecified, 0));
    let partial = StateReport { full: false, ..said(2, 8) };
    assert_eq!(word(Wanted::Anyhow, partial), (Outcome::SendFull, 0));
}

#[test]
fn a_client_is_woken_now_and_then() {
    let client = |number| ClientId::from_slice(&[number; 16]).expect("sixteen bytes");
    let mut incomplete = Incomplete::default();
    let mut wakes = |number, at| incomplete.want(client(number), Wanted::Anyhow, Timestamp(at));
    let wakes = [(1, 5), (1, 6), (2, 7), (1, WAKE_AGAIN_MS), (1, WAKE_AGAIN_MS + 1), (1, 3)]
        .map(|(number, at)| wakes(number, at));
    assert_eq!(wakes, [true, false, true, true, false, true]);
}

#[test]
fn the_last_word_is_that_nothing_waits() {
    let mut told = ToldBacklog::default();
    let word = |told: &ToldBacklog, set_aside| {
        let next = told.last_word(set_aside)?;
        let Next::Submit { request, .. } = &next else { panic!("{next:?}") };
        assert_eq!((request.waiting, request.set_aside), (0, set_aside));
        Some(next)
    };
    told.note(&word(&told, 0).expect("nothing was said yet"));
    assert!(word(&told, 0).is_none());
    let mut busy = next(vec![(1, report(Voice::Agents, &[8]))]).expect("one");
    busy.say_backlog(5, 0);
    told.note(&busy);
    let last = word(&told, 0).expect("four others wait no more");
    told.note(&last);
    let last = word(&told, 1).expect("one was set aside");
    told.note(&last);
    assert!(word(&told, 1).is_none());
    told.forget();
    assert!(word(&told, 1).is_some());
    let refused = last.settle(Err(status::refuse(ErrorClass::Invalid, "no")));
    assert!(matches!(refused[..], [Verdict::Later(_)]));
}

#[test]
fn all_that_one_answer_names_are_woken_together_and_nothing_asks_less_of_a_client() {
    let client = |number| ClientId::from_slice(&[number; 16]).expect("sixteen bytes");
    let behind = Wanted::IfBehind { incarnation: 1, known: 9 };
    let mut incomplete = Incomplete::default();
    let verdicts = [
        Verdict::SendFull(client(1), Wanted::Anyhow),
        Verdict::Acknowledge(4),
        Verdict::SendFull(client(2), behind),
        // A report of the same client that came late.
        Verdict::SendFull(client(1), behind),
    ];
    assert_eq!(incomplete.want_all(&verdicts, Timestamp(0)), [client(1), client(2)]);
    let report = StateReport { incarnation: 1, serial_to: 10, ..StateReport::default() };
    assert_eq!(incomplete.first_word(client(1), &report).0, Outcome::SendFull);
}
