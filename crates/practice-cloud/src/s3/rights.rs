//! Who may read an object: the ready-made rights that a request's header names.

use s3s::{
    S3Result,
    dto::{
        GetObjectAclInput, GetObjectAclOutput, Grant, Grantee, ObjectCannedACL, Permission, PutObjectAclInput,
        PutObjectAclOutput, Type,
    },
    s3_error,
};

use super::{ObjectStore, owner};
use crate::objects;

/// Everybody, in grants (S3 user guide, "Amazon S3 predefined groups").
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

/// Does this right let everybody read? Without one nobody but the owner may.
pub(super) fn is_public(acl: Option<&ObjectCannedACL>) -> S3Result<bool> {
    match acl.map(ObjectCannedACL::as_str) {
        Some(ObjectCannedACL::PUBLIC_READ | ObjectCannedACL::PUBLIC_READ_WRITE) => Ok(true),
        // There is one user only, so that these let nobody else in.
        None
        | Some(
            ObjectCannedACL::PRIVATE
            | ObjectCannedACL::AUTHENTICATED_READ
            | ObjectCannedACL::BUCKET_OWNER_READ
            | ObjectCannedACL::BUCKET_OWNER_FULL_CONTROL,
        ) => Ok(false),
        Some(_) => Err(s3_error!(InvalidArgument)),
    }
}

pub(super) async fn put(store: &ObjectStore, input: PutObjectAclInput) -> S3Result<PutObjectAclOutput> {
    let grants = [
        &input.grant_full_control,
        &input.grant_read,
        &input.grant_read_acp,
        &input.grant_write,
        &input.grant_write_acp,
    ];
    let public = match (&input.acl, &input.access_control_policy) {
        (Some(acl), None) if grants.iter().all(|grant| grant.is_none()) => is_public(Some(acl))?,
        (None, None) if grants.iter().all(|grant| grant.is_none()) => return Err(s3_error!(InvalidArgument)),
        (Some(_), _) => return Err(s3_error!(InvalidArgument)),
        // Nobody here could use grants to single users.
        (None, _) => return Err(s3_error!(NotImplemented)),
    };
    let found = store
        .run(move |transaction| objects::set_public(transaction, &input.bucket, &input.key, public))
        .await?;
    if !found {
        return Err(s3_error!(NoSuchKey));
    }
    Ok(PutObjectAclOutput::default())
}

pub(super) async fn get(store: &ObjectStore, input: GetObjectAclInput) -> S3Result<GetObjectAclOutput> {
    let object = store
        .run(move |transaction| objects::object(transaction, &input.bucket, &input.key))
        .await?
        .ok_or_else(|| s3_error!(NoSuchKey))?;
    let owner = owner();
    let grant = |kind: &'static str, uri: Option<&str>, permission: &'static str| Grant {
        grantee: Some(Grantee {
            display_name: None,
            email_address: None,
            id: uri.is_none().then(|| owner.id.clone()).flatten(),
            type_: Type::from_static(kind),
            uri: uri.map(str::to_owned),
        }),
        permission: Some(Permission::from_static(permission)),
    };
    let mut grants = vec![grant(Type::CANONICAL_USER, None, Permission::FULL_CONTROL)];
    if object.description.public {
        grants.push(grant(Type::GROUP, Some(ALL_USERS), Permission::READ));
    }
    Ok(GetObjectAclOutput {
        grants: Some(grants),
        owner: Some(owner),
        ..GetObjectAclOutput::default()
    })
}
