//! S3's XML answers as a small tree. Namespaces are ignored: not every server writes them.

use std::fmt::Write;

use lotse_transfer::PartReceipt;
use quick_xml::{
    Reader,
    escape::{escape, resolve_predefined_entity},
    events::Event,
};

/// Deepest nesting that is followed; S3's answers have four levels.
const MAX_DEPTH: usize = 16;

/// Most elements of an answer: a page of 1,000 entries has 12 in each. An empty one takes 4 bytes on the way and twenty times that here.
const MAX_ELEMENTS: usize = 100_000;

/// An element with its text and its children.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The document's root, if the document is well-formed and complete.
    pub(super) fn parse(document: &[u8]) -> Option<Element> {
        let mut reader = Reader::from_str(std::str::from_utf8(document).ok()?);
        let mut open: Vec<Element> = vec![Element::default()];
        let mut elements = 0_usize;
        loop {
            let event = reader.read_event().ok()?;
            elements += usize::from(matches!(event, Event::Start(_) | Event::Empty(_)));
            if elements > MAX_ELEMENTS {
                return None;
            }
            match event {
                Event::Start(start) if open.len() <= MAX_DEPTH => {
                    open.push(Element {
                        name: local(start.local_name()),
                        ..Element::default()
                    });
                }
                Event::Start(_) => return None,
                Event::Empty(empty) => {
                    let name = local(empty.local_name());
                    open.last_mut()?.children.push(Element {
                        name,
                        ..Element::default()
                    });
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    open.last_mut()?.children.push(done);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let text = &mut open.last_mut()?.text;
                    match reference.resolve_char_ref().ok()? {
                        Some(character) => text.push(character),
                        None => text.push_str(resolve_predefined_entity(&reference.xml10_content())?),
                    }
                }
                Event::Eof => break,
                Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
            }
        }
        let [document] = <[Element; 1]>::try_from(open).ok()?;
        let [root] = <[Element; 1]>::try_from(document.children).ok()?;
        Some(root)
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    pub(super) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.is(name))
    }

    /// The text of the first child with this name, without white space around it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.whole_text(name).map(str::trim)
    }

    /// The same as it was written: a key may begin or end with white space.
    pub(super) fn whole_text(&self, name: &str) -> Option<&str> {
        self.children
            .iter()
            .find(|child| child.is(name))
            .map(|child| child.text.as_str())
    }
}

fn local(name: quick_xml::name::LocalName) -> String {
    name.into_inner().to_owned()
}

/// What CompleteMultipartUpload is sent: every part with its own number.
pub(super) fn complete_body(parts: &[PartReceipt]) -> String {
    let mut body = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for part in parts {
        let (number, etag) = (part.number, escape(part.etag.as_str()));
        // Writing to a String cannot fail.
        let _ = write!(
            body,
            "<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part>"
        );
    }
    body.push_str("</CompleteMultipartUpload>");
    body
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entities_namespaces_and_declarations_are_no_obstacle() {
        let xml = br#"<?xml version="1.0" encoding="UTF-8"?>
            <s3:Part xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>&quot;ab&#99;&quot;</ETag><Size> 5 </Size><Owner/></s3:Part>"#;
        let part = Element::parse(xml).unwrap();
        assert!(part.is("Part"));
        assert_eq!(part.text("ETag"), Some("\"abc\""));
        assert_eq!(part.text("Size"), Some("5"));
        assert_eq!(part.text("Owner"), Some(""));
        assert_eq!(part.text("Missing"), None);
    }

    #[test]
    fn what_is_cut_off_or_no_xml_is_nothing() {
        for odd in [
            "",
            "<Error><Code>SlowDo",
            "<Error><Code>a</Code>",
            "<a/><b/>",
            "<a>&bomb;</a>",
            "<a></b>",
            "plain",
        ] {
            assert_eq!(Element::parse(odd.as_bytes()), None, "{odd}");
        }
        assert_eq!(
            Element::parse("<a>".repeat(100_000).as_bytes()),
            None,
            "nesting is bounded"
        );
        let wide = |elements: usize| format!("<a>{}</a>", "<b/>".repeat(elements));
        assert!(Element::parse(wide(MAX_ELEMENTS - 1).as_bytes()).is_some());
        assert_eq!(
            Element::parse(wide(MAX_ELEMENTS).as_bytes()),
            None,
            "and so is their number"
        );
    }

    #[test]
    fn the_list_of_parts_survives_odd_etags() {
        let part = PartReceipt {
            number: 7,
            size: 1,
            etag: "a<&".to_owned(),
        };
        let root = Element::parse(complete_body(&[part]).as_bytes()).unwrap();
        let part = root.children("Part").next().unwrap();
        assert_eq!(
            (part.text("PartNumber"), part.text("ETag")),
            (Some("7"), Some("\"a<&\""))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[<>&;/a-c!\\[\\]#\"= ?-]{0,80}") {
            let _ = Element::parse(&bytes);
            let _ = Element::parse(text.as_bytes());
        }
    }
}
