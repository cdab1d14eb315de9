use expect_test::expect;
use model::EnforcementState::{DownloadFailed, Failed, Installed};

use super::*;

#[test]
fn codes_are_told_as_their_origin_writes_them() {
    let told = |(state, code)| match Code::of(state, code) {
        Some(Code { code, meaning, remedy }) => format!("{code}: {meaning}; {remedy}"),
        None => "nothing".to_owned(),
    };
    let codes = [
        (Installed, 0),
        (Failed, 17),
        (DownloadFailed, 404),
        (Failed, 0x87D0_0324_u32.cast_signed()),
        (Failed, 0x8024_401C_u32.cast_signed()),
        (Failed, 0x8123_4567_u32.cast_signed()),
    ];
    let all = codes.map(told).join("\n");
    expect![[r#"
        nothing
        17: its installer ended with this code; see what its vendor says of the code, and the installer's own log
        404: the server answered with this HTTP status instead of the file; see whether the content is on a distribution point of this place
        0x87D00324: the installer said that it succeeded, and the update is not found afterwards; see whether the installer did anything; else the update's detection rule is wrong
        0x8024401C: the server waited too long for the request, or did not answer in time (HTTP 408); check the network and the load of the server
        0x81234567: nothing is known of this code here; look for it in the agent's log"#]].assert_eq(&all);
}
