// The key facts of a report as words. What is not known is null, and said so by whoever shows it.

import { formatBothSizes } from "../../lib/format";
import type { Report } from "../../lib/generated/bindings";
import { m } from "../../lib/paraglide/messages.js";

export type Fact = { key: string; label: string; value: string | null };

const FORMAT_NAMES: Record<string, string> = {
  raw: "Raw",
  vhdx: "VHDX",
  vdi: "VDI",
  vmdk: "VMDK",
  vhd: "VHD",
  qed: "QED",
  iso: "ISO",
};

function format({ container, compression }: Report): string | null {
  const { format, variant } = container;
  const name = format === null ? null : (FORMAT_NAMES[format] ?? format);
  const inner = name !== null && variant !== null ? `${name} (${variant})` : name;
  if (compression === null) return inner;
  return inner === null ? compression : m.ui_fact_compressed({ format: inner, compression });
}

function table({ disk }: Report): string | null {
  if (disk.table === null) return null;
  return disk.table === "none" ? m.ui_fact_table_none() : disk.table.toUpperCase();
}

function system({ os }: Report): string | null {
  if (os === null) return null;
  const name = os.name ?? [os.distribution ?? os.family, os.version].filter(Boolean).join(" ");
  return os.architecture === null ? name : `${name}, ${os.architecture}`;
}

function root({ root }: Report): string | null {
  if (root === null) return null;
  const place = root.partition === null ? null : m.ui_fact_partition({ number: root.partition });
  const layers = root.layers.map((layer) =>
    layer === "lvm" || layer === "luks" ? layer.toUpperCase() : layer,
  );
  return [root.filesystem, place, ...layers].filter(Boolean).join(", ");
}

function agent({ agent }: Report): string | null {
  if (agent === null) return null;
  const name = [agent.kind, agent.version].filter(Boolean).join(" ");
  return agent.enabled === false ? m.ui_fact_agent_disabled({ agent: name }) : name;
}

function sshd({ sshd }: Report): string | null {
  if (sshd.installed === null) return null;
  if (!sshd.installed) return m.ui_fact_sshd_missing();
  if (sshd.enabled === null) return m.ui_fact_sshd_installed();
  return sshd.enabled ? m.ui_fact_sshd_enabled() : m.ui_fact_sshd_disabled();
}

function login({ login }: Report): string | null {
  if (login === null) return null;
  return login.user ?? (login.root ? "root" : m.ui_fact_login_nobody());
}

function size(bytes: number | null): string | null {
  return bytes === null ? null : formatBothSizes(bytes);
}

export function facts(report: Report): Fact[] {
  return [
    { key: "system", label: m.ui_fact_system(), value: system(report) },
    { key: "format", label: m.ui_fact_format(), value: format(report) },
    { key: "size", label: m.ui_fact_size(), value: size(report.source.size) },
    { key: "virtual-size", label: m.ui_fact_virtual_size(), value: size(report.container.virtual_size) },
    { key: "table", label: m.ui_fact_table(), value: table(report) },
    { key: "root", label: m.ui_fact_root(), value: root(report) },
    { key: "agent", label: m.ui_fact_agent(), value: agent(report) },
    { key: "sshd", label: m.ui_fact_sshd(), value: sshd(report) },
    { key: "login", label: m.ui_fact_login(), value: login(report) },
  ];
}
