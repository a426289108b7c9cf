//! One staging object: readable for everybody who knows its address, private again, gone. Each may be repeated.

use std::{fs::File, time::Duration};

use lotse_cloud::PublicBy;
use lotse_transfer::{TargetError, TargetErrorKind};

use crate::{Error, connections::OpenConnection, whole_file};

/// How often a service is asked whether strangers see what was changed, and how long is waited in between: the policies of AWS and others
/// take some seconds to be the same everywhere.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

impl OpenConnection {
    /// Lets everybody who knows the object's address read it. Whoever calls has noted that before.
    pub(crate) async fn publish(&self, key: &str) -> Result<(), Error> {
        let _turn = self.turn(self.public_by).await;
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
        let withdrawn = self.withdraw(key, self.public_by).await;
        if self.stays_public(key).await? {
            withdrawn?;
            // The connection may have been changed since it was made public.
            self.withdraw(key, other_than(self.public_by)).await?;
            return self.require_private(key).await;
        }
        // What a service refuses for good was not done before, either: nobody can read it.
        Ok(withdrawn.or_else(unless_for_good)?)
    }

    /// Removes the object with what lets everybody read it. That it is gone already, with its bucket even, is success: where it can have
    /// been public, a stranger who does not find it is the proof.
    pub(crate) async fn remove(&self, key: &str, was_public: bool) -> Result<(), Error> {
        // A list of rights goes with its object, a statement in the bucket's policy does not. Should that fail, the image itself goes.
        let withdrawn = if was_public && self.public_by == PublicBy::BucketPolicy {
            self.withdraw(key, self.public_by).await
        } else {
            Ok(())
        };
        let no_bucket = match self.staging.delete(key).await {
            Err(refused) if refused.code == "s3_no_such_bucket" => true,
            deleted => {
                deleted?;
                false
            }
        };
        if was_public || no_bucket {
            self.require_private(key).await?;
        }
        match withdrawn {
            // Its policy went with it.
            Err(_) if no_bucket => Ok(()),
            // What allowed nothing but to read this object stays in the policy, which this key may not change.
            withdrawn => Ok(withdrawn.or_else(unless_for_good)?),
        }
    }

    async fn withdraw(&self, key: &str, by: PublicBy) -> Result<(), TargetError> {
        let _turn = self.turn(by).await;
        self.staging.withdraw(key, by).await
    }

    /// Waits until no other process of this person is changing the bucket's policy: window and `lotse` would lose each other's changes.
    async fn turn(&self, by: PublicBy) -> Option<File> {
        if by != PublicBy::BucketPolicy {
            return None;
        }
        let turn = whole_file::alone_in_turn(&self.policy).await;
        turn.inspect_err(
            |error| tracing::warn!(%error, "the policy is changed without keeping other processes from it"),
        )
        .ok()
    }

    async fn require_private(&self, key: &str) -> Result<(), Error> {
        if self.stays_public(key).await? {
            Err(Error::new("staging_still_public").with("key", key))
        } else {
            Ok(())
        }
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

/// Whoever may not do something for good has not done it before, either. That is so only if the service itself says it, and of this
/// bucket: anything in between can refuse, and who has the wrong key or clock, or asks for another bucket, learns nothing.
fn unless_for_good(refused: TargetError) -> Result<(), TargetError> {
    let for_good = match refused.code {
        "s3_policy_unreadable" => true,
        "s3_no_such_bucket" | "s3_clock_skew" | "s3_wrong_region" => false,
        _ => {
            refused.params.contains_key("service_code")
                && matches!(refused.kind, TargetErrorKind::Rejected | TargetErrorKind::Forbidden)
        }
    };
    if for_good { Ok(()) } else { Err(refused) }
}

fn other_than(by: PublicBy) -> PublicBy {
    match by {
        PublicBy::Acl => PublicBy::BucketPolicy,
        PublicBy::BucketPolicy => PublicBy::Acl,
    }
}
