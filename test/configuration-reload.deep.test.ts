// A running controller whose configuration file changes: the arbiter's section holds at once, parts are told, bad files change nothing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { deschedule } from '#capabilities/deschedule'
import { type Capability, capability } from '#coordination/capability.ts'
import { silentLog } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import { controllerToken } from '../src/deployment/install-ballast.ts'
import { ConfigurationFile } from '../src/process/configuration/configuration-file.ts'
import { runController } from '../src/process/controller/controller.ts'
import { type ControlledCluster, controlledCluster, namespace } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const head = 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\n'

/** Notes each life; will not run with `pace: impossible`. */
function pacer(lives: string[]): Capability {
  return capability({
    name: 'pacer',
    config: z.strictObject({ pace: z.string().default('slow') }),
    kinds: [],
    replaces: [],
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
        async start(_context, { pace }) {
          lives.push(pace)
          if (pace === 'impossible') throw new Error('no such pace')
          return {
            health: () => [],
            reconfigure: async () => 'restart-part' as const,
            [Symbol.asyncDispose]: async () => void lives.push(`${pace} ends`),
          }
        },
      },
    ],
    leaves: [],
  })
}

async function start(cluster: ControlledCluster, path: string, lives: string[]) {
  const capabilities = [deschedule, pacer(lives)]
  const { clock } = cluster
  const token = await controllerToken(cluster.admin, { namespace, seconds: 86_400, signal: new AbortController().signal })
  const settings = new ConfigurationFile({ path, overrides: [], capabilities, clock, log: silentLog, notices: false })
  settings.watch()
  const metrics = new Registry()
  const stop = new AbortController()
  const done = runController({
    transport: cluster.twin.transport({ token }),
    clock,
    random: seededRandom(5),
    log: silentLog,
    identity: { name: 'controller', namespace },
    capabilities,
    settings,
    solve: solveInChild,
    metrics,
    signal: stop.signal,
  })
  const end = async () => {
    stop.abort(new DOMException('shutdown', 'AbortError'))
    await clock.advance(60_000)
    await done
    settings[Symbol.dispose]()
  }
  const figures = async (name: RegExp) => (await metrics.metrics()).split('\n').filter(line => name.test(line))
  const told = async (reason: string) => {
    const events = await cluster.admin.resource(builtIn.events).list({ namespace, signal: new AbortController().signal })
    return events.items.filter(event => event['reason'] === reason).map(event => event['note'])
  }
  return { end, figures, told }
}

test('a freeze holds and is lifted in place; parts get their sections; what is refused changes nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-reload-'))
  const path = join(folder, 'config.yaml')
  const write = (text: string) => writeFileSync(path, head + text)
  try {
    write('arbiter: {freeze: maintenance}\n')
    await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })] })
    const { clock } = cluster
    const lives: string[] = []
    const { end, figures, told } = await start(cluster, path, lives)
    await cluster.ask('small')
    await clock.runUntil(() => cluster.plans().length > 0, { limitMs: 60_000 })
    await clock.advance(60_000)
    expect(cluster.list('disruptionpermits.ballast.dev').filter(({ metadata }) => metadata.name.startsWith('evict'))).toEqual([])
    expect(await figures(/^ballast_arbiter_frozen\{gate="freeze"\}/)).toEqual(['ballast_arbiter_frozen{gate="freeze"} 1'])

    write('arbiter: {freeze: maintenance}\ncapabilities: {pacer: {pace: fast}}\n')
    await clock.advance(11_000)
    expect(lives).toEqual(['slow', 'slow ends', 'fast'])

    write('arbiter: {freeze: maintenance}\ncapabilities: {pacer: {pace: impossible}}\n')
    await clock.advance(11_000)
    expect(lives.slice(3)).toEqual(['fast ends', 'impossible', 'fast'])
    expect(await told('ConfigurationRefused')).toEqual([
      'pacer/controller refuses its changed configuration and goes on with the last good one: no such pace',
    ])

    write('arbiter: {freze: false}\ncapabilities: {pacer: {pace: fast}}\n')
    await clock.advance(11_000)
    expect(await figures(/^ballast_config_reloads_total/)).toEqual([
      'ballast_config_reloads_total{result="applied"} 2',
      'ballast_config_reloads_total{result="refused"} 1',
    ])
    expect(await told('ConfigurationRefused')).toContainEqual(
      expect.stringMatching(
        /^the old configuration holds: .*: arbiter: found "freze", expected a known key; did you mean "freeze"\?/,
      ),
    )

    write('process: {kubeApiQPS: 20}\ncapabilities: {pacer: {enabled: false, pace: fast}}\n')
    await clock.runUntil(() => cluster.plans().every(plan => plan.status?.phase === 'Succeeded'), { limitMs: 1_200_000 })
    expect(await figures(/^ballast_arbiter_frozen\{gate="freeze"\}/)).toEqual(['ballast_arbiter_frozen{gate="freeze"} 0'])
    expect(lives.slice(6)).toEqual(['fast ends'])
    expect(await told('ConfigurationNeedsRestart')).toEqual(['changed, but only another process takes it: process.kubeApiQPS'])

    write('capabilities: {pacer: {pace: fast}}\n')
    await clock.advance(11_000)
    expect(lives.slice(7)).toEqual(['fast'])
    await end()
    expect(lives.slice(8)).toEqual(['fast ends'])
    expect(cluster.forbidden).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
