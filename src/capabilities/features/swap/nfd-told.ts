// What upstream's programs are told, by their files and flags together, read as our drop-ins read it: what counts before what is decided once.

import { stringify } from 'yaml'
import { InputError, problemSentence } from '#kube/problem.ts'
import { textList } from '#upstreams/values-row.ts'
import { masterSettings } from '../flags/master-flags.ts'
import { workerSettings } from '../flags/worker-flags.ts'

/** Values of the chart by their paths. */
type Read = (path: string) => unknown

export type Told<Settings> =
  | { readonly ok: true; readonly settings: Settings; readonly words: readonly string[] }
  | { readonly ok: false; readonly why: string }

/** The master, as the chart starts it. */
export function masterTold(read: Read): Told<ReturnType<typeof masterSettings>> {
  const gates = Object.entries(Object(read('featureGates'))).map(([gate, value]) => `-feature-gates=${gate}=${String(value)}`)
  const words = [
    ...flag('instance', read('master.instance')),
    ...flag('extra-label-ns', textList(read('master.extraLabelNs')).join(',')),
    ...flag('deny-label-ns', textList(read('master.denyLabelNs')).join(',')),
    ...(read('master.enableTaints') === true ? ['-enable-taints'] : []),
    ...flag('resync-period', read('master.resyncPeriod')),
    ...flag('nfd-api-parallelism', read('master.nfdApiParallelism')),
    ...gates,
    ...extra(read('master.extraArgs')),
  ]
  return told(words, () => masterSettings(words, () => text(read('master.config'))))
}

/** The worker, as the chart starts it. */
export function workerTold(read: Read): Told<ReturnType<typeof workerSettings>> {
  const words = [`-owner-refs=${textList(read('worker.ownerRefs')).join(',')}`, ...extra(read('worker.extraArgs'))]
  return told(words, () => workerSettings(words, () => text(read('worker.config'))))
}

function told<Settings>(words: readonly string[], settingsOf: () => Settings): Told<Settings> {
  try {
    return { ok: true, settings: settingsOf(), words }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return { ok: false, why: `ours does not start with it: ${error.problems.map(problemSentence).join('; ')}` }
  }
}

const extra = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : [])

/** Where nothing is said the chart leaves the flag out. */
const flag = (name: string, value: unknown): readonly string[] =>
  value === undefined || value === null || value === '' ? [] : [`-${name}=${String(value)}`]

/** The file as the chart writes it; one of somebody else's is a text already. */
function text(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined || value === null ? '' : stringify(value)
}
