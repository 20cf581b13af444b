// Ours called as Intel's operator is, with its definitions, its role and its configurations of webhooks: only the program is another.

import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { admissionConfiguration } from '../../../src/capabilities/devices/operator/admission.ts'
import { deviceNames } from '../../../src/capabilities/devices/operator/plugin-kinds.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { eventually, untilEstablished } from '../ballast/example-cluster.ts'
import { commandLine } from '../ballast/site.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { upstreamSource, upstreamVersion } from '../upstreams/build.ts'
import { fpgaDefinitions } from './fpga-answers.ts'
import { askedObject, operatorCases } from './operator-cases.ts'
import { certificatesIn, followed, namespace, operatorPort } from './operators.ts'

const recorded = join(import.meta.dirname, '..', '..', 'fixtures', 'devices', 'operator-answers.json')

/** @throws Error with what differs */
export async function operatorProgram(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false, audit: true })
  stack.defer(() => plane.stop())
  const { client } = plane
  const folder = mkdtempSync(join(tmpdir(), 'ballast-operator-program-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const authority = await certificatesIn(join(folder, 'k8s-webhook-server', 'serving-certs'))
  const kubeconfig = await upstreamInstalled(plane, stack)
  const [metrics, probes] = await freePorts(2)
  const args = [
    commandLine,
    'intel-device-plugin-operator',
    `-kubeconfig=${kubeconfig}`,
    `--metrics-bind-address=127.0.0.1:${metrics}`,
    `--health-probe-bind-address=127.0.0.1:${probes}`,
    '--leader-elect',
  ]
  const env = { PATH: process.env['PATH'], TMPDIR: folder, DEVICEPLUGIN_NAMESPACE: namespace }
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  child.on('close', isOver)
  stack.defer(() => void child.kill('SIGKILL'))
  const ended = new Promise<number | null>(resolve => void child.once('exit', code => resolve(code)))
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  await eventually(
    () => `it is not ready: ${log}`,
    async () => {
      strictEqual(child.exitCode, null, log)
      return (await fetch(`http://127.0.0.1:${probes}/readyz`).catch(() => undefined))?.status === 200 ? true : undefined
    },
    60_000,
  )
  await webhooksInstalled(plane, authority)
  const gpus = '/apis/deviceplugin.intel.com/v1/gpudeviceplugins'
  const plain = { ...askedObject({ device: 'gpu', spec: {} }), metadata: { name: 'plain' } }
  const { spec } = (await client.want('POST', gpus, plain)) as ApiObject & { readonly spec?: { readonly image?: string } }
  strictEqual(spec?.image, 'intel/intel-gpu-plugin:0.36.0')
  await client.want('DELETE', `${gpus}/plain`)
  const other = { ...plain, spec: { image: 'intel/other:1.0' } }
  const refused = await client.send('POST', gpus, other)
  match(JSON.stringify(refused.body), /vgpudeviceplugin\.kb\.io.*denied the request: spec\.image/)
  await podsChanged(client, 'theirs', /fpga\.mutator\.webhooks\.intel\.com.*denied the request: container a: found fpga/)

  // What its webhooks refuse is no case here: objects came before they were asked, as from an older operator.
  await webhooksGone(plane)
  await ownAsked(plane, authority)
  const steps = await followed(client, () => log)
  const { daemonSets }: { readonly daemonSets: unknown } = JSON.parse(readFileSync(recorded, 'utf8'))
  deepStrictEqual(steps, daemonSets)
  const lease = (await client.want(
    'GET',
    '/apis/coordination.k8s.io/v1/namespaces/default/leases/d1c7b6d5.intel.com',
  )) as ApiObject & { readonly spec?: { readonly holderIdentity?: string } }
  ok((lease.spec?.holderIdentity ?? '') !== '')
  strictEqual((await fetch(`http://127.0.0.1:${metrics}/metrics`)).status, 200)
  child.kill('SIGTERM')
  strictEqual(await ended, 0, log)
  const denied = plane.answered().filter(({ user, code }) => code === 403 && user.endsWith(':intel-operator'))
  // Upstream's role has no Events: what ours tells by them is in the log alone.
  const others = denied.filter(({ path }) => !path.endsWith('/events')).map(({ verb, path }) => `${verb} ${path}`)
  deepStrictEqual(others, [])
  return `${operatorCases.length} objects got the DaemonSets of ${upstreamVersion('intel-operator')}, by its role, Lease, flags and webhooks`
}

/** @returns a kubeconfig of its account */
async function upstreamInstalled(plane: ControlPlane, stack: AsyncDisposableStack): Promise<string> {
  const { client } = plane
  const source = join(await upstreamSource('intel-operator'), 'deployments', 'operator')
  const text = (...path: readonly string[]) => readFileSync(join(source, ...path), 'utf8')
  const plugins = [...new Set(operatorCases.map(one => one.device))].map(
    device => `${device}deviceplugins.deviceplugin.intel.com`,
  )
  for (const name of [...plugins, ...fpgaDefinitions]) {
    const [plural, ...group] = name.split('.')
    const definition = parse(text('crd', 'bases', `${group.join('.')}_${plural}.yaml`))
    await client.want('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
    await untilEstablished(client, name)
  }
  await client.want('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  await client.want('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'intel-operator' } })
  const role = parse(text('rbac', 'role.yaml'))
  await client.want('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', role)
  await client.want('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'intel-operator' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role.metadata.name },
    subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'intel-operator' }],
  })
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } }
  const path = '/api/v1/namespaces/default/serviceaccounts/intel-operator/token'
  const { status } = (await client.want('POST', path, request)) as { readonly status?: { readonly token?: string } }
  ok(status?.token !== undefined)
  return stack.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), status.token)).file
}

interface Pod extends ApiObject {
  readonly spec: { readonly containers: readonly { readonly resources: unknown; readonly env?: unknown }[] }
}

/** The real server asks at upstream's paths, and of a pod with FPGAs stays what ours answers. */
async function podsChanged(client: ControlPlane['client'], by: string, refusal: RegExp): Promise<void> {
  const create = (name: string, limits: Readonly<Record<string, string>>) =>
    client.send('POST', '/api/v1/namespaces/default/pods', {
      metadata: { name: `${by}-${name}` },
      spec: { containers: [{ name: 'a', image: 'a', resources: { limits } }] },
    })
  const resourcesOf = ({ status, body }: Awaited<ReturnType<typeof create>>) => {
    strictEqual(status, 201, JSON.stringify(body))
    return (body as Pod).spec.containers[0]
  }
  deepStrictEqual(resourcesOf(await create('any', {}))?.resources, {})
  const enclave = { 'sgx.intel.com/enclave': '1', 'sgx.intel.com/epc': '1Mi' }
  deepStrictEqual(resourcesOf(await create('enclave', { 'sgx.intel.com/epc': '1Mi' }))?.resources, {
    limits: enclave,
    requests: enclave,
  })
  const refused = await create('unknown', { 'fpga.intel.com/unknown': '1' })
  match(JSON.stringify(refused.body), refusal)
  const spec = { interfaceId: 'ce48969398f05f33946d560708be108a', afuId: 'd8424dc4a4a3c413f89e433683f9040b', mode: 'region' }
  await client.want('POST', '/apis/fpga.intel.com/v2/namespaces/default/acceleratorfunctions', {
    apiVersion: 'fpga.intel.com/v2',
    kind: 'AcceleratorFunction',
    metadata: { name: `${by}.loopback` },
    spec,
  })
  const loaded = await eventually(
    () => 'the name of a function is not taken',
    async () => {
      const answer = await create('loaded', { [`fpga.intel.com/${by}.loopback`]: '1' })
      return answer.status === 201 ? answer : undefined
    },
    10_000,
  )
  const devices = { [`fpga.intel.com/region-${spec.interfaceId}`]: '1' }
  const { resources, env } = resourcesOf(loaded) ?? {}
  deepStrictEqual(
    { resources, env },
    {
      resources: { limits: devices, requests: devices },
      env: [
        { name: 'FPGA_REGION_1', value: spec.interfaceId },
        { name: 'FPGA_AFU_1', value: spec.afuId },
      ],
    },
  )
}

interface Configuration extends ApiObject {
  readonly webhooks: readonly { readonly clientConfig: { readonly service: { readonly path: string } } }[]
}

const configurationsPath = '/apis/admissionregistration.k8s.io/v1'
const pluralOf = ({ kind }: Configuration) => `${kind?.toLowerCase()}s`

async function upstreamConfigurations(): Promise<readonly Configuration[]> {
  const file = join(await upstreamSource('intel-operator'), 'deployments', 'operator', 'webhook', 'manifests.yaml')
  return parseAllDocuments(readFileSync(file, 'utf8')).map(document => document.toJS())
}

/** As upstream's manifests have them, but that API servers are told the address in place of a Service. */
async function webhooksInstalled({ client }: ControlPlane, authority: string): Promise<void> {
  const caBundle = Buffer.from(authority).toString('base64')
  for (const one of await upstreamConfigurations()) {
    const webhooks = one.webhooks.map(webhook => ({
      ...webhook,
      clientConfig: { url: `https://127.0.0.1:${operatorPort}${webhook.clientConfig.service.path}`, caBundle },
    }))
    await client.want('POST', `${configurationsPath}/${pluralOf(one)}`, { ...one, webhooks })
  }
}

/** The same by the configurations that ours writes where it is no drop-in: the real server reads whom it asks about. */
async function ownAsked({ client }: ControlPlane, authority: string): Promise<void> {
  const caBundle = Buffer.from(authority).toString('base64')
  const clientConfig = (path: string) => ({ url: `https://127.0.0.1:${operatorPort}${path}`, caBundle })
  const own = admissionConfiguration('MutatingWebhookConfiguration', deviceNames, { clientConfig })
  const path = `${configurationsPath}/mutatingwebhookconfigurations`
  await client.want('POST', path, own)
  // The server takes up a configuration within a moment; until then it asks nobody.
  await eventually(
    () => 'nobody is asked by our configuration',
    async () => {
      const pod = {
        metadata: { name: 'ours-probe' },
        spec: { containers: [{ name: 'a', image: 'a', resources: { limits: { 'fpga.intel.com/unknown': '1' } } }] },
      }
      const { status } = await client.send('POST', '/api/v1/namespaces/default/pods?dryRun=All', pod)
      return status === 201 ? undefined : true
    },
    10_000,
  )
  await podsChanged(client, 'ours', /fpga-pods\.devices\.ballast\.dev.*denied the request: container a: found fpga/)
  await client.want('DELETE', `${path}/${own.metadata.name}`)
}

async function webhooksGone({ client }: ControlPlane): Promise<void> {
  for (const one of await upstreamConfigurations())
    await client.want('DELETE', `${configurationsPath}/${pluralOf(one)}/${one.metadata.name}`)
}
