// Our kinds that several capabilities read: RebalancePolicy, RebalancePlan, DisruptionPermit. The zod schema is the record: types,
// the check of what the watch brings, and the CustomResourceDefinition come from it.

import * as z from 'zod'
import { mover, unlabelledOwners } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { localStorageRules, singleReplicaRules } from '#planning/goals/policy.ts'
import { riskCodes, riskGrades } from '#planning/plan-record.ts'
import { autoFieldsOf, trialFields } from './auto-fields.ts'
import { goalFieldsOf, pricesOf } from './goal-fields.ts'
import { planPurposes, plansFor } from './intent.ts'
import { isolationFields, isolationStatusOf } from './isolation-fields.ts'
import type { disruptionPermitSpec, disruptionPermitStatus } from './permits/permit-schema.ts'

export const ballastGroup = 'ballast.dev'
export const ballastVersion = 'v1alpha1'
export const ballastApiVersion = `${ballastGroup}/${ballastVersion}`

/** The three kinds as resources. */
export const rebalancePolicies = { group: ballastGroup, version: ballastVersion, resource: 'rebalancepolicies' } as const
export const rebalancePlans = { group: ballastGroup, version: ballastVersion, resource: 'rebalanceplans' } as const
export const disruptionPermits = { group: ballastGroup, version: ballastVersion, resource: 'disruptionpermits' } as const
/** The kind of `rebalancePlans`. */
export const planKind = 'RebalancePlan'

const name = () => z.string().min(1).max(253)
const percentage = () => z.int().min(0).max(100)
const timestamp = () => z.string().max(40)

const condition = z.object({
  type: z.string().max(63),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().max(128).exactOptional(),
  message: z.string().max(4096).exactOptional(),
  lastTransitionTime: timestamp().exactOptional(),
  observedGeneration: z.int().min(0).exactOptional(),
})

export const labelSelector = z.object({
  matchLabels: z.record(z.string().max(317), z.string().max(63)).exactOptional(),
  matchExpressions: z
    .array(
      z.object({
        key: z.string().max(317),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string().max(63)).max(256).exactOptional(),
      }),
    )
    .max(64)
    .exactOptional(),
})

const namespaceChoice = z.object({
  include: z.array(name()).max(256).default([]),
  exclude: z.array(name()).max(256).default([]),
})

const rebalancePolicyFields = z.object({
  trigger: z.enum(['schedule', 'manual']).default('schedule'),
  schedule: z.string().max(128).exactOptional().describe('cron, 5 fields; required unless trigger is manual'),
  timeZone: z.string().max(64).default('UTC'),
  windows: z
    .array(z.object({ cron: z.string().max(128), duration: z.string().max(32) }))
    .max(16)
    .default([])
    .describe('an approved plan runs only inside one of these; none: at any time'),
  mode: z.enum(['Report', 'Approve', 'Auto']).default('Report'),
  goals: z.array(goalFieldsOf(labelSelector)).max(64).default([]).describe('none only beside an isolation or energy'),
  scope: z
    .object({
      namespaces: namespaceChoice.default({ include: [], exclude: [] }),
      labelSelector: labelSelector.exactOptional(),
      nodeSelector: labelSelector.exactOptional(),
    })
    .default({ namespaces: { include: [], exclude: [] } }),
  headroom: z
    .object({ cpu: percentage().default(85), memory: percentage().default(85), pods: percentage().default(95) })
    .default({ cpu: 85, memory: 85, pods: 95 })
    .describe('no destination is filled above this percentage of its allocatable'),
  limits: z
    .object({
      perPlan: z.int().min(0).max(10_000).default(30),
      perHour: z.int().min(0).max(10_000).default(30),
      perDay: z.int().min(0).max(10_000).exactOptional().describe('within 24 hours; none: only what the other limits say'),
      perNode: z.int().min(0).max(10_000).exactOptional(),
      perNamespace: z.int().min(0).max(10_000).exactOptional(),
      concurrent: z.int().min(1).max(100).default(1),
    })
    .default({ perPlan: 30, perHour: 30, concurrent: 1 })
    .describe('per* count the pods that leave'),
  preferences: z
    .array(
      z.object({
        namespaces: z.array(name()).max(64).default([]),
        labelSelector: labelSelector.exactOptional(),
        nodes: z.array(name()).min(1).max(256),
      }),
    )
    .max(64)
    .default([])
    .describe('soft wishes where moved pods should land'),
  coordination: z
    .object({
      enforce: z.boolean().default(true),
      unlabelled: z
        .enum(unlabelledOwners)
        .default(mover)
        .describe('whose pods without any owner label are: descheduler (default) lets them be moved, none demands a label'),
      requirePDB: z.boolean().exactOptional().describe('a budget is demanded of what is moved; default: in mode Auto'),
      localStorage: z
        .enum(localStorageRules)
        .exactOptional()
        .describe(
          'what has an emptyDir or an ephemeral volume, whose content a move loses; default: refuse in mode Auto, else allow',
        ),
      kedaPresence: z.enum(['exclude', 'ignore']).default('exclude'),
    })
    .default({ enforce: true, unlabelled: mover, kedaPresence: 'exclude' }),
  landing: z
    .enum(['observe', 'prefer', 'hold'])
    .exactOptional()
    .describe('default hold where the webhook is installed, else prefer'),
  method: z.enum(['auto', 'milp', 'greedy']).default('auto'),
  objective: z.enum(['cost', 'moves']).default('cost'),
  solveSeconds: z.int().min(1).max(600).default(20),
  singleReplica: z
    .enum(singleReplicaRules)
    .exactOptional()
    .describe(
      'surge: by a surge where that can be, else by an eviction, a short outage; surgeOnly: not where that would be one; default: surgeOnly in mode Auto, else surge',
    ),
  auto: autoFieldsOf(labelSelector).exactOptional().describe('so that plans can be left alone, in mode Auto and in mode Approve'),
  isolation: isolationFields.exactOptional(),
  prices: pricesOf(labelSelector),
  energy: z
    .object({
      nodes: z
        .array(
          z.object({
            name: name(),
            idleWatts: z.number().min(0).max(100_000).describe('with nothing to do'),
            maxWatts: z.number().min(0).max(100_000).describe('with all CPUs busy'),
            standbyWatts: z.number().min(0).max(100_000).default(1),
            bootSeconds: z.int().min(0).max(86_400).default(180),
            actuator: z.enum(['wol', 'talos', 'plug', 'none']).default('none'),
            powerDown: z.enum(['allowed', 'never']).default('never'),
          }),
        )
        .max(256)
        .default([]),
      minReadyNodes: z.int().min(0).max(10_000).default(2),
      reserve: z.object({ cpu: z.string().max(32).exactOptional(), memory: z.string().max(32).exactOptional() }).exactOptional(),
      minOffMinutes: z.int().min(0).max(10_080).default(60),
      maxCyclesPerDay: z.int().min(0).max(48).default(4),
      window: z.string().max(256).exactOptional().describe('CRON;DURATION;ZONE: when nodes may be off; none: at any time'),
    })
    .exactOptional()
    .describe('names nodes that could be off; nobody switches them yet'),
})

/** A policy is for goals, for energy, or for an isolation (one that is switched off can be switched on): the same in CEL for the API server. */
export const rebalancePolicySpec = rebalancePolicyFields
  .refine(spec => spec.goals.length > 0 || spec.isolation !== undefined || spec.energy !== undefined, {
    path: ['goals'],
    message: 'at least one goal, an isolation, or energy',
  })
  .meta({
    cel: {
      rule: '(has(self.goals) && size(self.goals) > 0) || has(self.isolation) || has(self.energy)',
      message: 'at least one goal, an isolation, or energy',
    },
  })

export const rebalancePolicyStatus = z.object({
  observedGeneration: z.int().min(0).exactOptional(),
  lastScheduleTime: timestamp().exactOptional().describe('the last time of the schedule that was acted on'),
  lastPlanNow: z.string().max(256).exactOptional().describe('the value of ballast.dev/plan-now that was acted on'),
  lastPlan: name().exactOptional(),
  nextPlanTime: timestamp().exactOptional(),
  demand: z
    .array(z.object({ hour: timestamp(), cpu: z.int().min(0), memory: z.int().min(0) }))
    .max(25)
    .exactOptional()
    .describe('millicores and bytes that pods requested in each hour of the last day, of a policy with energy'),
  landing: z
    .object({
      foretold: z.int().min(0).describe('landings that were left to the scheduler, of the plans that are kept'),
      expected: z.int().min(0).describe('those that were where the model of the scheduler said'),
    })
    .exactOptional(),
  nearness: z
    .object({
      looks: z.int().min(0).describe('plans in a row that found goals missed and no nearer than before'),
      missing: z.number().min(0).describe('percentage points by which goals were missed at the last look, over all nodes'),
      nearest: z.number().min(0).describe('the least of them since the goals were met'),
    })
    .exactOptional()
    .describe('of a policy in mode Auto'),
  days: z
    .array(
      z.object({
        day: z.string().max(10).describe('by UTC, YYYY-MM-DD'),
        plans: z.int().min(0).describe('that ended on it'),
        goalsMet: z.int().min(0).describe('of them, after which all goals were met'),
        begun: z.int().min(0).describe('of them, that moved pods or tried to'),
        moves: z.int().min(0).describe('of plans that were begun'),
        landed: z.int().min(0).describe('where the plan said'),
        elsewhere: z.int().min(0),
        left: z.int().min(0).describe('moves that did not come to an end'),
        expectedSeconds: z.int().min(0).describe('of plans that were begun, as foretold'),
        realSeconds: z.int().min(0).describe('from their beginning to their end, pauses included'),
        proposed: z.int().min(0).describe('moves of plans that were never begun'),
        asForetold: z.int().min(0).describe('of them, whose pod somebody else moved to where the plan would have'),
        otherwise: z.int().min(0).describe('of them, whose pod somebody else moved to another node'),
      }),
    )
    .max(31)
    .exactOptional()
    .describe('what plans foretold and what came of it, newest last: `ballast plan report` prints it'),
  isolation: isolationStatusOf(condition).exactOptional(),
  conditions: z.array(condition).max(16).exactOptional(),
})

const podName = z.object({ namespace: name(), name: name(), uid: z.string().max(128) })
const workloadName = z.object({
  apiVersion: z.string().max(317),
  kind: z.string().max(63),
  namespace: name(),
  name: name(),
  uid: z.string().max(128),
})

/** Nodes that a plan can close: as many as the planner does at most. */
const mostClosedNodes = 1_000

const amounts = () => z.record(z.string().max(317), z.int())

const certificate = z.object({
  snapshotHash: z.string().max(128),
  podUid: z.string().max(128),
  requests: amounts(),
  from: name(),
  to: name(),
  freeBefore: amounts(),
  freeAfter: amounts(),
  filters: z.record(z.string().max(63), z.literal('passed')),
  landing: z.object({
    mode: z.enum(['observe', 'prefer', 'hold']),
    nodes: z.array(name()).max(5_000),
    totals: amounts(),
    likely: z
      .number()
      .min(0)
      .max(1)
      .exactOptional()
      .describe('how probable it is that it lands where it may; absent: nothing else can be'),
    many: z
      .object({ count: z.int().min(0), feasible: z.int().min(0), digest: z.string().max(128) })
      .exactOptional()
      .describe('of many nodes, in place of their names: how many it may choose, on how many it could run, and a sum of these'),
  }),
  budget: z
    .object({
      name: z.string().max(507),
      expected: z.int(),
      desired: z.int(),
      healthyBefore: z.int(),
      healthyAfter: z.int(),
      allowedBefore: z.int(),
      allowedAfter: z.int(),
    })
    .exactOptional(),
})

export const planMove = z.object({
  id: z.string().min(1).max(63),
  wave: z.int().min(0).max(10_000),
  pod: podName,
  follows: z
    .string()
    .max(63)
    .exactOptional()
    .describe('id of the move that brought the pod to a stop on its way: then its replacement is what goes'),
  workload: workloadName,
  from: name(),
  to: name(),
  acceptable: z.array(name()).min(1).max(5_000).describe('nodes on which the landing counts as meant'),
  closed: z
    .int()
    .min(0)
    .max(mostClosedNodes)
    .exactOptional()
    .describe('every other node is acceptable too, but its source and the first so many of closedNodes'),
  action: z.enum(['evict', 'surge']),
  certificate: certificate.describe('why the pod fits: replayed by `ballast plan verify`'),
})

export const rebalancePlanSpec = z.object({
  policyRef: z.object({ name: name(), uid: z.string().max(128).exactOptional() }),
  snapshotHash: z.string().max(128),
  batch: z
    .string()
    .max(253)
    .exactOptional()
    .describe('id under which cool-downs count its steps once; a plan that replaces another keeps it'),
  replaces: name().exactOptional(),
  rollsBack: name().exactOptional().describe('the plan whose moves it undoes: one that a signal stopped'),
  attempt: z.int().min(0).max(100).default(0).describe('how often its batch was planned anew after a landing elsewhere'),
  outcome: z.enum(['met', 'not-met', 'infeasible']),
  method: z.string().max(32),
  purpose: z
    .enum(planPurposes)
    .default('move')
    .describe(planPurposes.map(name => `${name}: ${plansFor(name).aim}, class ${plansFor(name).class}`).join('; ')),
  landing: z.enum(['observe', 'prefer', 'hold']),
  moves: z.array(planMove).max(1_000),
  closedNodes: z
    .array(name())
    .max(mostClosedNodes)
    .exactOptional()
    .describe('nodes on which no replacement is to land, in the order in which they are closed: they are tainted while it runs'),
  approved: z.boolean().default(false),
  approvedHash: z
    .string()
    .max(128)
    .exactOptional()
    .describe('the snapshotHash that was approved; another one than ours is no approval'),
})

/** Phases after which nothing of a plan happens any more. */
export const overPhases = ['Succeeded', 'Incomplete', 'Failed', 'Expired'] as const

export const stepStates = ['Waiting', 'Acting', 'Landing', 'Landed', 'Mismatch', 'Skipped', 'Failed'] as const

const step = z.object({
  id: z.string().max(63),
  state: z.enum(stepStates),
  landedOn: name().exactOptional(),
  replacement: z.object({ name: name(), uid: z.string().max(128) }).exactOptional(),
  seconds: z.int().min(0).exactOptional(),
  reason: z.string().max(128).exactOptional(),
  message: z.string().max(1024).exactOptional(),
})

const nodePercent = z.object({
  node: name(),
  resource: z.string().min(1).max(317),
  percent: z.int().describe('as kubectl describe node prints it'),
  requested: z.string().max(32).describe('milli-CPU, bytes or pods'),
  allocatable: z.string().max(32),
})

export const rebalancePlanStatus = z.object({
  observedGeneration: z.int().min(0).exactOptional(),
  phase: z
    .enum(['Proposed', 'Approved', 'Running', 'Paused', ...overPhases])
    .exactOptional()
    .describe(
      'Succeeded: every move landed; Incomplete: it is over, and moves were left out or goals that it foretold are missed',
    ),
  message: z.string().max(4096).exactOptional(),
  objective: z
    .object({
      moves: z.int(),
      lowerBound: z.number().describe('what a choice of parts of pods would need'),
      atLeast: z.int().exactOptional().describe('no plan that reaches as much needs fewer: the lower bound, rounded up'),
      gap: z.number(),
      withMargins: z
        .boolean()
        .exactOptional()
        .describe('true: the bounds are of plans that exceed the goals by their margins; fewer moves may do without these'),
    })
    .exactOptional(),
  limits: z
    .array(
      z.object({
        limit: z.enum(['branches', 'pairs', 'orders', 'solver']),
        most: z.int().min(0).exactOptional(),
        detail: z.string().max(1024).exactOptional(),
      }),
    )
    .max(8)
    .exactOptional()
    .describe('bounds of the search that were met: what is not proven may be better'),
  shortfall: z
    .object({
      left: z.number().min(0).describe('percentage points over all goals that the plan leaves'),
      atLeast: z.number().min(0).describe('what every plan within the limits leaves at least'),
    })
    .exactOptional()
    .describe('of goals that are missed'),
  expected: z
    .object({
      seconds: z
        .int()
        .min(0)
        .describe('from the first move to the end of the last, as past moves took and as the arbiter lets them go'),
      beginsAt: timestamp().describe('when it would begin if it were approved when it was made'),
      endsAt: timestamp(),
      moves: z
        .array(z.object({ id: z.string().max(63), after: z.int().min(0), seconds: z.int().min(0) }))
        .max(1_000)
        .describe('seconds after the beginning at which each begins, and that it takes'),
      held: z
        .string()
        .max(1024)
        .exactOptional()
        .describe('the red gate that held its first moves when it was made: its times count from when that is over'),
      rest: z
        .object({
          moves: z.int().min(0).describe('moves of a plan that would reach more if none had to wait'),
          reaches: z.enum(['all', 'more']),
          from: timestamp().exactOptional().describe('when the last of them could go'),
        })
        .exactOptional()
        .describe('what has to wait: the plan reaches less than could be reached later'),
    })
    .exactOptional(),
  goals: z
    .array(z.object({ name: name(), outcome: z.enum(['met', 'not-met']), message: z.string().max(1024) }))
    .max(64)
    .exactOptional(),
  risks: z
    .array(
      z.object({
        risk: z.enum(riskCodes),
        grade: z.enum(riskGrades),
        moves: z.int().min(0),
        workloads: z.array(z.string().max(512)).max(64).describe('the first of them'),
        message: z.string().max(256),
      }),
    )
    .max(16)
    .exactOptional()
    .describe('what may go wrong for the users of what is moved, the gravest first'),
  before: z.array(nodePercent).max(1_000).exactOptional(),
  after: z.array(nodePercent).max(1_000).exactOptional(),
  steps: z.array(step).max(1_000).exactOptional(),
  unmovable: z
    .array(
      z.object({
        workload: z.string().max(600),
        pod: z.string().max(507).exactOptional().describe('namespace/name'),
        reason: z.string().max(300),
        message: z.string().max(1024).exactOptional(),
        label: z.string().max(317).exactOptional().describe('key of the owner label that holds it, or that would free it'),
        labelled: z.enum(['pod', 'workload', 'namespace']).exactOptional().describe('what has the label'),
      }),
    )
    .max(1_000)
    .exactOptional(),
  energy: z
    .object({
      wattsBefore: z.number(),
      wattsAfter: z.number().describe('with the nodes off that could be: advice, nobody switches them'),
      nodes: z
        .array(
          z.object({
            node: name(),
            decision: z.enum(['power-down', 'stays', 'off']),
            watts: z.number(),
            wattsAfter: z.number(),
            moves: z.int().min(0).describe('pods that leave it beforehand'),
            reason: z.string().max(63).exactOptional(),
            message: z.string().max(1024).exactOptional(),
          }),
        )
        .max(256),
      moves: z.array(z.object({ pod: z.string().max(507), from: name(), to: name() })).max(1_000),
      warnings: z.array(z.string().max(1024)).max(16).exactOptional(),
    })
    .exactOptional(),
  budgets: z
    .array(z.object({ namespace: name(), name: name(), selector: labelSelector }))
    .max(256)
    .exactOptional()
    .describe(
      'PodDisruptionBudgets with maxUnavailable 1 that would let more pods be moved; `ballast plan --emit-pdbs` prints them',
    ),
  startedAt: timestamp().exactOptional(),
  progressAt: timestamp().exactOptional().describe('of the last step that got further'),
  finishedAt: timestamp().exactOptional(),
  checkedAt: timestamp().exactOptional().describe('when the certificates of a waiting proposal were last replayed'),
  mismatches: z.int().min(0).exactOptional(),
  shadow: z
    .object({ moves: z.int().min(0), asForetold: z.int().min(0), elsewhere: z.int().min(0) })
    .exactOptional()
    .describe('of a plan that was never begun: its moves, and where pods are by now that somebody else moved meanwhile'),
  trial: trialFields.exactOptional().describe('how its canary and its signals stand'),
  policyHash: z.string().max(128).exactOptional().describe('of what its policy said when it was last held against it'),
  conditions: z.array(condition).max(16).exactOptional(),
})

/** What comes out of the API server is shared: nobody changes it in place. */
type Stored<T> = T extends object ? { readonly [Key in keyof T]: Stored<T[Key]> } : T

export type RebalancePolicySpec = Stored<z.output<typeof rebalancePolicySpec>>
/** One of `spec.goals`. */
export type PolicyGoal = RebalancePolicySpec['goals'][number]
export type RebalancePolicyStatus = Stored<z.output<typeof rebalancePolicyStatus>>
export type IsolationStatus = NonNullable<RebalancePolicyStatus['isolation']>
export type IsolationRow = NonNullable<IsolationStatus['blocked']>[number]
export type RebalancePlanSpec = Stored<z.output<typeof rebalancePlanSpec>>
export type RebalancePlanStatus = Stored<z.output<typeof rebalancePlanStatus>>
export type PlanMove = Stored<z.output<typeof planMove>>
export type PlanStep = Stored<z.output<typeof step>>
export type NodePercent = Stored<z.output<typeof nodePercent>>
export type DisruptionPermitSpec = Stored<z.output<typeof disruptionPermitSpec>>
export type DisruptionPermitStatus = Stored<z.output<typeof disruptionPermitStatus>>

export interface RebalancePolicy extends KubeObject {
  readonly spec: RebalancePolicySpec
  readonly status?: RebalancePolicyStatus
}

export interface RebalancePlan extends KubeObject {
  readonly spec: RebalancePlanSpec
  readonly status?: RebalancePlanStatus
}

export interface DisruptionPermit extends KubeObject {
  readonly spec: DisruptionPermitSpec
  readonly status?: DisruptionPermitStatus
}
