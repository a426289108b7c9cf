//! The clients against odd answers on the wire. The protocols themselves are tested against the practice cloud.

mod buckets;
mod listing;
mod openstack;
mod public;
mod reach;
mod s3;
mod server;

/// Texts are made for what `CODES` lists: a code that is missing there would reach a person bare.
#[test]
fn every_code_in_the_sources_is_listed() {
    let sources = [
        include_str!("../http.rs"),
        include_str!("../s3/mod.rs"),
        include_str!("../s3/buckets.rs"),
        include_str!("../s3/error.rs"),
        include_str!("../s3/listing.rs"),
        include_str!("../s3/public.rs"),
        include_str!("../s3/reach.rs"),
        include_str!("../s3/target.rs"),
        include_str!("../openstack/mod.rs"),
        include_str!("../openstack/details.rs"),
        include_str!("../openstack/keystone.rs"),
        include_str!("../openstack/glance.rs"),
    ];
    let families = ["s3_", "glance_", "keystone_", "details_", "image_", "region_", "http_"];
    for source in sources {
        for literal in source.split('"').skip(1).step_by(2) {
            let is_code = families.iter().any(|family| literal.starts_with(family)) && literal != "image_status";
            assert!(!is_code || crate::CODES.contains(&literal), "{literal}");
        }
    }
    assert!(crate::CODES.is_sorted());
}
