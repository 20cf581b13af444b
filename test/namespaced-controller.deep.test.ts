// Ballast where it may see some namespaces only, by Roles and no ClusterRole: the controller leads and reloads, and asks for nothing else.
import { expect, test } from 'vitest'
import { reload } from '#capabilities/reload'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { controllerToken } from '../src/deployment/install-ballast.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { runController } from '../src/process/controller/controller.ts'
import { ControllerHealth } from '../src/process/health/controller-health.ts'
import { namespace, startMs } from './controlled-cluster.ts'
import { configMap, surroundings, workload } from './reload-cluster.ts'

const { signal } = new AbortController()
const users = [
  workload({ name: 'web', configmaps: ['settings'] }),
  workload({ name: 'api', configmaps: ['settings'] }),
  workload({ name: 'hidden', configmaps: ['settings'], namespace: 'office' }),
]
const settings = (color: string) => ['shop', 'office'].map(place => configMap('settings', { color }, place))

/** The objects of an installation for `shop` alone that need no cluster-wide right but the kinds themselves. */
function installation() {
  const asked = { preset: { namespace: { create: true }, rbac: { namespaced: ['shop'] } }, enable: [reload.name] }
  const all = objects(installationValues(asked, [reload]), {
    capabilities: [reload],
    release: plainRelease('ballast', namespace),
  })
  const kinds = ['CustomResourceDefinition', 'Namespace', 'ServiceAccount', 'Role', 'RoleBinding']
  return all.filter(({ kind }) => kinds.includes(kind))
}

const resources: Readonly<Record<string, GroupVersionResource>> = {
  CustomResourceDefinition: builtIn.customresourcedefinitions,
  Namespace: builtIn.namespaces,
  ServiceAccount: builtIn.serviceaccounts,
  Role: builtIn.roles,
  RoleBinding: builtIn.rolebindings,
}

async function install(admin: Api): Promise<void> {
  for (const object of installation()) {
    const resource = resources[object.kind]
    if (resource === undefined) throw new Error(`no resource for ${object.kind}`)
    const { namespace: place } = object.metadata
    await admin
      .resource(resource)
      .apply(object, { fieldManager: 'install', signal, ...(place === undefined ? {} : { namespace: place }) })
  }
}

test('with Roles in one namespace it leads, reloads there, and is refused nothing', async () => {
  const clock = new VirtualClock(startMs)
  await using twin = await startTwin({ clock, seed: 1, objects: [] })
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  twin.load([...surroundings(users), ...users, ...settings('red')])
  await install(admin)
  await twin.settle({ limitMs: 120_000 })
  const token = await controllerToken(admin, { namespace, seconds: 86_400, signal })
  const refused: string[] = []
  const health = new ControllerHealth()
  const stop = new AbortController()
  const running = runController({
    transport: watched(twin.transport({ token }), refused),
    clock,
    random: seededRandom(7),
    log: silentLog,
    health,
    identity: { name: 'controller', namespace },
    capabilities: [reload],
    configurations: { reload: { debounce: '0s' } },
    tuning: { namespaces: ['shop'] },
    signal: stop.signal,
  })
  const until = (done: () => boolean) => clock.runUntil(done, { limitMs: 600_000 })
  const names = (kind: string) => Array.from(twin.access.list(kind), ({ metadata }) => metadata.name)
  await until(() => names('configmaps').some(name => name.startsWith('ballast-reload-baseline-')))
  for (const place of ['shop', 'office'])
    await admin
      .resource(builtIn.configmaps)
      .patch('settings', { type: 'merge', body: { data: { color: 'blue' } } }, { namespace: place, signal })
  const reloaded = () =>
    Array.from(twin.access.list('deployments.apps'))
      .filter(object => JSON.stringify(object).includes('STAKATER_SETTINGS_CONFIGMAP'))
      .map(({ metadata }) => metadata.name)
  await until(() => reloaded().length >= 2)
  await clock.advance(60_000)
  expect(reloaded().sort()).toEqual(['api', 'web'])
  expect(refused).toEqual([])
  let isOver = false
  const over = running.finally(() => {
    isOver = true
  })
  stop.abort(new DOMException('over', 'AbortError'))
  await until(() => isOver)
  await over
})

function watched(transport: Transport, refused: string[]): Transport {
  const seen = <T extends { readonly status: number }>(answer: T, verb: string, path: string): T => {
    if (answer.status === 403) refused.push(`${verb} ${path}`)
    return answer
  }
  return {
    request: async sent => seen(await transport.request(sent), sent.verb, sent.path),
    stream: async sent => seen(await transport.stream(sent), sent.verb, sent.path),
    close: () => transport.close(),
  }
}
