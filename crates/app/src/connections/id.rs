//! Ids of connections: short words that can be typed in a call, made of what the person calls them.

use super::PRACTICE;

/// Longest word; what follows it is a number.
const MOST: usize = 32;

/// A word of small letters, digits and `-` made of `name` that is not taken. Never the practice cloud's.
pub(super) fn new(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let word = word(name);
    let taken = |id: &str| id == PRACTICE || taken(id);
    let mut id = word.clone();
    let mut number = 2_u32;
    while taken(&id) {
        id = format!("{word}-{number}");
        number = number.saturating_add(1);
    }
    id
}

fn word(name: &str) -> String {
    let spelled: String = name.to_lowercase().chars().map(spell).collect();
    let mut word = String::new();
    for part in spelled.split(' ').filter(|part| !part.is_empty()) {
        if !word.is_empty() {
            word.push('-');
        }
        word.push_str(part);
    }
    let short: String = word.chars().take(MOST).collect();
    match short.trim_end_matches('-') {
        "" => "storage".to_owned(),
        short => short.to_owned(),
    }
}

/// As one writes it where there are no such letters; a space for what has no letters.
fn spell(character: char) -> String {
    match character {
        'ä' | 'æ' => "ae".to_owned(),
        'ö' | 'ø' | 'œ' => "oe".to_owned(),
        'ü' => "ue".to_owned(),
        'ß' => "ss".to_owned(),
        'å' | 'à' | 'á' | 'â' | 'ã' => "a".to_owned(),
        'è' | 'é' | 'ê' | 'ë' => "e".to_owned(),
        'ì' | 'í' | 'î' | 'ï' => "i".to_owned(),
        'ò' | 'ó' | 'ô' | 'õ' => "o".to_owned(),
        'ù' | 'ú' | 'û' => "u".to_owned(),
        'ç' => "c".to_owned(),
        'ñ' => "n".to_owned(),
        '³' => "3".to_owned(),
        character if character.is_ascii_alphanumeric() => character.to_string(),
        _ => " ".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_name_as_one_would_type_it() {
        let id = |name: &str| new(name, |_| false);
        assert_eq!(id("Büro Köln-Süd, Größe"), "buero-koeln-sued-groesse");
        assert_eq!(id("ÜBUNG"), "uebung");
        assert_eq!(id("ccloud³ (Object Storage)"), "ccloud3-object-storage");
        assert_eq!(id("François & Søn"), "francois-soen");
        assert_eq!(id(" … "), "storage", "no letter at all");
        assert_eq!(id("対象"), "storage", "no letter that everybody can type");
        let long = id(&"lang ".repeat(40));
        assert!(long.len() <= MOST && !long.ends_with('-'), "{long}");
    }

    #[test]
    fn no_two_have_the_same_and_none_has_the_practice_clouds() {
        assert_eq!(new("Practice", |_| false), "practice-2");
        assert_eq!(new("Work", |id| matches!(id, "work" | "work-2")), "work-3");
    }
}
