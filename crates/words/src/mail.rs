//! A mail about an image, drafted: to centron, with the image's details and what was found in short.

use lotse_requirements::Report;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    Language, Text, WordedReport,
    plain::plain_report,
    text::sign,
    worded::{format, virtual_size},
};

/// Where ccloud³ takes an image, or the link to one, by mail (centron's page "Custom Images"; answer within 24 hours).
pub const ADDRESS: &str = "technik@centron.de";

/// Longest `mailto:` link that every system passes on: Firefox takes 2,008 characters, Outlook 2,046 and Windows itself
/// 2,083 (`INTERNET_MAX_URL_LENGTH`); others take more.
pub const LONGEST_LINK: usize = 2_000;

/// RFC 3986's unreserved characters stay; RFC 6068 wants everything else that has a meaning in a link encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a person says about an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageWords<'a> {
    /// Wished name.
    pub name: &'a str,
    /// Distribution as a person reads it.
    pub distribution: &'a str,
    /// Region.
    pub region: &'a str,
    /// Tags.
    pub tags: &'a [String],
    /// Notes.
    pub notes: &'a str,
}

/// A mail that is not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Address of the one who is to read it.
    pub to: &'static str,
    /// Subject, one line.
    pub subject: String,
    /// Text; lines end in a line feed.
    pub body: String,
}

/// Drafts a mail about an image. It is as long as its [`link`](Mail::link) may be: findings that have no place any more are
/// counted, then notes are cut, then everything else.
pub fn mail(report: &Report, image: Option<ImageWords>, language: Language) -> Mail {
    let text = &Text::new(language);
    let report = &plain_report(report);
    let worded = WordedReport::with(text, report);
    let problems: Vec<String> = worded
        .problems()
        .map(|finding| format!("{} {}: {}", sign(finding.status), finding.title, finding.sentence))
        .collect();
    let mut draft = Draft {
        text,
        report,
        worded: &worded,
        image,
        problems: &problems,
        told: problems.len(),
        notes: usize::MAX,
        detail: DETAIL,
    };
    loop {
        let mail = Mail {
            to: ADDRESS,
            subject: draft.subject(),
            body: draft.body(),
        };
        if mail.link().len() <= LONGEST_LINK || !draft.shorten() {
            return mail;
        }
    }
}

/// Longest detail in characters, notes left out: no single one may push everything else out of the mail.
const DETAIL: usize = 80;

/// A body of which parts can be left out.
struct Draft<'a> {
    text: &'a Text,
    report: &'a Report,
    worded: &'a WordedReport,
    image: Option<ImageWords<'a>>,
    problems: &'a [String],
    /// So many of the problems are told, the rest counted.
    told: usize,
    /// So many characters of the notes.
    notes: usize,
    /// So many characters of every other detail.
    detail: usize,
}

impl Draft<'_> {
    /// Leaves something out; false when nothing is left to leave out.
    fn shorten(&mut self) -> bool {
        if self.told > 0 {
            self.told -= 1;
            true
        } else if self.notes > 0 {
            self.notes = self.notes.min(1_000) / 2;
            true
        } else if self.detail > 1 {
            // Names of nothing but emoji take twelve characters of the link each.
            self.detail /= 2;
            true
        } else {
            false
        }
    }

    fn subject(&self) -> String {
        let name = shortened(&self.report.source.name, self.detail);
        self.text
            .with("mail_subject", [("name", &name as &dyn std::fmt::Display)])
    }

    fn body(&self) -> String {
        let Self { text, worded, .. } = self;
        let mut lines = vec![text.get("mail_greeting"), String::new(), text.get("mail_about")];
        lines.extend(
            self.details()
                .into_iter()
                .map(|(label, value)| format!("{}: {value}", text.get(label))),
        );
        lines.extend([
            String::new(),
            text.with(
                "mail_verdict",
                [("verdict", &worded.verdict_word as &dyn std::fmt::Display)],
            ),
        ]);
        lines.extend(self.problems.iter().take(self.told).cloned());
        let left = self.problems.len().saturating_sub(self.told);
        if left > 0 {
            lines.push(text.with("mail_more", [("count", &left as &dyn std::fmt::Display)]));
        }
        lines.extend([String::new(), text.get("mail_link"), String::new()]);
        lines.join("\n")
    }

    /// Label and value; what is not given has no line.
    fn details(&self) -> Vec<(&'static str, String)> {
        let source = &self.report.source;
        let image = self.image.unwrap_or_default();
        let system = self.report.os.as_ref().and_then(|os| os.name.clone());
        let notes = shortened(image.notes, self.notes);
        let given = [
            ("mail_name", image.name.to_owned()),
            ("mail_file", source.name.clone()),
            ("mail_distribution", image.distribution.to_owned()),
            ("report_fact_system", system.unwrap_or_default()),
            ("report_fact_size", self.text.bytes(source.size)),
            ("report_fact_format", format(self.text, self.report)),
            ("report_fact_virtual_size", virtual_size(self.text, self.report)),
            ("mail_region", image.region.to_owned()),
            ("mail_tags", image.tags.join(" ")),
        ]
        .map(|(label, value)| (label, shortened(&value, self.detail)));
        given
            .into_iter()
            .chain([("mail_notes", notes)])
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }
}

impl Mail {
    /// The `mailto:` link that opens the draft in the person's mail program (RFC 6068): every line ends in `%0D%0A`, spaces
    /// are `%20`, at most [`LONGEST_LINK`] characters, all of them ASCII.
    pub fn link(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        format!(
            "mailto:{}?subject={}&body={}",
            self.to,
            encoded(&self.subject),
            encoded(&self.body.replace('\n', "\r\n"))
        )
    }
}

/// The text on one line, cut after so many characters.
fn shortened(text: &str, most: usize) -> String {
    let text = crate::plain(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if text.chars().count() <= most {
        return text;
    }
    if most == 0 {
        return String::new();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use lotse_requirements::Status;
    use percent_encoding::percent_decode_str;

    use super::*;
    use crate::sample;

    /// What a mail program makes of the link.
    fn read(link: &str) -> (String, String, String) {
        let (to, rest) = link.strip_prefix("mailto:").unwrap().split_once('?').unwrap();
        let decoded = |field: &str| percent_decode_str(field).decode_utf8().unwrap().into_owned();
        let (subject, body) = rest.strip_prefix("subject=").unwrap().split_once("&body=").unwrap();
        (to.to_owned(), decoded(subject), decoded(body))
    }

    fn described<'a>(tags: &'a [String], notes: &'a str) -> ImageWords<'a> {
        ImageWords {
            name: "Büro & Lager",
            distribution: "Debian",
            region: "Region 1",
            tags,
            notes,
        }
    }

    #[test]
    fn the_mail_arrives_as_it_was_drafted() {
        let tags = ["web".to_owned(), "prod".to_owned()];
        for language in Language::ALL {
            let mail = mail(
                &sample::nocloud_first(),
                Some(described(&tags, "50 % voll? + #1")),
                language,
            );
            let (to, subject, body) = read(&mail.link());
            assert_eq!(to, ADDRESS);
            assert_eq!(subject, mail.subject);
            assert_eq!(body, mail.body.replace('\n', "\r\n"), "RFC 6068 asks for CRLF");
            for part in [
                "Büro & Lager",
                "debian-12.qcow2",
                "Debian GNU/Linux 12",
                "Region 1",
                "web prod",
                "50 % voll? + #1",
            ] {
                assert!(body.contains(part), "{part} is missing:\n{body}");
            }
            assert!(
                mail.link().bytes().all(|byte| byte.is_ascii_graphic()),
                "no program may take offence at a character"
            );
        }
    }

    #[test]
    fn however_much_there_is_to_say_the_link_stays_short_enough_to_be_opened() {
        let mut report = sample::nocloud_first();
        report.source.name = "😀".repeat(200) + ".qcow2";
        let tags = vec!["😀".repeat(60); 5];
        for notes in ["", "Notiz ", "😀\n"] {
            let notes = notes.repeat(2_000);
            for image in [None, Some(described(&tags, &notes))] {
                let link = mail(&report, image, Language::German).link();
                assert!(link.len() <= LONGEST_LINK, "{}", link.len());
            }
        }
    }

    #[test]
    fn findings_that_have_no_place_are_counted() {
        let mut report = sample::nocloud_first();
        let problem = report
            .findings
            .iter()
            .find(|finding| finding.status != Status::Pass)
            .unwrap()
            .clone();
        report.findings = vec![problem; 40];
        let mail = mail(&report, None, Language::English);
        let told = mail.body.lines().filter(|line| line.starts_with("! ")).count();
        assert!(told > 0, "as many as there is room for are told");
        assert!(mail.body.contains(&format!("and {} more", 40 - told)), "{}", mail.body);
    }

    #[test]
    fn a_name_can_neither_break_a_line_nor_add_a_field() {
        let mut report = sample::nocloud_first();
        report.source.name = "x\r\nBcc: all@example.org&cc=me@example.org".to_owned();
        let mail = mail(&report, None, Language::English);
        assert!(!mail.subject.contains(['\r', '\n']), "{:?}", mail.subject);
        assert_eq!(mail.link().matches('&').count(), 1, "the one between subject and body");
    }
}
