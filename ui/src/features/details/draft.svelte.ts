// What a person has said about a file so far, and how sending it stands. It belongs to the file, not to the form: the
// form goes while the file is checked again, and what was typed stays.

import { SvelteMap } from "svelte/reactivity";

import type {
  ApiError,
  Connection,
  Distribution,
  ImageDetails,
  Suggested,
} from "../../lib/generated/bindings";

export class Draft {
  /** Null until it is touched: till then the check's suggestion stands. */
  name = $state<string | null>(null);
  /** Null until it is touched, like the name. */
  distribution = $state<Distribution | null>(null);
  tags = $state.raw<string[]>([]);
  /** What is in the field for tags and no tag yet. */
  typedTag = $state("");
  notes = $state("");
  /** Is the upload being asked for? */
  sending = $state(false);
  /** Why the upload did not begin. */
  error = $state.raw<ApiError | null>(null);

  /** What was said about the region, by the connection's id: each has its own regions. */
  #regions = new SvelteMap<string, string>();

  /** The region behind a connection: what was said, else its first one; may be empty behind an object storage. */
  regionAt(connection: Connection | null): string {
    const said = this.#regions.get(connection?.id ?? "");
    const regions = connection?.regions ?? [];
    const possible = connection?.kind === "object_storage" || regions.includes(said ?? "");
    return said !== undefined && possible ? said : (regions[0] ?? "");
  }

  chooseRegion(connection: Connection, region: string): void {
    this.#regions.set(connection.id, region);
  }

  /** What would be sent now: what was typed, else what stands there until it is. */
  details(suggested: Suggested, connection: Connection | null): ImageDetails {
    return {
      name: (this.name ?? suggested.name).trim(),
      distribution: this.distribution ?? suggested.distribution,
      region: this.regionAt(connection).trim(),
      tags: [...this.tags],
      notes: this.notes.trim(),
    };
  }
}
