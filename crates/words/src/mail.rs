//! A mail about an image, drafted: to centron, with the image's details and what was found in short.

use jiff::Zoned;
use lotse_requirements::Report;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    Language, Text, WordedReport, date,
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

/// An image that lies ready to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkWords<'a> {
    /// Its address, of ASCII characters alone.
    pub url: &'a str,
    /// Name of the file without its folder.
    pub file: &'a str,
    /// Bytes.
    pub size: u64,
    /// Until when the address works at the latest, in the person's time zone.
    pub until: &'a Zoned,
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
    drafted(Some(report), None, image.unwrap_or_default(), language)
}

/// Drafts a mail about an image that lies ready at an address, with what was found in it if it could be checked. As short as [`mail`],
/// unless the address alone is too long: that is never cut.
pub fn link_mail(link: LinkWords, image: ImageWords, report: Option<&Report>, language: Language) -> Mail {
    drafted(report, Some(link), image, language)
}

fn drafted(report: Option<&Report>, link: Option<LinkWords>, image: ImageWords, language: Language) -> Mail {
    let text = &Text::new(language);
    let report = report.map(plain_report);
    let worded = report.as_ref().map(|report| WordedReport::with(text, report));
    let problems: Vec<String> = worded
        .iter()
        .flat_map(WordedReport::problems)
        .map(|finding| format!("{} {}: {}", sign(finding.status), finding.title, finding.sentence))
        .collect();
    let mut draft = Draft {
        text,
        report: report.as_ref(),
        verdict: worded.as_ref().map(|worded| worded.verdict_word.as_str()),
        link,
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
    report: Option<&'a Report>,
    verdict: Option<&'a str>,
    link: Option<LinkWords<'a>>,
    image: ImageWords<'a>,
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
        let name = shortened(&self.file().0, self.detail);
        self.text
            .with("mail_subject", [("name", &name as &dyn std::fmt::Display)])
    }

    /// Name and size.
    fn file(&self) -> (String, u64) {
        match (self.report, &self.link) {
            (Some(Report { source, .. }), _) => (source.name.clone(), source.size),
            (None, Some(link)) => (link.file.to_owned(), link.size),
            (None, None) => Default::default(),
        }
    }

    fn body(&self) -> String {
        let Self { text, .. } = self;
        let about = match self.link {
            Some(_) => "mail_import",
            None => "mail_about",
        };
        let mut lines = vec![text.get("mail_greeting"), String::new(), text.get(about)];
        lines.extend(
            self.details()
                .into_iter()
                .map(|(label, value)| format!("{}: {value}", text.get(label))),
        );
        if let Some(link) = &self.link {
            let until = date(text.language(), link.until);
            lines.extend([
                String::new(),
                // On a line of its own, where every mail program makes a link of it.
                text.get("mail_link").trim_end().to_owned(),
                link.url.to_owned(),
                text.with("mail_until", [("until", &until as &dyn std::fmt::Display)]),
            ]);
        }
        if let Some(verdict) = &self.verdict {
            lines.extend([
                String::new(),
                text.with("mail_verdict", [("verdict", verdict as &dyn std::fmt::Display)]),
            ]);
        }
        lines.extend(self.problems.iter().take(self.told).cloned());
        let left = self.problems.len().saturating_sub(self.told);
        if left > 0 {
            lines.push(text.with("mail_more", [("count", &left as &dyn std::fmt::Display)]));
        }
        if self.link.is_none() {
            lines.extend([String::new(), text.get("mail_link")]);
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Label and value; what is not given has no line.
    fn details(&self) -> Vec<(&'static str, String)> {
        let (image, (file, size)) = (self.image, self.file());
        let of_report = |words: fn(&Text, &Report) -> String| self.report.map(|report| words(self.text, report));
        let system = of_report(|_, report| report.os.as_ref().and_then(|os| os.name.clone()).unwrap_or_default());
        let notes = shortened(image.notes, self.notes);
        let given = [
            ("mail_name", image.name.to_owned()),
            ("mail_file", file),
            ("mail_distribution", image.distribution.to_owned()),
            ("report_fact_system", system.unwrap_or_default()),
            ("report_fact_size", self.text.bytes(size)),
            ("report_fact_format", of_report(format).unwrap_or_default()),
            ("report_fact_virtual_size", of_report(virtual_size).unwrap_or_default()),
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

    fn until() -> Zoned {
        "2026-11-29T14:05:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    #[test]
    fn the_link_to_an_image_that_lies_ready_is_in_the_mail_whole() {
        let tags = ["web".to_owned()];
        // As long as it can be: a host name of 253 characters, a bucket's of 63, a key's name of 120 bytes outside of ASCII.
        let longest = format!(
            "https://{}.example.org/{}/imagelotse/{}/{}.qcow2",
            "h".repeat(241),
            "b".repeat(63),
            "0".repeat(32),
            "%C3%BC".repeat(57)
        );
        let report = sample::nocloud_first();
        for url in ["https://s3.example.org/bucket/imagelotse/00/b%C3%BCro.qcow2", &longest] {
            for report in [Some(&report), None] {
                for language in Language::ALL {
                    let notes = "Notiz ".repeat(2_000);
                    let link = LinkWords {
                        url,
                        file: "debian-12.qcow2",
                        size: 5_000_000_000,
                        until: &until(),
                    };
                    let mail = link_mail(link, described(&tags, &notes), report, language);
                    let (_, _, body) = read(&mail.link());
                    assert!(body.lines().any(|line| line == url), "on a line of its own:\n{body}");
                    assert!(body.contains("14:05"), "until when it works:\n{body}");
                    assert_eq!(
                        body.contains("Imagelotse"),
                        report.is_some(),
                        "the check's result:\n{body}"
                    );
                    assert!(mail.link().len() <= LONGEST_LINK, "{}", mail.link().len());
                }
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
