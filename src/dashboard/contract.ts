// What passes between the server half, the page, the terminal view and programs: shapes, names of topics and actions. Types and constants
// only: the page's bundle imports this file. Numbers are integers in base units: millicores, bytes, milliwatts, milliseconds; what is
// unknown is null, never 0; times are RFC 3339 of the cluster's clock. `contract-schema.ts` has the same as zod, for tests and bodies.

/** Schema in the stream's `hello`; another one means that page and server are of different versions. */
export const contractSchema = 1

export interface Link {
  readonly text: string
  /** Below the base path, with a leading slash. */
  readonly path: string
}

/** What is said. `text` is English; `code` and `facts` say the same to programs and to other languages. */
export interface Sentence {
  readonly code: string
  readonly text: string
  readonly facts: Readonly<Record<string, string | number>>
  readonly links: readonly Link[]
}

export interface Ref {
  readonly kind: string
  readonly namespace: string | null
  readonly name: string
}

export type VerdictLevel = 'good' | 'attention' | 'acting' | 'blocked' | 'unknown'

export interface Verdict {
  readonly level: VerdictLevel
  readonly sentences: readonly Sentence[]
}

export interface Amount {
  readonly allocatable: number
  readonly requested: number | null
  readonly used: number | null
  readonly usedAt: string | null
}

export interface PodCount {
  readonly allocatable: number
  /** null: of an earlier moment. */
  readonly count: number | null
}

export interface NodeRow {
  readonly name: string
  readonly role: 'control-plane' | 'worker' | 'virtual'
  /** null: of an earlier moment, since which it changed. */
  readonly ready: boolean | null
  /** Since when it is as `ready` says. */
  readonly readySince: string | null
  /** null: of an earlier moment. */
  readonly cordoned: boolean | null
  readonly draining: boolean
  readonly cpu: Amount
  readonly memory: Amount
  readonly pods: PodCount
  readonly watts: { readonly now: number | null; readonly source: 'meter' | 'model' | null }
  /** Names of goals that it is held to. */
  readonly goals: readonly string[]
  /** Requests after the plan at hand. */
  readonly after: { readonly cpu: number; readonly memory: number; readonly pods: number } | null
  readonly zone: string | null
  /** `key=value:Effect`. */
  readonly taints: readonly string[]
}

/** The fields of rows as parallel arrays: what more than 200 nodes are sent as. */
export type NodeColumns = { readonly [Field in keyof NodeRow]: readonly NodeRow[Field][] }

export interface Goal {
  readonly name: string
  readonly nodes: readonly string[]
  readonly resource: 'cpu' | 'memory' | 'pods'
  readonly stat: 'requests' | 'usage'
  readonly min: number | null
  readonly max: number | null
  /** Exact percent, not truncated, of the node that is worst off; null: unknown. */
  readonly now: number | null
  readonly after: number | null
  readonly met: boolean
  /** 0 where it is met. */
  readonly shortfallPoints: number
  readonly hard: boolean
  /** `23.4 points over`, `unknown: talos01 is not ready`. */
  readonly because: Sentence
}

export interface Source {
  /** api, metrics, power, ledger or another. */
  readonly name: string
  readonly state: 'live' | 'stale' | 'down' | 'off'
  readonly lastAt: string | null
  readonly limitMs: number
  readonly because: string | null
}

export type PlanPhase = 'Proposed' | 'Approved' | 'Running' | 'Paused' | 'Succeeded' | 'Failed' | 'Expired'

export interface PlanHead {
  readonly name: string
  readonly policy: string
  readonly phase: PlanPhase | 'Pending'
  readonly createdAt: string
  readonly expiresAt: string | null
  readonly moves: number
  readonly lowerBound: number
  readonly optimal: boolean
  readonly done: number
  readonly failed: number
  readonly waves: number
  readonly goalsMet: boolean
  /** Every move carries a certificate and the verifier passed them. */
  readonly proven: boolean
  readonly snapshotHash: string
  /** Name of the plan that took its place. */
  readonly replacedBy: string | null
  /** `15 moves, the fewest possible (bound 14.63).` and what follows from the phase. */
  readonly sentences: readonly Sentence[]
}

export type MoveState = 'planned' | 'waiting' | 'running' | 'done' | 'elsewhere' | 'skipped' | 'failed'

export interface Move {
  readonly id: string
  readonly wave: number
  readonly workload: Ref
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string }
  readonly from: string
  readonly to: string
  readonly acceptable: readonly string[]
  readonly action: 'evict' | 'surge'
  readonly state: MoveState
  /** Why it is planned; of one that waits, was skipped or failed why that. */
  readonly because: Sentence
  /** `running ◑ evicted, waiting for the new pod 14s`: its state as a sentence. */
  readonly stateText: string
  readonly landedOn: string | null
  readonly ms: number | null
  readonly cpu: number
  readonly memory: number
  readonly volumeBound: boolean
}

/** The proof of one move, as the plan holds it, with the verifier's word. */
export interface MoveCertificate {
  readonly plan: string
  readonly move: string
  readonly sentence: Sentence
  readonly requests: Readonly<Record<string, number>>
  readonly freeBefore: Readonly<Record<string, number>>
  readonly freeAfter: Readonly<Record<string, number>>
  readonly filters: Readonly<Record<string, string>>
  readonly landing: {
    readonly mode: string
    readonly nodes: readonly string[]
    readonly totals: Readonly<Record<string, number>>
  }
  readonly budget: Readonly<Record<string, string | number>> | null
  readonly snapshotHash: string
  readonly verified: { readonly passed: boolean; readonly by: string; readonly because: string | null }
  /** What would check the same on a command line. */
  readonly command: string
}

/** A node before or after a plan: requests. */
export interface NodeShareRow {
  readonly node: string
  readonly cpu: { readonly requested: number; readonly allocatable: number }
  readonly memory: { readonly requested: number; readonly allocatable: number }
  readonly pods: PodCount
}

/** Moves from one node to another; of more than 12 pairs the last row stands for all but the largest, and names no nodes. */
export interface Flow {
  readonly from: string
  readonly to: string
  /** How many pairs of nodes it stands for. */
  readonly pairs: number
  readonly pods: number
  readonly cpu: number
  readonly memory: number
  readonly done: number
}

/** Why pods stay, one row a reason. */
export interface Unmovable {
  readonly reason: string
  readonly count: number
  readonly workloads: readonly Ref[]
  readonly because: Sentence
  readonly remedy: Sentence | null
}

export interface ActionButton {
  readonly action: ActionName
  readonly label: string
  readonly enabled: boolean
  /** Why it is disabled, or what it will do. */
  readonly because: string | null
  /** The write as a command. */
  readonly kubectl: string
  /** What is posted, but for `revision` and what the viewer adds: a reason, a speed, a fault. */
  readonly body: Omit<ActionBody, 'revision'>
  readonly prominent: boolean
  /** Outside a twin it is asked once more. */
  readonly confirm: { readonly pods: number; readonly workloads: number; readonly text: string } | null
}

export interface PlanView {
  readonly head: PlanHead
  readonly before: readonly NodeShareRow[]
  readonly after: readonly NodeShareRow[]
  readonly flows: readonly Flow[]
  readonly unmovable: readonly Unmovable[]
  readonly stays: { readonly pods: number; readonly of: number }
  readonly goals: readonly Goal[]
  readonly buttons: readonly ActionButton[]
  /** The clauses that are true of this plan. */
  readonly safety: readonly Sentence[]
  /** A sentence in place of buttons: `This policy only reports.`, `Starts at 04:00 …`. */
  readonly notice: Sentence | null
  /** All moves where there are no more than 500, else the first 500 and `/moves` pages on. */
  readonly moves: readonly Move[]
  readonly moveCount: number
}

/** `/plans/NAME/moves`: in the order in which they are carried out. */
export interface MovePage {
  readonly moves: readonly Move[]
  readonly total: number
  readonly next: string | null
}

export type Decision = 'granted' | 'queued' | 'denied' | 'no-op' | 'coalesced' | 'observed' | 'dropped'

export interface Permit {
  /** `namespace/name`, of one that went along `namespace/name#n`. */
  readonly id: string
  readonly at: string
  readonly capability: string
  readonly verb: string
  readonly class: number
  readonly target: Ref
  readonly pods: readonly Ref[]
  readonly decision: Decision
  readonly wouldBe: { readonly decision: string; readonly rule: string } | null
  readonly rule: string | null
  readonly because: Sentence
  readonly remedy: Sentence | null
  readonly retryAt: string | null
  readonly token: number | null
  readonly releasedAt: string | null
  /** From asked to granted; null: not granted, or nobody wrote down when it was asked. */
  readonly waitedMs: number | null
  readonly outcome: string | null
  /** Id of the permit that it was merged into. */
  readonly into: string | null
}

export interface PermitCounts {
  readonly byDecision: Readonly<Record<string, number>>
  readonly byRule: Readonly<Record<string, number>>
  readonly byCapability: Readonly<Record<string, number>>
  /** `41 asked: 15 granted, 9 waiting, 16 denied, 1 merged. Most often denied by KedaManaged (7).` */
  readonly sentence: Sentence
}

export interface PermitPage {
  /** Newest first. */
  readonly permits: readonly Permit[]
  readonly counts: PermitCounts
  readonly next: string | null
  /** Before that nothing is kept. */
  readonly keptFrom: string | null
}

export interface Freeze {
  readonly since: string | null
  readonly by: string
  readonly reason: string
  readonly scope: Ref | null
}

export interface Totals {
  readonly nodes: number
  readonly cpu: Amount
  readonly memory: Amount
  readonly pods: PodCount
}

export interface Counts {
  readonly permits24h: Readonly<Record<string, number>>
  readonly owners: { readonly keda: number | null; readonly descheduler: number | null; readonly none: number | null }
}

export interface Doing {
  readonly permit: string
  readonly move: string | null
  readonly sentence: Sentence
  readonly since: string
}

export interface Loading {
  /** `Loading examples/talos-homelab: 61 of 412 objects`. */
  readonly text: string
}

export interface Overview {
  readonly revision: string
  readonly mode: 'twin' | 'cluster'
  readonly cluster: string
  readonly now: string
  /** Seconds of the cluster in one of ours; 0 is paused; null is a real cluster. */
  readonly speed: number | null
  readonly loading: Loading | null
  readonly verdict: Verdict
  readonly totals: Totals
  readonly goals: readonly Goal[]
  /** Said where there are no goals. */
  readonly goalsEmpty: Sentence | null
  readonly sources: readonly Source[]
  /** Where there are at most 200. */
  readonly nodes: readonly NodeRow[]
  readonly columns: NodeColumns | null
  readonly doing: readonly Doing[]
  readonly plan: PlanHead | null
  readonly buttons: readonly ActionButton[]
  readonly safety: readonly Sentence[]
  readonly freeze: Freeze | null
  readonly counts: Counts
  readonly scaleToZero: { readonly can: number | null; readonly atZero: number | null; readonly sentence: Sentence }
  /** True for an earlier moment: what nobody kept is null, and `freeze` says nothing. */
  readonly past?: true | undefined
}

/** A row of the ledger or of the cluster's events. */
export interface HistoryRow {
  readonly at: string
  readonly sign: '●' | '◔' | '✕' | '⋈' | '○' | '–'
  readonly who: string
  readonly sentence: Sentence
  readonly permit: string | null
}

export interface WorkloadPod {
  readonly name: string
  readonly node: string | null
  readonly phase: string
  readonly ready: boolean
  readonly createdAt: string | null
  readonly cpu: { readonly requested: number; readonly used: number | null }
  readonly memory: { readonly requested: number; readonly used: number | null }
  /** Nodes that would take it now; of many the first 20. */
  readonly mayGo: readonly string[]
  /** null: not worked out, of a workload with many pods in a big cluster or of a finished pod. */
  readonly mayGoCount: number | null
  /** The first 20 nodes. */
  readonly mayNot: readonly { readonly node: string; readonly because: string }[]
}

export interface WorkloadView {
  readonly ref: Ref
  readonly ready: { readonly wanted: number; readonly ready: number } | null
  readonly owner: { readonly value: string; readonly origin: string }
  readonly verdict: Verdict
  readonly about: readonly string[]
  readonly wouldBe: readonly {
    readonly capability: string
    readonly allowed: boolean
    readonly rule: string | null
    readonly because: Sentence
    readonly until: string | null
  }[]
  /** At most 100. */
  readonly pods: readonly WorkloadPod[]
  /** The moment for which it is said where pods may go, in a cluster so large that it is worked out only now and then; null: now. */
  readonly placesAt: string | null
  /** null: of an earlier moment. */
  readonly podCount: number | null
  readonly dependsOn: readonly Ref[]
  readonly budgets: readonly {
    readonly name: string
    readonly allowed: number
    readonly healthy: number
    readonly desired: number
  }[]
  readonly freeze: Freeze | null
  readonly deletedAt: string | null
  /** Newest first; the first 100, `/history` pages on. */
  readonly history: readonly HistoryRow[]
  readonly buttons: readonly ActionButton[]
  /** What `ballast why -o json` prints. */
  readonly account: unknown
}

/** `/workloads/NS/KIND/NAME/history`: newest first. */
export interface HistoryPage {
  readonly history: readonly HistoryRow[]
  readonly next: string | null
}

/** In order of namespace, kind and name. */
export interface WorkloadPage {
  readonly workloads: readonly WorkloadRow[]
  /** null: of an earlier moment. */
  readonly total: number | null
  readonly next: string | null
}

export interface WorkloadRow {
  readonly ref: Ref
  readonly pods: number
  readonly ready: number
  readonly owner: string
  readonly cpu: number
  readonly memory: number
  readonly nodes: readonly string[]
}

export interface NodePod {
  readonly ref: Ref
  readonly workload: Ref | null
  readonly cpu: { readonly requested: number; readonly used: number | null }
  readonly memory: { readonly requested: number; readonly used: number | null }
  readonly movable: boolean
  /** Why it stays, or where it may go. */
  readonly because: Sentence
}

export interface NodeView {
  readonly row: NodeRow
  readonly goals: readonly Goal[]
  readonly verdict: Verdict
  readonly labels: Readonly<Record<string, string>>
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly message: string | null }[]
  /** null: of an earlier moment. */
  readonly podCount: number | null
}

export interface NodePodPage {
  readonly pods: readonly NodePod[]
  /** All that the query finds; null: of an earlier moment. */
  readonly total: number | null
  /** Pods of the node that the viewer may not see: `12 pods you may not see`. */
  readonly hidden: number
  readonly next: string | null
}

export interface TwinFault {
  readonly name: string
  readonly text: string
  readonly since: string | null
  readonly until: string | null
  /** Made by the page. */
  readonly ours: boolean
}

export interface TwinView {
  readonly now: string
  /** null: from one event to the next, as fast as it goes. */
  readonly speed: number | null
  readonly paused: boolean
  readonly settled: boolean
  readonly pendingTimers: number
  readonly faults: readonly TwinFault[]
  readonly source: string
  readonly seed: number
  readonly buttons: readonly ActionButton[]
}

/** From where an image comes: its registry, a node that has it, a node that is still downloading it. */
export type ImageSource = 'outside' | 'peer' | 'relay'

export interface ImagePull {
  readonly node: string
  readonly from: ImageSource
  readonly bytes: number | null
  /** null: nobody says how much of it is there. */
  readonly done: number | null
}

export interface ImageRow {
  /** As pods name it. */
  readonly name: string
  readonly digest: string | null
  readonly bytes: number | null
  /** Names of the first that have it, in order; `nodeCount` says how many have. */
  readonly nodes: readonly string[]
  readonly nodeCount: number
  /** Under way now. */
  readonly pulls: readonly ImagePull[]
}

/** Requests that mirrors could not answer from their own node, by registry. */
export interface RegistryRow {
  readonly name: string
  /** Answered by another node. */
  readonly hits: number
  /** Sent on to the registry. */
  readonly misses: number
}

export interface MirrorRow {
  readonly node: string
  /** `silent`: its pod is ready, its figures cannot be read. */
  readonly state: 'serving' | 'waiting' | 'silent' | 'none'
  readonly because: string | null
  readonly images: number
  /** Bytes that came from other nodes, from outside, and that went to other nodes; null: not known. */
  readonly fromNodes: number | null
  readonly fromOutside: number | null
  readonly toNodes: number | null
}

/** `GET /api/v1/images`. */
export interface ImagesView {
  readonly sentences: readonly Sentence[]
  readonly registries: readonly RegistryRow[]
  readonly mirrors: readonly MirrorRow[]
  /** The largest by what they take on all nodes together. */
  readonly images: readonly ImageRow[]
  /** How many there are. */
  readonly total: number
}

/** `hour`: the last hour in steps of 30 s; `days`: the last 48 hours in steps of 10 minutes. */
export const utilisationSpanNames = ['hour', 'days'] as const
export type UtilisationSpan = (typeof utilisationSpanNames)[number]

/** Range of the known steps, in thousandths of what the node can give. */
export interface UtilisationRange {
  readonly first: number
  readonly least: number
  readonly most: number
  readonly last: number
}

/** One resource of a node, step by step, in thousandths of what the node can give; null: not noted. */
export interface UtilisationLine {
  readonly requested: readonly (number | null)[]
  readonly used: readonly (number | null)[]
  /** Null: no step is known. */
  readonly requestedRange: UtilisationRange | null
  readonly usedRange: UtilisationRange | null
  /** Bounds of goals that hold the node, in percent. */
  readonly goals: readonly {
    readonly name: string
    readonly stat: 'requests' | 'usage'
    readonly min: number | null
    readonly max: number | null
  }[]
}

/** A pod that left the node, or came to it, and why: a move of a plan, or an eviction of the descheduler. */
export interface UtilisationMark {
  readonly at: string
  readonly way: 'left' | 'came'
  /** Null: the viewer may not see it. */
  readonly pod: Ref | null
  /** The node at the other end; null: nobody says. */
  readonly other: string | null
  /** Null: an eviction of the descheduler. */
  readonly plan: string | null
}

export interface UtilisationNode {
  readonly node: string
  /** Why it is among those that are shown: it was chosen, it misses a goal, it is the fullest. */
  readonly because: Sentence
  readonly cpu: UtilisationLine
  readonly memory: UtilisationLine
  /** Oldest first; the newest 40 of them. */
  readonly marks: readonly UtilisationMark[]
  /** How many pods left and came within the span. */
  readonly left: number
  readonly came: number
}

/** How full nodes were. */
export interface Utilisation {
  readonly span: UtilisationSpan
  /** When the first step began. */
  readonly from: string
  readonly stepMs: number
  readonly steps: number
  /** Since when this process notes it; null: nobody does. */
  readonly since: string | null
  /** Those that were chosen, else those that are the worst. */
  readonly nodes: readonly UtilisationNode[]
  /** How many there are. */
  readonly nodeCount: number
  readonly sentences: readonly Sentence[]
}

/** Where replacements of moved pods came to stand. */
export interface LandingCounts {
  /** On a node that the plan meant. */
  readonly expected: number
  /** On another, but where it came from. */
  readonly other: number
  /** Where it came from. */
  readonly back: number
  /** It got no node. */
  readonly pending: number
  /** Elsewhere, because it was made while the landing webhook was away: the model was not wrong. */
  readonly unheld: number
}

/** How often landings that were left to the scheduler were where the model of it foretold. */
export interface LandingRate {
  /** Counts of all plans, held ones too. */
  readonly counts: LandingCounts
  /** Plans in which a pod landed. */
  readonly plans: number
  /** Landings in plans that were not held, which leaves the scheduler a choice. */
  readonly foretold: number
  readonly expected: number
  /** Expected of foretold, in thousandths; null: none was left to the scheduler. */
  readonly rate: number | null
  /** In thousandths: below it nothing is left to the scheduler alone, which prefers then instead of being observed. */
  readonly threshold: number
  /** False: it is below, and there were enough to say so. */
  readonly isTrusted: boolean
  readonly sentence: Sentence
}

/** What became of a plan. */
export interface PlanOutcome {
  readonly name: string
  readonly policy: string
  readonly phase: PlanHead['phase']
  readonly landing: 'observe' | 'prefer' | 'hold'
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly moves: number
  readonly counts: LandingCounts
  readonly failed: number
  readonly skipped: number
  /** In thousandths; null: nothing has landed, or it was held. */
  readonly rate: number | null
}

export type MoveResult = Exclude<MoveState, 'done' | 'elsewhere'> | keyof LandingCounts

/** A move as it was planned, and what happened. */
export interface MoveOutcome {
  readonly id: string
  readonly workload: Ref
  readonly pod: { readonly namespace: string; readonly name: string }
  readonly from: string
  /** Nodes that were meant; the first 20. */
  readonly meant: readonly string[]
  readonly meantCount: number
  readonly landedOn: string | null
  readonly result: MoveResult
  /** When the permit was released; null: not yet, or the permit is not kept any more. */
  readonly at: string | null
  readonly permit: string | null
  /** From the deed to Ready. */
  readonly ms: number | null
  /** Why it was not done, or what followed on it. */
  readonly because: Sentence | null
}

/** A node's requests in thousandths of what it can give; null: not known. */
export interface ShareOutcome {
  readonly before: number | null
  /** By the plan's moves. */
  readonly planned: number | null
  /** By the moves that were carried out, to where they landed. */
  readonly landed: number | null
  /** As the controller measured it when the plan was over. */
  readonly measured: number | null
  readonly now: number | null
}

export interface NodeOutcome {
  readonly node: string
  readonly cpu: ShareOutcome
  readonly memory: ShareOutcome
}

/** A plan against what happened. */
export interface PlanAgainst {
  readonly outcome: PlanOutcome
  readonly sentences: readonly Sentence[]
  /** The first 100. */
  readonly moves: readonly MoveOutcome[]
  /** Nodes that lose or gain pods by it, or should have; the first 40. */
  readonly nodes: readonly NodeOutcome[]
  readonly nodeCount: number
}

/** An eviction of the descheduler that works strategy by strategy, as its Events and permits tell it. */
export interface EvictionRow {
  readonly at: string
  /** Null: the viewer may not see it. */
  readonly pod: Ref | null
  readonly node: string | null
  readonly strategy: string
  readonly result: 'evicted' | 'refused'
  /** In the words of who evicted. */
  readonly because: string
  readonly permit: string | null
}

export interface EvictionSum {
  readonly name: string
  readonly evicted: number
  readonly refused: number
}

export interface Evictions {
  readonly sentence: Sentence
  readonly byStrategy: readonly EvictionSum[]
  /** The ten that lost most. */
  readonly byNode: readonly EvictionSum[]
  /** Newest first, the first 25. */
  readonly rows: readonly EvictionRow[]
  readonly total: number
}

/** `GET /api/v1/rebalancing`. */
export interface RebalancingView {
  readonly sentences: readonly Sentence[]
  readonly utilisation: Utilisation
  /** Newest first, the first 20; null: they may not be seen. */
  readonly plans: readonly PlanOutcome[] | null
  readonly planCount: number | null
  /** The one that was asked for, else the newest that has begun. */
  readonly plan: PlanAgainst | null
  readonly landings: LandingRate | null
  /** Null: Events and permits may not be seen. */
  readonly evictions: Evictions | null
  /** True for an earlier moment. */
  readonly past?: true | undefined
}

export interface SearchHit {
  readonly kind: 'node' | 'workload' | 'plan' | 'permit' | 'pod'
  readonly text: string
  readonly path: string
}

export interface Me {
  readonly name: string
  readonly groups: readonly string[]
  readonly can: Readonly<Record<string, { readonly allowed: boolean; readonly because: string | null }>>
}

export interface SettingRow {
  readonly key: string
  /** Secrets as dots. */
  readonly value: string
  /** `default`, the file or the flag that said so. */
  readonly origin: string
}

export interface ApiError {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly remedy: string | null
    /** 409: the revision that shows what it is now. */
    readonly revision?: string
    /** 410: the moment from which on something is kept. */
    readonly keptFrom?: string
    /** What `message` speaks of and has a page: `media/sonarr` of `Did you mean media/sonarr?` */
    readonly links?: readonly Link[]
  }
}

/** `/nodes`, without `columns=1`: in order of name. */
export interface NodePage {
  readonly nodes: readonly NodeRow[]
  readonly total: number
  readonly next: string | null
}

/** `/version`. */
export interface Versions {
  readonly ballast: string
  /** Schema of this contract. */
  readonly schema: number
  /** The page's: `ready`, `building` or `failed`. */
  readonly bundle: string
}

export const planActions = ['approve', 'withdraw', 'step', 'pause', 'resume', 'replan'] as const
export const freezeActions = ['freeze', 'thaw'] as const
export const twinActions = [
  'twin/speed',
  'twin/pause',
  'twin/run',
  'twin/advance',
  'twin/next',
  'twin/fault',
  'twin/heal',
  'twin/reset',
] as const
export type ActionName = (typeof planActions)[number] | (typeof freezeActions)[number] | (typeof twinActions)[number]

/** Body of `POST /api/v1/actions/{action}`. What an action does not need is left out. */
export interface ActionBody {
  readonly revision: string
  readonly reason?: string
  /** `plan` of plan actions, `policy` of replan. */
  readonly plan?: string
  readonly policy?: string
  /** The snapshot hash that was seen when it was approved. */
  readonly snapshotHash?: string
  /** Approve, step and withdraw: the plan's version, as it was seen. If it is another one since, the answer is 409 `plan-changed`. */
  readonly resourceVersion?: string
  /** Step: the move after which it pauses; left out, the next that is not over. */
  readonly move?: string
  /** Freeze and thaw: null is everything. */
  readonly scope?: Ref | null
  readonly speed?: number | 'max'
  readonly advanceMs?: number
  /** `node` is needed by `stop-node`; without `minutes`, of the twin's clock, it lasts until it is healed. */
  readonly fault?: { readonly kind: string; readonly node?: string; readonly minutes?: number }
  /** Heal: name of the TwinFault. */
  readonly name?: string
}

/** What `fault.kind` can be: stop a node, slow image pulls, the API server answers 500, metrics are silent. */
export const twinFaultKinds = ['stop-node', 'slow-pulls', 'server-errors', 'metrics-silent'] as const
export type TwinFaultKind = (typeof twinFaultKinds)[number]

export interface ActionDone {
  readonly done: true
  readonly kubectl: string
  readonly revision: string
}

/** `overview`, `permits`, `twin`, `images`, `plan:NAME`, `node:NAME`, `workload:NS/KIND/NAME`. */
export type Topic = string
export type TopicKind = 'overview' | 'permits' | 'twin' | 'images' | 'plan' | 'node' | 'workload'
export const topicKinds: readonly TopicKind[] = ['overview', 'permits', 'twin', 'images', 'plan', 'node', 'workload']

/** Which arrays of a topic's value are tables, and the field that names a row: their rows are sent one by one. */
export const topicTables: { readonly [Kind in TopicKind]: Readonly<Record<string, string>> } = {
  overview: { nodes: 'name', goals: 'name', doing: 'permit', sources: 'name' },
  permits: { permits: 'id' },
  twin: { faults: 'name' },
  images: { registries: 'name', mirrors: 'node', images: 'name' },
  plan: { moves: 'id', before: 'node', after: 'node' },
  node: {},
  workload: { pods: 'name' },
}

/** Which fields of a topic's value are tables in columns, and the column that names a row: of them changed rows are sent, too. */
export const topicColumns: { readonly [Kind in TopicKind]: Readonly<Record<string, string>> } = {
  overview: { columns: 'name' },
  permits: {},
  twin: {},
  images: {},
  plan: {},
  node: {},
  workload: {},
}

export interface Delta {
  readonly topic: Topic
  /** The revision that it leads to; it follows on `from`. */
  readonly revision: string
  readonly from: string
  /** Fields of the value by name. */
  readonly set: Readonly<Record<string, unknown>>
  readonly upsert: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly remove: Readonly<Record<string, readonly string[]>>
  /** Keys of a table whose order changed, in order. */
  readonly order: Readonly<Record<string, readonly string[]>>
}

export interface StreamEvents {
  readonly hello: {
    readonly epoch: string
    readonly mode: 'twin' | 'cluster'
    readonly schema: number
    readonly now: string
    readonly speed: number | null
    readonly tickMs: number
    readonly resumed: boolean
  }
  readonly snapshot: { readonly topic: Topic; readonly revision: string; readonly value: unknown }
  readonly delta: Delta
  readonly tick: { readonly now: string; readonly speed: number | null; readonly sources: readonly Source[] }
  readonly resync: { readonly reason: 'gap' | 'slow' | 'schema' }
  readonly gone: { readonly topic: Topic; readonly error: ApiError['error'] }
  readonly bye: { readonly reason: 'shutdown' | 'lost-lease' | 'session-ended' | 'reload' }
}
