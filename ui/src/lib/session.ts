// Everything the window knows, over one backend. Made once by App.svelte and handed down by context.

import { createContext } from "svelte";

import { Connections } from "../features/connections/connections.svelte";
import { Files } from "../features/drop/files.svelte";
import { HandOvers } from "../features/handover/handovers.svelte";
import { Images } from "../features/images/images.svelte";
import { Staging } from "../features/staging/staging.svelte";
import { isUnderWay } from "../features/transfers/phases";
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
  handOvers: HandOvers;
  staging: Staging;
  /** Connects the stores with the backend; the returned function disconnects them. */
  start: () => () => void;
};

export const [useSession, provideSession] = createContext<Session>();

export function makeSession(backend: Backend): Session {
  const connections = new Connections(backend);
  const images = new Images(backend, connections);
  const transfers: Transfers = new Transfers(
    backend,
    () => void images.refresh(),
    (upload) => handOvers.arrive(upload),
    () => void staging.follow(),
  );
  const staging: Staging = new Staging(backend, transfers);
  const handOvers = new HandOvers(backend, transfers);
  const files = new Files(backend, (uploadId) => {
    const upload = transfers.find(uploadId);
    return upload !== null && isUnderWay(upload.state);
  });
  return {
    backend,
    connections,
    files,
    transfers,
    uploadSettings: new UploadSettings(backend),
    images,
    handOvers,
    staging,
    start: () => {
      void connections.load().then(() => images.refresh());
      const ends = [transfers.start(), files.start(), handOvers.start()];
      return () => ends.forEach((end) => end());
    },
  };
}
