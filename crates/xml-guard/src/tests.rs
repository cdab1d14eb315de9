use std::io::{BufReader, Read};

use proptest::prelude::*;

use super::*;

const SMALL: Limits = Limits {
    depth: 8,
    attributes: 4,
    event_bytes: 64,
    kept_bytes: 96,
    tree_nodes: 12,
    total_bytes: 400,
};

fn refusal(document: impl AsRef<[u8]>) -> Refusal {
    Element::parse(document.as_ref(), SMALL).expect_err("must be refused").refusal
}

fn utf16(text: &str) -> Vec<u8> {
    "\u{FEFF}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn names_are_resolved_and_values_unescaped() {
    let document = "\u{FEFF}<?xml version='1.0' encoding='UTF-8'?><!-- c --><?p i?>\
        <a:r xmlns:a='urn:a' xmlns='urn:d' x='1&#10;2&lt;\n3' a:x='é'>t&amp;\r\n\
        <![CDATA[<raw>]]><e xmlns=''/><e/>&#x41;</a:r>\n";
    let root = Element::parse(document.as_bytes(), Limits::default()).expect("well-formed");
    assert!(root.tag.is("urn:a", "r"));
    assert_eq!(root.tag.attribute("x"), Some("1\n2< 3"));
    assert_eq!(root.tag.attribute_ns("urn:a", "x"), Some("é"));
    assert_eq!(root.text, "t&\n<raw>A");
    let namespaces: Vec<&str> = root.children_named("e").map(|e| &*e.tag.ns).collect();
    assert_eq!(namespaces, ["", "urn:d"]);
    let wide =
        Element::parse(utf16("<?xml version='1.0' encoding='utf-16'?><é>ü</é>").as_slice(), SMALL);
    assert_eq!(wide.expect("UTF-16 is read").text, "ü");
}

#[test]
fn ill_formed_documents_are_refused() {
    let documents = "text|| | <?xml version='1.0'?><a/>|<a>|</a>|<a></b>|<a/><b/>|<a/>x|x<a/>|<a/>&amp;|\
        <a/><![CDATA[x]]>|<p:a/>|<a p:b=''/>|<a b='' b=''/>|<a b=''c=''/>|<a b=c/>|<a b/>|\
        <a b='<'/>|<a b='&'/>|<a b='|< a/>|<a / >|<1/>|<a:b:c xmlns:a='u'/>|<a xmlns:p=''/>|\
        <a xmlns:xml='u'/>|<a xmlns:xmlns='u'/>|<a xmlns:p='u' xmlns:q='u' p:x='' q:x=''/>|\
        <a>&#0;</a>|<a>&#xD800;</a>|<a>&#+1;</a>|<a>&#X41;</a>|<a>&#;</a>|<a>& b</a>|<a>&amp</a>|\
        <a>]]></a>|<a>\u{1}</a>|<a>\u{FFFF}</a>|<a><!-- -- --></a>|<a><!----- --></a>|<a><!x></a>|\
        <a><![cdata[]]></a>|<?xml?><a/>|<a><?xml x?></a>|\
        <?xml version='1.0' standalone='maybe'?><a/>|<?xml encoding='utf-8'?><a/>|\
        <a><?XML x?></a>|<a><??></a>|\u{FEFF}\u{FEFF}<a/>|<a b='\u{8}'/>";
    for document in documents.split('|') {
        let refusal = refusal(document);
        assert!(matches!(refusal, Refusal::NotWellFormed(_)), "{document:?}: {refusal:?}");
    }
}

#[test]
fn hostile_constructs_and_excess_are_refused_by_name() {
    let deep = "<a>".repeat(10_000);
    let names = refusal(r"<a>&x;</a>");
    assert_eq!(names, Refusal::Entity("x".into()));
    assert_eq!(refusal("<a b='&x;'/>"), Refusal::Entity("x".into()));
    assert_eq!(refusal("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), Refusal::Doctype);
    assert_eq!(refusal(deep), Refusal::Depth(8));
    assert_eq!(refusal("<a b='' c='' d='' e='' f=''/>"), Refusal::Attributes(4));
    assert_eq!(refusal(format!("<a>{}</a>", "x".repeat(64))), Refusal::EventBytes(64));
    assert_eq!(refusal(format!("<a b='{}'/>", "x".repeat(64))), Refusal::EventBytes(64));
    assert_eq!(refusal(format!("<a>{}</a>", "x&lt;".repeat(33))), Refusal::EventBytes(64));
    assert_eq!(refusal(format!("<a>{}</a>", "<b/>".repeat(12))), Refusal::TreeNodes(12));
    assert_eq!(refusal(format!("<a>{}</a>", "<!---->".repeat(60))), Refusal::TotalBytes(400));
    assert_eq!(refusal(b"<a>\xC3\x28</a>"), Refusal::Encoding("UTF-8".into()));
    assert_eq!(
        refusal("<?xml version='1.0' encoding='big5'?><a/>"),
        Refusal::Encoding("big5".into())
    );
}

#[test]
fn an_error_says_where_and_stays() {
    let mut guard = XmlGuard::new("<a>\n <é/><b></c></a>".as_bytes(), SMALL);
    let error = loop {
        if let Err(error) = guard.next_event() {
            break error;
        }
    };
    assert!(error.to_string().starts_with("line 2, column 9: not well-formed: "), "{error}");
    assert_eq!(guard.next_event(), Err(error));
}

/// A source of one gigabyte within one element: only the budget may be read.
#[test]
fn a_gigabyte_in_one_element_costs_its_budget() {
    let endless = "<a>".as_bytes().chain(std::io::repeat(b'x').take(1 << 30));
    let mut input = BufReader::new(endless);
    let error = Element::parse(&mut input, Limits::default()).expect_err("too large");
    assert_eq!(error.refusal, Refusal::EventBytes(4 << 20));
    assert!(input.get_ref().get_ref().1.limit() > (1 << 30) - (5 << 20), "read past the budget");
}

#[test]
fn the_source_of_an_element_is_kept_exactly() {
    let package = "<p  x = '1'\r\n><!-- c --><q/>&#65;\r\n</p >";
    let document = format!("<r>{package} <p><s/></p>{package}</r>");
    let mut guard = XmlGuard::new(document.as_bytes(), Limits { total_bytes: 999, ..SMALL });
    let mut sources = Vec::new();
    loop {
        match guard.next_event().expect("well-formed") {
            Event::Start(tag) if tag.local == "p" => {
                let at = guard.position().offset;
                guard.keep_source();
                guard.read_element(tag).expect("well-formed");
                sources.push((at, guard.take_source()));
            }
            Event::Eof => break,
            Event::Start(_) | Event::Text(_) | Event::End => {}
        }
    }
    let second = 3 + package.len() as u64 + 1;
    let expected = [(3, package), (second, "<p><s/></p>"), (second + 11, package)];
    assert_eq!(sources, expected.map(|(at, source)| (at, source.to_owned())));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in "[^\u{0}-\u{8}\u{B}\u{C}\u{E}-\u{1F}\u{FFFE}\u{FFFF}]{0,40}") {
        let mut writer = XmlWriter::declared();
        writer.start("a").attribute("v", &value).leaf("b", &value);
        let root = Element::parse(writer.finish().as_bytes(), Limits::default()).expect("well-formed");
        prop_assert_eq!(root.tag.attribute("v"), Some(value.as_str()));
        prop_assert_eq!(&root.children[0].text, &value);
    }

    #[test]
    fn nothing_panics(document in "[<>a/&;:='\"! ?\\[\\]-]{0,40}") {
        let _outcome = Element::parse(document.as_bytes(), SMALL);
    }
}

#[test]
fn compact_documents_have_no_declaration_and_take_escaped_text() {
    let mut writer = XmlWriter::compact();
    writer.start("a").leaf("b", "").start("c").attribute("d", "<").escaped("&lt;").end();
    assert_eq!(writer.finish(), "<a><b/><c d=\"&lt;\">&lt;</c></a>");
}

/// Whatever stands in a list, and in whatever pieces it comes, numbers taken from the source are
/// those that events would have told.
fn numbers(mut guard: XmlGuard<impl std::io::BufRead>, is_fast: bool) -> Result<Vec<i32>, Error> {
    let mut numbers = Vec::new();
    loop {
        if is_fast {
            guard.take_numbers("int", &mut numbers)?;
        }
        match guard.next_event()? {
            Event::Start(tag) if tag.local == "int" => {
                numbers.extend(guard.read_text()?.trim().parse::<i32>());
            }
            Event::Start(_) | Event::Text(_) | Event::End => {}
            Event::Eof => return Ok(numbers),
        }
    }
}

proptest! {
    #[test]
    fn numbers_are_the_same_with_and_without_events(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<int>7</int>", "<int>12345</int>", "<int>-3</int>", "<int>4294967296</int>", "<int/>",
            "<int> 5</int>", "<int></int>", " ", "\n", "x>", "<other>", "</other>", "<other/>",
            "<!-- <int>9</int> -->", "<![CDATA[<int>8</int>]]>", "<int>1<int>2</int></int>", "&lt;",
            "<int a='1'>6</int>", "<x:int>1</x:int>", "<int>3</other>", "<int>1",
        ]), 0..40),
        piece in 1_usize..50,
    ) {
        let document = format!("<l>{}</l>", parts.concat());
        let limits = Limits { total_bytes: 1_000, ..SMALL };
        let guard = || XmlGuard::new(BufReader::with_capacity(piece, document.as_bytes()), limits);
        match (numbers(guard(), true), numbers(guard(), false)) {
            (Ok(fast), Ok(slow)) => prop_assert_eq!(fast, slow),
            // Places are counted by events, of which there are fewer.
            (fast, slow) => prop_assert_eq!(fast.is_err(), slow.is_err(), "{}", document),
        }
    }
}

#[test]
fn a_long_list_of_numbers_counts_as_much_as_it_is_long() {
    let document = format!("<l>{}</l>", "<int>77</int>".repeat(1_000));
    let limits = Limits { total_bytes: 10_000, ..Limits::default() };
    let refused = numbers(XmlGuard::new(document.as_bytes(), limits), true).expect_err("too long");
    assert_eq!(refused.refusal, Refusal::TotalBytes(10_000));
    let whole = numbers(XmlGuard::new(document.as_bytes(), Limits::default()), true);
    assert_eq!(whole.expect("fits"), vec![77; 1_000]);
}
