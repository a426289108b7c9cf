//! The window's colours for a page: `ui/src/tokens.css` without `light-dark()`, which browsers before 2024 do not know.

use std::fmt::Write as _;

const TOKENS: &str = include_str!("../../../../ui/src/tokens.css");

/// `:root` with the light value of every token; on a screen that is set to dark, with the dark ones.
pub(super) fn palette() -> String {
    let (mut light, mut dark) = (String::new(), String::new());
    for (name, value) in tokens() {
        if let Some((light_value, dark_value)) = light_dark(value) {
            _ = write!(light, "{name}:{light_value};");
            _ = write!(dark, "{name}:{dark_value};");
        } else if !value.contains("light-dark(") {
            _ = write!(light, "{name}:{value};");
        }
    }
    format!(":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n")
}

/// Name and value of each token that stands on one line.
fn tokens() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOKENS.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_suffix(';')?.split_once(':')?;
        name.starts_with("--").then_some((name, value.trim()))
    })
}

/// The two values of a whole `light-dark(…)`.
fn light_dark(value: &str) -> Option<(&str, &str)> {
    let inside = value.strip_prefix("light-dark(")?.strip_suffix(')')?;
    let mut depth = 0_usize;
    let comma = inside.char_indices().find_map(|(index, character)| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return Some(index),
            _ => {}
        }
        None
    })?;
    let (light, dark) = inside.split_at(comma);
    Some((light.trim(), dark.trim_start_matches(',').trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_of_the_page_is_one_of_the_window_in_light_and_dark() {
        let palette = palette();
        for used in super::super::STYLE.split("var(").skip(1) {
            let name = used.split(')').next().unwrap();
            if super::super::STYLE.contains(&format!("{name}:")) {
                continue; // The page's own name for one of them.
            }
            let times = palette.matches(&format!("{name}:")).count();
            let is_colour = light_dark(tokens().find(|(token, _)| *token == name).unwrap().1).is_some();
            assert_eq!(times, if is_colour { 2 } else { 1 }, "{name}");
        }
        assert!(!palette.contains("light-dark"), "{palette}");
    }

    #[test]
    fn a_colour_that_is_a_function_is_not_torn_apart() {
        assert_eq!(
            light_dark("light-dark(rgb(8 46 69 / 0.55), rgb(3, 10, 15))"),
            Some(("rgb(8 46 69 / 0.55)", "rgb(3, 10, 15)"))
        );
    }
}
