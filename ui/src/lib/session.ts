// Everything the window knows, over one backend. Made once by App.svelte and handed down by context.

import { createContext } from "svelte";

import { Connections } from "../features/connections/connections.svelte";
import { Files } from "../features/drop/files.svelte";
import { Images } from "../features/images/images.svelte";
import { isRunning } from "../features/transfers/phases";
import { UploadSettings } from "../features/transfers/settings.svelte";
import { Transfers } from "../features/transfers/transfers.svelte";
import type { Backend } from "./backend/backend";

export type Session = {
  backend: Backend;
  connections: Connections;
  files: Files;
  transfers: Transfers;
  uploadSettings: UploadSettings;
  images: Images;
  /** Connects the stores with the backend; the returned function disconnects them. */
  start: () => () => void;
};

export const [useSession, provideSession] = createContext<Session>();

export function makeSession(backend: Backend): Session {
  const connections = new Connections(backend);
  const images = new Images(backend, connections);
  const transfers = new Transfers(backend, () => void images.refresh());
  const files = new Files(backend, (uploadId) => {
    const upload = transfers.find(uploadId);
    return upload !== null && isRunning(upload.state);
  });
  return {
    backend,
    connections,
    files,
    transfers,
    uploadSettings: new UploadSettings(backend),
    images,
    start: () => {
      void connections.load().then(() => images.refresh());
      const ends = [transfers.start(), files.start()];
      return () => ends.forEach((end) => end());
    },
  };
}
