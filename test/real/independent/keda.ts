// KEDA's operator, adapter and webhooks, with the rights of its manifests: ScaledObjects and ScaledJobs by time, by pods and by CPU, and what
// people do to them. Autoscalers of either server ask the adapter.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeCertificates } from '../control-plane/certificates.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { packages } from '../other-people/packages.ts'
import { rendered } from '../other-people/rendered.ts'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { askedHere, objectsIn } from './manifests.ts'
import type { Step, Suite } from './play.ts'
import type { Side } from './side.ts'

const namespace = 'keda'
const apps = 'apps'
const programs = ['keda', 'keda-adapter', 'keda-webhooks'] as const

async function manifests(): Promise<string> {
  const release = packages.find(({ name }) => name === 'keda')
  if (release === undefined) throw new Error('no package is called keda')
  return (await rendered(release)).manifests
}

async function install(side: Side): Promise<void> {
  const [operator, adapter, webhooks] = await Promise.all(programs.map(upstreamPath))
  const [adapterPort = 0, webhookPort = 0, service = 0, ...others] = await freePorts(9)
  const { authority, issuePeer } = await makeCertificates()
  const server = await issuePeer('CN=keda')
  mkdirSync(join(side.home, 'certs'))
  for (const [name, text] of Object.entries({ 'ca.crt': authority, 'tls.crt': server.certificate, 'tls.key': server.key }))
    side.write(join('certs', name), text)
  const certificates = join(side.home, 'certs')
  const installed = objectsIn(await manifests())
  const isWebhook = ({ kind }: { readonly kind: string }) => kind === 'ValidatingWebhookConfiguration'
  const isPlace = ({ kind, metadata }: (typeof installed)[number]) =>
    kind === 'APIService' || (kind === 'Service' && metadata.name === 'keda-metrics-apiserver')
  await side.kubectl('create', 'namespace', apps)
  await side.applyKinds(...installed.filter(object => !isWebhook(object) && !isPlace(object)))
  const config = await side.accountConfig({ namespace, name: 'keda-operator' })
  const env = {
    KUBECONFIG: config,
    WATCH_NAMESPACE: '',
    POD_NAMESPACE: namespace,
    KEDA_CLUSTER_OBJECT_NAMESPACE: namespace,
    KEDA_HTTP_DEFAULT_TIMEOUT: '3000',
  }
  const at = (flag: string, index: number) => `--${flag}=127.0.0.1:${others[index]}`
  const words = ['--zap-log-level=info', '--zap-encoder=console', '--zap-time-encoding=rfc3339']
  side.start(
    'operator',
    operator ?? '',
    [
      ...[
        at('metrics-bind-address', 0),
        at('health-probe-bind-address', 1),
        `--metrics-service-bind-address=127.0.0.1:${service}`,
      ],
      ...['--leader-elect', '--enable-cert-rotation=false', `--cert-dir=${certificates}`, ...words],
    ],
    env,
  )
  side.start(
    'webhooks',
    webhooks ?? '',
    [
      ...[
        at('metrics-bind-address', 2),
        at('health-probe-bind-address', 3),
        `--port=${webhookPort}`,
        `--cert-dir=${certificates}`,
        ...words,
      ],
    ],
    env,
  )
  const files = ['client-ca-file=ca.crt', 'tls-cert-file=tls.crt', 'tls-private-key-file=tls.key'].map(
    flag => `--${flag.replace('=', `=${certificates}/`)}`,
  )
  side.start(
    'adapter',
    adapter ?? '',
    [
      ...[
        `--secure-port=${adapterPort}`,
        '--bind-address=127.0.0.1',
        `--metrics-service-address=localhost:${service}`,
        `--cert-dir=${certificates}`,
      ],
      ...['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig', 'lister-kubeconfig'].map(
        flag => `--${flag}=${config}`,
      ),
      ...[
        ...files,
        '--zap-log-level=info',
        at('metrics-bind-address', 4)
          .replace('metrics-bind-address', 'port')
          .replace(/127\.0\.0\.1:/, ''),
      ],
    ],
    env,
  )
  const bundle = { caBundle: Buffer.from(authority).toString('base64') }
  await side.apply(
    ...installed.filter(isWebhook).map(object => askedHere(object, webhookPort, bundle)),
    {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'keda-metrics-apiserver', namespace } },
      spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ name: 'https', port: adapterPort }] },
    },
    {
      ...{ apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name: 'v1beta1.external.metrics.k8s.io' } },
      spec: {
        ...{ group: 'external.metrics.k8s.io', version: 'v1beta1', groupPriorityMinimum: 100, versionPriority: 100 },
        ...{ service: { name: 'keda-metrics-apiserver', namespace, port: adapterPort }, insecureSkipTLSVerify: true },
      },
    },
  )
  await side.kubectl('wait', 'apiservice/v1beta1.external.metrics.k8s.io', '--for=condition=Available', '--timeout=120s')
  const probe = side.write('probe.json', JSON.stringify(scaled('probe', {}, 'probe')))
  await side.apply(workload('probe', 0))
  await side.until('the webhooks of KEDA', async () => {
    side.stillRunning()
    return (await side.tryKubectl('create', '--dry-run=server', '-f', probe)).code === 0
  })
}

const template = (name: string) => ({
  metadata: { labels: { app: name } },
  spec: {
    containers: [{ name: 'app', image: 'registry.example/app:1', resources: { requests: { cpu: '100m', memory: '64Mi' } } }],
  },
})

const workload = (name: string, replicas: number) => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: apps } },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name) },
})

/** A start that never comes is always on, an end that never comes never. */
const never = '0 0 30 2 *'
const cron = (start: string, end: string, desiredReplicas = '3') => ({
  type: 'cron',
  metadata: { timezone: 'Etc/UTC', start, end, desiredReplicas },
})
const on = cron(never, '0 12 * * *')
const off = cron('0 12 * * *', never)
const byPods = (app: string) => ({ type: 'kubernetes-workload', metadata: { podSelector: `app=${app}`, value: '1' } })

function scaled(name: string, spec: object, target = name) {
  return {
    ...{ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: { name, namespace: apps } },
    spec: {
      ...{ scaleTargetRef: { name: target }, pollingInterval: 5, cooldownPeriod: 5, maxReplicaCount: 6, triggers: [on] },
      ...spec,
    },
  }
}

const scaledJob = (name: string, spec: object) => ({
  ...{ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledJob', metadata: { name, namespace: apps } },
  spec: {
    jobTargetRef: { template: { spec: { ...template(name).spec, restartPolicy: 'Never' } } },
    ...{ pollingInterval: 5, maxReplicaCount: 3, triggers: [cron(never, '0 12 * * *', '2')] },
    ...spec,
  },
})

const behavior = {
  scaleDown: { stabilizationWindowSeconds: 0 },
  scaleUp: { policies: [{ type: 'Pods', value: 2, periodSeconds: 15 }] },
}
const objects: Readonly<Record<string, object>> = {
  always: {},
  rest: { triggers: [off] },
  least: { minReplicaCount: 2, triggers: [off] },
  idle: { idleReplicaCount: 0, minReplicaCount: 1, triggers: [off] },
  pods: { triggers: [byPods('counted')] },
  both: { triggers: [on, byPods('counted')], advanced: { horizontalPodAutoscalerConfig: { behavior } } },
  cpu: { minReplicaCount: 1, triggers: [{ type: 'cpu', metricType: 'Utilization', metadata: { value: '50' } }, on] },
  named: { advanced: { horizontalPodAutoscalerConfig: { name: 'another-name' }, restoreToOriginalReplicaCount: true } },
}
const names = Object.keys(objects)

async function begin(side: Side): Promise<void> {
  await side.apply(...[...names, 'counted', 'late'].map(name => workload(name, name === 'counted' ? 2 : 1)))
  await side.apply(
    ...Object.entries(objects).map(([name, spec]) => scaled(name, spec)),
    scaledJob('work', {}),
    scaledJob('rest', { triggers: [off] }),
  )
  await settled(side)
  // From here on both autoscalers remember the same: a round that comes before pods go, or after, makes no difference.
  await untilReplicas(side, 'pods', replicas => replicas === 2)
}

/** Each has seen what is asked of it. */
async function settled(side: Side): Promise<void> {
  const look = '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}'
  await side.until('ScaledObjects to be ready', async () => {
    side.stillRunning()
    const told = await side.kubectl('get', 'scaledobjects', '-n', apps, '-o', `jsonpath=${look}`)
    return names.every(name => told.split(' ').includes(`${name}=True`))
  })
}

const merge = (side: Side, kind: string, name: string, change: object) =>
  side.kubectl('patch', kind, name, '-n', apps, '--type=merge', '-p', JSON.stringify(change))

async function untilReplicas(side: Side, name: string, wanted: (replicas: number) => boolean): Promise<void> {
  let last = ''
  await side
    .until(`replicas of ${name}`, async () => {
      side.stillRunning()
      last = await side.kubectl('get', 'deployment', name, '-n', apps, '-o', 'jsonpath={.spec.replicas}')
      return wanted(Number(last))
    })
    .catch((cause: unknown) => {
      throw new Error(`${name} has ${last} replicas`, { cause })
    })
}

const steps: readonly Step[] = [
  {
    what: 'one that rests wakes, another goes to rest',
    async change(side, round) {
      const isAwake = round % 2 === 0
      await merge(side, 'scaledobject', 'rest', { spec: { triggers: [isAwake ? on : off] } })
      await untilReplicas(side, 'rest', replicas => (isAwake ? replicas > 0 : replicas === 0))
    },
  },
  {
    what: 'pods that are counted come and go',
    async change(side, round) {
      await side.kubectl('scale', 'deployment', 'counted', '-n', apps, `--replicas=${round % 3}`)
      await untilReplicas(side, 'pods', replicas => (round % 3 === 0 ? replicas === 0 : replicas > 0))
    },
  },
  {
    what: 'one is paused, and goes on',
    async change(side, round) {
      const value = round % 2 === 0 ? '0' : null
      await merge(side, 'scaledobject', 'always', { metadata: { annotations: { 'autoscaling.keda.sh/paused-replicas': value } } })
      await untilReplicas(side, 'always', replicas => (value === null ? replicas > 0 : replicas === 0))
    },
  },
  {
    what: 'a ScaledJob makes Jobs, is changed and made anew',
    async change(side, round) {
      await merge(side, 'scaledjob', 'work', { spec: { maxReplicaCount: 2 + (round % 3) } })
      await side.kubectl('delete', 'jobs', '-n', apps, '-l', 'scaledjob.keda.sh/name=work', '--wait=true')
      await side.until('Jobs of work', async () => (await side.kubectl('get', 'jobs', '-n', apps, '-o', 'name')).includes('work'))
    },
  },
  {
    what: 'what the webhooks refuse is refused',
    async change(side) {
      const file = side.write('refused.json', JSON.stringify(scaled('second', {}, 'always')))
      const { code, stderr } = await side.tryKubectl('apply', '-f', file)
      if (code === 0 || !stderr.includes('already managed'))
        throw new Error(`a second ScaledObject was not refused on the ${side.which} server: ${stderr}`)
    },
  },
  {
    what: 'a ScaledObject comes before its target, and goes',
    async change(side) {
      await side.kubectl('delete', 'deployment', 'late', '-n', apps)
      await side.apply(scaled('late', {}))
      await side.until(
        'late to wait for its target',
        async () =>
          (await side.kubectl(
            'get',
            'scaledobject',
            'late',
            '-n',
            apps,
            '-o',
            'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
          )) === 'False',
      )
      await side.apply(workload('late', 1))
      await side.kubectl('delete', 'scaledobject', 'late', '-n', apps, '--timeout=120s')
    },
  },
  {
    what: 'an autoscaler is deleted: it comes again',
    async change(side, round) {
      const name = `keda-hpa-${round % 2 === 0 ? 'least' : 'both'}`
      const uid = () => side.tryKubectl('get', 'hpa', name, '-n', apps, '-o', 'jsonpath={.metadata.uid}')
      const before = (await uid()).stdout
      await side.kubectl('delete', 'hpa', name, '-n', apps)
      await side.until(`${name} to come again`, async () => {
        const { code, stdout } = await uid()
        return code === 0 && stdout !== before
      })
    },
  },
]

export const keda: Suite = {
  name: 'KEDA',
  told: `${upstreamVersion('keda')}: operator, adapter and webhooks; not the rotation of its certificates, which pods mount`,
  async prepare() {
    for (const program of programs) await upstreamPath(program)
    await manifests()
  },
  install,
  begin,
  steps,
  compared: ['scaledobjects', 'scaledjobs', 'horizontalpodautoscalers', 'deployments', 'jobs', 'leases'],
}
