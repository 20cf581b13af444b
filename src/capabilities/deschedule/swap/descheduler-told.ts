// What two deschedulers are told, and where it differs: flags, times and policy, each as our program reads it.
import { isDeepStrictEqual } from 'node:util'
import { parseDocument } from 'yaml'
import { listAt, templateOf } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isTree, valueAt } from '#upstreams/values-tree.ts'
import { parseDeschedulerFlags } from '../flags/descheduler-flags.ts'
import type { DeschedulerSettings } from '../flags/descheduler-settings.ts'

interface Told {
  readonly workload: KubeObject
  readonly words: readonly string[]
  readonly policy: string | undefined
}

/** Words of the container that evicts: what it is started with. */
export function wordsOf(workload: KubeObject): readonly string[] {
  const [container] = listAt(templateOf(workload), 'spec', 'containers')
  return listAt(container, 'args').map(String)
}

/** Settings of a command line with words of its own before the flags; `undefined` where it would not start by them. */
export function settingsOf(words: readonly string[]): DeschedulerSettings | undefined {
  const own = words.filter(word => word !== 'descheduler' && !word.startsWith('--config='))
  const read = parseDeschedulerFlags(own)
  return read.ok ? read.settings : undefined
}

/** Where it serves, and how it says what it does, changes nothing that it does. */
const ofDoing = [
  'deschedulingIntervalMs',
  'dryRun',
  'leaderElection',
  'evictionsInBackground',
  'clientQps',
  'clientBurst',
] as const satisfies readonly (keyof DeschedulerSettings)[]
const ofTime = ['schedule', 'timeZone', 'concurrencyPolicy'] as const

/** Names of what differs, each with both sides. */
export function toldDifferently(theirs: Told, ours: Told): readonly string[] {
  if (theirs.workload.kind !== ours.workload.kind) return [differs('kind', theirs.workload.kind, ours.workload.kind)]
  const [a, b] = [settingsOf(theirs.words), settingsOf(ours.words)]
  const flags = a === undefined || b === undefined ? [] : ofDoing.filter(key => !isDeepStrictEqual(a[key], b[key]))
  const times = ofTime.filter(key => valueAt(theirs.workload, ['spec', key]) !== valueAt(ours.workload, ['spec', key]))
  const policies = [theirs.policy, ours.policy].map(policyOf)
  return [
    ...(a === undefined || b === undefined ? ['flags that cannot be read'] : []),
    ...flags.map(key => differs(key, a?.[key], b?.[key])),
    ...(theirs.workload.kind === 'CronJob'
      ? times.map(key => differs(key, valueAt(theirs.workload, ['spec', key]), valueAt(ours.workload, ['spec', key])))
      : []),
    ...policyDifferences(policies[0], policies[1]),
  ]
}

const differs = (what: string, theirs: unknown, ours: unknown) =>
  `${what}: upstream ${JSON.stringify(theirs) ?? 'nothing'}, ours ${JSON.stringify(ours) ?? 'nothing'}`

function policyOf(text: string | undefined): unknown {
  const document = parseDocument(text ?? '', { prettyErrors: false })
  return document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 100 })
}

/** By the keys of the first level, and of a profile by its name: a policy is long. */
function policyDifferences(theirs: unknown, ours: unknown): readonly string[] {
  if (!isTree(theirs) || !isTree(ours)) return ['the policy: it is no YAML of a map, or may not be read']
  const keys = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])]
  return keys.filter(key => !isDeepStrictEqual(theirs[key], ours[key])).map(key => `the policy's ${key}`)
}
