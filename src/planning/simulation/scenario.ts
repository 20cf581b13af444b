// A scenario as its file says it: ordered steps, one operation each, and what is to hold afterwards. One schema gives types and checks.

import * as z from 'zod'
import { parseLabelSelector } from '#kube/objects/selector.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parseQuantity } from '#kube/values/quantity.ts'

const text = (longest = 253) => z.string().min(1).max(longest)
const taintEffect = z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])

const quantity = z.union([z.string().max(64), z.number()]).refine(value => parseQuantity(value).ok, {
  message: 'a quantity such as 250m, 4 or 16Gi',
})
const amounts = z.record(text(317), quantity)
const selector = text(4_096).refine(value => parseLabelSelector(value).ok, {
  message: 'a label selector such as app=web,tier in (a,b)',
})
const oneOrMore = z.union([text(), z.array(text()).min(1).max(5_000)])
const labels = z.record(text(317), z.string().max(63).nullable())
const percent = z.number().min(0).max(100)
const podKey = text(507).regex(/^[^/\s]+\/[^/\s]+$/, 'NAMESPACE/POD')
const workloadKey = text(600).regex(/^[^/\s]+\/([A-Z][^/\s]*\/)?[^/\s]+$/, 'NAMESPACE/NAME or NAMESPACE/Kind/NAME')
const namespaces = z.strictObject({
  include: z.array(text()).max(1_000).default([]),
  exclude: z.array(text()).max(1_000).default([]),
})
const objects = z
  .array(z.looseObject({ apiVersion: text(), kind: text(), metadata: z.looseObject({ name: text() }) }))
  .min(1)
  .max(10_000)

/** Which pods an operation is about. What several fields say has to hold together; DaemonSets' and static pods only where named. */
const podChoice = {
  pods: z.array(podKey).min(1).max(10_000).exactOptional(),
  workload: workloadKey.exactOptional(),
  node: oneOrMore.exactOptional(),
  namespaces: namespaces.exactOptional(),
  labelSelector: selector.exactOptional(),
  most: z.int().min(1).max(100_000).exactOptional(),
  order: z.enum(['name', 'memory', 'cpu', 'priority']).default('name'),
}
type ChoiceFields = Readonly<Record<'pods' | 'workload' | 'node' | 'namespaces' | 'labelSelector', unknown>>
const isChoice = (value: Partial<ChoiceFields>): boolean =>
  value.pods !== undefined ||
  value.workload !== undefined ||
  value.node !== undefined ||
  value.namespaces !== undefined ||
  value.labelSelector !== undefined
const choosesSomething = { message: 'at least one of pods, workload, node, namespaces, labelSelector' }

/** Cycles of a descheduler in one step. */
const mostCycles = 1_000

/** In milliseconds. */
const duration = text(64)
  .refine(value => durationMs(value) !== undefined, { message: 'a duration such as 5m or 1h30m' })
  .transform(value => durationMs(value) ?? 0)

function durationMs(value: string): number | undefined {
  const parsed = parseDurationMs(value)
  return parsed.ok && parsed.value >= 0 ? parsed.value : undefined
}

/** Where the policy of an `applyPolicy` may be. */
const policyPlaces = {
  policy: text().exactOptional(),
  file: text(4_096).exactOptional(),
  descheduler: z.looseObject({}).exactOptional(),
  configMap: text(507)
    .regex(/^[^/\s]+\/[^/\s]+$/, 'NAMESPACE/NAME')
    .exactOptional(),
}
const placeNames = Object.keys(policyPlaces)

/** The fields of a step that say where its policy is: at most one where it was read. */
export const policyPlacesIn = (step: Readonly<Record<string, unknown>>): readonly string[] =>
  placeNames.filter(name => step[name] !== undefined)

/** Every operation with its fields. */
const operations = {
  addNode: z.strictObject({
    name: text(),
    count: z.int().min(1).max(5_000).default(1),
    like: text().exactOptional(),
    allocatable: amounts.exactOptional(),
    labels: labels.exactOptional(),
    taints: z
      .array(z.strictObject({ key: text(317), value: z.string().max(63).exactOptional(), effect: taintEffect }))
      .max(100)
      .exactOptional(),
  }),
  removeNode: z.strictObject({ node: oneOrMore }),
  cordon: z.strictObject({ node: oneOrMore }),
  uncordon: z.strictObject({ node: oneOrMore }),
  taint: z.strictObject({ node: oneOrMore, key: text(317), value: z.string().max(63).exactOptional(), effect: taintEffect }),
  untaint: z.strictObject({ node: oneOrMore, key: text(317), effect: taintEffect.exactOptional() }),
  label: z
    .strictObject({
      node: oneOrMore.exactOptional(),
      namespace: text().exactOptional(),
      workload: workloadKey.exactOptional(),
      labels,
    })
    .refine(value => [value.node, value.namespace, value.workload].filter(one => one !== undefined).length === 1, {
      message: 'exactly one of node, namespace, workload',
    }),
  setAllocatable: z.strictObject({ node: oneOrMore, allocatable: amounts }),
  scale: z.strictObject({ workload: workloadKey, replicas: z.int().min(0).max(150_000) }),
  setRequests: z
    .strictObject({ workload: workloadKey, container: text().exactOptional(), requests: amounts })
    .refine(value => Object.keys(value.requests).length > 0, { path: ['requests'], message: 'at least one resource' }),
  apply: z
    .strictObject({ objects: objects.exactOptional(), file: text(4_096).exactOptional() })
    .refine(value => (value.objects === undefined) !== (value.file === undefined), { message: 'exactly one of objects, file' }),
  evict: z
    .strictObject({ ...podChoice, pace: z.enum(['one-by-one', 'together']).default('one-by-one') })
    .refine(isChoice, choosesSomething),
  drain: z.strictObject({ node: oneOrMore, force: z.boolean().default(false), deleteEmptyDirData: z.boolean().default(false) }),
  delete: z
    .strictObject({
      ...podChoice,
      object: z.strictObject({ kind: text(), namespace: text().exactOptional(), name: text() }).exactOptional(),
    })
    .refine(value => isChoice(value) !== (value.object !== undefined), { message: 'either object, or a choice of pods' }),
  applyPolicy: z
    .strictObject({
      ...policyPlaces,
      cycles: z.int().min(1).max(mostCycles).exactOptional(),
      interval: duration.exactOptional(),
      landing: z.enum(['observe', 'prefer', 'hold']).exactOptional(),
    })
    .refine(value => policyPlacesIn(value).length <= 1, { message: `one of ${placeNames.join(', ')}` }),
  isolate: z.strictObject({
    node: text(),
    policy: text().exactOptional(),
    keda: z.enum(['waitForZero', 'evict']).exactOptional(),
    exceptions: z.array(text(600)).max(1_000).exactOptional(),
    landing: z.enum(['observe', 'prefer', 'hold']).exactOptional(),
  }),
  powerOff: z.strictObject({ node: oneOrMore, force: z.boolean().default(false) }),
  schedulerConfig: z
    .strictObject({
      configuration: z.looseObject({}).exactOptional(),
      file: text(4_096).exactOptional(),
      profile: text().exactOptional(),
    })
    .refine(value => (value.configuration === undefined) !== (value.file === undefined), {
      message: 'exactly one of configuration, file',
    }),
}

type OperationName = keyof typeof operations
type OperationValues = { readonly [Name in OperationName]: z.infer<(typeof operations)[Name]> }
/** One operation, told apart by `op`. */
export type Operation = { readonly [Name in OperationName]: { readonly op: Name } & OperationValues[Name] }[OperationName]
/** The fields of one kind of operation. */
export type OperationOf<Name extends OperationName> = Extract<Operation, { readonly op: Name }>

/** A step that is carried out as a plan, which whoever knows its policies makes. */
export type PlannedOperation = OperationOf<'isolate'>

/** In the order in which messages name them. */
export const operationNames: readonly OperationName[] = [
  'addNode',
  'removeNode',
  'cordon',
  'uncordon',
  'taint',
  'untaint',
  'label',
  'setAllocatable',
  'scale',
  'setRequests',
  'apply',
  'evict',
  'drain',
  'delete',
  'applyPolicy',
  'isolate',
  'powerOff',
  'schedulerConfig',
]

const bounds = { above: percent.exactOptional(), below: percent.exactOptional() }
const isBounded = (value: { readonly above?: number | undefined; readonly below?: number | undefined }): boolean =>
  value.above !== undefined || value.below !== undefined
const bounded = { message: 'above, below or both' }

/** What is to hold: judged strictly, on exact fractions, as goals are. */
const expectation = z.union([
  z.strictObject({ node: oneOrMore, resource: text(317), ...bounds }).refine(isBounded, bounded),
  z.strictObject({ pending: z.int().min(0) }),
  z.strictObject({ refusals: z.int().min(0) }),
  z.strictObject({ lost: z.int().min(0) }),
  z.strictObject({ moves: z.int().min(0) }),
  z.strictObject({ evicted: z.int().min(0) }),
  z.strictObject({ evictedAgain: z.int().min(0) }),
  z.strictObject({ settled: z.boolean() }),
  z.strictObject({ workload: workloadKey, nodes: z.array(text()).min(1).max(5_000) }),
  z.strictObject({
    watts: z.strictObject({ above: z.number().exactOptional(), below: z.number().exactOptional() }).refine(isBounded, bounded),
  }),
])
export type Expectation = z.infer<typeof expectation>

const expectations = z.array(expectation).max(1_000).default([])

const goal = z
  .strictObject({
    name: text(),
    nodes: z.array(text()).min(1).max(5_000),
    resource: text(317),
    max: percent.exactOptional(),
    min: percent.exactOptional(),
  })
  .refine(value => value.max !== undefined || value.min !== undefined, { message: 'max, min or both' })
export type ScenarioGoal = z.infer<typeof goal>

const watts = z.number().min(0).max(100_000)
const nodeWatts = z
  .strictObject({ node: text(), idle: watts, max: watts, standby: watts.default(1) })
  .refine(value => value.max >= value.idle, { path: ['max'], message: 'at least idle' })

const step = z.strictObject({
  say: z.string().max(1_000).exactOptional(),
  ...Object.fromEntries(operationNames.map(name => [name, operations[name].exactOptional()])),
  expect: expectations,
})

export const scenarioSchema = z.strictObject({
  name: z.string().max(253).default(''),
  server: z
    .union([z.string().regex(/^v?1\.\d+(\.\d+)?$/), z.number().min(1).max(2)])
    .transform(value => String(value))
    .exactOptional(),
  seed: z.int().min(0).max(4_294_967_295).default(1),
  kubelet: z.enum(['fast', 'general']).default('fast'),
  now: z.iso.datetime().exactOptional(),
  watts: z.array(nodeWatts).max(5_000).default([]),
  goals: z.array(goal).max(64).default([]),
  steps: z.array(step).min(1).max(10_000),
  expect: expectations,
})

/** The schema of one operation. */
export function operationSchema(name: OperationName): (typeof operations)[OperationName] {
  return operations[name]
}

export interface ScenarioStep {
  /** The user's own words for it. */
  readonly say?: string
  readonly operation: Operation
  readonly expect: readonly Expectation[]
}

export interface Scenario {
  readonly name: string
  /** The API server's version whose scheduler it is: `1.34`. */
  readonly server?: string
  readonly seed: number
  /** `fast`: a pod that has a node is ready at once; `general`: each stage takes 1 s and up to 5 s more. */
  readonly kubelet: 'fast' | 'general'
  /** RFC 3339. */
  readonly now?: string
  readonly watts: readonly { readonly node: string; readonly idle: number; readonly max: number; readonly standby: number }[]
  readonly goals: readonly ScenarioGoal[]
  readonly steps: readonly ScenarioStep[]
  readonly expect: readonly Expectation[]
  /** File, line and path of a field, for messages: `s.yaml: line 12: steps[3].evict.node`. */
  readonly where: (path: readonly (string | number)[]) => string
}
