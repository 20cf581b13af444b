// Where Ballast does to a ScaledObject otherwise than KEDA 2.21.0, and why. Whatever else differs is a fault.
import { isRecord } from '#kube/objects/object-shape.ts'

export interface KedaOutcome {
  readonly name: string
  readonly moment: string
  readonly object?: unknown
  readonly autoscalers: readonly unknown[]
  readonly replicas?: number | undefined
  readonly events: readonly string[]
}

/** Scenarios that come to something else on purpose. */
export const otherOutcomes: Readonly<Record<string, string>> = {
  'foreign settled':
    "upstream's operator overwrites an autoscaler that nobody owns, and leaves it to its webhook to refuse that; ours never does",
  'unpaused changed': "two of upstream's writes race: Paused stays True though the event says that it is over",
}

/** What upstream says of a trigger that it cannot use, without the place that ours names, and with the problem alone. */
const words: readonly (readonly [RegExp, string])[] = [
  // Ours says which trigger it is; upstream, of what type.
  [/trigger \d+(?: "[^"]*")? of type \S+: /g, ''],
  [/error parsing \S+ metadata: |error getting scaler metric type: /g, ''],
  // The same in other words.
  [
    /'Utilization' metric type is unsupported for external metrics, allowed values are 'Value' or 'AverageValue'/g,
    'no Utilization',
  ],
  [/metricType "Utilization" is unsupported for external metrics: expected 'Value' or 'AverageValue'/g, 'no Utilization'],
  // A schedule that is missing is not parsed by ours.
  [/\nerror parsing end schedule: empty spec string/g, ''],
  // Upstream draws where in the formula it is.
  [/ \(\d+:\d+\)\n(?:.|\n)*$/g, ''],
  [/: for one warm replica use minReplicaCount 1 or a time window/g, ''],
]

function plain(text: string): string {
  return words.reduce((result, [pattern, by]) => result.replace(pattern, by), text)
}

/** Ours as it would be if it were KEDA, and KEDA's in the same words. */
export function comparable(value: unknown): unknown {
  if (typeof value === 'string') return plain(value)
  if (Array.isArray(value)) return value.map(comparable)
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      // Upstream's program says of which release it is only where its own Makefile built it.
      .filter(([key]) => key !== 'app.kubernetes.io/version')
      .map(([key, found]) => [key, comparable(found)]),
  )
}

/** Events are told at most so fast by upstream, and some are lost: what it told, ours must tell. */
export function untoldEvents(theirs: KedaOutcome, ours: KedaOutcome): readonly string[] {
  const told = new Set(ours.events.map(plain))
  return theirs.events.map(plain).filter(event => !told.has(event) && !notTold.test(event))
}

/** Upstream tells the same twice there, under another name. */
const notTold = /ScaledObjectUpdateFailed: no matches for kind/
