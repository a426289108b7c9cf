// Made by `cargo xtask types` from crates/api. Do not edit: a test compares.

export type Evidence = { path: string | null, line: number | null, value: string | null, };

export type SourceSummary = { 
/**
 * File name without its folder.
 */
name: string, 
/**
 * Bytes of the file itself.
 */
size: number, };

export type Verdict = "ready" | "ready_with_warnings" | "will_not_work" | "unknown";

export type ContainerSummary = { 
/**
 * `raw`, `qcow2`, ...; null while a compression hides it.
 */
format: string | null, 
/**
 * The format's own word for its kind.
 */
variant: string | null, 
/**
 * Size of the disk a VM would see, in bytes.
 */
virtual_size: number | null, };

export type DiskSummary = { 
/**
 * `gpt`, `mbr`, `none`; null when unknown.
 */
table: string | null, 
/**
 * Logical sector in bytes.
 */
sector_size: number | null, };

export type RootSummary = { 
/**
 * `ext4`, ...
 */
filesystem: string, 
/**
 * Number as the table counts; null without a table.
 */
partition: number | null, 
/**
 * What lies between partition and filesystem.
 */
layers: Array<string>, };

export type OsSummary = { 
/**
 * `linux`, `freebsd`, `windows`, ...
 */
family: string, 
/**
 * os-release's `ID`.
 */
distribution: string | null, 
/**
 * os-release's `VERSION_ID`.
 */
version: string | null, 
/**
 * `x86_64`, ...
 */
architecture: string | null, 
/**
 * os-release's `PRETTY_NAME`.
 */
name: string | null, };

export type AgentSummary = { 
/**
 * `cloud-init`, ...
 */
kind: string, 
/**
 * Full version.
 */
version: string | null, 
/**
 * Does it run at boot?
 */
enabled: boolean | null, };

export type DatasourceSummary = { 
/**
 * In the order in which they are tried.
 */
list: Array<string>, 
/**
 * The place that decided first.
 */
from: Array<Evidence>, };

export type LoginSummary = { 
/**
 * The name to log in with; null when the key is given to root or to nobody.
 */
user: string | null, 
/**
 * Does root get the key so that it can be used?
 */
root: boolean, };

export type SshdSummary = { 
/**
 * Is it there?
 */
installed: boolean | null, 
/**
 * Is it started at boot?
 */
enabled: boolean | null, };

export type FindingKind = "requirement" | "advice";

export type Status = "pass" | "warning" | "fail" | "unknown";

export type Certainty = "certain" | "likely" | "possible";

export type RemedyPlace = "system" | "file";

export type Remedy = { 
/**
 * Message `remedy_<code>` says what to do; it may use the finding's parameters.
 */
code: string, 
/**
 * Where the commands are run.
 */
place: RemedyPlace, 
/**
 * Do the commands take away what may be the only copy, or somebody's own way in? A person decides; no script runs them.
 */
destructive: boolean, 
/**
 * Commands for the image's distribution, one each; may be empty.
 */
commands: Array<string>, };

export type Finding = { 
/**
 * The rule's stable code, for example `datasource_order`.
 */
code: string, 
/**
 * Does it decide the verdict?
 */
kind: FindingKind, 
/**
 * What came out.
 */
status: Status, 
/**
 * Which of the rule's sentences applies (message `reason_<reason>`), for example `datasource_order_nocloud_first`.
 */
reason: string, 
/**
 * What else is to be said, one sentence each: codes as in `reason`, with the same parameters. Often none.
 */
details: Array<string>, 
/**
 * How sure that is.
 */
certainty: Certainty, 
/**
 * Where it was read.
 */
evidence: Array<Evidence>, 
/**
 * Parameters of the sentences.
 */
params: Record<string, string>, 
/**
 * How to mend it; null where there is nothing to mend.
 */
remedy: Remedy | null, };

export type Report = { 
/**
 * 1.
 */
schema: number, 
/**
 * The file.
 */
source: SourceSummary, 
/**
 * What it all comes to.
 */
verdict: Verdict, 
/**
 * The container.
 */
container: ContainerSummary, 
/**
 * `gzip`, `bzip2`, `xz`, `zstd` or null.
 */
compression: string | null, 
/**
 * The partition table.
 */
disk: DiskSummary, 
/**
 * The root filesystem; null when unknown or none.
 */
root: RootSummary | null, 
/**
 * The operating system; null when unknown or none.
 */
os: OsSummary | null, 
/**
 * The configuring program; null when unknown or none.
 */
agent: AgentSummary | null, 
/**
 * cloud-init's datasources; null when unknown or not asked.
 */
datasources: DatasourceSummary | null, 
/**
 * The SSH server.
 */
sshd: SshdSummary, 
/**
 * Who gets the VM's SSH key; null when unknown or when nothing gives it to anybody.
 */
login: LoginSummary | null, 
/**
 * One finding per requirement, then one per advice whose question arises, in the rules' order.
 */
findings: Array<Finding>, };

export type ApiError = { 
/**
 * Stable code (`snake_case`).
 */
code: string, 
/**
 * Parameters of the sentences.
 */
params: Record<string, string>, 
/**
 * Can the same thing be tried again with hope?
 */
retryable: boolean, };

export type Distribution = "arch" | "fedora" | "ubuntu" | "centos" | "debian" | "unknown";

export type Suggested = { 
/**
 * From the file's name.
 */
name: string, 
/**
 * From the system on the disk.
 */
distribution: Distribution, };

export type CheckedFile = { 
/**
 * The path that was asked for.
 */
path: string, 
/**
 * What was found.
 */
report: Report, 
/**
 * What the details form begins with.
 */
suggested: Suggested, };

export type ImageDetails = { 
/**
 * Name.
 */
name: string, 
/**
 * Distribution.
 */
distribution: Distribution, 
/**
 * Region.
 */
region: string, 
/**
 * Each one word of letters, digits, `:`, `-`, `_`.
 */
tags: Array<string>, 
/**
 * Free text.
 */
notes: string, };

export type Language = "de" | "en";

export type ExportFormat = "text" | "json" | "html" | "script" | "mail";

export type ExportRequest = { 
/**
 * The report as it was shown.
 */
report: Report, 
/**
 * Its form.
 */
format: ExportFormat, 
/**
 * Its language, or the one that comes first.
 */
language: Language, 
/**
 * What was said about the image so far, for the mail.
 */
details: ImageDetails | null, };

export type UploadRequest = { 
/**
 * The file.
 */
path: string, 
/**
 * Id of the connection.
 */
connection: string, 
/**
 * The wished-for image.
 */
details: ImageDetails, };

export type Addressing = "path" | "virtual_host";

export type PublicBy = "acl" | "bucket_policy";

export type SecretPlace = "keychain" | "file" | "ask";

export type ObjectStorage = { 
/**
 * What the person calls it.
 */
name: string, 
/**
 * The service's address as typed; without a scheme it is HTTPS.
 */
endpoint: string, 
/**
 * Region to sign for.
 */
region: string, 
/**
 * The bucket that takes staging objects.
 */
bucket: string, 
/**
 * Where the bucket stands in addresses.
 */
addressing: Addressing, 
/**
 * Access key.
 */
access_key: string, 
/**
 * How a staging object is made readable.
 */
public_by: PublicBy, 
/**
 * Where the secret key is kept.
 */
secret_in: SecretPlace, 
/**
 * Address of the control panel; null where it was not told.
 */
panel: string | null, 
/**
 * Names of the panel's regions that the person has noted.
 */
image_regions: Array<string>, };

export type TypedSecret = string;

export type ProfileSource = "aws" | "rclone";

export type SecretSource = { "from": "typed", 
/**
 * What was typed.
 */
secret: TypedSecret, } | { "from": "kept", 
/**
 * Its id.
 */
connection: string, } | { "from": "profile", 
/**
 * Whose profile it is.
 */
source: ProfileSource, 
/**
 * Its name there.
 */
name: string, };

export type ConnectionDraft = { 
/**
 * Everything but the secret.
 */
storage: ObjectStorage, 
/**
 * The secret.
 */
secret: SecretSource, };

export type ConnectionKind = "practice" | "object_storage";

export type Connection = { 
/**
 * Names it in calls.
 */
id: string, 
/**
 * What it is.
 */
kind: ConnectionKind, 
/**
 * What the person calls it; empty for the practice cloud.
 */
name: string, 
/**
 * Regions that take images, the preset first; those the person noted where the service does not tell.
 */
regions: Array<string>, 
/**
 * What the person told of it; null for the practice cloud.
 */
storage: ObjectStorage | null, 
/**
 * What keeps it from being used now, such as `secret_needed`.
 */
needs: ApiError | null, };

export type Profile = { 
/**
 * Whose it is.
 */
source: ProfileSource, 
/**
 * Its name there.
 */
name: string, 
/**
 * The service's address; null where the profile tells none.
 */
endpoint: string | null, 
/**
 * Region to sign for.
 */
region: string | null, 
/**
 * Access key.
 */
access_key: string | null, 
/**
 * Where the bucket stands in addresses.
 */
addressing: Addressing, 
/**
 * Why it cannot be used.
 */
problem: ApiError | null, };

export type Profiles = { 
/**
 * In the order of their files.
 */
found: Array<Profile>, 
/**
 * Files that are there but could not be read.
 */
unreadable: Array<ApiError>, };

export type SecretFile = "none" | "locked" | "unlocked";

export type SecretPlaces = { 
/**
 * Why the system's keychain cannot be used; null where it can.
 */
keychain: ApiError | null, 
/**
 * The encrypted file.
 */
file: SecretFile, };

export type TestStepKind = "name" | "reach" | "clock" | "sign_in" | "bucket" | "write" | "public_read" | "delete";

export type TestOutcome = { "result": "passed", 
/**
 * Parameters of the sentence that says so.
 */
params: Record<string, string>, } | { "result": "warned", 
/**
 * What.
 */
error: ApiError, } | { "result": "failed", 
/**
 * Why.
 */
error: ApiError, } | { "result": "skipped" };

export type TestStep = { 
/**
 * What was tried.
 */
kind: TestStepKind, 
/**
 * How it went.
 */
outcome: TestOutcome, };

export type UploadState = "queued" | "checking" | "uploading" | "paused" | "waiting_for_network" | "waiting_for_sign_in" | "verifying" | "importing" | "staged" | "done" | "failed" | "cancelled" | "interrupted";

export type TimeUnit = "minute" | "hour" | "day";

export type TimeLeft = { 
/**
 * In what it is told.
 */
unit: TimeUnit, 
/**
 * How many of them; 0 minutes: less than one.
 */
count: number, };

export type Upload = { 
/**
 * Names it for good (UUID).
 */
id: string, 
/**
 * Id of its connection.
 */
connection: string, 
/**
 * Name of the file without its folder.
 */
source_name: string, 
/**
 * The wished-for image.
 */
details: ImageDetails, 
/**
 * Where it stands.
 */
state: UploadState, 
/**
 * Bytes acknowledged by the service.
 */
acknowledged: number, 
/**
 * Bytes in all.
 */
total: number, 
/**
 * Moving average; null until it can be told.
 */
bytes_per_second: number | null, 
/**
 * Until all bytes have arrived; null until it can be told.
 */
time_left: TimeLeft | null, 
/**
 * When the hours in which uploads may run begin (RFC 3339); null when it does not wait for them.
 */
starts_at: string | null, 
/**
 * Since when everybody who knows the staging object's address can read it (RFC 3339); null while it is private.
 */
published: string | null, 
/**
 * Until when, at the latest (RFC 3339).
 */
public_until: string | null, 
/**
 * The image, once the service was asked to make it.
 */
image_id: string | null, 
/**
 * Why it failed, or what it waits for.
 */
error: ApiError | null, 
/**
 * When it was asked for (RFC 3339).
 */
created: string, };

export type Hours = { 
/**
 * `HH:MM`, included.
 */
from: string, 
/**
 * `HH:MM`, not included.
 */
until: string, };

export type Settings = { 
/**
 * How many uploads run at the same time, from 1 to 4.
 */
at_once: number, 
/**
 * Bytes a second that all uploads take together, at least 1000; null for no limit.
 */
bytes_per_second: number | null, 
/**
 * The hours in which uploads may run; null for always.
 */
hours: Hours | null, 
/**
 * Keeps the computer from falling asleep while an upload runs.
 */
keep_awake: boolean, 
/**
 * So many days after a staging object was made public it becomes private again, from 1 to 90.
 */
staging_days: number, };

export type Image = { 
/**
 * The service's id.
 */
id: string, 
/**
 * Region in which it is.
 */
region: string, 
/**
 * Name.
 */
name: string, 
/**
 * The service's word: `queued`, `importing`, `active`, ...
 */
status: string, 
/**
 * Stored bytes, once known.
 */
size: number | null, 
/**
 * `raw`, `qcow2`, ...
 */
disk_format: string | null, 
/**
 * Distribution, where one was given.
 */
distribution: Distribution | null, 
/**
 * Tags.
 */
tags: Array<string>, 
/**
 * Notes.
 */
notes: string, 
/**
 * When it was made, as the service tells it (ISO 8601).
 */
created: string | null, };

export type ImageList = { 
/**
 * Region by region.
 */
images: Array<Image>, 
/**
 * Sum of the sizes in bytes.
 */
total_size: number, };

export type HandOver = { 
/**
 * Id of the upload.
 */
upload: string, 
/**
 * Address from which ccloud³ imports.
 */
url: string, 
/**
 * Name of the file without its folder.
 */
file_name: string, 
/**
 * Bytes.
 */
size: number, 
/**
 * What was said about the image.
 */
details: ImageDetails, 
/**
 * Address of the panel, where the connection tells it.
 */
panel: string | null, 
/**
 * Since when everybody who knows the address can read it (RFC 3339); null while it is private.
 */
published: string | null, 
/**
 * Until when, at the latest (RFC 3339).
 */
public_until: string | null, };

export type StagingKind = { "is": "object" } | { "is": "open_upload", 
/**
 * The service's id.
 */
upload_id: string, };

export type StagingObject = { 
/**
 * Id of the connection.
 */
connection: string, 
/**
 * Its key.
 */
key: string, 
/**
 * Name of the file that was sent.
 */
file_name: string, 
/**
 * Bytes; null for parts.
 */
size: number | null, 
/**
 * What it is.
 */
kind: StagingKind, 
/**
 * When it was written or begun (RFC 3339).
 */
since: string, 
/**
 * The upload of this computer to which it belongs; null for another computer's.
 */
upload: string | null, 
/**
 * Can everybody who knows its address read it? null: not known.
 */
public: boolean | null, 
/**
 * Until when, at the latest (RFC 3339).
 */
public_until: string | null, };

export type Unreachable = { 
/**
 * Its id.
 */
connection: string, 
/**
 * Why.
 */
error: ApiError, };

export type StagingList = { 
/**
 * Connection by connection.
 */
objects: Array<StagingObject>, 
/**
 * Those that could not be asked.
 */
unreachable: Array<Unreachable>, };

export type DroppedFiles = { 
/**
 * Absolute paths in the order in which the desktop gave them.
 */
paths: Array<string>, };

export type DragOver = { 
/**
 * True while files hover over the window.
 */
over: boolean, };
