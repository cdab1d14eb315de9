//! Fragments as the original server derived them, and documents made to mislead.

use super::*;
use crate::fragments::{Fragments, best_language};

const UPDATE: &str = "http://schemas.microsoft.com/msus/2002/12/Update";

fn document(content: &str) -> Vec<u8> {
    let rules = "http://schemas.microsoft.com/msus/2002/12";
    let document = format!(
        "<?xml version='1.0'?>\n<u:Update xmlns:u='{UPDATE}' \
         xmlns:bar='{rules}/BaseApplicabilityRules' xmlns:mar='{rules}/MsiApplicabilityRules' \
         xmlns:drv='{rules}/UpdateHandlers/WindowsDriver' xmlns:lar='{rules}/Logical' \
         xmlns:blob='http://www.microsoft.com/msi/patch_applicability.xsd'>\n\
         <u:UpdateIdentity UpdateID='A' RevisionNumber='1'/>{content}</u:Update>"
    );
    document.into_bytes()
}

fn derive(content: &str) -> Result<Fragments, Error> {
    Fragments::derive(&document(content))
}

proptest::proptest! {
    /// Bytes altered anywhere give fragments or an error, never a panic.
    #[test]
    fn altered_documents(at in 0_usize..2_000, value: u8, second: u8) {
        let content = format!(
            "<u:Properties UpdateType='Software' x:y='1' xmlns:x='u:x'>\n</u:Properties>\
             <u:LocalizedPropertiesCollection><u:LocalizedProperties/><u:EulaFile/>\
             </u:LocalizedPropertiesCollection><u:ApplicabilityRules xml:lang = \"en\">{}\
             <blob:a q='&quot;'/></u:ApplicabilityRules>",
            "<bar:And k='v'>a&amp;<![CDATA[b]]></bar:And> ".repeat(9)
        );
        let sound = document(&content);
        let extended = Fragments::derive(&sound).map(|fragments| fragments.extended);
        proptest::prop_assert_eq!(extended.expect("derives"), "<ExtendedProperties y=\"1\" />");
        let mut altered = sound.clone();
        let places = [at % sound.len(), (at * 7) % sound.len()];
        altered[places[0]] = value;
        altered[places[1]] = second;
        let _outcome = Fragments::derive(&altered);
    }
}

fn derived(content: &str) -> Fragments {
    derive(&format!("<u:Properties/>{content}")).expect("derives")
}

#[test]
fn captured_fragments_are_derived_byte_for_byte() {
    let name = "captured_fragments_are_derived_byte_for_byte";
    let Some(folder) = reference(name, "captures/documents") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).expect("readable");
    let document = read("266f6222-c89d-43f2-9f8a-69340271e677-r200.xml");
    let update = Fragments::derive(&document).expect("derives");
    let captured = read("../client-server/266f6222-r200.extended.fragment.txt");
    assert_eq!(update.extended.as_bytes(), captured.trim_ascii_end());
    let core = "<UpdateIdentity UpdateID=\"266f6222-c89d-43f2-9f8a-69340271e677\" \
                RevisionNumber=\"200\" /><Properties UpdateType=\"Software\" /><Relationships>\
                <Prerequisites><UpdateIdentity";
    assert!(update.core.starts_with(core), "{}", update.core);
    assert!(update.core.contains("<IsInstalled><And><Not><b.RegDword Key=\"HKEY_LOCAL_MACHINE\" "));
    assert!(!update.core.contains("xmlns") && !update.core.contains(':'), "{}", update.core);

    let document = read("56309036-4c77-4dd9-951a-99ee9c246a94-r101.xml");
    let company = Fragments::derive(&document).expect("derives");
    let answer = read("../client-server/scan-000010-GetExtendedUpdateInfo.response.xml");
    let answer: client::ExtendedUpdateInfo = decode(answer.as_slice()).expect("decodes");
    let of_company = answer.updates.iter().filter(|update| update.id == 108_226);
    let captured: Vec<String> = of_company.map(|update| update.xml.to_text()).collect();
    let localized = company.localized_for(&["en-US".into(), "en".into()]).expect("is there");
    assert_eq!([company.extended.clone(), localized.xml.clone()], *captured);
    assert_eq!((company.localized.len(), company.localized[18].language.as_str()), (24, "pt-br"));
}

/// The rules of the captured cumulative update, put into a document as publishers write them.
#[test]
fn content_of_other_vocabularies_keeps_its_namespace() {
    let name = "content_of_other_vocabularies_keeps_its_namespace";
    let Some(folder) = reference(name, "captures/client-server") else { return };
    let captured = std::fs::read_to_string(folder.join("cbs-dotnet-core-reduced.fragment.txt"));
    let captured = captured.expect("readable");
    let (before, assembly) = captured.trim_end().split_once("<assembly").expect("an assembly");
    let (assembly, after) = assembly.split_once("</assembly>").expect("ends");
    let qualify =
        |text: &str| text.replace("</", "\u{1}").replace('<', "<upd:").replace('\u{1}', "</upd:");
    let document = format!(
        "<upd:Update xmlns:upd=\"{UPDATE}\">{}<assembly{assembly}</assembly>{}</upd:Update>",
        qualify(before),
        qualify(after)
    );
    assert_eq!(Fragments::derive(document.as_bytes()).expect("derives").core, captured.trim_end());
}

#[test]
fn names_values_and_white_space_are_rewritten() {
    let fragments = derived(
        "<u:ApplicabilityRules> <u:IsInstalled>\n<bar:RegSz Data='\"a\"&#xA;b' xml:lang='en'/>\n\
         <mar:Msi></mar:Msi></u:IsInstalled><u:Metadata><drv:WindowsDriverMetaData \
         HardwareID='x&amp;y'><drv:FeatureScore/></drv:WindowsDriverMetaData><blob:MsiPatch A='1'>\
         <blob:B/> a <![CDATA[<&]]> </blob:MsiPatch></u:Metadata></u:ApplicabilityRules>\
         <u:HandlerSpecificData xsi:type='drv:X' \
         xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><u:T> </u:T></u:HandlerSpecificData>",
    );
    let expected = "<UpdateIdentity UpdateID=\"A\" RevisionNumber=\"1\" /><Properties />\
        <ApplicabilityRules><IsInstalled><b.RegSz Data=\"&quot;a&quot;&#xA;b\" xml:lang=\"en\" />\
        <m.Msi></m.Msi></IsInstalled><Metadata><d.WindowsDriverMetaData HardwareID=\"x&amp;y\" />\
        <MsiPatch A=\"1\" xmlns=\"http://www.microsoft.com/msi/patch_applicability.xsd\"><B /> a \
        &lt;&amp; </MsiPatch></Metadata></ApplicabilityRules>";
    assert_eq!(fragments.core, expected);
    let expected =
        "<ExtendedProperties /><HandlerSpecificData type=\"drv:X\"><T> </T></HandlerSpecificData>";
    assert_eq!(fragments.extended, expected);
}

#[test]
fn properties_are_divided_in_the_order_of_the_fragment() {
    let fragments = derive(
        "<u:Properties PublisherID='p' OSUpgrade='swap' EulaID='e' Handler='h' PerUser='true' \
         ExplicitlyDeployable='true' AutoSelectOnWebSites='false' IsPublic='false' \
         UpdateType='Software'><u:KBArticleID>1</u:KBArticleID></u:Properties>\
         <u:LocalizedPropertiesCollection><u:LocalizedProperties><u:Language>de</u:Language>\
         <u:Title>T</u:Title></u:LocalizedProperties><u:EulaFile Digest='d' Language='fr' \
         GeoId='FRA'/></u:LocalizedPropertiesCollection><u:Later/>",
    )
    .expect("derives");
    let properties = "<Properties UpdateType=\"Software\" ExplicitlyDeployable=\"true\" \
                      EulaID=\"e\" OSUpgrade=\"swap\" />";
    assert!(fragments.core.ends_with(properties), "{}", fragments.core);
    let extended = "<ExtendedProperties Handler=\"h\" PerUser=\"true\">\
                    <KBArticleID>1</KBArticleID></ExtendedProperties>";
    assert_eq!(fragments.extended, extended);
    let eula = &fragments.eulas[0];
    assert_eq!((eula.language.as_str(), eula.geo_id.as_deref()), ("fr", Some("FRA")));
    assert_eq!(eula.xml, "<EulaFile Digest=\"d\" Language=\"fr\" GeoId=\"FRA\" />");
    assert_eq!(fragments.localized[0].language, "de");
}

#[test]
fn unsound_documents_are_refused_with_their_place() {
    let refused = |content: &str| chain(&derive(content).expect_err("must be refused"));
    assert_eq!(refused(""), "the message has no element Properties");
    let twice = "<u:Properties/>\n<u:Files/><u:Files/>";
    let place = "the document gives no fragments: line 4, column 11: ";
    assert_eq!(refused(twice), format!("{place}this part of an update is there twice"));
    let alike = "<u:Properties/>\n<u:Files a='' u:a=''/>";
    let place = "the document gives no fragments: line 4, column 1: ";
    assert_eq!(refused(alike), format!("{place}two attributes are alike but for their prefixes"));
    assert!(refused("<u:Properties a='' u:a=''/>").ends_with("alike but for their prefixes"));
    assert!(refused("<u:Properties></u:Files>").contains("line 3, column "));
    assert!(refused("<u:Properties/><u:Files>&x;</u:Files>").contains("entity \"x\""));
    let deep = format!("<u:Properties/><u:Files>{}", "<a>".repeat(100));
    assert!(refused(&deep).contains("nested more than 64 deep"), "{}", refused(&deep));
    let other = Fragments::derive(b"<Update/>").expect_err("of no namespace");
    assert_eq!(other.to_string(), "the message has no element Update");
    let uri = "u".repeat(4 << 10);
    let swelling =
        format!("<u:Properties/><u:Files xmlns:x='{uri}'>{}</u:Files>", "<x:a/>".repeat(13 << 10));
    assert!(refused(&swelling).ends_with("its fragments would be too large"));
}

#[test]
fn the_best_language_is_found() {
    let check = |available: &str, wanted: &str| {
        let available: Vec<&str> = available.split_whitespace().collect();
        let wanted: Vec<String> = wanted.split_whitespace().map(str::to_owned).collect();
        best_language(&available, &wanted).map_or("none", |place| available[place]).to_owned()
    };
    assert_eq!(check("de en pt-br", "PT-BR"), "pt-br");
    assert_eq!(check("en pt pt-br", "pt-PT en"), "pt");
    assert_eq!(check("en pt-br", "pt-PT en"), "pt-br");
    assert_eq!(check("de en", "fr"), "en");
    assert_eq!(check("de", "fr"), "de");
    assert_eq!(check("", "fr"), "none");
}
