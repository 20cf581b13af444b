// The table of upstream and ours as one: routers of ours beside nodes of upstream's own libraries, in network namespaces.
import { systemClock } from '#kube/clock.ts'
import type { Check } from '../../check.ts'
import { makeNetwork, type NodeNetwork } from '../laboratory/network.ts'
import { until } from '../laboratory/program.ts'
import { fileNodeChecks } from './file-nodes.ts'
import { type Answer, type PeerProcess, type PeerProcessOptions, peerPort, startPeer } from './peer-process.ts'

const nodeAt = (nodes: readonly NodeNetwork[], index: number): NodeNetwork => {
  const node = nodes[index]
  if (node === undefined) throw new Error(`no node ${index}`)
  return node
}
const placed = (node: NodeNetwork): Pick<PeerProcessOptions, 'namespace' | 'address'> => node

/** Looks up until `expected` is found, whoever else is. Yields the milliseconds of the look-up that found it. */
async function finds(who: PeerProcess, key: string, expected: PeerProcess, limitMs = 60_000): Promise<number> {
  return await until(
    `${who.kind} at ${who.address} finds ${key} at ${expected.address}`,
    async () => {
      const { found = [], hosts = {}, ms = 0 } = await who.ask(`lookup ${key} 10`)
      if (!found.includes(expected.id)) return undefined
      if (hosts[expected.id]?.includes(expected.address) !== true)
        throw new Error(`${key}: ${expected.id} at ${JSON.stringify(hosts)}`)
      return Math.max(1, ms)
    },
    limitMs,
    250,
  )
}

const hasPeers = (who: PeerProcess, count: number, limitMs = 60_000) =>
  until(
    `${who.kind} at ${who.address} knows ${count}`,
    async () => {
      const { peers = 0 } = await who.ask(who.kind === 'go' ? 'peers' : 'state')
      return (typeof peers === 'number' ? peers : peers.length) >= count
    },
    limitMs,
    50,
  )

async function bothWays(security: 'noise' | 'tls'): Promise<string> {
  await using network = await makeNetwork(2)
  const [one, two] = [nodeAt(network.nodes, 0), nodeAt(network.nodes, 1)]
  await using go = await startPeer({ kind: 'go', ...placed(one), security })
  // Ours dials an address and takes the id from the handshake; upstream's library is given a wrong one and corrects itself.
  await using ours = await startPeer({ kind: 'ours', ...placed(two), security, zone: 'a', join: [`${one.address}:${peerPort}`] })
  await hasPeers(ours, 1)
  await go.ask(`join /ip4/${two.address}/tcp/${peerPort}`)
  await hasPeers(go, 1)
  await ours.ask('announce sha256:ours')
  await go.ask('announce registry.test/acme/app:go')
  const there = await finds(go, 'sha256:ours', ours)
  const back = await finds(ours, 'registry.test/acme/app:go', go)
  const { peers } = await go.ask('peers')
  const agent = Array.isArray(peers) ? peers[0]?.agent : undefined
  if (agent !== 'ballast/0.1.0 (zone=a)') throw new Error(`upstream's library reads our agent as ${agent}`)
  return `${security}: theirs found ours in ${there.toFixed(0)} ms, ours theirs in ${back.toFixed(0)} ms`
}

async function mixed(): Promise<string> {
  await using network = await makeNetwork(5)
  await using peers = new AsyncDisposableStack()
  const first = nodeAt(network.nodes, 0)
  const all: PeerProcess[] = []
  for (const [index, node] of network.nodes.entries()) {
    const kind = index % 2 === 0 ? 'go' : 'ours'
    const join = kind === 'ours' ? { join: [`${first.address}:${peerPort}`], zone: `z${index}` } : {}
    const peer = peers.use(await startPeer({ kind, ...placed(node), ...join }))
    const id = index === 2 ? `/p2p/${all[0]?.id}` : ''
    if (kind === 'go' && index > 0) await peer.ask(`join /ip4/${first.address}/tcp/${peerPort}${id}`)
    all.push(peer)
  }
  for (const peer of all) await hasPeers(peer, all.length - 1, 120_000)
  for (const [index, peer] of all.entries()) await peer.ask(`announce key-${index}`)
  const times: number[] = []
  for (const [index, owner] of all.entries()) {
    for (const asker of all) if (asker !== owner) times.push(await finds(asker, `key-${index}`, owner))
  }
  times.sort((left, right) => left - right)
  return `3 of theirs and 2 of ours: all of 20 look-ups found, median ${times[10]?.toFixed(0)} ms`
}

async function heals(): Promise<string> {
  await using network = await makeNetwork(4)
  await using peers = new AsyncDisposableStack()
  const first = nodeAt(network.nodes, 0)
  const all: PeerProcess[] = []
  for (const node of network.nodes) {
    all.push(peers.use(await startPeer({ kind: 'ours', ...placed(node), join: [`${first.address}:${peerPort}`] })))
  }
  for (const peer of all) await hasPeers(peer, 3)
  const [one, , three, four] = all
  if (one === undefined || three === undefined || four === undefined) throw new Error('four peers were started')
  const group = network.nodes.slice(0, 2)
  const began = systemClock.elapsed()
  await network.split(group)
  for (const peer of all) {
    await until(`${peer.address} lost the other half`, async () => (await peer.ask('state')).peers === 1, 180_000, 500)
  }
  const lostMs = systemClock.elapsed() - began
  await one.ask('announce told-while-split')
  if ((await four.ask('lookup told-while-split 3')).found?.length !== 0) throw new Error('found across the split')
  await network.heal()
  const healed = systemClock.elapsed()
  for (const peer of all) await hasPeers(peer, 3, 240_000)
  await finds(four, 'told-while-split', one)
  await finds(three, 'told-while-split', one)
  const seconds = (ms: number) => (ms / 1_000).toFixed(1)
  return `the other half was lost after ${seconds(lostMs)} s, and found again, with what it announced meanwhile, ${seconds(systemClock.elapsed() - healed)} s after the split ended`
}

/**
 * Twenty processes share the processors of whatever machine this runs on, so times on the wall are limited only to what no network
 * of nodes may take; what ours costs is limited by the processor time, which a busy machine does not change.
 */
async function twenty(): Promise<string> {
  const count = 20
  const settleLimitMs = 240_000
  await using network = await makeNetwork(count)
  await using peers = new AsyncDisposableStack()
  const first = nodeAt(network.nodes, 0)
  const join = { join: [`${first.address}:${peerPort}`] }
  const began = systemClock.elapsed()
  const all = await Promise.all(
    network.nodes.slice(0, count - 1).map(async node => peers.use(await startPeer({ kind: 'ours', ...placed(node), ...join }))),
  )
  const startMs = systemClock.elapsed() - began
  for (const peer of all) await hasPeers(peer, count - 2, settleLimitMs)
  const settleMs = systemClock.elapsed() - began - startMs
  const [one, two] = all
  if (one === undefined || two === undefined) throw new Error('peers were started')
  const small = await one.ask('flood a 3000')
  const large = await one.ask('flood b 20000')
  const late = peers.use(await startPeer({ kind: 'ours', ...placed(nodeAt(network.nodes, count - 1)), ...join }))
  const joined = systemClock.elapsed()
  await hasPeers(late, count - 1, settleLimitMs)
  const joinMs = systemClock.elapsed() - joined
  const key = `sha256:b${'19999'.padStart(60, '0')}`
  const foundMs = await finds(late, key, one, 60_000)
  for (const peer of all) await hasPeers(peer, count - 1, settleLimitMs)
  const killed = systemClock.elapsed()
  await two.kill()
  const others = all.filter(peer => peer !== two)
  await until(
    'all lost the killed one',
    async () => (await Promise.all(others.map(peer => peer.ask('state')))).every(({ peers }) => peers === count - 2),
    120_000,
    100,
  )
  const leftMs = systemClock.elapsed() - killed
  const { rss = 0 } = await one.ask('state')
  costsAtMost('3,000 keys', small, 3_000, 30_000)
  costsAtMost('20,000 keys', large, 15_000, 120_000)
  return [
    `${count - 1} started in ${startMs.toFixed(0)} ms and all knew each other ${settleMs.toFixed(0)} ms later`,
    `3,000 keys to ${count - 2} peers in ${small.ms?.toFixed(0)} ms, 20,000 in ${large.ms?.toFixed(0)} ms`,
    `(processor ${large.cpuMs?.toFixed(0)} ms, longest turn ${large.longestTurnMs?.toFixed(0)} ms)`,
    `a node joins in ${joinMs.toFixed(0)} ms and finds in ${foundMs.toFixed(0)} ms, a killed one is gone after ${leftMs.toFixed(0)} ms`,
    `RSS ${(rss / 1e6).toFixed(0)} MB`,
  ].join(', ')
}

function costsAtMost(what: string, { ms = 0, cpuMs = 0 }: Answer, mostCpuMs: number, mostMs: number): void {
  if (cpuMs > mostCpuMs) throw new Error(`${what} cost ${cpuMs.toFixed(0)} ms of processor, at most ${mostCpuMs} are expected`)
  if (ms > mostMs) throw new Error(`${what} took ${ms.toFixed(0)} ms, at most ${mostMs} are expected`)
}

export const peerChecks: readonly Check[] = [
  { name: 'mirror peers: upstream libraries and ours find each other by noise', run: () => bothWays('noise') },
  { name: 'mirror peers: upstream libraries and ours find each other by TLS', run: () => bothWays('tls') },
  { name: 'mirror peers: five nodes of both kinds', run: mixed },
  { name: 'mirror peers: a split network becomes one again', run: heals },
  { name: 'mirror peers: twenty routers, 20,000 keys', alone: true, run: twenty },
  ...fileNodeChecks,
]
