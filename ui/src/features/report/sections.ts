// A report in the order in which a person needs it: what ccloud³ refuses, what would break the VM, what may, what could
// not be judged (each cause told once), and last what is in order.

import type { Finding, Report, Verdict } from "../../lib/generated/bindings";

/** How the verdict is told: an advice that fails does not change the verdict, but it must not look harmless. */
export type Outlook = Verdict | "ready_with_warnings_failing" | "unknown_failing";

/** Findings that are told as one, because the same thing kept them from being judged. */
export type Group = { key: string; findings: [Finding, ...Finding[]] };

export type SectionName = "unmet" | "breaking" | "warnings" | "unknown";
export type Section = { name: SectionName; count: number; groups: Group[] };

function breaks(finding: Finding): boolean {
  return finding.status === "fail" && finding.kind === "advice";
}

export function outlook({ verdict, findings }: Report): Outlook {
  if (verdict === "ready" || verdict === "will_not_work" || !findings.some(breaks)) return verdict;
  return verdict === "unknown" ? "unknown_failing" : "ready_with_warnings_failing";
}

/** Would a VM made from it not start or not let its owner in, whatever the verdict is called? */
export function isHopeless(report: Report): boolean {
  return report.verdict === "will_not_work" || report.findings.some(breaks);
}

function alone(finding: Finding): Group {
  return { key: finding.code, findings: [finding] };
}

/** What could not be judged for the same reason, and says nothing of its own about the place, becomes one group. */
function byCause(findings: readonly Finding[]): Group[] {
  const groups = new Map<string, Group>();
  for (const finding of findings) {
    const { code, reason, params, evidence, remedy } = finding;
    const sorted = Object.entries(params).sort(([one], [other]) => (one < other ? -1 : 1));
    const cause = JSON.stringify([reason, sorted, evidence, remedy]);
    const group = "cause" in params ? groups.get(cause) : undefined;
    if (group) group.findings.push(finding);
    else groups.set("cause" in params ? cause : code, alone(finding));
  }
  return [...groups.values()];
}

/** The sections that have something to tell, the gravest first. Requirements come before advice, each in its own order. */
export function sections({ findings }: Report): Section[] {
  const ranked = [
    ...findings.filter(({ kind }) => kind === "requirement"),
    ...findings.filter(({ kind }) => kind === "advice"),
  ];
  const failing = ranked.filter(({ status }) => status === "fail");
  const unknown = ranked.filter(({ status }) => status === "unknown");
  const all: [SectionName, Group[]][] = [
    ["unmet", failing.filter((finding) => !breaks(finding)).map(alone)],
    ["breaking", failing.filter(breaks).map(alone)],
    ["warnings", ranked.filter(({ status }) => status === "warning").map(alone)],
    ["unknown", byCause(unknown)],
  ];
  return all
    .map(([name, groups]) => ({
      name,
      groups,
      count: groups.reduce((sum, group) => sum + group.findings.length, 0),
    }))
    .filter(({ count }) => count > 0);
}

export function passed({ findings }: Report): Finding[] {
  return findings.filter(({ status }) => status === "pass");
}

/** For each finding that is mended by the very commands of one told before it: the code of that one. */
export function mendedBefore(told: readonly Section[]): Map<string, Finding> {
  const first = new Map<string, Finding>();
  const before = new Map<string, Finding>();
  for (const finding of told.flatMap(({ groups }) => groups.flatMap(({ findings }) => findings))) {
    const { code, remedy } = finding;
    if (!remedy || remedy.commands.length === 0) continue;
    const key = JSON.stringify([remedy.code, remedy.place, remedy.commands]);
    const other = first.get(key);
    if (other) before.set(code, other);
    else first.set(key, finding);
  }
  return before;
}

/** Are there commands for inside the system, of which a script can be made? */
export function isScriptable({ findings }: Report): boolean {
  return findings.some(
    ({ status, remedy }) => status !== "pass" && remedy?.place === "system" && remedy.commands.length > 0,
  );
}
