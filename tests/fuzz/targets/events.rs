//! What computers put into the free texts of their events: one text for each line.
#![no_main]

use wsus_protocol::reporting::{ExtendedData, ReportEventBatch, ReportEventBatch2};
use wsus_protocol::{decode, encode};

/// The letters by which native clients tag what they say.
const TAGS: &str = "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z";

fn extended(text: &str) -> ExtendedData {
    let lines = || text.lines().map(str::to_owned).collect();
    ExtendedData {
        replacement_strings: lines(),
        misc: lines(),
        computer_brand: None,
        computer_model: None,
        bios_revision: None,
        processor_architecture: String::new(),
        os_version: None,
        os_locale: 0,
        device_id: None,
    }
}

fn look(extended: &ExtendedData) -> usize {
    let each = TAGS.split(' ').map(|tag| extended.listed_updates(tag).count());
    each.sum()
}

libfuzzer_sys::fuzz_target!(
    init: fuzz::fill(|| {
        let mut seeds = Vec::new();
        for capture in fuzz::reference("captures/client-server", "ReportEventBatch.request.xml") {
            let batch: ReportEventBatch = decode(capture.as_slice()).expect("a capture");
            let texts = batch.events.into_iter().filter_map(|event| event.extended);
            seeds.extend(texts.map(|texts| texts.misc.join("\n").into_bytes()));
            seeds.push(capture);
        }
        let id = "266f6222-c89d-43f2-9f8a-69340271e677";
        seeds.push(format!("U={id};{id}\nV={id}; \nX=\n=\n==\nU").into_bytes());
        seeds
    }),
    |data: &[u8]| {
        if let Ok(text) = std::str::from_utf8(data) {
            let direct = extended(text);
            let _listed = look(&direct);
        }
        if let Ok(batch) = decode::<ReportEventBatch>(data) {
            let texts = batch.events.iter().filter_map(|event| event.extended.as_ref());
            let listed: usize = texts.clone().map(look).sum();
            let again: ReportEventBatch =
                decode(encode(&batch).as_bytes()).expect("what was written can be read");
            let texts = again.events.iter().filter_map(|event| event.extended.as_ref());
            assert_eq!(texts.map(look).sum::<usize>(), listed);
        }
        let _other = decode::<ReportEventBatch2>(data);
    }
);
