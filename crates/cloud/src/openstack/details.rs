//! What a new image is to be, and what Glance would refuse about it: found before anything is sent.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::CloudError;

/// Most characters of a name, a tag or a property's key (Glance's database columns).
const MAX_NAME: usize = 255;

/// What a new image is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImage {
    /// Chosen by us, so that a repeated call cannot make a second image.
    pub id: Uuid,
    /// 1 to 255 characters, none beyond U+FFFF.
    pub name: String,
    /// `raw`, `qcow2`, `vhdx`, `vdi`, `vmdk`, ...
    pub disk_format: String,
    /// Each at most 255 characters, none beyond U+FFFF, no slash: such a tag could never be removed.
    pub tags: Vec<String>,
    /// Further properties, for example `os_distro`.
    pub properties: BTreeMap<String, String>,
}

impl NewImage {
    /// Checks what Glance would refuse.
    ///
    /// # Errors
    /// `details_name_invalid`, `details_tag_invalid` (with `tag`), `details_property_invalid` (with `property`).
    pub fn check(&self) -> Result<(), CloudError> {
        if !is_name(&self.name) {
            return Err(CloudError::new("details_name_invalid")
                .with("name", &self.name)
                .with("max", &MAX_NAME));
        }
        if let Some(tag) = self.tags.iter().find(|tag| !is_name(tag) || tag.contains('/')) {
            return Err(CloudError::new("details_tag_invalid")
                .with("tag", &tag)
                .with("max", &MAX_NAME));
        }
        let odd = self
            .properties
            .iter()
            .find(|(key, value)| !is_name(key) || !is_storable(value));
        match odd {
            Some((key, _)) => Err(CloudError::new("details_property_invalid").with("property", &key)),
            None => Ok(()),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().nth(MAX_NAME).is_none() && is_storable(text)
}

/// Glance refuses what takes four bytes in UTF-8 (`no_4byte_params`), a database takes no NUL.
fn is_storable(text: &str) -> bool {
    text.chars()
        .all(|character| character.len_utf8() < 4 && character != '\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str, tag: &str, note: &str) -> NewImage {
        NewImage {
            id: Uuid::nil(),
            name: name.to_owned(),
            disk_format: "raw".to_owned(),
            tags: vec![tag.to_owned()],
            properties: BTreeMap::from([("description".to_owned(), note.to_owned())]),
        }
    }

    #[test]
    fn what_glance_refuses_is_found_before() {
        let code = |name: &str, tag: &str, note: &str| image(name, tag, note).check().map_err(|error| error.code);
        assert_eq!(code("Büro-Server 2026 – „neu“", "größe:L", ""), Ok(()));
        assert_eq!(
            code(&"ä".repeat(255), "t", "long ".repeat(1000).as_str()),
            Ok(()),
            "characters count, not bytes"
        );
        assert_eq!(code(&"ä".repeat(256), "t", ""), Err("details_name_invalid"));
        assert_eq!(code("rocket 🚀", "t", ""), Err("details_name_invalid"));
        assert_eq!(code("  ", "t", ""), Err("details_name_invalid"));
        assert_eq!(code("n", "a/b", ""), Err("details_tag_invalid"));
        assert_eq!(code("n", "", ""), Err("details_tag_invalid"));
        assert_eq!(code("n", "t", "🚀"), Err("details_property_invalid"));
    }
}
