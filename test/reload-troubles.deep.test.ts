// What goes wrong around reload, a row of the specification each: it is told, the rest goes on, and nothing is forgotten.
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { reload } from '#capabilities/reload'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { runScenario } from './crash-harness.ts'
import {
  auto,
  changeConfigMap,
  changeSecret,
  configMap,
  marksOf,
  reloadCluster,
  remembered,
  rolloutsOf,
  secret,
  surroundings,
  workload,
} from './reload-cluster.ts'

const { signal } = new AbortController()
const minuteMs = 60_000
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')
const settings = configMap('settings', { key: 'one' })

async function running(objects: readonly KubeObject[], config: object = {}): Promise<ControlledCluster> {
  const cluster = await reloadCluster(objects, { config })
  cluster.startController()
  await remembered(cluster)
  return cluster
}

const admission = (resource: string): GroupVersionResource => ({ group: 'admissionregistration.k8s.io', version: 'v1', resource })

/** Nobody may give the Deployment `name` a variable of a reload. */
async function denyReloadsOf(cluster: ControlledCluster, name: string): Promise<void> {
  const marked = "object.spec.template.spec.containers.exists(c, has(c.env) && c.env.exists(e, e.name.startsWith('STAKATER_')))"
  await cluster.admin.resource(admission('validatingadmissionpolicies')).create(
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'no-reload' },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['deployments'] }],
        },
        validations: [{ expression: `object.metadata.name != '${name}' || !${marked}`, message: 'not this one' }],
      },
    },
    { signal },
  )
  await cluster.admin.resource(admission('validatingadmissionpolicybindings')).create(
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'no-reload' },
      spec: { policyName: 'no-reload', validationActions: ['Deny'] },
    },
    { signal },
  )
}

describe('one of several workloads', () => {
  test('F1 is denied by admission: it backs off and is told, the others are reloaded exactly once', async () => {
    await using cluster = await running([settings, ...['a', 'b', 'c'].map(name => workload({ name, configmaps: ['settings'] }))])
    await denyReloadsOf(cluster, 'a')
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await cluster.pass(10 * minuteMs)
    expect(['a', 'b', 'c'].map(name => rolloutsOf(cluster, name))).toEqual([0, 1, 1])
    const tries = cluster.writes.filter(write => write.startsWith('PATCH') && write.endsWith('/deployments/a'))
    expect(tries.length).toBeGreaterThan(3)
    expect(tries.length).toBeLessThan(20)
    expect(await cluster.events()).toContainEqual(expect.stringContaining('ReloadFail Deployment a'))
    // When nothing forbids it any more it is done.
    await cluster.admin.resource(admission('validatingadmissionpolicybindings')).delete('no-reload', { signal })
    await cluster.until(() => rolloutsOf(cluster, 'a') === 1)
  })

  test('is deleted while its change waits: the others are reloaded, and it is forgotten', async () => {
    await using cluster = await running([settings, ...['a', 'b'].map(name => workload({ name, configmaps: ['settings'] }))])
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await cluster.admin.resource(builtIn.deployments).delete('a', { namespace: 'shop', signal })
    await cluster.until(() => rolloutsOf(cluster, 'b') === 1)
    await cluster.pass(minuteMs)
    const baselines = cluster.list('configmaps').filter(({ metadata }) => metadata.name.startsWith('ballast-reload-baseline-'))
    expect(JSON.stringify(baselines)).not.toContain('Deployment/shop/a')
    expect(cluster.errors).toEqual([])
  })

  test('has a pattern that does not compile: it is told, its other patterns count', async () => {
    const annotations = { 'configmap.reloader.stakater.com/reload': 'bad[,settings' }
    await using cluster = await running([settings, workload({ name: 'web', annotations })])
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
    expect(await cluster.events()).toContainEqual(expect.stringContaining('ReloadAnnotationInvalid Deployment web'))
  })
})

describe('storms', () => {
  test('40 rotations in a minute are few roll-outs, the last of them with the last content', async () => {
    await using cluster = await running([secret('token', { key: '0' }), workload({ name: 'web', secrets: ['token'] })], {
      debounce: '0s',
    })
    for (let rotation = 1; rotation <= 40; rotation++) {
      await changeSecret(cluster, 'token', { key: String(rotation) })
      await cluster.pass(1_500)
    }
    expect(rolloutsOf(cluster, 'web')).toBeLessThanOrEqual(7)
    await cluster.until(() => marksOf(cluster, 'web')['STAKATER_TOKEN_SECRET'] === sha1('key=40'))
    expect(await cluster.events()).toContainEqual(expect.stringContaining('ReloadThrottled Deployment web'))
  })

  test('500 workloads of one ConfigMap are one GET, 500 PATCHes and two writes of permits, without a list', async () => {
    const names = Array.from({ length: 500 }, (_, at) => `web-${at}`)
    const objects = [settings, ...names.map(name => workload({ name, paused: true, configmaps: ['settings'] }))]
    await using cluster = await running(objects, { debounce: '0s' })
    await cluster.pass(minuteMs)
    const [writes, requests] = [cluster.writes.length, cluster.twin.requests.total]
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await cluster.until(() => names.every(name => 'STAKATER_SETTINGS_CONFIGMAP' in marksOf(cluster, name)))
    const since = cluster.writes.slice(writes)
    expect(since.filter(write => write.includes('/deployments/'))).toHaveLength(500)
    expect(since.filter(write => write.includes('/disruptionpermits')).length).toBeLessThanOrEqual(2)
    const own = cluster.twin.requests.entries
      .slice(-(cluster.twin.requests.total - requests))
      .filter(({ user, verb, query }) => user.endsWith(':ballast-controller') && verb === 'GET' && !query.includes('watch='))
    expect(own.filter(({ path }) => /\/[a-z]+s$/.test(path) && !path.includes('/configmaps/'))).toEqual([])
    expect(own.filter(({ path }) => path.endsWith('/configmaps/settings'))).toHaveLength(1)
  })
})

describe('rights', () => {
  test('403 on one kind is told once, the others go on', async () => {
    await using cluster = await reloadCluster([
      settings,
      secret('token', { key: 'one' }),
      workload({ name: 'web', configmaps: ['settings'], secrets: ['token'] }),
    ])
    interface Role extends KubeObject {
      readonly rules?: readonly { readonly resources?: readonly string[]; readonly apiGroups?: readonly string[] }[]
    }
    const roles: GroupVersionResource = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' }
    for (const role of cluster.list<Role>('clusterroles.rbac.authorization.k8s.io')) {
      if (!role.metadata.name.startsWith('ballast')) continue
      const rules = (role.rules ?? []).map(rule => ({
        ...rule,
        resources: (rule.resources ?? []).filter(one => one !== 'secrets'),
      }))
      await cluster.change(roles, { name: role.metadata.name }, { rules: rules.filter(({ resources }) => resources.length > 0) })
    }
    cluster.startController()
    await remembered(cluster)
    await changeConfigMap(cluster, 'settings', { key: 'two' })
    await cluster.until(() => rolloutsOf(cluster, 'web') === 1)
    await cluster.pass(10 * minuteMs)
    expect((await cluster.events()).filter(event => event.includes('ReloadForbidden'))).toHaveLength(1)
    expect(marksOf(cluster, 'web')).toEqual({ STAKATER_SETTINGS_CONFIGMAP: sha1('key=two') })
  })
})

describe('two sources at once and a kill', () => {
  test('a permit that nobody wrote down in the baseline is remembered', async () => {
    const objects = [
      settings,
      secret('token', { key: 'one' }),
      workload({ name: 'web', configmaps: ['settings'], secrets: ['token'], annotations: auto }),
    ]
    const outcome = await runScenario(
      {
        name: 'both change',
        cluster: {
          objects: [...surroundings(objects), ...objects],
          capabilities: [reload],
          configurations: { reload: { debounce: '5s' } },
        },
        async drive(cluster) {
          await remembered(cluster)
          await changeSecret(cluster, 'token', { key: 'two' })
          await changeConfigMap(cluster, 'settings', { key: 'two' })
          await cluster.until(
            () => rolloutsOf(cluster, 'web') === 1 && cluster.permits().every(({ status }) => status?.releasedAt !== undefined),
          )
        },
        faults: cluster => (rolloutsOf(cluster, 'web') === 1 ? [] : [`${rolloutsOf(cluster, 'web')} rollouts`]),
      },
      {},
    )
    expect(outcome.faults).toEqual([])
  })
})
