// The drop-in command as who only swapped the command runs it: a process of its own, upstream's role, upstream's port and probes.
import { type ChildProcess, spawn } from 'node:child_process'
import { request } from 'undici'
import { afterAll, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import { commandLine } from './cli/bundled.ts'
import { tokenKubeconfig } from './controller-process.ts'
import { freePort } from './real/control-plane/free-ports.ts'
import { secret, surroundings, workload } from './reload-cluster.ts'
import { installReloaderRole } from './reloader-role.ts'

const namespace = 'reloader'
const { signal } = new AbortController()
const limitMs = 120_000
const resources = new AsyncDisposableStack()
afterAll(() => resources.disposeAsync())

interface Pod {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly containers: readonly { readonly env?: readonly { readonly name: string }[] }[] }
    }
  }
}

/** A cluster with one workload, and the drop-in beside it. */
async function start(options: { readonly isHighlyAvailable: boolean; readonly flags?: readonly string[] }) {
  const objects = [secret('db', { password: 'first' }), workload({ name: 'cart', secrets: ['db'] })]
  const twin = resources.use(
    await startTwin({ clock: systemClock, objects: [...surroundings(objects), ...objects], listen: { port: 0 } }),
  )
  const token = await installReloaderRole(twin, { ...options, namespace, clock: systemClock, signal })
  const { file } = resources.use(tokenKubeconfig(await twin.kubeconfig(), token))
  const port = await freePort()
  const ha = options.isHighlyAvailable ? ['--enable-ha'] : []
  const child = spawn(
    process.execPath,
    [commandLine, 'reloader', `--metrics-addr=127.0.0.1:${port}`, ...ha, ...(options.flags ?? [])],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        KUBECONFIG: file,
        POD_NAME: 'reloader-0',
        POD_NAMESPACE: namespace,
        RELOADER_NAMESPACE: namespace,
        RELOADER_DEPLOYMENT_NAME: 'reloader-reloader',
      },
    },
  )
  resources.defer(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  child.stderr?.setEncoding('utf8').on('data', (text: string) => lines.push(text))
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' })
  const get = async (path: string) => {
    const answer = await request(`http://127.0.0.1:${port}${path}`)
    return { status: answer.statusCode, body: await answer.body.text() }
  }
  const seen = { twin, admin, get, child, log: () => lines.join('') }
  await eventually(seen, 'it is ready', async () => (await get('/readyz')).status === 200)
  return seen
}

type Seen = { readonly log: () => string; readonly child: ChildProcess }

async function eventually({ log, child }: Seen, what: string, holds: () => Promise<boolean>): Promise<void> {
  const untilMs = systemClock.elapsed() + limitMs
  for (;;) {
    const holdsNow = await holds().catch((error: unknown) => {
      if (child.exitCode !== null) throw error
      return false // nobody listens yet
    })
    if (holdsNow) return
    if (systemClock.elapsed() > untilMs || child.exitCode !== null) throw new Error(`not so: ${what}\n${log()}`)
    await systemClock.after(100)
  }
}

async function ended({ child }: Seen): Promise<number | null> {
  if (child.exitCode === null) await new Promise(resolve => child.once('exit', resolve))
  return child.exitCode
}

test("with Reloader's own role it reloads, tells, and keeps in memory what it may not write", async () => {
  const seen = await start({ isHighlyAvailable: false })
  const { admin, get, log } = seen
  expect(await get('/live')).toEqual({ status: 200, body: 'alive' })
  expect((await get('/debug/pprof/')).status).toBe(404)
  const ready = (await get('/readyz?verbose')).body
  expect(ready).toContain('store-permits ok: kept in memory: no right to')
  expect(ready).toContain('store-leases ok: kept in memory: no right to')
  expect((await get('/metrics')).body).toContain('reloader_reload_executed_total{success="true"} 0')

  // What is seen for the first time is remembered: only what changes after that reloads.
  const seenOnce = 'reloader_events_processed_total{event_type="unknown",resource_type="secrets",result="success"} 1'
  await eventually(seen, 'the Secret was seen', async () => (await get('/metrics')).body.includes(seenOnce))
  const data = { password: Buffer.from('second').toString('base64') }
  await admin.resource(builtIn.secrets).patch('db', { type: 'merge', body: { data } }, { namespace: 'shop', signal })
  const template = async () => {
    const found = await admin.resource<KubeObject & Pod>(builtIn.deployments).get('cart', { namespace: 'shop', signal })
    return found.spec.template.spec.containers[0]?.env ?? []
  }
  await eventually(seen, 'the template has the hash', async () => (await template()).length > 0)
  expect(await template()).toEqual([{ name: 'STAKATER_DB_SECRET', value: expect.stringMatching(/^[0-9a-f]{40}$/) }])

  const told = async () => {
    const { items } = await admin.resource<KubeObject>({ group: '', version: 'v1', resource: 'events' }).list({ signal })
    return items.filter(event => event['reason'] === 'Reloaded')
  }
  await eventually(seen, 'the Event is there', async () => (await told()).length > 0)
  expect(await told()).toEqual([
    expect.objectContaining({
      source: { component: 'reloader-secrets' },
      message:
        "Changes detected in 'db' of type 'SECRET' in namespace 'shop', Updated 'cart' of type 'Deployment' in namespace 'shop'",
    }),
  ])
  const baselines = async () =>
    (await admin.resource<KubeObject>(builtIn.configmaps).list({ namespace, signal })).items.filter(({ metadata }) =>
      metadata.name.startsWith('ballast-reload-baseline-'),
    )
  // Its role has no patch for ConfigMaps; what was acted on is remembered all the same.
  await eventually(seen, 'the baseline is written', async () => (await baselines()).length > 0)
  const metrics = (await get('/metrics')).body
  expect(metrics).toContain('reloader_reload_executed_total{success="true"} 1')
  expect(metrics).toContain('reloader_action_total{workload_kind="Deployment",result="success"} 1')
  const meta = await admin.resource<KubeObject>(builtIn.configmaps).get('reloader-meta-info', { namespace, signal })
  expect(meta.metadata.labels).toEqual({ 'reloader.stakater.com/meta-info': 'reloader' })
  expect(meta['data']).toMatchObject({ deploymentInfo: JSON.stringify({ name: 'reloader-reloader', namespace }) })
  expect(log()).toContain('level=warning msg="kept in memory')
  expect(log()).not.toContain('second')
  seen.child.kill('SIGTERM')
  expect(await ended(seen)).toBe(0)
})

test('with HA it holds both Leases in POD_NAMESPACE, in JSON says so, and gives them back', async () => {
  const seen = await start({ isHighlyAvailable: true, flags: ['--log-format=json'] })
  const { admin, log } = seen
  const leases = async () => (await admin.resource<KubeObject>(builtIn.leases).list({ namespace, signal })).items
  const holders = async () =>
    (await leases()).map(lease => {
      const spec: unknown = lease['spec']
      const holder = typeof spec === 'object' && spec !== null && 'holderIdentity' in spec ? String(spec.holderIdentity) : ''
      return `${lease.metadata.name} ${holder.split('_')[0]}`
    })
  await eventually(seen, 'both are held', async () => (await holders()).filter(text => text.endsWith('reloader-0')).length === 2)
  expect((await holders()).sort()).toEqual(['ballast-controller reloader-0', 'stakater-reloader-lock reloader-0'])
  const lines = log().trim().split('\n')
  expect(lines.every(line => typeof JSON.parse(line) === 'object')).toBe(true)
  seen.child.kill('SIGTERM')
  expect(await ended(seen)).toBe(0)
  expect((await holders()).sort()).toEqual(['ballast-controller ', 'stakater-reloader-lock '])
})
