// What a RebalancePolicy asks for so that its plans can be left alone: a part of the moves first, signals that stop the rest. And what a
// plan's status says of it.
import * as z from 'zod'

const name = () => z.string().min(1).max(253)
const timestamp = () => z.string().max(40)
/** Workloads whose readiness is watched. */
const mostWatched = 256

const ofPrometheus = 'prometheus: serverAddress, query, and max or min'
const ofReady = 'ready: selector or workloads'

interface SignalFields {
  readonly kind: 'prometheus' | 'ready'
  readonly serverAddress?: unknown
  readonly query?: unknown
  readonly max?: unknown
  readonly min?: unknown
  readonly namespaces?: unknown
  readonly selector?: unknown
  readonly workloads?: unknown
}

function isWhole(signal: SignalFields): boolean {
  const { serverAddress, query, max, min, namespaces, selector, workloads } = signal
  const isBounded = max !== undefined || min !== undefined
  const ofReadiness = namespaces ?? selector ?? workloads
  if (signal.kind === 'prometheus')
    return serverAddress !== undefined && query !== undefined && isBounded && ofReadiness === undefined
  return (selector !== undefined || workloads !== undefined) && (serverAddress ?? query ?? max ?? min) === undefined
}

/** `spec.auto`. `labelSelector` is the schema of a selector. */
export const autoFieldsOf = <Selector extends z.ZodType>(labelSelector: Selector) => {
  const signal = z
    .object({
      name: name().describe('shown wherever the signal is spoken of'),
      kind: z
        .enum(['prometheus', 'ready'])
        .describe(
          'prometheus: each series of a query keeps within max and min; ready: workloads have as many ready pods as when the plan began',
        ),
      serverAddress: z
        .string()
        .max(2048)
        .regex(/^https?:\/\/[^@\s]+$/, 'an address http://HOST:PORT or https://HOST:PORT, without user and password')
        .exactOptional()
        .describe('of Prometheus, or what speaks like it: asked without credentials at /api/v1/query'),
      query: z
        .string()
        .min(1)
        .max(4096)
        .exactOptional()
        .describe('PromQL; no series, or a value that is no number, is unknown and never 0'),
      max: z.number().exactOptional().describe('a series above it is red'),
      min: z.number().exactOptional().describe('a series below it is red'),
      namespaces: z.array(name()).max(64).exactOptional().describe('of the selector; none: all'),
      selector: labelSelector.exactOptional().describe('pods; the workloads that own them are watched'),
      workloads: z
        .array(
          z
            .string()
            .regex(/^[^/\s]+\/[A-Z][^/\s]*\/[^/\s]+$/, 'namespace/Kind/name')
            .max(600),
        )
        .min(1)
        .max(mostWatched)
        .exactOptional()
        .describe('namespace/Kind/name of what is watched'),
    })
    .refine(isWhole, { message: `${ofPrometheus}; ${ofReady}` })
    .meta({
      cel: [
        {
          rule: "self.kind != 'prometheus' || (has(self.serverAddress) && has(self.query) && (has(self.max) || has(self.min)) && !has(self.namespaces) && !has(self.selector) && !has(self.workloads))",
          message: ofPrometheus,
        },
        {
          rule: "self.kind != 'ready' || ((has(self.selector) || has(self.workloads)) && !has(self.serverAddress) && !has(self.query) && !has(self.max) && !has(self.min))",
          message: ofReady,
        },
      ],
    })
  return z.object({
    canary: z
      .object({
        share: z.int().min(1).max(100).default(10).describe('percent of the moves, rounded up: one at least'),
        waitSeconds: z.int().min(0).max(86_400).default(300).describe('from the last of them until the signals are asked'),
      })
      .exactOptional()
      .describe('so many moves go first; the rest waits, and begins when every signal is green'),
    signals: z
      .array(signal)
      .max(16)
      .default([])
      .describe(
        'asked before the first move, after the canary and between waves; what is unknown holds back as red does at the beginning',
      ),
    onSignal: z
      .enum(['stop'], 'stop; to have moves undone set rollBack: true')
      .default('stop')
      .describe('what a red signal does to a plan that was begun: stop ends it as Failed'),
    rollBack: z
      .boolean()
      .default(false)
      .describe('moves of a plan that a signal stopped are undone by a plan of its own; false: they stay'),
  })
}

const signalStates = ['green', 'red', 'unknown'] as const

/** `status.trial` of a plan. */
export const trialFields = z.object({
  begunAt: timestamp().exactOptional().describe('when every signal was green before the first move'),
  canaryDoneAt: timestamp().exactOptional().describe('when the last move of the canary was over'),
  canaryPassedAt: timestamp().exactOptional().describe('when every signal was green after it'),
  endedAt: timestamp().exactOptional().describe('when every signal was green after the last move'),
  stopped: z
    .object({ at: timestamp(), rollsBack: z.boolean().describe('its policy wanted its moves undone then, and there were some') })
    .exactOptional()
    .describe('by a signal'),
  signals: z
    .array(
      z.object({
        name: name(),
        state: z.enum(signalStates),
        message: z.string().max(1024),
        at: timestamp().describe('since when it has this state'),
      }),
    )
    .max(16)
    .exactOptional(),
  ready: z
    .array(z.object({ signal: name(), workload: z.string().max(600), pods: z.int().min(0) }))
    .max(mostWatched * 16)
    .exactOptional()
    .describe('ready pods when the plan began, of what signals of kind ready watch'),
})
