// The example as `npm start` runs it: a Secret is changed, grafana is rolled out once, the terminal says why, and nobody else moves.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { reloadToTry, watchReloads } from '../src/capabilities/reload/commands/reload-watch.ts'
import { readSource } from '../src/cli/source/source.ts'
import { startEmbeddedCluster } from '../src/cli/up/embedded-cluster.ts'

const example = join(import.meta.dirname, '..', 'examples', 'talos-homelab')
const namespace = 'monitoring'

test('a changed Secret rolls its one user out once, with its reason in one line', async () => {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const { signal } = new AbortController()
  const objects = readSource(example).objects.map(({ object }) => object)
  await using cluster = await startEmbeddedCluster({ objects, clock, seed: 1, log: silentLog, signal })
  await using informers = new Informers(cluster.admin, { clock, random: seededRandom(1), signal })
  const lines: string[] = []
  watchReloads(informers, line => lines.push(line))
  await clock.advance(60_000)
  const sets = async () => {
    const { items } = await cluster.admin.resource<KubeObject>(builtIn.replicasets).list({ signal })
    return items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort()
  }
  const before = await sets()

  const change = (body: object) =>
    cluster.admin.resource(builtIn.secrets).patch('grafana-admin', { type: 'merge', body }, { namespace, signal })
  await change({ stringData: { GF_SECURITY_ADMIN_PASSWORD: 'second' } })
  await change({ stringData: { GF_NEW: 'third' } })
  await change({ metadata: { labels: { a: 'b' } } })
  await clock.advance(120_000)

  expect(lines).toEqual([
    expect.stringMatching(
      /^reload {2}Deployment monitoring\/grafana: Secret monitoring\/grafana-admin changed \(GF_NEW, GF_SECURITY_ADMIN_PASSWORD\); rolled out under permit monitoring\/restart-grafana-\d+$/,
    ),
  ])
  const made = (await sets()).filter(name => !before.includes(name))
  expect(made).toEqual([expect.stringMatching(/^monitoring\/grafana-/)])
  expect(JSON.stringify(lines)).not.toMatch(/second|third/)
})

test('what can be tried is a command for the example’s Secret', () => {
  const objects = readSource(example).objects.map(({ object }) => object)
  expect(reloadToTry(objects)).toBe(
    `kubectl -n monitoring patch secret grafana-admin -p '{"stringData":{"GF_SECURITY_ADMIN_USER":"another"}}'`,
  )
  expect(reloadToTry(objects.filter(({ kind }) => kind !== 'Secret'))).toBeUndefined()
})
