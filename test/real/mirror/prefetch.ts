// Images pulled beforehand, all of the way: the leader's client over mutual TLS, an agent as it is shipped, and a containerd that pulls by CRI.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { AgentClient } from '../../../src/capabilities/mirror/agent-client.ts'
import type { PeerIdentity } from '../../../src/capabilities/mirror/contract.ts'
import { agentTlsName } from '../../../src/capabilities/mirror/prefetch.ts'
import { PullingAhead } from '../../../src/capabilities/mirror/pulling/pulling-ahead.ts'
import type { Check } from '../check.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { needProgramsOfImage } from '../image/programs-of-image.ts'
import { type ContainerdLine, containerdLines, startNodeContainerd } from './containerd.ts'
import { agentEnvironment, ownProgram } from './laboratory/own-program.ts'
import { startProgram, until } from './laboratory/program.ts'
import { startSmallRegistry } from './store/small-registry.ts'

const registryName = 'registry.test'
const image = `${registryName}/acme/app:v1`
const missing = `${registryName}/acme/app:gone`
const never = new AbortController().signal
const pullLimitMs = 60_000

/** Who has the ports. */
type Plane = 'builtin' | 'nginx'

/** As `AgentCertificates` makes them. */
async function identityOf(authority: KeyPair): Promise<PeerIdentity> {
  const leaf = await issueLeaf(authority, {
    commonName: agentTlsName,
    dnsNames: [agentTlsName],
    usages: ['server', 'client'],
    nowMs: systemClock.now(),
  })
  return { ca: authority.certificate, certificate: leaf.certificate, key: leaf.key }
}

const authorityOf = (commonName: string) => issueAuthority({ commonName, nowMs: systemClock.now() })

/** As the kubelet lays the Secret out. */
function writeIdentity(directory: string, { ca, certificate, key }: PeerIdentity): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'ca.crt'), ca)
  writeFileSync(join(directory, 'tls.crt'), certificate)
  writeFileSync(join(directory, 'tls.key'), key, { mode: 0o600 })
}

async function startMirror(
  directory: string,
  containerd: { readonly socket: string; readonly contentPath: string },
  plane: Plane,
  stack: AsyncDisposableStack,
): Promise<{ readonly registryPort: number; readonly peerPort: number }> {
  const [registryPort, routerPort, metricsPort, peerPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const settings = join(directory, 'ballast.yaml')
  const kind = { apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration' }
  const mirror = { enabled: true, allowFrom: 'node', readyWhenAlone: true, peerPort, dataPlane: plane }
  writeFileSync(settings, JSON.stringify({ ...kind, capabilities: { mirror } }))
  writeFileSync(join(directory, 'peers'), '')
  const here = (port: number) => `127.0.0.1:${port}`
  const flags = [
    ...['--registry-addr', here(registryPort), '--router-addr', here(routerPort), '--metrics-addr', here(metricsPort)],
    ...['--peer-addr', here(peerPort), '--peer-cert-dir', join(directory, 'tls')],
    ...['--containerd-sock', containerd.socket, '--containerd-content-path', containerd.contentPath],
    ...['--data-dir', join(directory, 'data'), '--bootstrap-kind', 'file', '--bootstrap-file', join(directory, 'peers')],
  ]
  const program = startProgram(
    process.execPath,
    [await ownProgram(), 'agent', '--role=mirror', '--config', settings, '--log-level', 'debug', ...flags],
    { env: { ...agentEnvironment, NODE_IP: '127.0.0.1' } },
  )
  stack.defer(async () => void (await program.stop()))
  // Alone it is ready for containerd late; its ports answer before.
  await until('the port for other agents is open', () => {
    if (program.hasEnded()) throw new Error(`the mirror ended: ${program.log().slice(-4_000)}`)
    return program.log().includes('"the mirror runs"')
  })
  return { registryPort, peerPort }
}

async function pulledBeforehand(line: ContainerdLine, plane: Plane): Promise<string> {
  if (plane === 'nginx') await needProgramsOfImage()
  await using stack = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'bh-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
  const registry = stack.use(await startSmallRegistry())
  const hosts = join(directory, 'certs.d')
  const containerd = stack.use(await startNodeContainerd({ line, configPath: hosts }))
  const authority = await authorityOf('ballast agents')
  const leader = await identityOf(authority)
  writeIdentity(join(directory, 'tls'), leader)
  const { registryPort, peerPort } = await startMirror(directory, containerd, plane, stack)
  // What a node's file says: its mirror first, then the registry.
  mkdirSync(join(hosts, registryName), { recursive: true })
  writeFileSync(
    join(hosts, registryName, 'hosts.toml'),
    `server = 'http://${registry.host}'\n[host.'http://127.0.0.1:${registryPort}']\ncapabilities = ['pull', 'resolve']\n`,
  )
  const { digest } = registry.push('acme/app', 'v1', { layerBytes: [300_000, 5_000_000], inIndex: true })

  const stranger = await identityOf(await authorityOf('somebody else'))
  // It believes us, so that it is the agent that refuses.
  await refused(peerPort, { ...stranger, ca: authority.certificate })
  if (registry.asked.length > 0) throw new Error(`somebody pulled for a stranger: ${registry.asked.join(', ')}`)

  const client = stack.use(new AgentClient({ clock: systemClock, identity: () => leader }))
  const ahead = new PullingAhead({
    clock: systemClock,
    addressOf: () => '127.0.0.1',
    ask: (address, images, signal) => client.ask({ address, port: peerPort }, images, signal),
    windowOpensMs: () => 0,
  })
  const first = await client.ask({ address: '127.0.0.1', port: peerPort }, [image], never)
  if (first[0]?.state !== 'queued') throw new Error(`asked first, the agent said ${JSON.stringify(first)}`)
  const wish = { requester: 'mirror', images: [image, missing], nodes: ['n1'], deadlineMs: systemClock.now() + pullLimitMs }
  const outcomes = await ahead.pull(wish, never)
  const outcomeOf = (name: string) => outcomes.find(one => one.image === name)
  if (outcomeOf(image)?.outcome !== 'present')
    throw new Error(`pulled: ${JSON.stringify(outcomes)}\n${containerd.log().slice(-2_000)}`)
  const gone = outcomeOf(missing)
  if (gone?.outcome !== 'failed' || gone.message?.includes('not found') !== true)
    throw new Error(`an image that is not there: ${JSON.stringify(gone)}`)

  const images = (await containerd.ctr('images', 'list')).stdout
  if (!images.split('\n').some(row => row.startsWith(`${image} `) && row.includes(digest)))
    throw new Error(`containerd lists ${images}`)
  const leases = (await containerd.ctr('leases', 'list')).stdout.split('\n').filter(row => row.startsWith('ballast-prefetch-'))
  if (leases.length !== 1 || leases[0]?.includes('containerd.io/gc.expire=') !== true)
    throw new Error(`one lease that runs out for the image that came, found ${JSON.stringify(leases)}`)
  const before = registry.asked.length
  const again = await client.ask({ address: '127.0.0.1', port: peerPort }, [image], never)
  if (again[0]?.state !== 'present' || registry.asked.length !== before) throw new Error(`asked again: ${JSON.stringify(again)}`)
  return `containerd ${containerd.version}: an image came by CRI, one that is not there is told (${gone.message.slice(0, 60)}…), a stranger's certificate is refused`
}

/** @throws Error where the agent answers */
async function refused(port: number, identity: PeerIdentity): Promise<void> {
  await using client = new AgentClient({ clock: systemClock, identity: () => identity })
  const answer = await client.ask({ address: '127.0.0.1', port }, [image], never).catch(() => undefined) // refused: as it should be
  if (answer !== undefined) throw new Error(`a certificate of another authority was answered: ${JSON.stringify(answer)}`)
}

export const prefetchChecks: readonly Check[] = Object.keys(containerdLines).flatMap(line =>
  isLine(line)
    ? (['builtin', 'nginx'] as const).map(plane => ({
        name: `mirror: an image pulled beforehand by the leader's word${plane === 'nginx' ? ', by nginx' : ''}, containerd ${line}`,
        run: () => pulledBeforehand(line, plane),
      }))
    : [],
)

function isLine(line: string): line is ContainerdLine {
  return Object.hasOwn(containerdLines, line)
}
