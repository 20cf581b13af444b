// The shapes of contract.ts as zod: bodies are read by them, and tests hold every answer to them. The types are contract.ts's; each schema is
// checked to be one of its type.
import * as z from 'zod'
import type * as contract from './contract.ts'
import { freezeActions, planActions, twinActions } from './contract.ts'

export const name = () => z.string().max(600)
export const time = () => z.iso.datetime({ offset: true })
export const whole = () => z.int()
export const amount = () => z.int().nullable()

const link = z.strictObject({ text: z.string(), path: z.string().startsWith('/') })
export const sentence = z.strictObject({
  code: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/),
  text: z.string().min(1),
  facts: z.record(z.string(), z.union([z.string(), z.number()])),
  links: z.array(link),
}) satisfies z.ZodType<contract.Sentence>
export const ref = z.strictObject({ kind: name(), namespace: name().nullable(), name: name() }) satisfies z.ZodType<contract.Ref>
const verdict = z.strictObject({
  level: z.enum(['good', 'attention', 'acting', 'blocked', 'unknown']),
  sentences: z.array(sentence).min(1),
}) satisfies z.ZodType<contract.Verdict>

const amounts = z.strictObject({
  allocatable: whole(),
  requested: amount(),
  used: amount(),
  usedAt: time().nullable(),
}) satisfies z.ZodType<contract.Amount>
const podCount = z.strictObject({ allocatable: whole(), count: amount() }) satisfies z.ZodType<contract.PodCount>
const nodeFields = {
  name: name(),
  role: z.enum(['control-plane', 'worker', 'virtual']),
  ready: z.boolean().nullable(),
  readySince: time().nullable(),
  cordoned: z.boolean().nullable(),
  draining: z.boolean(),
  cpu: amounts,
  memory: amounts,
  pods: podCount,
  watts: z.strictObject({ now: amount(), source: z.enum(['meter', 'model']).nullable() }),
  goals: z.array(name()),
  after: z.strictObject({ cpu: whole(), memory: whole(), pods: whole() }).nullable(),
  zone: z.string().nullable(),
  taints: z.array(z.string()),
}
const nodeRow = z.strictObject(nodeFields) satisfies z.ZodType<contract.NodeRow>
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
}) satisfies z.ZodType<contract.NodeColumns>

const goal = z.strictObject({
  name: name(),
  nodes: z.array(name()),
  resource: z.enum(['cpu', 'memory', 'pods']),
  stat: z.enum(['requests', 'usage']),
  min: z.number().nullable(),
  max: z.number().nullable(),
  now: z.number().nullable(),
  after: z.number().nullable(),
  met: z.boolean(),
  shortfallPoints: z.number().min(0),
  hard: z.boolean(),
  because: sentence,
}) satisfies z.ZodType<contract.Goal>
const source = z.strictObject({
  name: name(),
  state: z.enum(['live', 'stale', 'down', 'off']),
  lastAt: time().nullable(),
  limitMs: whole(),
  because: z.string().nullable(),
}) satisfies z.ZodType<contract.Source>
export const planHead = z.strictObject({
  name: name(),
  policy: name(),
  phase: z.enum(['Pending', 'Proposed', 'Approved', 'Running', 'Paused', 'Succeeded', 'Failed', 'Expired']),
  createdAt: z.string(),
  expiresAt: time().nullable(),
  moves: whole(),
  lowerBound: z.number(),
  optimal: z.boolean(),
  done: whole(),
  failed: whole(),
  waves: whole(),
  goalsMet: z.boolean(),
  proven: z.boolean(),
  snapshotHash: z.string(),
  replacedBy: name().nullable(),
  sentences: z.array(sentence),
}) satisfies z.ZodType<contract.PlanHead>
const freeze = z.strictObject({
  since: time().nullable(),
  by: z.string(),
  reason: z.string(),
  scope: ref.nullable(),
}) satisfies z.ZodType<contract.Freeze>

const action = z.enum([...planActions, ...freezeActions, ...twinActions]) satisfies z.ZodType<contract.ActionName>
const bodyFields = {
  reason: z.string().max(200).exactOptional(),
  plan: name().exactOptional(),
  policy: name().exactOptional(),
  snapshotHash: z.string().max(128).exactOptional(),
  resourceVersion: z.string().max(128).exactOptional(),
  move: z.string().max(63).exactOptional(),
  scope: ref.nullable().exactOptional(),
  speed: z.union([z.number().positive(), z.literal('max')]).exactOptional(),
  advanceMs: z.int().positive().exactOptional(),
  fault: z
    .strictObject({ kind: z.string().max(64), node: name().exactOptional(), minutes: z.int().positive().exactOptional() })
    .exactOptional(),
  name: name().exactOptional(),
}

/** Body of `POST /api/v1/actions/{action}`: its shape. What an action needs of it, the action says. */
export const actionBody = z.strictObject({
  revision: z.string().max(128),
  ...bodyFields,
}) satisfies z.ZodType<contract.ActionBody>

const button = z.strictObject({
  action,
  label: z.string().min(1),
  enabled: z.boolean(),
  because: z.string().nullable(),
  kubectl: z.string().min(1),
  body: z.strictObject(bodyFields),
  prominent: z.boolean(),
  confirm: z.strictObject({ pods: whole(), workloads: whole(), text: z.string() }).nullable(),
}) satisfies z.ZodType<contract.ActionButton>

/** `GET /api/v1/overview`. */
export const overview = z.strictObject({
  revision: z.string(),
  mode: z.enum(['twin', 'cluster']),
  cluster: z.string(),
  now: time(),
  speed: z.number().nullable(),
  loading: z.strictObject({ text: z.string() }).nullable(),
  verdict,
  totals: z.strictObject({ nodes: whole(), cpu: amounts, memory: amounts, pods: podCount }),
  goals: z.array(goal),
  goalsEmpty: sentence.nullable(),
  sources: z.array(source),
  nodes: z.array(nodeRow).max(200),
  columns: nodeColumns.nullable(),
  doing: z.array(z.strictObject({ permit: z.string(), move: z.string().nullable(), sentence, since: z.string() })),
  plan: planHead.nullable(),
  buttons: z.array(button),
  safety: z.array(sentence),
  freeze: freeze.nullable(),
  counts: z.strictObject({
    permits24h: z.record(z.string(), whole()),
    owners: z.strictObject({ keda: amount(), descheduler: amount(), none: amount() }),
  }),
  scaleToZero: z.strictObject({ can: amount(), atZero: amount(), sentence }),
  past: z.literal(true).optional(),
}) satisfies z.ZodType<contract.Overview>

const move = z.strictObject({
  id: z.string(),
  wave: whole(),
  workload: ref,
  pod: z.strictObject({ namespace: name(), name: name(), uid: z.string() }),
  from: name(),
  to: name(),
  acceptable: z.array(name()),
  action: z.enum(['evict', 'surge']),
  state: z.enum(['planned', 'waiting', 'running', 'done', 'elsewhere', 'skipped', 'failed']),
  because: sentence,
  stateText: z.string(),
  landedOn: name().nullable(),
  ms: amount(),
  cpu: whole(),
  memory: whole(),
  volumeBound: z.boolean(),
}) satisfies z.ZodType<contract.Move>
const shareRow = z.strictObject({
  node: name(),
  cpu: z.strictObject({ requested: whole(), allocatable: whole() }),
  memory: z.strictObject({ requested: whole(), allocatable: whole() }),
  pods: podCount,
}) satisfies z.ZodType<contract.NodeShareRow>

/** `GET /api/v1/plans/{name}`. */
export const planView = z.strictObject({
  head: planHead,
  before: z.array(shareRow),
  after: z.array(shareRow),
  flows: z.array(
    z.strictObject({ from: name(), to: name(), pairs: whole(), pods: whole(), cpu: whole(), memory: whole(), done: whole() }),
  ),
  unmovable: z.array(
    z.strictObject({
      reason: z.string(),
      count: whole(),
      workloads: z.array(ref),
      because: sentence,
      remedy: sentence.nullable(),
    }),
  ),
  stays: z.strictObject({ pods: whole(), of: whole() }),
  goals: z.array(goal),
  buttons: z.array(button),
  safety: z.array(sentence),
  notice: sentence.nullable(),
  moves: z.array(move).max(500),
  moveCount: whole(),
}) satisfies z.ZodType<contract.PlanView>

/** `GET /api/v1/plans/{name}/moves`. */
export const movePage = z.strictObject({
  moves: z.array(move),
  total: whole(),
  next: z.string().nullable(),
}) satisfies z.ZodType<contract.MovePage>

const numbers = z.record(z.string(), z.number())

/** `GET /api/v1/plans/{name}/moves/{id}/certificate`. */
export const moveCertificate = z.strictObject({
  plan: name(),
  move: z.string(),
  sentence,
  requests: numbers,
  freeBefore: numbers,
  freeAfter: numbers,
  filters: z.record(z.string(), z.string()),
  landing: z.strictObject({ mode: z.string(), nodes: z.array(name()), totals: numbers }),
  budget: z.record(z.string(), z.union([z.string(), z.number()])).nullable(),
  snapshotHash: z.string(),
  verified: z.strictObject({ passed: z.boolean(), by: z.string(), because: z.string().nullable() }),
  command: z.string(),
}) satisfies z.ZodType<contract.MoveCertificate>

const permit = z.strictObject({
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
  waitedMs: amount(),
  outcome: z.string().nullable(),
  into: z.string().nullable(),
}) satisfies z.ZodType<contract.Permit>

/** `GET /api/v1/permits/counts`. */
export const permitCounts = z.strictObject({
  byDecision: z.record(z.string(), whole()),
  byRule: z.record(z.string(), whole()),
  byCapability: z.record(z.string(), whole()),
  sentence,
}) satisfies z.ZodType<contract.PermitCounts>

/** `GET /api/v1/permits`. */
export const permitPage = z.strictObject({
  permits: z.array(permit),
  counts: permitCounts,
  next: z.string().nullable(),
  keptFrom: z.string().nullable(),
}) satisfies z.ZodType<contract.PermitPage>

const requestedAndUsed = z.strictObject({ requested: whole(), used: amount() })
const nodePod = z.strictObject({
  ref,
  workload: ref.nullable(),
  cpu: requestedAndUsed,
  memory: requestedAndUsed,
  movable: z.boolean(),
  because: sentence,
}) satisfies z.ZodType<contract.NodePod>

/** `GET /api/v1/nodes/{name}`. */
export const nodeView = z.strictObject({
  row: nodeRow,
  goals: z.array(goal),
  verdict,
  labels: z.record(z.string(), z.string()),
  conditions: z.array(z.strictObject({ type: z.string(), status: z.string(), message: z.string().nullable() })),
  podCount: amount(),
}) satisfies z.ZodType<contract.NodeView>

/** `GET /api/v1/nodes/{name}/pods`. */
export const nodePodPage = z.strictObject({
  pods: z.array(nodePod),
  total: amount(),
  hidden: whole(),
  next: z.string().nullable(),
}) satisfies z.ZodType<contract.NodePodPage>

const historyRow = z.strictObject({
  at: z.string(),
  sign: z.enum(['●', '◔', '✕', '⋈', '○', '–']),
  who: z.string(),
  sentence,
  permit: z.string().nullable(),
}) satisfies z.ZodType<contract.HistoryRow>

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
  pods: z
    .array(
      z.strictObject({
        name: name(),
        node: name().nullable(),
        phase: z.string(),
        ready: z.boolean(),
        createdAt: z.string().nullable(),
        cpu: requestedAndUsed,
        memory: requestedAndUsed,
        mayGo: z.array(name()).max(20),
        mayGoCount: whole().nullable(),
        mayNot: z.array(z.strictObject({ node: name(), because: z.string() })).max(20),
      }),
    )
    .max(100),
  placesAt: time().nullable(),
  podCount: amount(),
  dependsOn: z.array(ref),
  budgets: z.array(z.strictObject({ name: name(), allowed: whole(), healthy: whole(), desired: whole() })),
  freeze: freeze.nullable(),
  deletedAt: z.string().nullable(),
  history: z.array(historyRow).max(100),
  buttons: z.array(button),
  account: z.unknown(),
}) satisfies z.ZodType<contract.WorkloadView>

/** `GET /api/v1/workloads/{ns}/{kind}/{name}/history`. */
export const historyPage = z.strictObject({
  history: z.array(historyRow),
  next: z.string().nullable(),
}) satisfies z.ZodType<contract.HistoryPage>

/** `GET /api/v1/workloads`. */
export const workloadPage = z.strictObject({
  workloads: z.array(
    z.strictObject({
      ref,
      pods: whole(),
      ready: whole(),
      owner: z.string(),
      cpu: whole(),
      memory: whole(),
      nodes: z.array(name()),
    }),
  ),
  total: amount(),
  next: z.string().nullable(),
}) satisfies z.ZodType<contract.WorkloadPage>

/** `GET /api/v1/twin`. */
export const twinView = z.strictObject({
  now: time(),
  speed: z.number().nullable(),
  paused: z.boolean(),
  settled: z.boolean(),
  pendingTimers: whole(),
  faults: z.array(
    z.strictObject({
      name: name(),
      text: z.string(),
      since: time().nullable(),
      until: time().nullable(),
      ours: z.boolean(),
    }),
  ),
  source: z.string(),
  seed: z.number(),
  buttons: z.array(button),
}) satisfies z.ZodType<contract.TwinView>

/** `GET /api/v1/images`. */
export const imagesView = z.strictObject({
  sentences: z.array(sentence),
  registries: z.array(z.strictObject({ name: z.string(), hits: whole(), misses: whole() })),
  mirrors: z.array(
    z.strictObject({
      node: name(),
      state: z.enum(['serving', 'waiting', 'silent', 'none']),
      because: z.string().nullable(),
      images: whole(),
      fromNodes: amount(),
      fromOutside: amount(),
      toNodes: amount(),
    }),
  ),
  images: z.array(
    z.strictObject({
      name: z.string(),
      digest: z.string().nullable(),
      bytes: amount(),
      nodes: z.array(name()),
      nodeCount: whole(),
      pulls: z.array(
        z.strictObject({ node: name(), from: z.enum(['outside', 'peer', 'relay']), bytes: amount(), done: amount() }),
      ),
    }),
  ),
  total: whole(),
}) satisfies z.ZodType<contract.ImagesView>

/** `GET /api/v1/search`. */
export const searchHits = z.array(
  z.strictObject({
    kind: z.enum(['node', 'workload', 'plan', 'permit', 'pod']),
    text: z.string(),
    path: z.string().startsWith('/'),
  }),
) satisfies z.ZodType<readonly contract.SearchHit[]>

/** `GET /api/v1/settings`. */
export const settingRows = z.array(
  z.strictObject({ key: z.string().min(1), value: z.string(), origin: z.string() }),
) satisfies z.ZodType<readonly contract.SettingRow[]>
