// A report with everything in it that a report can have: what a machine that has lived long looks like when it is copied
// as it is. For the tests of the view and for looking at it.

import type { CheckedFile, Finding, Report, Status } from "../generated/bindings";
import { checkByName, finding, goodReport } from "./fake-data";

function advice(code: string, status: Status, reason: string, more: Partial<Finding> = {}): Finding {
  return finding(code, status, reason, { kind: "advice", ...more });
}

/** Why a file that the disk does not give back is not known. */
const UNREADABLE = { cause: "read_failed", detail: "input/output error" };

const KEYS = Array.from({ length: 30 }, (_, index) => ({
  path: `/home/betrieb/.ssh/projekte/kunde-${index + 1}/id_ed25519`,
  line: null,
  value: null,
}));

const FINDINGS: Finding[] = [
  finding("virtual_size", "fail", "virtual_size_too_big", {
    params: {
      bytes: "128849018880",
      gb: "128.9",
      gib: "120.0",
      limit_bytes: "100000000000",
      limit_gb: "100",
      limit_gib: "93.1",
    },
    remedy: {
      code: "shrink_disk",
      place: "file",
      destructive: false,
      commands: ["qemu-img resize --shrink disk.qcow2 90G"],
    },
  }),
  finding("sshd_enabled", "fail", "sshd_enabled_no_start_link", {
    evidence: [
      { path: "/usr/lib/systemd/system/ssh.service", line: 17, value: "WantedBy=multi-user.target" },
    ],
    remedy: {
      code: "enable_sshd",
      place: "system",
      destructive: false,
      commands: ["systemctl enable ssh.service"],
    },
  }),
  finding("datasource_order", "warning", "datasource_order_nocloud_first", {
    certainty: "likely",
    params: {
      list: "NoCloud, ConfigDrive",
      path: "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
      line: "2",
      drop_in: "/etc/cloud/cloud.cfg.d/99-ccloud.cfg",
    },
    evidence: [
      {
        path: "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
        line: 2,
        value: "datasource_list: [ NoCloud, ConfigDrive ]",
      },
    ],
    remedy: {
      code: "put_config_drive_first",
      place: "system",
      destructive: false,
      commands: [
        "echo 'datasource_list: [ ConfigDrive, NoCloud, None ]' > /etc/cloud/cloud.cfg.d/99-ccloud.cfg",
      ],
    },
  }),
  finding("cloud_agent", "unknown", "fact_unknown", { params: UNREADABLE }),
  advice("kernel", "fail", "kernel_none", {
    evidence: [{ path: "/boot", line: null, value: null }],
    remedy: {
      code: "install_kernel",
      place: "system",
      destructive: false,
      commands: ["apt-get install --yes linux-image-amd64"],
    },
  }),
  advice("firewall", "fail", "firewall_closed", {
    evidence: [{ path: "/etc/nftables.conf", line: 12, value: "policy drop;" }],
    remedy: {
      code: "open_firewall",
      place: "system",
      destructive: false,
      commands: ["systemctl disable nftables.service"],
    },
  }),
  ...["boot_loader", "root_device", "mounts", "network_address", "network_card", "cloud_init_instance"].map(
    (code) =>
      advice(code, "warning", `${code}_doubtful`, {
        certainty: "possible",
        evidence: [{ path: "/etc/fstab", line: 3, value: "/dev/sda1 / ext4 errors=remount-ro 0 1" }],
      }),
  ),
  advice("private_keys", "warning", "private_keys_found", { params: { count: "30" }, evidence: KEYS }),
  ...["ssh_key_login", "sshd_configuration", "login_account", "machine_id", "credentials", "free_space"].map(
    (code) => advice(code, "unknown", "fact_unknown", { params: UNREADABLE }),
  ),
  advice("swap", "unknown", "fact_unknown", { params: { cause: "journal_dirty" } }),
  ...["virtio_drivers", "architecture", "disk_layout", "several_systems", "login_name", "ssh_port"].map(
    (code) => advice(code, "pass", code),
  ),
];

/** Forty findings, every kind and status among them, one disk error behind seven of them. */
export function richReport(name: string): Report {
  const good = goodReport(name);
  const told = new Set(FINDINGS.map(({ code }) => code));
  return {
    ...good,
    verdict: "will_not_work",
    container: { format: "qcow2", variant: null, virtual_size: 128_849_018_880 },
    agent: null,
    sshd: { installed: true, enabled: false },
    findings: [...good.findings.filter(({ code }) => !told.has(code)), ...FINDINGS],
  };
}

/** Meets every requirement, and would not start all the same. */
export function breakingReport(name: string): Report {
  const good = goodReport(name);
  return {
    ...good,
    verdict: "ready_with_warnings",
    findings: [...good.findings, ...FINDINGS.filter(({ code }) => code === "kernel" || code === "firewall")],
  };
}

/** As `checkByName`, with these reports too. */
export function checkRichByName(path: string): CheckedFile {
  const checked = checkByName(path);
  const { name } = checked.report.source;
  if (name.startsWith("old-server")) return { ...checked, report: richReport(name) };
  return name.startsWith("no-kernel") ? { ...checked, report: breakingReport(name) } : checked;
}
