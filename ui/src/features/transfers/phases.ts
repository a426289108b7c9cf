// An upload's way as one bar with named phases, how far along it is, and what can be done with it where it stands.

import { formatTime } from "../../lib/format";
import type { Connection, Upload, UploadState } from "../../lib/generated/bindings";
import { m } from "../../lib/paraglide/messages.js";

/** The phases of the bar, in order. */
export const PHASES = ["uploading", "verifying", "importing"] as const;
export type Phase = (typeof PHASES)[number];

/** Each phase's share of the bar. Sending takes nearly all of the time; the others only have to be seen. */
const SHARE: Record<Phase, number> = { uploading: 0.7, verifying: 0.15, importing: 0.15 };

const UNDER_WAY: readonly UploadState[] = [
  "queued",
  "checking",
  "uploading",
  "waiting_for_network",
  "waiting_for_sign_in",
  "verifying",
  "importing",
];

/** It goes on by itself, now or later. */
export function isRunning(state: UploadState): boolean {
  return UNDER_WAY.includes(state);
}

/** It has been told to go on, and cannot at the moment. */
export function isWaiting(state: UploadState): boolean {
  return state === "waiting_for_network" || state === "waiting_for_sign_in";
}

/** Is it still to be taken care of: under way, or waiting for a person to import it? */
export function isUnderWay(state: UploadState): boolean {
  return isRunning(state) || state === "staged";
}

/** Nothing comes after it: it can be taken off the list, and no longer be cancelled. */
export function isFinal(state: UploadState): boolean {
  return state === "done" || state === "cancelled";
}

/** It stands still and can go on where it stood. */
export function isResumable(state: UploadState): boolean {
  return state === "paused" || state === "interrupted" || state === "failed";
}

/** It can be made to stand still; a service that makes an image of it already cannot be stopped. */
export function isPausable(state: UploadState): boolean {
  return isRunning(state) && state !== "importing";
}

/** The part that the server has acknowledged, 0 to 1. */
export function sent(upload: Upload): number {
  return upload.total > 0 ? Math.min(1, Math.max(0, upload.acknowledged / upload.total)) : 0;
}

/** The phase that a state belongs to. A staged image has come as far as its import, which a person does. */
export function phaseOf(state: UploadState): Phase | null {
  if (state === "staged") return "importing";
  return PHASES.find((phase) => phase === state) ?? null;
}

/** How full a phase's part of the bar is, 0 to 1. */
export function fill(upload: Upload, phase: Phase): number {
  if (upload.state === "done") return 1;
  const phaseNow = phaseOf(upload.state);
  const current = phaseNow === null ? -1 : PHASES.indexOf(phaseNow);
  const index = PHASES.indexOf(phase);
  if (phase === "uploading") return current > 0 ? 1 : sent(upload);
  return index < current ? 1 : 0;
}

/** How far along it is on the whole bar, 0 to 1. It never goes back. */
export function overall(upload: Upload): number {
  return PHASES.reduce((sum, phase) => sum + SHARE[phase] * fill(upload, phase), 0);
}

/** The time left in coarse words; null when nothing can be said. */
export function timeLeft({ state, time_left }: Upload): string | null {
  if (state !== "uploading" || time_left === null) return null;
  const { unit, count } = time_left;
  if (unit === "minute" && count < 1) return m.ui_time_left_moment();
  if (unit === "minute") return count === 1 ? m.ui_time_left_minute() : m.ui_time_left_minutes({ count });
  if (unit === "hour") return count === 1 ? m.ui_time_left_hour() : m.ui_time_left_hours({ count });
  return count === 1 ? m.ui_time_left_day() : m.ui_time_left_days({ count });
}

/** A phase's name. Behind an object storage a person imports: there the last one is the hand-over. */
export function phaseName(phase: Phase, byHand: boolean): string {
  if (phase === "importing" && byHand) return m.ui_phase_handover();
  return { uploading: m.ui_phase_sending, verifying: m.ui_phase_verifying, importing: m.ui_phase_importing }[
    phase
  ]();
}

export function stateWord({
  state,
  starts_at,
  published,
}: Pick<Upload, "state" | "starts_at" | "published">): string {
  if (state === "staged" && published === null) return m.ui_state_staged_private();
  const time = starts_at === null ? null : formatTime(starts_at);
  if (state === "queued" && time !== null) return m.ui_state_queued_until({ time });
  return {
    queued: m.ui_state_queued,
    checking: m.ui_state_checking,
    uploading: m.ui_state_uploading,
    paused: m.ui_state_paused,
    waiting_for_network: m.ui_state_waiting_for_network,
    waiting_for_sign_in: m.ui_state_waiting_for_sign_in,
    verifying: m.ui_state_verifying,
    importing: m.ui_state_importing,
    staged: m.ui_state_staged,
    done: m.ui_state_done,
    failed: m.ui_state_failed,
    cancelled: m.ui_state_cancelled,
    interrupted: m.ui_state_interrupted,
  }[state]();
}

/** What a state means for the person, where its word alone does not say it. */
export function stateSentence({ state, published }: Pick<Upload, "state" | "published">): string {
  if (state === "staged") return published === null ? m.ui_staged_private_text() : m.ui_staged_text();
  if (state === "interrupted") return m.ui_interrupted_text();
  if (state === "paused") return m.ui_paused_text();
  if (state === "waiting_for_network") return m.ui_waiting_for_network_text();
  return state === "waiting_for_sign_in" ? m.ui_waiting_for_sign_in_text() : "";
}

/**
 * Does a person import it? So it is behind an object storage. Of a connection that is gone the region tells: only
 * there it may be left to the panel.
 */
export function isByHand({ details }: Upload, connection: Connection | null): boolean {
  return connection === null ? details.region === "" : connection.kind === "object_storage";
}

/** Which file goes where, as far as it is known. */
export function sourceLine({ source_name: file, details }: Upload, connection: Connection | null): string {
  const { region } = details;
  if (!connection?.storage) return region === "" ? file : m.ui_upload_source({ file, region });
  const { name } = connection;
  return region === ""
    ? m.ui_upload_source({ file, region: name })
    : m.ui_upload_source_both({ file, name, region });
}
