// Other people's programs: what each is given to do, and how one sees that it is done.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { ApiObject } from '../control-plane/api-client.ts'
import { makeCertificates } from '../control-plane/certificates.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { type Upstream, upstreamPath, upstreamSource, upstreamVersion } from '../upstreams/build.ts'
import { makeDefaultAccount } from './own-scenarios.ts'
import type { ClientScenario, Done } from './scenarios.ts'
import type { ClientSite } from './site.ts'

const pods = '/api/v1/namespaces/default/pods'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

function template(name: string, cpu = '100m') {
  const container = { name: 'main', image: 'registry.example/web:v1', resources: { requests: { cpu, memory: '64Mi' } } }
  return { metadata: { labels: { app: name } }, spec: { containers: [container] } }
}

function deployment(name: string, metadata: object = {}) {
  const spec = { replicas: 2, selector: { matchLabels: { app: name } }, template: template(name) }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, ...metadata }, spec }
}

async function makeNode(site: ClientSite, name: string, spec: object = {}): Promise<void> {
  const amounts = { cpu: '4', memory: '8Gi', pods: '110' }
  const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady' }
  const addresses = [
    { type: 'InternalIP', address: '127.0.0.1' },
    { type: 'Hostname', address: name },
  ]
  const status = { capacity: amounts, allocatable: amounts, conditions: [ready], addresses }
  const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' }
  const made = await site.ask('POST', '/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec,
    status,
  })
  // Admission taints what is new; nobody here takes it away.
  const taints = 'taints' in spec ? spec.taints : null
  await site.ask('PATCH', `/api/v1/nodes/${made.metadata.name}`, { spec: { taints } })
}

/** A running, ready pod of a ReplicaSet. */
async function makePod(site: ClientSite, name: string, app: string, set: ApiObject, nodeName: string): Promise<void> {
  const { uid } = set.metadata
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: set.metadata.name, uid, controller: true }
  const { metadata, spec } = template(app)
  const made = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name, ownerReferences: [owner] },
    spec: { ...spec, nodeName },
  }
  await site.ask('POST', pods, made)
  const running = { name: 'main', ready: true, restartCount: 0, image: 'registry.example/web:v1', imageID: '', started: true }
  const status = {
    phase: 'Running',
    startTime: '2026-01-01T00:00:00Z',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [{ ...running, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }],
  }
  await site.ask('PATCH', `${pods}/${name}/status`, { status })
}

async function makeSet(site: ClientSite, name: string): Promise<ApiObject> {
  const spec = { replicas: 2, selector: { matchLabels: { app: name } }, template: template(name) }
  const set = await site.ask('POST', '/apis/apps/v1/namespaces/default/replicasets', {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, labels: { app: name } },
    spec,
  })
  const status = { replicas: 2, readyReplicas: 2, availableReplicas: 2, observedGeneration: 1 }
  await site.ask('PATCH', `/apis/apps/v1/namespaces/default/replicasets/${name}/status`, { status })
  return set
}

async function makeDefinitions(site: ClientSite, file: string, only: (name: string) => boolean = () => true): Promise<void> {
  for (const text of readFileSync(file, 'utf8').split(/^---$/m)) {
    const definition: ApiObject | null = parse(text)
    if (definition?.kind !== 'CustomResourceDefinition' || !only(definition.metadata.name)) continue
    await site.ask('POST', definitions, definition)
    await site.until(`${definition.metadata.name} to be established`, async () => {
      const { status } = (await site.ask('GET', `${definitions}/${definition.metadata.name}`)) as {
        readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
      }
      return status?.conditions?.some(({ type, status: value }) => type === 'Established' && value === 'True') === true
    })
  }
}

async function namesOf(site: ClientSite, path: string): Promise<readonly string[]> {
  const { items } = (await site.ask('GET', path)) as unknown as { readonly items: readonly ApiObject[] }
  return items.map(({ metadata }) => metadata.name).toSorted()
}

function upstream(
  name: Upstream,
  args: readonly string[],
  run: (site: ClientSite, program: string) => Promise<Done>,
): ClientScenario {
  return {
    name,
    version: upstreamVersion(name),
    command: [name, ...args],
    async run(site) {
      const program = await upstreamPath(name)
      await makeDefaultAccount(site)
      return await run(site, program)
    },
  }
}

/** Starts a program and waits for what it is to bring about. */
async function brings(
  site: ClientSite,
  program: string,
  args: readonly string[],
  what: string,
  look: () => Promise<readonly string[] | undefined>,
  environment: Readonly<Record<string, string>> = {},
): Promise<Done> {
  const client = site.start(program, args, environment)
  let saw: readonly string[] | undefined
  try {
    await site.until(what, async () => {
      if (!client.isRunning) throw new Error('it ended by itself')
      saw = await look()
      return saw !== undefined
    })
  } catch (cause) {
    throw new Error(`${what}: it said ${client.said.slice(-3000)}`, { cause })
  }
  await client.stop()
  return { exitCodes: [], saw: saw ?? [] }
}

const chart = join(import.meta.dirname, 'chart')

const helmCommands: readonly (readonly string[])[] = [
  ['install', 'shop', 'CHART'],
  ['list'],
  ['upgrade', 'shop', 'CHART', '--set', 'replicas=3', '--set', 'greeting=good day'],
  ['history', 'shop'],
  ['rollback', 'shop', '1'],
  ['get', 'manifest', 'shop'],
  ['upgrade', '--install', 'other', 'CHART', '--dry-run=server'],
  ['uninstall', 'shop', '--cascade=background'],
]

const helm = upstream(
  'helm',
  helmCommands.map(command => command.join(' ')),
  async (site, program) => {
    const exitCodes: number[] = []
    const saw: string[] = []
    for (const command of helmCommands) {
      const { code, stderr } = await site.run(
        program,
        command.map(word => (word === 'CHART' ? chart : word)),
      )
      exitCodes.push(code)
      saw.push(`${command.slice(0, 2).join(' ')}: ${code === 0 ? 'done' : stderr.trim()}`)
      if (command[0] === 'rollback') {
        const { spec } = (await site.ask('GET', `${deployments}/shop`)) as unknown as {
          readonly spec: { readonly replicas: number }
        }
        saw.push(`replicas ${spec.replicas}`)
      }
    }
    saw.push(`left: ${(await namesOf(site, deployments)).join(' ')}`)
    if (exitCodes.some(code => code !== 0)) throw new Error(saw.join('\n'))
    return { exitCodes, saw }
  },
)

const deschedulerPolicy = {
  apiVersion: 'descheduler/v1alpha2',
  kind: 'DeschedulerPolicy',
  profiles: [
    {
      name: 'tainted',
      pluginConfig: ['DefaultEvictor', 'RemovePodsViolatingNodeTaints'].map(name => ({ name, args: {} })),
      plugins: { deschedule: { enabled: ['RemovePodsViolatingNodeTaints'] } },
    },
  ],
}

const descheduler = upstream('descheduler', ['--descheduling-interval=0'], async (site, program) => {
  await makeNode(site, 'n1', { taints: [{ key: 'maintenance', effect: 'NoSchedule' }] })
  await makeNode(site, 'n2')
  const set = await makeSet(site, 'web')
  await makePod(site, 'web-a', 'web', set, 'n1')
  await makePod(site, 'web-b', 'web', set, 'n2')
  const policy = join(site.directory, 'policy.json')
  writeFileSync(policy, JSON.stringify(deschedulerPolicy))
  const flags = [`--policy-config-file=${policy}`, '--descheduling-interval=0', '--secure-port=0', '--disable-metrics']
  const { code, stderr } = await site.run(program, [`--kubeconfig=${site.kubeconfig}`, ...flags])
  if (code !== 0) throw new Error(stderr)
  const evicted = (await Promise.all(['web-a', 'web-b'].map(name => site.ask('GET', `${pods}/${name}`))))
    .filter(({ metadata }) => metadata['deletionTimestamp'] !== undefined)
    .map(({ metadata }) => `evicted ${metadata.name}`)
  return { exitCodes: [code], saw: evicted }
})

const reloader = upstream('reloader', [], async (site, program) => {
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys' }, data: { password: 'b2xk' } }
  await site.ask('POST', '/api/v1/namespaces/default/secrets', secret)
  const annotations = { 'secret.reloader.stakater.com/reload': 'keys' }
  await site.ask('POST', deployments, deployment('web', { annotations }))
  let changes = 0
  let changedAt = Date.now()
  return brings(site, program, [], 'the roll-out', async () => {
    // What a Reloader that only starts is told is not a change, and how long it takes to start nobody knows.
    if (Date.now() - changedAt > 4_000) {
      changedAt = Date.now()
      const password = Buffer.from(`new ${++changes}`).toString('base64')
      await site.ask('PATCH', '/api/v1/namespaces/default/secrets/keys', { data: { password } })
    }
    const { spec } = (await site.ask('GET', `${deployments}/web`)) as unknown as {
      readonly spec: { readonly template: { readonly spec: { readonly containers: readonly { readonly env?: object }[] } } }
    }
    return spec.template.spec.containers[0]?.env === undefined ? undefined : ['rolled out web']
  })
})

const autoscalers = '/apis/autoscaling.k8s.io/v1/namespaces/default/verticalpodautoscalers'

async function makeVerticalAutoscaler(site: ClientSite): Promise<void> {
  await makeDefinitions(site, join(await upstreamSource('recommender'), 'deploy', 'vpa-v1-crd-gen.yaml'))
  await makeNode(site, 'n1')
  const set = await makeSet(site, 'web')
  await makePod(site, 'web-a', 'web', set, 'n1')
  await makePod(site, 'web-b', 'web', set, 'n1')
  await site.ask('POST', autoscalers, {
    apiVersion: 'autoscaling.k8s.io/v1',
    kind: 'VerticalPodAutoscaler',
    metadata: { name: 'web' },
    spec: { targetRef: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' }, updatePolicy: { updateMode: 'Recreate' } },
  })
}

const recommender = upstream('recommender', ['--recommender-interval=5s'], async (site, program) => {
  await makeVerticalAutoscaler(site)
  const args = [`--kubeconfig=${site.kubeconfig}`, '--recommender-interval=5s', `--address=127.0.0.1:${await freePort()}`]
  return brings(site, program, args, 'a recommendation', async () => {
    const { status } = (await site.ask('GET', `${autoscalers}/web`)) as { readonly status?: { readonly conditions?: unknown } }
    return status?.conditions === undefined ? undefined : ['judged web']
  })
})

const updater = upstream('updater', ['--updater-interval=5s'], async (site, program) => {
  await makeVerticalAutoscaler(site)
  const amounts = { cpu: '2', memory: '2Gi' }
  const bounds = { lowerBound: { cpu: '1', memory: '1Gi' }, upperBound: { cpu: '3', memory: '3Gi' } }
  const recommendation = {
    containerRecommendations: [{ containerName: 'main', target: amounts, uncappedTarget: amounts, ...bounds }],
  }
  await site.ask('PATCH', `${autoscalers}/web/status`, {
    status: { recommendation, conditions: [{ type: 'RecommendationProvided', status: 'True' }] },
  })
  const flags = ['--updater-interval=5s', '--use-admission-controller-status=false', `--address=127.0.0.1:${await freePort()}`]
  return brings(site, program, [`--kubeconfig=${site.kubeconfig}`, ...flags], 'an eviction', async () => {
    const { items } = (await site.ask('GET', pods)) as unknown as { readonly items: readonly ApiObject[] }
    const evicted = items.filter(({ metadata }) => metadata['deletionTimestamp'] !== undefined).length + 2 - items.length
    return evicted === 0 ? undefined : ['evicted one of web']
  })
})

const kwok = upstream('kwok', ['--manage-all-nodes=true'], async (site, program) => {
  const stages = join(await upstreamSource('kwok'), 'kustomize', 'stage')
  const config = ['node/fast/node-initialize.yaml', 'pod/fast/pod-ready.yaml'].flatMap(file => ['--config', join(stages, file)])
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'fake' } }
  await site.ask('POST', '/api/v1/nodes', node)
  const { metadata, spec } = template('web')
  await site.ask('POST', pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name: 'web' },
    spec: { ...spec, nodeName: 'fake' },
  })
  const args = [`--kubeconfig=${site.kubeconfig}`, '--manage-all-nodes=true', '--enable-crds=', '--cidr=10.0.0.1/24', ...config]
  return brings(site, program, [...args, '--node-lease-duration-seconds=40'], 'a running pod', async () => {
    const { status } = (await site.ask('GET', `${pods}/web`)) as { readonly status?: { readonly phase?: string } }
    return status?.phase === 'Running' ? ['running web'] : undefined
  })
})

const metricsServer = upstream('metrics-server', ['--metric-resolution=15s'], async (site, program) => {
  await makeNode(site, 'n1')
  const access = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
    flag => `--${flag}=${site.kubeconfig}`,
  )
  const serving = [`--cert-dir=${site.directory}`, `--secure-port=${await freePort()}`, '--bind-address=127.0.0.1']
  const client = [...access, ...serving, '--kubelet-insecure-tls', '--metric-resolution=15s', '--kubelet-port=1']
  const started = site.start(program, client)
  // No kubelet listens there: that it asks each is what its informers are for.
  await site.until('a scrape', () => {
    if (!started.isRunning) throw new Error(started.said)
    return /Failed to scrape node.*n1/.test(started.said)
  })
  await started.stop()
  return { exitCodes: [], saw: ['asked the kubelet of n1'] }
})

const scaledObjects = '/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects'

const keda = upstream('keda', ['--leader-elect=false'], async (site, program) => {
  const bases = join(await upstreamSource('keda'), 'config', 'crd', 'bases')
  const kinds = ['clustertriggerauthentications', 'scaledjobs', 'scaledobjects', 'triggerauthentications']
  for (const kind of kinds) await makeDefinitions(site, join(bases, `keda.sh_${kind}.yaml`))
  for (const kind of ['cloudeventsources', 'clustercloudeventsources'])
    await makeDefinitions(site, join(bases, `eventing.keda.sh_${kind}.yaml`))
  await site.ask('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'keda' } })
  await site.ask('POST', deployments, deployment('web'))
  const { authority, server } = await makeCertificates()
  const files = { 'ca.crt': authority, 'tls.crt': server.certificate, 'tls.key': server.key }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(site.directory, name), text, { mode: 0o600 })
  const bind = async (flag: string) => `--${flag}=127.0.0.1:${await freePort()}`
  const addresses = [
    await bind('metrics-bind-address'),
    await bind('health-probe-bind-address'),
    await bind('metrics-service-bind-address'),
  ]
  const day = { timezone: 'Etc/UTC', start: '0 0 * * *', end: '59 23 * * *', desiredReplicas: '3' }
  const spec = {
    scaleTargetRef: { name: 'web' },
    minReplicaCount: 1,
    maxReplicaCount: 5,
    triggers: [{ type: 'cron', metadata: day }],
  }
  await site.ask('POST', scaledObjects, { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: { name: 'web' }, spec })
  const environment = {
    WATCH_NAMESPACE: '',
    POD_NAMESPACE: 'keda',
    KEDA_CLUSTER_OBJECT_NAMESPACE: 'keda',
    KEDA_HTTP_DEFAULT_TIMEOUT: '3000',
    OPERATOR_NAME: 'keda-operator',
  }
  const args = [`--kubeconfig=${site.kubeconfig}`, '--leader-elect=false', `--cert-dir=${site.directory}`, ...addresses]
  return brings(
    site,
    program,
    args,
    'an autoscaler',
    async () => {
      const made = await namesOf(site, '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers')
      const { status } = (await site.ask('GET', `${scaledObjects}/web`)) as { readonly status?: { readonly hpaName?: string } }
      return made.length === 0 || status?.hpaName === undefined
        ? undefined
        : [`made ${made.join(' ')}`, `status ${status.hpaName}`]
    },
    environment,
  )
})

/** What it says of the node, a Deployment and a pod: series that it makes of what it watched. */
const stateSeries = [
  'kube_node_info{node="n1"',
  'kube_node_status_condition{node="n1",condition="Ready",status="true"} 1',
  'kube_deployment_spec_replicas{namespace="default",deployment="web"} 2',
  'kube_pod_status_phase{namespace="default",pod="web-1"',
] as const

const stateMetrics = upstream('kube-state-metrics', [], async (site, program) => {
  await makeNode(site, 'n1')
  await site.ask('POST', deployments, deployment('web'))
  await makePod(site, 'web-1', 'web', await makeSet(site, 'web'), 'n1')
  const port = await freePort()
  const args = [
    `--kubeconfig=${site.kubeconfig}`,
    '--host=127.0.0.1',
    `--port=${port}`,
    '--telemetry-host=127.0.0.1',
    `--telemetry-port=${await freePort()}`,
  ]
  const started = site.start(program, args)
  let missing: readonly string[] = stateSeries
  await site.until('its series', async () => {
    if (!started.isRunning) throw new Error(`kube-state-metrics ended: ${started.said.slice(-2000)}`)
    if (!/Started metrics server/.test(started.said)) return false
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    missing = stateSeries.filter(series => !text.includes(`\n${series}`))
    return missing.length === 0
  })
  await started.stop()
  return { exitCodes: [], saw: stateSeries.map(series => `counted ${series.replace(/\{.*/, '')}`) }
})

export const upstreamScenarios: readonly ClientScenario[] = [
  helm,
  descheduler,
  reloader,
  recommender,
  updater,
  kwok,
  metricsServer,
  keda,
  stateMetrics,
]
