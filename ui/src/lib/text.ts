// Codes into sentences. The only place that looks messages up by a name made at run time; a code without a sentence
// gets a general one that names the code, so that nobody is ever left with an empty line.

import { formatNumber } from "./format";
import type {
  ApiError,
  Distribution,
  Finding,
  FindingKind,
  Remedy,
  TestStep,
  TestStepKind,
} from "./generated/bindings";
import type { Outlook } from "../features/report/sections";
import { m } from "./paraglide/messages.js";

type Message = (inputs?: Record<string, unknown>) => string;

const catalogue = m as unknown as Readonly<Record<string, Message | undefined>>;

/** The sentence of that name, or null when there is none. A placeholder without a value, or with an empty one, reads "?". */
function sentence(key: string, params: Readonly<Record<string, string>> = {}): string | null {
  const message = Object.hasOwn(catalogue, key) ? catalogue[key] : undefined;
  if (!message) return null;
  const inputs = new Proxy(params, {
    get: (target, name) =>
      typeof name === "string" && Object.hasOwn(target, name) ? shown(name, target[name]) : "?",
  });
  return message(inputs);
}

/** Numbers of units (`gb`, `limit_gib`, `bytes`, …) follow the language; everything else is shown as it came. */
function shown(name: string, value: string | undefined): string {
  const isNumber = /(^|_)(bytes|gb|gib)$/.test(name) && value !== undefined && /^\d+(\.\d+)?$/.test(value);
  return isNumber ? formatNumber(Number(value)) : value || "?";
}

export type ErrorText = { what: string; next: string };

export function errorText(error: ApiError): ErrorText {
  const { code, params } = error;
  return {
    what: sentence(`error_${code}`, params) ?? m.ui_error_unexpected({ code }),
    next:
      sentence(`error_${code}_next`, params) ??
      (error.retryable ? m.ui_error_unexpected_retry() : m.ui_error_unexpected_next()),
  };
}

/** A verdict's own words, or those of what has to be told in its place. */
export function verdictTitle(outlook: Outlook): string {
  return sentence(`outlook_${outlook}`) ?? sentence(`verdict_${outlook}`) ?? outlook;
}

export function verdictSentence(outlook: Outlook): string {
  return sentence(`outlook_${outlook}_long`) ?? sentence(`verdict_${outlook}_long`) ?? "";
}

/** Nobody asked for what an advice finds missing: there is nothing to be "not met". */
export function statusWord({ status, kind }: Finding): string {
  if (status === "fail" && kind === "advice") return m.report_advice_fail();
  return sentence(`status_${status}`) ?? status;
}

export function kindWord(kind: FindingKind): string {
  return sentence(`kind_${kind}`) ?? kind;
}

/** How sure a finding is in one word, where it is not certain. */
export function certaintyWord({ certainty }: Finding): string {
  return certainty === "certain" ? "" : (sentence(`certainty_${certainty}`) ?? "");
}

/** How sure a finding is, where it is not certain. */
export function certaintySentence({ certainty }: Finding): string {
  if (certainty === "likely") return m.ui_certainty_likely();
  return certainty === "possible" ? m.ui_certainty_possible() : "";
}

/** Where a remedy's commands are run. */
export function commandsPlace({ place, destructive }: Remedy): string {
  if (destructive) return m.report_commands_destructive();
  return place === "file" ? m.report_commands_file() : m.report_commands_system();
}

export function findingTitle(finding: Finding): string {
  return sentence(`finding_${finding.code}_title`, finding.params) ?? finding.code.replaceAll("_", " ");
}

export function findingSentence(finding: Finding): string {
  const { reason, details, params } = finding;
  // What kept a rule from judging is a code of its own: of the reader of the disk (`error_`) or of its files (`unknown_`);
  // so is what the reader of the disk notes (`note_`).
  const cause = params["cause"];
  const explained =
    cause &&
    (sentence(`unknown_${cause}`, params) ??
      sentence(`error_${cause}`, params) ??
      sentence(`note_${cause}`, params));
  const said = [reason, ...details].map(
    (code) => sentence(`reason_${code}`, params) ?? (explained ? null : m.ui_finding_unexplained({ code })),
  );
  return [...said, explained].filter(Boolean).join(" ");
}

/** Why the rule matters. */
export function findingWhy(finding: Finding): string {
  return sentence(`finding_${finding.code}_why`, finding.params) ?? "";
}

export function remedySentence(finding: Finding): string {
  return finding.remedy ? (sentence(`remedy_${finding.remedy.code}`, finding.params) ?? "") : "";
}

const DISTRIBUTION_NAMES: Record<Exclude<Distribution, "unknown">, string> = {
  arch: "Arch Linux",
  fedora: "Fedora",
  ubuntu: "Ubuntu",
  centos: "CentOS",
  debian: "Debian",
};

/** In the order of ccloud³'s own panel. */
export const DISTRIBUTIONS: readonly Distribution[] = [
  "arch",
  "fedora",
  "ubuntu",
  "centos",
  "debian",
  "unknown",
];

export function distributionName(distribution: Distribution): string {
  return distribution === "unknown" ? m.ui_distribution_unknown() : DISTRIBUTION_NAMES[distribution];
}

/** As ccloud³'s panel lists it. */
export function panelDistribution(distribution: Distribution): string {
  return distribution === "unknown" ? m.ui_handover_distribution_unknown() : DISTRIBUTION_NAMES[distribution];
}

/** The cloud's word for an image's state, in the person's language where it is one we know. */
export function imageStatus(status: string): string {
  return sentence(`ui_image_status_${status}`) ?? status;
}

/** What a step of a connection's test tries. */
export function testStepTitle(kind: TestStepKind): string {
  return sentence(`connection_step_${kind}`) ?? kind;
}

/** How a step went, and what to do where it did not go well. */
export function testStepText({ kind, outcome }: TestStep): ErrorText {
  if (outcome.result === "skipped") return { what: m.connection_step_skipped(), next: "" };
  if (outcome.result !== "passed") return errorText(outcome.error);
  const { params } = outcome;
  const noted = params["note"] && sentence(`connection_step_${kind}_${params["note"]}`, params);
  return { what: noted || (sentence(`connection_step_${kind}_passed`, params) ?? ""), next: "" };
}
