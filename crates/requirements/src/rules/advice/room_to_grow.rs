//! Does a VM use the whole disk that it is given? The root grows with it if its partition is the last one, and if there is
//! a program for partition and filesystem.

use lotse_guest::{
    Evidence, Fact,
    facts::{Grower, Root, Switches},
};

use crate::rules::Rule;
use crate::{Certainty, Finding, FindingKind, Status, Subject, remedies};

use super::unix;

pub(in crate::rules) const RULE: Rule = Rule {
    code: "room_to_grow",
    kind: FindingKind::Advice,
    sources: &[
        "cloud-init: Growpart, Resizefs",
        "growpart(1)",
        "resize2fs(8)",
        "repart.d(5)",
    ],
    reasons: &[
        "room_to_grow_grows",
        "room_to_grow_not_last",
        "room_to_grow_layers",
        "room_to_grow_no_program",
        "room_to_grow_switched_off",
    ],
    remedies: &[
        "make_root_last",
        "grow_layers_by_hand",
        "install_growers",
        "switch_growing_on",
    ],
    judge,
};

fn judge(subject: &Subject) -> Option<Finding> {
    let (facts, system) = unix(subject)?;
    let Fact::Known(Some(root)) = &facts.root else {
        return None;
    };
    // Systems with Ignition grow by services of their own; FreeBSD has growfs.
    let is_cloud_init = match &facts.agent {
        Fact::Known(Some(agent)) => agent.kind == "cloud-init",
        Fact::Known(None) => true,
        Fact::Unknown(_) => return None,
    };
    if system.family != "linux" || !is_cloud_init {
        return None;
    }
    let Fact::Known(space) = &facts.space else {
        return None;
    };
    let warning = |reason| Finding::advice(RULE.code, Status::Warning, reason);
    if !root.layers.is_empty() {
        return Some(
            warning("room_to_grow_layers")
                .certainty(Certainty::Likely)
                .param("layers", layer_names(root))
                .remedy("grow_layers_by_hand", Vec::new()),
        );
    }
    if !space.root_is_last {
        let numbers: Vec<String> = space.partitions_behind_root.iter().map(u32::to_string).collect();
        return Some(
            warning("room_to_grow_not_last")
                .param("root", root.partition.unwrap_or_default())
                .param("partitions", numbers.join(", "))
                .remedy("make_root_last", Vec::new()),
        );
    }
    let Fact::Known(Some(cloud_init)) = &facts.cloud_init else {
        // Without cloud-init the requirements say what is missing first.
        return None;
    };
    match (&space.growers, &cloud_init.switches) {
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Some(Finding::advice_unknown(RULE.code, unknown)),
        (Fact::Known(growers), Fact::Known(switches)) => Some(judge_growers(subject, root, growers, switches)),
    }
}

/// Layers by the names that people know.
fn layer_names(root: &Root) -> String {
    let names: Vec<&str> = root
        .layers
        .iter()
        .map(|layer| match layer.as_str() {
            "lvm" => "LVM",
            "mdraid" => "RAID",
            other => other,
        })
        .collect();
    names.join(", ")
}

fn judge_growers(subject: &Subject, root: &Root, growers: &[Grower], switches: &Switches) -> Finding {
    let has = |kind: &str| growers.iter().any(|grower| grower.kind == kind);
    // Without a table the filesystem fills the disk and no partition has to grow.
    let partition_grows_itself = root.partition.is_none() || has("growroot") || has("systemd_repart");
    let filesystem_grows_itself = has("growfs");
    let partition_is_off = !partition_grows_itself && !switches.grows_partition.value;
    let filesystem_is_off = !filesystem_grows_itself && !switches.grows_filesystem.value;
    if partition_is_off || filesystem_is_off {
        let setting = if partition_is_off {
            &switches.grows_partition
        } else {
            &switches.grows_filesystem
        };
        let places: Vec<Evidence> = setting.from.iter().cloned().collect();
        return Finding::advice(RULE.code, Status::Warning, "room_to_grow_switched_off")
            .param("module", if partition_is_off { "growpart" } else { "resizefs" })
            .evidence(&places)
            .remedy("switch_growing_on", Vec::new());
    }
    let no_growpart = !partition_grows_itself && !has("growpart");
    let no_resize2fs = !filesystem_grows_itself && !has("resize2fs");
    if no_growpart || no_resize2fs {
        let missing: Vec<&str> = [(no_growpart, "growpart"), (no_resize2fs, "resize2fs")]
            .into_iter()
            .filter_map(|(is_missing, program)| is_missing.then_some(program))
            .collect();
        return Finding::advice(RULE.code, Status::Warning, "room_to_grow_no_program")
            .param("programs", missing.join(", "))
            .remedy(
                "install_growers",
                remedies::install_growers(subject, no_growpart, no_resize2fs),
            );
    }
    let places: Vec<Evidence> = growers.iter().map(|grower| grower.evidence.clone()).collect();
    Finding::advice(RULE.code, Status::Pass, "room_to_grow_grows").evidence(&places)
}
