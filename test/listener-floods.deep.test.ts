// A minute of floods of each kind, from one peer and from several, at the listeners of a process that leads: `listener-floods.test.ts` has
// five seconds of them.
import { expect, test } from 'vitest'
import { besideAPlan, type Flood } from './floods/beside-a-plan.ts'
import { floodKinds } from './floods/flood-process.ts'
import { quantile } from './floods/floods.ts'

const several = Array.from({ length: 40 }, (_, at) => `127.0.1.${at + 1}`)
const toWebhooks = new Set([
  'half-handshakes',
  'broken-tls',
  'big-bodies',
  'slow-bodies',
  'tiny-chunks',
  'reviews',
  'deep-json',
  'many-values',
])
const both = new Set(['idle', 'requests', 'huge-headers', 'slow-headers'])

const floods = floodKinds.flatMap((kind): Flood[] => {
  const at = [
    ...(toWebhooks.has(kind) || both.has(kind) ? (['webhooks'] as const) : []),
    ...(toWebhooks.has(kind) ? [] : (['metrics'] as const)),
  ]
  return at.map((listener): Flood => ({ kind, at: listener, aSecond: 1_000, open: 1_200 }))
})

test.each([
  ['one peer', ['127.0.0.2']],
  ['forty peers', several],
])('floods from %s', async (_case, from) => {
  const outcome = await besideAPlan(
    floods.map(flood => ({ ...flood, from })),
    Number(process.env['BALLAST_FLOOD_MS'] ?? 4_000),
    line => console.log(line),
  )
  const { peer, ...rest } = outcome
  console.log(rest, peer.failures)
  for (const [path, latencies] of Object.entries(peer.latenciesMs))
    console.log(path, latencies.length, 'p50', quantile(latencies, 0.5), 'p99', quantile(latencies, 0.99))
  expect(rest.lost).toBe(0)
  // Where the floods leave no CPU for a handshake within its limit, one asker in hundreds finds the line closed: others must not.
  const asked = Object.values(peer.latenciesMs).reduce((sum, { length }) => sum + length, peer.failures.length)
  expect(peer.failures.length, peer.failures.join('; ')).toBeLessThanOrEqual(asked / 200)
  expect(rest.steps).toBeGreaterThan(floods.length)
  expect(rest.loopShare).toBeLessThan(0.5)
  expect(rest.grownMiB).toBeLessThan(320)
})
