// Object storages for the fake backend: what stands in them, and what is handed over of it.

import type { Connection, HandOver, StagingObject, Upload } from "../generated/bindings";
import { storage } from "./fake-connections";

export function stagingObject(more: Partial<StagingObject> = {}): StagingObject {
  return {
    connection: "shop",
    key: "imagelotse/00112233445566778899aabbccddeeff/debian-12.qcow2",
    file_name: "debian-12.qcow2",
    size: 1_504_706_560,
    kind: { is: "object" },
    since: "2026-11-20T09:41:00Z",
    upload: null,
    public: true,
    public_until: "2026-11-27T09:41:00Z",
    ...more,
  };
}

/** What an upload's hand-over tells, behind a connection. */
export function handOver(upload: Upload, connection: Connection | undefined): HandOver {
  const { endpoint, bucket, panel } = connection?.storage ?? storage();
  return {
    upload: upload.id,
    url: ["https:", "", endpoint, bucket, keyOf(upload)].join("/"),
    file_name: upload.source_name,
    size: upload.total,
    details: upload.details,
    panel,
    published: upload.published,
    public_until: upload.public_until,
  };
}

/** The key of an upload's staging object. */
export function keyOf(upload: Upload): string {
  return `imagelotse/ffeeddccbbaa99887766554433221100/${encodeURIComponent(upload.source_name)}`;
}
