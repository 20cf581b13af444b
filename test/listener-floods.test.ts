// Strangers flood the public listeners of a process whose loop holds a Lease and carries a plan on: three seconds here, minutes and figures in
// `listener-floods.deep.test.ts`. What strangers cost is judged by this loop's CPU and memory, not by how long the machine takes.
import { expect, test } from 'vitest'
import { besideAPlan, type Flood } from './floods/beside-a-plan.ts'

const several = Array.from({ length: 10 }, (_, at) => `127.0.1.${at + 1}`)

// biome-ignore format: a table
const floods: readonly Flood[] = [
  { kind: 'big-bodies',      at: 'webhooks', aSecond: 40,  open: 100 },
  { kind: 'reviews',         at: 'webhooks', aSecond: 40,  open: 100, from: several },
  { kind: 'slow-bodies',     at: 'webhooks', aSecond: 100, open: 200 },
  { kind: 'tiny-chunks',     at: 'webhooks', aSecond: 40,  open: 100 },
  { kind: 'deep-json',       at: 'webhooks', aSecond: 20,  open: 100 },
  { kind: 'half-handshakes', at: 'webhooks', aSecond: 1_000, open: 1_000 },
  { kind: 'broken-tls',      at: 'webhooks', aSecond: 200, open: 200 },
  { kind: 'idle',            at: 'metrics',  aSecond: 1_000, open: 1_000 },
  { kind: 'slow-headers',    at: 'metrics',  aSecond: 400, open: 400, from: several },
  { kind: 'huge-headers',    at: 'metrics',  aSecond: 40,  open: 100 },
  { kind: 'broken-http',     at: 'metrics',  aSecond: 100, open: 200 },
  { kind: 'pipelined',       at: 'metrics',  aSecond: 100, open: 200 },
  { kind: 'requests',        at: 'metrics',  aSecond: 100, open: 100 },
]

test('floods take neither the Lease, nor the loop, nor the memory, and API servers and kubelets are answered', async () => {
  const { lost, steps, loopShare, grownMiB, peer } = await besideAPlan(floods, 250)
  expect({ lost, failures: peer.failures }).toEqual({ lost: 0, failures: [] })
  expect(steps).toBeGreaterThan(5)
  expect(loopShare).toBeLessThan(0.6)
  expect(grownMiB).toBeLessThan(256)
  for (const latencies of Object.values(peer.latenciesMs)) expect(latencies.length).toBeGreaterThan(0)
})
