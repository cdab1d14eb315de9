//! Languages of updates: those the update protocols number, and sets of them.
//!
//! A set is small enough to be copied around; the empty one stands for no choice, which is every
//! language. English belongs to every choice, because it is what is shown where a text is missing.

use std::fmt;

use crate::Invalid;

/// A language of the update protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// As Windows numbers it.
    pub id: u32,
    /// In lower case, as documents have it.
    pub tag: &'static str,
    pub name: &'static str,
}

const fn language(id: u32, tag: &'static str, name: &'static str) -> Language {
    Language { id, tag, name }
}

/// In the order of their numbers, as the original server lists them. Catalogs store the places: a
/// further language goes to the end.
pub const LANGUAGES: [Language; 38] = [
    language(1025, "ar", "Arabic"),
    language(1026, "bg", "Bulgarian"),
    language(1028, "zh-tw", "Chinese (Traditional)"),
    language(1029, "cs", "Czech"),
    language(1030, "da", "Danish"),
    language(1031, "de", "German"),
    language(1032, "el", "Greek"),
    language(1033, "en", "English"),
    language(1034, "es", "Spanish"),
    language(1035, "fi", "Finnish"),
    language(1036, "fr", "French"),
    language(1037, "he", "Hebrew"),
    language(1038, "hu", "Hungarian"),
    language(1040, "it", "Italian"),
    language(1041, "ja", "Japanese"),
    language(1042, "ko", "Korean"),
    language(1043, "nl", "Dutch"),
    language(1044, "no", "Norwegian"),
    language(1045, "pl", "Polish"),
    language(1046, "pt-br", "Portuguese (Brazil)"),
    language(1048, "ro", "Romanian"),
    language(1049, "ru", "Russian"),
    language(1050, "hr", "Croatian"),
    language(1051, "sk", "Slovak"),
    language(1053, "sv", "Swedish"),
    language(1054, "th", "Thai"),
    language(1055, "tr", "Turkish"),
    language(1058, "uk", "Ukrainian"),
    language(1060, "sl", "Slovenian"),
    language(1061, "et", "Estonian"),
    language(1062, "lv", "Latvian"),
    language(1063, "lt", "Lithuanian"),
    language(1081, "hi", "Hindi"),
    language(2052, "zh-cn", "Chinese (Simplified)"),
    language(2070, "pt", "Portuguese (Portugal)"),
    language(2074, "sr", "Serbian (Latin)"),
    language(3076, "zh-hk", "Chinese (Hong Kong SAR)"),
    language(66_577, "ja-nec", "Japanese NEC"),
];

/// A choice of languages; none chosen stands for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Languages(u64);

impl Languages {
    pub const ALL: Languages = Languages(0);

    /// The choice of these languages and English. A language is a tag of [`LANGUAGES`].
    pub fn choose<'a>(tags: impl IntoIterator<Item = &'a str>) -> Result<Languages, Invalid> {
        let mut chosen = 0;
        for tag in tags {
            let found = LANGUAGES.iter().position(|l| l.tag.eq_ignore_ascii_case(tag));
            chosen |= 1_u64 << found.ok_or_else(|| unknown(tag))?;
        }
        let english = LANGUAGES.iter().position(|l| l.tag == "en");
        let english = english.map_or(0, |place| 1 << place);
        Ok(Languages(if chosen == 0 { 0 } else { chosen | english }))
    }

    /// Exactly these languages; tags that are none are left out.
    #[must_use]
    pub fn named<'a>(tags: impl IntoIterator<Item = &'a str>) -> Languages {
        let place = |tag: &str| LANGUAGES.iter().position(|l| l.tag.eq_ignore_ascii_case(tag));
        Languages(tags.into_iter().filter_map(place).fold(0, |set, place| set | 1 << place))
    }

    /// Exactly the languages with these numbers; numbers of none are left out.
    #[must_use]
    pub fn numbered(ids: &[u32]) -> Languages {
        Languages::named(LANGUAGES.iter().filter(|l| ids.contains(&l.id)).map(|l| l.tag))
    }

    /// One bit for each language, as stored; 0 stands for all.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    #[must_use]
    pub fn from_bits(bits: u64) -> Languages {
        Languages(bits & ((1 << LANGUAGES.len()) - 1))
    }

    /// Whether what is for `other` languages, or for none in particular, is wanted here.
    #[must_use]
    pub fn meets(self, other: Languages) -> bool {
        self.is_all() || other.is_all() || self.0 & other.0 != 0
    }

    #[must_use]
    pub fn is_all(self) -> bool {
        self.0 == 0
    }

    /// The chosen ones; of no choice, every language.
    pub fn iter(self) -> impl Iterator<Item = &'static Language> {
        let places = LANGUAGES.iter().enumerate();
        places.filter(move |(place, _)| self.is_all() || self.0 >> place & 1 == 1).map(|(_, l)| l)
    }

    /// Whether a text or file of this language is wanted. A tag with a region the protocols do not
    /// number goes with its language; what is no language of theirs is nobody's to choose.
    #[must_use]
    pub fn includes(self, tag: &str) -> bool {
        let of = |tag: &str| LANGUAGES.iter().position(|l| l.tag.eq_ignore_ascii_case(tag));
        let base = || tag.split('-').next().and_then(of);
        of(tag).or_else(base).is_none_or(|place| self.is_all() || self.0 >> place & 1 == 1)
    }

    /// The tags of a choice; empty if there is none.
    #[must_use]
    pub fn tags(self) -> Vec<String> {
        let chosen = self.iter().filter(|_| !self.is_all());
        chosen.map(|language| language.tag.to_owned()).collect()
    }
}

impl fmt::Display for Languages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tags().join(" "))
    }
}

fn unknown(tag: &str) -> Invalid {
    let known: Vec<&str> = LANGUAGES.iter().map(|language| language.tag).collect();
    Invalid::new("language", format!("\"{tag}\" is none of {}", known.join(", ")))
}

#[cfg(test)]
mod tests;
