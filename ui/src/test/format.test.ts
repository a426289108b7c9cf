import { beforeEach, expect, test } from "vitest";

import { formatBothSizes, formatDate, formatRate, formatSize } from "../lib/format";
import { language } from "../lib/locale.svelte";

beforeEach(() => {
  localStorage.clear();
  language.init(["de-DE"]);
});

test.each([
  [0, "0 Byte"],
  [1, "1 Byte"],
  [999, "999 Byte"],
  [1000, "1 kB"],
  [1_504_706_560, "1,5 GB"],
  [999_999_999, "1 GB"],
  [100_000_000_000, "100 GB"],
  [Number.MAX_SAFE_INTEGER, "9.007 TB"],
])("%d bytes read %s", (bytes, text) => {
  expect(formatSize(bytes).replaceAll("\u00a0", " ")).toBe(text);
});

test("binary units stand beside decimal ones", () => {
  expect(formatBothSizes(2_147_483_648).replaceAll("\u00a0", " ")).toBe("2,15 GB (2 GiB)");
  expect(formatBothSizes(1000).replaceAll("\u00a0", " "), "where both say the same, one is enough").toBe(
    "1 kB",
  );
});

test("rates carry their unit", () => {
  expect(formatRate(12_400_000).replaceAll("\u00a0", " ")).toBe("12,4 MB/s");
  expect(formatRate(0)).toContain("0");
});

test("what is no date is not made one", () => {
  expect(formatDate("yesterday")).toBeNull();
  expect(formatDate("2026-11-20T09:41:00Z")).toContain("2026");
});

test("an unknown language falls back to English", () => {
  language.init(["xx", "fr-CA"]);
  expect(language.current).toBe("en");
  language.init(["fr-CA", "de-AT"]);
  expect(language.current, "the first of the system's languages that there is").toBe("de");
});
