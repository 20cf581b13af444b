// The swap of the descheduler, killed before and after each of its writes, there and back.
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { shareOf } from './crash-harness.ts'
import { deschedulerInstallation, ownInstallation, policyText } from './descheduler-swap-objects.ts'
import { DeschedulerSwapSite } from './descheduler-swap-site.ts'

/** Numbers of writes at which it makes a difference to be killed: of many applied in a row the first two and the last. */
function tellingWrites(writes: readonly string[]): readonly number[] {
  const isApplied = (index: number) => writes[index]?.startsWith('PATCH ') === true && !isLoop(writes[index])
  const isInside = (index: number) => isApplied(index - 2) && isApplied(index - 1) && isApplied(index) && isApplied(index + 1)
  return [...writes.keys()].filter(index => !isInside(index)).map(index => index + 1)
}

/** The writes that put to sleep and wake are always told apart. */
const isLoop = (write = '') => /\/(deployments|cronjobs)\//.test(write)

describe.each(['Deployment', 'CronJob'] as const)(
  'killed at each write, another run ends it, and never are both awake: a %s',
  kind => {
    const everything = deschedulerInstallation({ kind, by: 'helm' })

    test.each([
      ['before, forth', 'before', false, 15],
      ['after, forth', 'after', false, 15],
      ['before, back', 'before', true, 6],
      ['after, back', 'after', true, 6],
    ] as const)('%s', async (_name, when, back, least) => {
      const writes = await (async () => {
        await using site = await DeschedulerSwapSite.start(everything)
        const forth = await site.apply()
        return back ? (await site.apply({ back: true })).writes : forth.writes
      })()
      const telling = tellingWrites(writes)
      expect(telling.length).toBeGreaterThan(least)
      for (const write of shareOf(telling)) {
        await using site = await DeschedulerSwapSite.start(everything)
        if (back) await site.apply()
        const killed = await site.apply({ back, kill: { write, when }, holder: 'ann' })
        const next = await site.apply({ back, holder: 'ann' })
        const named = `killed ${when} write ${write}, ${writes[write - 1]}: ${JSON.stringify(next.results)} ${String(killed.error)}`
        expect(next.error?.message, named).toBeUndefined()
        expect(next.isDone, named).toBe(true)
        expect(site.both, named).toEqual([])
        expect([site.replicasOf('upstream'), site.replicasOf('ours')], named).toEqual(back ? [1, 0] : [undefined, 1])
      }
    })
  },
)

describe('ours was there with settings of its own: killed at each write it keeps them', () => {
  const elected = { kind: 'Deployment', by: 'helm', args: ['--leader-elect=true'] } as const
  const own = {
    enabled: true,
    kind: 'Deployment',
    policy: parse(policyText),
    leaderElection: { enabled: true },
    coordination: { unlabelled: 'descheduler' },
    annotations: { team: 'platform' },
  }
  const settings = (site: DeschedulerSwapSite) => {
    const workload = site.find('deployments.apps', 'ballast-descheduler')
    const { template } = Object(workload?.['spec'])
    return JSON.stringify([
      workload?.metadata.annotations?.['team'],
      template,
      site.find('configmaps', 'ballast-descheduler')?.['data'],
    ])
  }

  test.each([
    ['before, forth, asleep', 'before', false, 0],
    ['after, forth, asleep', 'after', false, 0],
    ['before, back, asleep', 'before', true, 0],
    ['after, back, asleep', 'after', true, 0],
    ['before, forth, two awake', 'before', false, 2],
    ['after, forth, two awake', 'after', false, 2],
  ] as const)('%s', async (_name, when, back, replicas) => {
    const everything = [...ownInstallation({ ...own, replicas }), ...deschedulerInstallation(elected)]
    const { writes, before } = await (async () => {
      await using site = await DeschedulerSwapSite.start(everything)
      const told = settings(site)
      const forth = await site.apply()
      return { writes: back ? (await site.apply({ back: true })).writes : forth.writes, before: told }
    })()
    const all = [...writes.keys()].map(index => index + 1)
    for (const write of shareOf(all)) {
      await using site = await DeschedulerSwapSite.start(everything)
      if (back) await site.apply()
      await site.apply({ back, kill: { write, when }, holder: 'ann' })
      const next = await site.apply({ back, holder: 'ann' })
      const named = `killed ${when} write ${write}, ${writes[write - 1]}: ${JSON.stringify(next.results)}`
      expect(next.isDone, named).toBe(true)
      expect(settings(site), named).toBe(before)
      // Both are awake until the swap puts ours to sleep.
      if (replicas === 0) expect(site.both, named).toEqual([])
      const awake = Math.max(1, replicas)
      expect([site.replicasOf('upstream'), site.replicasOf('ours')], named).toEqual(back ? [1, 0] : [undefined, awake])
    }
  })
})
