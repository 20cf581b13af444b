// Both homelabs with the policies that they ran upstream with: utilities all the time, talos by a schedule with coordination enforced.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { readSource } from '../src/cli/source/source.ts'
import { DeschedulerCluster } from './descheduler-cluster.ts'
import { labelled, snapshot } from './homelab-states.ts'

const examples = join(import.meta.dirname, '..', 'examples')
const open: DeschedulerCluster[] = []
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

const minuteMs = 60_000

interface Values {
  readonly deschedulerPolicy: { readonly profiles: readonly Profile[] }
}
interface Profile {
  readonly pluginConfig: readonly { readonly name: string; readonly args: object }[]
}

/** The policy as the chart renders it from the values that the homelab had. */
function policyOf(example: string): { readonly profiles: readonly Profile[] } {
  const values: Values = parse(readFileSync(join(examples, example, 'upstream', 'descheduler-values.yaml'), 'utf8'))
  return {
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    ...values.deschedulerPolicy,
  } as Values['deschedulerPolicy']
}

async function start(objects: readonly KubeObject[]): Promise<DeschedulerCluster> {
  const cluster = await DeschedulerCluster.start(objects)
  open.push(cluster)
  return cluster
}

/** `node: count` of evicted pods by the log. */
function evictedFrom(log: string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const [, node = ''] of log.matchAll(/"Evicted pod" .*node="([^"]*)"/g)) counts[node] = (counts[node] ?? 0) + 1
  return counts
}
const evictedPods = (log: string): readonly string[] =>
  Array.from(log.matchAll(/"Evicted pod" pod="([^"]*)"/g), ([, pod = '']) => pod)

describe('utilities: a Deployment that runs every five minutes, three namespaces left alone', () => {
  const objects = () => readSource(join(examples, 'utilities-homelab')).objects.map(({ object }) => object)
  const policy = policyOf('utilities-homelab')

  test('U1: six of apps/web leave util-w1, gitea and what runs on util-gpu1 stay, and the next cycles change nothing more', async () => {
    const cluster = await start(objects())
    const run = cluster.run({ policy, settings: { deschedulingIntervalMs: 5 * minuteMs } })
    await cluster.until(() => run.log.includes('Number of evictions/requests'))
    expect(evictedFrom(run.log)).toEqual({ 'util-w1': 6 })
    expect(evictedPods(run.log).every(pod => pod.startsWith('apps/web'))).toBe(true)
    await cluster.until(() => run.log.split('Number of evictions/requests').length > 4, 5_000)
    expect(evictedFrom(run.log)).toEqual({ 'util-w1': 6 })
    expect(run.end).toBeUndefined()
  })

  test('U1 with a budget of maxUnavailable 3: three go, the fourth is refused and counted as an error', async () => {
    const budget = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web', namespace: 'apps' },
      spec: { maxUnavailable: 3, selector: { matchLabels: { 'app.kubernetes.io/name': 'web' } } },
    }
    const cluster = await start([...objects(), budget])
    const run = cluster.run({ policy, isServing: true, settings: { deschedulingIntervalMs: 5 * minuteMs } })
    await cluster.until(() => run.log.includes('Number of evictions/requests'))
    expect(evictedFrom(run.log)).toEqual({ 'util-w1': 3 })
    expect(await run.metrics()).toMatch(/descheduler_pods_evicted_total\{result="error",strategy="LowNodeUtilization".*\} [1-9]/)
  })

  test('U2: with coordination enforced it is refused by the name of the rule', async () => {
    const cluster = await start(objects())
    const run = cluster.run({ policy, settings: { deschedulingIntervalMs: 5 * minuteMs }, coordination: { enforce: true } })
    await expect(cluster.ended(run)).rejects.toThrow(/the rule not-continuous/)
    expect(cluster.evictions).toEqual([])
  })
})

describe('talos: a CronJob, node affinity and topology spread, coordination enforced', () => {
  const policy = policyOf('talos-homelab')

  test('each run ends by itself; only what belongs to the descheduler and has a budget is moved, one of a workload at a time', async () => {
    const cluster = await start(labelled())
    const first = cluster.run({ policy, coordination: { enforce: true }, verbosity: 4 })
    await cluster.ended(first, 1_000)
    // What is left of T's own goals is planned mode's: upstream's strategy fills the memory of talos03 from talos01 (case 4).
    expect(evictedPods(first.log).map(pod => pod.replace(/-[a-z0-9]{10}-[a-z0-9]{5}$/, ''))).toEqual([
      'authentik/authentik-worker',
      'catalyst/catalyst-workers',
      'media-private/media-stack',
      'monitoring/loki-0',
      // Its volume is on talos01, where it comes back to: upstream's nodeFit does not look at volumes.
      'registry/nexus-0',
    ])
    expect(evictedFrom(first.log)).toEqual({ talos01: 5 })
    expect(first.log).not.toMatch(/"Evicted pod" pod="media\//)
    for (let round = 0; round < 2; round++) {
      await cluster.pass(10 * minuteMs)
      const next = cluster.run({ policy, coordination: { enforce: true } })
      await cluster.ended(next, 1_000)
      expect(evictedPods(next.log)).toEqual([])
    }
  })

  test('H10: as found and without demanding budgets, five cycles never relieve talos00', async () => {
    const [profile] = policy.profiles
    const pluginConfig = profile?.pluginConfig.map(one =>
      one.name === 'DefaultEvictor' ? { ...one, args: { nodeFit: true } } : one,
    )
    const cluster = await start(snapshot())
    const run = cluster.run({
      policy: { ...policy, profiles: [{ ...profile, pluginConfig }] },
      settings: { deschedulingIntervalMs: 10 * minuteMs },
    })
    await cluster.until(() => run.log.split('Number of evictions/requests').length > 5, 5_000)
    expect(evictedFrom(run.log)).toEqual({ talos01: expect.any(Number) })
    const pods = cluster.pods().filter(({ spec }) => spec.nodeName === 'talos00')
    expect(pods.length).toBeGreaterThanOrEqual(59)
  })
})
