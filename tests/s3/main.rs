//! One suite of questions for real S3 servers and the practice cloud: it accepts and refuses what they do, and where they differ among
//! themselves, that is written down here.

#![cfg(target_os = "linux")]

mod asking;
mod checks;

use lotse_tests::{
    Result,
    servers::{Kind, Server, Settings},
};

use asking::Asking;

/// What most of them answer to a check, and who answers otherwise.
struct Expected {
    check: &'static str,
    answer: &'static str,
    /// Each with its own answer. A difference that an uploader has to know has its reason beside it.
    otherwise: &'static [(Kind, &'static str)],
}

const EXPECTED: &[Expected] = &[
    Expected {
        check: "whole_way",
        answer: "MD5 as ETag true; parts 1 2 3 of 5242880 5242881 77, ETags true; before: 404 NoSuchKey; completed: 200; same bytes true; \
                 ETag of MD5s true; HEAD tells the size true",
        otherwise: &[],
    },
    // Complete, again, ListParts, Abort, GET. Radosgw calls an upload that is gone a missing key when its parts are asked for.
    Expected {
        check: "complete_again",
        answer: "200, 200, 404 NoSuchUpload, 404 NoSuchUpload, 200",
        otherwise: &[
            (Kind::Swift, "200, 200, 200, 404 NoSuchKey, 200"),
            (Kind::Radosgw, "200, 200, 404 NoSuchKey, 404 NoSuchUpload, 200"),
        ],
    },
    // Wrong ETag, a part that is not there, wrong order, too small, and only one of two. Radosgw looks at the sizes first and wants all parts
    // that it holds to be named.
    Expected {
        check: "complete_with_wrong_parts",
        answer: "400 InvalidPart, 400 InvalidPart, 400 InvalidPartOrder, 400 EntityTooSmall, 200",
        otherwise: &[(
            Kind::Radosgw,
            "400 InvalidPart, 400 EntityTooSmall, 400 EntityTooSmall, 400 EntityTooSmall, 400 InvalidPart",
        )],
    },
    Expected {
        check: "pages_of_parts",
        answer: "1 2, more: true from 2; 5, more: false",
        otherwise: &[],
    },
    Expected {
        check: "uploads_of_a_bucket",
        answer: "200, found true, uploads/a b",
        otherwise: &[],
    },
    // Abort, again, ListParts, a late part, Complete, ListParts of a strange id.
    Expected {
        check: "aborted",
        answer: "204, 404 NoSuchUpload, 404 NoSuchUpload, 404 NoSuchUpload, 404 NoSuchUpload, 404 NoSuchUpload",
        otherwise: &[(
            Kind::Radosgw,
            "204, 404 NoSuchUpload, 404 NoSuchKey, 404 NoSuchUpload, 500 InternalError, 404 NoSuchKey",
        )],
    },
    Expected {
        check: "damaged_part",
        answer: "400 BadDigest, then 0 parts, 200",
        otherwise: &[],
    },
    // Swift keeps rights for a whole bucket only, and takes a request without a signature for one of its own protocol.
    Expected {
        check: "public_object",
        answer: "200; HEAD 200 GET 200 PUT 403 AccessDenied; private: 403 AccessDenied",
        otherwise: &[(Kind::Swift, "200; HEAD 400 GET 400 PUT 400; private: 400")],
    },
    Expected {
        check: "addresses_signed_for_another_method",
        answer: "HEAD 403, another key 403 SignatureDoesNotMatch",
        otherwise: &[],
    },
    // Only AWS, whom the practice cloud follows here, minds addresses from the future.
    Expected {
        check: "clocks",
        answer: "an hour ago: 403 AccessDenied; in an hour: 403 RequestTimeTooSkewed",
        otherwise: &[
            (
                Kind::Swift,
                "an hour ago: 403 AccessDenied; in an hour: 404 NoSuchUpload",
            ),
            (
                Kind::Radosgw,
                "an hour ago: 403 AccessDenied; in an hour: 404 NoSuchKey",
            ),
        ],
    },
    Expected {
        check: "wrong_keys",
        answer: "403 SignatureDoesNotMatch, 403 InvalidAccessKeyId",
        otherwise: &[(Kind::Swift, "403 SignatureDoesNotMatch, 403 SignatureDoesNotMatch")],
    },
    Expected {
        check: "missing_objects",
        answer: "404 NoSuchKey, 404, 204",
        otherwise: &[],
    },
    // 0, 10,000, 10,001: radosgw takes any.
    Expected {
        check: "part_numbers",
        answer: "400 InvalidArgument, 200, 400 InvalidArgument",
        otherwise: &[(Kind::Radosgw, "200, 200, 200")],
    },
    Expected {
        check: "the_clients_words",
        answer: "secret s3_signature, key s3_invalid_key, bucket s3_no_such_bucket, upload s3_no_such_upload, aborted s3_no_such_upload, \
                 nothing stored true",
        otherwise: &[(
            Kind::Swift,
            "secret s3_signature, key s3_signature, bucket s3_no_such_bucket, upload s3_no_such_upload, aborted s3_no_such_upload, \
                 nothing stored true",
        )],
    },
];

async fn answer(check: &str, asking: &Asking<'_>) -> Result<String> {
    match check {
        "whole_way" => checks::whole_way(asking).await,
        "complete_again" => checks::complete_again(asking).await,
        "complete_with_wrong_parts" => checks::complete_with_wrong_parts(asking).await,
        "pages_of_parts" => checks::pages_of_parts(asking).await,
        "uploads_of_a_bucket" => checks::uploads_of_a_bucket(asking).await,
        "aborted" => checks::aborted(asking).await,
        "damaged_part" => checks::damaged_part(asking).await,
        "public_object" => checks::public_object(asking).await,
        "addresses_signed_for_another_method" => checks::addresses_signed_for_another_method(asking).await,
        "clocks" => checks::clocks(asking).await,
        "wrong_keys" => checks::wrong_keys(asking).await,
        "missing_objects" => checks::missing_objects(asking).await,
        "part_numbers" => checks::part_numbers(asking).await,
        "the_clients_words" => checks::the_clients_words(asking).await,
        other => Err(format!("there is no check `{other}`").into()),
    }
}

/// Asks everything and names all answers that are not the expected ones.
async fn all(kind: Kind) -> Result {
    let server = Server::start(kind, Settings::default()).await?;
    let asking = Asking::new(&server)?;
    let mut wrong = Vec::new();
    for expected in EXPECTED {
        let said = answer(expected.check, &asking)
            .await
            .unwrap_or_else(|error| format!("no answer: {error}"));
        let own = expected.otherwise.iter().find(|(other, _)| *other == kind);
        let wanted = own.map_or(expected.answer, |(_, answer)| answer);
        if said != wanted {
            wrong.push(format!("{}\n  expected {wanted}\n  answered {said}", expected.check));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers otherwise:\n{}\n{}",
        kind.name(),
        wrong.join("\n"),
        server.logs()
    );
    Ok(())
}

#[tokio::test]
async fn swift_answers_as_expected() -> Result {
    all(Kind::Swift).await
}

#[tokio::test]
async fn radosgw_answers_as_expected() -> Result {
    all(Kind::Radosgw).await
}

#[tokio::test]
async fn the_practice_cloud_answers_as_the_real_ones() -> Result {
    all(Kind::Practice).await
}
