//! OpenStack: signing in at Keystone (v3), finding the regions' image services, and their images (Glance v2).

mod answer;
mod details;
mod glance;
mod image;
mod keystone;

use std::sync::Arc;

use reqwest::Client;

pub use self::{
    details::NewImage,
    glance::Glance,
    image::{Image, Task, TaskStatus},
    keystone::KeystoneConfig,
};
use self::{image::image_endpoint, keystone::Session};
use crate::CloudError;

/// A signed-in account.
#[derive(Debug, Clone)]
pub struct OpenStack {
    session: Arc<Session>,
}

impl OpenStack {
    /// Signs in with a password for one project.
    ///
    /// # Errors
    /// The `keystone_*` codes, above all `keystone_unauthorized` and `keystone_unreachable`.
    pub async fn sign_in(http: Client, config: &KeystoneConfig) -> Result<OpenStack, CloudError> {
        Ok(OpenStack {
            session: Arc::new(Session::sign_in(http, config).await?),
        })
    }

    /// Regions with an image service, in the catalogue's order.
    pub fn regions(&self) -> Vec<String> {
        let mut regions: Vec<String> = Vec::new();
        for endpoint in self.session.endpoints("image") {
            if !regions.contains(&endpoint.region) {
                regions.push(endpoint.region.clone());
            }
        }
        regions
    }

    /// A region's image service.
    ///
    /// # Errors
    /// `region_unknown` if the catalogue has none there.
    pub fn images(&self, region: &str) -> Result<Glance, CloudError> {
        let endpoint = self
            .session
            .endpoints("image")
            .find(|endpoint| endpoint.region == region);
        let base = endpoint.and_then(|endpoint| image_endpoint(&endpoint.url));
        let base = base.ok_or_else(|| CloudError::new("region_unknown").with("region", &region))?;
        Ok(Glance::new(Arc::clone(&self.session), base))
    }
}
