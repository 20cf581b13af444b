// How each capability stands, for people and other programs: the ConfigMap `ballast-status`, a key each, written by whoever leads the controller;
// and one more of each that has parts in the apiserver, by whoever leads that.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { type NewCondition, withCondition } from '#kube/objects/conditions.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import type { PartRecord } from './part-record.ts'

interface StatusOptions {
  readonly api: Api
  /** Ours. */
  readonly namespace: string
  /** Default: the controller, whose keys are the capabilities' names alone. */
  readonly process?: 'controller' | 'apiserver'
  readonly clock: Clock
  readonly log: Log
  readonly records: readonly PartRecord[]
  /** What the process goes by, and under which key it is told; default: it is not. */
  readonly running?: { readonly key: string; text(): string }
}

interface StatusMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

/** The ConfigMap's name. */
export const statusName = 'ballast-status'
const everyMs = 2_000

/** Worst first: the capability is said to be as its worst part is. */
const reasons = {
  quarantined: 'Quarantined',
  'backing-off': 'Faulted',
  waiting: 'Waiting',
  starting: 'Starting',
  standby: 'Standby',
  stopped: 'NotRunning',
  running: 'Running',
} as const

/** The condition `Ready` of each capability, by its name. */
export function readyConditions(records: readonly PartRecord[]): ReadonlyMap<string, NewCondition> {
  const order = Object.keys(reasons)
  const worst = new Map<string, PartRecord>()
  for (const record of records) {
    const known = worst.get(record.capability)
    if (known === undefined || order.indexOf(record.state) < order.indexOf(known.state)) worst.set(record.capability, record)
  }
  return new Map(
    Array.from(worst, ([capability, record]) => {
      const status = record.state === 'running' ? 'True' : 'False'
      const message = `${record.name}: ${record.check().state}`
      return [capability, { type: 'Ready', status, reason: reasons[record.state], message, observedGeneration: 0 }]
    }),
  )
}

/** Writes what changed every two seconds, until `signal` is aborted. What cannot be written is told once and tried again. */
export async function writeStatus(options: StatusOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, records, process = 'controller' } = options
  let known: Readonly<Record<string, readonly Condition[]>> | undefined
  let told = ''
  let shown: string | undefined
  while (!signal.aborted) {
    try {
      await clock.after(everyMs, signal)
      const before = known ?? (await readStatus(options, signal))
      const after = Object.fromEntries(
        Array.from(readyConditions(records), ([capability, condition]) => {
          const key = process === 'controller' ? capability : `${capability}.${process}`
          return [key, withCondition(before[key] ?? [], condition, clock.now())]
        }),
      )
      const isSame = known !== undefined && Object.entries(after).every(([name, conditions]) => conditions === before[name])
      const running = options.running?.text()
      if (!isSame || running !== shown) await applyStatus(options, { conditions: after, running }, signal)
      known = after
      shown = running
      told = ''
    } catch (error) {
      if (signal.aborted) return
      const why = messageOf(error)
      if (why !== told)
        log.warn({ configMap: statusName, why, mayNot: isForbidden(error) }, 'status of the capabilities not written')
      told = why
    }
  }
}

async function applyStatus(
  { api, namespace, process = 'controller', running: told }: StatusOptions,
  {
    conditions,
    running,
  }: { readonly conditions: Readonly<Record<string, readonly Condition[]>>; readonly running: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const stands = Object.fromEntries(Object.entries(conditions).map(([name, of]) => [name, JSON.stringify({ conditions: of })]))
  const data = told === undefined || running === undefined ? stands : { ...stands, [told.key]: running }
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: statusName, namespace, labels: { 'ballast.dev/managed': 'true' } },
    data,
  }
  await api
    .resource<StatusMap>(builtIn.configmaps)
    .apply(object, { namespace, signal, fieldManager: `ballast-${process}`, force: true, priority: 'status' })
}

/** What an earlier leader wrote: times of transitions go on from there. What is not readable counts as nothing. */
async function readStatus(
  { api, namespace }: StatusOptions,
  signal: AbortSignal,
): Promise<Readonly<Record<string, readonly Condition[]>>> {
  try {
    const { data = {} } = await api.resource<StatusMap>(builtIn.configmaps).get(statusName, { namespace, signal })
    return Object.fromEntries(Object.entries(data).map(([name, text]) => [name, conditionsIn(text)]))
  } catch (error) {
    if (isNotFound(error)) return {}
    throw error
  }
}

function conditionsIn(text: string): readonly Condition[] {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('conditions' in value) || !Array.isArray(value.conditions)) return []
    return value.conditions.filter(isCondition)
  } catch {
    return [] // written by hand: it is written anew
  }
}

function isCondition(value: unknown): value is Condition {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['type', 'status', 'reason', 'message', 'lastTransitionTime'].every(key => typeof Reflect.get(value, key) === 'string')
  )
}
