//! Who may use a server: another user, and another key in place of the one that was given out.

use lotse_practice_cloud::PracticeCloud;

use super::{Access, Kind, Server, ceph, practice_access, swift};
use crate::Result;

impl Server {
    /// Somebody else whose buckets share their names with ours, always the same; only radosgw has such.
    ///
    /// # Errors
    /// When the server does not want another user.
    pub fn other_user(&self) -> Result<Option<Access>> {
        if self.kind != Kind::Radosgw {
            return Ok(None);
        }
        let (access_key, secret_key) = ("OTHERKEY", "OTHERSECRET");
        let users = ceph::admin(self.folder.path(), &["user", "list"])?;
        if !users.contains("\"other\"") {
            ceph::make_user(self.folder.path(), "other", access_key, secret_key)?;
        }
        Ok(Some(Access {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            ..self.access.clone()
        }))
    }

    /// Takes the key away that was given out, and gives another one ([`Server::access`]). What is stored stays. The practice cloud begins
    /// anew for that, under another address, as it does each time it starts.
    ///
    /// # Errors
    /// When the server does not want to, or does not come back.
    pub async fn replace_key(&mut self) -> Result {
        let (access_key, secret_key) = ("NEWKEY", "NEWSECRET");
        match self.kind {
            Kind::Radosgw => {
                ceph::replace_key(self.folder.path(), &self.access.access_key, access_key, secret_key)?;
                access_key.clone_into(&mut self.access.access_key);
                secret_key.clone_into(&mut self.access.secret_key);
            }
            Kind::Swift => {
                swift::replace_key(self.folder.path(), &mut self.processes, &self.access, secret_key).await?;
                secret_key.clone_into(&mut self.access.secret_key);
            }
            Kind::Practice => {
                if let Some(running) = self.practice.take() {
                    running.shutdown().await;
                }
                let practice = PracticeCloud::start(self.folder.path()).await?;
                self.access = practice_access(&practice);
                self.practice = Some(practice);
            }
        }
        Ok(())
    }
}
