// Intel's operator and ours, one after the other on one real control plane: the same DaemonSets from the same objects, and neither writes when it
// takes over from the other.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parse } from 'yaml'
import { systemClock } from '#kube/clock.ts'
import { applyJsonPatch, readJsonPatch } from '#kube/objects/json-patch.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { ControllerProcess, tokenKubeconfig } from '../../controller-process.ts'
import { plainDaemonSet } from '../../plain-daemon-set.ts'
import { eventually, untilEstablished } from '../ballast/example-cluster.ts'
import { commandLine } from '../ballast/site.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { commandOutput } from '../run-command.ts'
import { upstreamPath, upstreamSource, upstreamVersion } from '../upstreams/build.ts'
import { review } from './admission-review.ts'
import { type FpgaAnswer, fpgaAnswers, fpgaDefinitions } from './fpga-answers.ts'
import { askedCases, askedObject, operatorCases, podCases, podObject, podParts } from './operator-cases.ts'

export const namespace = 'ballast-agent'
const group = '/apis/deviceplugin.intel.com/v1'
const daemonSetsPath = `/apis/apps/v1/namespaces/${namespace}/daemonsets`
/** Its webhooks listen there and nowhere else. */
export const operatorPort = 9443
const quietMs = 3_000

type Client = ControlPlane['client']
interface ObjectList extends ApiObject {
  readonly items: readonly ApiObject[]
}

/** What an operator made: by name of the object, the DaemonSet after each of its specs, and its status. */
type Made = Readonly<Record<string, object>>

interface OperatorAnswers {
  readonly program: string
  readonly definitions: Readonly<Record<string, unknown>>
  readonly daemonSets: readonly Made[]
  readonly asked: readonly { readonly question: unknown; readonly image?: unknown; readonly isAllowed: boolean }[]
  /** Annotations and specs of pods, as they are created; null: refused. */
  readonly pods: readonly (object | null)[]
  /** What containers of pods with FPGAs get. */
  readonly fpgaPods: readonly FpgaAnswer[]
}

const configuration = JSON.stringify({
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'BallastConfiguration',
  capabilities: {
    deschedule: { enabled: false },
    isolate: { enabled: false },
    devices: { enabled: true, gpu: { enabled: false }, npu: { enabled: false }, operator: { enabled: true } },
  },
})

/** What Intel's operator answers, to be written down. */
export async function upstreamAnswers(): Promise<OperatorAnswers> {
  await using stack = new AsyncDisposableStack()
  const { plane } = await prepared(stack)
  const operator = await startUpstream(plane, stack)
  const daemonSets = await followed(plane.client, () => operator.log())
  return {
    program: upstreamVersion('intel-operator'),
    definitions: await upstreamDefinitions(),
    daemonSets,
    ...(await operator.asked()),
  }
}

/** @throws Error with what differs */
export async function comparedOperators(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const { plane, file } = await prepared(stack)
  const { client } = plane
  const theirs = await startUpstream(plane, stack)
  const byThem = await followed(client, () => theirs.log())
  await theirs.end()

  const own = await startOwn(plane, file, stack)
  await pause(quietMs)
  deepStrictEqual(writesOf(plane, 'ballast'), [], 'ours wrote to what theirs had made')
  deepStrictEqual(await made(client), byThem.at(-1))

  await cleared(client)
  const byUs = await followed(client, () => own.log)
  deepStrictEqual(byUs, byThem, 'ours makes other DaemonSets')
  const status = await followedStatus(client, () => own.log)
  own.kill('SIGTERM')
  deepStrictEqual(await own.ended, { code: 0, signal: null })

  const before = writesOf(plane, 'intel-operator').length
  ok(before >= operatorCases.length, 'what theirs writes is not seen')
  ok(writesOf(plane, 'ballast').length >= operatorCases.length, 'what ours writes is not seen')
  const statusBefore = await client.want('GET', statusPath)
  const again = await startUpstream(plane, stack)
  await pause(quietMs)
  // A write that says what is there already changes nothing.
  deepStrictEqual(
    statusIn(await client.want('GET', statusPath)),
    statusIn(statusBefore),
    'theirs says something else of an object',
  )
  // It writes a DaemonSet of SGX with a container that prepares nodes each time it looks, also its own, as it is.
  const after = writesOf(plane, 'intel-operator')
    .slice(before)
    .filter(write => !write.endsWith('/intel-sgx-plugin-sgx') && !write.endsWith(`${statusPath}/status`))
  deepStrictEqual(after, [], 'theirs wrote to what ours had made')
  deepStrictEqual(await made(client), byUs.at(-1), 'theirs changed what ours had made')
  await again.end()
  const refused = plane.answered().filter(({ user, code }) => code === 403 && user.startsWith('system:serviceaccount:ballast-'))
  deepStrictEqual(
    refused.map(({ verb, path }) => `${verb} ${path}`),
    [],
  )
  return `server ${plane.serverVersion}: ${operatorCases.length} objects of 8 kinds, each changed once, got the DaemonSets of ${upstreamVersion('intel-operator')}; ${status}; neither writes when it takes over`
}

/** The object whose status is followed. */
const statusPath = '/apis/deviceplugin.intel.com/v1/gpudeviceplugins/igpu'

/** Nodes are named in no order. */
function statusIn(object: object): unknown {
  const { nodeNames = [], ...rest } = (object as { readonly status?: { readonly nodeNames?: readonly string[] } }).status ?? {}
  return { ...rest, nodeNames: [...nodeNames].sort() }
}

async function prepared(stack: AsyncDisposableStack): Promise<{ readonly plane: ControlPlane; readonly file: string }> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false, audit: true })
  stack.defer(() => plane.stop())
  const folder = mkdtempSync(join(tmpdir(), 'ballast-operators-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'config.yaml')
  writeFileSync(file, configuration)
  const kubectl = await kubectlPath('newest')
  const printed = await commandOutput(process.execPath, [commandLine, 'manifests', '--config', file, '--format', 'json'])
  const { items }: { readonly items: readonly ApiObject[] } = JSON.parse(printed)
  await commandOutput(kubectl, [`--kubeconfig=${plane.kubeconfig}`, 'apply', '--server-side', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: items.filter(({ kind }) => kind !== 'Deployment') }),
    timeoutMs: 120_000,
  })
  for (const device of new Set(operatorCases.map(one => one.device)))
    await untilEstablished(plane.client, `${device}deviceplugins.deviceplugin.intel.com`)
  // Upstream's operator has a watch for these too.
  for (const one of fpgaDefinitions) await untilEstablished(plane.client, one)
  return { plane, file }
}

/** Each object with its specs one after the other; all objects side by side. */
export async function followed(client: Client, log: () => string): Promise<readonly Made[]> {
  const steps: Made[] = []
  const longest = Math.max(...operatorCases.map(({ specs }) => specs.length))
  for (let step = 0; step < longest; step++) {
    for (const { device, name, specs } of operatorCases) {
      const spec = specs[step]
      if (spec === undefined) continue
      const path = `${group}/${device}deviceplugins`
      if (step === 0) await client.want('POST', path, { ...askedObject({ device, spec }), metadata: { name } })
      else await replaced(client, `${path}/${name}`, spec)
    }
    steps.push(await settled(client, log))
  }
  return steps
}

/** An operator may write the object meanwhile. */
async function replaced(client: Client, path: string, spec: object): Promise<void> {
  for (let tries = 0; tries < 5; tries++) {
    const found = await client.want('GET', path)
    const { status } = await client.send('PUT', path, { ...found, spec })
    if (status === 200) return
    strictEqual(status, 409)
  }
  throw new Error(`${path} is written again and again`)
}

/** All are there, and nothing changes any more. */
async function settled(client: Client, log: () => string): Promise<Made> {
  let last = ''
  let since = Date.now()
  return await eventually(
    () => `DaemonSets are not made: ${log().slice(-3_000)}`,
    async () => {
      const now = await made(client)
      const text = JSON.stringify(now)
      if (text !== last) since = Date.now()
      last = text
      return Object.keys(now).length === operatorCases.length && Date.now() - since > quietMs ? now : undefined
    },
    60_000,
  )
}

async function made(client: Client): Promise<Made> {
  const { items } = (await client.want('GET', daemonSetsPath)) as ObjectList
  const own = items.filter(({ metadata }) => metadata.name.startsWith('intel-'))
  return Object.fromEntries(own.map(one => [one.metadata.name, plainDaemonSet({ ...one, kind: 'DaemonSet' })]))
}

async function cleared(client: Client): Promise<void> {
  for (const { device, name } of operatorCases) await client.want('DELETE', `${group}/${device}deviceplugins/${name}`)
  for (const name of Object.keys(await made(client))) await client.want('DELETE', `${daemonSetsPath}/${name}`)
}

/** What the cluster says of the DaemonSet and its pods comes into the object. */
async function followedStatus(client: Client, log: () => string): Promise<string> {
  const name = 'intel-gpu-plugin-igpu'
  const daemonSet = await client.want('GET', `${daemonSetsPath}/${name}`)
  const status = { currentNumberScheduled: 2, numberMisscheduled: 0, desiredNumberScheduled: 2, numberReady: 1 }
  await client.want('PUT', `${daemonSetsPath}/${name}/status`, { ...daemonSet, status })
  for (const node of ['n2', 'n1'])
    await client.want('POST', `/api/v1/namespaces/${namespace}/pods`, {
      metadata: {
        name: `${name}-${node}`,
        labels: { app: 'intel-gpu-plugin' },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name, uid: daemonSet.metadata['uid'], controller: true }],
      },
      spec: { nodeName: node, containers: [{ name: 'plugin', image: 'plugin' }] },
    })
  const expected = { desiredNumberScheduled: 2, numberReady: 1, nodeNames: ['n1', 'n2'] }
  await eventually(
    () => `the object does not say how its DaemonSet is: ${log().slice(-2_000)}`,
    async () => {
      const { status: said = {} } = (await client.want('GET', `${group}/gpudeviceplugins/igpu`)) as { readonly status?: object }
      const { controlledDaemonSet, ...rest } = said as { readonly controlledDaemonSet?: { readonly name?: string } }
      return controlledDaemonSet?.name === name && JSON.stringify(sorted(rest)) === JSON.stringify(sorted(expected))
        ? true
        : undefined
    },
    30_000,
  )
  return 'its status says which nodes have a pod'
}

const sorted = (value: object) => Object.fromEntries(Object.entries(value).sort())

function writesOf(plane: ControlPlane, agent: string): readonly string[] {
  return plane
    .answered()
    .filter(one => one.agent.startsWith(agent) && /daemonsets|deviceplugins/.test(one.path))
    .filter(({ verb }) => ['create', 'patch', 'update', 'delete'].includes(verb))
    .map(({ verb, path }) => `${verb} ${path}`)
}

interface Upstream {
  log(): string
  end(): Promise<void>
  asked(): Promise<Pick<OperatorAnswers, 'asked' | 'pods' | 'fpgaPods'>>
}

async function startUpstream(plane: ControlPlane, stack: AsyncDisposableStack): Promise<Upstream> {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-intel-operator-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const authority = await certificatesIn(join(folder, 'k8s-webhook-server', 'serving-certs'))
  const [probe] = await freePorts(1)
  const args = [
    `--kubeconfig=${plane.kubeconfig}`,
    '--metrics-bind-address=0',
    `--health-probe-bind-address=127.0.0.1:${probe}`,
    `--deviceplugin-namespace=${namespace}`,
  ]
  const env = { PATH: process.env['PATH'], TMPDIR: folder }
  const child = spawn(await upstreamPath('intel-operator'), args, { stdio: ['ignore', 'ignore', 'pipe'], env })
  const ended = followedTo(child)
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  stack.defer(() => void child.kill('SIGKILL'))
  await eventually(
    () => `Intel's operator is not ready: ${log}`,
    async () => {
      strictEqual(child.exitCode, null, log)
      return (await fetch(`http://127.0.0.1:${probe}/readyz`).catch(() => undefined))?.status === 200 ? true : undefined
    },
    60_000,
  )
  return {
    log: () => log,
    async end() {
      child.kill('SIGKILL')
      await ended
    },
    asked: async () => ({
      asked: await askedOf(authority),
      pods: await podsOf(authority),
      fpgaPods: await fpgaAnswers(plane.client, { port: operatorPort, authority }),
    }),
  }
}

function followedTo(child: ChildProcess): Promise<void> {
  const isOver = atEnd(() => child.kill('SIGKILL'))
  child.on('close', isOver)
  return new Promise(resolve => void child.once('exit', () => resolve()))
}

/** Certificate and key for its webhooks. @returns the authority in PEM */
export async function certificatesIn(folder: string): Promise<string> {
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'test authority', nowMs })
  const leaf = await issueLeaf(authority, { commonName: 'webhooks', ipAddresses: ['127.0.0.1'], usages: ['server'], nowMs })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'tls.crt'), leaf.certificate)
  writeFileSync(join(folder, 'tls.key'), leaf.key)
  writeFileSync(join(folder, 'ca.crt'), authority.certificate)
  return authority.certificate
}

async function askedOf(authority: string): Promise<OperatorAnswers['asked']> {
  const at = { port: operatorPort, authority }
  const answers: OperatorAnswers['asked'][number][] = []
  for (const one of askedCases) {
    const object = askedObject(one)
    const { patch } = await review(at, `/mutate-deviceplugin-intel-com-v1-${one.device}deviceplugin`, object)
    const operations: readonly { readonly path: string; readonly value: unknown }[] =
      patch === undefined ? [] : JSON.parse(Buffer.from(patch, 'base64').toString())
    // Upstream's adds fields of status too, since its kinds have no way to leave them out.
    const image = operations.find(({ path }) => path === '/spec' || path === '/spec/image')?.value
    const { allowed } = await review(at, `/validate-deviceplugin-intel-com-v1-${one.device}deviceplugin`, object)
    answers.push({ question: one, ...(image === undefined ? {} : { image: imageIn(image) }), isAllowed: allowed })
  }
  return answers
}

async function podsOf(authority: string): Promise<OperatorAnswers['pods']> {
  const at = { port: operatorPort, authority }
  const answers: (object | null)[] = []
  for (const one of podCases) {
    const pod = podObject(one)
    const { allowed, patch } = await review(at, '/mutate--v1-pod', pod)
    const operations = readJsonPatch(patch === undefined ? [] : JSON.parse(Buffer.from(patch, 'base64').toString()))
    ok(operations.ok)
    const after = applyJsonPatch(pod, operations.value)
    ok(after.ok)
    answers.push(allowed ? podParts(after.value as ReturnType<typeof podObject>) : null)
  }
  return answers
}

const imageIn = (value: unknown) => (typeof value === 'object' && value !== null && 'image' in value ? value.image : value)

async function startOwn(plane: ControlPlane, file: string, stack: AsyncDisposableStack): Promise<ControllerProcess> {
  const account = '/api/v1/namespaces/ballast-system/serviceaccounts/ballast-controller/token'
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } }
  const { status } = (await plane.client.want('POST', account, body)) as { readonly status?: { readonly token?: string } }
  ok(status?.token !== undefined)
  const { file: kubeconfig } = stack.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), status.token))
  const controller = new ControllerProcess(kubeconfig, 'prefer', ['--config', file])
  stack.defer(() => controller.kill('SIGKILL'))
  await eventually(
    () => `it does not lead: ${controller.log}`,
    async () => {
      ok(controller.isRunning, controller.log)
      const { status: code, body: said } = await plane.client.send(
        'GET',
        '/api/v1/namespaces/ballast-system/configmaps/ballast-status',
      )
      return code === 200 && JSON.stringify(said).includes('running') ? true : undefined
    },
    60_000,
  )
  return controller
}

/** Upstream's definitions without their texts. */
async function upstreamDefinitions(): Promise<Readonly<Record<string, unknown>>> {
  const source = await upstreamSource('intel-operator')
  const devices = [...new Set(operatorCases.map(({ device }) => device))]
  const names = [...devices.map(device => `${device}deviceplugins.deviceplugin.intel.com`), ...fpgaDefinitions]
  return Object.fromEntries(
    names.map(name => {
      const [plural = '', ...group] = name.split('.')
      const file = join(source, 'deployments/operator/crd/bases', `${group.join('.')}_${plural}.yaml`)
      const { spec } = parse(readFileSync(file, 'utf8'))
      return [name, withoutTexts(spec)]
    }),
  )
}

function withoutTexts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTexts)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key, inner]) => key !== 'description' || typeof inner !== 'string')
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutTexts(inner)]))
}
