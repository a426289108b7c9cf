// An upload's way as one bar with named phases, and how far along it is.

import type { Upload, UploadState } from "../../lib/generated/bindings";
import { m } from "../../lib/paraglide/messages.js";

/** The phases of the bar, in order. */
export const PHASES = ["uploading", "verifying", "importing"] as const;
export type Phase = (typeof PHASES)[number];

/** Each phase's share of the bar. Sending takes nearly all of the time; the others only have to be seen. */
const SHARE: Record<Phase, number> = { uploading: 0.7, verifying: 0.15, importing: 0.15 };

export function isRunning(state: UploadState): boolean {
  return state === "queued" || state === "uploading" || state === "verifying" || state === "importing";
}

/** Nothing comes after it: it can be taken off the list, and no longer be cancelled. */
export function isFinal(state: UploadState): boolean {
  return state === "done" || state === "cancelled";
}

/** It stands still and can go on where it stood. */
export function isResumable(state: UploadState): boolean {
  return state === "interrupted" || state === "failed";
}

/** The part that the server has acknowledged, 0 to 1. */
export function sent(upload: Upload): number {
  return upload.total > 0 ? Math.min(1, Math.max(0, upload.acknowledged / upload.total)) : 0;
}

/** How full a phase's part of the bar is, 0 to 1. */
export function fill(upload: Upload, phase: Phase): number {
  if (upload.state === "done") return 1;
  const current = PHASES.findIndex((name) => name === upload.state);
  const index = PHASES.indexOf(phase);
  if (phase === "uploading") return current > 0 ? 1 : sent(upload);
  return index < current ? 1 : 0;
}

/** How far along it is on the whole bar, 0 to 1. It never goes back. */
export function overall(upload: Upload): number {
  return PHASES.reduce((sum, phase) => sum + SHARE[phase] * fill(upload, phase), 0);
}

/** Seconds that sending will still take at the present rate; null when nothing can be said. */
export function secondsLeft(upload: Upload): number | null {
  const rate = upload.bytes_per_second;
  if (upload.state !== "uploading" || rate === null || rate <= 0) return null;
  const seconds = (upload.total - upload.acknowledged) / rate;
  return Number.isFinite(seconds) && seconds > 0 ? seconds : null;
}

export function phaseName(phase: Phase): string {
  return { uploading: m.ui_phase_sending, verifying: m.ui_phase_verifying, importing: m.ui_phase_importing }[
    phase
  ]();
}

export function stateWord(state: UploadState): string {
  return {
    queued: m.ui_state_queued,
    uploading: m.ui_state_uploading,
    verifying: m.ui_state_verifying,
    importing: m.ui_state_importing,
    done: m.ui_state_done,
    failed: m.ui_state_failed,
    cancelled: m.ui_state_cancelled,
    interrupted: m.ui_state_interrupted,
  }[state]();
}
