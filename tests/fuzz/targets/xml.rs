//! The guard in front of every XML: what it lets pass is written and read again the same.
#![no_main]

use xml_guard::{Element, Limits, XmlWriter};

fn write(xml: &mut XmlWriter, element: &Element) {
    xml.start("a");
    xml.attribute("name", &element.tag.local);
    for (number, attribute) in element.tag.attributes.iter().enumerate() {
        xml.attribute(&format!("a{number}"), &attribute.value);
    }
    xml.text(&element.text);
    element.children.iter().for_each(|child| write(xml, child));
    xml.end();
}

libfuzzer_sys::fuzz_target!(
    init: fuzz::fill(|| {
        let mut seeds = fuzz::reference("captures", ".xml");
        seeds.extend(fuzz::reference("sdp-catalogs", ".sdp"));
        seeds
    }),
    |data: &[u8]| {
        let limits = Limits { attributes: 200, ..Limits::default() };
        let Ok(read) = Element::parse(data, limits) else { return };
        let mut xml = XmlWriter::declared();
        write(&mut xml, &read);
        let again = Element::parse(xml.finish().as_bytes(), Limits::default());
        let again = again.expect("what was written is well-formed");
        assert_eq!(again.text, read.text);
        assert_eq!(again.children.len(), read.children.len());
        let values = |element: &Element| {
            element.tag.attributes.iter().map(|a| a.value.clone()).collect::<Vec<_>>()
        };
        assert_eq!(values(&again)[1..], values(&read));
    }
);
