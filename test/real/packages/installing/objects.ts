// What a cluster has, so that what was there before an installation can be held against what is there after its end.
import { deepStrictEqual, ok } from 'node:assert'
import { z } from 'zod'
import { systemClock } from '#kube/clock.ts'
import type { LifeSite } from './site.ts'

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    finalizers: z.array(z.string()).optional(),
  }),
})
type Found = z.infer<typeof objectSchema>
const listSchema = z.object({ items: z.array(objectSchema) })

/** What comes and goes by itself; Leases of nodes and of the control plane among it. */
const lively =
  /^(Event|Endpoints|EndpointSlice|ComponentStatus|FlowSchema|PriorityLevelConfiguration|IPAddress|ServiceCIDR|Pod|ReplicaSet|ControllerRevision|PodMetrics|NodeMetrics)$/
const leasesOfOthers = /^Lease (kube-node-lease\/|kube-system\/(apiserver-|kube-))/

/** Each object by kind and name, with everything that somebody else than the cluster itself writes into it. */
export type Whole = ReadonlyMap<string, unknown>

export async function wholeOf(site: LifeSite): Promise<Whole> {
  // An API behind the API server that nobody answers is told with what the others have.
  const { stdout } = await site.tried(['api-resources', '--verbs=list', '-o', 'name'])
  const names = stdout
    .trim()
    .split('\n')
    .filter(name => !/^(componentstatuses|events)(\.|$)|\.metrics\.k8s\.io$/.test(name))
  const text = await site.run(['get', names.join(','), '-A', '--ignore-not-found', '-o', 'json'])
  const { items } = listSchema.parse(JSON.parse(text))
  return new Map(
    items
      .filter(({ kind }) => !lively.test(kind))
      .map(one => [keyOf(one), written(one)] as const)
      .filter(([key]) => !leasesOfOthers.test(key))
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}

const keyOf = ({ kind, metadata: { namespace, name } }: Found) =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`

/** Without what the server counts, and what the Deployment controller numbers. */
function written({ metadata, status: _status, ...rest }: Found): unknown {
  const { 'deployment.kubernetes.io/revision': _revision, ...annotations } = metadata.annotations ?? {}
  const { labels = {}, finalizers = [] } = metadata
  // kubectl prints each map in the order in which the server has it.
  return JSON.parse(JSON.stringify({ ...rest, labels, annotations, finalizers }, sorted))
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const settleMs = 120_000
const lookMs = 500

/**
 * Waits until the cluster has what it had, unchanged, and besides only `kept`. @returns the kinds and objects that were kept
 * @throws Error naming what is left, gone or changed
 */
export async function untilAsBefore(
  site: LifeSite,
  before: Whole,
  kept: (key: string) => boolean,
  expected: (value: unknown) => unknown,
): Promise<readonly string[]> {
  const untilMs = systemClock.elapsed() + settleMs
  for (;;) {
    const now = await wholeOf(site)
    const more = [...now.keys()].filter(key => !before.has(key))
    const left = more.filter(key => !kept(key))
    const gone = [...before.keys()].filter(key => !now.has(key))
    const changed = [...before].filter(
      ([key, was]) => now.has(key) && JSON.stringify(was) !== JSON.stringify(expected(now.get(key))),
    )
    if (left.length + gone.length + changed.length === 0) return more
    if (systemClock.elapsed() > untilMs) {
      for (const [key, was] of changed) deepStrictEqual(expected(now.get(key)), was, `${key} is not as it was`)
      ok(false, `left: ${left.join(', ')}; gone: ${gone.join(', ')}`)
    }
    await systemClock.after(lookMs)
  }
}
