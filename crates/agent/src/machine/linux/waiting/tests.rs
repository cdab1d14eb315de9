use std::ffi::OsString;

use super::*;

/// What is put before an order when the process that waits is this test.
pub(in crate::machine::linux) fn words() -> Vec<OsString> {
    let name = "machine::linux::waiting::tests::a_process_of_its_own_waits";
    ["--exact", name, "--nocapture", "--"].map(OsString::from).to_vec()
}

/// Not only a test: other tests start it as the process that waits for their installers.
#[test]
#[expect(clippy::disallowed_methods, reason = "nothing of the test is to follow")]
fn a_process_of_its_own_waits() {
    let words = std::env::args_os().skip_while(|word| word != VERB);
    let own = [OsString::from("tierline-agent")];
    if let Some(code) = run_installer(own.iter().cloned().chain(words)) {
        std::process::exit(i32::from(code != ExitCode::SUCCESS));
    }
    let typed = |words: &[&str]| run_installer(words.iter().map(OsString::from));
    assert_eq!(typed(&["tierline-agent", "status"]), None);
    assert_eq!(typed(&["tierline-agent"]), None);
}

#[test]
fn an_order_is_read_as_it_was_handed_over() {
    let order = || Order {
        installs: "/data/installs".into(),
        name: "a-1".to_owned(),
        limit: Duration::from_secs(7),
        stop_grace: Duration::from_millis(1),
        directory: "/data/staging/a-1".into(),
        program: Start { path: "/bin/sh".into(), held: None },
        called: "/data/staging/a-1/setup".into(),
        arguments: ["", "--", "a b"].map(OsString::from).to_vec(),
    };
    let (words, held) = order().hand_over();
    assert!(held.is_none());
    for short in 0..7 {
        assert!(Order::read(words[..short].iter().cloned()).is_err(), "{short} words");
    }
    let read = Order::read(words.into_iter()).expect("is read");
    assert_eq!(format!("{read:?}"), format!("{:?}", order()));
}
