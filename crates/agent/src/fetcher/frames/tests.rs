use proptest::prelude::*;
use tokio::io::{AsyncWriteExt as _, duplex};

use super::*;

fn frame() -> impl Strategy<Value = Frame> {
    let line = "[^\\p{Cc}]{0,60}";
    let unfit = prop_oneof![
        line.prop_map(Unfit::Elsewhere),
        any::<u16>().prop_map(Unfit::Status),
        (0..FIELDS.len(), line)
            .prop_map(|(field, reason)| Unfit::Other(Invalid::new(FIELDS[field], reason))),
    ];
    prop_oneof![
        any::<u8>().prop_map(|bits| Frame::Confined(Missing(bits))),
        any::<u64>().prop_map(Frame::Begins),
        unfit.prop_map(Frame::Unfit),
        prop::collection::vec(any::<u8>(), 1..300).prop_map(|bytes| Frame::Piece(bytes.into())),
        line.prop_map(Frame::Broken),
        Just(Frame::End),
    ]
}

/// Every frame in `bytes`, and why there are no more.
fn read(bytes: &[u8]) -> (Vec<Frame>, Unread) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (mut frames, mut all) = (Frames::new(bytes), Vec::new());
        loop {
            match frames.next().await {
                Ok(frame) => all.push(frame),
                Err(unread) => return (all, unread),
            }
        }
    })
}

fn written(frames: &[Frame]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut bytes = Vec::new();
    for frame in frames {
        runtime.block_on(frame.clone().write(&mut bytes)).expect("memory takes everything");
    }
    bytes
}

proptest! {
    #[test]
    fn what_is_said_is_heard(frames in prop::collection::vec(frame(), 0..8)) {
        let (heard, unread) = read(&written(&frames));
        prop_assert_eq!(heard, frames);
        prop_assert!(matches!(unread, Unread::Ended));
    }

    /// Whoever holds the other process may write anything; some of it begins well.
    #[test]
    fn anything_may_come(
        frames in prop::collection::vec(frame(), 0..3),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = written(&frames);
        bytes.extend(noise);
        let (heard, _) = read(&bytes);
        prop_assert_eq!(&heard[..frames.len()], &frames[..]);
        for frame in heard {
            if let Frame::Piece(bytes) = frame {
                prop_assert!((1..=PIECE_BYTES_MAX).contains(&bytes.len()));
            }
        }
    }
}

/// What is wrong with a frame that has this tag and announces this length.
fn refused(tag: u8, length: u32, body: &[u8]) -> String {
    let bytes = [&[tag][..], &length.to_be_bytes(), body].concat();
    match read(&bytes) {
        (frames, Unread::Senseless(invalid)) if frames.is_empty() => invalid.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_frame_that_no_downloader_writes_is_refused_before_room_is_made_for_it() {
    let all = [
        refused(0, 0, b""),
        refused(9, 1, b"x"),
        refused(tag::PIECE, u32::MAX, b""),
        refused(tag::PIECE, 65_537, b""),
        refused(tag::PIECE, 0, b""),
        refused(tag::BEGINS, 7, b"1234567"),
        refused(tag::END, 1, b"x"),
        refused(tag::BROKEN, 2_050, b""),
        refused(tag::OTHER, 0, b""),
        refused(tag::OTHER, 2, b"\x03x"),
        refused(tag::BROKEN, 2, b"\xc3\x28"),
    ];
    expect_test::expect![[r#"
        tag: 0 is of no frame
        tag: 9 is of no frame
        length: a frame 6 has 4294967295 bytes
        length: a frame 6 has 65537 bytes
        length: a frame 6 has 0 bytes
        length: a frame 2 has 7 bytes
        length: a frame 8 has 1 bytes
        length: a frame 7 has 2050 bytes
        length: a frame 5 has 0 bytes
        field: is none
        text: is no UTF-8"#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn what_people_read_is_short_and_moves_no_cursor() {
    let long = Frame::Broken("ä".repeat(5_000));
    let (heard, _) = read(&written(&[long, Frame::Broken("\x1b[2Jline\nline".to_owned())]));
    let [Frame::Broken(long), Frame::Broken(odd)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((long.len(), &**odd), (TEXT_BYTES_MAX - 1, " [2Jline line"));
}

#[tokio::test]
async fn an_order_arrives_and_a_large_one_is_not_sent() {
    let order = |path: String| Order { host: "dp:80".to_owned(), path, offset: 20, size: 56 };
    let (mut ours, mut theirs) = duplex(1 << 10);
    let sent = order("/content".to_owned());
    ours.write_all(&order_bytes(&sent).expect("small")).await.expect("there is room");
    assert_eq!(read_order(&mut theirs).await.expect("whole"), sent);
    assert!(order_bytes(&order("x".repeat(ORDER_BYTES_MAX))).is_err());
    ours.write_all(&u32::MAX.to_be_bytes()).await.expect("there is room");
    assert!(read_order(&mut theirs).await.is_err());
}
