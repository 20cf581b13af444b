// One program at a time: KEDA's operator or ours behind KEDA's adapter or ours, each with the rights that KEDA's chart gives its account. An
// administrator and kube-controller-manager's autoscaler ask the API server, which asks the adapter, which asks the operator.
import { deepStrictEqual, ok } from 'node:assert'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { delegationObjects } from '#kube/server/delegation-rights.ts'
import { externalMetrics } from '../../../src/capabilities/autoscale/names.ts'
import { commandLine } from '../../cli/bundled.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { kedaNamespace, kedaRoles } from '../../keda-role.ts'
import { apiPath } from '../control-plane/api-client.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { atEnd } from '../endings.ts'
import { ended, until } from '../metrics/servers.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { scaledObjectsPath } from './outcomes.ts'
import { KedaSite } from './site.ts'

type Maker = 'upstream' | 'ours'

const wanted = 4
const adapterService = 'keda-operator-metrics-apiserver'
const deployment = '/apis/apps/v1/namespaces/default/deployments'
const secretPath = `/api/v1/namespaces/${kedaNamespace}/secrets/kedaorg-certs`

/** What a check has around it. */
class Beside implements AsyncDisposable {
  readonly site: KedaSite
  readonly directory: string
  readonly #stack: AsyncDisposableStack

  private constructor(site: KedaSite, directory: string, stack: AsyncDisposableStack) {
    this.site = site
    this.directory = directory
    this.#stack = stack
  }

  static async start(): Promise<Beside> {
    await using stack = new AsyncDisposableStack()
    const controllerFlags = ['--horizontal-pod-autoscaler-sync-period=3s']
    const site = stack.use(await KedaSite.start('upstream', { controllerFlags }))
    const { client } = site.plane
    const adapter = { namespace: kedaNamespace, name: 'keda-metrics-server' }
    for (const object of [...kedaRoles({ isWide: true }), ...delegationObjects(adapter)])
      await client.want('POST', apiPath(object, object.metadata.namespace), object)
    const directory = mkdtempSync(join(tmpdir(), 'ballast-beside-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    return new Beside(site, directory, stack.move())
  }

  /** The folder that is mounted into both. */
  get certificates(): string {
    return join(this.directory, 'certs')
  }

  mount(files: Readonly<Record<string, string>>): void {
    mkdirSync(this.certificates, { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.certificates, name), text, { mode: 0o600 })
  }

  async #kubeconfigOf(account: string): Promise<string> {
    const { client, kubeconfig } = this.site.plane
    const path = `/api/v1/namespaces/${kedaNamespace}/serviceaccounts/${account}/token`
    const asked = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 7_200 } }
    const { status } = Object(await client.want('POST', path, asked))
    return this.#stack.use(tokenKubeconfig(readFileSync(kubeconfig, 'utf8'), String(Object(status).token))).file
  }

  /** Runs a program until the check is over. @returns its output so far */
  async run(
    account: string,
    command: readonly string[],
    flags: (kubeconfig: string) => readonly string[],
  ): Promise<() => string> {
    const kubeconfig = await this.#kubeconfigOf(account)
    const [file = '', ...words] = command
    const child = spawn(file, [...words, ...flags(kubeconfig)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...{ PATH: process.env['PATH'], WATCH_NAMESPACE: '', POD_NAMESPACE: kedaNamespace, KUBECONFIG: kubeconfig },
        KEDA_CLUSTER_OBJECT_NAMESPACE: kedaNamespace,
        KEDA_SERVICE_MIN_TLS_VERSION: 'TLS13',
      },
    })
    const isOver = atEnd(() => child.kill('SIGKILL'))
    this.#stack.defer(async () => {
      await ended(child)
      isOver()
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    return () => (child.exitCode === null ? output : `${output}\nit ended with ${child.exitCode}`)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}

const commandOf = async (maker: Maker, upstream: 'keda' | 'keda-adapter'): Promise<readonly string[]> =>
  maker === 'upstream' ? [await upstreamPath(upstream)] : [process.execPath, commandLine, upstream]

/** Ours makes its certificates; upstream's are given, since its own rotation ends the process until a kubelet has brought the files. */
async function startOperator(beside: Beside, maker: Maker, service: number): Promise<() => string> {
  const { client } = beside.site.plane
  const [health] = await freePorts(1)
  const isRotating = maker === 'ours'
  if (!isRotating) {
    const nowMs = systemClock.now()
    const authority = await issueAuthority({ commonName: 'KEDA', nowMs })
    const dnsNames = ['localhost', `${adapterService}.${kedaNamespace}.svc`]
    const leaf = await issueLeaf(authority, { commonName: 'keda-operator', dnsNames, usages: ['server', 'client'], nowMs })
    beside.mount({ 'ca.crt': authority.certificate, 'tls.crt': leaf.certificate, 'tls.key': leaf.key })
  }
  const flags = (kubeconfig: string) => [
    ...['--leader-elect', `--kubeconfig=${kubeconfig}`, '--zap-encoder=console', `--cert-dir=${beside.certificates}`],
    ...['--metrics-bind-address=0', `--health-probe-bind-address=127.0.0.1:${health}`],
    ...[`--metrics-service-bind-address=127.0.0.1:${service}`, `--metrics-server-service-name=${adapterService}`],
    ...[`--enable-cert-rotation=${isRotating}`, '--enable-webhook-patching=false', '--operator-service-name=localhost'],
  ]
  const output = await beside.run('keda-operator', await commandOf(maker, 'keda'), flags)
  await until(
    () => `the operator to be ready: ${output().slice(-3_000)}`,
    async () =>
      await fetch(`http://127.0.0.1:${health}/readyz`).then(
        answer => answer.ok,
        () => false,
      ),
  )
  if (!isRotating) return output
  await until(
    () => `the Secret: ${output().slice(-3_000)}`,
    async () => (await client.send('GET', secretPath)).status === 200,
  )
  const data = Object(Object(await client.want('GET', secretPath)).data)
  const text = (key: string) => Buffer.from(String(data[key]), 'base64').toString()
  beside.mount({ 'ca.crt': text('ca.crt'), 'tls.crt': text('tls.crt'), 'tls.key': text('tls.key') })
  return output
}

async function startAdapter(
  beside: Beside,
  maker: Maker,
  service: number,
): Promise<{ readonly port: number; readonly output: () => string }> {
  const [port = 0, metrics] = await freePorts(2)
  const files = beside.certificates
  const flags = (kubeconfig: string) => [
    ...[`--secure-port=${port}`, '--bind-address=127.0.0.1', `--port=${metrics}`, '--logtostderr=true', '--v=0'],
    ...[`--metrics-service-address=localhost:${service}`, `--cert-dir=${files}`, `--client-ca-file=${files}/ca.crt`],
    ...[`--tls-cert-file=${files}/tls.crt`, `--tls-private-key-file=${files}/tls.key`],
    ...['kubeconfig', 'lister-kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
      flag => `--${flag}=${kubeconfig}`,
    ),
  ]
  return { port, output: await beside.run('keda-metrics-server', await commandOf(maker, 'keda-adapter'), flags) }
}

/** Where the API server asks for external metrics; whom it believes is the operator's to write where that makes certificates. */
async function register({ site }: Beside, port: number, isTrusted: boolean): Promise<void> {
  const { client } = site.plane
  const { group, version, name } = externalMetrics
  await client.want('POST', `/api/v1/namespaces/${kedaNamespace}/services`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: adapterService },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port, name: 'https' }] },
  })
  await client.want('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name },
    spec: {
      ...{ group, version, groupPriorityMinimum: 100, versionPriority: 100 },
      ...(isTrusted ? {} : { insecureSkipTLSVerify: true }),
      service: { namespace: kedaNamespace, name: adapterService, port },
    },
  })
}

export async function besideUpstream(operator: Maker, adapter: Maker): Promise<string> {
  await using beside = await Beside.start()
  const { client } = beside.site.plane
  const [service = 0] = await freePorts(1)
  const operating = await startOperator(beside, operator, service)
  const adapting = await startAdapter(beside, adapter, service)
  await register(beside, adapting.port, operator === 'ours')
  const said = () => `${operating().slice(-3_000)}\n${adapting.output().slice(-3_000)}`
  const api = `/apis/${externalMetrics.group}/${externalMetrics.version}`
  await until(
    () => `external.metrics.k8s.io: ${said()}`,
    async () => (await client.send('GET', api)).status === 200,
  )
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'app', image: 'registry.example/app:1' }] },
  }
  await client.want('POST', deployment, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replicas: 0, selector: { matchLabels: { app: 'web' } }, template },
  })
  const schedule = { timezone: 'Etc/UTC', start: '0 0 30 2 *', end: '0 12 * * *', desiredReplicas: String(wanted) }
  await client.want('POST', scaledObjectsPath, {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'web' },
    spec: { scaleTargetRef: { name: 'web' }, pollingInterval: 2, triggers: [{ type: 'cron', metadata: schedule }] },
  })
  let metric = ''
  await until(
    () => `the name of the metric: ${said()}`,
    async () => {
      const { status } = Object(await client.want('GET', `${scaledObjectsPath}/web`))
      const names: unknown = Object(status).externalMetricNames
      metric = Array.isArray(names) ? String(names[0] ?? '') : ''
      return metric !== ''
    },
  )
  const path = (name: string) =>
    `${api}/namespaces/default/${metric}?labelSelector=${encodeURIComponent(`scaledobject.keda.sh/name=${name}`)}`
  await until(
    () => `the value: ${said()}`,
    async () => (await client.send('GET', path('web'))).status === 200,
  )
  const { kind, items } = Object(await client.want('GET', path('web')))
  deepStrictEqual(kind, 'ExternalMetricValueList')
  const [{ timestamp, ...value }] = items
  ok(Date.now() - Date.parse(timestamp) < 120_000, timestamp)
  deepStrictEqual(value, { metricName: metric, metricLabels: null, value: String(wanted) })
  const refused = await client.send('GET', path('nobody'))
  deepStrictEqual(refused.status, 500)
  let seen = ''
  await until(
    () => `${wanted} replicas: ${seen} ${said()}`,
    async () => {
      const { spec } = Object(await client.want('GET', `${deployment}/web`))
      seen = String(Object(spec).replicas)
      return seen === String(wanted)
    },
    180_000,
  )
  return `${operator === 'ours' ? 'our' : "KEDA's"} operator behind ${adapter === 'ours' ? 'our' : "KEDA's"} adapter: kubectl gets ${wanted}, kube-controller-manager scales to it`
}
