use std::{fs, path::Path};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// As `aws` 1.45 writes them (`aws configure set …`), with a section of services added by hand, as the documentation has it.
const AWS_CONFIG: &str = "\
[default]
region = de-nbg1
[profile ccloud]
endpoint_url = https://s3.example.org
region = nbg
s3 =
    addressing_style = virtual
[profile 'Büro Server']
services = my-s3
[profile role]
role_arn = arn:aws:iam::1:role/x
source_profile = default
[services my-s3]
s3 =
  endpoint_url = http://127.0.0.1:9000/
dynamodb =
  endpoint_url = http://127.0.0.1:1
[sso-session corp]
sso_start_url = https://corp.example.org
";
const AWS_CREDENTIALS: &str = "\
[default]
aws_access_key_id = AKIADEFAULT000000001
aws_secret_access_key = abc/def+ghi=jkl
[ccloud]
aws_access_key_id = CC
aws_secret_access_key = s3cr3t # ; = x
[Büro Server]
aws_access_key_id = AK
aws_secret_access_key = sk
[temp]
aws_session_token = tok
aws_access_key_id = T
aws_secret_access_key = TS
";
/// As `rclone` 1.60 writes it (`rclone config create …`).
const RCLONE: &str = "\
[ccloud]
type = s3
provider = Ceph
endpoint = s3.example.org
region = nbg
access_key_id = CC
secret_access_key = s3c=r3t:x

[aws-one]
type = s3
provider = AWS
env_auth = true
region = eu-central-1

[swift]
type = swift
user = x
key = y

[temporary]
type = s3
provider = Other
endpoint = https://o.example:9000
access_key_id = a
secret_access_key = b
force_path_style = false
session_token = zz

";

struct Person {
    home: TempDir,
}

impl Person {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn paths(&self) -> ProfilePaths {
        ProfilePaths::new(Some(self.home.path()), |_| None)
    }

    fn profiles(&self) -> Profiles {
        read(&self.paths())
    }

    fn secret(&self, source: ProfileSource, name: &str) -> Result<(String, String), String> {
        match secret(&self.paths(), source, name) {
            Ok((access_key, secret)) => Ok((access_key, secret.expose().to_owned())),
            Err(error) => Err(error.code),
        }
    }
}

/// Name, endpoint, region, access key, addressing, problem: as the form shows it.
fn shown(profile: &Profile) -> String {
    let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
    format!(
        "{} {} {} {} {:?} {}",
        profile.name,
        or_none(profile.endpoint.as_ref().map(Url::as_str)),
        or_none(profile.region.as_deref()),
        or_none(profile.access_key.as_deref()),
        profile.addressing,
        or_none(profile.problem.as_ref().map(|problem| problem.code.as_str())),
    )
}

fn all_shown(profiles: &Profiles) -> Vec<String> {
    profiles.found.iter().map(shown).collect()
}

#[test]
fn what_aws_writes_is_read_as_aws_reads_it() {
    let person = Person::new()
        .with(".aws/config", AWS_CONFIG)
        .with(".aws/credentials", AWS_CREDENTIALS);
    let profiles = person.profiles();
    assert_eq!(
        all_shown(&profiles),
        [
            "default - de-nbg1 AKIADEFAULT000000001 Path -",
            "ccloud https://s3.example.org/ nbg CC VirtualHost -",
            "Büro Server http://127.0.0.1:9000/ - AK Path -",
            "role - - - Path profile_needs_sign_in",
            "temp - - T Path profile_temporary",
        ]
    );
    assert_eq!(profiles.unreadable, []);
    let secret = |name| person.secret(ProfileSource::Aws, name);
    let pair = |key: &str, secret: &str| Ok((key.to_owned(), secret.to_owned()));
    assert_eq!(secret("default"), pair("AKIADEFAULT000000001", "abc/def+ghi=jkl"));
    assert_eq!(secret("ccloud"), pair("CC", "s3cr3t # ; = x"));
    assert_eq!(secret("Büro Server"), pair("AK", "sk"));
    assert_eq!(secret("role"), Err("profile_needs_sign_in".to_owned()));
    assert_eq!(secret("temp"), Err("profile_temporary".to_owned()));
    assert_eq!(secret("corp"), Err("profile_unknown".to_owned()));
}

/// Each told by `aws configure get` and `aws configure list-profiles` of the same file.
#[test]
fn an_odd_file_of_aws_is_read_as_aws_reads_it() {
    let odd = "\
# comment
[default]
Region: upper   
aws_access_key_id =AK1
 ; indented comment
aws_secret_access_key=  with space ; and # more
[profile   \"two words\"] trailing
region = eu
[profile tab]
\tregion = tabbed
\taws_access_key_id = T
[profile a][b]
region = x
[preview]
region = no profile
[profile ]
region = no profile
";
    // Not as aws, which refuses it: what Windows' editor puts before and at the end of lines.
    for odd in [odd.to_owned(), format!("\u{feff}{}", odd.replace('\n', "\r\n"))] {
        let person = Person::new().with(".aws/config", odd);
        assert_eq!(
            all_shown(&person.profiles()),
            [
                "default - upper AK1 Path -",
                "two words - eu - Path profile_no_secret",
                "tab - tabbed T Path profile_no_secret",
                "a][b - x - Path profile_no_secret",
            ]
        );
        let pair = ("AK1".to_owned(), "with space ; and # more".to_owned());
        assert_eq!(person.secret(ProfileSource::Aws, "default"), Ok(pair));
    }
}

#[test]
fn credentials_count_more_than_config_and_are_never_mixed() {
    let config =
        "[profile x]\nregion = a\naws_access_key_id = old\naws_secret_access_key = old-secret\naws_session_token = t";
    let person = Person::new()
        .with(".aws/config", config)
        .with(".aws/credentials", "[x]\naws_access_key_id = new\nregion = b\n");
    assert_eq!(all_shown(&person.profiles()), ["x - b new Path profile_no_secret"]);
    let person = person.with(
        ".aws/credentials",
        "[x]\naws_access_key_id = one\n[x]\naws_access_key_id = new\naws_secret_access_key = new-secret",
    );
    assert_eq!(
        person.secret(ProfileSource::Aws, "x"),
        Ok(("new".to_owned(), "new-secret".to_owned())),
        "of what stands there twice the last counts"
    );
}

#[test]
fn where_somebody_must_sign_in_first_it_is_told() {
    for (line, code) in [
        ("sso_session = corp", "profile_needs_sign_in"),
        ("sso_start_url = https://corp.example.org", "profile_needs_sign_in"),
        ("login_session = arn:aws:iam::1:user/x", "profile_needs_sign_in"),
        ("credential_process = /bin/print-keys", "profile_needs_sign_in"),
        ("region = x", "profile_no_secret"),
    ] {
        let person = Person::new().with(".aws/config", format!("[profile x]\n{line}\n"));
        assert_eq!(person.secret(ProfileSource::Aws, "x"), Err(code.to_owned()), "{line}");
    }
}

#[test]
fn an_address_that_is_none_is_left_out() {
    for (line, endpoint) in [
        ("endpoint_url = s3.example.org", "https://s3.example.org/"),
        ("endpoint_url = ://", "-"),
        ("endpoint_url = file:///etc", "-"),
        ("endpoint_url = https://a\nignore_configured_endpoint_urls = true", "-"),
        ("endpoint_url = https://a\nservices = s", "https://b/"),
        ("endpoint_url = https://a\nservices = missing", "https://a/"),
        ("s3 =\n  endpoint_url = https://plugin", "https://plugin/"),
    ] {
        let config = format!("[services s]\ns3 =\n  endpoint_url = https://b\n[profile x]\n{line}\n");
        let profiles = Person::new().with(".aws/config", config).profiles();
        let told = profiles.found[0].endpoint.as_ref().map_or("-", Url::as_str);
        assert_eq!(told, endpoint, "{line}");
    }
}

#[test]
fn what_rclone_writes_is_read_as_rclone_reads_it() {
    let person = Person::new().with(".config/rclone/rclone.conf", RCLONE);
    assert_eq!(
        all_shown(&person.profiles()),
        [
            "ccloud https://s3.example.org/ nbg CC Path -",
            "aws-one - eu-central-1 - VirtualHost profile_no_secret",
            "temporary https://o.example:9000/ - a VirtualHost profile_temporary",
        ]
    );
    let secret = |name| person.secret(ProfileSource::Rclone, name);
    assert_eq!(secret("ccloud"), Ok(("CC".to_owned(), "s3c=r3t:x".to_owned())));
    assert_eq!(secret("aws-one"), Err("profile_no_secret".to_owned()));
    assert_eq!(secret("swift"), Err("profile_unknown".to_owned()));
}

/// Each told by `rclone config dump` of the same file.
#[test]
fn an_odd_file_of_rclone_is_read_as_rclone_reads_it() {
    let odd = "\
; comment
[ spaced ]
type=s3
 Secret_Access_Key = another key by its case
access_key_id: colon
secret_access_key = \"quoted\"
[dup]
type = s3
region = one
[dup]
region = two
";
    for odd in [odd.to_owned(), format!("\u{feff}{}", odd.replace('\n', "\r\n"))] {
        let person = Person::new().with(".rclone.conf", odd);
        assert_eq!(
            all_shown(&person.profiles()),
            ["spaced - - colon Path -", "dup - two - Path profile_no_secret"]
        );
        let pair = ("colon".to_owned(), "\"quoted\"".to_owned());
        assert_eq!(person.secret(ProfileSource::Rclone, "spaced"), Ok(pair));
    }
}

/// As `rclone config encryption set` leaves it.
#[test]
fn an_encrypted_file_of_rclone_is_told_as_such() {
    let text =
        "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nB8o1TlrBsZSdOe2vWFYi1J8Y+cTjWjLmmUAHTGv3yZ0=\n";
    let profiles = Person::new().with(".config/rclone/rclone.conf", text).profiles();
    assert_eq!(profiles.found, []);
    assert_eq!(profiles.unreadable[0].code, "profile_encrypted");
    assert!(profiles.unreadable[0].params["path"].ends_with("rclone.conf"));
}

#[test]
fn files_are_sought_where_their_programs_seek_them() {
    let home = Path::new("/home/me");
    let paths = |variables: &[(&str, &str)]| {
        ProfilePaths::new(Some(home), |name| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(value.into())
        })
    };
    let rclone = |paths: ProfilePaths| -> Vec<String> {
        let shown = paths.rclone.iter().map(|path| path.display().to_string());
        shown.map(|path| path.replace('\\', "/")).collect()
    };
    assert_eq!(paths(&[]).aws_config, Some(home.join(".aws/config")));
    assert_eq!(paths(&[]).aws_credentials, Some(home.join(".aws/credentials")));
    assert_eq!(
        rclone(paths(&[])),
        ["/home/me/.config/rclone/rclone.conf", "/home/me/.rclone.conf"]
    );
    let named = paths(&[
        ("AWS_CONFIG_FILE", "~/work/aws"),
        ("AWS_SHARED_CREDENTIALS_FILE", ""),
        ("RCLONE_CONFIG", "/etc/rclone.conf"),
        ("XDG_CONFIG_HOME", "/xdg"),
    ]);
    assert_eq!(named.aws_config, Some(home.join("work/aws")));
    assert_eq!(named.aws_credentials, None, "named, but empty: there is none");
    assert_eq!(rclone(named), ["/etc/rclone.conf"]);
    assert_eq!(
        rclone(paths(&[("XDG_CONFIG_HOME", "/xdg")])),
        [
            "/xdg/rclone/rclone.conf",
            "/home/me/.config/rclone/rclone.conf",
            "/home/me/.rclone.conf"
        ]
    );
    assert_eq!(rclone(paths(&[("RCLONE_CONFIG", "")])), [""; 0], "in memory only");
    assert_eq!(ProfilePaths::new(None, |_| None), ProfilePaths::default());
}

#[test]
fn no_file_is_no_error_and_one_that_cannot_be_read_is_told() {
    assert_eq!(Person::new().profiles(), Profiles::default());
    let person = Person::new()
        .with(".aws/config/is-a-folder", "")
        .with(".aws/credentials", AWS_CREDENTIALS)
        .with(".rclone.conf", vec![b' '; (4 << 20) + 1]);
    let profiles = person.profiles();
    let codes: Vec<_> = profiles.unreadable.iter().map(|error| error.code.as_str()).collect();
    assert_eq!(codes, ["profile_unreadable", "profile_unreadable"]);
    assert_eq!(profiles.found.len(), 4, "the other files are read all the same");
}

/// Whoever opens it would wait for ever for somebody to write into it.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let person = Person::new().with(".aws/credentials", "");
    let made = std::process::Command::new("mkfifo")
        .arg(person.home.path().join(".aws/config"))
        .status();
    assert!(made.unwrap().success());
    assert_eq!(person.profiles().unreadable[0].code, "profile_unreadable");
}

#[test]
fn neither_a_profile_nor_an_error_tells_a_secret() {
    let person = Person::new()
        .with(".aws/config", AWS_CONFIG)
        .with(".aws/credentials", AWS_CREDENTIALS)
        .with(".rclone.conf", RCLONE);
    let told = format!("{:?}", person.profiles());
    for hidden in ["s3cr3t", "s3c=r3t", "abc/def", "tok\""] {
        assert!(!told.contains(hidden), "{hidden} in {told}");
    }
}

/// Lines as they may stand in such a file, right and wrong.
fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "\\PC{0,20}",
        "[ \t]{0,3}\\[(profile |services |sso-session )?['\"a-cé]{0,3}\\]?",
        "[ \t]{0,3}(s3|type|region|endpoint_url|services|endpoint|aws_access_key_id) ?[=:]? ?(s3|a|https://a)?",
    ];
    proptest::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_files_hold_reading_them_ends(config in lines(), credentials in lines(), bytes: Vec<u8>) {
        let person = Person::new()
            .with(".aws/config", &config)
            .with(".aws/credentials", &credentials)
            .with(".rclone.conf", &config);
        for profile in person.profiles().found {
            prop_assert!(!profile.name.is_empty());
            prop_assert!(profile.problem.is_some() == person.secret(profile.source, &profile.name).is_err());
        }
        let person = person.with(".aws/config", &bytes).with(".rclone.conf", &bytes);
        person.profiles();
    }

    /// What aws would write for it is what comes out.
    #[test]
    fn every_pair_that_is_kept_comes_back(
        name in "[a-zA-Z0-9_.-]{1,20}",
        access_key in "[A-Z0-9]{1,20}",
        secret in "[a-zA-Z0-9/+=]{1,60}",
    ) {
        let written = format!("[{name}]\ntype = s3\naws_access_key_id = {access_key}\naws_secret_access_key = {secret}\n");
        let remote = written.replace("aws_", "");
        let person = Person::new().with(".aws/credentials", written).with(".rclone.conf", remote);
        for source in ProfileSource::ALL {
            prop_assert_eq!(person.secret(source, &name), Ok((access_key.clone(), secret.clone())));
        }
    }
}
