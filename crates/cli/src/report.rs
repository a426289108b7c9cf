//! The report for people: verdict, what was found, then each rule with evidence and remedy, problems first.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use lotse_requirements::{Evidence, Finding, Report, Status, Verdict};

use serde_json::Value;

use crate::text::{Text, plain};

/// Prints the report on standard output.
pub(crate) fn print(text: &Text, report: &Report) {
    // Whoever reads may stop reading: no reason to complain.
    _ = write!(anstream::stdout().lock(), "{}", render(text, &harmless(report)));
}

/// The report with every string made [`plain`], wherever in it the image's own words stand.
fn harmless(report: &Report) -> Report {
    fn walk(value: &mut Value) {
        match value {
            Value::String(text) => *text = plain(text),
            Value::Array(values) => values.iter_mut().for_each(walk),
            Value::Object(fields) => fields.values_mut().for_each(walk),
            _ => {}
        }
    }
    let Ok(mut value) = serde_json::to_value(report) else {
        return report.clone();
    };
    walk(&mut value);
    serde_json::from_value(value).unwrap_or_else(|_| report.clone())
}

fn render(text: &Text, report: &Report) -> String {
    let mut lines = vec![heading(text, report), String::new()];
    let (sign, style) = look_of_verdict(report.verdict);
    let verdict = word(report.verdict);
    lines.push(format!(
        "{style}{sign} {}{style:#}",
        text.get(&format!("verdict_{verdict}"))
    ));
    lines.extend(
        text.find(&format!("verdict_{verdict}_long"), [])
            .map(|long| format!("  {long}")),
    );
    lines.push(String::new());
    lines.extend(facts(text, report));
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| urgency(finding.status));
    for finding in findings {
        lines.push(String::new());
        lines.extend(lines_of(text, finding));
    }
    lines.join("\n") + "\n"
}

fn heading(text: &Text, report: &Report) -> String {
    let unknown = text.get("cli_unknown");
    let format = report.container.format.as_deref().unwrap_or(&unknown);
    let variant = report
        .container
        .variant
        .as_deref()
        .map(|variant| format!(" ({variant})"))
        .unwrap_or_default();
    let packed = report
        .compression
        .as_deref()
        .map(|compression| format!(", {compression}"))
        .unwrap_or_default();
    let size = text.bytes(report.source.size);
    let virtual_size = report
        .container
        .virtual_size
        .map_or(unknown.clone(), |size| text.bytes(size));
    text.with(
        "cli_report_heading",
        [
            ("name", &report.source.name as &dyn std::fmt::Display),
            ("size", &size),
            ("format", &format!("{format}{variant}{packed}")),
            ("virtual_size", &virtual_size),
        ],
    )
}

fn facts(text: &Text, report: &Report) -> Vec<String> {
    let unknown = || text.get("cli_unknown");
    let yes_no = |value: Option<bool>, yes: &str, no: &str| {
        value.map_or_else(unknown, |value| text.get(if value { yes } else { no }))
    };
    let table = report.disk.table.as_deref().map_or_else(unknown, |table| match table {
        "none" => text.get("cli_table_none"),
        table => table.to_uppercase(),
    });
    let root = report.root.as_ref().map_or_else(unknown, |root| {
        let place = root
            .partition
            .map(|number| text.with("cli_partition", [("number", &number as &dyn std::fmt::Display)]));
        let layers = (!root.layers.is_empty()).then(|| root.layers.join(" / "));
        [Some(root.filesystem.clone()), layers, place]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    });
    let system = report.os.as_ref().map_or_else(unknown, |os| {
        let name = os
            .name
            .clone()
            .or_else(|| Some([os.distribution.as_deref()?, os.version.as_deref()?].join(" ")));
        [Some(name.unwrap_or_else(|| os.family.clone())), os.architecture.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    });
    let agent = report.agent.as_ref().map_or_else(unknown, |agent| {
        let version = agent.version.clone().unwrap_or_else(unknown);
        format!(
            "{} {version}, {}",
            agent.kind,
            yes_no(agent.enabled, "cli_enabled", "cli_disabled")
        )
    });
    let datasources = report
        .datasources
        .as_ref()
        .map_or_else(unknown, |sources| sources.list.join(", "));
    let sshd = [
        yes_no(report.sshd.installed, "cli_installed", "cli_not_installed"),
        yes_no(report.sshd.enabled, "cli_started", "cli_not_started"),
    ]
    .join(", ");
    let rows = [
        ("cli_fact_table", table),
        ("cli_fact_root", root),
        ("cli_fact_system", system),
        ("cli_fact_agent", agent),
        ("cli_fact_datasources", datasources),
        ("cli_fact_sshd", sshd),
    ]
    .map(|(key, value)| (text.get(key), value));
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    rows.iter()
        .map(|(label, value)| format!("  {label:width$}  {value}"))
        .collect()
}

/// What decides the verdict comes first, what is in order last; within each the rules' own order stays.
fn urgency(status: Status) -> u8 {
    match status {
        Status::Fail => 0,
        Status::Unknown => 1,
        Status::Warning => 2,
        Status::Pass => 3,
    }
}

fn lines_of(text: &Text, finding: &Finding) -> Vec<String> {
    let (sign, style) = look(finding.status);
    let status = text.get(&format!("status_{}", status_word(finding.status)));
    let Finding { code, params, .. } = finding;
    let title = text
        .filled(&format!("finding_{code}_title"), params)
        .unwrap_or_else(|| code.clone());
    let mut lines = vec![format!("{style}{sign} {status}{style:#}  {title}  [{code}]")];
    lines.extend(
        text.filled(&format!("reason_{}", finding.reason), params)
            .map(|reason| format!("    {reason}")),
    );
    lines.extend(cause(text, finding).map(|cause| format!("    {cause}")));
    let places = finding.evidence.iter().map(place).filter(|place| !place.is_empty());
    lines.extend(places.map(|place| format!("    {}: {place}", text.get("cli_where"))));
    if let Some(remedy) = &finding.remedy {
        let what = text
            .filled(&format!("remedy_{}", remedy.code), params)
            .unwrap_or_default();
        lines.push(format!("    {}: {what}", text.get("cli_remedy")));
        lines.extend(remedy.commands.iter().map(|command| format!("        {command}")));
    }
    lines
}

/// What kept a rule from judging is a code of its own: of the reader of the disk (`error_`) or of its files (`unknown_`). So
/// is what the reader of the disk notes (`note_`).
fn cause(text: &Text, finding: &Finding) -> Option<String> {
    let cause = finding.params.get("cause")?;
    ["unknown", "error", "note"]
        .iter()
        .find_map(|family| text.filled(&format!("{family}_{cause}"), &finding.params))
}

fn place(evidence: &Evidence) -> String {
    let path = match (&evidence.path, evidence.line) {
        (Some(path), Some(line)) => Some(format!("{path}:{line}")),
        (path, _) => path.clone(),
    };
    [path, evidence.value.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("  ")
}

fn look(status: Status) -> (char, Style) {
    match status {
        Status::Pass => ('✔', AnsiColor::Green.on_default()),
        Status::Warning => ('!', AnsiColor::Yellow.on_default()),
        Status::Fail => ('✘', AnsiColor::Red.on_default()),
        Status::Unknown => ('?', AnsiColor::Cyan.on_default()),
    }
}

fn look_of_verdict(verdict: Verdict) -> (char, Style) {
    let (sign, style) = match verdict {
        Verdict::Ready => look(Status::Pass),
        Verdict::ReadyWithWarnings => look(Status::Warning),
        Verdict::WillNotWork => look(Status::Fail),
        Verdict::Unknown => look(Status::Unknown),
    };
    (sign, style.bold())
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::ReadyWithWarnings => "ready_with_warnings",
        Verdict::WillNotWork => "will_not_work",
        Verdict::Unknown => "unknown",
    }
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Warning => "warning",
        Status::Fail => "fail",
        Status::Unknown => "unknown",
    }
}
