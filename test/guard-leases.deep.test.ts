// A capability that replaces an upstream, next to that upstream: by its Lease they take turns.

import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { deschedule } from '#capabilities/deschedule'
import { type Capability, capability } from '#coordination/capability.ts'
import { LeaseElection } from '#kube/leases/lease.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import { silentLog } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { answerHealth } from '#kube/server/health.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import { controllerToken, installBallast } from '../src/deployment/install-ballast.ts'
import type { ControllerSettings } from '../src/process/configuration/controller-settings.ts'
import { fixedSettings } from '../src/process/configuration/controller-settings.ts'
import { runController } from '../src/process/controller/controller.ts'
import { ControllerHealth } from '../src/process/health/controller-health.ts'
import { type ControlledCluster, controlledCluster, namespace } from './controlled-cluster.ts'
import { smallCluster } from './small-cluster.ts'

const leaseName = 'stakater-reloader-lock'

/** Replaces an upstream; notes when it acts. */
function reloader(name: string, leases: readonly string[], acts: string[]): Capability {
  return capability({
    name,
    config: z.object({}),
    kinds: [],
    replaces: leases.length === 0 ? [] : [{ upstream: 'Reloader', leases }],
    disrupts: [],
    parts: [
      {
        process: 'controller',
        presence: 'leading',
        trust: 'core',
        needs: [],
        permissions: [],
        listeners: [],
        offers: [],
        takes: [],
        async start() {
          acts.push(`${name} acts`)
          return {
            health: () => [],
            reconfigure: async () => 'restart-part' as const,
            [Symbol.asyncDispose]: async () => void acts.push(`${name} ends`),
          }
        },
      },
    ],
    leaves: [],
  })
}

async function start(
  cluster: ControlledCluster,
  capabilities: readonly Capability[],
  guardLease?: { enabled: boolean; namespace?: string },
) {
  const { signal } = new AbortController()
  await installBallast(cluster.admin, { capabilities: [deschedule, ...capabilities], namespace, signal })
  const token = await controllerToken(cluster.admin, { namespace, seconds: 86_400, signal })
  const health = new ControllerHealth()
  const stop = new AbortController()
  const fixed = fixedSettings({ capabilities })
  const current: ControllerSettings = {
    ...fixed.current,
    capabilities: Object.fromEntries(
      Object.entries(fixed.current.capabilities).map(([name, one]) => [
        name,
        { ...one, guardLease: guardLease ?? one.guardLease },
      ]),
    ),
  }
  const done = runController({
    transport: cluster.twin.transport({ token }),
    clock: cluster.clock,
    random: seededRandom(5),
    log: silentLog,
    identity: { name: 'controller', namespace },
    capabilities,
    settings: { current, onReload: fixed.onReload },
    solve: solveInChild,
    health,
    signal: stop.signal,
  })
  const page = async (path: string) => {
    const metrics = new Registry()
    return (await answerHealth({ live: () => health.live(), ready: () => health.ready(), metrics, log: silentLog }, 'GET', path))
      .body
  }
  const end = async () => {
    stop.abort(new DOMException('shutdown', 'AbortError'))
    await cluster.clock.advance(30_000)
    await done
  }
  return { page, end }
}

/** The upstream as its own chart runs it. */
function upstream(cluster: ControlledCluster, at: string) {
  const stop = new AbortController()
  const election = new LeaseElection({
    api: cluster.admin,
    namespace: at,
    name: leaseName,
    identity: 'reloader-upstream',
    clock: cluster.clock,
    random: seededRandom(9),
  })
  const done = election.run(
    ({ signal }) => new Promise(resolve => signal.addEventListener('abort', () => resolve())),
    stop.signal,
  )
  return async () => {
    stop.abort(new DOMException('uninstalled', 'AbortError'))
    await cluster.clock.advance(1_000)
    await done
  }
}

const holders = (cluster: ControlledCluster) =>
  cluster
    .list<Lease>('leases.coordination.k8s.io')
    .filter(({ metadata }) => metadata.name === leaseName)
    .map(({ metadata, spec }) => `${metadata.namespace}: ${spec?.holderIdentity?.replace(/_.*/, '') ?? ''}`)

describe('a capability that replaces an upstream', () => {
  test('waits while the upstream runs, acts when it is gone, and gives the Lease back at its end', async () => {
    await using cluster = await controlledCluster({ objects: smallCluster() })
    const uninstall = upstream(cluster, 'default')
    await cluster.clock.advance(5_000)
    const acts: string[] = []
    const { page, end } = await start(cluster, [reloader('reload', [leaseName], acts), reloader('other', [], acts)])
    await cluster.clock.advance(120_000)
    expect(acts).toEqual(['other acts'])
    expect(await page('/readyz/reload')).toContain('waiting for the Lease of Reloader (stakater-reloader-lock) (not counted)')
    expect(await page('/readyz')).toBe('ok')
    await uninstall()
    await cluster.clock.advance(10_000)
    expect([acts, holders(cluster)]).toEqual([['other acts', 'reload acts'], ['default: controller']])
    await cluster.clock.advance(120_000)
    await end()
    expect([acts.slice(2), holders(cluster)]).toEqual([['other ends', 'reload ends'], ['default: ']])
  })

  test('ends when the Lease is taken from it, and acts again when it is free; others live on', async () => {
    await using cluster = await controlledCluster({ objects: smallCluster() })
    const acts: string[] = []
    const { end } = await start(cluster, [reloader('reload', [leaseName], acts), reloader('other', [], acts)])
    await cluster.clock.runUntil(() => acts.length === 2, { limitMs: 60_000 })
    expect(holders(cluster)).toEqual([`${namespace}: controller`])
    const leases = cluster.admin.resource<Lease>(builtIn.leases)
    const { signal } = new AbortController()
    const spec = { holderIdentity: 'reloader-upstream', leaseDurationSeconds: 15, leaseTransitions: 7 }
    await leases.patch(leaseName, { type: 'merge', body: { spec } }, { namespace, signal })
    await cluster.clock.advance(5_000)
    expect(acts.slice(2)).toEqual(['reload ends'])
    await cluster.clock.advance(30_000)
    expect(acts.slice(3)).toEqual(['reload acts'])
    await end()
  })

  // biome-ignore format: a table
  test.each([
    ['at once from whom it takes over its own',   'dead_1',            20],
    ['from an upstream when it ran out by itself', 'reloader-upstream', 40],
  ])('takes the Lease %s', async (_case, holderIdentity, seconds) => {
    await using cluster = await controlledCluster({ objects: smallCluster() })
    const leases = cluster.admin.resource<Lease>(builtIn.leases)
    const { signal } = new AbortController()
    await installBallast(cluster.admin, { capabilities: [deschedule], namespace, signal })
    const hold = (name: string, holder: string) => {
      const spec = { holderIdentity: holder, leaseDurationSeconds: 15, leaseTransitions: 7 }
      const lease: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec }
      return leases.create(lease, { namespace, signal })
    }
    await hold('ballast-controller', 'dead_1')
    await hold(leaseName, holderIdentity)
    const acts: string[] = []
    const { end } = await start(cluster, [reloader('reload', [leaseName], acts)])
    await cluster.clock.advance(seconds * 1_000 - 10_000)
    expect(acts).toEqual([])
    await cluster.clock.advance(10_000)
    expect(acts).toEqual(['reload acts'])
    await end()
  })

  // biome-ignore format: a table
  test.each([
    ['where the installer does not want the guard', { enabled: false }, ['default: reloader-upstream']],
    ['with a Lease of its own where the installer says so', { enabled: true, namespace }, [`${namespace}: controller`, 'default: reloader-upstream']],
  ])('acts beside the upstream %s', async (_case, guardLease, expected) => {
    await using cluster = await controlledCluster({ objects: smallCluster() })
    upstream(cluster, 'default')
    await cluster.clock.advance(5_000)
    const acts: string[] = []
    const { end } = await start(cluster, [reloader('reload', [leaseName], acts)], guardLease)
    await cluster.clock.advance(30_000)
    expect([acts, holders(cluster).sort()]).toEqual([['reload acts'], expected])
    await end()
  })
})
