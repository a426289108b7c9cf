// Numbers for people: sizes, rates, times, dates, in the window's language.

import { getLocale } from "./paraglide/runtime.js";

const DECIMAL = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
const BINARY = ["KiB", "MiB", "GiB", "TiB"] as const;

/** How many digits after the point say something: 1.25, 12.5, 125. */
function digits(value: number): number {
  if (value < 10) return 2;
  return value < 100 ? 1 : 0;
}

function scale(bytes: number, base: number, steps: number): { value: number; step: number } {
  let value = bytes;
  let step = 0;
  // 999.6 would be shown as 1,000 of the smaller unit.
  while (step < steps && value >= base - 0.5) {
    value /= base;
    step += 1;
  }
  return { value, step };
}

/** Decimal units, as disks and providers count: 1.5 GB. */
export function formatSize(bytes: number): string {
  const { value, step } = scale(bytes, 1000, DECIMAL.length - 1);
  return new Intl.NumberFormat(getLocale(), {
    style: "unit",
    unit: DECIMAL[step] ?? "byte",
    unitDisplay: step === 0 ? "long" : "short",
    maximumFractionDigits: step === 0 ? 0 : digits(value),
  }).format(value);
}

/** Decimal and, from one MiB on, binary units, as systems count: 1.5 GB (1.4 GiB). */
export function formatBothSizes(bytes: number): string {
  if (bytes < 1024 ** 2) return formatSize(bytes);
  const { value, step } = scale(bytes, 1024, BINARY.length);
  const number = new Intl.NumberFormat(getLocale(), { maximumFractionDigits: digits(value) }).format(value);
  return `${formatSize(bytes)} (${number}\u00a0${BINARY[step - 1] ?? "KiB"})`;
}

/** 12.5 MB/s. */
export function formatRate(bytesPerSecond: number): string {
  const { value, step } = scale(bytesPerSecond, 1000, DECIMAL.length - 1);
  return new Intl.NumberFormat(getLocale(), {
    style: "unit",
    unit: `${DECIMAL[step] ?? "byte"}-per-second`,
    unitDisplay: "short",
    maximumFractionDigits: step === 0 ? 0 : digits(value),
  }).format(value);
}

export function formatPercent(fraction: number): string {
  return new Intl.NumberFormat(getLocale(), { style: "percent" }).format(fraction);
}

export function formatNumber(value: number): string {
  return new Intl.NumberFormat(getLocale()).format(value);
}

/** Date and time to the minute; null for what is no date. */
export function formatDate(iso: string): string | null {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return null;
  return new Intl.DateTimeFormat(getLocale(), { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** The time of day; null for what is no date. */
export function formatTime(iso: string): string | null {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return null;
  return new Intl.DateTimeFormat(getLocale(), { timeStyle: "short" }).format(date);
}

/** An address as a person writes it: the program adds a slash to a server's name. */
export function shortAddress(address: string): string {
  return address.replace(/^(\w+:\/\/[^/]+)\/$/, "$1");
}
