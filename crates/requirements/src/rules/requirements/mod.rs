//! What ccloud³ asks of an image, each exactly as it states it. These decide the verdict.

pub(super) mod cloud_agent;
pub(super) mod compression;
pub(super) mod container_format;
pub(super) mod container_intact;
pub(super) mod container_safe;
pub(super) mod datasource_order;
pub(super) mod partition_table;
pub(super) mod root_filesystem;
pub(super) mod sshd_enabled;
pub(super) mod sshd_installed;
pub(super) mod unix_like_os;
pub(super) mod virtual_size;
