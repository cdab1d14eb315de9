//! Records: types whose reading and writing follow from one list of fields and element names.
//!
//! Owns what an absent element means: an empty text, 0, false, an empty list or `None`; a GUID, a
//! time, a digest or a record that is absent is refused. Elements are written in the order of the
//! fields, which is that of the service descriptions; they are read in any order. A list is not
//! written when it is empty, unless the field says `or empty`.

use uuid::Uuid;
use xml_guard::{Element, Tag, XmlWriter};

use crate::auth::{read_cookie_element, write_cookie};
use crate::fields::{base64, encode_base64, field, is_nil, read_boolean, sha1, value};
use crate::{AuthorizationCookie, Cookie, Error, Escaped, UpdateIdentity, WireTime, limits};

/// What stands in one element, or in one attribute.
pub(crate) trait Value: Sized {
    fn of(element: &Element) -> Result<Self, Error>;

    fn absent(name: &'static str) -> Result<Self, Error> {
        Err(Error::FindElement { element: name })
    }

    /// As the text of an element or attribute, if there is one to write.
    fn text(&self) -> Option<String> {
        None
    }

    fn write(&self, xml: &mut XmlWriter, name: &str) {
        if let Some(text) = self.text() {
            xml.leaf(name, &text);
        }
    }

    fn write_or_empty(&self, xml: &mut XmlWriter, name: &str) {
        self.write(xml, name);
    }

    #[cfg(test)]
    fn sample(samples: &mut crate::tests::Samples) -> Self;
}

/// A value that lists are made of.
pub(crate) trait Item: Value {
    const NAME: &'static str;
    const MAX: usize = limits::LIST_ITEMS_MAX;
}

/// Several values, each in its place.
pub(crate) trait Record: Sized {
    fn read(element: &Element) -> Result<Self, Error>;
    fn write_attributes(&self, xml: &mut XmlWriter);
    fn write_elements(&self, xml: &mut XmlWriter);
    #[cfg(test)]
    fn sample(samples: &mut crate::tests::Samples) -> Self;
}

pub(crate) fn member<T: Value>(parent: &Element, name: &'static str) -> Result<T, Error> {
    field(parent, name).map_or_else(|| T::absent(name), T::of)
}

pub(crate) fn attribute<T: Value>(parent: &Element, name: &'static str) -> Result<T, Error> {
    let Some(text) = parent.tag.attribute(name) else { return T::absent(name) };
    let tag = Tag { ns: parent.tag.ns.clone(), local: name.to_owned(), attributes: Vec::new() };
    T::of(&Element { tag, children: Vec::new(), text: text.to_owned() })
}

pub(crate) fn write_attribute<T: Value>(xml: &mut XmlWriter, name: &str, value: &T) {
    if let Some(text) = value.text() {
        xml.attribute(name, &text);
    }
}

/// The items of a list, within its limit.
pub(crate) fn read_items<T: Item>(list: &Element) -> Result<Vec<T>, Error> {
    if list.children.len() > T::MAX {
        return Err(Error::ReadList { element: list.tag.local.clone(), max: T::MAX });
    }
    let items = list.children_named(T::NAME).filter(|item| !is_nil(item));
    items.map(T::of).collect()
}

pub(crate) fn write_items<T: Item>(xml: &mut XmlWriter, items: &[T]) {
    for item in items {
        item.write(xml, T::NAME);
    }
}

impl<T: Item> Value for Vec<T> {
    fn of(element: &Element) -> Result<Vec<T>, Error> {
        read_items(element)
    }

    fn absent(_name: &'static str) -> Result<Vec<T>, Error> {
        Ok(Vec::new())
    }

    fn write(&self, xml: &mut XmlWriter, name: &str) {
        if !self.is_empty() {
            self.write_or_empty(xml, name);
        }
    }

    fn write_or_empty(&self, xml: &mut XmlWriter, name: &str) {
        xml.start(name);
        write_items(xml, self);
        xml.end();
    }

    #[cfg(test)]
    fn sample(samples: &mut crate::tests::Samples) -> Vec<T> {
        (0..samples.below(3)).map(|_| T::sample(samples)).collect()
    }
}

impl<T: Value> Value for Option<T> {
    fn of(element: &Element) -> Result<Option<T>, Error> {
        T::of(element).map(Some)
    }

    fn absent(_name: &'static str) -> Result<Option<T>, Error> {
        Ok(None)
    }

    fn text(&self) -> Option<String> {
        self.as_ref().and_then(T::text)
    }

    /// A list that is there is written even if it is empty: that is what tells it from none.
    fn write(&self, xml: &mut XmlWriter, name: &str) {
        if let Some(value) = self {
            value.write_or_empty(xml, name);
        }
    }

    #[cfg(test)]
    fn sample(samples: &mut crate::tests::Samples) -> Option<T> {
        (samples.below(2) == 1).then(|| T::sample(samples))
    }
}

macro_rules! scalar {
    ($($type:ty: $of:expr, $absent:expr, $text:expr, $sample:expr;)*) => {$(
        impl Value for $type {
            fn of(element: &Element) -> Result<$type, Error> {
                $of(element)
            }

            fn absent(name: &'static str) -> Result<$type, Error> {
                $absent.ok_or(Error::FindElement { element: name })
            }

            fn text(&self) -> Option<String> {
                Some($text(self))
            }

            #[cfg(test)]
            fn sample(samples: &mut crate::tests::Samples) -> $type {
                $sample(samples)
            }
        }
    )*};
}

#[cfg(test)]
use crate::tests::Samples;

scalar! {
    i32: |e| value(e, "a number"), Some(0), i32::to_string, |s: &mut Samples| s.draw() as i32;
    i64: |e| value(e, "a number"), Some(0), i64::to_string, |s: &mut Samples| s.draw() as i64;
    bool: read_boolean, Some(false), bool::to_string, |s: &mut Samples| s.below(2) == 1;
    String: |e: &Element| Ok(e.text.clone()), Some(String::new()), String::clone, Samples::text;
    Uuid: |e| value(e, "a GUID"), None, Uuid::to_string,
        |s: &mut Samples| Uuid::from_u64_pair(s.draw(), s.draw());
    WireTime: |e| value(e, "a time"), None, WireTime::to_string,
        |s: &mut Samples| WireTime::from_ticks(s.draw() as i64 >> 2);
    Vec<u8>: base64, Some(Vec::new()), |bytes: &Vec<u8>| encode_base64(bytes),
        |s: &mut Samples| s.text().into_bytes();
    [u8; 20]: sha1, None, |digest: &[u8; 20]| encode_base64(digest),
        |s: &mut Samples| [s.draw() as u8; 20];
}

impl Value for Escaped {
    fn of(element: &Element) -> Result<Escaped, Error> {
        Ok(Escaped::new(&element.text))
    }

    fn write(&self, xml: &mut XmlWriter, name: &str) {
        xml.start(name).escaped(self.as_str()).end();
    }

    #[cfg(test)]
    fn sample(samples: &mut Samples) -> Escaped {
        Escaped::new(&samples.text())
    }
}

/// The cookie of a request; an unreadable one counts as none, since both get the same fault.
impl Value for Option<Cookie> {
    fn of(element: &Element) -> Result<Option<Cookie>, Error> {
        Ok(read_cookie_element(element))
    }

    fn absent(_name: &'static str) -> Result<Option<Cookie>, Error> {
        Ok(None)
    }

    fn write(&self, xml: &mut XmlWriter, name: &str) {
        write_cookie(xml, name, self.as_ref());
    }

    #[cfg(test)]
    fn sample(samples: &mut Samples) -> Option<Cookie> {
        let (expires, data) = (WireTime::sample(samples), Vec::<u8>::sample(samples));
        (samples.below(2) == 1).then_some(Cookie { expires, data })
    }
}

/// An unreadable one becomes an empty one, which the check of cookies refuses by the fault made
/// for it.
impl Value for AuthorizationCookie {
    fn of(element: &Element) -> Result<AuthorizationCookie, Error> {
        Ok(AuthorizationCookie::from_element(element).unwrap_or_default())
    }

    fn write(&self, xml: &mut XmlWriter, name: &str) {
        xml.start(name);
        crate::Message::write(self, xml);
        xml.end();
    }

    #[cfg(test)]
    fn sample(samples: &mut Samples) -> AuthorizationCookie {
        AuthorizationCookie { plug_in: samples.text(), data: Vec::sample(samples) }
    }
}

impl Value for UpdateIdentity {
    fn of(element: &Element) -> Result<UpdateIdentity, Error> {
        UpdateIdentity::from_element(element)
    }

    fn write(&self, xml: &mut XmlWriter, name: &str) {
        UpdateIdentity::write(*self, xml, name);
    }

    #[cfg(test)]
    fn sample(samples: &mut Samples) -> UpdateIdentity {
        UpdateIdentity { update_id: Uuid::sample(samples), revision: samples.draw() as u32 }
    }
}

macro_rules! items {
    ($($type:ty = $name:literal $(to $max:expr)?,)*) => {$(
        impl $crate::record::Item for $type {
            const NAME: &'static str = $name;
            $(const MAX: usize = $max;)?
        }
    )*};
}

/// Types made of fields: attributes, if any, in brackets, then elements. `: request of` (`result
/// of`, `answer of`) makes a type the content of a request, of the result in an answer, or of an
/// answer itself; `as` makes it an item of lists, `to` with a limit.
macro_rules! records {
    ($(
        $(#[$meta:meta])* $name:ident
        $(: $form:ident of $service:ident $operation:ident)?
        $(as $item:literal $(to $max:ident)?)?
        $([$($(#[$adoc:meta])* $afield:ident: $atype:ty = $attribute:literal,)*])?
        {$($(#[$doc:meta])* $field:ident: $type:ty = $element:literal $(or $empty:ident)?,)*}
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $($($(#[$adoc])* pub $afield: $atype,)*)?
            $($(#[$doc])* pub $field: $type,)*
        }

        impl $crate::record::Record for $name {
            fn read(_element: &xml_guard::Element) -> Result<$name, $crate::Error> {
                Ok($name {
                    $($($afield: $crate::record::attribute(_element, $attribute)?,)*)?
                    $($field: $crate::record::member(_element, $element)?,)*
                })
            }

            fn write_attributes(&self, _xml: &mut xml_guard::XmlWriter) {
                $($($crate::record::write_attribute(_xml, $attribute, &self.$afield);)*)?
            }

            fn write_elements(&self, _xml: &mut xml_guard::XmlWriter) {
                $($crate::record::write_member!(_xml, $element, &self.$field $(, $empty)?);)*
            }

            #[cfg(test)]
            fn sample(_samples: &mut $crate::tests::Samples) -> $name {
                $name {
                    $($($afield: $crate::record::Value::sample(_samples),)*)?
                    $($field: $crate::record::Value::sample(_samples),)*
                }
            }
        }

        impl $crate::record::Value for $name {
            fn of(element: &xml_guard::Element) -> Result<$name, $crate::Error> {
                $crate::record::Record::read(element)
            }

            fn write(&self, xml: &mut xml_guard::XmlWriter, name: &str) {
                xml.start(name);
                $crate::record::Record::write_attributes(self, xml);
                $crate::record::Record::write_elements(self, xml);
                xml.end();
            }

            #[cfg(test)]
            fn sample(samples: &mut $crate::tests::Samples) -> $name {
                $crate::record::Record::sample(samples)
            }
        }

        $($crate::record::message! { $name: $form of $service $operation })?
        $($crate::record::items! { $name = $item $(to $max)?, })?
    )*};
}

macro_rules! write_member {
    ($xml:ident, $name:literal, $value:expr) => {
        $crate::record::Value::write($value, $xml, $name)
    };
    ($xml:ident, $name:literal, $value:expr, empty) => {
        $crate::record::Value::write_or_empty($value, $xml, $name)
    };
}

/// A record that is a whole list.
macro_rules! list {
    ($(#[$meta:meta])* $name:ident: $form:ident of $service:ident $operation:ident [$item:ty]) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub Vec<$item>);

        impl $crate::record::Record for $name {
            fn read(element: &xml_guard::Element) -> Result<$name, $crate::Error> {
                $crate::record::read_items(element).map($name)
            }

            fn write_attributes(&self, _xml: &mut xml_guard::XmlWriter) {}

            fn write_elements(&self, xml: &mut xml_guard::XmlWriter) {
                $crate::record::write_items(xml, &self.0);
            }

            #[cfg(test)]
            fn sample(samples: &mut $crate::tests::Samples) -> $name {
                $name($crate::record::Value::sample(samples))
            }
        }

        $crate::record::message! { $name: $form of $service $operation }
    };
}

/// A closed set of words; `_ =>` names the variant for all others.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident $(as $item:literal)? {
        $($(#[$doc:meta])* $word:ident,)* $(_ => $other:ident)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $word,)*
            $(
                /// A word that is not known here.
                $other,
            )?
        }

        impl $crate::record::Value for $name {
            fn of(element: &xml_guard::Element) -> Result<$name, $crate::Error> {
                let known = match element.text.trim() {
                    $(stringify!($word) => Some($name::$word),)*
                    _ => $crate::record::other_word!($name $($other)?),
                };
                known.ok_or_else(|| $crate::fields::refused(element, "a known word"))
            }

            fn text(&self) -> Option<String> {
                match self {
                    $($name::$word => Some(stringify!($word).to_owned()),)*
                    $($name::$other => None,)?
                }
            }

            #[cfg(test)]
            fn sample(samples: &mut $crate::tests::Samples) -> $name {
                let all = [$($name::$word),*];
                all[samples.below(all.len() as u64) as usize]
            }
        }

        $($crate::record::items! { $name = $item, })?
    };
}

macro_rules! other_word {
    ($name:ident) => {
        None
    };
    ($name:ident $other:ident) => {
        Some($name::$other)
    };
}

macro_rules! message {
    ($name:ident: $form:ident of $service:ident $operation:ident) => {
        impl $crate::Message for $name {
            const OPERATION: $crate::Endpoint = $crate::Endpoint {
                service: $crate::Service::$service,
                name: stringify!($operation),
            };
            const ELEMENTS: &'static [&'static str] = $crate::record::elements!($operation $form);
            const BYTES_MAX: u64 = $crate::record::message_max!($service $form).0;
            const NODES_MAX: usize = $crate::record::message_max!($service $form).1;

            fn write(&self, xml: &mut xml_guard::XmlWriter) {
                $crate::record::Record::write_elements(self, xml);
            }

            fn read<R: std::io::BufRead>(
                guard: &mut xml_guard::XmlGuard<R>,
                tag: xml_guard::Tag,
            ) -> Result<$name, $crate::Error> {
                $crate::record::Record::read(&guard.read_element(tag)?)
            }
        }
    };
}

macro_rules! elements {
    ($operation:ident request) => {
        &[stringify!($operation)]
    };
    ($operation:ident result) => {
        &[concat!(stringify!($operation), "Response"), concat!(stringify!($operation), "Result")]
    };
    ($operation:ident answer) => {
        &[concat!(stringify!($operation), "Response")]
    };
}

macro_rules! message_max {
    ($service:ident request) => {
        ($crate::Service::$service.request_bytes_max(), $crate::limits::MESSAGE_ELEMENTS_MAX)
    };
    ($service:ident $form:ident) => {
        $crate::Service::$service.answer_max()
    };
}

pub(crate) use {
    elements, items, list, message, message_max, other_word, records, words, write_member,
};

items! {
    i32 = "int",
    Uuid = "guid",
    String = "string",
    Vec<u8> = "base64Binary",
    [u8; 20] = "base64Binary",
    UpdateIdentity = "UpdateIdentity",
    AuthorizationCookie = "AuthorizationCookie" to limits::AUTHORIZATIONS_MAX,
}
