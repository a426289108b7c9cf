//! One staging object: readable for everybody who knows its address, private again, gone. Each may be repeated.

use std::time::Duration;

use lotse_cloud::PublicBy;

use crate::{Error, connections::OpenConnection};

/// How often a service is asked whether strangers see what was changed, and how long is waited in between: the policies of AWS and others
/// take some seconds to be the same everywhere.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

impl OpenConnection {
    /// Lets everybody who knows the object's address read it. Whoever calls has noted that before.
    pub(crate) async fn publish(&self, key: &str) -> Result<(), Error> {
        Ok(self.staging.publish(key, self.public_by).await?)
    }

    /// Reads the object as ccloud³ will: without a key of ours.
    pub(crate) async fn check_public(&self, key: &str, size: u64) -> Result<(), Error> {
        let mut look = 1;
        loop {
            match self.staging.check_public(key, size).await {
                Err(error) if error.code == "s3_not_public" && look < LOOKS => look += 1,
                checked => return Ok(checked?),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Makes the object private, and looks whether it is.
    pub(crate) async fn conceal(&self, key: &str) -> Result<(), Error> {
        let withdrawn = self.staging.withdraw(key, self.public_by).await;
        if self.stays_public(key).await? {
            withdrawn?;
            // The connection may have been changed since it was made public.
            self.staging.withdraw(key, other_than(self.public_by)).await?;
            if self.stays_public(key).await? {
                return Err(Error::new("staging_still_public").with("key", key));
            }
            return Ok(());
        }
        match withdrawn {
            // What a service refuses for good was not done before, either: nobody can read it.
            Err(refused) if !refused.retryable() => Ok(()),
            other => Ok(other?),
        }
    }

    /// Removes the object with what lets everybody read it. That it is gone already, with its bucket even, is success.
    pub(crate) async fn remove(&self, key: &str, was_public: bool) -> Result<(), Error> {
        match self.take_away(key, was_public).await {
            Err(error) if error.code == "s3_no_such_bucket" => Ok(()),
            taken => taken,
        }
    }

    async fn take_away(&self, key: &str, was_public: bool) -> Result<(), Error> {
        // A list of rights goes with its object, a statement in the bucket's policy does not.
        if was_public && self.public_by == PublicBy::BucketPolicy {
            self.staging.withdraw(key, self.public_by).await?;
        }
        Ok(self.staging.delete(key).await?)
    }

    async fn stays_public(&self, key: &str) -> Result<bool, Error> {
        for _ in 1..LOOKS {
            if !self.staging.is_public(key).await? {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(self.staging.is_public(key).await?)
    }
}

fn other_than(by: PublicBy) -> PublicBy {
    match by {
        PublicBy::Acl => PublicBy::BucketPolicy,
        PublicBy::BucketPolicy => PublicBy::Acl,
    }
}
