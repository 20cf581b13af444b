import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import type { DisruptionPermit } from '../api.ts'
import { reloadOf, variable } from '../testdata/fleet.ts'
import { startMs } from '../testdata/scripted-api.ts'
import { permitObject } from './permit-object.ts'
import { recordOf, whyUnreadable } from './permit-record.ts'
import { disruptionPermitSpec, disruptionPermitStatus } from './permit-schema.ts'
import { mostTogether, recordsOf, sharedPermit, singlesOf, statusOfMembers, Together } from './shared-permit.ts'

const verdict = { kind: 'grant', wouldBe: undefined } as const
const context = { siblings: ['uid-a'], nodes: ['n1'], joined: [], nowMs: startMs, epoch: 1, namespace: 'ballast-system' }

function single(at: number, change: Parameters<typeof reloadOf>[1] = {}): DisruptionPermit {
  const made = permitObject(reloadOf(at, change), verdict, { ...context, token: 1_000_001 + at })
  return { ...made, metadata: { ...made.metadata, name: 'restart-reload-1000001', resourceVersion: '7' } }
}

describe('what is shared is what each would be alone', () => {
  const arbitraryMember = fc.record({
    reasons: fc.option(fc.constant([{ code: 'SecretChanged', message: 'Secret keys changed' }]), { nil: undefined }),
    targets: fc.integer({ min: 1, max: 4 }),
    ttl: fc.constantFrom(60_000, 600_000),
    deadline: fc.constantFrom(startMs + 60_000, startMs + 120_000),
    nodes: fc.subarray(['n1', 'n2', 'n3']),
    siblings: fc.subarray(['a', 'b', 'c']),
    hasChange: fc.boolean(),
    hasWorkload: fc.boolean(),
    replicas: fc.option(fc.nat({ max: 3 }), { nil: undefined }),
    joined: fc.array(fc.constantFrom('rightsize', 'other'), { maxLength: 2 }),
  })

  test('taken apart again, whatever the members say', () => {
    fc.assert(
      fc.property(fc.array(arbitraryMember, { minLength: 1, maxLength: 6 }), members => {
        const singles = members.map((one, at) => {
          const targets = Array.from({ length: one.targets }, (_, number) => ({
            apiVersion: 'v1',
            kind: 'Pod',
            namespace: 'shop',
            name: `p${at}-${number}`,
          }))
          const made = single(at, {
            targets,
            deadlineMs: one.deadline,
            timeToLiveMs: one.ttl,
            ...(one.reasons === undefined ? {} : { reasons: one.reasons }),
            ...(one.replicas === undefined ? {} : { replicas: one.replicas }),
            ...(one.hasWorkload ? {} : { workload: undefined }),
          })
          const { change, ...spec } = made.spec
          const joined = one.joined.map((requester, number) => ({
            requester,
            class: 'cost' as const,
            verb: 'resize' as const,
            purpose: 'resize' as const,
            reasons: [],
            idempotencyKey: `${at}/${number}`,
          }))
          return {
            ...made,
            spec: {
              ...spec,
              ...(one.hasChange && change !== undefined ? { change } : {}),
              nodes: one.nodes,
              siblings: one.siblings,
              joined,
            },
          }
        })
        const shared = sharedPermit(singles)
        expect(checkAgainst(disruptionPermitSpec, shared.spec, 'spec')).toMatchObject({ ok: true })
        expect(whyUnreadable(shared)).toBeUndefined()
        expect(singlesOf(shared)).toEqual(singles)
        expect(recordsOf(shared)).toEqual(singles.map((one, member) => ({ ...recordOf(one), member })))
      }),
    )
  })

  test('a permit of one wish is itself', () => {
    const alone = single(0)
    expect(singlesOf(alone)).toEqual([alone])
    expect(recordsOf(alone)).toEqual([recordOf(alone)])
  })

  test('500 members are one object of less than half a MiB, ended too', () => {
    const intents = Array.from({ length: mostTogether }, (_, at) =>
      reloadOf(at, {
        reasons: [{ code: 'ConfigMapChanged', message: `ConfigMap settings-of-${at} changed: the key application.yaml` }],
        change: { env: [{ container: 'the-main-container', name: variable, value: 'f'.repeat(40) }] },
      }),
    )
    const together = new Together(intents, 'ballast-system')
    const siblings = Array.from({ length: 50 }, (_, at) => `3c1f6f8e-98f2-4a3c-8d8e-0123456789${String(at).padStart(2, '0')}`)
    const objects = intents.map((intent, at) => {
      const pods = siblings.slice(0, together.siblings)
      const made = permitObject(intent, verdict, {
        ...context,
        siblings: pods,
        nodes: [`node-${at}.cluster.example`],
        token: 1_000_001 + at,
      })
      return { made, seat: together.seat(intent, made) }
    })
    expect(new Set(objects.map(({ seat }) => seat.name)).size).toBe(1)
    const shared = sharedPermit(objects.map(({ made }) => made))
    const ended = recordsOf(shared).map(record => ({
      ...record,
      releasedAtMs: startMs,
      ending: 'done' as const,
      reason: 'its rollout has begun',
    }))
    const status = statusOfMembers(mostTogether, ended)
    expect(checkAgainst(disruptionPermitStatus, status, 'status')).toMatchObject({ ok: true })
    const bytes = JSON.stringify({ ...shared, status }).length
    expect(bytes).toBeGreaterThan(100_000)
    expect(bytes).toBeLessThan(512 * 1024)
  })
})

describe('the seats of wishes that are granted together', () => {
  const seats = (...intents: readonly ReturnType<typeof reloadOf>[]) => {
    const together = new Together(intents, 'ballast-system')
    return intents.map((intent, at) => {
      const { name, namespace, member } = together.seat(intent, permitObject(intent, verdict, { ...context, token: 11 + at }))
      return `${namespace}/${name}#${member}`
    })
  }
  const big = { annotations: { long: 'x'.repeat(400_000) } }
  const other = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'office', name: 'mail', uid: 'uid-mail' }

  // biome-ignore format: a table
  test.each<[string, readonly string[], readonly string[]]>([
    ['alike: one permit',                        seats(reloadOf(0), reloadOf(1)),                                      ['shop/restart-reload-11#0', 'shop/restart-reload-11#1']],
    ['of another class: one each',               seats(reloadOf(0), reloadOf(1, { class: 'safety' })),                 ['shop/restart-reload-11#0', 'shop/restart-reload-12#0']],
    ['by another verb: one each',                seats(reloadOf(0), reloadOf(1, { verb: 'evict' })),                   ['shop/restart-reload-11#0', 'shop/evict-reload-12#0']],
    ['in another\'s name: one each',             seats(reloadOf(0), reloadOf(1, { fieldManager: 'other' })),           ['shop/restart-reload-11#0', 'shop/restart-reload-12#0']],
    ['of several namespaces: where the first is', seats(reloadOf(0), reloadOf(1, { targets: [other], workload: other })), ['shop/restart-reload-11#0', 'shop/restart-reload-11#1']],
    ['too big for one object: another is begun', seats(reloadOf(0, { change: big }), reloadOf(1, { change: big })),    ['shop/restart-reload-11#0', 'shop/restart-reload-12#0']],
  ])('%s', (_name, found, expected) => {
    expect(found).toEqual(expected)
  })
})

describe('how members ended', () => {
  const members = recordsOf(sharedPermit([single(0), single(1)]))
  const ended = (at: number, ending: 'done' | 'failed', seconds = 5) => {
    const record = members[at]
    if (record === undefined) throw new Error(`there is no member ${at}`)
    return { ...record, releasedAtMs: startMs + seconds * 1000, ending, reason: ending === 'done' ? 'patched' : 'refused' }
  }

  test('in part: the permit is out, and says who is not', () => {
    const shared = { ...sharedPermit([single(0), single(1)]), status: statusOfMembers(2, [ended(1, 'done')]) }
    expect(shared.status).toEqual({
      decision: 'Granted',
      members: [{ member: 1, releasedAt: '2026-03-02T04:00:05.000Z', ending: 'done', reason: 'patched' }],
    })
    expect(recordsOf(shared).map(({ releasedAtMs, ending }) => [releasedAtMs, ending])).toEqual([
      [undefined, undefined],
      [startMs + 5_000, 'done'],
    ])
  })

  test('all: the gravest end is that of the permit', () => {
    const status = statusOfMembers(2, [ended(1, 'done', 9), ended(0, 'failed')])
    expect(status).toMatchObject({ releasedAt: '2026-03-02T04:00:09.000Z', ending: 'failed', reason: 'of 2: 1 failed, 1 done' })
    expect(singlesOf({ ...sharedPermit([single(0), single(1)]), status }).map(one => one.status?.reason)).toEqual([
      'refused',
      'patched',
    ])
  })

  test('as a whole, by hand: each of them', () => {
    const status = { releasedAt: '2026-03-02T04:00:05.000Z', ending: 'withdrawn' } as const
    expect(recordsOf({ ...sharedPermit([single(0), single(1)]), status }).map(({ ending }) => ending)).toEqual([
      'withdrawn',
      'withdrawn',
    ])
  })
})

// biome-ignore format: a table
test.each<[string, unknown, string]>([
  ['no list',         'all',                 'spec.members is "all", expected a list'],
  ['without a token', [{ token: 'x' }],      'spec.members[0] is {"token":"x"}, expected a token and an idempotencyKey'],
  ['nothing',         [null],                'spec.members[0] is null, expected a token and an idempotencyKey'],
])('members written by hand are not read: %s', (_name, members, expected) => {
  const permit: DisruptionPermit = JSON.parse(JSON.stringify({ ...single(0), spec: { ...single(0).spec, members } }))
  expect(whyUnreadable(permit)).toBe(expected)
})
