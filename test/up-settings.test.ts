// The configuration of a `ballast up` that runs: what is written into it holds, what cannot is refused by name, and `why` judges as the controller does.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { ballastNamespace as namespace } from '#process/own-names.ts'
import { installedSettings } from '../src/cli/source/installed-settings.ts'
import { startEmbeddedCluster } from '../src/cli/up/embedded-cluster.ts'
import { upConfiguration } from '../src/cli/up/up-configuration.ts'
import { UpSettings } from '../src/cli/up/up-settings.ts'
import { configMap, surroundings, workload } from './reload-cluster.ts'

const { signal } = new AbortController()
const head = 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\n'
const reload =
  'capabilities: { reload: { enabled: true, debounce: 0s, rateGuard: { enabled: false } }, mirror: { enabled: false } }\n'
const window = '0 4 * * *;2h;Etc/UTC'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-up-settings-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** `ballast up` without page and terminal; `path`: its `--config`. */
async function up(path: string | undefined) {
  await using stack = new AsyncDisposableStack()
  const given = [workload({ name: 'web', configmaps: ['pages'] }), configMap('pages', { a: '1' })]
  const objects = [...surroundings(given), ...given]
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const said: string[] = []
  const configuration = upConfiguration(path, objects)
  const feed = stack.use(new UpSettings({ configuration, say: sentence => said.push(sentence), log: silentLog }))
  const { settings } = configuration
  const cluster = stack.use(await startEmbeddedCluster({ objects, clock, seed: 1, settings, feed, log: silentLog, signal }))
  const informers = stack.use(new Informers(cluster.admin, { clock, random: seededRandom(2), signal }))
  feed.follow(informers)
  await clock.advance(60_000)
  const all = async () => {
    const found: KubeObject[] = []
    for (const [kind, resource] of [
      ['ConfigMap', builtIn.configmaps],
      ['Lease', builtIn.leases],
    ] as const) {
      const { items } = await cluster.admin.resource<KubeObject>(resource).list({ signal })
      found.push(...items.map(item => ({ ...item, apiVersion: kind === 'Lease' ? 'coordination.k8s.io/v1' : 'v1', kind })))
    }
    return found
  }
  const whole = stack.move()
  return {
    clock,
    said,
    admin: cluster.admin,
    /** How often web was rolled out. */
    rollouts: async () =>
      (await cluster.admin.resource(builtIn.replicasets).list({ namespace: 'shop', signal })).items.length - 1,
    rotate: (a: string) =>
      cluster.admin
        .resource(builtIn.configmaps)
        .patch('pages', { type: 'merge', body: { data: { a } } }, { namespace: 'shop', signal }),
    /** By what `ballast why` judges. */
    judged: async () => {
      const found = await all()
      const terminal = { say: () => undefined }
      const read = { isLive: false, objects: found, state: buildClusterState(found).state }
      return await installedSettings({} as never, read, { terminal, environment: {}, signal } as never)
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  }
}

type Up = Awaited<ReturnType<typeof up>>

/** The file is looked at in the host's time. */
async function told(running: Up, count: number): Promise<string> {
  await expect.poll(() => running.said.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count)
  await running.clock.advance(30_000)
  return running.said.at(-1) ?? ''
}

/** Frozen it rolls nothing out, thawed it does. */
async function holds(running: Up, write: (text: string) => Promise<void>): Promise<void> {
  expect((await running.judged()).settings.arbiter).toMatchObject({ freeze: false, windows: {} })
  await write(`${head}arbiter: { freeze: audit, windows: { deschedule: ["${window}"] } }\n${reload}`)
  expect(await told(running, 1)).toMatch(/ is taken over$/)
  const { settings, settingsFrom } = await running.judged()
  expect(settingsFrom).toBe(`the running controller (ConfigMap ${namespace}/ballast-status)`)
  expect(settings.arbiter.freeze).toBe('audit')
  expect(settings.arbiter.windows['deschedule']?.map(({ text }) => text)).toEqual([window])
  await running.rotate('2')
  await running.clock.advance(120_000)
  expect(await running.rollouts()).toBe(0)

  await write(`${head}arbiter: { freeze: 7 }\n`)
  expect(await told(running, 2)).toMatch(/ is refused, and what it said before holds: .*arbiter: freeze: found/)
  expect((await running.judged()).settings.arbiter.freeze).toBe('audit')

  await write(`${head}${reload.replace('mirror: { enabled: false }', 'mirror: { enabled: true }')}`)
  expect(await told(running, 3)).toMatch(/ but for what waits until ballast up is started again: capabilities\.mirror\.enabled$/)
  expect((await running.judged()).settings.capabilities['mirror']?.isEnabled).toBe(false)
  await running.clock.advance(600_000)
  expect(await running.rollouts()).toBe(1)
}

test('the file of --config', async () => {
  const path = join(folder, 'config.yaml')
  writeFileSync(path, `${head}${reload}`)
  await using running = await up(path)
  await holds(running, async text => writeFileSync(path, text))
})

test('ConfigMap ballast-config in the twin, made while it runs', async () => {
  await using running = await up(undefined)
  const maps = running.admin.resource<KubeObject>(builtIn.configmaps)
  const write = async (text: string) => {
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'ballast-config', namespace },
      data: { 'config.yaml': text },
    }
    await maps.apply(object, { namespace, signal, fieldManager: 'kubectl', force: true })
    await running.clock.advance(1_000)
  }
  await write(`${head}arbiter: { freeze: audit, windows: { deschedule: ["${window}"] } }\n`)
  expect(await told(running, 1)).toBe(`ConfigMap ${namespace}/ballast-config is taken over`)
  expect((await running.judged()).settings.arbiter.freeze).toBe('audit')
  await running.rotate('2')
  await running.clock.advance(120_000)
  expect(await running.rollouts()).toBe(0)
  await write(`${head}arbiter: { freeze: 7 }\n`)
  expect(await told(running, 2)).toContain('is refused')
  // The ConfigMap is what it would read, and not what it goes by.
  expect((await running.judged()).settings.arbiter.freeze).toBe('audit')
})
