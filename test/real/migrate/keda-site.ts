// A real control plane on which KEDA stands by the manifests of its release, with processes in place of the pods of its three programs and of
// Ballast's apiserver and controller. Somebody asks each second for the value of a trigger, as autoscalers do.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseAllDocuments } from 'yaml'
import { at, textAt } from '#kube/objects/object-fields.ts'
import { type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { kubectlOf } from '../helm/lifecycle.ts'
import { upstreamPath, upstreamSource } from '../upstreams/build.ts'
import { Answers } from './answers.ts'
import { ballastProgram } from './ballast-program.ts'
import { PodProcesses, type PodProgram } from './pod-processes.ts'

const namespace = 'keda'
const release = '2.21.0'
/** Ours has 6443 and 9443, on the same address. */
const ports = { adapter: 16_443, webhooks: 19_443 }
const scaledObjects = '/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects'
export const awake = 3
const answerMs = 5_000

type Side = 'operator' | 'adapter' | 'webhooks' | 'ours' | 'judges'
export const theirs = ['operator', 'adapter', 'webhooks'] as const

export class KedaRealSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly processes: PodProcesses<Side>
  /** Each second: whether whoever asks for the value of `web` is told it. */
  readonly answers = new Answers()
  /** Replicas of `web` and of `rest` that were seen, in turn. */
  readonly replicas: string[] = []
  readonly #stack: AsyncDisposableStack

  private constructor(plane: ControlPlane, processes: PodProcesses<Side>, stack: AsyncDisposableStack) {
    this.plane = plane
    this.processes = processes
    this.#stack = stack
  }

  /** KEDA runs: `web` is awake, `rest` is at zero, and somebody is answered. @throws PartUnavailable */
  static async open(): Promise<KedaRealSite> {
    const programs = {
      operator: await upstreamPath('keda'),
      adapter: await upstreamPath('keda-adapter'),
      webhooks: await upstreamPath('keda-webhooks'),
    }
    await using stack = new AsyncDisposableStack()
    const controllerFlags = ['--horizontal-pod-autoscaler-sync-period=3s']
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, asksEndpoints: true, controllerFlags })
    stack.defer(() => plane.stop())
    const directory = mkdtempSync(join(tmpdir(), 'ballast-keda-swap-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    const kubectl = await kubectlOf(plane)
    const processes = stack.use(
      new PodProcesses<Side>(plane, kubectl, address => ({
        ...kedaPrograms(plane, programs, directory, address),
        ours: ballastProgram('apiserver', plane, { directory, address }),
        judges: ballastProgram('controller', plane, { directory, address }),
      })),
    )
    const files = join(await upstreamSource('keda'), 'config', 'default')
    // As its release does: the source names no version.
    const text = (await kubectl(['kustomize', files]))
      .replaceAll(/(?<=version: |kedacore\/keda[a-z-]*:)(latest|main)\b/g, release)
      .replaceAll(/\b6443\b/g, String(ports.adapter))
      .replaceAll(/\b9443\b/g, String(ports.webhooks))
    const manifests = parseAllDocuments(text).map(document => document.toJSON() as ApiObject)
    const isRegistration = ({ kind }: ApiObject) => kind === 'APIService' || kind.endsWith('WebhookConfiguration')
    const order = (object: ApiObject) => (object.kind === 'Namespace' ? 0 : isRegistration(object) ? 2 : 1)
    for (const object of [...manifests, ...around].toSorted((left, right) => order(left) - order(right)))
      await plane.client.want('POST', apiPath(object, object.metadata.namespace), object)
    processes.start()
    const site = new KedaRealSite(plane, processes, stack.move())
    try {
      const isThere = async (name: string) =>
        (await plane.client.send('POST', scaledObjects, objectOf(name))).status < 300 ||
        (await plane.client.send('GET', `${scaledObjects}/${name}`)).status === 200
      await processes.until('KEDA takes its objects', async () => (await isThere('web')) && (await isThere('rest')))
      processes.go(() => site.#ask(), 1_000)
      await processes.until(
        'KEDA answers and has scaled',
        () => site.answers.last?.isAnswered === true && site.replicas.at(-1) === `web ${awake}, rest 0`,
        () => `${site.answers.last?.said} ${site.replicas.at(-1)}`,
      )
      site.answers.taken()
      site.replicas.length = 0
    } catch (cause) {
      await site[Symbol.asyncDispose]()
      throw cause
    }
    return site
  }

  /** Makes one more that is awake. @returns what the API server said */
  async create(name: string, more: object = {}): Promise<{ readonly status: number; readonly body: unknown }> {
    return this.plane.client.send('POST', scaledObjects, objectOf(name, more))
  }

  async autoscalers(): Promise<readonly { readonly name: string; readonly uid: unknown; readonly spec: unknown }[]> {
    const list = await this.plane.client.want('GET', '/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers')
    const items = Reflect.get(Object(list), 'items') as readonly ApiObject[]
    return items.map(one => ({ name: one.metadata.name, uid: at(one, 'metadata', 'uid'), spec: one['spec'] }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  async #ask(): Promise<void> {
    const { client } = this.plane
    const replicas = async (name: string) =>
      `${name} ${at(await client.want('GET', `/apis/apps/v1/namespaces/shop/deployments/${name}`), 'spec', 'replicas')}`
    const seen = `${await replicas('web')}, ${await replicas('rest')}`
    if (this.replicas.at(-1) !== seen) this.replicas.push(seen)
    const metric = textAt(await client.want('GET', `${scaledObjects}/web`), 'status', 'externalMetricNames', '0')
    const labels = encodeURIComponent('scaledobject.keda.sh/name=web')
    const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/${metric}?labelSelector=${labels}`
    // As an autoscaler, which asks again: the one who was asked may be ending.
    const late = pause(answerMs).then(() => ({ status: 0, body: `no answer in ${answerMs} ms` }))
    const asked = client.send('GET', path).catch((error: Error) => ({ status: 0, body: error.message }))
    const { status, body } = await Promise.race([asked, late])
    const value = textAt(body, 'items', '0', 'value')
    this.answers.add(status === 200 && value === String(awake), `${status} ${JSON.stringify(body)}`)
  }
}

/** Beside KEDA: who uses it, and where its pods run. */
const around: readonly ApiObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ballast-system' } },
  { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels: { 'kubernetes.io/os': 'linux' } } },
  ...['web', 'rest', 'late'].map(name => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop' },
    spec: {
      replicas: name === 'rest' ? 0 : 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: 'registry.example/app:1' }] },
      },
    },
  })),
]

/** `rest` counts pods that nobody has; a cron whose start never comes is active always, in KEDA and in ours. */
function objectOf(name: string, more: object = {}): ApiObject {
  const trigger =
    name === 'rest'
      ? { type: 'kubernetes-workload', metadata: { podSelector: 'app=nobody', value: '1' } }
      : {
          type: 'cron',
          metadata: { timezone: 'Etc/UTC', start: '0 0 30 2 *', end: '0 12 * * *', desiredReplicas: String(awake) },
        }
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name, namespace: 'shop' },
    spec: { scaleTargetRef: { name }, pollingInterval: 5, triggers: [trigger], ...more },
  }
}

/** Flags of their manifests, but for files, kubeconfigs, and ports that three pods can have and three processes cannot. */
function kedaPrograms(
  { client }: ControlPlane,
  programs: Readonly<Record<(typeof theirs)[number], string>>,
  directory: string,
  address: string,
): Readonly<Record<(typeof theirs)[number], PodProgram>> {
  const certificates = join(directory, 'certs')
  mkdirSync(certificates)
  /** Brings the Secret's files, as a kubelet does. @returns whether there are any */
  const mounted = async (): Promise<boolean> => {
    const { status, body } = await client.send('GET', `/api/v1/namespaces/${namespace}/secrets/kedaorg-certs`)
    const data = Object.entries(Object(at(body, 'data')) as Readonly<Record<string, string>>)
    for (const [name, text] of data) writeFileSync(join(certificates, name), Buffer.from(text, 'base64'), { mode: 0o600 })
    return status === 200 && data.length > 0
  }
  const placed = (args: readonly string[]) => args.map(word => word.replace('/certs', certificates))
  const isOf =
    (app: string): PodProgram['isOf'] =>
    ({ metadata }) =>
      metadata.namespace === namespace && metadata.labels?.['app'] === app
  /** A pod reads it from the file of its namespace. */
  const env = { KEDA_CLUSTER_OBJECT_NAMESPACE: namespace }
  const probes = { operator: 18_082, webhooks: 18_083 }
  const probing = (port: number) => ['--metrics-bind-address=0', `--health-probe-bind-address=:${port}`]
  const operatorAddress = `keda-operator.${namespace}.svc.cluster.local`
  return {
    operator: {
      isOf: isOf('keda-operator'),
      start: async (args, kubeconfig) => {
        // Its Secret is optional: it makes it, and ends until the files are there.
        await mounted()
        const more = [`--kubeconfig=${kubeconfig}`, `--cert-dir=${certificates}`, ...probing(probes.operator)]
        return { program: programs.operator, words: [...placed(args), ...more] }
      },
      readyUrl: `http://${address}:${probes.operator}/readyz`,
      env,
    },
    adapter: {
      isOf: isOf('keda-metrics-apiserver'),
      start: async (args, kubeconfig) => {
        if (!(await mounted())) return undefined
        const kubeconfigs = ['kubeconfig', 'lister-kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig']
        const service = [
          '--metrics-service-address=localhost:9666',
          `--metrics-service-grpc-authority=${operatorAddress}`,
          '--port=18084',
        ]
        const more = [...kubeconfigs.map(flag => `--${flag}=${kubeconfig}`), ...service]
        return { program: programs.adapter, words: [...placed(args), ...more] }
      },
      readyUrl: `https://${address}:${ports.adapter}/readyz`,
      env,
    },
    webhooks: {
      isOf: isOf('keda-admission-webhooks'),
      start: async (args, kubeconfig) => {
        if (!(await mounted())) return undefined
        const more = [
          `--kubeconfig=${kubeconfig}`,
          `--cert-dir=${certificates}`,
          ...probing(probes.webhooks),
          `--port=${ports.webhooks}`,
        ]
        return { program: programs.webhooks, words: [...placed(args), ...more] }
      },
      readyUrl: `http://${address}:${probes.webhooks}/readyz`,
      env,
    },
  }
}
