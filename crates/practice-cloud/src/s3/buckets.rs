//! Buckets and their policies.

use s3s::{
    S3Result,
    dto::{
        Bucket, BucketCannedACL, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput,
        DeleteBucketPolicyInput, DeleteBucketPolicyOutput, GetBucketPolicyInput, GetBucketPolicyOutput,
        HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Owner, PutBucketPolicyInput,
        PutBucketPolicyOutput,
    },
    s3_error,
};

use super::{ObjectStore, owner, policy::Policy, timestamp};
use crate::{
    access::REGION,
    objects::{self, ObjectError},
};

/// As owner of everything public radosgw names this one.
const ANONYMOUS: &str = "anonymous";

pub(super) async fn create(store: &ObjectStore, input: CreateBucketInput) -> S3Result<CreateBucketOutput> {
    let elsewhere = input
        .create_bucket_configuration
        .and_then(|configuration| configuration.location_constraint)
        .is_some_and(|location| location.as_str() != REGION);
    if elsewhere {
        return Err(s3_error!(InvalidLocationConstraint));
    }
    match input.acl.as_ref().map(BucketCannedACL::as_str) {
        None | Some(BucketCannedACL::PRIVATE) => {}
        // A bucket that everybody may list would give the keys of all staging objects away.
        Some(
            BucketCannedACL::PUBLIC_READ | BucketCannedACL::PUBLIC_READ_WRITE | BucketCannedACL::AUTHENTICATED_READ,
        ) => {
            return Err(s3_error!(NotImplemented));
        }
        Some(_) => return Err(s3_error!(InvalidArgument)),
    }
    let name = input.bucket;
    let location = format!("/{name}");
    store
        .run(move |transaction| objects::create_bucket(transaction, &name))
        .await?;
    Ok(CreateBucketOutput {
        location: Some(location),
    })
}

pub(super) async fn head(store: &ObjectStore, input: HeadBucketInput) -> S3Result<HeadBucketOutput> {
    store
        .run(move |transaction| objects::require_bucket(transaction, &input.bucket))
        .await?;
    Ok(HeadBucketOutput::default())
}

pub(super) async fn list(store: &ObjectStore, input: ListBucketsInput, signed: bool) -> S3Result<ListBucketsOutput> {
    // Pages are AWS's alone; who asks for one would take a part for all.
    if input.continuation_token.is_some() || input.max_buckets.is_some() || input.prefix.is_some() {
        return Err(s3_error!(NotImplemented));
    }
    if !signed {
        return Ok(ListBucketsOutput {
            buckets: Some(Vec::new()),
            owner: Some(Owner {
                id: Some(ANONYMOUS.to_owned()),
                display_name: None,
            }),
            ..ListBucketsOutput::default()
        });
    }
    let buckets = store
        .run(|transaction| objects::buckets(transaction).map_err(ObjectError::from))
        .await?;
    let buckets = buckets.into_iter().map(|(name, created)| Bucket {
        name: Some(name),
        creation_date: Some(timestamp(created)),
        bucket_region: None,
    });
    Ok(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        owner: Some(owner()),
        ..ListBucketsOutput::default()
    })
}

pub(super) async fn delete(store: &ObjectStore, input: DeleteBucketInput) -> S3Result<DeleteBucketOutput> {
    let unnamed = store
        .run(move |transaction| objects::delete_bucket(transaction, &input.bucket))
        .await?;
    store.0.blobs.remove(unnamed).await;
    Ok(DeleteBucketOutput {})
}

pub(super) async fn put_policy(store: &ObjectStore, input: PutBucketPolicyInput) -> S3Result<PutBucketPolicyOutput> {
    let bucket = input.bucket.clone();
    store
        .run(move |transaction| objects::require_bucket(transaction, &bucket))
        .await?;
    Policy::parse(&input.policy, &input.bucket)?;
    store
        .run(move |transaction| objects::set_policy(transaction, &input.bucket, Some(&input.policy)))
        .await?;
    Ok(PutBucketPolicyOutput {})
}

pub(super) async fn get_policy(store: &ObjectStore, input: GetBucketPolicyInput) -> S3Result<GetBucketPolicyOutput> {
    let policy = store
        .run(move |transaction| objects::policy(transaction, &input.bucket))
        .await?;
    Ok(GetBucketPolicyOutput {
        policy: Some(policy.ok_or_else(|| s3_error!(NoSuchBucketPolicy))?),
    })
}

pub(super) async fn delete_policy(
    store: &ObjectStore,
    input: DeleteBucketPolicyInput,
) -> S3Result<DeleteBucketPolicyOutput> {
    store
        .run(move |transaction| objects::set_policy(transaction, &input.bucket, None))
        .await?;
    Ok(DeleteBucketPolicyOutput {})
}
