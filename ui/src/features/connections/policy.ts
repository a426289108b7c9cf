// How an image is opened for the import. A bucket's policy is changed only where a person has said yes to that.

import type { PublicBy } from "../../lib/generated/bindings";
import { m } from "../../lib/paraglide/messages.js";
import { questions } from "../../lib/questions.svelte";
import type { ConnectionForm } from "./form.svelte";

/** Takes the choice once it has been agreed to; true when it holds. */
export async function choosePublicBy(form: ConnectionForm, by: PublicBy): Promise<boolean> {
  // What is shown as chosen follows the person's press; a no takes it back.
  form.publicBy = by;
  if (by === "acl") return true;
  const agreed = await questions.ask({
    title: m.ui_connection_policy_title(),
    text: m.ui_connection_policy_text(),
    yes: m.ui_connection_policy_yes(),
    no: m.ui_connection_policy_no(),
    grave: false,
  });
  if (!agreed) form.publicBy = "acl";
  return agreed;
}
