// Strangers flood the ports of a real `ballast controller`, each kind at each of them: it keeps its Lease and its work, kubelets and API
// servers are answered, and its memory stays under the limit that its Deployment has.
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { numberAt, textAt, valueAt } from '#twin/json-value.ts'
import { startTwin } from '#twin/twin.ts'
import { controllerToken, installBallast } from '../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { ControllerProcess, tokenKubeconfig, until } from './controller-process.ts'
import { floodKinds, type Target } from './floods/flood-process.ts'
import { behaving, flooded, quantile } from './floods/floods.ts'
import { freePorts } from './real/control-plane/free-ports.ts'
import { configMap, surroundings, workload } from './reload-cluster.ts'

const namespace = 'ballast-system'
const { signal } = new AbortController()
const limitMs = 60_000
const forMs = Number(process.env['BALLAST_FLOOD_MS'] ?? 2_000)
/** `resources.limits.memory` of the Deployment. */
const memoryLimitMiB = 512
const several = Array.from({ length: 10 }, (_, at) => `127.0.1.${at + 1}`)
const listeners = ['webhooks', 'metrics'] as const
/** A workload for each flood: what was reloaded waits a while before it is reloaded again. */
const rounds = listeners.flatMap(at => floodKinds.map(kind => ({ kind, at, name: `${at}-${kind}` })))
const objects = rounds.flatMap(({ name }) => [configMap(name, { key: 'one' }), workload({ name, configmaps: [name] })])

test('floods of its ports cost it neither its Lease, nor its work, nor its probes', async () => {
  await using stack = new AsyncDisposableStack()
  const given = [...surroundings(objects), ...objects]
  const twin = stack.use(await startTwin({ clock: systemClock, seed: 1, objects: given, listen: { port: 0 } }))
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' })
  stack.defer(() => admin.close())
  await installBallast(admin, { capabilities: enabledCapabilities, namespace, signal })
  const token = await controllerToken(admin, { namespace, seconds: 3_600, signal })
  const { file } = stack.use(tokenKubeconfig(await twin.kubeconfig(), token))
  const configuration = join(dirname(file), 'ballast.yaml')
  writeFileSync(
    configuration,
    'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\ncapabilities:\n  reload: { enabled: true }\n',
  )
  const [health = 0, webhooks = 0] = await freePorts(2)
  const controller = new ControllerProcess(file, 'prefer', [
    ...['--config', configuration],
    ...['--health-probe-bind-address', `127.0.0.1:${health}`],
    ...['--webhook-host', `127.0.0.1:${webhooks}`, '--webhook-port', String(webhooks)],
  ])
  stack.defer(() => controller.kill('SIGKILL'))
  const lease = () =>
    twin.access.list('leases.coordination.k8s.io').find(({ metadata }) => metadata.name === 'ballast-controller')
  const baseline = () => {
    const kept = twin.access.list('configmaps').filter(({ metadata }) => metadata.name.startsWith('ballast-reload-baseline-'))
    return rounds.every(({ name }) => JSON.stringify(kept).includes(`/${name}\\"`))
  }
  await until(() => controller.log, baseline, limitMs)
  const holder = textAt(lease(), 'spec', 'holderIdentity')
  const plain = (path: string): Target => ({ port: health, isSecure: false, path })
  const targets: Readonly<Record<(typeof listeners)[number], Target>> = {
    webhooks: { port: webhooks, isSecure: true, path: '/mutate/landing.deschedule' },
    metrics: plain('/metrics'),
  }
  const restingMiB = controller.peakMiB

  const maps = admin.resource<KubeObject & { readonly data?: object }>(builtIn.configmaps)
  const template = (name: string) =>
    JSON.stringify(
      valueAt(
        twin.access.list('deployments.apps').find(({ metadata }) => metadata.name === name),
        'spec',
        'template',
      ),
    )
  const peering = behaving({
    at: [plain('/livez'), plain('/readyz')],
    from: '127.0.0.9',
    forMs: forMs * rounds.length,
    everyMs: 200,
  })
  let longestMs = 0
  for (const { kind, at, name } of rounds) {
    const before = template(name)
    const flood = flooded({ kind, at: targets[at], from: several, forMs, aSecond: 500, open: 600 })
    const sinceMs = systemClock.elapsed()
    await maps.patch(name, { type: 'merge', body: { data: { key: 'two' } } }, { namespace: 'shop', signal })
    await until(
      () => `${name}: no reload\n${controller.log.slice(-4_000)}`,
      () => template(name) !== before,
      limitMs,
    )
    longestMs = Math.max(longestMs, systemClock.elapsed() - sinceMs)
    await flood
  }
  const peer = await peering
  console.log(
    `a reload took ${Math.round(longestMs)} ms at most; peak ${Math.round(controller.peakMiB)} MiB, before the floods ${Math.round(restingMiB)};`,
    ...Object.entries(peer.latenciesMs).map(
      ([path, of]) => `${path}: ${of.length} answers, p50 ${quantile(of, 0.5)} ms, p99 ${quantile(of, 0.99)} ms;`,
    ),
  )
  expect(peer.failures).toEqual([])
  expect([textAt(lease(), 'spec', 'holderIdentity'), numberAt(lease(), 'spec', 'leaseTransitions') ?? 0]).toEqual([holder, 0])
  expect(controller.isRunning).toBe(true)
  expect(controller.peakMiB).toBeLessThan(memoryLimitMiB)
  expect(longestMs).toBeLessThan(30_000)
})
