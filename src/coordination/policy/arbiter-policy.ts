// What the installer decides about disruption: modes, cool-downs, caps, windows, gates. The figures are defaults of the design.
import type { Window } from '#kube/time/window.ts'
import type { DisruptionClass } from '../intent.ts'

/** `observe`: acts as its upstream would, the ledger records what the policy would have said. `coordinate`: also owners and locks. `enforce`: all. */
export const arbitrationModes = ['observe', 'coordinate', 'enforce'] as const
export type ArbitrationMode = (typeof arbitrationModes)[number]

/** What is wrong with the cluster as a whole, so that nothing of class 2 or above is begun. */
export const gateNames = [
  'pending-pods',
  'node-not-ready',
  'kubelet-versions',
  'foreign-drain',
  'api-slow',
  'usage-stale',
] as const
export type GateName = (typeof gateNames)[number]

/** As the configuration writes them: `arbiter.gates.apiSlow: false` switches one off. */
export const gateKeys = {
  'pending-pods': 'pendingPods',
  'node-not-ready': 'nodeNotReady',
  'kubelet-versions': 'kubeletVersions',
  'foreign-drain': 'foreignDrain',
  'api-slow': 'apiSlow',
  'usage-stale': 'usageStale',
} as const satisfies Readonly<Record<GateName, string>>

export interface ArbiterPolicy {
  /** Everything voluntary stands still; a text is the reason. */
  readonly freeze: boolean | string
  /** How long after a pod of a workload was replaced the same class leaves it alone, in milliseconds. */
  readonly coolDownMs: Readonly<Record<DisruptionClass, number>>
  /** How long after a scale event classes cost and balance leave a workload alone, in milliseconds. */
  readonly scaleCoolDownMs: number
  /** How long a move a→b forbids b→a in classes cost and balance, in milliseconds. */
  readonly reverseMoveMs: number
  /** After a replacement that came back to its source: `firstMs` doubled with each, up to `longestMs`. */
  readonly quarantine: { readonly firstMs: number; readonly longestMs: number }
  /** How long classes capacity to balance wait for company. */
  readonly mergeWindowMs: number
  readonly caps: {
    /** Pods on their way at once in the cluster; `undefined`: a tenth of the nodes, at least 1. */
    readonly concurrent: number | undefined
    readonly perHour: number
    /** On their way at once. */
    readonly perNamespace: number
    readonly perSourceNode: number
    readonly perDestination: number
  }
  /** Gates that hold; the others are measured and shown. */
  readonly gates: ReadonlySet<GateName>
  /** By capability; one without windows may always. */
  readonly windows: Readonly<Record<string, readonly Window[]>>
  /** By capability; default `enforce`. */
  readonly modes: Readonly<Record<string, ArbitrationMode>>
}

const minute = 60_000

/** The figures of the design: balance waits six hours, cost two, availability half an hour, capacity a quarter. */
export const defaultPolicy: ArbiterPolicy = {
  freeze: false,
  coolDownMs: {
    safety: 0,
    correctness: 0,
    availability: 30 * minute,
    capacity: 15 * minute,
    cost: 120 * minute,
    balance: 360 * minute,
  },
  scaleCoolDownMs: 10 * minute,
  reverseMoveMs: 24 * 60 * minute,
  quarantine: { firstMs: 30 * minute, longestMs: 24 * 60 * minute },
  mergeWindowMs: minute,
  caps: { concurrent: undefined, perHour: 30, perNamespace: 2, perSourceNode: 2, perDestination: 3 },
  gates: new Set(gateNames),
  windows: {},
  modes: {},
}
