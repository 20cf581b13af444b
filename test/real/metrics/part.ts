// Metrics as a part of `ballast apiserver` on a real control plane: installed as the manual says, with the rights and the APIService of that and no
// more, believed by the aggregator by the bundle that the process keeps.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { commandLine } from '../../cli/bundled.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { FakeKubelets } from '../../fake-kubelets.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { commandOutput } from '../run-command.ts'
import { ended, until } from './servers.ts'
import { loadCluster } from './site.ts'

const namespace = 'ballast-system'
const service = 'ballast-apiserver'
const registration = '/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io'

/** `ballast manifests`, applied as the manual says; nobody runs its pods. */
export async function installPart({ kubeconfig }: ControlPlane): Promise<void> {
  const kubectl = await kubectlPath('newest')
  const manifests = await commandOutput(process.execPath, [commandLine, 'manifests', '--enable', 'metrics'])
  const flags = [`--kubeconfig=${kubeconfig}`, 'apply', '--server-side', '-f', '-']
  // The second time takes what needed a kind, or the namespace, of the first.
  await commandOutput(kubectl, flags, { input: manifests }).catch(() => '')
  await commandOutput(kubectl, flags, { input: manifests })
}

/** The Service leads to `port` of this host. */
async function install(plane: ControlPlane, port: number): Promise<void> {
  await installPart(plane)
  const { client } = plane
  const at = `/api/v1/namespaces/${namespace}/services`
  await client.want('DELETE', `${at}/${service}`)
  const spec = { type: 'ExternalName', externalName: 'localhost', ports: [{ name: 'aggregated', port }] }
  await client.want('POST', at, { apiVersion: 'v1', kind: 'Service', metadata: { name: service }, spec })
  await client.want('PATCH', registration, { spec: { service: { port } } })
}

function get(port: number, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  request({ host: '127.0.0.1', port, path, agent: false }, answer => resolve(text(answer)))
    .on('error', reject)
    .end()
  return promise
}

class Part implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack()
  output = ''
  healthPort = 0

  async start(directory: string, kubeconfig: string, port: number): Promise<this> {
    this.healthPort = await freePort()
    const args = [
      ...['apiserver', '--no-dashboard', `--config=${join(directory, 'config.yaml')}`, `--kubeconfig=${kubeconfig}`],
      ...[`--api-port=${port}`, `--namespace=${namespace}`, `--health-probe-bind-address=127.0.0.1:${this.healthPort}`],
    ]
    const child = spawn(process.execPath, [commandLine, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    })
    this.#stack.defer(() => ended(child))
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (piece: string) => {
        this.output += piece
      })
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}

export async function asPart(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
  stack.defer(() => plane.stop())
  const { client } = plane
  const kubelets = stack.use(await FakeKubelets.start())
  await loadCluster(plane, kubelets)
  const port = await freePort()
  await install(plane, port)
  const directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-part-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, 'kubelets.pem'), kubelets.authority.certificate)
  writeFileSync(
    join(directory, 'config.yaml'),
    `apiVersion: ballast.dev/v1alpha1
kind: BallastConfiguration
capabilities:
  metrics:
    enabled: true
    resolution: 10s
    kubelet:
      requestTimeout: 5s
      certificateAuthority: ${join(directory, 'kubelets.pem')}
`,
  )
  const review = await client.want('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${service}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 7_200 },
  })
  const token = String(Reflect.get(Object(Object(review).status), 'token'))
  const { file } = stack.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), token))
  let part = await new Part().start(directory, file, port)
  stack.defer(() => part[Symbol.asyncDispose]())
  const nodes = async () => {
    const { status, body } = await client.send('GET', '/apis/metrics.k8s.io/v1beta1/nodes')
    const { items = [] }: { readonly items?: readonly { readonly metadata: { readonly name: string } }[] } = Object(body)
    return status === 200 ? items.map(({ metadata }) => metadata.name) : []
  }
  await until(
    () => `nodes to be served: ${part.output.slice(-3_000)}`,
    async () => (await nodes()).length === 2,
  )
  const { spec, status } = Object(await client.want('GET', registration))
  ok(String(Reflect.get(spec, 'caBundle')).length > 100, 'the APIService has a bundle')
  strictEqual(Reflect.get(spec, 'insecureSkipTLSVerify'), undefined)
  match(JSON.stringify(status), /"type":"Available","status":"True"|"status":"True","type":"Available"/)
  const health = await get(part.healthPort, '/readyz?verbose')
  match(health, /metrics-kubelets.*2 of 3 answered \(silent: status\)/)
  // There are no Services here: the APIService leads to the very port of the process, which the check finds and counts as nothing.
  match(health, /metrics-api failed: its APIService names port \d+ of ballast-system\/ballast-apiserver.*\(not counted\)/)
  for (const version of ['1.32', 'newest'] as const) {
    const kubectl = await kubectlPath(version)
    const top = await commandOutput(kubectl, [`--kubeconfig=${plane.kubeconfig}`, 'top', 'pods', '-n', 'shop', '--containers'])
    match(top, /steady +app +12[56]m +40Mi/)
    const table = await commandOutput(kubectl, [`--kubeconfig=${plane.kubeconfig}`, 'get', 'nodes.metrics.k8s.io', 'n1'])
    match(table, /^NAME\s+CPU\s+MEMORY\s+WINDOW\s+n1\s/)
  }
  // Another process in its place has the same certificate: nobody has to believe anything new.
  const bundle = Reflect.get(spec, 'caBundle')
  await part[Symbol.asyncDispose]()
  part = await new Part().start(directory, file, port)
  await until(
    () => `nodes to be served again: ${part.output.slice(-3_000)}`,
    async () => (await nodes()).length === 2,
  )
  strictEqual(Reflect.get(Object(Reflect.get(Object(await client.want('GET', registration)), 'spec')), 'caBundle'), bundle)
  const refused = part.output.split('\n').filter(line => /forbidden|"status":403/i.test(line))
  deepStrictEqual(refused, [])
  return 'Available by its own bundle; kubectl 1.32 and newest: top, get; another process in its place; nothing was forbidden'
}
