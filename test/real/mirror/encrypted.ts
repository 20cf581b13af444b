// Agents with certificates: what goes between them goes over mutual TLS, and goes on when the certificates are replaced while they run.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { agentTlsName } from '../../../src/capabilities/mirror/prefetch.ts'
import type { Check } from '../check.ts'
import { type Agent, ports } from './laboratory/agents.ts'
import type { PushedImage } from './laboratory/images.ts'
import { registryName, startLaboratory } from './laboratory/laboratory.ts'
import { until } from './laboratory/program.ts'
import { megabyte, patient, pulledByCri, referenceOf, seeded } from './pulls.ts'

/** Writes them as a kubelet renews a mounted Secret: each file whole, none half. */
export async function writeCertificates(directory: string, authority: KeyPair): Promise<void> {
  const leaf = await issueLeaf(authority, {
    commonName: agentTlsName,
    dnsNames: [agentTlsName],
    usages: ['server', 'client'],
    nowMs: systemClock.now(),
  })
  mkdirSync(directory, { recursive: true })
  for (const [name, text] of Object.entries({
    'ca.crt': authority.certificate,
    'tls.crt': leaf.certificate,
    'tls.key': leaf.key,
  })) {
    writeFileSync(join(directory, `${name}.new`), text, { mode: 0o600 })
    renameSync(join(directory, `${name}.new`), join(directory, name))
  }
}

/** How often it has taken a certificate. */
export const taken = (agent: Agent) => agent.program.log().split('certificate for other agents taken').length - 1

async function encryptedPulls(): Promise<string> {
  await using laboratory = await startLaboratory({ nodes: 2, line: '2' })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  const authority = await issueAuthority({ commonName: 'agents', nowMs: systemClock.now() })
  const directoryOf = (directory: string) => join(directory, 'tls')
  const agents: Agent[] = []
  for (const node of laboratory.nodes) {
    await writeCertificates(directoryOf(node.directory), authority)
    const tls = ['--peer-addr', `${node.address}:${ports.peers}`, '--peer-cert-dir', directoryOf(node.directory)]
    // Never plain: what does not come over TLS does not come.
    const settings = { peerPort: ports.peers, peerTransport: 'mtls' }
    agents.push(await laboratory.startAgent(node, { kind: 'ballast', flags: [...patient, ...tls], settings, readyMs: 0 }))
  }
  for (const agent of agents) await agent.ready()
  const [, second] = agents
  if (second === undefined) throw new Error('two agents')
  const push = (repository: string): Promise<PushedImage> =>
    laboratory.outside.push({ repository, tag: 'v1', layers: [20 * megabyte] })
  const [before, after] = [await push('acme/before'), await push('acme/after')]
  await seeded(laboratory, n1, before, [second])
  await seeded(laboratory, n1, after, [second])
  await laboratory.outside.stop()
  await pulledByCri(n2, referenceOf(before))
  const counts = agents.map(taken)
  for (const node of laboratory.nodes) await writeCertificates(directoryOf(node.directory), authority)
  await until(
    'both agents take their new certificates',
    () => agents.every((agent, index) => taken(agent) > (counts[index] ?? 0)),
    90_000,
  )
  await pulledByCri(n2, referenceOf(after))
  const stalls = await second.metric('ballast_mirror_stalls_total')
  if (stalls > 0) throw new Error(`${stalls} transfers over TLS stood still`)
  const [layer] = after.layers
  const bytes = await second.metric('ballast_mirror_bytes_total', { source: 'peer', direction: 'in' })
  if (bytes < 2 * (layer?.size ?? 0)) throw new Error(`${bytes} bytes came from the other node`)
  return `containerd ${n1.containerd.version}: two images of 20 MB over mutual TLS alone, the second under certificates that came while both agents ran (${registryName} cut off)`
}

export const encryptedChecks: readonly Check[] = [
  { name: 'mirror: agents with certificates, replaced while they run, containerd 2', alone: true, run: encryptedPulls },
]
