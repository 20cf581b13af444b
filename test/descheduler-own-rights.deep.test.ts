// The rights that manifests give the descheduler are those that it asks for: with them nothing is refused, and each one is used.
import { afterEach, expect, test } from 'vitest'
import { ballastKinds } from '#coordination/kinds.ts'
import type { Right } from '#coordination/rbac.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { readPolicy } from '../src/capabilities/deschedule/compat/policy/read-policy.ts'
import { deschedulerRules } from '../src/capabilities/deschedule/compat/rights.ts'
import { DeschedulerCluster, type DeschedulerRun, type RunOptions } from './descheduler-cluster.ts'
import { overfull, policyOf } from './descheduler-objects.ts'

const open: DeschedulerCluster[] = []
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

const { signal } = new AbortController()
const own = 'kube-system'
const minuteMs = 60_000
const lease = {
  leaseDurationMs: 137_000,
  renewDeadlineMs: 107_000,
  retryPeriodMs: 26_000,
  name: 'descheduler',
  namespace: 'apart',
}
const definitions = ballastKinds.flatMap(({ definition }) => (definition === undefined ? [] : [definition]))
const namespaces = ['apart', 'monitoring'].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
const priorityClass = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'high' }, value: 1_000 }

const kedaKinds = ['ScaledObject', 'ScaledJob'].map(kind => {
  const singular = kind.toLowerCase()
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${singular}s.keda.sh` },
    spec: {
      group: 'keda.sh',
      scope: 'Namespaced',
      names: { plural: `${singular}s`, singular, kind, listKind: `${kind}List` },
      versions: [{ name: 'v1alpha1', served: true, storage: true, schema }],
    },
  }
})

const evictor = {
  priorityThreshold: { name: 'high' },
  podProtections: {
    extraEnabled: ['PodsWithPVC'],
    config: { PodsWithPVC: { protectedStorageClasses: [{ name: 'fast' }] } },
  },
}
const thresholds = { thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 } }
const byRequests = policyOf({ balance: { LowNodeUtilization: thresholds } }, { evictor })
const byMetrics = {
  ...policyOf({ balance: { LowNodeUtilization: { ...thresholds, metricsUtilization: { source: 'KubernetesMetrics' } } } }),
  metricsProviders: [{ source: 'KubernetesMetrics' }],
}
const percent = { thresholds: { MetricResource: 20 }, targetThresholds: { MetricResource: 50 } }
const metricsUtilization = { source: 'Prometheus', prometheus: { query: 'share' } }
const prometheus = {
  url: 'http://127.0.0.1:1',
  authToken: { secretReference: { namespace: 'monitoring', name: 'prometheus-token' } },
}
const byQuery = {
  ...policyOf({ balance: { LowNodeUtilization: { ...percent, metricsUtilization } } }),
  metricsProviders: [{ source: 'Prometheus', prometheus }],
}

/** What is done, under which rights, and when enough of it was done. */
interface Scenario {
  readonly policy: object
  readonly settings?: RunOptions['settings']
  readonly permits?: boolean
  readonly enforced?: boolean
  readonly enough: (cluster: DeschedulerCluster, run: DeschedulerRun) => boolean
}

const cycles = (count: number) => (_: DeschedulerCluster, run: DeschedulerRun) =>
  run.log.split('Number of evictions/requests').length > count
const repeated = { deschedulingIntervalMs: minuteMs }

const scenarios: Readonly<Record<string, Scenario>> = {
  plain: { policy: { ...byRequests, evictionFailureEventNotification: true }, settings: repeated, enough: cycles(4) },
  elected: { policy: byRequests, settings: { ...repeated, leaderElection: lease }, enough: cycles(2) },
  measured: { policy: byMetrics, settings: repeated, enough: cycles(1) },
  queried: { policy: byQuery, settings: repeated, enough: cycles(1) },
  recorded: { policy: byRequests, settings: repeated, permits: true, enough: cycles(2) },
  'recorded and elected': {
    policy: byRequests,
    settings: { ...repeated, leaderElection: lease },
    permits: true,
    enough: cycles(2),
  },
  'dry run': { policy: byRequests, settings: { ...repeated, dryRun: true }, enough: cycles(2) },
  enforced: { policy: byRequests, enforced: true, enough: cycles(1) },
}

function rulesFor({ policy, settings = {}, permits = false, enforced = false }: Scenario): readonly Right[] {
  const read = readPolicy(JSON.stringify(policy), { file: 'policy.json', priorityOf: () => 1_000 })
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  const { leaderElection, dryRun = false } = settings
  return deschedulerRules({
    policy: read.policy,
    dryRun,
    permits,
    enforced,
    ...(leaderElection !== undefined && { leaderElection }),
  })
}

const account = 'descheduler'
const roles: GroupVersionResource = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'roles' }
const roleBindings: GroupVersionResource = { ...roles, resource: 'rolebindings' }

/** An account that may exactly `rights`; yields its token. */
async function tokenWith(cluster: DeschedulerCluster, rights: readonly Right[]): Promise<string> {
  const create = (resource: GroupVersionResource, object: KubeObject & Readonly<Record<string, unknown>>) =>
    cluster.admin.resource<KubeObject>(resource).create(object, { signal, namespace: object.metadata.namespace })
  await create(builtIn.serviceaccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: own } })
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const apiGroup = 'rbac.authorization.k8s.io'
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace: own }]
  for (const place of new Set(rights.map(right => right.place))) {
    const isCluster = place === 'cluster'
    const metadata = { name: account, ...(!isCluster && { namespace: place === '' ? own : place }) }
    const rules = rights
      .filter(right => right.place === place)
      .map(({ group, resource, names, verb }) => ({
        apiGroups: [group],
        resources: [resource],
        verbs: [verb],
        ...(names.length > 0 && { resourceNames: names }),
      }))
    const kind = isCluster ? 'ClusterRole' : 'Role'
    await create(isCluster ? builtIn.clusterroles : roles, { apiVersion, kind, metadata, rules })
    const binding = { apiVersion, kind: `${kind}Binding`, metadata, subjects, roleRef: { apiGroup, kind, name: account } }
    await create(isCluster ? builtIn.clusterrolebindings : roleBindings, binding)
  }
  return await cluster.twin.issueToken({ namespace: own, serviceAccount: account, seconds: 7 * 24 * 3600 })
}

const verbOf: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

/** What a request asked for; `undefined`: nothing that roles name. */
function askedBy({ verb: method, path, query }: { readonly verb: string; readonly path: string; readonly query: string }) {
  const [, group = '', namespace, resource, name, subresource] =
    /^\/(?:api|apis\/([^/]+))\/[^/]+(?:\/namespaces\/([^/]+)(?=\/[^/]))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path) ?? []
  if (resource === undefined) return undefined
  const reads = new URLSearchParams(query).get('watch') === 'true' ? 'watch' : name === undefined ? 'list' : 'get'
  const verb = method === 'GET' ? reads : verbOf[method]
  return { verb, group, namespace, name, resource: subresource === undefined ? resource : `${resource}/${subresource}` }
}

function allows(right: Right, asked: NonNullable<ReturnType<typeof askedBy>>): boolean {
  const isPlace = right.place === 'cluster' || (right.place === '' ? own : right.place) === asked.namespace
  const isNamed = right.names.length === 0 || (asked.name !== undefined && right.names.includes(asked.name))
  return isPlace && isNamed && right.group === asked.group && right.resource === asked.resource && right.verb === asked.verb
}

const wordsOf = ({ place, group, resource, names, verb }: Right) =>
  `${verb} ${resource}${group === '' ? '' : `.${group}`}${names.length === 0 ? '' : ` ${names.join(',')}`} in ${place}`

/** A permit of three days ago is deleted. */
async function untilForgotten(cluster: DeschedulerCluster): Promise<void> {
  const [permit] = cluster.permits()
  if (permit === undefined) throw new Error('the eviction was recorded')
  const [before, text] = ['2026-02-27T04:00:00Z', JSON.stringify(permit)]
  const { resourceVersion: _, ...metadata } = permit.metadata
  cluster.twin.load([
    { ...JSON.parse(text.replaceAll(/2026-03-02T[\d:.]+Z/g, before)), metadata: { ...metadata, name: 'old', uid: 'old' } },
  ])
  await cluster.until(() => !cluster.permits().some(({ metadata: { name } }) => name === 'old'), 1_000)
}

const used = new Map<string, Set<string>>()

test.each(Object.entries(scenarios))('%s: nothing is refused', async (name, scenario) => {
  const cluster = await DeschedulerCluster.start([...overfull, ...namespaces, ...definitions, ...kedaKinds, priorityClass])
  open.push(cluster)
  const rights = rulesFor(scenario)
  const token = await tokenWith(cluster, rights)
  const run = cluster.run({
    policy: scenario.policy,
    token,
    hasPermits: scenario.permits === true,
    ...(scenario.settings !== undefined && { settings: scenario.settings }),
    ...(scenario.enforced === true && { coordination: { enforce: true } }),
  })
  if (name === 'plain') {
    // An eviction is broken off by the server: the pod is read back. Later ones are refused, which is told each time.
    cluster.twin.fault({ match: { resource: 'pods', subresource: 'eviction' }, count: 1, status: { code: 504 } })
    cluster.twin.fault({ match: { resource: 'pods', subresource: 'eviction' }, status: { code: 429 } })
  }
  await cluster.until(() => scenario.enough(cluster, run) || run.end?.error !== undefined, 1_000)
  expect(run.end?.error).toBeUndefined()
  if (name === 'recorded') await untilForgotten(cluster)
  run.stop()
  await cluster.until(() => run.end !== undefined)
  const entries = cluster.twin.requests.entries.filter(({ agent }) => agent === 'ballast descheduler')
  expect(entries.filter(({ code }) => code === 403).map(({ verb, path }) => `${verb} ${path}`)).toEqual([])
  const asked = entries.flatMap(entry => askedBy(entry) ?? [])
  used.set(name, new Set(rights.filter(right => asked.some(one => allows(right, one))).map(wordsOf)))
})

test('each right is used in some scenario', () => {
  const unused = Object.entries(scenarios).flatMap(([name, scenario]) =>
    rulesFor(scenario)
      .map(wordsOf)
      .filter(words => !Array.from(used.values()).some(of => of.has(words)))
      .map(words => `${name}: ${words}`),
  )
  expect(unused).toEqual([])
})
