//! The keywords of `sshd_config` (sshd_config(5) of OpenSSH 10, the names that older releases had, and the patches of
//! Debian, Red Hat and SUSE), and the values of those that decide a login.

/// What values a keyword takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// It decides no login.
    NotRead,
    /// `yes` or `no`, in any case.
    Flag,
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// A TCP port or the name of its service.
    Port,
    /// One value of any kind.
    One,
    /// One or more of any kind.
    Some,
    /// Lists of methods, or `any` alone.
    Methods,
    /// A command with its full path or `none`: the whole rest of the line as it stands.
    Command,
}

impl Values {
    /// Is the case of the values of no account?
    pub(super) fn ignore_case(self) -> bool {
        matches!(self, Self::Flag | Self::OneOf(_))
    }

    /// Would the server take these values?
    pub(super) fn accept(self, values: &[String]) -> bool {
        let one = |words: &[&str]| {
            let is_one = |value: &String| words.iter().any(|word| value.eq_ignore_ascii_case(word));
            values.len() == 1 && values.iter().all(is_one)
        };
        match self {
            Self::Flag => one(&["yes", "no"]),
            Self::OneOf(words) => one(words),
            Self::Port => values.len() == 1 && values.iter().all(|value| port(value).is_some()),
            Self::One => values.len() == 1,
            Self::Methods => {
                let known = |list: &String| {
                    list.split(',')
                        .all(|method| METHODS.contains(&method.split(':').next().unwrap_or_default()))
                };
                values.len() == 1 && values.iter().all(|value| value == "any") || values.iter().all(known)
            }
            Self::Command => values
                .iter()
                .all(|value| value.starts_with('/') || value.eq_ignore_ascii_case("none")),
            Self::NotRead | Self::Some => true,
        }
    }
}

/// Ways to prove who one is (sshd_config(5), `AuthenticationMethods`).
const METHODS: &[&str] = &[
    "publickey",
    "password",
    "keyboard-interactive",
    "hostbased",
    "gssapi-with-mic",
    "gssapi-keyex",
    "none",
];

/// A TCP port by its number or by the names that people give this server (services(5)).
pub(super) fn port(value: &str) -> Option<u16> {
    match value {
        "ssh" => Some(22),
        "https" => Some(443),
        value => value.parse().ok().filter(|port| *port != 0),
    }
}

/// A keyword.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keyword {
    /// Today's name, in lower case.
    pub(super) name: &'static str,
    /// May it stand in a `Match` block?
    pub(super) in_match: bool,
    pub(super) values: Values,
}

/// Finds a keyword by any of its names, in lower case.
pub(super) fn find(name: &str) -> Option<Keyword> {
    let today = match name {
        "dsaauthentication" => "pubkeyauthentication",
        "challengeresponseauthentication" | "skeyauthentication" => "kbdinteractiveauthentication",
        other => other,
    };
    if let Some((name, in_match, values)) = READ.iter().find(|(read, ..)| *read == today) {
        return Some(Keyword {
            name,
            // The old names are older than the blocks.
            in_match: *in_match && name == &today,
            values: *values,
        });
    }
    let in_match = IN_MATCH.contains(&today);
    let known = IN_MATCH.iter().chain(GLOBAL).find(|known| **known == today)?;
    Some(Keyword {
        name: known,
        in_match,
        values: Values::NotRead,
    })
}

/// Those that are read: name, whether it may stand in a `Match` block, values.
const READ: &[(&str, bool, Values)] = &[
    ("port", false, Values::Port),
    ("listenaddress", false, Values::Some),
    ("addressfamily", false, Values::OneOf(&["any", "inet", "inet6"])),
    ("usepam", false, Values::Flag),
    ("strictmodes", false, Values::Flag),
    ("hostkey", false, Values::One),
    (
        "permitrootlogin",
        true,
        Values::OneOf(&[
            "yes",
            "no",
            "prohibit-password",
            "without-password",
            "forced-commands-only",
        ]),
    ),
    ("pubkeyauthentication", true, Values::Flag),
    ("passwordauthentication", true, Values::Flag),
    ("kbdinteractiveauthentication", true, Values::Flag),
    ("authorizedkeysfile", true, Values::Some),
    ("authorizedkeyscommand", true, Values::Command),
    ("authorizedkeyscommanduser", true, Values::One),
    ("authenticationmethods", true, Values::Methods),
    ("allowusers", true, Values::Some),
    ("denyusers", true, Values::Some),
    ("allowgroups", true, Values::Some),
    ("denygroups", true, Values::Some),
];

/// Others that may stand in a `Match` block, those that are ignored today among them.
const IN_MATCH: &[&str] = &[
    "acceptenv",
    "afstokenpassing",
    "allowagentforwarding",
    "allowstreamlocalforwarding",
    "allowtcpforwarding",
    "authorizedkeyscommandrunas",
    "authorizedkeysfile2",
    "authorizedprincipalscommand",
    "authorizedprincipalscommanduser",
    "authorizedprincipalsfile",
    "banner",
    "casignaturealgorithms",
    "channeltimeout",
    "chrootdirectory",
    "clientalivecountmax",
    "clientaliveinterval",
    "disableforwarding",
    "exposeauthinfo",
    "forcecommand",
    "gatewayports",
    "gssapiauthentication",
    "hostbasedacceptedalgorithms",
    "hostbasedacceptedkeytypes",
    "hostbasedauthentication",
    "hostbasedusesnamefrompacketonly",
    "ignorerhosts",
    "include",
    "ipqos",
    "kerberosauthentication",
    "kerberosusekuserok",
    "gssapienablek5users",
    "loglevel",
    "logverbose",
    "maxauthtries",
    "maxsessions",
    "permitemptypasswords",
    "permitlisten",
    "permitopen",
    "permittty",
    "permittunnel",
    "permituserrc",
    "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes",
    "pubkeyauthoptions",
    "rdomain",
    "refuseconnection",
    "rekeylimit",
    "requiredrsasize",
    "rsaminsize",
    "revokedkeys",
    "rhostsrsaauthentication",
    "rsaauthentication",
    "setenv",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "trustedusercakeys",
    "unusedconnectiontimeout",
    "x11displayoffset",
    "x11forwarding",
    "x11maxdisplays",
    "x11uselocalhost",
    "permitpamuserchange",
];

/// The rest, those that are ignored today among them.
const GLOBAL: &[&str] = &[
    "authorizedkeysfile",
    "checkmail",
    "ciphers",
    "compression",
    "debianbanner",
    "fingerprinthash",
    "gssapicleanupcredentials",
    "gssapideleg",
    "gssapienablek5users",
    "gssapiindicators",
    "gssapikexalgorithms",
    "gssapikeyexchange",
    "gssapistorecredentialsonrekey",
    "gssapistrictacceptorcheck",
    "hostcertificate",
    "hostdsakey",
    "hostkeyagent",
    "hostkeyalgorithms",
    "ignoreuserknownhosts",
    "keepalive",
    "kerberosgetafstoken",
    "kerberosorlocalpasswd",
    "kerberostgtpassing",
    "kerberosticketcleanup",
    "kerberosuniqueccache",
    "kexalgorithms",
    "keyregenerationinterval",
    "logingracetime",
    "macs",
    "maxstartups",
    "modulifile",
    "moduli",
    "pamauthenticationviakbdint",
    "permituserenvironment",
    "persourcemaxstartups",
    "persourcenetblocksize",
    "persourcepenalties",
    "persourcepenaltyexemptlist",
    "pidfile",
    "printlastlog",
    "printmotd",
    "protocol",
    "reversemappingcheck",
    "rhostsauthentication",
    "securitykeyprovider",
    "serverkeybits",
    "showpatchlevel",
    "sshdauthpath",
    "sshdsessionpath",
    "subsystem",
    "syslogfacility",
    "tcpkeepalive",
    "usedns",
    "uselogin",
    "useprivilegeseparation",
    "verifyreversemapping",
    "versionaddendum",
    "xauthlocation",
    "usedefaultsyslogfacility",
    "gssusesessionccache",
    "gssapiusesessioncredcache",
    "ldaplpkserver",
    "ldaplpkldaptls",
    "lpkservers",
];
