//! The page as a browser reads it: well formed, nothing loaded, nothing of the image taken for markup.

use std::collections::BTreeMap;

use html5ever::{ParseOpts, parse_document, tendril::TendrilSink as _};
use lotse_guest::Evidence;
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use super::*;
use crate::sample;

fn made() -> Zoned {
    "2026-11-22T09:30:00+01:00[Europe/Berlin]".parse().unwrap()
}

/// The page as a browser reads it, and what it complains of.
fn read(page: &str) -> RcDom {
    parse_document(RcDom::default(), ParseOpts::default()).one(page)
}

/// Name and attributes of every element, in the page's order.
fn elements(page: &RcDom) -> Vec<(String, BTreeMap<String, String>)> {
    fn walk(node: &Handle, found: &mut Vec<(String, BTreeMap<String, String>)>) {
        if let NodeData::Element { name, attrs, .. } = &node.data {
            let attributes = attrs.borrow();
            let attributes = attributes.iter();
            let attributes =
                attributes.map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()));
            found.push((name.local.to_string(), attributes.collect()));
        }
        for child in node.children.borrow().iter() {
            walk(child, found);
        }
    }
    let mut found = Vec::new();
    walk(&page.document, &mut found);
    found
}

fn words(node: &Handle) -> String {
    let own = match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => String::new(),
    };
    let children = node.children.borrow();
    children.iter().fold(own, |text, child| text + &words(child))
}

const ATTACKS: [&str; 5] = [
    "</pre><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</title></style><style>@import \"https://example.org\"</style>",
    "<!-- ]]> &lt;b&gt; &amp; ' ` ${x}",
    "<svg/onload=alert(1)>",
];

/// A report in which everything that can come out of an image is an attack.
fn hostile() -> Report {
    let all = ATTACKS.concat();
    let mut report = sample::nothing_installed();
    report.source.name.clone_from(&all);
    report.container.variant = Some(all.clone());
    report.compression = Some(all.clone());
    report.disk.table = Some(all.clone());
    if let Some(os) = &mut report.os {
        os.name = Some(all.clone());
        os.architecture = Some(all.clone());
    }
    for finding in &mut report.findings {
        finding.evidence = vec![Evidence::path(&all).line(7).value(&all)];
        for value in finding.params.values_mut() {
            value.clone_from(&all);
        }
        if let Some(remedy) = &mut finding.remedy {
            remedy.commands = vec![all.clone()];
        }
    }
    report
}

#[test]
fn the_page_is_well_formed_and_loads_nothing() {
    for report in [
        sample::nocloud_first(),
        sample::nothing_installed(),
        sample::unread(),
        hostile(),
    ] {
        for language in Language::ALL {
            let page = read(&html(&report, language, &made()));
            assert!(page.errors.borrow().is_empty(), "{:?}", page.errors.borrow());
            for (name, attributes) in elements(&page) {
                let loads = [
                    "script", "link", "img", "image", "iframe", "object", "embed", "base", "form", "video",
                ];
                assert!(!loads.contains(&name.as_str()), "<{name}>");
                for (attribute, value) in attributes {
                    let loads = ["src", "href", "style", "action"].contains(&attribute.as_str());
                    assert!(!loads && !attribute.starts_with("on"), "{attribute}={value}");
                }
            }
        }
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    assert!(!palette::palette().contains("url("));
    assert_eq!(
        ICON.matches("url(").count(),
        ICON.matches("url(#").count(),
        "its own gradients only"
    );
}

#[test]
fn what_an_image_holds_stays_text() {
    let page = read(&html(&hostile(), Language::German, &made()));
    let styles = elements(&page).iter().filter(|(name, _)| name == "style").count();
    assert_eq!(styles, 1, "only the page's own");
    let text = words(&page.document);
    for attack in ATTACKS {
        assert!(text.contains(attack), "{attack} is shown as it stands in the image");
    }
}

#[test]
fn both_languages_are_in_it_and_the_chosen_one_is_shown_first() {
    for (language, first) in [(Language::German, "de"), (Language::English, "en")] {
        let source = html(&sample::nothing_installed(), language, &made());
        let page = read(&source);
        let all = elements(&page);
        let articles: Vec<&str> = all
            .iter()
            .filter(|(name, _)| name == "article")
            .map(|(_, attributes)| attributes["lang"].as_str())
            .collect();
        let checked: Vec<&str> = all
            .iter()
            .filter(|(_, attributes)| attributes.contains_key("checked"))
            .map(|(_, attributes)| attributes["id"].as_str())
            .collect();
        assert_eq!((articles.len(), articles[0]), (2, first));
        assert_eq!(checked, [first]);
        for text in Language::ALL.map(Text::new) {
            let verdict = text.get("verdict_will_not_work");
            assert!(source.contains(&verdict), "{verdict}");
        }
        assert!(
            source.contains(VERSION) && source.contains("UTC+01:00"),
            "who made it, and when"
        );
    }
}
