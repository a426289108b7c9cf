//! What cloud-init remembers of the machine that the image was made of, and whether a new VM takes it for its own.

use lotse_guest::{Evidence, Fact, facts::Found};

use super::cloud_init;
use crate::rules::Rule;
use crate::{Finding, FindingKind, Status, Subject, remedies};

pub(in crate::rules) const RULE: Rule = Rule {
    code: "cloud_init_instance",
    kind: FindingKind::Advice,
    sources: &["cloud-init: First boot determination", "cloud-init: clean"],
    reasons: &["cloud_init_instance_kept", "cloud_init_instance_left"],
    remedies: &["clean_cloud_init"],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, cloud_init) = cloud_init(subject)?;
    let instance = match &cloud_init.instance {
        Fact::Known(instance) => instance.as_ref(),
        Fact::Unknown(unknown) => return Some(Finding::advice_unknown(RULE.code, unknown)),
    };
    let (status, reason, mut evidence) = match instance {
        Some(instance) if instance.kept => {
            let evidence = instance.kept_evidence.iter().chain([&instance.link]).cloned().collect();
            (Status::Fail, "cloud_init_instance_kept", evidence)
        }
        Some(instance) => (Status::Warning, "cloud_init_instance_left", vec![instance.link.clone()]),
        None => (Status::Warning, "cloud_init_instance_left", Vec::new()),
    };
    if let Fact::Known(leftovers) = &facts.leftovers
        && let Fact::Known(found) = &leftovers.cloud_init
    {
        evidence.extend(
            found
                .iter()
                .filter(|found| found.kind == "instance")
                .map(Found::evidence),
        );
    }
    if evidence.is_empty() {
        return None;
    }
    evidence.dedup_by(|next, before| same_place(next, before));
    Some(
        Finding::advice(RULE.code, status, reason)
            .evidence(&evidence)
            .remedy("clean_cloud_init", remedies::cloud_init::clean(subject)),
    )
}

fn same_place(one: &Evidence, other: &Evidence) -> bool {
    one.path == other.path
}
