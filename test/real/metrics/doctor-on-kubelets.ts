// `ballast doctor metrics` on real kubelets: one that signs its certificate itself, one whose certificate waits for approval, then both signed by the
// cluster. What it says is compared with what metrics-server and ours get there, and each line that it prints is run as it is printed.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { judgeKubelets } from '../../../src/capabilities/metrics/doctor/kubelet-judgement.ts'
import { commandLine } from '../../cli/bundled.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { ownImage } from '../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, startKubeletCluster } from '../kubelet/cluster.ts'
import { limitMs, toldOf } from '../kubelet/pods.ts'
import { until } from '../mirror/laboratory/program.ts'
import { type CommandResult, runCommand } from '../run-command.ts'
import { installInPods } from './in-pods.ts'
import { MetricsServers, type MetricsServerUnderTest } from './servers.ts'

interface Seen {
  readonly kubelets: readonly {
    readonly node: string
    readonly type: string
    readonly verifies: boolean
    readonly doubts: readonly string[]
  }[]
  readonly pendingRequests: readonly { readonly name: string; readonly node: string | null }[]
  readonly cures: readonly { readonly what: string; readonly lines: readonly string[] }[]
}

/** Runs a line as somebody who pastes it. */
type Paste = (line: string) => Promise<CommandResult>

export async function doctorOnKubelets(): Promise<string> {
  const archives = archivesIn(await ownImage())
  await using cluster = await startKubeletCluster({
    nodes: 2,
    archives,
    taints: [],
    certified: ['n2'],
    containerdFiles: registryFiles,
  })
  const directory = mkdtempSync(join(tmpdir(), 'ballast-doctor-'))
  try {
    symlinkSync(await kubectlPath('newest'), join(directory, 'kubectl'))
    const env = { KUBECONFIG: cluster.plane.kubeconfig, PATH: `${directory}:${process.env['PATH']}` }
    // With a terminal, as whoever pastes has one.
    const paste: Paste = line => runCommand('script', ['-q', '-e', '-c', line, '/dev/null'], { env, timeoutMs: 120_000 })
    await installInPods(cluster)
    return await seen(cluster, paste)
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${await toldOf(cluster)}`, { cause })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function seen(cluster: KubeletCluster, paste: Paste): Promise<string> {
  const { plane, place } = cluster
  await using servers = await MetricsServers.open(plane, place)
  const upstream = await servers.start('upstream', ['--kubelet-preferred-address-types=InternalIP'])
  const ours = await servers.start('ours', ['--kubelet-preferred-address-types=InternalIP'])
  await until(
    'the kubelet of n2 asks for a certificate',
    async () => (await paste('kubectl get csr -o name')).stdout.includes('csr-'),
    limitMs,
    500,
  )

  // What it prints where nobody is reached: this host reaches all.
  const places = linesFromOutside()
  // As an administrator, from here: in a pod it may not see who waits.
  const command = [commandLine, 'doctor', 'metrics', `--kubeconfig=${plane.kubeconfig}`]
  let said = ''
  const looked = async (): Promise<Seen> => {
    // Where the control plane is: from elsewhere no kubelet is reached.
    const within = ['netns', 'exec', place.namespace, process.execPath]
    const { stdout, stderr } = await runCommand('ip', [...within, ...command, '-o', 'json'], { timeoutMs: 120_000 })
    if (!stdout.startsWith('{')) throw new Error(`doctor: ${stderr}`)
    said = stdout
    return JSON.parse(stdout).areas.metrics
  }
  const first = await looked()
  await bothServe(first, [], upstream, ours)
  deepStrictEqual(
    first.pendingRequests.map(({ node }) => node),
    ['n2'],
  )

  // As printed: approve; then n2 is believed by all, and n1 by nobody.
  for (const line of cureOf(first, /wait for their certificates/)) await good(paste, line)
  try {
    await until(
      'n2 verifies',
      async () => (await looked()).kubelets.some(({ node, verifies }) => node === 'n2' && verifies),
      60_000,
      1_000,
    )
  } catch (cause) {
    throw new Error(`${said} ${(await paste('kubectl get csr -o yaml')).stdout}`, { cause })
  }
  const second = await looked()
  await bothServe(second, ['n2'], upstream, ours)
  deepStrictEqual(second.pendingRequests, [])
  // Now API servers are let into pods of both nodes.
  const pasted: string[] = []
  for (const line of places) {
    const { code, stdout, stderr } = await paste(line)
    const told = `${line}\n${code} ${stdout}\n${stderr}`
    match(stdout, /n1 +InternalIP +10\.99\.0\.1:10250 +self-signed/, told)
    match(stdout, /n2 +InternalIP +10\.99\.0\.2:10250 /, told)
    pasted.push(line.split(' ').slice(0, 4).join(' '))
  }
  const bootstrap = cureOf(second, /have the cluster sign the kubelets of n1:/)
  const [setting = '', listing = ''] = bootstrap
  match(await good(paste, listing), /kubernetes\.io\/kubelet-serving\s+system:node:n2\s.*Approved,Issued/)

  strictEqual(setting, 'serverTLSBootstrap: true')
  return `two kubelets ${plane.serverVersion}: self-signed, pending, signed by the cluster: metrics-server and ours serve the nodes that it says verify, at each step; run as printed: ${pasted.join('; ')}; kubectl certificate approve; kubectl get csr`
}

function linesFromOutside(): readonly string[] {
  const contact = { kind: 'unreached', why: 'no-route', message: '' } as const
  const tried = { node: 'n1', type: 'InternalIP', address: '10.0.0.1', port: 10_250, contact }
  const facts = { nowMs: 0, nodes: ['n1'], tried: [tried], pending: [], servedBy: undefined, order: [], notes: [] }
  const { cures } = judgeKubelets({ ...facts, orderFrom: 'defaults' })
  const lines = cures.flatMap(cure => cure.lines)
  ok(lines.length === 2, `lines from outside: ${lines}`)
  return lines
}

function cureOf({ cures }: Seen, pattern: RegExp): readonly string[] {
  const found = cures.find(({ what }) => pattern.test(what))
  if (found === undefined) throw new Error(`no cure ${pattern} in ${JSON.stringify(cures)}`)
  return found.lines
}

async function good(paste: Paste, line: string): Promise<string> {
  const { code, stdout, stderr } = await paste(line)
  if (code !== 0) throw new Error(`${line}: ${stderr}`)
  return stdout
}

/** By the address that is asked, these verify; and both servers serve them and no others. */
async function bothServe(
  { kubelets }: Seen,
  nodes: readonly string[],
  ...servers: readonly MetricsServerUnderTest[]
): Promise<void> {
  const verifying = kubelets.filter(({ type, verifies }) => type === 'InternalIP' && verifies).map(({ node }) => node)
  deepStrictEqual(verifying, nodes)
  const served = async ({ ask }: MetricsServerUnderTest): Promise<string> => {
    const { status, text } = await ask('/apis/metrics.k8s.io/v1beta1/nodes').catch(() => ({ status: 0, text: '' }))
    if (status !== 200) return `status ${status}`
    const { items }: { readonly items: readonly { readonly metadata: { readonly name: string } }[] } = JSON.parse(text)
    return items.map(({ metadata }) => metadata.name).join()
  }
  for (const server of servers)
    await until(
      `${server.name} to serve ${nodes.join() || 'nothing'}: ${server.output().slice(-500)}`,
      async () => (await served(server)) === nodes.join(),
      limitMs,
      500,
    )
}
