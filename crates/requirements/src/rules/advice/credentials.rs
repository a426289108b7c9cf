//! Credentials of well-known tools would be uploaded with the image: whoever gets hold of it or of a VM can use them.

use lotse_guest::{Fact, facts::Found};

use crate::rules::Rule;
use crate::{Finding, FindingKind, Status, Subject, remedies};

use super::{found, unix};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "credentials",
    kind: FindingKind::Advice,
    sources: &["OWASP: Secrets Management Cheat Sheet"],
    reasons: &["credentials_none", "credentials_found"],
    remedies: &["erase_credentials"],
    judge,
};

/// What each kind is called by those who use it.
const NAMES: &[(&str, &str)] = &[
    ("aws", "AWS"),
    ("azure", "Azure"),
    ("boto", "Boto"),
    ("cargo", "Cargo"),
    ("cifs", "CIFS"),
    ("cloudflared", "Cloudflare Tunnel"),
    ("composer", "Composer"),
    ("digitalocean", "DigitalOcean"),
    ("docker", "Docker"),
    ("exim", "Exim"),
    ("gem", "RubyGems"),
    ("git", "Git"),
    ("github", "GitHub"),
    ("gitlab", "GitLab"),
    ("gitlab_runner", "GitLab Runner"),
    ("google_cloud", "Google Cloud"),
    ("hetzner", "Hetzner Cloud"),
    ("kerberos", "Kerberos"),
    ("kubernetes", "Kubernetes"),
    ("lets_encrypt", "Let’s Encrypt"),
    ("mail", "SMTP/IMAP"),
    ("maven", "Maven"),
    ("minio", "MinIO"),
    ("mysql", "MySQL"),
    ("netrc", ".netrc"),
    ("npm", "npm"),
    ("openstack", "OpenStack"),
    ("openvpn", "OpenVPN"),
    ("password_store", "pass"),
    ("podman", "Podman"),
    ("postgresql", "PostgreSQL"),
    ("ppp", "PPP"),
    ("pypi", "PyPI"),
    ("rclone", "rclone"),
    ("redhat_subscription", "Red Hat Subscription"),
    ("s3cmd", "s3cmd"),
    ("samba", "Samba"),
    ("suse_subscription", "SUSE Customer Center"),
    ("swift", "OpenStack Swift"),
    ("tailscale", "Tailscale"),
    ("terraform", "Terraform"),
    ("ubuntu_subscription", "Ubuntu Pro"),
    ("vault", "Vault"),
    ("wifi", "Wi-Fi"),
    ("wireguard", "WireGuard"),
    ("zerotier", "ZeroTier"),
];

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, _) = unix(subject)?;
    // Where the whole system is not read, the requirements say so.
    let Fact::Known(leftovers) = &facts.leftovers else {
        return None;
    };
    let all: Vec<&Found> = match &leftovers.credentials {
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
        Fact::Known(all) => all.iter().collect(),
    };
    if all.is_empty() {
        return Some(Finding::advice(RULE.code, Status::Pass, "credentials_none"));
    }
    let finding = Finding::advice(RULE.code, Status::Warning, "credentials_found");
    Some(
        found::tell(finding, &all, name)
            .destructive_remedy("erase_credentials", remedies::erase(&found::in_homes(&all))),
    )
}

fn name(kind: &str) -> &str {
    NAMES
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or(kind, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use lotse_guest::facts::Leftovers;

    use super::*;

    #[test]
    fn every_kind_has_a_name_that_people_know() {
        let kinds: Vec<&str> = NAMES.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, Leftovers::CREDENTIALS);
    }
}
