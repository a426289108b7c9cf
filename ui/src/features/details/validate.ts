// What the program will accept as details, said while typing. The same rules and codes as `crates/app/src/details.rs`,
// which decides in the end.

import type { ApiError } from "../../lib/generated/bindings";

const LONGEST_NAME = 255;
const LONGEST_NOTES = 16_000;
const MOST_TAGS = 128;

const TAG = /^[\p{Alphabetic}\p{N}:_-]+$/u;
/** Control characters, and those of four UTF-8 bytes, which image services do not store. */
const NOT_STORED = /[\p{Cc}\u{10000}-\u{10FFFF}]/u;

function problem(code: string, params: Record<string, string> = {}): ApiError {
  return { code, params, retryable: false };
}

export function nameProblem(typed: string): ApiError | null {
  const name = typed.trim();
  if (name === "") return problem("details_name_empty");
  if ([...name].length > LONGEST_NAME)
    return problem("details_name_too_long", { most: String(LONGEST_NAME) });
  const character = NOT_STORED.exec(name)?.[0];
  return character === undefined ? null : problem("details_name_character", { character });
}

export function tagProblem(tag: string): ApiError | null {
  const valid = TAG.test(tag) && !NOT_STORED.test(tag) && [...tag].length <= LONGEST_NAME;
  return valid ? null : problem("details_tag_invalid", { tag });
}

export function tagsProblem(tags: readonly string[]): ApiError | null {
  return tags.length > MOST_TAGS ? problem("details_too_many_tags", { most: String(MOST_TAGS) }) : null;
}

export function notesProblem(typed: string): ApiError | null {
  const notes = typed.trim();
  if ([...notes].length > LONGEST_NOTES)
    return problem("details_notes_too_long", { most: String(LONGEST_NOTES) });
  const character = NOT_STORED.exec(notes.replaceAll(/[\n\r\t]/g, ""))?.[0];
  return character === undefined ? null : problem("details_notes_character", { character });
}

/** Adds a tag unless it is there already; upper and lower case are the same tag, the first writing stays. */
export function withTag(tags: readonly string[], tag: string): string[] {
  const known = tags.some((kept) => kept.toLowerCase() === tag.toLowerCase());
  return known ? [...tags] : [...tags, tag];
}
