// What passes between the server half, the page, the terminal view and programs, said once: each shape is a schema, and its type is inferred
// from it. Bodies are read by these schemas, and tests hold every answer to them. The page imports types only, so that nothing of a schema is
// in its bundle; the names that it needs as values are in `contract-names.ts`. Numbers are integers in base units: millicores, bytes,
// milliwatts, milliseconds; what is unknown is null, never 0; times are RFC 3339 of the cluster's clock.
import * as z from 'zod'
import { freezeActions, planActions, twinActions, utilisationSpanNames } from './contract-names.ts'

/** A value of a schema, for readers: nobody changes what was said. */
export type Shape<Schema extends z.ZodType> = Frozen<z.output<Schema>>
type Frozen<Value> = Value extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : Value extends object
    ? { readonly [Key in keyof Value]: Frozen<Value[Key]> }
    : Value

export const name = () => z.string().max(600)
export const time = () => z.iso.datetime({ offset: true })
export const whole = () => z.int()
const amount = () => z.int().nullable()
const numbers = () => z.record(z.string(), z.number())
const counts = () => z.record(z.string(), whole())

const link = z.strictObject({
  text: z.string(),
  /** Below the base path, with a leading slash. */
  path: z.string().startsWith('/'),
})
export type Link = Shape<typeof link>

/** What is said. `text` is English; `code` and `facts` say the same to programs and to other languages. */
export const sentence = z.strictObject({
  code: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/),
  text: z.string().min(1),
  facts: z.record(z.string(), z.union([z.string(), z.number()])),
  links: z.array(link),
})
export type Sentence = Shape<typeof sentence>

export const ref = z.strictObject({ kind: name(), namespace: name().nullable(), name: name() })
export type Ref = Shape<typeof ref>

const verdict = z.strictObject({
  level: z.enum(['good', 'attention', 'acting', 'blocked', 'unknown']),
  sentences: z.array(sentence).min(1),
})
export type Verdict = Shape<typeof verdict>

const amounts = z.strictObject({ allocatable: whole(), requested: amount(), used: amount(), usedAt: time().nullable() })
export type Amount = Shape<typeof amounts>

const podCount = z.strictObject({
  allocatable: whole(),
  /** null: of an earlier moment. */
  count: amount(),
})
export type PodCount = Shape<typeof podCount>

const nodeFields = {
  name: name(),
  role: z.enum(['control-plane', 'worker', 'virtual']),
  /** null: of an earlier moment, since which it changed. */
  ready: z.boolean().nullable(),
  /** Since when it is as `ready` says. */
  readySince: time().nullable(),
  /** null: of an earlier moment. */
  cordoned: z.boolean().nullable(),
  draining: z.boolean(),
  cpu: amounts,
  memory: amounts,
  pods: podCount,
  watts: z.strictObject({ now: amount(), source: z.enum(['meter', 'model']).nullable() }),
  /** Names of goals that it is held to. */
  goals: z.array(name()),
  /** Requests after the plan at hand. */
  after: z.strictObject({ cpu: whole(), memory: whole(), pods: whole() }).nullable(),
  zone: z.string().nullable(),
  /** `key=value:Effect`. */
  taints: z.array(z.string()),
}
const nodeRow = z.strictObject(nodeFields)
export type NodeRow = Shape<typeof nodeRow>

/** The fields of rows as parallel arrays: what more than 200 nodes are sent as. */
const nodeColumns = z.strictObject({
  name: z.array(nodeFields.name),
  role: z.array(nodeFields.role),
  ready: z.array(nodeFields.ready),
  readySince: z.array(nodeFields.readySince),
  cordoned: z.array(nodeFields.cordoned),
  draining: z.array(nodeFields.draining),
  cpu: z.array(nodeFields.cpu),
  memory: z.array(nodeFields.memory),
  pods: z.array(nodeFields.pods),
  watts: z.array(nodeFields.watts),
  goals: z.array(nodeFields.goals),
  after: z.array(nodeFields.after),
  zone: z.array(nodeFields.zone),
  taints: z.array(nodeFields.taints),
})
export type NodeColumns = Shape<typeof nodeColumns>

const goal = z.strictObject({
  name: name(),
  nodes: z.array(name()),
  /** As nodes name it: `cpu`, `memory`, `pods`, `nvidia.com/gpu`. */
  resource: z.string().max(317),
  stat: z.enum(['requests', 'usage']),
  min: z.number().nullable(),
  max: z.number().nullable(),
  /** Exact percent, not truncated, of the node that is worst off; null: unknown. */
  now: z.number().nullable(),
  after: z.number().nullable(),
  met: z.boolean(),
  /** 0 where it is met. */
  shortfallPoints: z.number().min(0),
  hard: z.boolean(),
  /** `23.4 points over`, `unknown: talos01 is not ready`. */
  because: sentence,
})
export type Goal = Shape<typeof goal>

/** A goal over several nodes: in words, since its figures are points, watts, prices or pods. */
const wideGoal = z.strictObject({
  name: name(),
  state: z.enum(['met', 'unmet', 'unknown']),
  hard: z.boolean(),
  /** What the open plan says that it brings; null: nothing. */
  after: z.enum(['met', 'unmet']).nullable(),
  /** `3 nodes cpu requests at most 20 points apart: 80.0 points`. */
  because: sentence,
})
export type WideGoal = Shape<typeof wideGoal>

const source = z.strictObject({
  /** api, metrics, power, ledger or another. */
  name: name(),
  state: z.enum(['live', 'stale', 'down', 'off']),
  lastAt: time().nullable(),
  limitMs: whole(),
  because: z.string().nullable(),
})
export type Source = Shape<typeof source>

const planHead = z.strictObject({
  name: name(),
  policy: name(),
  phase: z.enum(['Pending', 'Proposed', 'Approved', 'Running', 'Paused', 'Succeeded', 'Incomplete', 'Failed', 'Expired']),
  createdAt: z.string(),
  expiresAt: time().nullable(),
  moves: whole(),
  lowerBound: z.number(),
  optimal: z.boolean(),
  done: whole(),
  failed: whole(),
  waves: whole(),
  goalsMet: z.boolean(),
  /** Every move carries a certificate and the verifier passed them. */
  proven: z.boolean(),
  snapshotHash: z.string(),
  /** Name of the plan that took its place. */
  replacedBy: name().nullable(),
  /** `15 moves, the fewest that keep the margins (bound 14.63).` and what follows from the phase. */
  sentences: z.array(sentence),
})
export type PlanHead = Shape<typeof planHead>
export type PlanPhase = Exclude<PlanHead['phase'], 'Pending'>

const freeze = z.strictObject({ since: time().nullable(), by: z.string(), reason: z.string(), scope: ref.nullable() })
export type Freeze = Shape<typeof freeze>

const action = z.enum([...planActions, ...freezeActions, ...twinActions])
export type ActionName = z.output<typeof action>

const bodyName = () => z.string().min(1).max(253)
const bodyFields = {
  reason: z.string().max(200).exactOptional(),
  /** `plan` of plan actions, `policy` of replan. */
  plan: bodyName().exactOptional(),
  policy: bodyName().exactOptional(),
  /** The snapshot hash that was seen when it was approved. */
  snapshotHash: z.string().max(256).exactOptional(),
  /** Approve, step and withdraw: the plan's version, as it was seen. If it is another one since, the answer is 409 `plan-changed`. */
  resourceVersion: z.string().max(64).exactOptional(),
  /** Step: the move after which it pauses; left out, the next that is not over. */
  move: bodyName().exactOptional(),
  /** Freeze and thaw: null is everything. */
  scope: z
    .strictObject({ kind: z.string().min(1).max(63), namespace: z.string().max(63).nullable(), name: bodyName() })
    .nullable()
    .exactOptional(),
  speed: z.union([z.number(), z.literal('max')]).exactOptional(),
  advanceMs: z.number().exactOptional(),
  /** `node` is needed by `stop-node`; without `minutes`, of the twin's clock, it lasts until it is healed. */
  fault: z
    .strictObject({ kind: z.string().max(64), node: bodyName().exactOptional(), minutes: z.number().exactOptional() })
    .exactOptional(),
  /** Heal: name of the TwinFault. */
  name: bodyName().exactOptional(),
}

/**
 * Body of `POST /api/v1/actions/{action}`: its shape. What an action does not need is left out; what it needs, and within which bounds, the
 * action says.
 */
export const actionBody = z.strictObject({ revision: z.string().max(100), ...bodyFields })
export type ActionBody = Shape<typeof actionBody>

const button = z.strictObject({
  action,
  label: z.string().min(1),
  enabled: z.boolean(),
  /** Why it is disabled, or what it will do. */
  because: z.string().nullable(),
  /** The write as a command. */
  kubectl: z.string().min(1),
  /** What is posted, but for `revision` and what the viewer adds: a reason, a speed, a fault. */
  body: z.strictObject(bodyFields),
  prominent: z.boolean(),
  /** Outside a twin it is asked once more. */
  confirm: z.strictObject({ pods: whole(), workloads: whole(), text: z.string() }).nullable(),
})
export type ActionButton = Shape<typeof button>

const totals = z.strictObject({ nodes: whole(), cpu: amounts, memory: amounts, pods: podCount })
export type Totals = Shape<typeof totals>

const clusterCounts = z.strictObject({
  permits24h: counts(),
  owners: z.strictObject({ keda: amount(), descheduler: amount(), none: amount() }),
})
export type Counts = Shape<typeof clusterCounts>

const doing = z.strictObject({ permit: z.string(), move: z.string().nullable(), sentence, since: z.string() })
export type Doing = Shape<typeof doing>

const loading = z.strictObject({
  /** `Loading examples/talos-homelab: 61 of 412 objects`. */
  text: z.string(),
})
export type Loading = Shape<typeof loading>

/** `GET /api/v1/overview`. */
export const overview = z.strictObject({
  revision: z.string(),
  mode: z.enum(['twin', 'cluster']),
  cluster: z.string(),
  now: time(),
  /** Seconds of the cluster in one of ours; 0 is paused; null is a real cluster. */
  speed: z.number().nullable(),
  loading: loading.nullable(),
  verdict,
  totals,
  goals: z.array(goal),
  wideGoals: z.array(wideGoal),
  /** Said where there are no goals. */
  goalsEmpty: sentence.nullable(),
  sources: z.array(source),
  /** Where there are at most 200. */
  nodes: z.array(nodeRow).max(200),
  columns: nodeColumns.nullable(),
  doing: z.array(doing),
  plan: planHead.nullable(),
  buttons: z.array(button),
  safety: z.array(sentence),
  freeze: freeze.nullable(),
  counts: clusterCounts,
  scaleToZero: z.strictObject({ can: amount(), atZero: amount(), sentence }),
  /** Pages of capabilities that are on. */
  pages: z.array(z.strictObject({ path: z.string().startsWith('/'), title: z.string() })),
  /** True for an earlier moment: what nobody kept is null, and `freeze` says nothing. */
  past: z.literal(true).optional(),
})
export type Overview = Shape<typeof overview>

/** `GET /api/v1/pages/{name}`: the page of a capability, in sentences and tables that are drawn alike. */
export const capabilityView = z.strictObject({
  title: z.string().min(1),
  sentences: z.array(sentence),
  tables: z.array(
    z.strictObject({
      name: z.string().regex(/^[a-z][a-z0-9-]*$/),
      title: z.string().min(1),
      columns: z.array(z.strictObject({ title: z.string().min(1), isNumber: z.boolean() })).min(1),
      rows: z
        .array(
          z.strictObject({
            key: z.string(),
            /** One for each column; the first names the row. */
            cells: z.array(z.union([z.string(), z.number()]).nullable()),
            /** Where its name leads. */
            path: z.string().startsWith('/').nullable(),
          }),
        )
        .max(1_000),
      /** All rows are counted, also those that are not sent. */
      total: whole(),
      /** Said where there are no rows. */
      empty: z.string().min(1),
    }),
  ),
})
export type CapabilityView = Shape<typeof capabilityView>

export const move = z.strictObject({
  id: z.string(),
  wave: whole(),
  workload: ref,
  pod: z.strictObject({ namespace: name(), name: name(), uid: z.string() }),
  from: name(),
  to: name(),
  acceptable: z.array(name()),
  action: z.enum(['evict', 'surge']),
  state: z.enum(['planned', 'waiting', 'running', 'done', 'elsewhere', 'skipped', 'failed']),
  /** Why it is planned; of one that waits, was skipped or failed why that. */
  because: sentence,
  /** `running ◑ evicted, waiting for the new pod 14s`: its state as a sentence. */
  stateText: z.string(),
  landedOn: name().nullable(),
  ms: amount(),
  cpu: whole(),
  memory: whole(),
  volumeBound: z.boolean(),
})
export type Move = Shape<typeof move>
export type MoveState = Move['state']

/** `GET /api/v1/plans/{name}/moves/{id}/certificate`: the proof of one move, as the plan holds it, with the verifier's word. */
export const moveCertificate = z.strictObject({
  plan: name(),
  move: z.string(),
  sentence,
  requests: numbers(),
  freeBefore: numbers(),
  freeAfter: numbers(),
  filters: z.record(z.string(), z.string()),
  /** Many nodes are counted and not named. */
  landing: z.strictObject({ mode: z.string(), nodes: z.array(name()), count: whole(), totals: numbers() }),
  budget: z.record(z.string(), z.union([z.string(), z.number()])).nullable(),
  snapshotHash: z.string(),
  verified: z.strictObject({ passed: z.boolean(), by: z.string(), because: z.string().nullable() }),
  /** What would check the same on a command line. */
  command: z.string(),
})
export type MoveCertificate = Shape<typeof moveCertificate>

/** A node before or after a plan: requests. */
const shareRow = z.strictObject({
  node: name(),
  cpu: z.strictObject({ requested: whole(), allocatable: whole() }),
  memory: z.strictObject({ requested: whole(), allocatable: whole() }),
  pods: podCount,
})
export type NodeShareRow = Shape<typeof shareRow>

/** Moves from one node to another; of more than 12 pairs the last row stands for all but the largest, and names no nodes. */
const flow = z.strictObject({
  from: name(),
  to: name(),
  /** How many pairs of nodes it stands for. */
  pairs: whole(),
  pods: whole(),
  cpu: whole(),
  memory: whole(),
  done: whole(),
})
export type Flow = Shape<typeof flow>

/** Why pods stay, one row a reason. */
const unmovable = z.strictObject({
  reason: z.string(),
  count: whole(),
  workloads: z.array(ref),
  because: sentence,
  remedy: sentence.nullable(),
})
export type Unmovable = Shape<typeof unmovable>

/** What may go wrong for the users of what is moved, by kind and grade. */
const planRisk = z.strictObject({
  risk: z.string(),
  grade: z.enum(['high', 'medium', 'low']),
  moves: whole(),
  /** `namespace/Kind/name`; the first of them. */
  workloads: z.array(z.string()),
  message: z.string(),
})
export type PlanRisk = Shape<typeof planRisk>

/** `GET /api/v1/plans/{name}`. */
export const planView = z.strictObject({
  head: planHead,
  before: z.array(shareRow),
  after: z.array(shareRow),
  flows: z.array(flow),
  unmovable: z.array(unmovable),
  stays: z.strictObject({ pods: whole(), of: whole() }),
  goals: z.array(goal),
  wideGoals: z.array(wideGoal),
  buttons: z.array(button),
  /** The clauses that are true of this plan. */
  safety: z.array(sentence),
  /** The gravest first. Of a plan that is over none: nobody can decide on it any more. */
  risks: z.array(planRisk),
  /** A sentence in place of buttons: `This policy only reports.`, `Starts at 04:00 …`. */
  notice: sentence.nullable(),
  /** All moves where there are no more than 500, else the first 500 and `/moves` pages on. */
  moves: z.array(move).max(500),
  moveCount: whole(),
})
export type PlanView = Shape<typeof planView>

/** `GET /api/v1/plans/{name}/moves`: in the order in which they are carried out. */
export const movePage = z.strictObject({ moves: z.array(move), total: whole(), next: z.string().nullable() })
export type MovePage = Shape<typeof movePage>

const permit = z.strictObject({
  /** `namespace/name`, of one that went along `namespace/name#n`. */
  id: z.string(),
  at: z.string(),
  capability: z.string(),
  verb: z.string(),
  class: whole(),
  target: ref,
  pods: z.array(ref),
  decision: z.enum(['granted', 'queued', 'denied', 'no-op', 'coalesced', 'observed', 'dropped']),
  wouldBe: z.strictObject({ decision: z.string(), rule: z.string() }).nullable(),
  rule: z.string().nullable(),
  because: sentence,
  remedy: sentence.nullable(),
  retryAt: z.string().nullable(),
  token: amount(),
  releasedAt: z.string().nullable(),
  /** From asked to granted; null: not granted, or nobody wrote down when it was asked. */
  waitedMs: amount(),
  outcome: z.string().nullable(),
  /** Id of the permit that it was merged into. */
  into: z.string().nullable(),
})
export type Permit = Shape<typeof permit>
export type Decision = Permit['decision']

/** `GET /api/v1/permits/counts`. */
export const permitCounts = z.strictObject({
  byDecision: counts(),
  byRule: counts(),
  byCapability: counts(),
  /** `41 asked: 15 granted, 9 waiting, 16 denied, 1 merged. Most often denied by KedaManaged (7).` */
  sentence,
})
export type PermitCounts = Shape<typeof permitCounts>

/** `GET /api/v1/permits`. */
export const permitPage = z.strictObject({
  /** Newest first. */
  permits: z.array(permit),
  counts: permitCounts,
  next: z.string().nullable(),
  /** Before that nothing is kept. */
  keptFrom: z.string().nullable(),
})
export type PermitPage = Shape<typeof permitPage>

const requestedAndUsed = z.strictObject({ requested: whole(), used: amount() })
const nodePod = z.strictObject({
  ref,
  workload: ref.nullable(),
  cpu: requestedAndUsed,
  memory: requestedAndUsed,
  movable: z.boolean(),
  /** Why it stays, or where it may go. */
  because: sentence,
})
export type NodePod = Shape<typeof nodePod>

/** `GET /api/v1/nodes/{name}`. */
export const nodeView = z.strictObject({
  row: nodeRow,
  goals: z.array(goal),
  verdict,
  labels: z.record(z.string(), z.string()),
  conditions: z.array(z.strictObject({ type: z.string(), status: z.string(), message: z.string().nullable() })),
  /** null: of an earlier moment. */
  podCount: amount(),
})
export type NodeView = Shape<typeof nodeView>

/** `GET /api/v1/nodes/{name}/pods`. */
export const nodePodPage = z.strictObject({
  pods: z.array(nodePod),
  /** All that the query finds; null: of an earlier moment. */
  total: amount(),
  /** Pods of the node that the viewer may not see: `12 pods you may not see`. */
  hidden: whole(),
  next: z.string().nullable(),
})
export type NodePodPage = Shape<typeof nodePodPage>

/** A row of the ledger or of the cluster's events. */
const historyRow = z.strictObject({
  at: z.string(),
  sign: z.enum(['●', '◔', '✕', '⋈', '○', '–']),
  who: z.string(),
  sentence,
  permit: z.string().nullable(),
})
export type HistoryRow = Shape<typeof historyRow>

const workloadPod = z.strictObject({
  name: name(),
  node: name().nullable(),
  phase: z.string(),
  ready: z.boolean(),
  createdAt: z.string().nullable(),
  cpu: requestedAndUsed,
  memory: requestedAndUsed,
  /** Nodes that would take it now; of many the first 20. */
  mayGo: z.array(name()).max(20),
  /** null: not worked out, of a workload with many pods in a big cluster or of a finished pod. */
  mayGoCount: amount(),
  /** The first 20 nodes. */
  mayNot: z.array(z.strictObject({ node: name(), because: z.string() })).max(20),
})
export type WorkloadPod = Shape<typeof workloadPod>

/** `GET /api/v1/workloads/{ns}/{kind}/{name}`. */
export const workloadView = z.strictObject({
  ref,
  ready: z.strictObject({ wanted: whole(), ready: whole() }).nullable(),
  owner: z.strictObject({ value: z.string(), origin: z.string() }),
  verdict,
  about: z.array(z.string()),
  wouldBe: z.array(
    z.strictObject({
      capability: z.string(),
      allowed: z.boolean(),
      rule: z.string().nullable(),
      because: sentence,
      until: z.string().nullable(),
    }),
  ),
  pods: z.array(workloadPod).max(100),
  /** The moment for which it is said where pods may go, in a cluster so large that it is worked out only now and then; null: now. */
  placesAt: time().nullable(),
  /** null: of an earlier moment. */
  podCount: amount(),
  dependsOn: z.array(ref),
  budgets: z.array(z.strictObject({ name: name(), allowed: whole(), healthy: whole(), desired: whole() })),
  freeze: freeze.nullable(),
  deletedAt: z.string().nullable(),
  /** Newest first; the first 100, `/history` pages on. */
  history: z.array(historyRow).max(100),
  buttons: z.array(button),
  /** What `ballast why -o json` prints. */
  account: z.unknown(),
})
export type WorkloadView = Shape<typeof workloadView>

/** `GET /api/v1/workloads/{ns}/{kind}/{name}/history`: newest first. */
export const historyPage = z.strictObject({ history: z.array(historyRow), next: z.string().nullable() })
export type HistoryPage = Shape<typeof historyPage>

const workloadRow = z.strictObject({
  ref,
  /** These are null where pods could not be read. */
  pods: amount(),
  ready: amount(),
  owner: z.string(),
  cpu: amount(),
  memory: amount(),
  nodes: z.array(name()),
})
export type WorkloadRow = Shape<typeof workloadRow>

/** `GET /api/v1/workloads`: in order of namespace, kind and name. */
export const workloadPage = z.strictObject({
  workloads: z.array(workloadRow),
  /** null: of an earlier moment. */
  total: amount(),
  next: z.string().nullable(),
})
export type WorkloadPage = Shape<typeof workloadPage>

const twinFault = z.strictObject({
  name: name(),
  text: z.string(),
  since: time().nullable(),
  until: time().nullable(),
  /** Made by the page. */
  ours: z.boolean(),
})
export type TwinFault = Shape<typeof twinFault>

/** `GET /api/v1/twin`. */
export const twinView = z.strictObject({
  now: time(),
  /** null: from one event to the next, as fast as it goes. */
  speed: z.number().nullable(),
  paused: z.boolean(),
  settled: z.boolean(),
  pendingTimers: whole(),
  faults: z.array(twinFault),
  source: z.string(),
  seed: z.number(),
  buttons: z.array(button),
})
export type TwinView = Shape<typeof twinView>

/** Requests that mirrors could not answer from their own node, by registry. */
const registryRow = z.strictObject({
  name: z.string(),
  /** Answered by another node. */
  hits: whole(),
  /** Sent on to the registry. */
  misses: whole(),
})
export type RegistryRow = Shape<typeof registryRow>

const mirrorRow = z.strictObject({
  node: name(),
  /** `silent`: its pod is ready, its figures cannot be read. */
  state: z.enum(['serving', 'waiting', 'silent', 'none']),
  because: z.string().nullable(),
  images: whole(),
  /** Bytes that came from other nodes, from outside, and that went to other nodes; null: not known. */
  fromNodes: amount(),
  fromOutside: amount(),
  toNodes: amount(),
})
export type MirrorRow = Shape<typeof mirrorRow>

const imagePull = z.strictObject({
  node: name(),
  /** From where the image comes: its registry, a node that has it, a node that is still downloading it. */
  from: z.enum(['outside', 'peer', 'relay']),
  bytes: amount(),
  /** null: nobody says how much of it is there. */
  done: amount(),
})
export type ImagePull = Shape<typeof imagePull>

const imageRow = z.strictObject({
  /** As pods name it. */
  name: z.string(),
  digest: z.string().nullable(),
  bytes: amount(),
  /** Names of the first that have it, in order; `nodeCount` says how many have. */
  nodes: z.array(name()),
  nodeCount: whole(),
  /** Under way now. */
  pulls: z.array(imagePull),
})
export type ImageRow = Shape<typeof imageRow>

/** `GET /api/v1/images`. */
export const imagesView = z.strictObject({
  sentences: z.array(sentence),
  registries: z.array(registryRow),
  mirrors: z.array(mirrorRow),
  /** The largest by what they take on all nodes together. */
  images: z.array(imageRow),
  /** How many there are. */
  total: whole(),
})
export type ImagesView = Shape<typeof imagesView>

const utilisationSpan = z.enum(utilisationSpanNames)
export type UtilisationSpan = z.output<typeof utilisationSpan>

/** Range of the known steps, in thousandths of what the node can give. */
const utilisationRange = z.strictObject({ first: whole(), least: whole(), most: whole(), last: whole() })
export type UtilisationRange = Shape<typeof utilisationRange>

/** One resource of a node, step by step, in thousandths of what the node can give; null: not noted. */
const utilisationLine = z.strictObject({
  requested: z.array(amount()),
  used: z.array(amount()),
  /** Null: no step is known. */
  requestedRange: utilisationRange.nullable(),
  usedRange: utilisationRange.nullable(),
  /** Bounds of goals that hold the node, in percent. */
  goals: z.array(
    z.strictObject({
      name: name(),
      stat: z.enum(['requests', 'usage']),
      min: z.number().nullable(),
      max: z.number().nullable(),
    }),
  ),
})
export type UtilisationLine = Shape<typeof utilisationLine>

/** A pod that left the node, or came to it, and why: a move of a plan, or an eviction of the descheduler. */
const utilisationMark = z.strictObject({
  at: time(),
  way: z.enum(['left', 'came']),
  /** Null: the viewer may not see it. */
  pod: ref.nullable(),
  /** The node at the other end; null: nobody says. */
  other: name().nullable(),
  /** Null: an eviction of the descheduler. */
  plan: name().nullable(),
})
export type UtilisationMark = Shape<typeof utilisationMark>

const utilisationNode = z.strictObject({
  node: name(),
  /** Why it is among those that are shown: it was chosen, it misses a goal, it is the fullest. */
  because: sentence,
  cpu: utilisationLine,
  memory: utilisationLine,
  /** Oldest first; the newest 40 of them. */
  marks: z.array(utilisationMark).max(40),
  /** How many pods left and came within the span. */
  left: whole(),
  came: whole(),
})
export type UtilisationNode = Shape<typeof utilisationNode>

/** `GET /api/v1/nodes/{name}/utilisation`: how full nodes were. */
export const utilisation = z.strictObject({
  span: utilisationSpan,
  /** When the first step began. */
  from: time(),
  stepMs: whole(),
  steps: whole(),
  /** Since when this process notes it; null: nobody does. */
  since: time().nullable(),
  /** Those that were chosen, else those that are the worst. */
  nodes: z.array(utilisationNode),
  /** How many there are. */
  nodeCount: whole(),
  sentences: z.array(sentence),
})
export type Utilisation = Shape<typeof utilisation>

/** Where replacements of moved pods came to stand. */
const landingCounts = z.strictObject({
  /** On a node that the plan meant. */
  expected: whole(),
  /** On another, but where it came from. */
  other: whole(),
  /** Where it came from. */
  back: whole(),
  /** It got no node. */
  pending: whole(),
  /** Elsewhere, because it was made while the landing webhook was away: the model was not wrong. */
  unheld: whole(),
})
export type LandingCounts = Shape<typeof landingCounts>

/** How often landings that were left to the scheduler were where the model of it foretold. */
const landingRate = z.strictObject({
  /** Counts of all plans, held ones too. */
  counts: landingCounts,
  /** Plans in which a pod landed. */
  plans: whole(),
  /** Landings in plans that were not held, which leaves the scheduler a choice. */
  foretold: whole(),
  expected: whole(),
  /** Expected of foretold, in thousandths; null: none was left to the scheduler. */
  rate: amount(),
  /** In thousandths: below it nothing is left to the scheduler alone, which prefers then instead of being observed. */
  threshold: whole(),
  /** False: it is below, and there were enough to say so. */
  isTrusted: z.boolean(),
  sentence,
})
export type LandingRate = Shape<typeof landingRate>

/** What became of a plan. */
const planOutcome = z.strictObject({
  name: name(),
  policy: name(),
  phase: planHead.shape.phase,
  landing: z.enum(['observe', 'prefer', 'hold']),
  startedAt: time().nullable(),
  finishedAt: time().nullable(),
  moves: whole(),
  counts: landingCounts,
  failed: whole(),
  skipped: whole(),
  /** In thousandths; null: nothing has landed, or it was held. */
  rate: amount(),
})
export type PlanOutcome = Shape<typeof planOutcome>

/** A move as it was planned, and what happened. */
const moveOutcome = z.strictObject({
  id: name(),
  workload: ref,
  pod: z.strictObject({ namespace: name(), name: name() }),
  from: name(),
  /** Nodes that were meant; the first 20. */
  meant: z.array(name()).max(20),
  meantCount: whole(),
  landedOn: name().nullable(),
  result: z.enum([...move.shape.state.exclude(['done', 'elsewhere']).options, ...landingCounts.keyof().options]),
  /** When the permit was released; null: not yet, or the permit is not kept any more. */
  at: time().nullable(),
  permit: name().nullable(),
  /** From the deed to Ready. */
  ms: amount(),
  /** Why it was not done, or what followed on it. */
  because: sentence.nullable(),
})
export type MoveOutcome = Shape<typeof moveOutcome>
export type MoveResult = MoveOutcome['result']

/** A node's requests in thousandths of what it can give; null: not known. */
const shareOutcome = z.strictObject({
  before: amount(),
  /** By the plan's moves. */
  planned: amount(),
  /** By the moves that were carried out, to where they landed. */
  landed: amount(),
  /** As the controller measured it when the plan was over. */
  measured: amount(),
  now: amount(),
})
export type ShareOutcome = Shape<typeof shareOutcome>

const nodeOutcome = z.strictObject({ node: name(), cpu: shareOutcome, memory: shareOutcome })
export type NodeOutcome = Shape<typeof nodeOutcome>

/** A plan against what happened. */
const planAgainst = z.strictObject({
  outcome: planOutcome,
  sentences: z.array(sentence),
  /** The first 100. */
  moves: z.array(moveOutcome).max(100),
  /** Nodes that lose or gain pods by it, or should have; the first 40. */
  nodes: z.array(nodeOutcome).max(40),
  nodeCount: whole(),
})
export type PlanAgainst = Shape<typeof planAgainst>

/** An eviction of the descheduler that works strategy by strategy, as its Events and permits tell it. */
const evictionRow = z.strictObject({
  at: time(),
  /** Null: the viewer may not see it. */
  pod: ref.nullable(),
  node: name().nullable(),
  strategy: z.string(),
  result: z.enum(['evicted', 'refused']),
  /** In the words of who evicted. */
  because: z.string(),
  permit: name().nullable(),
})
export type EvictionRow = Shape<typeof evictionRow>

const evictionSum = z.strictObject({ name: z.string(), evicted: whole(), refused: whole() })
export type EvictionSum = Shape<typeof evictionSum>

const evictions = z.strictObject({
  sentence,
  byStrategy: z.array(evictionSum),
  /** The ten that lost most. */
  byNode: z.array(evictionSum).max(10),
  /** Newest first, the first 25. */
  rows: z.array(evictionRow).max(25),
  total: whole(),
})
export type Evictions = Shape<typeof evictions>

/** `GET /api/v1/rebalancing`. */
export const rebalancingView = z.strictObject({
  sentences: z.array(sentence),
  utilisation,
  /** Newest first, the first 20; null: they may not be seen. */
  plans: z.array(planOutcome).max(20).nullable(),
  planCount: amount(),
  /** The one that was asked for, else the newest that has begun. */
  plan: planAgainst.nullable(),
  landings: landingRate.nullable(),
  /** Null: Events and permits may not be seen. */
  evictions: evictions.nullable(),
  /** True for an earlier moment. */
  past: z.literal(true).optional(),
})
export type RebalancingView = Shape<typeof rebalancingView>

const searchHit = z.strictObject({
  kind: z.enum(['node', 'workload', 'plan', 'permit', 'pod']),
  text: z.string(),
  path: z.string().startsWith('/'),
})
export type SearchHit = Shape<typeof searchHit>
/** `GET /api/v1/search`. */
export const searchHits = z.array(searchHit)

const settingRow = z.strictObject({
  key: z.string().min(1),
  /** Secrets as dots. */
  value: z.string(),
  /** `default`, the file or the flag that said so. */
  origin: z.string(),
})
export type SettingRow = Shape<typeof settingRow>
/** `GET /api/v1/settings`. */
export const settingRows = z.array(settingRow)

export interface Me {
  readonly name: string
  readonly groups: readonly string[]
  readonly can: Readonly<Record<string, { readonly allowed: boolean; readonly because: string | null }>>
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

export interface ActionDone {
  readonly done: true
  readonly kubectl: string
  readonly revision: string
}

/** `overview`, `permits`, `twin`, `images`, `page:NAME`, `plan:NAME`, `node:NAME`, `workload:NS/KIND/NAME`. */
export type Topic = string
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
  readonly bye: { readonly reason: 'shutdown' | 'session-ended' }
}
