//! Lists of files that were found, as a finding tells them: how many, of which kinds, and the first places.

use lotse_guest::facts::Found;

use crate::Finding;

/// Most places that a finding names; the count says how many there are.
pub(super) const MAX_PLACES: usize = 20;

/// Adds `count`, `kinds` and the places. `name` gives a kind the name that a person knows it by, the same in every language.
pub(super) fn tell(finding: Finding, all: &[&Found], name: fn(&str) -> &str) -> Finding {
    let mut kinds: Vec<&str> = Vec::new();
    for kind in all.iter().map(|found| name(&found.kind)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let places: Vec<_> = all
        .iter()
        .take(MAX_PLACES)
        .map(|found| found.evidence().value(name(&found.kind)))
        .collect();
    finding
        .param("count", all.len())
        .param("kinds", kinds.join(", "))
        .evidence(&places)
}

/// Paths of what people keep in their homes. What stands in the system's own folders belongs to a service that may not
/// start without it, so that no command takes it away.
pub(super) fn in_homes<'f>(all: &[&'f Found]) -> Vec<&'f str> {
    all.iter()
        .map(|found| found.path.as_str())
        .filter(|path| {
            !["/etc/", "/var/", "/usr/"]
                .iter()
                .any(|folder| path.starts_with(folder))
        })
        .collect()
}
