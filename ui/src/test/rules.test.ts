// Rules of the house that no compiler knows: one catalogue in two equal languages, one way to Tauri, a strict
// content security policy, and colours that can be read.

import { describe, expect, test } from "vitest";

import de from "../../messages/de.json";
import en from "../../messages/en.json";
import { sources } from "./sources";

const german = de as Record<string, string>;
const english = en as Record<string, string>;

function placeholders(text: string | undefined): string[] {
  return [...new Set(text?.match(/\{\w+\}/g))].sort();
}

describe("messages", () => {
  test("German and English have the same keys", () => {
    expect(Object.keys(german).sort()).toEqual(Object.keys(english).sort());
  });

  test("and the same placeholders", () => {
    const unequal = Object.keys(german).filter(
      (key) => placeholders(german[key]).join() !== placeholders(english[key]).join(),
    );
    expect(unequal).toEqual([]);
  });

  test("none is empty", () => {
    const empty = [german, english].flatMap((texts) =>
      Object.entries(texts).filter(([, text]) => text.trim() === ""),
    );
    expect(empty).toEqual([]);
  });

  test("every message the window uses is there, and it uses every one of its own", () => {
    const used = new Set(
      sources().flatMap(({ text }) => [...text.matchAll(/\bm\.(\w+)/g)].map((match) => match[1])),
    );
    expect([...used].filter((key) => key !== undefined && !(key in english))).toEqual([]);
    const own = Object.keys(english).filter(
      (key) => key.startsWith("ui_") && !key.startsWith("ui_image_status_"),
    );
    expect(own.filter((key) => !used.has(key))).toEqual([]);
  });

  test("every error says what to do next", () => {
    const errors = Object.keys(english).filter((key) => key.startsWith("error_") && !key.endsWith("_next"));
    expect(errors.filter((key) => !(`${key}_next` in english))).toEqual([]);
  });
});

test("only one file knows of Tauri", () => {
  const knowing = sources().filter(({ text }) => text.includes('"@tauri-apps/'));
  expect(knowing.map(({ path }) => path)).toEqual(["lib/backend/tauri.ts"]);
});

test("messages are looked up by a name made at run time in one file only", () => {
  const looking = sources().filter(({ text }) => /\bm\[|\bm as\b/.test(text));
  expect(looking.map(({ path }) => path)).toEqual(["lib/text.ts"]);
});

test("no literal style attribute, no markup from strings, no address on the network", () => {
  const offending = sources().filter(({ text }) => /\sstyle="|\{@html|innerHTML|https?:\/\//.test(text));
  expect(offending.map(({ path }) => path)).toEqual([]);
});

describe("colours", () => {
  const tokens = sources().find(({ path }) => path === "tokens.css")?.text ?? "";
  const values = new Map(
    [...tokens.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(
      ([, name = "", light = "", dark = ""]) => [name, { light, dark }],
    ),
  );

  // WCAG 2.2, "relative luminance" and "contrast ratio".
  const luminance = (colour: string): number => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one: string, other: string): number => {
    const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (lighter + 0.05) / (darker + 0.05);
  };

  const text: [string, string[]][] = [
    [
      "ink",
      ["paper", "surface", "sunken", "sea-tint", "pass-tint", "warning-tint", "fail-tint", "unknown-tint"],
    ],
    ["muted", ["paper", "surface", "sunken", "sea-tint"]],
    ["sea", ["surface", "sunken", "sea-tint"]],
    ["on-sea", ["sea", "sea-strong"]],
    ["on-fail", ["fail", "fail-strong"]],
    ["practice", ["practice-tint"]],
    ...["pass", "warning", "fail", "unknown"].map((name): [string, string[]] => [
      name,
      ["surface", "sunken", `${name}-tint`],
    ]),
  ];
  const shapes: [string, string[]][] = [
    ["outline", ["surface", "paper", "sunken"]],
    ["sea", ["paper"]],
    ["surface", ["pass", "warning", "fail", "unknown"]],
  ];
  const pairs = [
    ...text.flatMap(([front, backs]) => backs.map((back) => ({ front, back, least: 4.5 }))),
    ...shapes.flatMap(([front, backs]) => backs.map((back) => ({ front, back, least: 3 }))),
  ];

  test.each(pairs)("$front on $back can be told apart", ({ front, back, least }) => {
    for (const scheme of ["light", "dark"] as const) {
      const ratio = contrast(values.get(front)?.[scheme] ?? "", values.get(back)?.[scheme] ?? "");
      expect(ratio, scheme).toBeGreaterThanOrEqual(least);
    }
  });
});
