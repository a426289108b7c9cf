// Reports, errors and images for the fake backend: what the real program says of files like these.

import type { ApiError, CheckedFile, Finding, Image, Report, Status, Upload } from "../generated/bindings";

export function finding(code: string, status: Status, reason: string, more: Partial<Finding> = {}): Finding {
  return {
    code,
    kind: "requirement",
    status,
    reason,
    details: [],
    certainty: "certain",
    evidence: [],
    params: {},
    remedy: null,
    ...more,
  };
}

const DEBIAN_FINDINGS: Finding[] = [
  finding("container_format", "pass", "container_format_accepted", { params: { format: "qcow2" } }),
  finding("compression", "pass", "compression_none"),
  finding("container_intact", "pass", "container_intact"),
  finding("container_safe", "pass", "container_safe"),
  finding("virtual_size", "pass", "virtual_size_within_limit", {
    params: {
      bytes: "2147483648",
      gb: "2.1",
      gib: "2.0",
      limit_bytes: "100000000000",
      limit_gb: "100",
      limit_gib: "93.1",
    },
  }),
  finding("partition_table", "pass", "partition_table_accepted", { params: { table: "gpt" } }),
  finding("unix_like_os", "pass", "unix_like_os_found", {
    params: { name: "Debian GNU/Linux 12 (bookworm)" },
    evidence: [{ path: "/etc/os-release", line: 1, value: 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"' }],
  }),
  finding("root_filesystem", "pass", "root_filesystem_accepted", { params: { filesystem: "ext4" } }),
  finding("cloud_agent", "pass", "cloud_agent_ready", {
    params: { agent: "cloud-init", version: "22.4.2-1+deb12u4" },
  }),
  finding("datasource_order", "pass", "datasource_order_config_drive_first", {
    params: { list: "ConfigDrive, NoCloud" },
    evidence: [
      {
        path: "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
        line: 2,
        value: "datasource_list: [ ConfigDrive, NoCloud ]",
      },
    ],
  }),
  finding("sshd_installed", "pass", "sshd_installed"),
  finding("sshd_enabled", "pass", "sshd_enabled_at_boot", {
    evidence: [{ path: "/etc/systemd/system/multi-user.target.wants/ssh.service", line: null, value: null }],
  }),
];

/** A good Debian 12. */
export function goodReport(name: string): Report {
  return {
    schema: 1,
    source: { name, size: 1_504_706_560 },
    verdict: "ready",
    container: { format: "qcow2", variant: null, virtual_size: 2_147_483_648 },
    compression: null,
    disk: { table: "gpt", sector_size: 512 },
    root: { filesystem: "ext4", partition: 1, layers: [] },
    os: {
      family: "linux",
      distribution: "debian",
      version: "12",
      architecture: "x86_64",
      name: "Debian GNU/Linux 12 (bookworm)",
    },
    agent: { kind: "cloud-init", version: "22.4.2-1+deb12u4", enabled: true },
    datasources: { list: ["ConfigDrive", "NoCloud"], from: [] },
    sshd: { installed: true, enabled: true },
    login: { user: "debian", root: false },
    findings: DEBIAN_FINDINGS,
  };
}

function withFindings(report: Report, changed: Finding[]): Report {
  const findings = report.findings.map((old) => changed.find((one) => one.code === old.code) ?? old);
  return { ...report, findings };
}

const NOCLOUD_FIRST = finding("datasource_order", "warning", "datasource_order_nocloud_first", {
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
});

/** Boots, but may not be set up. */
export function warningReport(name: string): Report {
  return { ...withFindings(goodReport(name), [NOCLOUD_FIRST]), verdict: "ready_with_warnings" };
}

/** Several things wrong at once. */
export function badReport(name: string): Report {
  const report = goodReport(name);
  return {
    ...withFindings(report, [
      NOCLOUD_FIRST,
      finding("virtual_size", "fail", "virtual_size_too_big", {
        params: {
          bytes: "128849018880",
          gb: "128.9",
          gib: "120.0",
          limit_bytes: "100000000000",
          limit_gb: "100",
          limit_gib: "93.1",
        },
        remedy: { code: "shrink_disk", place: "system", destructive: false, commands: [] },
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
      finding("cloud_agent", "unknown", "fact_unknown", { params: { cause: "journal_dirty" } }),
    ]),
    verdict: "will_not_work",
    container: { format: "vmdk", variant: "monolithicSparse", virtual_size: 128_849_018_880 },
    agent: null,
    sshd: { installed: true, enabled: false },
  };
}

/** Nothing inside could be read. */
export function unknownReport(name: string): Report {
  const report = goodReport(name);
  return {
    ...report,
    verdict: "unknown",
    container: { format: "vhdx", variant: null, virtual_size: null },
    disk: { table: null, sector_size: null },
    root: null,
    os: null,
    agent: null,
    datasources: null,
    sshd: { installed: null, enabled: null },
    login: null,
    findings: report.findings.map((old, index) =>
      index < 2
        ? old
        : finding(old.code, "unknown", "not_read", {
            params: { cause: "format_not_read_yet", format: "vhdx" },
          }),
    ),
  };
}

/** Errors by the beginning of the file's name. */
export const FILE_ERRORS: Record<string, ApiError> = {
  notes: { code: "not_a_disk_image", params: {}, retryable: false },
  empty: { code: "file_empty", params: {}, retryable: false },
  folder: { code: "file_is_directory", params: {}, retryable: false },
  secret: { code: "file_permission_denied", params: { cause: "permission denied" }, retryable: true },
  gone: { code: "file_not_found", params: { cause: "not found" }, retryable: true },
};

/** Reports by the beginning of the file's name. */
const REPORTS: Record<string, (name: string) => Report> = {
  legacy: badReport,
  ubuntu: warningReport,
  other: unknownReport,
};

/** What the check says of a file, by the beginning of its name. */
export function checkByName(path: string): CheckedFile {
  const name = path.split("/").at(-1) ?? path;
  const error = Object.entries(FILE_ERRORS).find(([start]) => name.startsWith(start))?.[1];
  if (error) throw error;
  const make = Object.entries(REPORTS).find(([start]) => name.startsWith(start))?.[1] ?? goodReport;
  return {
    path,
    report: make(name),
    suggested: {
      name: name.replace(/(\.(qcow2|vmdk|vhdx|img|raw|gz))+$/, ""),
      distribution: name.startsWith("other") ? "unknown" : "debian",
    },
  };
}

export function upload(more: Partial<Upload>): Upload {
  return {
    id: "upload",
    connection: "practice",
    source_name: "debian-12.qcow2",
    details: { name: "debian-12", distribution: "debian", region: "practice-north", tags: [], notes: "" },
    state: "uploading",
    acknowledged: 0,
    total: 1_504_706_560,
    bytes_per_second: null,
    time_left: null,
    starts_at: null,
    image_id: null,
    error: null,
    created: "2026-11-20T09:30:00Z",
    published: null,
    public_until: null,
    ...more,
  };
}

export function image(more: Partial<Image>): Image {
  return {
    id: "image",
    region: "practice-north",
    name: "debian-12",
    status: "active",
    size: 1_504_706_560,
    disk_format: "qcow2",
    distribution: "debian",
    tags: [],
    notes: "",
    created: "2026-11-20T09:41:00Z",
    ...more,
  };
}
