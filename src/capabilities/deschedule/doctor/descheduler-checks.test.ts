import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import type { ClusterFacts } from '#doctor/facts.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { checkDeschedulers } from './descheduler-checks.ts'

const header = { apiVersion: 'descheduler/v1alpha2', kind: 'DeschedulerPolicy' }
const profile = (args: object, name = 'default') => ({ name, pluginConfig: [{ name: 'DefaultEvictor', args }], plugins: {} })
const measured = { ...header, metricsProviders: [{ source: 'KubernetesMetrics' }], profiles: [profile({})] }
const token = { namespace: 'monitoring', name: 'token' }
const queried = {
  ...header,
  metricsProviders: [{ source: 'Prometheus', prometheus: { url: 'https://p.example', authToken: { secretReference: token } } }],
  profiles: [profile({})],
}

/** As our chart makes it. */
const installed = (descheduler: object): readonly KubeObject[] =>
  objects(installationValues({ preset: { descheduler: { enabled: true, ...descheduler } } }, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: plainRelease('ballast', 'ballast-system'),
  })
const facts = (given: readonly KubeObject[], unread: ClusterFacts['unread'] = []): ClusterFacts => ({
  objects: given,
  unread,
  nowMs: 0,
  ours: undefined,
})

// biome-ignore format: a table
const ways: readonly (readonly [name: string, descheduler: object, right: string, message: string])[] = [
  ['a CronJob',                {}, 'pods/eviction', 'may not create pods/eviction cluster-wide, which CronJob ballast-system/ballast-descheduler needs'],
  ['a Deployment',             { kind: 'Deployment' }, 'nodes', 'may not list, watch nodes cluster-wide, which Deployment ballast-system/ballast-descheduler needs'],
  ['one that sleeps',          { suspend: true }, 'poddisruptionbudgets', 'may not list, watch poddisruptionbudgets.policy cluster-wide, which'],
  ['with a leader',            { kind: 'Deployment', leaderElection: { enabled: true, resourceName: 'mine', resourceNamespace: 'apart' } }, 'leases', 'may not get, update leases.coordination.k8s.io mine in apart, which'],
  ['by metrics',               { policy: measured }, 'nodes', 'may not list nodes.metrics.k8s.io cluster-wide, which'],
  ['by Prometheus',            { policy: queried, tokenSecrets: [token] }, 'secrets', 'may not get secrets token in monitoring, which'],
  ['owner labels hold',        { coordination: { enforce: true } }, 'deployments', 'may not list, watch deployments.apps cluster-wide, which'],
  ['an account of its own name', { serviceAccount: { name: 'mover' } }, 'events', 'may not create, patch events.events.k8s.io cluster-wide, which'],
]

test.each(ways)('%s: what our manifests grant is enough, and what lacks is named', (_name, descheduler, resource, message) => {
  const all = installed(descheduler)
  expect(checkDeschedulers(facts(all))).toEqual([])
  const found = checkDeschedulers(facts(all.map(object => without(object, resource))))
  const name = 'serviceAccount' in descheduler ? 'mover' : 'ballast-descheduler'
  for (const one of found)
    expect(one).toMatchObject({ id: 'rbac-missing', severity: 'error', object: `ServiceAccount ballast-system/${name}` })
  expect(found.map(one => one.message)).toContainEqual(expect.stringContaining(message))
})

function without(object: KubeObject, resource: string): KubeObject {
  const { rules } = object
  if (!Array.isArray(rules)) return object
  return { ...object, rules: rules.filter(rule => !rule.resources.includes(resource)) }
}

test('a dry run needs nothing that writes', () => {
  const all = installed({ dryRun: true })
  expect(JSON.stringify(all.filter(({ metadata }) => metadata.name === 'ballast-descheduler'))).not.toContain('pods/eviction')
  expect(checkDeschedulers(facts(all))).toEqual([])
})

test('without a binding all is missing; where bindings may not be read nothing is said', () => {
  const bare = installed({}).filter(({ kind }) => kind !== 'ClusterRoleBinding')
  expect(checkDeschedulers(facts(bare)).length).toBeGreaterThan(5)
  const unread = [{ kind: 'clusterrolebindings.rbac.authorization.k8s.io', why: 'forbidden' }]
  expect(checkDeschedulers(facts(bare, unread))).toEqual([])
})

function upstream(policy: string, version = 'v0.36.0'): readonly KubeObject[] {
  const container = {
    name: 'descheduler',
    image: `registry.k8s.io/descheduler/descheduler:${version}`,
    args: ['--policy-config-file=/policy-dir/policy.yaml'],
    volumeMounts: [{ mountPath: '/policy-dir', name: 'policy' }],
  }
  const template = { spec: { containers: [container], volumes: [{ name: 'policy', configMap: { name: 'policy' } }] } }
  const metadata = (name: string) => ({ name, namespace: 'kube-system' })
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: metadata('descheduler'), spec: { template } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('policy'), data: { 'policy.yaml': policy } },
  ]
}

const extra = { podProtections: { extraEnabled: ['PodsWithoutPDB'] } }
const older = { ignorePodsWithoutPDB: true }

// biome-ignore format: a table
test.each([
  ['by the list',            stringify({ ...header, profiles: [profile(extra, 'a'), profile({}, 'b')] }), 'v0.36.0', 'so profile a evicts nothing'],
  ['by the deprecated flag', stringify({ ...header, profiles: [profile(older)] }), 'v0.33.0', 'so profile default evicts nothing'],
  ['in two profiles',        stringify({ ...header, profiles: [profile(extra, 'a'), profile(older, 'b')] }), 'main', 'so profiles a, b evict nothing'],
  ['not at all',             stringify({ ...header, profiles: [profile({ ignorePodsWithoutPDB: false })] }), 'v0.36.0', undefined],
  ['the second of one name', stringify({ ...header, profiles: [{ ...profile({}), pluginConfig: [{ name: 'DefaultEvictor' }, { name: 'DefaultEvictor', args: extra }] }] }), 'v0.36.0', undefined],
  ['of a later version',     stringify({ ...header, profiles: [profile(extra)] }), 'v0.37.0', undefined],
  ['a policy that is none',  '{', 'v0.36.0', undefined],
])('upstream spares every pod: %s', (_name, policy, version, words) => {
  const found = checkDeschedulers(facts(upstream(policy, version)))
  expect(found.map(({ id, severity, object }) => [id, severity, object])).toEqual(
    words === undefined ? [] : [['descheduler-spares-all', 'warn', 'Deployment kube-system/descheduler']],
  )
  expect(found[0]?.message ?? '').toContain(words ?? '')
})
