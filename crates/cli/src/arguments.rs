//! The words of a call. Their help is not here but in the message catalogue (`cli_help_…`), see `help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lotse_app::{Addressing, Distribution, ExportFormat, PublicBy, SecretPlace};
use lotse_words::Language;

use crate::check::Asked;

#[derive(Debug, Parser)]
#[command(name = "lotse", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[arg(long, global = true)]
    pub(crate) lang: Option<LanguageArgument>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// [`ExportFormat`] as a word of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormArgument(pub(crate) ExportFormat);

impl ValueEnum for FormArgument {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [FormArgument; 5] = {
            let [text, json, html, script, mail] = ExportFormat::ALL;
            [
                FormArgument(text),
                FormArgument(json),
                FormArgument(html),
                FormArgument(script),
                FormArgument(mail),
            ]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}

/// [`Language`] as a word of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LanguageArgument(pub(crate) Language);

impl ValueEnum for LanguageArgument {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [LanguageArgument; 2] = {
            let [german, english] = Language::ALL;
            [LanguageArgument(german), LanguageArgument(english)]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.code()))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(CheckWish),
    Explain {
        code: Option<String>,
    },
    Facts {
        file: PathBuf,
    },
    Upload(Wish),
    Resume {
        id: Option<String>,
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    Pause {
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    Move {
        id: String,
        #[arg(long)]
        before: Option<String>,
    },
    Restart {
        id: String,
    },
    Relocate {
        id: String,
        file: PathBuf,
    },
    Settings(Choice),
    Uploads {
        #[arg(long)]
        json: bool,
    },
    Cancel {
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    Connection {
        #[command(subcommand)]
        command: ConnectionCommand,
    },
    Staging {
        #[command(subcommand)]
        command: StagingCommand,
    },
    Handover(HandoverWish),
    Imported {
        id: String,
    },
    Images {
        #[arg(long, default_value = lotse_app::PRACTICE)]
        connection: String,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StagingCommand {
    List {
        #[arg(long)]
        connection: Option<String>,
        #[arg(long)]
        json: bool,
    },
    Remove(StagingRemoval),
}

/// What is to be removed from object storages.
#[derive(Debug, Args)]
pub(crate) struct StagingRemoval {
    #[arg(required_unless_present = "all_expired", conflicts_with = "all_expired")]
    pub(crate) keys: Vec<String>,
    #[arg(long)]
    pub(crate) all_expired: bool,
    #[arg(long)]
    pub(crate) connection: Option<String>,
    #[arg(long)]
    pub(crate) yes: bool,
}

/// A hand-over, and in which form.
#[derive(Debug, Args)]
pub(crate) struct HandoverWish {
    pub(crate) id: Option<String>,
    #[arg(long, conflicts_with = "mail")]
    pub(crate) json: bool,
    #[arg(long)]
    pub(crate) mail: bool,
    #[arg(long)]
    pub(crate) again: bool,
}

/// An image to check, and what becomes of the report.
#[derive(Debug, Args)]
pub(crate) struct CheckWish {
    /// The older word for `--as json`.
    #[arg(long, conflicts_with = "form")]
    json: bool,
    #[arg(long = "as", id = "form")]
    form: Option<FormArgument>,
    #[arg(long, short)]
    output: Option<PathBuf>,
    file: PathBuf,
}

impl CheckWish {
    pub(crate) fn asked(self) -> Asked {
        Asked {
            file: self.file,
            form: if self.json {
                Some(ExportFormat::Json)
            } else {
                self.form.map(|argument| argument.0)
            },
            output: self.output,
        }
    }
}

/// An image to send, and what is said about it.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    pub(crate) file: PathBuf,
    #[arg(long)]
    pub(crate) connection: Option<String>,
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[arg(long)]
    pub(crate) distribution: Option<DistributionArgument>,
    #[arg(long)]
    pub(crate) region: Option<String>,
    #[arg(long = "tag")]
    pub(crate) tags: Vec<String>,
    #[arg(long, default_value = "")]
    pub(crate) notes: String,
    #[arg(long)]
    pub(crate) anyway: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    Add(Box<NewConnection>),
    Test {
        id: Option<String>,
        #[arg(long)]
        json: bool,
    },
    List {
        #[arg(long)]
        json: bool,
    },
    Remove {
        id: String,
        #[arg(long)]
        anyway: bool,
    },
    Profiles {
        #[arg(long)]
        json: bool,
    },
}

/// An object storage that is to be set up; its secret is no word of a call.
#[derive(Debug, Args)]
pub(crate) struct NewConnection {
    pub(crate) name: String,
    #[arg(long, required_unless_present_any = ["profile", "replace"])]
    pub(crate) endpoint: Option<String>,
    #[arg(long, required_unless_present_any = ["profile", "replace"])]
    pub(crate) access_key: Option<String>,
    #[arg(long)]
    pub(crate) bucket: Option<String>,
    #[arg(long)]
    pub(crate) create_bucket: bool,
    #[arg(long)]
    pub(crate) region: Option<String>,
    #[arg(long)]
    pub(crate) addressing: Option<AddressingArgument>,
    #[arg(long)]
    pub(crate) public_by: Option<PublicByArgument>,
    #[arg(long)]
    pub(crate) panel: Option<String>,
    #[arg(long = "image-region")]
    pub(crate) image_regions: Vec<String>,
    #[arg(long)]
    pub(crate) secret_in: Option<SecretPlaceArgument>,
    #[arg(long)]
    pub(crate) profile: Option<String>,
    #[arg(long)]
    pub(crate) replace: Option<String>,
    #[arg(long)]
    pub(crate) no_test: bool,
    #[arg(long)]
    pub(crate) anyway: bool,
}

/// [`Addressing`] as a word of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressingArgument(pub(crate) Addressing);

impl ValueEnum for AddressingArgument {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Addressing::Path), Self(Addressing::VirtualHost)]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(match self.0 {
            Addressing::Path => "path",
            Addressing::VirtualHost => "virtual-host",
        }))
    }
}

/// [`PublicBy`] as a word of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublicByArgument(pub(crate) PublicBy);

impl ValueEnum for PublicByArgument {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(PublicBy::Acl), Self(PublicBy::BucketPolicy)]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(match self.0 {
            PublicBy::Acl => "acl",
            PublicBy::BucketPolicy => "bucket-policy",
        }))
    }
}

/// [`SecretPlace`] as a word of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretPlaceArgument(pub(crate) SecretPlace);

impl ValueEnum for SecretPlaceArgument {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self(SecretPlace::Keychain),
            Self(SecretPlace::File),
            Self(SecretPlace::Ask),
        ]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(match self.0 {
            SecretPlace::Keychain => "keychain",
            SecretPlace::File => "file",
            SecretPlace::Ask => "ask",
        }))
    }
}

/// What is chosen for all uploads; what is not named stays.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    #[arg(long)]
    pub(crate) limit: Option<String>,
    #[arg(long)]
    pub(crate) hours: Option<String>,
    #[arg(long)]
    pub(crate) at_once: Option<u32>,
    #[arg(long)]
    pub(crate) keep_awake: Option<bool>,
    #[arg(long)]
    pub(crate) staging_days: Option<u32>,
    #[arg(long)]
    pub(crate) json: bool,
}

/// [`Distribution`] as a word of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DistributionArgument(pub(crate) Distribution);

impl ValueEnum for DistributionArgument {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [DistributionArgument; 6] = {
            let [arch, fedora, ubuntu, centos, debian, unknown] = Distribution::ALL;
            [
                DistributionArgument(arch),
                DistributionArgument(fedora),
                DistributionArgument(ubuntu),
                DistributionArgument(centos),
                DistributionArgument(debian),
                DistributionArgument(unknown),
            ]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}
