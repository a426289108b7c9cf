// What a person has said about a file so far, and how sending it stands. It belongs to the file, not to the form: the
// form goes while the file is checked again, and what was typed stays.

import type { ApiError, Distribution, ImageDetails, Suggested } from "../../lib/generated/bindings";

export class Draft {
  /** Null until it is touched: till then the check's suggestion stands. */
  name = $state<string | null>(null);
  /** Null until it is touched, like the name. */
  distribution = $state<Distribution | null>(null);
  /** Null until it is touched: till then the connection's first region stands. */
  region = $state<string | null>(null);
  tags = $state.raw<string[]>([]);
  /** What is in the field for tags and no tag yet. */
  typedTag = $state("");
  notes = $state("");
  /** Is the upload being asked for? */
  sending = $state(false);
  /** Why the upload did not begin. */
  error = $state.raw<ApiError | null>(null);

  /** What would be sent now: what was typed, else what stands there until it is. */
  details(suggested: Suggested, regions: readonly string[]): ImageDetails {
    return {
      name: (this.name ?? suggested.name).trim(),
      distribution: this.distribution ?? suggested.distribution,
      region: this.region ?? regions[0] ?? "",
      tags: [...this.tags],
      notes: this.notes.trim(),
    };
  }
}
