// What two deschedulers are told, and where it differs: flags, times and policy, each as our program reads it.
import { isDeepStrictEqual } from 'node:util'
import { parseDocument } from 'yaml'
import { settingsOf, wordsOf } from '#doctor/own-descheduler.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { DeschedulerSettings } from '#process/drop-ins/descheduler-settings.ts'
import { isTree, valueAt } from '#upstreams/values-tree.ts'
import type { Loop } from './descheduler-situation.ts'

interface Told {
  readonly workload: KubeObject
  readonly words: readonly string[]
  readonly policy: string | undefined
}

/** What a Loop is told, with the text of its policy. */
export const toldOf = (loop: Loop, policy: string | undefined): Told => ({
  workload: loop.workload,
  words: wordsOf(loop.workload),
  policy,
})

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
