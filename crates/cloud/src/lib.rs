//! Clients of the services: S3 object storage as a target for uploads, Keystone and Glance for images; files on web
//! servers as a source.

mod cause;
mod error;
mod http;
mod openstack;
mod range;
mod s3;
mod secret;

pub use self::{
    error::CloudError,
    http::http_client,
    openstack::{Glance, Image, KeystoneConfig, NewImage, OpenStack, Task, TaskStatus},
    range::RangeFile,
    s3::{Addressing, OpenUpload, PublicBy, Reached, S3, S3Config, S3Timeouts, StoredKey},
    secret::Secret,
};

/// Every error code that this crate makes, sorted.
pub const CODES: &[&str] = &[
    "cancelled",
    "details_name_invalid",
    "details_property_invalid",
    "details_tag_invalid",
    "glance_answer_invalid",
    "glance_busy",
    "glance_conflict",
    "glance_forbidden",
    "glance_import_refused",
    "glance_invalid",
    "glance_not_found",
    "glance_quota",
    "glance_rejected",
    "glance_server_error",
    "glance_timeout",
    "glance_unreachable",
    "http_address_invalid",
    "http_answer_invalid",
    "http_busy",
    "http_changed",
    "http_client_failed",
    "http_empty",
    "http_forbidden",
    "http_no_ranges",
    "http_not_found",
    "http_redirect_refused",
    "http_rejected",
    "http_server_error",
    "http_timeout",
    "http_truncated",
    "http_unreachable",
    "image_gone",
    "image_import_failed",
    "keystone_answer_invalid",
    "keystone_busy",
    "keystone_forbidden",
    "keystone_not_found",
    "keystone_rejected",
    "keystone_server_error",
    "keystone_timeout",
    "keystone_unauthorized",
    "keystone_unreachable",
    "region_unknown",
    "s3_access_denied",
    "s3_answer_invalid",
    "s3_bucket_name_invalid",
    "s3_bucket_taken",
    "s3_busy",
    "s3_certificate",
    "s3_certificate_expired",
    "s3_certificate_name",
    "s3_certificate_untrusted",
    "s3_clock_skew",
    "s3_endpoint_invalid",
    "s3_integrity",
    "s3_invalid_key",
    "s3_key_invalid",
    "s3_list_too_long",
    "s3_name_unknown",
    "s3_no_public_access",
    "s3_no_such_bucket",
    "s3_no_such_upload",
    "s3_not_public",
    "s3_not_s3",
    "s3_policy_too_large",
    "s3_policy_unreadable",
    "s3_proxy",
    "s3_public_differs",
    "s3_quota",
    "s3_refused",
    "s3_rejected",
    "s3_server_error",
    "s3_signature",
    "s3_timeout",
    "s3_tls",
    "s3_too_many_buckets",
    "s3_unreachable",
    "s3_wrong_region",
];

#[cfg(test)]
mod tests;
